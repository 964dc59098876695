"""The key that verifies what Telnyx sends: without the right one every call is refused, so no
number is verified without it."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import call_command

from burki.errors import PermissionDenied
from burki.testing import (
    SYSTEM,
    make_assistant,
    make_browser,
    make_client,
    make_organization,
    make_telnyx_account,
    make_user,
    post,
)
from numbers import tasks
from numbers.exceptions import CheckFailed, NotConfigured
from numbers.inventory import compare_account
from numbers.models import Finding, PhoneNumber, WebhookDelivery
from numbers.services.checking import account_warnings, check_account
from numbers.services.proof import verify_number
from numbers.services.repairing import repair_number
from numbers.tests.inbound import call_payload, event_of, from_telnyx, key_of, work
from numbers.tests.inventories import account_of, bought, changes_sent
from organizations.actors import Actor
from organizations.models import AuditEvent, ProviderAccount

LOOK = pytest.mark.parametrize("look", ["verify", "compare", "check"])
NEW = Ed25519PrivateKey.from_private_bytes(b"n" * 32)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("patience")]


def public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


OURS = public(key_of("KEYacme"))


def telnyx_tells(sandbox, key: object, times: int | None = None) -> None:
    body = {"data": {"public": key, "record_type": "public_key"}}
    sandbox.clear_faults()
    sandbox.add_fault(path="/public_key", status=200, body=body, times=times)


def looked_at(number: PhoneNumber, look: str = "verify") -> PhoneNumber:
    """The number, read anew, after a look at it, at its account's numbers, or at its account."""
    number = PhoneNumber.objects.select_related("account", "organization").get(pk=number.pk)
    if look == "check":
        check_account(actor=SYSTEM, account=number.account)
    elif look == "compare":
        compare_account(number.account, actor=SYSTEM, dry_run=False)
    if look != "compare":
        verify_number(actor=SYSTEM, number=PhoneNumber.objects.get(pk=number.pk))
    return PhoneNumber.objects.select_related("account").get(pk=number.pk)


def call(number: PhoneNumber, key: Ed25519PrivateKey) -> int:
    """The status with which a call to the number, signed so, is answered."""
    delivery = f"event-{WebhookDelivery.objects.count()}"
    return from_telnyx(
        event_of("call.initiated", call_payload(number), delivery), key=key
    ).status_code


def told(*actions: str) -> list[AuditEvent]:
    names = [f"provider_account.public_key_{action}" for action in actions]
    return list(AuditEvent.objects.filter(action__in=names).order_by("pk"))


# --- Learned --------------------------------------------------------------------------------------


@pytest.fixture
def keyless(sandbox, db) -> PhoneNumber:
    """A number that was bought while Telnyx did not tell the account's key."""
    organization = make_organization("Keyless", accounts=False)
    make_telnyx_account(organization, public_key="")
    sandbox.add_fault(path="/public_key", status=500)
    number = bought(organization, "telnyx")
    number.assistant = make_assistant(organization, greeting="Hello")
    number.save()
    return number


@LOOK
def test_a_key_that_a_purchase_could_not_learn_is_learned_by_the_next_look(keyless, sandbox, look):
    key = key_of("KEYkeyless")
    assert keyless.account.public_key == ""
    assert call(keyless, key) == 401

    number = looked_at(keyless, look)

    assert (number.account.public_key, number.webhook_verdict) == (public(key), "verified")
    (event,) = told("learned")
    assert event.data == {"public_key": public(key)}
    assert event.organization == number.organization
    assert call(number, key) == 200
    assert "numbers.tasks.command_call" in work()
    assert [command["action"] for command in sandbox.calls()] == ["answer"]


def test_the_job_of_the_purchase_learns_it(keyless, sandbox):
    tasks.verify_numbers(phone_number_ids=[keyless.pk], tries=0)

    assert looked_at(keyless).webhook_verdict == "verified"
    assert call(keyless, key_of("KEYkeyless")) == 200


