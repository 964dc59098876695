"""The inbox: a verified event is written down once, and worked off by the worker.

Receiving makes two statements: the row, and its job, in one transaction. An event that comes again
finds the row and changes nothing but its count.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from psycopg.types.json import Jsonb

from burki.errors import PermissionDenied
from burki.logs import emit
from burki.rows import fetch
from burki.text import plain
from numbers import jobs
from numbers.models import Purchase, WebhookDelivery
from numbers.services.inbound import calls, messages, telnyx_events, twilio_events
from numbers.services.inbound.events import InboundEvent, Kind, purchase_id
from organizations import audit
from organizations.actors import Actor
from organizations.models import Provider, ProviderAccount

_COMMANDED = {Kind.CALL, Kind.CALL_ANSWERED, Kind.CALL_SPOKEN}
_PURGED_AT_A_TIME = 5_000

_RECEIVE = """
INSERT INTO numbers_webhookdelivery
    (account_id, provider, kind, event_type, event_key, body, decision, answer, deliveries,
     processed_at, attempts, error)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 1, CASE WHEN %s THEN now() END, 0, '')
ON CONFLICT (account_id, event_key)
    DO UPDATE SET deliveries = numbers_webhookdelivery.deliveries + 1
RETURNING id, answer, deliveries
"""


@dataclass(frozen=True, slots=True)
class Received:
    """`answer` is what the event was answered when it came first."""

    delivery_id: int
    answer: str
    repeated: bool


@transaction.atomic
def receive(
    *,
    account: ProviderAccount,
    event: InboundEvent,
    body: bytes,
    decision: dict[str, Any] | None = None,
    answer: str = "",
    work: bool = True,
) -> Received:
    """Write a verified event down, with the job that works it off. Without `work`, and for events
    that mean nothing to us, there is none. Queries: the row, and the job if it is new."""
    work = work and event.kind != Kind.OTHER
    ((delivery_id, answer, deliveries),) = fetch(
        _RECEIVE,
        [
            account.pk, account.provider, event.kind, event.type, event.key, body,
            Jsonb(decision or {}), answer, not work,
        ],
    )  # fmt: skip
    if work and deliveries == 1:
        jobs.process_delivery_later(delivery_id, call=_is_for_a_caller(account.provider, event))
    return Received(delivery_id, answer, deliveries > 1)


def _is_for_a_caller(provider: str, event: InboundEvent) -> bool:
    """Somebody hears nothing until the worker has sent a command."""
    return provider == Provider.TELNYX and event.kind in _COMMANDED


def process_delivery(delivery_id: int) -> None:
    """Do what an event asks for: records in one transaction; then, outside of it, the command to a
    call. Safe to repeat, also at the same time: records are merged, commands carry an id.

    Raises whatever went wrong; `record_failure` then writes it down.
    """
    with transaction.atomic():
        delivery = (
            WebhookDelivery.objects.select_for_update(of=["self"])
            .select_related("account")
            .filter(pk=delivery_id, processed_at=None)  # and not purged
            .first()
        )
        if delivery is None:
            return
        command = _apply(delivery, read(delivery))
        if command is None:
            _processed(delivery)
            return
    command()
    _processed(delivery)


def read(delivery: WebhookDelivery) -> InboundEvent:
    body = bytes(delivery.body)
    if delivery.provider == Provider.TELNYX:
        return telnyx_events.read(body)
    # What asks gets an answer; reports of a status get none.
    return twilio_events.read(body, status=not delivery.answer)


def _apply(delivery: WebhookDelivery, event: InboundEvent) -> Callable[[], None] | None:
    match delivery.kind:
        case Kind.CALL | Kind.CALL_ANSWERED | Kind.CALL_SPOKEN | Kind.CALL_ENDED:
            return calls.apply(delivery, event)
        case Kind.MESSAGE:
            messages.apply(delivery, event)
        case Kind.ORDER:
            _settle(delivery, event)
    return None


def _settle(delivery: WebhookDelivery, event: InboundEvent) -> None:
    """Ask Telnyx what became of the order, now: the event itself is not evidence."""
    meant = Q(pk=purchase_id(event.reference))
    if event.order_id:
        meant |= Q(order_id=event.order_id)
    doubted = Purchase.objects.exclude(state=Purchase.State.COMPLETED)
    for purchase in doubted.filter(meant, account=delivery.account_id):
        jobs.settle_later(purchase, after=timedelta(0))


def _processed(delivery: WebhookDelivery) -> None:
    WebhookDelivery.objects.filter(pk=delivery.pk).update(processed_at=timezone.now(), error="")


def record_failure(delivery_id: int, error: Exception) -> None:
    """What went wrong stays with the row, for the person who processes it again."""
    told = getattr(error, "provider_message", "") or getattr(error, "hint", "") or str(error)
    WebhookDelivery.objects.filter(pk=delivery_id).update(
        attempts=F("attempts") + 1, error=plain(f"{type(error).__name__}: {told}", 300)
    )


@transaction.atomic
def reprocess(*, actor: Actor, delivery: WebhookDelivery) -> bool:
    """Queue a delivery that was not processed once more; False if it was processed meanwhile.
    Staff only: the inbox belongs to no organization."""
    if actor.kind != "system" and not (actor.user and actor.user.is_staff):
        raise PermissionDenied
    row = WebhookDelivery.objects.select_for_update().get(pk=delivery.pk)
    if row.processed_at is not None:
        return False
    jobs.process_delivery_later(row.pk, call=False)
    audit.record(actor, "webhook.reprocessed", row, organization=None, event=row.event_type)
    return True


def purge_deliveries() -> int:
    """Delete what is older than `WEBHOOK_RETENTION_DAYS`, in slices; how many there were."""
    oldest = timezone.now() - timedelta(days=settings.WEBHOOK_RETENTION_DAYS)
    purged = 0
    while True:
        old = WebhookDelivery.objects.filter(received_at__lt=oldest).order_by("received_at")
        slice_ = list(old.values_list("pk", flat=True)[:_PURGED_AT_A_TIME])
        if not slice_:
            break
        WebhookDelivery.objects.filter(pk__in=slice_).delete()
        purged += len(slice_)
    if purged:
        emit("webhook.purged", count=purged)
    return purged
