"""Bringing events to endpoints: signed, at least once, tried again, every try on record.

A delivery that is due is leased to one worker, sent outside of any transaction, and recorded. At
most two are under way to an endpoint at a time, one while it fails, so that a slow one holds up
itself alone; whoever has recorded one takes care of the next.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from burki import outgoing
from burki.db import release_connection
from burki.logs import emit
from organizations import audit, jobs
from organizations.actors import Actor
from organizations.crypto import CredentialsUnreadable
from organizations.events.announcing import body_of
from organizations.events.types import MAILED
from organizations.models import Event, EventAttempt, EventDelivery, EventEndpoint

TIMEOUT = 10.0  # seconds for one try, look-up and answer included
# The waits between tries, in seconds; after the last the delivery has failed.
BACK_OFF = (5.0, 30.0, 300.0, 1800.0, 7200.0, 28_800.0, 86_400.0)
AT_ONCE, AT_ONCE_FAILING = 2, 1
DISABLED_AFTER = timedelta(days=5)
_LEASE = timedelta(seconds=60)
_OVERDUE = timedelta(seconds=30)  # after which the sweep takes up what a job should have done
_ANSWER_KEPT = 500
_AT_A_TIME = 500
_GONE = 410
_SYSTEM = Actor.system("events")

State = EventDelivery.State


def spread(event_id: UUID) -> None:
    """Make an event's deliveries, once, and the jobs that send and mail it."""
    with transaction.atomic():
        rows = Event.objects.select_for_update(no_key=True, of=("self",))
        event = rows.select_related("organization").filter(pk=event_id, spread_at=None).first()
        if event is None:
            return
        endpoints = _listening(event)
        EventDelivery.objects.bulk_create(
            [EventDelivery(event=event, endpoint=endpoint) for endpoint in endpoints],
            ignore_conflicts=True,
        )
        Event.objects.filter(pk=event.pk).update(spread_at=timezone.now())
        for endpoint in endpoints:
            jobs.deliver_later(endpoint.pk)
        if event.type in MAILED and event.endpoint_id is None:
            jobs.mail_event_later(event.pk)


def _listening(event: Event) -> list[EventEndpoint]:
    if not event.organization.is_active:
        return []
    endpoints = EventEndpoint.objects.filter(organization=event.organization_id, is_active=True)
    if event.endpoint_id is not None:
        return list(endpoints.filter(pk=event.endpoint_id))
    return [endpoint for endpoint in endpoints.order_by("pk") if endpoint.wants(event.type)]


def redeliver(event: Event) -> int:
    """Send an event again to every active endpoint that wants it, as if it were new. Returns to
    how many. Inside a transaction of the caller's."""
    endpoints = _listening(event)
    fresh = {
        "state": State.PENDING,
        "tries": 0,
        "next_attempt_at": timezone.now(),
        "delivered_at": None,
    }
    EventDelivery.objects.filter(event=event, endpoint__in=endpoints).update(**fresh)
    EventDelivery.objects.bulk_create(
        [EventDelivery(event=event, endpoint=endpoint) for endpoint in endpoints],
        ignore_conflicts=True,
    )
    for endpoint in endpoints:
        jobs.deliver_later(endpoint.pk)
    return len(endpoints)


def deliver_next(endpoint_id: int) -> None:
    """Send an endpoint the delivery that is due longest, if it has room for one more."""
    delivery = _leased(endpoint_id)
    if delivery is None:
        return
    endpoint, event = delivery.endpoint, delivery.event
    body = body_of(event)
    release_connection()  # none is held while somebody else's server thinks
    try:
        signed = outgoing.signed_headers(event.public_id, body, secrets=endpoint.secrets)
    except CredentialsUnreadable:
        error = "The signing secret cannot be read: rotate it."
        answer = outgoing.Delivery(status=None, seconds=0, error=error)
    else:
        answer = outgoing.deliver(
            endpoint.url,
            body,
            headers={"Content-Type": "application/json", "User-Agent": "Burki-Events/1.0"} | signed,
            timeout=TIMEOUT * settings.CLOCK_SCALE,
            excerpt=_ANSWER_KEPT,
        )
    _record(delivery, answer)


def _leased(endpoint_id: int) -> EventDelivery | None:
    """The next delivery, for this worker alone; another job is asked for while there is room."""
    now = timezone.now()
    with transaction.atomic():
        endpoint = _locked(endpoint_id)
        if endpoint is None or not endpoint.is_active:
            return None
        busy = EventDelivery.objects.filter(
            endpoint=endpoint, state=State.PENDING, leased_until__gt=now
        ).count()
        room = (AT_ONCE_FAILING if endpoint.failing_since else AT_ONCE) - busy
        if room <= 0:
            return None
        due = list(
            _due(endpoint, now).select_related("event").order_by("next_attempt_at", "pk")[:2]
        )
        if not due:
            return None
        due[0].endpoint = endpoint
        due[0].leased_until = now + _LEASE
        due[0].save(update_fields=["leased_until"])
        if len(due) > 1 and room > 1:
            jobs.deliver_later(endpoint.pk)
    return due[0]


