"""The sandbox calls and texts numbers that were bought there, as the providers would."""

import threading
from io import StringIO

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.core.management import CommandError, call_command
from django.db import connection

from burki.errors import InvalidRequest, PermissionDenied
from burki.testing import SYSTEM, make_assistant, make_user
from numbers.exceptions import NumberNotFound, ProviderRefused
from numbers.models import Call, Message, PhoneNumber, WebhookDelivery
from numbers.sandbox import ed25519
from numbers.services.inbound.trying import call_number, text_number
from numbers.tests.inbound import from_telnyx, from_twilio, run_worker, work
from numbers.tests.money import buy
from organizations.actors import Actor


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 1000])
def test_the_sandboxs_signatures_are_ed25519(length):
    seed, message = bytes(range(length % 7, length % 7 + 32)), b"m" * length
    key = Ed25519PrivateKey.from_private_bytes(seed)

    assert ed25519.public_key(seed) == key.public_key().public_bytes_raw()
    assert ed25519.sign(seed, message) == key.sign(message)
    public = Ed25519PublicKey.from_public_bytes(ed25519.public_key(seed))
    public.verify(ed25519.sign(seed, message), message)


@pytest.mark.django_db
@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_what_the_sandbox_signs_is_accepted(organization, sandbox, provider):
    """The request is delivered by hand: nothing listens at the public address here."""
    bought = buy(organization, provider).purchase
    deliver = {
        "twilio": lambda signed: from_twilio_signed(signed),
        "telnyx": lambda signed: from_telnyx(signed.body, headers=signed.headers),
    }[provider]
    application(sandbox, organization)

    call = sandbox.call_request(bought.phone_number)
    text = sandbox.text_request(bought.phone_number, "hello")

    assert deliver(call).status_code == deliver(text).status_code == 200
    assert {d.kind for d in WebhookDelivery.objects.all()} == {"call", "message"}


def application(sandbox, organization, url: str = "https://burki.test/telnyx-webhook") -> None:
    """The accounts of tests have a connection and a profile that nobody has given an address."""
    for kind, field in (
        ("applications", "webhook_event_url"),
        ("messaging_profiles", "webhook_url"),
    ):
        for record in sandbox._state.account(f"KEY{organization.slug}")[kind].values():
            record[field] = url


def from_twilio_signed(signed):
    from urllib.parse import parse_qsl

    form = dict(parse_qsl(signed.body.decode(), keep_blank_values=True))
    return from_twilio(form, signature=signed.headers["X-Twilio-Signature"])


# --- Over real HTTP ------------------------------------------------------------------------------


@pytest.fixture
def line(queue, sandbox, settings, live_server, organization):
    """Buys numbers that the sandbox can call: our server is really there."""
    settings.PUBLIC_BASE_URL = live_server.url
    settings.SANDBOX = True
    settings.CLOCK_SCALE = 1.0
    settings.ALLOW_PRIVATE_WEBHOOKS = True

    def bought(provider: str, **fields) -> PhoneNumber:
        fields = {"sms_webhook_url": f"{sandbox.url}/_sandbox/inbox"} | fields
        assistant = make_assistant(organization, **fields)
        application(sandbox, organization, f"{live_server.url}/telnyx-webhook")
        buy(organization, provider, assistant_id=assistant.pk)
        return PhoneNumber.objects.select_related("organization").get(provider=provider)

    return bought


def with_worker(call):
    """The result of `call`, while a worker for the queue `calls` works off what it causes."""
    result = []

    def run():
        try:
            result.append(call())
        except Exception as error:
            result.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    while thread.is_alive():
        run_worker("calls")
        thread.join(0.05)
    if isinstance(result[0], Exception):
        raise result[0]
    return result[0]


def called(number: PhoneNumber):
    return call_number(actor=SYSTEM, organization=number.organization, number=number)


def test_a_call_to_a_twilio_number_shows_the_twiml(line):
    number = line("twilio", greeting="Acme, good morning.")

    tried = called(number)
    work()

    assert tried.status == 200
    assert "<Say" in tried.answer and "Acme, good morning." in tried.answer
    call = Call.objects.get(call_id=tried.call_id)
    assert (call.number, call.status, call.duration_seconds) == (number, "completed", 7)


def test_a_call_to_a_telnyx_number_shows_the_commands(line):
    number = line("telnyx", greeting="Acme, good morning.")

    tried = with_worker(lambda: called(number))
    work()

    assert [command["action"] for command in tried.commands] == ["answer", "speak", "hangup"]
    assert tried.commands[1]["payload"] == "Acme, good morning."
    call = Call.objects.get(call_id=tried.call_id)
    assert (call.number, call.status) == (number, "completed")


def test_a_call_to_a_telnyx_stream_shows_where_it_goes(line):
    number = line("telnyx", media_stream_url="wss://voice.example.com/s")

    tried = with_worker(lambda: called(number))

    assert [c.get("stream_url") for c in tried.commands] == ["wss://voice.example.com/s"]


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_a_text_reaches_the_assistants_webhook(line, sandbox, provider):
    number = line(provider)

    tried = text_number(
        actor=SYSTEM, organization=number.organization, number=number, text="hello 👋"
    )
    work()

    assert tried.status == 200
    assert [m["data"]["body"] for m in sandbox.taken()] == ["hello 👋"]
    assert Message.objects.get().status == "handed_over"


def test_the_commands_show_what_came_back(line):
    number = line("twilio", media_stream_url="wss://voice.example.com/s")
    out = StringIO()

    call_command("sandbox_call", number.phone_number, stdout=out)
    call_command("sandbox_text", number.phone_number, "hello", stdout=out)

    shown = out.getvalue()
    assert '<Stream url="wss://voice.example.com/s">' in shown
    assert shown.count("/twiml: 200") == 2
    with pytest.raises(CommandError, match=r"Nobody has \+14155550000 here"):
        call_command("sandbox_call", "+14155550000", stdout=out)


# --- Refusals ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_who_may_not_or_where_providers_are_real_nothing_is_called(
    organization, other_organization, sandbox, settings
):
    buy(organization, "twilio")
    number = PhoneNumber.objects.get()
    sandbox.clear_requests()
    settings.SANDBOX = True
    given = {"organization": organization, "number": number}

    with pytest.raises(PermissionDenied):
        call_number(actor=Actor.for_user(make_user(organization, "viewer")), **given)
    with pytest.raises(NumberNotFound):
        call_number(actor=SYSTEM, organization=other_organization, number=number)
    with pytest.raises(InvalidRequest):
        call_number(actor=SYSTEM, from_number="me", **given)
    settings.SANDBOX = False
    with pytest.raises(InvalidRequest, match="Only numbers of the sandbox"):
        call_number(actor=SYSTEM, **given)

    assert WebhookDelivery.objects.count() == 0


@pytest.mark.django_db
def test_a_number_that_nobody_can_reach_is_a_clear_refusal(organization, sandbox, settings):
    settings.SANDBOX = True
    buy(organization, "twilio")
    number = PhoneNumber.objects.get()
    sandbox.disown(number.phone_number)

    with pytest.raises(ProviderRefused, match="Nobody has"):
        call_number(actor=SYSTEM, organization=organization, number=number)
