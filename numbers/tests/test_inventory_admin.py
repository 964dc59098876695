"""Findings in the admin: a list to read, and actions that ask first."""

import pytest
from django.test import Client

from burki.testing import make_user
from numbers.inventory import accounts_to_compare
from numbers.models import Finding, PhoneNumber
from numbers.tests.inventories import (
    ORPHAN,
    account_of,
    bought,
    compared,
    finding_of,
    minutes_pass,
    own,
)
from organizations.models import AuditEvent

PAGE = "/admin/numbers/finding/"

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(db):
    browser = Client()
    browser.force_login(make_user(None, "boss", is_staff=True, is_superuser=True))
    return browser


def act(browser, action: str, *findings: Finding, confirmed: bool):
    form = {"action": action, "_selected_action": [finding.pk for finding in findings]}
    return browser.post(PAGE, form | ({"post": "yes"} if confirmed else {}), follow=True)


def messages_of(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_an_action_asks_first_and_does_nothing_until_it_is_confirmed(
    browser, organization, sandbox
):
    account = account_of(organization, "twilio")
    own(sandbox, account)
    finding = finding_of(account, "orphan")
    sandbox.clear_requests()

    page = act(browser, "adopt", finding, confirmed=False).content.decode()

    assert ORPHAN in page
    assert 'name="post" value="yes"' in page
    assert (PhoneNumber.objects.count(), sandbox.requests()) == (0, [])


def test_each_row_gets_its_message(browser, organization, sandbox, settings):
    """Two are adopted, one is gone by now, one is the platform's, one is no orphan."""
    account = account_of(organization, "twilio")
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC" + "e" * 32, "platform-token"
    (platform,) = (a for a in accounts_to_compare() if a.organization is None)
    ghost = bought(organization, "twilio")
    sandbox.disown(ghost.phone_number)
    for number in ("+14155552001", "+14155552002", "+14155552003"):
        own(sandbox, account, number)
    own(sandbox, platform, "+14155552004")
    compared(account), compared(platform)
    sandbox.disown("+14155552002")

    response = act(browser, "adopt", *Finding.objects.all(), confirmed=True)

    assert sorted(messages_of(response)) == [
        "+14155551234 is no orphan, or not any more.",
        "+14155552001 is adopted.",
        "+14155552002 is no longer in the account.",
        "+14155552003 is adopted.",
        "+14155552004: The platform's account has it; it belongs to nobody.",
    ]
    event = AuditEvent.objects.filter(action="number.adopted").first()
    assert (event.actor_label, event.ip) == ("boss@example.com", "127.0.0.1")


def test_ghosts_are_closed_and_numbers_repaired_from_the_list(browser, organization, sandbox):
    ghost = bought(organization, "twilio")
    drifted = bought(organization, "telnyx")
    sandbox.disown(ghost.phone_number)
    sandbox.alter(drifted.phone_number, connection_id="9999999999999999999")
    for provider in ("twilio", "telnyx"):
        compared(account_of(organization, provider))
    minutes_pass()
    closing = finding_of(account_of(organization, "twilio"), "ghost")
    repairing = finding_of(account_of(organization, "telnyx"), "drift")

    closed = act(browser, "close_ghost", closing, confirmed=True)
    repaired = act(browser, "repair", repairing, confirmed=True)

    assert messages_of(closed) == [f"{ghost.phone_number} is closed."]
    assert messages_of(repaired) == [f"{drifted.phone_number} is set as we have it."]
    ghost.refresh_from_db()
    assert ghost.status == "released"
    assert Finding.objects.open().count() == 0


def test_the_actions_need_their_own_permission_and_findings_can_only_be_read(
    browser, organization, sandbox
):
    account = account_of(organization, "twilio")
    own(sandbox, account)
    finding = finding_of(account, "orphan")
    staff = Client()
    staff.force_login(make_user(organization, "owner", is_staff=True))

    assert act(staff, "adopt", finding, confirmed=True).status_code == 403
    assert browser.get(f"{PAGE}{finding.pk}/change/").status_code == 200
    assert browser.post(f"{PAGE}{finding.pk}/change/", {}).status_code == 403
    assert browser.post(f"{PAGE}{finding.pk}/delete/", {"post": "yes"}).status_code == 403
    assert PhoneNumber.objects.count() == 0
