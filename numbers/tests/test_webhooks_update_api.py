"""Sending a number's calls elsewhere or back to us, and its messages on or off: that number's
alone, and so that comparisons and repairs respect it."""

import threading
import time

import pytest

from burki.testing import (
    CONNECTION,
    PROFILE,
    SYSTEM,
    in_threads,
    make_assistant,
    make_client,
)
from numbers.models import Finding, PhoneNumber
from numbers.services.repairing import repair_number
from numbers.services.webhooks import update_webhooks
from numbers.tests.inventories import account_of, bought, changes_sent, compared, own
from numbers.tests.sdk import parsed
from organizations.models import AuditEvent

PROVIDERS = ("twilio", "telnyx")
PATH = "/api/v1/phone-numbers/webhooks"
TWIML = "https://burki.test/twiml"
TELNYX = "https://burki.test/telnyx-webhook"
OURS = {"twilio": TWIML, "telnyx": TELNYX}
DEMO = "https://demo.twilio.com/welcome/sms/reply"
THEIRS = "https://customer.example/calls/twiml?key=a%2Bb"
OTHER = "https://customer.example/other"


@pytest.fixture
def answering(organization):
    return make_assistant(organization, "Texter", sms_webhook_url="https://customer.example/sms")


def owned_by(organization, provider, assistant=None, number=""):
    row = bought(organization, provider, number)
    PhoneNumber.objects.filter(pk=row.pk).update(assistant=assistant)
    row.refresh_from_db()
    return row


def put(client, number, **body):
    return client.put(PATH, {"phone_number": str(number)} | body, format="json")


def there(sandbox, number):
    """The number as its provider has it."""
    (row,) = [row for row in sandbox.owned() if row["phone_number"] == str(number)]
    return row


def webhooks_of(client, number):
    answer = client.get(f"/phone-numbers/{number}/webhooks").json()
    return answer["voice_webhook_url"], answer["sms_webhook_url"]


def drift(organization, provider):
    return [f for f in compared(account_of(organization, provider)).findings if f.kind == "drift"]


pytestmark = pytest.mark.django_db


# --- An address of the customer's own for calls ---------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
def test_calls_go_to_the_address_exactly_as_it_was_given(client, organization, sandbox, provider):
    number = owned_by(organization, provider)

    response = put(client, number, voice_webhook_url=THEIRS)

    answer = response.json()
    assert answer == {
        "success": True,
        "phone_number": str(number),
        "provider": provider,
        "updated_webhooks": {"voice": THEIRS},
        "message": f"Successfully updated 1 webhook(s) for {number} via {provider}",
    }
    assert parsed("UpdateWebhookResponse", answer).updated_webhooks == {"voice": THEIRS}
    assert webhooks_of(client, number)[0] == THEIRS
    number.refresh_from_db()
    assert number.voice_webhook_url == THEIRS


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_comparison_finds_nothing_wrong_and_a_repair_restores_the_choice(
    client, organization, sandbox, provider
):
    number = owned_by(organization, provider)
    put(client, number, voice_webhook_url=THEIRS, disable_sms=True)
    assert drift(organization, provider) == []

    sandbox.alter(
        number.phone_number,
        **(
            {"voice_url": TWIML, "sms_url": TWIML}
            if provider == "twilio"
            else {"connection_id": CONNECTION, "messaging_profile_id": PROFILE}
        ),
    )
    (found,) = drift(organization, provider)
    assert len(found.details) == 2
    number.refresh_from_db()
    assert repair_number(actor=SYSTEM, organization=organization, number=number).agrees

    assert webhooks_of(client, number) == (THEIRS, DEMO if provider == "twilio" else None)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_diagnosis_says_where_calls_go(client, organization, sandbox, provider):
    number = owned_by(organization, provider)
    put(client, number, voice_webhook_url=THEIRS, disable_sms=True)

    verdict = client.get(f"/phone-numbers/{number}/diagnose").json()["diagnosis"]["verdict"]

    assert verdict["ok"], verdict
    assert verdict["notes"] == [
        "Calls go to the address that was chosen with PUT /phone-numbers/webhooks, not to the "
        "assistant.",
        "Messages are switched off for this number.",
    ]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_our_own_address_brings_the_calls_back(client, organization, sandbox, provider):
    number = owned_by(organization, provider)
    before = there(sandbox, number)
    put(client, number, voice_webhook_url=THEIRS)

    assert put(client, number, voice_webhook_url=OURS[provider]).status_code == 200

    assert webhooks_of(client, number)[0] == OURS[provider]
    after = there(sandbox, number)
    for name in ("voice_url", "sms_url", "connection_id", "messaging_profile_id"):
        assert after.get(name) == before.get(name)
    number.refresh_from_db()
    assert number.voice_webhook_url == ""
    assert drift(organization, provider) == []


