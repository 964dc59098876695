"""Text messages: their records, and handing each to its assistant's webhook.

A message is handed over at least once: signed, with the same `webhook-id` each time, so that the
receiver can tell a repeat. Every try is a row.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone

from burki import outgoing
from burki.db import release_connection
from burki.logs import emit
from burki.text import plain
from numbers import clocks, jobs
from numbers.models import HandoverAttempt, Message, PhoneNumber, WebhookDelivery
from numbers.services.inbound import telnyx_events, twilio_events
from numbers.services.inbound.activity import note_activity, number_in
from numbers.services.inbound.events import InboundEvent
from numbers.services.inbound.signing import signing_secrets
from organizations.models import Provider

Status = Message.Status


def apply(delivery: WebhookDelivery, event: InboundEvent) -> None:
    """Record a message and queue handing it over, once. One to a number that is not ours is only
    in the inbox."""
    number = number_in(delivery.account, event)
    if number is None:
        return
    kept = number.status != PhoneNumber.Status.CLAIMED
    message, new = Message.objects.get_or_create(
        account=delivery.account,
        message_id=event.message_id,
        defaults={
            "provider": delivery.provider,
            "organization": number.organization,
            "number": number if kept else None,
            "assistant": number.assistant,
            "delivery": delivery,
            "from_number": event.from_number,
            "to_number": event.to_number,
            "media_count": len(event.media_urls),
            "received_at": delivery.received_at,
            "status": Status.RECEIVED if _webhook_of(number) else Status.UNHANDLED,
        },
    )
    if kept:
        note_activity(number, delivery.received_at)
    if new and message.status == Status.RECEIVED:
        jobs.hand_over_later(message.pk)


def _webhook_of(number: PhoneNumber) -> str:
    assistant = number.assistant
    if assistant is None or not (assistant.is_active and number.organization.is_active):
        return ""
    return assistant.sms_webhook_url


def hand_over(message_id: int) -> None:
    """One try to POST a message to its assistant's webhook, and its record. Anything but a 2xx is
    tried again later, seven times over twelve hours; then it is given up. An address that is never
    sent anything is given up at once."""
    message = Message.objects.select_related("assistant", "delivery").filter(pk=message_id).first()
    if message is None or message.status != Status.RECEIVED:
        return
    url = message.assistant.sms_webhook_url if message.assistant else ""
    if not url or message.delivery is None:
        Message.objects.filter(pk=message.pk).update(status=Status.UNHANDLED)
        return
    body = json.dumps(payload_of(message), ensure_ascii=True).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "Burki-SMS-Webhook/1.0"}
    headers |= outgoing.signed_headers(
        f"msg_{message.pk}", body, secrets=signing_secrets(message.assistant)
    )
    release_connection()  # none is held while somebody else's server thinks
    delivery = outgoing.deliver(url, body, headers=headers, timeout=clocks.scaled(clocks.HAND_OVER))
    _record(message, url, delivery)


def _record(message: Message, url: str, delivery: outgoing.Delivery) -> None:
    HandoverAttempt.objects.create(
        message=message,
        host=plain(urlsplit(url).hostname, 255),
        status_code=delivery.status,
        error=delivery.error,
        milliseconds=round(delivery.seconds * 1000),
    )
    tries = message.attempts.count()
    rows = Message.objects.filter(pk=message.pk, status=Status.RECEIVED)
    if delivery.accepted:
        rows.update(status=Status.HANDED_OVER, handed_over_at=timezone.now())
    elif tries <= len(clocks.HAND_OVER_AGAIN) and not delivery.hopeless:
        jobs.hand_over_later(message.pk, after=clocks.after(clocks.HAND_OVER_AGAIN[tries - 1]))
    else:
        rows.update(status=Status.FAILED)
    emit("message.tried", message_id=message.pk, status=delivery.status, tries=tries)


@dataclass(frozen=True, slots=True, kw_only=True)
class HandingOver:
    """How far handing a message over is. `next_attempt_at` is None when nothing is left to try."""

    tries: int
    last_status: int | None = None
    last_error: str = ""
    next_attempt_at: datetime | None = None


def handing_over(message: Message) -> HandingOver:
    """That of a message whose `attempts` were fetched with it."""
    attempts = list(message.attempts.all())
    waits = message.status == Status.RECEIVED
    if not attempts:
        return HandingOver(tries=0, next_attempt_at=message.received_at if waits else None)
    tries, last = len(attempts), attempts[-1]
    waits = waits and tries <= len(clocks.HAND_OVER_AGAIN)
    return HandingOver(
        tries=tries,
        last_status=last.status_code,
        last_error=last.error,
        next_attempt_at=last.at + clocks.after(clocks.HAND_OVER_AGAIN[tries - 1])
        if waits
        else None,
    )


def payload_of(message: Message) -> dict[str, Any]:
    """What the webhook gets; the same for every try."""
    event = _read(message.delivery)
    received = message.received_at.astimezone(UTC)
    return {
        "type": "sms_received",
        "timestamp": received.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "data": {
            "message_id": message.message_id,
            "from": message.from_number,
            "to": message.to_number,
            "body": event.text,
            "media_urls": list(event.media_urls),
            "provider": message.provider,
        },
    }


def _read(delivery: WebhookDelivery) -> InboundEvent:
    body = bytes(delivery.body)
    if delivery.provider == Provider.TELNYX:
        return telnyx_events.read(body)
    return twilio_events.read(body, status=False)
