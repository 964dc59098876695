"""On a number's page: what the provider has set for it, repairing it, and putting it back."""

from datetime import timedelta

import pytest
from django.utils import timezone

from burki.testing import NOWHERE, SYSTEM, make_browser
from numbers.models import PhoneNumber
from numbers.providers import http as provider_http
from numbers.services.proof import verify_number
from numbers.services.repairing import restorable
from numbers.tests.inventories import ELSEWHERE, bought, changes_sent
from numbers.tests.pages import asked_of, told, words
from numbers.tests.rows import make_number
from numbers.tests.test_sandbox_lines import line  # noqa: F401
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(organization):
    return make_browser(organization, "admin")


def page_of(browser, number, part=""):
    return browser.get(f"/numbers/{number.pk}{part}")


def send(browser, number, part, **form):
    return browser.post(f"/numbers/{number.pk}/{part}", form)


def drifted(organization, sandbox, **over) -> PhoneNumber:
    """A Twilio number whose calls somebody else has sent elsewhere."""
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, **({"voice_url": ELSEWHERE} | over))
    return verify_number(actor=SYSTEM, number=number)


def test_a_number_that_nobody_looked_at_says_so_and_can_be_checked(browser, organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.clear_requests()

    assert "Nobody has looked yet" in words(page_of(browser, number))
    assert sandbox.requests() == []
    page = told(browser, send(browser, number, "check"))

    assert "Checked just now. Everything is set as it should be." in page
    assert "Verified" in page and "Nobody has looked yet" not in page
    assert changes_sent(sandbox) == []


def test_a_drifted_number_says_what_is_set_and_what_should_be(browser, organization, sandbox):
    number = drifted(organization, sandbox)

    page = words(page_of(browser, number))

    assert "Drifted" in page
    assert "Twilio has something else set than it should." in page
    assert (
        f"The address for calls Set by somebody else Is set {ELSEWHERE} "
        "Should be https://burki.test/twiml" in page
    )
    assert "Repair webhooks" in page
    assert "Restore the earlier setting" not in page


def test_a_provider_that_does_not_answer_is_told_with_when_it_was_verified_last(
    browser, organization, sandbox, settings
):
    number = verify_number(actor=SYSTEM, number=bought(organization, "twilio"))
    settings.TWILIO_API_BASE_URL = NOWHERE
    provider_http._sessions.clear()

    page = told(browser, send(browser, number, "check"))

    assert "Checked just now. Twilio did not tell." in page
    assert "Unreachable" in page and "last verified" in page
    assert "Repair webhooks" not in page


def test_a_number_that_the_account_lacks_is_not_offered_for_repair(browser, organization, sandbox):
    number = bought(organization, "twilio")
    PhoneNumber.objects.update(created_at=timezone.now() - timedelta(days=1))
    number.refresh_from_db()
    sandbox.disown(number.phone_number)

    page = told(browser, send(browser, number, "check"))

    assert "The Twilio account does not have this number" in page
    assert "Repair webhooks" not in page


def test_repairing_names_what_is_overwritten_then_sets_it_and_can_be_put_back(
    browser, organization, sandbox
):
    number = drifted(organization, sandbox)
    sandbox.clear_requests()

    asking = page_of(browser, number, "/repair")
    assert "Somebody else has set what would be overwritten." in words(asking)
    assert ELSEWHERE in words(asking)
    assert sandbox.requests() == []
    page = told(browser, send(browser, number, "repair", asked=asked_of(asking)))

    assert "Repaired, and read back: everything is set as it should be." in page
    assert sandbox.owned()[0]["voice_url"] == "https://burki.test/twiml"
    assert restorable(number) == {"voice_url": ELSEWHERE}
    assert "Restore the earlier setting" in page

    asking = page_of(browser, number, "/restore")
    assert ELSEWHERE in words(asking)
    page = told(browser, send(browser, number, "restore", asked=asked_of(asking)))

    assert "Put back." in page and "Drifted" in page
    assert sandbox.owned()[0]["voice_url"] == ELSEWHERE
    assert "Restore the earlier setting" not in page


def test_what_somebody_set_after_the_page_was_shown_is_not_overwritten(
    browser, organization, sandbox
):
    number = drifted(organization, sandbox)
    asking = page_of(browser, number, "/repair")
    sandbox.alter(number.phone_number, sms_url="https://third.test/sms")
    sandbox.clear_requests()

    response = send(browser, number, "repair", asked=asked_of(asking))

    assert response.url == f"/numbers/{number.pk}/repair"
    assert "What is set there has changed. Nothing was done" in told(browser, response)
    assert changes_sent(sandbox) == []
    assert "https://third.test/sms" in words(page_of(browser, number, "/repair"))


def test_there_is_nothing_to_repair_or_to_restore_on_a_number_that_is_right(
    browser, organization, sandbox
):
    number = verify_number(actor=SYSTEM, number=bought(organization, "twilio"))
    sandbox.clear_requests()

    for part, sentence in (
        ("/repair", "Check the number first"),
        ("/restore", "nothing to put back"),
    ):
        assert sentence in told(browser, page_of(browser, number, part))
    assert sandbox.requests() == []


@pytest.mark.parametrize("action", ["repair", "restore"])
@pytest.mark.parametrize("forged", ["", "x", "another action", "another number"])
def test_a_form_that_was_changed_changes_nothing_and_says_so(
    browser, organization, sandbox, action, forged
):
    number = drifted(organization, sandbox)
    asking = page_of(browser, number, "/repair")
    if action == "restore" or forged == "another action":
        send(browser, number, "repair", asked=asked_of(asking))
        sandbox.alter(number.phone_number, sms_url=ELSEWHERE)
        verify_number(actor=SYSTEM, number=PhoneNumber.objects.get())
    other = {"repair": "restore", "restore": "repair"}[action]
    if forged == "another action":
        forged = asked_of(page_of(browser, number, f"/{other}"))
    elif forged == "another number":
        forged = asked_of(page_of(browser, number, f"/{action}"))
        second = make_number(organization, 7, webhook_verdict="drifted")
        AuditEvent.objects.create(
            organization=organization,
            action="number.repairing",
            object_type="numbers.PhoneNumber",
            object_id=str(second.pk),
            data={"overwritten": {"voice_url": ELSEWHERE}},
        )
        number = second
    sandbox.clear_requests()

    response = send(browser, number, action, asked=forged)

    assert response.status_code == 400
    assert "Nothing was done." in words(response)
    assert changes_sent(sandbox) == []


def test_a_viewer_sees_what_differs_and_no_button(organization, sandbox):
    number = drifted(organization, sandbox)
    viewer = make_browser(organization, "viewer")

    page = words(page_of(viewer, number))

    assert "Drifted" in page and ELSEWHERE in page
    assert "Repair webhooks" not in page and "Check now" not in page
    for part in ("/repair", "/restore"):
        assert page_of(viewer, number, part).status_code == 403