def test_what_would_make_twilio_ignore_the_address_is_taken_away(client, organization, sandbox):
    number = owned_by(organization, "twilio")
    sandbox.alter(
        str(number),
        trunk_sid="TK" + "1" * 32,
        voice_method="GET",
        sms_application_sid="AP" + "2" * 32,
    )

    put(client, number, voice_webhook_url=THEIRS)

    now = there(sandbox, number)
    assert (now["trunk_sid"], now["voice_method"], now["voice_url"]) == ("", "POST", THEIRS)
    assert now["sms_application_sid"] == "AP" + "2" * 32
    assert now["status_callback"] == number.status_callback
    told = AuditEvent.objects.get(action="number.webhooks_changing")
    assert told.data["before"]["trunk_sid"] == "TK" + "1" * 32


def test_a_telnyx_number_gets_a_connection_that_no_other_number_uses(client, organization, sandbox):
    first = owned_by(organization, "telnyx", number="+14155555601")
    second = owned_by(organization, "telnyx", number="+14155555602")

    put(client, first, voice_webhook_url=THEIRS)

    assert webhooks_of(client, second) == (TELNYX, TELNYX)
    assert there(sandbox, second)["connection_id"] == CONNECTION
    own = there(sandbox, first)["connection_id"]
    assert own != CONNECTION
    changed = [r.path for r in changes_sent(sandbox) if CONNECTION in r.path]
    assert not [path for path in changed if path.endswith(f"/{CONNECTION}") and THEIRS in path]

    put(client, second, voice_webhook_url=OTHER)
    assert there(sandbox, second)["connection_id"] not in (own, CONNECTION)
    assert webhooks_of(client, first)[0] == THEIRS
    assert webhooks_of(client, second)[0] == OTHER


def test_a_second_address_uses_the_same_connection_again(client, organization, sandbox):
    number = owned_by(organization, "telnyx")
    put(client, number, voice_webhook_url=THEIRS)
    own = there(sandbox, number)["connection_id"]

    put(client, number, voice_webhook_url=OTHER)

    assert there(sandbox, number)["connection_id"] == own
    assert webhooks_of(client, number)[0] == OTHER


# --- Messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "told", "sms"),
    [("twilio", "disabled (demo URL)", DEMO), ("telnyx", "disabled (empty URL)", None)],
)
def test_messages_are_switched_off_and_on_again(
    client, organization, answering, sandbox, provider, told, sms
):
    number = owned_by(organization, provider, answering)

    answer = put(client, number, disable_sms=True).json()
    assert answer["updated_webhooks"] == {"sms": told}
    assert webhooks_of(client, number) == (OURS[provider], sms)
    number.refresh_from_db()
    assert number.sms_disabled
    assert client.get(f"/phone-numbers/{number}").json()["sms_enabled"] is False

    answer = put(client, number, enable_sms=True, provider=provider).json()
    assert answer["updated_webhooks"] == {"sms": f"enabled ({OURS[provider]})"}
    assert webhooks_of(client, number) == (OURS[provider], OURS[provider])
    assert drift(organization, provider) == []
    number.refresh_from_db()
    assert not number.sms_disabled


