"""Background jobs by name. Deferred in the transaction of the row that they serve, they exist if
and only if the row does; the tasks themselves are in `organizations.tasks`."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

_BEFORE_BULK = 10  # where one worker serves several queues


def spread_events_later(event_ids: Sequence[UUID]) -> None:
    """Make the deliveries of events. Any number of such jobs is harmless."""
    app.configure_task(
        "organizations.tasks.spread_events", queue="default", priority=_BEFORE_BULK
    ).defer(event_ids=[str(pk) for pk in event_ids])


def deliver_later(endpoint_id: int, *, after: timedelta | None = None) -> None:
    """Send an endpoint what is due: now, unless a job for that is waiting; or after a while."""
    job = app.configure_task(
        "organizations.tasks.deliver",
        queue="default",
        priority=_BEFORE_BULK,
        queueing_lock=None if after else f"deliver:{endpoint_id}",
        schedule_at=timezone.now() + after if after else None,
    )
    with suppress(AlreadyEnqueued), transaction.atomic():
        job.defer(endpoint_id=endpoint_id)


def mail_event_later(event_id: UUID) -> None:
    """Mail an event to the people who answer for the bill."""
    app.configure_task("organizations.tasks.mail_event", queue="default").defer(
        event_id=str(event_id)
    )


def mail_endpoint_disabled_later(endpoint_id: int) -> None:
    app.configure_task("organizations.tasks.mail_endpoint_disabled", queue="default").defer(
        endpoint_id=endpoint_id
    )


def span(seconds: float) -> timedelta:
    """A waiting time of the background; tests shrink all of them together."""
    return timedelta(seconds=seconds * settings.SETTLE_CLOCK_SCALE)