def test_learning_a_key_is_no_change_of_the_account_by_anybody(keyless, sandbox):
    looked_at(keyless)

    assert account_of(keyless.organization, "telnyx").updated_at == keyless.account.updated_at


@pytest.mark.parametrize(
    ("look", "nonsense"),
    [("verify", ""), ("verify", None), ("verify", ["k"]), ("compare", "A" * 44), ("compare", 7)],
)
def test_what_is_no_key_is_told_and_not_stored(keyless, sandbox, look, nonsense):
    telnyx_tells(sandbox, nonsense)

    number = looked_at(keyless, look)

    assert number.webhook_verdict == "unreachable"
    assert number.webhook_detail.startswith("What Telnyx told as its public key is none")
    assert (number.account.public_key, told("learned", "replaced")) == ("", [])
    assert call(number, key_of("KEYkeyless")) == 401


def test_a_key_that_is_not_told_is_no_proof(keyless, sandbox):
    sandbox.add_fault(path="/public_key", status=500, times=None)

    assert looked_at(keyless).webhook_verdict == "unreachable"
    assert looked_at(keyless, "compare").webhook_verdict == "unreachable"


def test_a_dry_run_learns_nothing(keyless, sandbox):
    report = compare_account(keyless.account, actor=SYSTEM, dry_run=True)

    assert (report.failure, report.findings) == (None, [])
    assert account_of(keyless.organization, "telnyx").public_key == ""


def test_a_key_that_was_entered_meanwhile_is_not_overwritten(keyless, sandbox):
    stale = PhoneNumber.objects.select_related("account", "organization").get(pk=keyless.pk)
    ProviderAccount.objects.update(public_key=public(NEW))

    verify_number(actor=SYSTEM, number=stale)

    assert account_of(keyless.organization, "telnyx").public_key == public(NEW)
    assert told("learned") == []


# --- Compared -------------------------------------------------------------------------------------


@LOOK
def test_another_key_at_telnyx_is_drift_until_it_is_repaired(organization, sandbox, look):
    number = looked_at(bought(organization, "telnyx"))
    telnyx_tells(sandbox, public(NEW))
    assert (number.webhook_verdict, call(number, NEW)) == ("verified", 401)
    sandbox.clear_requests()

    number = looked_at(number, look)

    pair = {"ours": OURS, "theirs": public(NEW)}
    assert (number.webhook_verdict, number.webhook_differences) == ("drifted", {"public_key": pair})
    assert number.webhook_detail == (
        f"Telnyx signs with the key {public(NEW)}, ours is {OURS}: its calls and messages are "
        "refused."
    )
    assert (Finding.objects.open().get().kind, changes_sent(sandbox)) == ("drift", [])
    assert number.account.public_key == OURS  # nothing is repaired by itself

    done = repair_number(actor=SYSTEM, organization=organization, number=number)

    assert (done.agrees, done.overwritten, done.left) == (True, {}, {})
    assert done.number.webhook_verdict == "verified"
    assert (account_of(organization, "telnyx").public_key, changes_sent(sandbox)) == (
        public(NEW),
        [],
    )
    (event,) = told("replaced")
    assert event.data == {"before": OURS, "public_key": public(NEW)}
    assert Finding.objects.open().count() == 0
    assert (call(number, NEW), call(number, key_of("KEYacme"))) == (200, 401)


def test_a_key_that_was_entered_wrongly_is_drift(organization, sandbox):
    number = bought(organization, "telnyx")
    ProviderAccount.objects.filter(provider="telnyx").update(public_key="typed+by+hand=")
    assert call(number, key_of("KEYacme")) == 401

    number = looked_at(number, "compare")

    assert list(number.webhook_differences) == ["public_key"]
    repair_number(actor=SYSTEM, organization=organization, number=number)
    assert call(number, key_of("KEYacme")) == 200


def test_what_is_no_key_replaces_none(organization, sandbox):
    number = bought(organization, "telnyx")
    telnyx_tells(sandbox, "A" * 42 + "==")

    assert looked_at(number).webhook_verdict == "unreachable"
    answer = post(make_client(organization), f"/phone-numbers/{number}/repair", {})

    assert answer.status_code == 500
    assert account_of(organization, "telnyx").public_key == OURS
    assert call(number, key_of("KEYacme")) == 200