def test_the_shared_profile_and_other_numbers_are_left_alone(client, organization, sandbox):
    first = owned_by(organization, "telnyx", number="+14155555601")
    second = owned_by(organization, "telnyx", number="+14155555602")
    sandbox.clear_requests()

    put(client, first, disable_sms=True)

    (sent,) = changes_sent(sandbox)
    assert (sent.method, sent.path, sent.body) == (
        "PATCH",
        f"/v2/phone_numbers/{first.provider_number_id}/messaging",
        {"messaging_profile_id": ""},
    )
    assert webhooks_of(client, second) == (TELNYX, TELNYX)


def test_both_at_once(client, organization, answering, sandbox):
    number = owned_by(organization, "twilio", answering)

    answer = put(client, number, voice_webhook_url=THEIRS, enable_sms=True).json()

    assert answer["message"] == f"Successfully updated 2 webhook(s) for {number} via twilio"
    assert set(answer["updated_webhooks"]) == {"voice", "sms"}
    assert webhooks_of(client, number) == (THEIRS, TWIML)


# --- What is refused, in this order, and nothing is sent ------------------------------------------


NO_ACTION = "At least one action required: voice_webhook_url, disable_sms=true, or enable_sms=true"
BOTH = "Cannot set both disable_sms and enable_sms to true"
E164 = "Phone number must be in E.164 format (e.g., +1234567890)"
PROVIDER = "Provider must be 'twilio' or 'telnyx'"
URL = "voice_webhook_url must be an http or https address of at most 500 characters"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, NO_ACTION),
        ({"provider": "vonage"}, NO_ACTION),
        ({"phone_number": "abc"}, NO_ACTION),
        ({"voice_webhook_url": None, "disable_sms": None, "enable_sms": False}, NO_ACTION),
        ({"voice_webhook_url": ""}, NO_ACTION),
        ({"disable_sms": True, "enable_sms": True, "phone_number": "abc"}, BOTH),
        ({"disable_sms": True, "phone_number": "abc", "provider": "vonage"}, E164),
        ({"disable_sms": True, "phone_number": "+1415555\0"}, E164),
        ({"disable_sms": True, "phone_number": 14155551234}, E164),
        ({"disable_sms": True, "phone_number": None}, E164),
        ({"disable_sms": True, "provider": "vonage"}, PROVIDER),
        ({"disable_sms": True, "provider": 1}, PROVIDER),
        ({"disable_sms": True, "provider": "telnyx"}, "Phone number +14155551234 is at twilio"),
        ({"disable_sms": "yes"}, "must be true or false"),
        ({"voice_webhook_url": "ftp://a.example"}, URL),
        ({"voice_webhook_url": "a.example/x"}, URL),
        ({"voice_webhook_url": "https://a.example/" + "x" * 500}, URL),
        ({"voice_webhook_url": "https://a.example/\0"}, URL),
        ({"voice_webhook_url": 5}, URL),
        ({"voice_webhook_url": TELNYX}, f"Our own address for calls at twilio is {TWIML}"),
        ({"enable_sms": True}, "Phone number +14155551234 is not assigned to any assistant. Assign "
         "it to an assistant with sms_webhook_url configured first."),
    ],
    ids=str,
)  # fmt: skip
def test_a_request_that_makes_no_sense(client, organization, sandbox, body, sentence):
    number = owned_by(organization, "twilio")
    sandbox.clear_requests()
    events = AuditEvent.objects.count()

    response = put(client, number, **body)

    assert (response.status_code, response.json()["detail"]) == (400, sentence)
    assert sandbox.requests() == []
    assert AuditEvent.objects.count() == events


def test_an_address_with_a_password_is_refused_and_not_repeated(client, organization, sandbox):
    number = owned_by(organization, "twilio")
    sandbox.clear_requests()

    response = put(client, number, voice_webhook_url="https://user:hunter2@a.example/")

    assert response.status_code == 400
    assert "hunter2" not in response.content.decode()
    assert sandbox.requests() == []


