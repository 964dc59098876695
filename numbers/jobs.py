"""Background jobs by name. Deferred in the transaction of the row that they serve, they exist if
and only if the row does; the tasks themselves are in `numbers.tasks`, which imports services."""

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued

from numbers.models import Purchase, Release

_SETTLE = {
    Purchase: ("numbers.tasks.settle_purchase", "purchase_id"),
    Release: ("numbers.tasks.settle_release", "release_id"),
}


def settle_later(row: Purchase | Release, *, after: timedelta) -> None:
    """Look at a purchase or release again after a while. Any number of such jobs is harmless."""
    task, argument = _SETTLE[type(row)]
    app.configure_task(task, queue="settle", schedule_at=timezone.now() + after).defer(
        **{argument: str(row.pk)}
    )


def finish_number_later(phone_number_id: int, *, after: timedelta) -> None:
    """Complete what a purchase could not in time: the number's own id, its routing, its price."""
    app.configure_task(
        "numbers.tasks.finish_number", queue="settle", schedule_at=timezone.now() + after
    ).defer(phone_number_id=phone_number_id)


def compare_account_later(account_id: int) -> None:
    """Compare an account with our rows, unless that is waiting to be done already."""
    job = app.configure_task(
        "numbers.tasks.compare_account",
        queue="default",
        queueing_lock=f"compare_account:{account_id}",
    )
    with suppress(AlreadyEnqueued), transaction.atomic():
        job.defer(account_id=account_id)


def buy_next_later(bulk_id: UUID, *, lane: int, after: timedelta = timedelta()) -> None:
    """The next number of a bulk purchase, unless the lane has a job that waits. Two that run at
    once are harmless; a lock against them would let each wait for the worker's next look, five
    seconds."""
    job = app.configure_task(
        "numbers.tasks.buy_next",
        queue="bulk",
        queueing_lock=f"bulk:{bulk_id}:{lane}",
        schedule_at=timezone.now() + after if after else None,
    )
    with suppress(AlreadyEnqueued), transaction.atomic():
        job.defer(bulk_id=str(bulk_id), lane=lane)