def _record(delivery: EventDelivery, answer: outgoing.Delivery) -> None:
    now = timezone.now()
    with transaction.atomic():
        endpoint = _locked(delivery.endpoint_id)
        if endpoint is None:  # deleted meanwhile, and its deliveries with it
            return
        EventAttempt.objects.create(
            delivery=delivery,
            at=now,
            status_code=answer.status,
            error=answer.error,
            milliseconds=round(answer.seconds * 1000),
            answer=answer.excerpt,
        )
        rows = EventDelivery.objects.filter(pk=delivery.pk)
        rows.update(
            leased_until=None,
            tries=F("tries") + 1,
            last_status=answer.status,
            last_error=answer.error,
        )
        # What was abandoned meanwhile stays so, unless it arrived after all.
        if answer.accepted:
            rows.update(state=State.DELIVERED, delivered_at=now, next_attempt_at=None)
            _note(endpoint, None)
        elif endpoint.is_active:
            _failed(endpoint, delivery, answer)
        if endpoint.is_active and _due(endpoint, now).exists():
            jobs.deliver_later(endpoint.pk)
    emit("event.tried", event_id=delivery.event.public_id, status=answer.status)


def _failed(endpoint: EventEndpoint, delivery: EventDelivery, answer: outgoing.Delivery) -> None:
    """Try again later or give up; an endpoint that says it is gone, or only fails, is disabled."""
    rows = EventDelivery.objects.filter(pk=delivery.pk, state=State.PENDING)
    tries = delivery.tries + 1
    if tries <= len(BACK_OFF):
        wait = jobs.span(BACK_OFF[tries - 1])
        if rows.update(next_attempt_at=timezone.now() + wait):
            jobs.deliver_later(endpoint.pk, after=wait)
    else:
        rows.update(state=State.FAILED, next_attempt_at=None)
    now = timezone.now()
    if answer.status == _GONE:
        disable(endpoint, because="It answered 410 Gone.", actor=_SYSTEM)
    elif endpoint.failing_since is None:
        _note(endpoint, now)
    elif now - endpoint.failing_since >= DISABLED_AFTER:
        since = f"{endpoint.failing_since:%Y-%m-%d %H:%M} UTC"
        disable(endpoint, because=f"Nothing but failures since {since}.", actor=_SYSTEM)


def disable(endpoint: EventEndpoint, *, because: str, actor: Actor) -> None:
    """Send nothing more to it; what is not delivered is abandoned. Owners and admins are mailed
    when nobody of them did it. Inside a transaction of the caller's, which holds the row."""
    endpoint.is_active = False
    endpoint.disabled_at, endpoint.disabled_because = timezone.now(), because
    endpoint.save(update_fields=["is_active", "disabled_at", "disabled_because", "updated_at"])
    EventDelivery.objects.filter(endpoint=endpoint, state=State.PENDING).update(
        state=State.ABANDONED, next_attempt_at=None
    )
    audit.record(
        actor,
        "event_endpoint.disabled",
        endpoint,
        organization=endpoint.organization,
        because=because,
    )
    if actor.kind == "system":
        jobs.mail_endpoint_disabled_later(endpoint.pk)


def sweep() -> None:
    """The second net: events and deliveries whose own job was lost."""
    overdue = timezone.now() - _OVERDUE
    lost = Event.objects.filter(spread_at=None, created_at__lt=overdue).order_by("pk")
    if waiting := list(lost.values_list("pk", flat=True)[:_AT_A_TIME]):
        jobs.spread_events_later(waiting)
    late = EventDelivery.objects.filter(
        endpoint=OuterRef("pk"), state=State.PENDING, next_attempt_at__lt=overdue
    )
    endpoints = EventEndpoint.objects.filter(Exists(late), is_active=True)
    for pk in endpoints.values_list("pk", flat=True):
        jobs.deliver_later(pk)


def purge() -> int:
    """Delete events older than `EVENT_RETENTION_DAYS`, with their deliveries. Returns how many."""
    oldest = timezone.now() - timedelta(days=settings.EVENT_RETENTION_DAYS)
    gone = 0
    while old := list(
        Event.objects.filter(created_at__lt=oldest).values_list("pk", flat=True)[:_AT_A_TIME]
    ):
        Event.objects.filter(pk__in=old).delete()
        gone += len(old)
    return gone


def _due(endpoint: EventEndpoint, now: datetime) -> QuerySet:
    rows = EventDelivery.objects.filter(endpoint=endpoint, state=State.PENDING)
    return rows.filter(next_attempt_at__lte=now).exclude(leased_until__gt=now)


def _locked(endpoint_id: int) -> EventEndpoint | None:
    rows = EventEndpoint.objects.select_for_update(no_key=True, of=("self",))
    return rows.select_related("organization").filter(pk=endpoint_id).first()


def _note(endpoint: EventEndpoint, failing_since: datetime | None) -> None:
    """Not `updated_at`: nobody changed the endpoint."""
    if endpoint.failing_since != failing_since:
        EventEndpoint.objects.filter(pk=endpoint.pk).update(failing_since=failing_since)