def test_a_repair_makes_all_numbers_of_the_account_right(organization, sandbox):
    numbers = [bought(organization, "telnyx", f"+1415555567{n}") for n in range(3)]
    telnyx_tells(sandbox, public(NEW))
    looked_at(numbers[0], "compare")
    assert {n.webhook_verdict for n in PhoneNumber.objects.all()} == {"drifted"}

    call_command("reconcile_numbers", "--repair")

    assert {n.webhook_verdict for n in PhoneNumber.objects.all()} == {"verified"}
    assert len(told("replaced")) == 1
    assert call(numbers[2], NEW) == 200


def test_a_repair_of_one_lets_the_others_be_looked_at(organization, sandbox):
    numbers = [bought(organization, "telnyx", f"+1415555567{n}") for n in range(2)]
    telnyx_tells(sandbox, public(NEW))
    looked_at(numbers[0], "compare")

    repair_number(actor=SYSTEM, organization=organization, number=numbers[0])

    assert "numbers.tasks.compare_account" in work()
    assert {n.webhook_verdict for n in PhoneNumber.objects.all()} == {"verified"}


def test_what_else_differs_is_told_beside_the_key(organization, sandbox):
    number = bought(organization, "telnyx")
    telnyx_tells(sandbox, public(NEW))
    sandbox.alter(number.phone_number, connection_id="9999999999999999999")

    number = looked_at(number, "compare")

    assert set(number.webhook_differences) == {"connection_id", "public_key"}
    done = repair_number(actor=SYSTEM, organization=organization, number=number, overwrite=False)
    assert (list(done.left), list(done.differences)) == (["connection_id"], ["connection_id"])
    assert account_of(organization, "telnyx").public_key == public(NEW)


def test_a_comparison_asks_for_the_key_once_however_many_numbers_there_are(organization, sandbox):
    for n in range(3):
        bought(organization, "telnyx", f"+1415555567{n}")
        sandbox.clear_requests()
        compare_account(account_of(organization, "telnyx"), actor=SYSTEM, dry_run=False)
        paths = sorted(request.path.removeprefix("/v2") for request in sandbox.requests())
        assert paths == [
            "/call_control_applications", "/messaging_profiles", "/phone_numbers", "/public_key",
        ]  # fmt: skip


