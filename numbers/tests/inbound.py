"""Calls and messages for tests: numbers that can be called, and requests signed as the providers
sign them, with their own packages rather than with ours or the sandbox's."""

import base64
import hashlib
import json
import time
from collections import Counter
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from twilio.request_validator import RequestValidator

from burki import metrics
from burki.management.commands.run_worker import with_job_id
from burki.testing import TELNYX_NUMBER, TWILIO_NUMBER, TWILIO_TOKEN
from numbers.models import PhoneNumber
from organizations.models import Organization, ProviderAccount

BASE = "https://burki.test"
CALLER = "+12025550123"
NUMBERS = {"twilio": TWILIO_NUMBER, "telnyx": TELNYX_NUMBER}


def owned(organization: Organization, provider: str, **over: Any) -> PhoneNumber:
    """An active number of the organization's own account."""
    if "account" not in over:
        over["account"] = ProviderAccount.objects.get(organization=organization, provider=provider)
    fields = {
        "phone_number": NUMBERS[provider],
        "friendly_name": "Front desk",
        "status": "active",
        "provider_number_id": f"id-{organization.pk}",
    } | over
    return PhoneNumber.objects.create(organization=organization, provider=provider, **fields)


# --- Twilio --------------------------------------------------------------------------------------


def call_form(number: PhoneNumber, **over: Any) -> dict[str, str]:
    return {
        "CallSid": "CA" + "1" * 32,
        "AccountSid": number.account.account_sid,
        "From": CALLER,
        "To": number.phone_number,
        "CallStatus": "ringing",
        "Direction": "inbound",
        "ApiVersion": "2010-04-01",
    } | over


def text_form(number: PhoneNumber, **over: Any) -> dict[str, str]:
    sid = "SM" + "1" * 32
    return {
        "MessageSid": sid,
        "SmsSid": sid,
        "AccountSid": number.account.account_sid,
        "From": CALLER,
        "To": number.phone_number,
        "Body": "hello",
        "NumMedia": "0",
    } | over


def from_twilio(
    form: dict[str, str],
    path: str = "/twiml",
    *,
    token: str = TWILIO_TOKEN,
    signature: str | None = None,
    client: Client | None = None,
):
    """POST the form as Twilio would; `signature` replaces the right one, "" leaves it out."""
    if signature is None:
        signature = RequestValidator(token).compute_signature(BASE + path, form)
    headers = {"X-Twilio-Signature": signature} if signature else {}
    return (client or Client()).post(
        path,
        urlencode(form),
        content_type="application/x-www-form-urlencoded",
        headers=headers,
    )


# --- Telnyx --------------------------------------------------------------------------------------


def key_of(account: str) -> Ed25519PrivateKey:
    """The sandbox's key of an account."""
    return Ed25519PrivateKey.from_private_bytes(
        hashlib.sha256(f"sandbox {account}".encode()).digest()
    )


def event_of(event_type: str, payload: dict[str, Any], event_id: str = "", **over: Any) -> bytes:
    data = {
        "record_type": "event",
        "event_type": event_type,
        "id": event_id or f"event-{event_type}",
        "occurred_at": "2026-01-02T03:04:05.000000Z",
        "payload": payload,
    } | over
    return json.dumps({"data": data, "meta": {"attempt": 1}}).encode()


def call_payload(number: PhoneNumber, **over: Any) -> dict[str, Any]:
    return {
        "call_control_id": "v3:call-1",
        "connection_id": number.account.connection_id,
        "direction": "incoming",
        "from": CALLER,
        "to": number.phone_number,
        "state": "parked",
    } | over


def text_payload(number: PhoneNumber, **over: Any) -> dict[str, Any]:
    return {
        "id": "7ee4241c-f127-47e5-9c34-3aac291f8058",
        "record_type": "message",
        "direction": "inbound",
        "type": "SMS",
        "from": {"phone_number": CALLER},
        "to": [{"phone_number": number.phone_number}],
        "text": "hello",
        "media": [],
        "messaging_profile_id": number.account.messaging_profile_id,
    } | over


def signed_headers(
    body: bytes, *, key: Ed25519PrivateKey | None = None, at: float | None = None
) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    signature = (key or key_of("KEYacme")).sign(stamp.encode() + b"|" + body)
    return {
        "telnyx-timestamp": stamp,
        "telnyx-signature-ed25519": base64.b64encode(signature).decode(),
    }


def from_telnyx(
    body: bytes,
    *,
    key: Ed25519PrivateKey | None = None,
    at: float | None = None,
    client: Client | None = None,
    headers: dict[str, str] | None = None,
):
    """POST the event as Telnyx would; `headers` replace those that sign it."""
    if headers is None:
        headers = signed_headers(body, key=key, at=at)
    return (client or Client()).post(
        "/telnyx-webhook", body, content_type="application/json", headers=headers
    )


def refusals(provider: str) -> Counter[str]:
    """How many webhooks were refused so far, by reason."""
    (metric,) = metrics.webhooks_refused.collect()
    return Counter(
        {
            sample.labels["reason"]: int(sample.value)
            for sample in metric.samples
            if sample.name.endswith("_total") and sample.labels["provider"] == provider
        }
    )


# --- The worker ----------------------------------------------------------------------------------


def work(*, most: int = 100) -> list[str]:
    """Do the waiting jobs, here, as a worker would: what is due first, urgent ones before. Their
    names, in that order."""
    done = []
    while len(done) < most:
        waiting = ProcrastinateJob.objects.filter(status="todo").order_by("-priority", "id")
        job = waiting.first()
        if job is None:
            break
        waiting.filter(pk=job.pk)._raw_delete("default")
        done.append(job.task_name)
        app.tasks[job.task_name](**job.args)
    return done


def run_worker(*queues: str) -> None:
    """A real worker, until nothing is waiting. Needs the fixture `queue`. An app of its own: other
    threads go on deferring jobs through the common one meanwhile."""
    app.with_connector(app.connector.get_worker_connector()).run_worker(
        queues=list(queues) or None,
        wait=False,
        install_signal_handlers=False,
        listen_notify=False,
        worker_middleware=[with_job_id],
    )
