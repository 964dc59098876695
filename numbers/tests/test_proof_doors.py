"""Proof, repair and restoring through the API, the admin, and the command."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from burki.testing import make_client, make_user, post
from numbers.models import Finding, PhoneNumber
from numbers.tests.inventories import (
    ELSEWHERE,
    account_of,
    bought,
    changes_sent,
    connection_is,
    own,
    profile_is,
)
from organizations.models import AuditEvent

BOTH = pytest.mark.parametrize("provider", ["twilio", "telnyx"])
PREFIX = pytest.mark.parametrize("prefix", ["", "/api/v1"])
NEW = "https://new.test"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("patience")]


# --- The API --------------------------------------------------------------------------------------


@PREFIX
@BOTH
def test_verifying_answers_with_the_number_and_its_verdict(
    client, organization, sandbox, provider, prefix
):
    number = bought(organization, provider)

    response = post(client, f"{prefix}/phone-numbers/{number}/verify", {})

    answer = response.json()
    assert response.status_code == 200
    check = answer["webhook_check"]
    assert check["verdict"] == "verified"
    assert check["checked_at"] == check["verified_at"] is not None
    assert (check["detail"], check["differences"]) == (None, {})
    assert client.get(f"{prefix}/phone-numbers/{number}").json() == answer
    assert client.get(f"{prefix}/phone-numbers").json()["items"] == [answer]


def test_a_drift_is_told_repaired_and_restored(client, organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, voice_url=ELSEWHERE)
    path = f"/phone-numbers/{number}"
    pair = {"ours": "https://burki.test/twiml", "theirs": ELSEWHERE}

    seen = post(client, f"{path}/verify", {}).json()["webhook_check"]
    assert (seen["verdict"], seen["verified_at"]) == ("drifted", None)
    assert seen["differences"] == {"voice_url": pair}
    assert seen["detail"] == (
        f"The address for calls is {ELSEWHERE}, not https://burki.test/twiml."
    )

    repaired = post(client, f"{path}/repair", {})
    assert repaired.status_code == 200
    assert repaired.json()["webhook_check"]["verdict"] == "verified"
    assert repaired.json()["overwritten"] == {"voice_url": pair}
    assert sandbox.owned()[0]["voice_url"] == "https://burki.test/twiml"

    restored = post(client, f"{path}/restore-webhooks", {})
    assert restored.status_code == 200
    assert restored.json()["webhook_check"]["differences"] == {"voice_url": pair}
    assert sandbox.owned()[0]["voice_url"] == ELSEWHERE

    again = post(client, f"{path}/restore-webhooks", {})
    assert (again.status_code, again.json()["code"]) == (409, "inventory_conflict")


def test_a_provider_that_does_not_answer_is_a_verdict_but_no_repair(client, organization, sandbox):
    number = bought(organization, "telnyx")
    sandbox.add_fault(method="GET", status=500, times=None)

    seen = post(client, f"/phone-numbers/{number}/verify", {})
    repair = post(client, f"/phone-numbers/{number}/repair", {})

    assert (seen.status_code, seen.json()["webhook_check"]["verdict"]) == (200, "unreachable")
    assert (repair.status_code, repair.json()["code"]) == (500, "provider_unreachable")
    assert AuditEvent.objects.filter(action__startswith="number.repair").count() == 0


@pytest.mark.parametrize("action", ["verify", "repair", "restore-webhooks"])
@pytest.mark.parametrize(
    ("number", "status"),
    [("+14155559999", 404), ("+1\0", 404), ("9" * 400, 404), ("%2B14155551234", 200)],
)
def test_only_a_number_of_the_organization_is_found(
    client, other_organization, organization, sandbox, action, number, status
):
    bought(organization, "twilio")
    bought(other_organization, "twilio", "+14155559999")
    sandbox.clear_requests()

    response = post(client, f"/phone-numbers/{number}/{action}", {})

    nothing_to_restore = action == "restore-webhooks" and status == 200
    assert response.status_code == (409 if nothing_to_restore else status)
    if status == 404:
        assert response.json()["code"] == "not_found"
        assert sandbox.requests() == []


@pytest.mark.parametrize("action", ["verify", "repair", "restore-webhooks"])
@pytest.mark.parametrize("status", ["pending", "releasing", "claimed", "released"])
def test_a_number_that_is_not_in_service_has_no_verdict(
    client, organization, sandbox, action, status
):
    number = bought(organization, "twilio")
    post(client, f"/phone-numbers/{number}/verify", {})
    PhoneNumber.objects.update(status=status)

    response = post(client, f"/phone-numbers/{number}/{action}", {})

    known = status in ("pending", "releasing")
    assert response.status_code == (409 if known else 404)
    if status != "claimed":
        assert client.get(f"/phone-numbers/{number}").json()["webhook_check"] is None


def test_the_provider_says_which_of_two_numbers_is_meant(client, organization, sandbox):
    twilio = bought(organization, "twilio")
    PhoneNumber.objects.create(
        organization=organization, account=account_of(organization, "telnyx"), provider="telnyx",
        phone_number=twilio.phone_number, status="active",
    )  # fmt: skip
    path = f"/phone-numbers/{twilio}/verify"

    assert post(client, path, {"provider": "twilio"}).json()["id"] == twilio.pk
    assert post(client, path, {}).json()["provider"] == "telnyx"
    wrong = post(client, path, {"provider": "vonage"})
    assert (wrong.status_code, wrong.json()["detail"]) == (
        400, "Provider must be 'twilio' or 'telnyx'",
    )  # fmt: skip


def test_reading_is_not_enough_to_verify(organization, sandbox):
    number = bought(organization, "twilio")
    reader = make_client(organization, ["numbers:read"])
    sandbox.clear_requests()

    for action in ("verify", "repair", "restore-webhooks"):
        assert post(reader, f"/phone-numbers/{number}/{action}", {}).status_code == 403
    assert sandbox.requests() == []


# --- The admin ------------------------------------------------------------------------------------

PAGE = "/admin/numbers/phonenumber/"


@pytest.fixture
def browser(db):
    browser = Client()
    browser.force_login(make_user(None, "boss", is_staff=True, is_superuser=True))
    return browser


def act(browser, action: str, *, confirmed: bool):
    chosen = list(PhoneNumber.objects.order_by("pk").values_list("pk", flat=True))
    form = {"action": action, "_selected_action": chosen} | ({"post": "yes"} if confirmed else {})
    return browser.post(PAGE, form, follow=True)


def said(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def test_the_admin_shows_and_filters_verdicts(browser, organization, sandbox):
    good, bad = bought(organization, "twilio"), bought(organization, "telnyx")
    connection_is(sandbox, webhook_event_url=ELSEWHERE)
    act(browser, "verify", confirmed=True)

    everything = browser.get(PAGE).content.decode()
    drifted = browser.get(f"{PAGE}?webhook_verdict__exact=drifted").content.decode()

    assert good.phone_number in everything and bad.phone_number in everything
    assert bad.phone_number in drifted and good.phone_number not in drifted


def test_the_admins_actions_ask_first_and_tell_what_became_of_each(browser, organization, sandbox):
    bought(organization, "twilio"), bought(organization, "telnyx")
    sandbox.alter("+14155551234", voice_url=ELSEWHERE)
    sandbox.clear_requests()

    asked = act(browser, "repair", confirmed=False).content.decode()
    assert "+14155551234" in asked and "+14155555678" in asked
    assert sandbox.requests() == []

    assert sorted(said(act(browser, "verify", confirmed=True))) == [
        f"+14155551234 is drifted. The address for calls is {ELSEWHERE}, "
        "not https://burki.test/twiml.",
        "+14155555678 is verified.",
    ]
    assert sorted(said(act(browser, "repair", confirmed=True))) == [
        "+14155551234 is set as we have it.",
        "+14155555678 is set as we have it.",
    ]
    assert sandbox.owned(provider="twilio")[0]["voice_url"] == "https://burki.test/twiml"
    assert sorted(said(act(browser, "restore", confirmed=True))) == [
        "+14155551234 is set as it was before its last repair.",
        "Nothing was overwritten when +14155555678 was set up or repaired.",
    ]
    assert sandbox.owned(provider="twilio")[0]["voice_url"] == ELSEWHERE
    event = AuditEvent.objects.get(action="number.restored")
    assert (event.actor_label, event.ip) == ("boss@example.com", "127.0.0.1")


def test_staff_without_the_permission_have_no_actions(organization, sandbox):
    bought(organization, "twilio")
    browser = Client()
    browser.force_login(make_user(organization, "owner", is_staff=True))
    sandbox.clear_requests()

    act(browser, "repair", confirmed=True)

    assert sandbox.requests() == []


# --- The command ----------------------------------------------------------------------------------


def reconcile(*arguments: str) -> tuple[list[str], list[str], str]:
    """Lines of output, lines of errors, and why it failed."""
    out, err, failed = StringIO(), StringIO(), ""
    try:
        call_command("reconcile_numbers", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        failed = str(error)
    return out.getvalue().splitlines(), err.getvalue().splitlines(), failed


def test_the_command_repairs_everything_after_a_move_and_then_nothing(
    organization, other_organization, sandbox, settings
):
    numbers = [
        bought(organization, "twilio"),
        bought(organization, "telnyx"),
        bought(organization, "telnyx", "+14155555679"),  # on the same connection
        bought(other_organization, "twilio", "+14155551777"),
    ]
    reconcile()
    settings.PUBLIC_BASE_URL = NEW

    out, err, failed = reconcile("--repair")

    assert (err, failed) == ([], "")
    assert [line for line in out if line.endswith(" repaired")] == [
        "  +14155551234 repaired",
        "  +14155551777 repaired",
        "  +14155555678 repaired",
        "  +14155555679 repaired",
    ]
    assert {n.webhook_verdict for n in PhoneNumber.objects.all()} == {"verified"}
    assert {n["voice_url"] for n in sandbox.owned(provider="twilio")} == {f"{NEW}/twiml"}
    assert AuditEvent.objects.filter(action="number.repaired").count() == 3  # Telnyx's both at once
    assert {e.actor_label for e in AuditEvent.objects.filter(action="number.repaired")} == {
        "reconcile_numbers"
    }
    assert {f.resolution for f in Finding.objects.all()} == {"repaired"}
    assert len(numbers) == 4

    sandbox.clear_requests()
    out, err, failed = reconcile("--repair")

    assert (changes_sent(sandbox), err, failed) == ([], [], "")
    assert [line for line in out if "repaired" in line] == []


def test_a_dry_run_tells_what_would_be_repaired_and_changes_nothing(
    organization, sandbox, settings
):
    bought(organization, "twilio"), bought(organization, "telnyx")
    reconcile()
    sandbox.alter("+14155551234", voice_url=ELSEWHERE)
    settings.PUBLIC_BASE_URL = NEW
    rows, told = list(PhoneNumber.objects.values()), AuditEvent.objects.count()
    sandbox.clear_requests()

    out, err, failed = reconcile("--repair", "--dry-run")

    assert (err, failed) == ([], "")
    assert [line for line in out if "would" in line] == [
        "  +14155551234 would be repaired: sms_url, status_callback",
        "  +14155551234 set by somebody else, would be left alone: "
        f"The address for calls is {ELSEWHERE}, not {NEW}/twiml.",
        "  +14155555678 would be repaired: connection_webhook_url, profile_webhook_url",
    ]
    assert changes_sent(sandbox) == []
    assert (list(PhoneNumber.objects.values()), AuditEvent.objects.count()) == (rows, told)
    assert Finding.objects.count() == 0


def told(out: list[str]) -> list[str]:
    """The lines about numbers."""
    return [line for line in out if line.startswith("  ")]


def test_the_command_leaves_what_somebody_else_set_and_says_so(organization, sandbox):
    bought(organization, "twilio")
    sandbox.alter("+14155551234", voice_url=ELSEWHERE)
    sandbox.clear_requests()
    words = f"The address for calls is {ELSEWHERE}, not https://burki.test/twiml."

    out, err, failed = reconcile("--repair")
    assert told(out)[-1] == (
        f"  +14155551234 set by somebody else, left alone (see --overwrite): {words}"
    )
    assert (changes_sent(sandbox), err, failed) == ([], [], "")

    out, err, failed = reconcile("--repair", "--overwrite", "--dry-run")
    assert told(out)[-1] == f"  +14155551234 set by somebody else, would be overwritten: {words}"
    assert changes_sent(sandbox) == []

    out, err, failed = reconcile("--repair", "--overwrite")
    assert told(out)[-2:] == [
        "  +14155551234 repaired",
        f"  +14155551234 set by somebody else, overwritten: {words}",
    ]
    assert sandbox.owned()[0]["voice_url"] == "https://burki.test/twiml"
    event = AuditEvent.objects.get(action="number.repairing")
    assert event.data["overwritten"] == {"voice_url": ELSEWHERE}


def test_a_named_connection_that_was_proven_ours_moves_too_another_does_not(
    organization, sandbox, settings
):
    bought(organization, "telnyx")
    reconcile()
    profile_is(sandbox, webhook_url=ELSEWHERE)
    settings.PUBLIC_BASE_URL = NEW

    out, _, _ = reconcile("--repair")

    assert told(out)[-1] == (
        "  +14155555678 set by somebody else, left alone (see --overwrite): The address that the "
        f"messaging profile reports to is {ELSEWHERE}, not {NEW}/telnyx-webhook."
    )
    account = sandbox._state.account("KEYacme")
    (profile,) = [p for p in account["messaging_profiles"].values() if p["name"] == "Desk"]
    assert profile["webhook_url"] == ELSEWHERE
    assert PhoneNumber.objects.get().webhook_differences.keys() == {"profile_webhook_url"}


def test_the_command_can_repair_one_organization(
    organization, other_organization, sandbox, settings
):
    bought(organization, "twilio")
    bought(other_organization, "twilio", "+14155551777")
    settings.PUBLIC_BASE_URL = NEW

    reconcile("--repair", "--organization", "globex")

    set_now = {n["phone_number"]: n["voice_url"] for n in sandbox.owned()}
    assert set_now == {
        "+14155551234": "https://burki.test/twiml",
        "+14155551777": f"{NEW}/twiml",
    }


def test_only_numbers_of_ours_are_repaired(organization, sandbox, settings):
    own(sandbox, account_of(organization, "twilio"), voice_url=ELSEWHERE)
    sandbox.clear_requests()

    out, _, failed = reconcile("--repair", "--overwrite")

    assert (changes_sent(sandbox), failed) == ([], "")
    assert [line for line in out if "repaired" in line] == []


def test_a_number_that_cannot_be_repaired_does_not_stop_the_others(organization, sandbox, settings):
    bought(organization, "twilio"), bought(organization, "twilio", "+14155551777")
    settings.PUBLIC_BASE_URL = NEW
    sandbox.add_fault(method="POST", path="/IncomingPhoneNumbers/", status=500)

    out, err, failed = reconcile("--repair")

    assert failed == "Numbers that could not be repaired: 1."
    assert [line.split(":")[0] for line in err] == ["  +14155551234 not repaired"]
    assert "  +14155551777 repaired" in out


def test_an_account_that_wants_no_more_requests_is_left_for_another_time(
    organization, other_organization, sandbox, settings
):
    bought(organization, "twilio"), bought(organization, "twilio", "+14155551777")
    bought(other_organization, "twilio", "+14155551888")
    settings.PUBLIC_BASE_URL = NEW
    sandbox.add_fault(method="POST", path="/IncomingPhoneNumbers/", status=429)
    sandbox.clear_requests()

    out, err, failed = reconcile("--repair")

    assert failed == "Numbers that could not be repaired: 1."
    assert len(changes_sent(sandbox)) == 2  # one refused, and the other account's
    assert "  +14155551888 repaired" in out


def test_overwriting_without_repairing_is_a_mistake(organization, sandbox):
    assert reconcile("--overwrite")[2] == "--overwrite says what --repair may do: give both."
    assert sandbox.requests() == []
