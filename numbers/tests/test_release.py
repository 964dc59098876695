"""Releasing: the same care as buying. Claim, call, record; look when the answer is lost."""

import time

import pytest

from burki.testing import (
    NOWHERE,
    SYSTEM,
    TELNYX_NUMBER,
    TWILIO_NUMBER,
    make_client,
    post,
)
from numbers import reconcile
from numbers.models import PhoneNumber, Release
from numbers.providers import http as provider_http
from numbers.services.purchase import purchase_number
from numbers.tests.money import deletes
from organizations.models import AuditEvent

RELEASE = "/phone-numbers/release"

pytestmark = pytest.mark.django_db


def bought(organization, phone_number: str, provider: str) -> PhoneNumber:
    return purchase_number(
        actor=SYSTEM,
        organization=organization,
        provider=provider,
        phone_number=phone_number,
        assistant_id=None,
        friendly_name="",
        idempotency_key=None,
    ).purchase.number


def settle(release: Release, *, times: int = 40) -> Release:
    """Look again and again, as the worker would, until it is settled."""
    for _ in range(times):
        release = reconcile.settle_release(release.pk, actor=SYSTEM)
        if release.state in ("released", "refused"):
            return release
        time.sleep(0.1)
    raise AssertionError(release.looks)


@pytest.mark.parametrize(
    ("provider", "phone_number"), [("twilio", TWILIO_NUMBER), ("telnyx", TELNYX_NUMBER)]
)
def test_a_released_number_is_gone_there_and_history_here(
    client, organization, sandbox, provider, phone_number
):
    number = bought(organization, phone_number, provider)

    response = post(client, RELEASE, {"phone_number": phone_number})

    assert (response.status_code, response.json()) == (
        200,
        {
            "success": True,
            "phone_number": phone_number,
            "provider": provider,
            "message": f"Successfully released phone number {phone_number} from {provider}",
        },
    )
    assert sandbox.owned() == []
    (sent,) = sandbox.requests(method="DELETE")
    assert number.provider_number_id in sent.path
    number.refresh_from_db()
    assert (number.status, number.released_at is not None) == ("released", True)
    told = AuditEvent.objects.filter(action__startswith="release.").order_by("pk")
    assert [event.action for event in told] == ["release.claimed", "release.released"]


def test_a_repeat_gets_the_old_answer_and_sends_nothing(client, organization, sandbox):
    bought(organization, TWILIO_NUMBER, "twilio")

    first = post(client, RELEASE, {"phone_number": TWILIO_NUMBER})
    second = post(client, RELEASE, {"phone_number": TWILIO_NUMBER})

    assert second.json() == first.json()
    assert second["Idempotent-Replayed"] == "true"
    assert deletes(sandbox) == 1


def test_a_repeat_after_the_number_was_bought_again_does_not_release_it(
    client, organization, sandbox
):
    bought(organization, TWILIO_NUMBER, "twilio")
    body, key = {"phone_number": TWILIO_NUMBER}, {"HTTP_IDEMPOTENCY_KEY": "r1"}
    assert post(client, RELEASE, body, **key).status_code == 200
    bought(organization, TWILIO_NUMBER, "twilio")

    again = post(client, RELEASE, body, **key)

    assert (again.status_code, again.json()["code"]) == (409, "number_was_bought_again")
    assert deletes(sandbox) == 1
    assert len(sandbox.owned()) == 1


def test_a_key_that_named_another_number_is_refused(client, organization, sandbox):
    bought(organization, TWILIO_NUMBER, "twilio")
    key = {"HTTP_IDEMPOTENCY_KEY": "r1"}
    post(client, RELEASE, {"phone_number": TWILIO_NUMBER}, **key)

    other = post(client, RELEASE, {"phone_number": TELNYX_NUMBER}, **key)

    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_the_number_of_another_organization_is_not_found(organization, other_organization, sandbox):
    bought(organization, TWILIO_NUMBER, "twilio")

    response = post(make_client(other_organization), RELEASE, {"phone_number": TWILIO_NUMBER})

    assert response.status_code == 404
    assert response.json()["detail"] == f"Phone number {TWILIO_NUMBER} not found in database"
    assert deletes(sandbox) == 0


def test_a_wrong_provider_is_refused(client, organization, sandbox):
    bought(organization, TWILIO_NUMBER, "twilio")

    response = post(client, RELEASE, {"phone_number": TWILIO_NUMBER, "provider": "telnyx"})

    assert response.status_code == 400
    assert response.json()["detail"] == f"Phone number {TWILIO_NUMBER} is at twilio"
    assert deletes(sandbox) == 0