def test_twilio_is_asked_for_no_key(organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.clear_requests()

    looked_at(number), looked_at(number, "compare")

    assert len(sandbox.requests()) == 2


# --- Told -----------------------------------------------------------------------------------------


def test_a_diagnosis_names_the_key_and_changes_nothing(organization, sandbox):
    number = bought(organization, "telnyx")
    number.assistant = make_assistant(organization, sms_webhook_url="https://desk.example/sms")
    number.save()
    client = make_client(organization)
    path = f"/phone-numbers/{number}/diagnose"
    assert client.get(path).json()["diagnosis"]["verdict"]["ok"] is True

    for ours in (OURS, ""):
        ProviderAccount.objects.filter(provider="telnyx").update(public_key=ours)
        telnyx_tells(sandbox, public(NEW))

        (problem,) = client.get(path).json()["diagnosis"]["verdict"]["problems"]

        assert (problem["is"], problem["should_be"]) == (ours or None, public(NEW))
        assert problem["what"].endswith("its calls and messages are refused.")
        assert account_of(organization, "telnyx").public_key == ours


def test_a_check_of_the_account_names_the_key_until_it_is_right(organization, sandbox):
    account = account_of(organization, "telnyx")
    telnyx_tells(sandbox, public(NEW))

    account = check_account(actor=SYSTEM, account=account)

    seen = account.last_check["public_key"]
    assert (account.last_check["ok"], seen["id"], seen["usable"]) == (False, OURS, False)
    assert account_warnings(account) == [seen["problem"]]
    assert seen["problem"].startswith(f"Telnyx signs with the key {public(NEW)}, ours is {OURS}")
    account.public_key = public(NEW)
    assert account_warnings(account) == []
    account.save()
    assert check_account(actor=SYSTEM, account=account).last_check["ok"] is True


def test_a_check_says_of_nonsense_that_it_is_no_key(organization, sandbox):
    telnyx_tells(sandbox, "nonsense")

    account = check_account(actor=SYSTEM, account=account_of(organization, "telnyx"))

    (warning,) = account_warnings(account)
    assert warning.startswith("What Telnyx told as its public key is none: it was not stored.")
    assert account.public_key == OURS


def test_a_check_without_an_answer_about_the_key_keeps_the_last_result(organization, sandbox):
    sandbox.add_fault(path="/public_key", status=500)

    with pytest.raises(CheckFailed):
        check_account(actor=SYSTEM, account=account_of(organization, "telnyx"))

    assert account_of(organization, "telnyx").last_check == {}


def test_no_secret_is_told_with_the_key(organization, sandbox):
    number = bought(organization, "telnyx")
    secret = number.account.secret
    telnyx_tells(sandbox, public(NEW))
    repair_number(actor=SYSTEM, organization=organization, number=looked_at(number))

    events = str(list(AuditEvent.objects.values_list("data", flat=True)))
    assert public(NEW) in events and secret not in events


# --- The platform's account -----------------------------------------------------------------------


@pytest.fixture
def guest(settings, sandbox, db) -> PhoneNumber:
    """A number of an organization in the platform's account."""
    settings.TELNYX_API_KEY = "KEYplatform.first-0123456789abcd"
    return bought(make_organization("Guest", accounts=False), "telnyx")


@pytest.mark.parametrize("look", ["verify", "compare"])
def test_the_environments_key_is_compared_and_never_replaced(guest, settings, sandbox, look):
    settings.TELNYX_PUBLIC_KEY = public(key_of("KEYplatform"))
    ProviderAccount.objects.update(public_key="")
    assert looked_at(guest, look).webhook_verdict == "verified"
    settings.TELNYX_PUBLIC_KEY = public(NEW)

    number = looked_at(guest, look)

    pair = {"ours": public(NEW), "theirs": public(key_of("KEYplatform"))}
    assert number.webhook_differences == {"public_key": pair}
    with pytest.raises(NotConfigured) as error:
        repair_number(actor=SYSTEM, organization=number.organization, number=number)
    assert "TELNYX_PUBLIC_KEY in the environment" in error.value.detail
    assert pair["theirs"] in error.value.hint
    assert (number.account.public_key, told("replaced")) == ("", [])
    settings.TELNYX_PUBLIC_KEY = pair["theirs"]
    assert looked_at(number, look).webhook_verdict == "verified"
    assert call(number, key_of("KEYplatform")) == 200


def test_only_the_operator_replaces_a_key_that_the_platform_shares(guest, sandbox):
    assert guest.account.public_key == public(key_of("KEYplatform"))
    telnyx_tells(sandbox, public(NEW))
    owner = Actor.for_user(make_user(guest.organization, "owner"))
    boss = Actor.for_user(make_user(None, "boss", is_superuser=True))

    with pytest.raises(PermissionDenied, match="only the platform's operator"):
        repair_number(actor=owner, organization=guest.organization, number=guest)
    assert ProviderAccount.objects.get().public_key == public(key_of("KEYplatform"))

    assert repair_number(actor=boss, organization=guest.organization, number=guest).agrees
    assert ProviderAccount.objects.get().public_key == public(NEW)


def test_the_page_shows_our_copy_as_what_follows(organization, sandbox):
    number = bought(organization, "telnyx")
    telnyx_tells(sandbox, public(NEW))
    looked_at(number)

    page = make_browser(organization, "owner").get(f"/numbers/{number.pk}/repair")

    (setting,) = page.context["settings"]
    assert (setting.has, setting.should_be, setting.foreign) == (OURS, public(NEW), False)
    assert setting.name == "Our copy of the key that Telnyx signs with"
