"""Handing a text message to its assistant's webhook: signed, tried again, every try on record."""

import base64
import hashlib
import hmac
import json
import socket
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from burki import outgoing
from burki.errors import PermissionDenied
from burki.testing import SYSTEM, make_assistant, make_client, make_user
from numbers import tasks
from numbers.models import HandoverAttempt, Message, SigningSecret, WebhookDelivery
from numbers.services.inbound.signing import rotate_signing_secret, signing_secrets
from numbers.tests.inbound import (
    CALLER,
    event_of,
    from_telnyx,
    from_twilio,
    owned,
    text_form,
    text_payload,
    work,
)
from organizations.actors import Actor
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db


class Customer(ThreadingHTTPServer):
    """A customer's webhook: keeps what it gets, answers with `status`."""

    daemon_threads = True

    def __init__(self):
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), _Answering)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/sms?key=customers-own-secret"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()


class _Answering(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.got.append((headers | {":path": self.path}, body))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def customer(settings):
    settings.ALLOW_PRIVATE_WEBHOOKS = True
    server = Customer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def desk(organization, customer):
    assistant = make_assistant(organization, sms_webhook_url=customer.url)
    return owned(organization, "twilio", assistant=assistant)


def is_signed(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """As the Standard Webhooks specification has it, by hand."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    made = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return f"v1,{made}" in headers["webhook-signature"].split(" ")


def test_a_message_from_twilio_arrives_signed_in_the_known_shape(desk, customer):
    form = text_form(
        desk, Body="Grüße,\nwhen?", NumMedia="2", MediaUrl0="https://a.test/0",
        MediaUrl1="https://a.test/1",
    )  # fmt: skip
    from_twilio(form)

    assert work() == ["numbers.tasks.process_delivery", "numbers.tasks.hand_over_message"]

    ((headers, body),) = customer.got
    received = WebhookDelivery.objects.get().received_at
    assert json.loads(body) == {
        "type": "sms_received",
        "timestamp": received.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "data": {
            "message_id": "SM" + "1" * 32,
            "from": CALLER,
            "to": desk.phone_number,
            "body": "Grüße,\nwhen?",
            "media_urls": ["https://a.test/0", "https://a.test/1"],
            "provider": "twilio",
        },
    }
    assert headers[":path"] == "/sms?key=customers-own-secret"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == "Burki-SMS-Webhook/1.0"
    message = Message.objects.get()
    assert headers["webhook-id"] == f"msg_{message.pk}"
    assert is_signed(headers, body, signing_secrets(desk.assistant)[0])
    assert (message.status, message.handed_over_at is not None) == ("handed_over", True)
    attempt = HandoverAttempt.objects.get()
    assert (attempt.host, attempt.status_code, attempt.error) == ("127.0.0.1", 200, "")


def test_a_message_from_telnyx_arrives_in_the_same_shape(organization, customer):
    assistant = make_assistant(organization, sms_webhook_url=customer.url)
    number = owned(organization, "telnyx", assistant=assistant)
    payload = text_payload(number, media=[{"url": "https://a.test/0", "size": 1}, "junk", {}])
    from_telnyx(event_of("message.received", payload))
    work()

    data = json.loads(customer.got[0][1])["data"]
    assert data == {
        "message_id": "7ee4241c-f127-47e5-9c34-3aac291f8058",
        "from": CALLER,
        "to": number.phone_number,
        "body": "hello",
        "media_urls": ["https://a.test/0"],
        "provider": "telnyx",
    }


@pytest.mark.parametrize("status", [500, 404, 302, 199 + 105])
def test_anything_but_a_2xx_is_tried_again_later(desk, customer, status):
    customer.status = status
    from_twilio(text_form(desk))
    began = timezone.now()

    work(most=2)

    again = ProcrastinateJob.objects.filter(task_name="numbers.tasks.hand_over_message").latest(
        "id"
    )
    assert again.scheduled_at > began
    assert Message.objects.get().status == "received"
    assert HandoverAttempt.objects.get().status_code == status
    assert len(customer.got) == 1  # a redirect is not followed


def test_after_eight_tries_it_is_given_up(desk, customer):
    customer.status = 503
    from_twilio(text_form(desk))

    work()

    assert len(customer.got) == HandoverAttempt.objects.count() == 8
    assert Message.objects.get().status == "failed"
    first, last = customer.got[0], customer.got[-1]
    assert first[1] == last[1]
    assert first[0]["webhook-id"] == last[0]["webhook-id"]


def test_a_webhook_that_recovers_gets_the_message_once(desk, customer):
    customer.status = 500
    from_twilio(text_form(desk))
    work(most=3)
    customer.status = 204
    work()
    message = Message.objects.get()

    tasks.hand_over_message(message_id=message.pk)

    assert [a.status_code for a in message.attempts.all()] == [500, 500, 204]
    assert message.status == "handed_over"


def test_nobody_there_is_an_attempt_as_well(desk, customer):
    desk.assistant.sms_webhook_url = "http://127.0.0.1:9/sms"
    desk.assistant.save()
    from_twilio(text_form(desk))
    work(most=2)

    attempt = HandoverAttempt.objects.get()
    assert (attempt.status_code, attempt.error) == (None, "ConnectionRefusedError at 127.0.0.1.")


def test_private_addresses_get_nothing(desk, customer, settings):
    desk.assistant.sms_webhook_url = customer.url.replace("http://", "https://")
    desk.assistant.save()
    settings.ALLOW_PRIVATE_WEBHOOKS = False
    from_twilio(text_form(desk))
    work()

    assert customer.got == []
    assert HandoverAttempt.objects.get().error == "127.0.0.1 is not a public address."


@pytest.mark.parametrize("url", ["http://acme.example/sms", "https://169.254.169.254/latest"])
def test_an_address_that_is_never_sent_anything_is_given_up_at_once(desk, settings, url):
    settings.ALLOW_PRIVATE_WEBHOOKS = False
    type(desk.assistant).objects.update(sms_webhook_url=url)  # from before it was refused
    from_twilio(text_form(desk))

    assert work() == ["numbers.tasks.process_delivery", "numbers.tasks.hand_over_message"]
    assert Message.objects.get().status == "failed"
    assert HandoverAttempt.objects.count() == 1


def test_a_name_that_leads_nowhere_yet_is_tried_again(desk, settings, monkeypatch):
    """Names are put right within hours; that is what the tries are for."""
    settings.ALLOW_PRIVATE_WEBHOOKS = False
    private = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(outgoing.socket, "getaddrinfo", lambda *args, **kwargs: private)
    type(desk.assistant).objects.update(sms_webhook_url="https://acme.example/sms")
    from_twilio(text_form(desk))

    work(most=2)

    assert HandoverAttempt.objects.get().error == "acme.example is not a public address."
    assert Message.objects.get().status == "received"


def test_a_webhook_that_was_taken_away_meanwhile_gets_nothing(desk, customer):
    from_twilio(text_form(desk))
    work(most=1)
    desk.assistant.sms_webhook_url = ""
    desk.assistant.save()
    work()

    assert (customer.got, Message.objects.get().status) == ([], "unhandled")


def test_no_attempt_keeps_the_rest_of_the_address(desk, customer):
    from_twilio(text_form(desk))
    work()

    assert "customers-own-secret" not in str(HandoverAttempt.objects.values())


# --- The secret ----------------------------------------------------------------------------------


def test_the_secret_is_made_once_and_stored_encrypted(organization):
    assistant = make_assistant(organization)

    (first,) = signing_secrets(assistant)
    (again,) = signing_secrets(assistant)

    assert first == again
    assert first.startswith("whsec_") and len(base64.b64decode(first[6:])) == 32
    assert first not in str(SigningSecret.objects.values())


def test_after_a_rotation_both_secrets_sign_for_a_day(desk, customer):
    (old,) = signing_secrets(desk.assistant)
    new = rotate_signing_secret(actor=SYSTEM, assistant=desk.assistant)
    from_twilio(text_form(desk))
    work()

    ((headers, body),) = customer.got
    assert is_signed(headers, body, old) and is_signed(headers, body, new)

    SigningSecret.objects.update(rotated_at=timezone.now() - timedelta(days=1, seconds=1))
    assert signing_secrets(desk.assistant) == [new]


def test_a_rotation_needs_the_right_and_is_audited_without_the_secret(organization):
    assistant = make_assistant(organization)
    viewer = Actor.for_user(make_user(organization, "viewer"))
    with pytest.raises(PermissionDenied):
        rotate_signing_secret(actor=viewer, assistant=assistant)
    assert SigningSecret.objects.count() == 0

    secret = rotate_signing_secret(actor=SYSTEM, assistant=assistant)

    event = AuditEvent.objects.get(action="assistant.signing_secret_rotated")
    assert event.data == {"secret": f"…{secret[-4:]}"}


def test_the_request_that_rotates_shows_the_secret(client, organization, other_organization):
    assistant = make_assistant(organization)
    path = f"/api/v1/assistants/{assistant.pk}/signing-secret"

    answer = client.post(path)

    assert (answer.status_code, list(answer.json())) == (200, ["secret"])
    assert signing_secrets(assistant) == [answer.json()["secret"]]
    assert make_client(other_organization).post(path).status_code == 404
    assert make_client(organization, ["assistants:read"]).post(path).status_code == 403
    assert client.get(path).status_code == 405