def test_releasing_needs_its_own_scope(organization, sandbox):
    bought(organization, TWILIO_NUMBER, "twilio")
    client = make_client(organization, ["numbers:purchase", "numbers:write"])

    response = post(client, RELEASE, {"phone_number": TWILIO_NUMBER})

    assert response.status_code == 403
    assert response.json()["detail"] == "This API key lacks the scope 'numbers:release'."
    assert deletes(sandbox) == 0


def test_a_pending_purchase_cannot_be_released(client, organization, sandbox):
    number = "+14155550052"
    bought(organization, number, "telnyx")

    response = post(client, RELEASE, {"phone_number": number})

    assert (response.status_code, response.json()["code"]) == (409, "purchase_in_progress")
    assert deletes(sandbox) == 0


def test_a_provider_that_cannot_be_reached_leaves_the_number_ours(
    client, organization, sandbox, settings
):
    number = bought(organization, TWILIO_NUMBER, "twilio")
    settings.TWILIO_API_BASE_URL = NOWHERE
    provider_http._sessions.clear()

    response = post(client, RELEASE, {"phone_number": TWILIO_NUMBER})

    assert response.status_code == 500
    assert response.json()["detail"] == "Failed to release phone number from twilio"
    assert response.json()["code"] == "provider_unreachable"
    number.refresh_from_db()
    assert number.status == "active"
    settings.TWILIO_API_BASE_URL = sandbox.url
    assert post(client, RELEASE, {"phone_number": TWILIO_NUMBER}).status_code == 200


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_a_lost_answer_is_looked_up_and_never_sent_again(client, organization, sandbox, provider):
    number = bought(organization, "+14155550070", provider)  # DELETE answers 500 after deleting

    response = post(client, RELEASE, {"phone_number": "+14155550070"})

    assert response.status_code == 200
    number.refresh_from_db()
    assert number.status == "released"
    assert deletes(sandbox) == 1
    (look,) = Release.objects.get().looks
    assert look["saw"] == "gone"


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_a_release_that_never_arrived_is_uncertain_and_ends_with_the_number_ours(
    client, organization, sandbox, provider
):
    number = bought(organization, "+14155550071", provider)  # drops before deleting

    first = post(client, RELEASE, {"phone_number": "+14155550071"})
    repeat = post(client, RELEASE, {"phone_number": "+14155550071"})
    settled = settle(Release.objects.get())

    assert (first.status_code, repeat.status_code) == (504, 504)
    assert first.json()["detail"] == f"Release of +14155550071 is being confirmed with {provider}"
    assert first["Retry-After"] == "15"
    assert settled.state == "refused"
    number.refresh_from_db()
    assert number.status == "active"
    assert deletes(sandbox) == 1
    assert len(sandbox.owned()) == 1


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
@pytest.mark.parametrize("status", [200, 202])
def test_an_answer_that_is_not_the_providers_releases_nothing(
    client, organization, sandbox, provider, status
):
    number = bought(organization, TWILIO_NUMBER, provider)
    sandbox.add_fault(method="DELETE", status=status, action="garbage")

    response = post(client, RELEASE, {"phone_number": TWILIO_NUMBER})

    assert response.status_code == 504
    assert settle(Release.objects.get()).state == "refused"
    number.refresh_from_db()
    assert number.status == "active"
    assert len(sandbox.owned()) == 1


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_a_404_counts_as_gone_only_if_a_look_agrees(client, organization, sandbox, provider):
    bought(organization, "+14155550072", provider)  # 404 although still there

    response = post(client, RELEASE, {"phone_number": "+14155550072"})

    assert response.status_code == 504
    assert PhoneNumber.objects.get().status == "releasing"


def test_a_404_of_a_number_that_is_gone_is_a_release(client, organization, sandbox):
    number = bought(organization, TWILIO_NUMBER, "twilio")
    sandbox.add_fault(method="DELETE", status=404, apply=True, body={"code": 20404})

    response = post(client, RELEASE, {"phone_number": TWILIO_NUMBER})

    assert response.status_code == 200
    number.refresh_from_db()
    assert number.status == "released"


def test_a_released_number_can_be_bought_again(client, organization, sandbox):
    bought(organization, TWILIO_NUMBER, "twilio")
    post(client, RELEASE, {"phone_number": TWILIO_NUMBER})

    again = bought(organization, TWILIO_NUMBER, "twilio")

    assert again.status == "active"
    rows = PhoneNumber.objects.order_by("pk").values_list("status", flat=True)
    assert list(rows) == ["released", "active"]