def test_messages_need_an_assistant_with_an_address_and_a_number_that_can(
    client, organization, assistant, answering, sandbox
):
    number = owned_by(organization, "twilio", assistant)
    sandbox.clear_requests()

    response = put(client, number, enable_sms=True)
    assert (response.status_code, response.json()["detail"]) == (
        400,
        "Assistant 'Support' does not have sms_webhook_url configured. Configure it first.",
    )

    PhoneNumber.objects.update(assistant=answering, capabilities={"voice": True, "sms": False})
    for body in ({"enable_sms": True}, {"disable_sms": True}):
        response = put(client, number, **body)
        assert (response.status_code, response.json()["detail"]) == (
            400,
            f"Phone number {number} cannot send or receive messages.",
        )
    assert sandbox.requests() == []


def test_nobody_elses_number_before_anything_else(
    client, organization, other_organization, sandbox
):
    number = owned_by(organization, "twilio")
    sandbox.clear_requests()
    stranger = make_client(other_organization)

    for body in ({}, {"disable_sms": True}, {"disable_sms": True, "enable_sms": True}):
        response = put(stranger, number, **body)
        assert (response.status_code, response.json()["detail"]) == (
            404,
            f"Phone number {number} not found in database",
        )
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("status", "why"), [("pending", "is not active yet"), ("releasing", "is being released")]
)
def test_a_number_that_is_not_in_service(client, organization, sandbox, status, why):
    number = owned_by(organization, "twilio")
    PhoneNumber.objects.update(status=status)
    sandbox.clear_requests()

    response = put(client, number, disable_sms=True)

    assert (response.status_code, response.json()["code"]) == (409, "number_conflict")
    assert response.json()["detail"] == f"Phone number {number} {why}."
    assert sandbox.requests() == []


# --- When the provider fails ----------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 401}, "invalid_credentials"),
        ({"status": 404}, "provider_error"),
        ({"status": 429}, "rate_limited"),
        ({"status": 500}, "provider_unreachable"),
        ({"action": "drop"}, "provider_unreachable"),
        ({"action": "garbage"}, "provider_unreachable"),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["GET", "(POST|PATCH)"])
def test_a_failure_is_told_and_nothing_is_written(
    client, organization, sandbox, provider, fault, code, method
):
    number = owned_by(organization, provider)
    before = PhoneNumber.objects.values().get(pk=number.pk)
    for one in ("POST", "PATCH") if method != "GET" else ("GET",):
        sandbox.add_fault(method=one, path="umber|call_control", times=None, **fault)

    response = put(client, number, voice_webhook_url=THEIRS, disable_sms=True)

    assert (response.status_code, response.json()["code"]) == (500, code)
    assert response.json()["detail"] == f"Failed to update webhooks for {number} via {provider}"
    assert PhoneNumber.objects.values().get(pk=number.pk) == before
    sandbox.clear_faults()
    assert webhooks_of(client, number) == (OURS[provider], OURS[provider])


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_answer_that_was_lost_is_looked_for(client, organization, sandbox, provider):
    number = owned_by(organization, provider)
    method = "POST" if provider == "twilio" else "PATCH"
    sandbox.add_fault(method=method, path="umber", action="drop", apply=True)

    assert put(client, number, disable_sms=True).status_code == 200

    number.refresh_from_db()
    assert number.sms_disabled and drift(organization, provider) == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_number_that_the_provider_does_not_have(client, organization, sandbox, provider):
    number = owned_by(organization, provider)
    sandbox.disown(str(number))
    sandbox.clear_requests()

    response = put(client, number, disable_sms=True)

    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert changes_sent(sandbox) == []


def test_another_number_by_the_same_name_is_not_touched(client, organization, sandbox):
    """Given back and taken again elsewhere: it has another id, and is not the row's."""
    number = owned_by(organization, "twilio")
    sandbox.disown(str(number))
    own(sandbox, number.account, str(number))
    sandbox.clear_requests()

    assert put(client, number, disable_sms=True).status_code == 404
    assert changes_sent(sandbox) == []


def test_numbers_are_managed_through_the_account_that_bought_them(client, organization, sandbox):
    number = owned_by(organization, "twilio")
    account = number.account
    account.is_default = False
    account.save()
    organization.provider_accounts.create(
        provider="twilio", account_sid="AC" + "9" * 32, is_default=True
    )
    sandbox.clear_requests()

    assert put(client, number, disable_sms=True).status_code == 200
    assert {r.account for r in sandbox.requests()} == {account.account_sid}


def test_who_did_it_and_what_was_before_is_in_the_audit(client, organization, sandbox):
    number = owned_by(organization, "twilio")

    put(client, number, voice_webhook_url=THEIRS)

    before = AuditEvent.objects.get(action="number.webhooks_changing")
    after = AuditEvent.objects.get(action="number.webhooks_changed")
    assert before.data["before"]["voice_url"] == TWIML
    assert after.data == {"voice_webhook_url": THEIRS, "voice_url": THEIRS}
    assert (after.actor_kind, after.object_id) == ("api_key", str(number.pk))


# --- Two at the same moment -----------------------------------------------------------------------


def change(organization, number, url):
    return lambda: update_webhooks(
        actor=SYSTEM,
        organization=organization,
        phone_number=str(number),
        voice_webhook_url=url,
        disable_sms=False,
        enable_sms=False,
        provider=None,
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_whoever_is_last_at_the_provider_is_what_the_row_says(organization, sandbox, provider):
    number = owned_by(organization, provider)

    for _ in range(3):
        done = in_threads(
            *(change(organization, number, f"https://a.example/{n}") for n in range(4))
        )
        client = make_client(organization)
        number.refresh_from_db()
        assert webhooks_of(client, number)[0] == number.voice_webhook_url
        won = [one for one in done if not isinstance(one, Exception)]
        assert won and {type(one).__name__ for one in done} <= {
            "WebhooksUpdated",
            "NumberConflict",
        }


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("fault", "wins"),
    [
        # Set at the provider before the other's change, and answered after it.
        ({"status": 200, "body": {}, "apply": True, "delay": 6}, "second"),
        # Begun before the other's change, and set at the provider after it.
        ({"delay": 6}, "first"),
    ],
    ids=["answered late", "set late"],
)
@pytest.mark.parametrize("before", ["", "https://a.example/second"])
def test_the_row_follows_the_provider_whoever_was_first(organization, sandbox, fault, wins, before):
    """Also when the second writes what was there before."""
    number = owned_by(organization, "twilio")
    if before:
        change(organization, number, before)()
    sandbox.add_fault(method="POST", path="umber", **fault)

    def second():
        time.sleep(0.1)
        return change(organization, number, "https://a.example/second")()

    first, later = in_threads(change(organization, number, "https://a.example/first"), second)

    assert type(later).__name__ == "WebhooksUpdated"
    assert type(first).__name__ == ("WebhooksUpdated" if wins == "first" else "NumberConflict")
    number.refresh_from_db()
    assert number.voice_webhook_url == f"https://a.example/{wins}"
    assert there(sandbox, number)["voice_url"] == number.voice_url == number.voice_webhook_url


@pytest.mark.django_db(transaction=True)
def test_a_number_that_is_released_meanwhile_is_left_released(organization, sandbox):
    number = owned_by(organization, "twilio")
    sandbox.add_fault(method="POST", path="umber", delay=5)
    release = threading.Timer(
        0.1, lambda: PhoneNumber.objects.filter(pk=number.pk).update(status="releasing")
    )
    release.start()

    (done,) = in_threads(change(organization, number, THEIRS))

    release.join()
    assert type(done).__name__ == "NumberConflict"
    number.refresh_from_db()
    assert (number.status, number.voice_webhook_url) == ("releasing", "")
    assert Finding.objects.count() == 0
