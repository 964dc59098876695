"""Background jobs by name. Deferred in the transaction of the row that they serve, they exist if
and only if the row does; the tasks themselves are in `numbers.tasks`, which imports services."""

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.exceptions import AlreadyEnqueued
from psycopg.types.json import Jsonb

from burki.rows import fetch
from numbers import clocks
from numbers.models import Purchase, Release

_SETTLE = {
    Purchase: ("numbers.tasks.settle_purchase", "purchase_id"),
    Release: ("numbers.tasks.settle_release", "release_id"),
}

# Where one worker serves several queues, it takes these before everything else.
_BEFORE_BULK, _BEFORE_ALL = 10, 100
_INBOUND = {
    False: ("numbers.tasks.process_delivery", "default", _BEFORE_BULK),
    True: ("numbers.tasks.command_call", "calls", _BEFORE_ALL),
}


_DEFER = """
    SELECT procrastinate_defer_jobs_v1(ARRAY[
        ROW(%s::text, %s::text, %s::integer, NULL, NULL, %s::jsonb, %s::timestamptz)
    ]::procrastinate_job_to_defer_v1[])
"""


def _defer(
    task: str, *, queue: str, after: timedelta | None = None, priority: int = 0, **arguments: Any
) -> None:
    """As `app.configure_task(…).defer(…)`, for the jobs of every purchase and every call: in the
    library's own words to the database, without what it makes of each job in Python."""
    at = None if after is None else timezone.now() + after
    fetch(_DEFER, [queue, task, priority, Jsonb(arguments), at])


def settle_later(row: Purchase | Release, *, after: timedelta) -> None:
    """Look at a purchase or release again after a while. Any number of such jobs is harmless."""
    task, argument = _SETTLE[type(row)]
    _defer(task, queue="settle", after=after, **{argument: str(row.pk)})


def finish_number_later(phone_number_id: int, *, after: timedelta) -> None:
    """Complete what a purchase could not in time: the number's own id, its routing, its price."""
    app.configure_task(
        "numbers.tasks.finish_number", queue="settle", schedule_at=timezone.now() + after
    ).defer(phone_number_id=phone_number_id)


def process_delivery_later(delivery_id: int, *, call: bool) -> None:
    """Work off an event in the inbox; `call` says that a caller is waiting for it."""
    task, queue, priority = _INBOUND[call]
    _defer(task, queue=queue, priority=priority, delivery_id=delivery_id)


def hand_over_later(message_id: int, *, after: timedelta = timedelta(0)) -> None:
    """Hand a text message to its assistant's webhook."""
    app.configure_task(
        "numbers.tasks.hand_over_message",
        queue="default",
        priority=_BEFORE_BULK,
        schedule_at=timezone.now() + after,
    ).defer(message_id=message_id)


def verify_numbers_later(
    phone_number_ids: list[int], *, after: timedelta | None = None, tries: int = 0
) -> None:
    """Read back what the provider has for numbers that were just bought or changed, one after the
    other. Any number of such jobs is harmless."""
    if not phone_number_ids:
        return
    wait = clocks.after(clocks.VERIFY_AFTER) if after is None else after
    task = "numbers.tasks.verify_numbers"
    _defer(task, queue="default", after=wait, phone_number_ids=phone_number_ids, tries=tries)


def compare_account_later(account_id: int, *, after: timedelta = timedelta(0)) -> None:
    """Compare an account with our rows, unless that is waiting to be done already."""
    job = app.configure_task(
        "numbers.tasks.compare_account",
        queue="default",
        queueing_lock=f"compare_account:{account_id}",
        schedule_at=timezone.now() + after,
    )
    with suppress(AlreadyEnqueued), transaction.atomic():
        job.defer(account_id=account_id)


def check_account_later(account_id: int, *, after: timedelta) -> None:
    """Ask how an account stands, unless that is waiting to be done already."""
    job = app.configure_task(
        "numbers.tasks.check_account",
        queue="default",
        queueing_lock=f"check_account:{account_id}",
        schedule_at=timezone.now() + after,
    )
    with suppress(AlreadyEnqueued), transaction.atomic():
        job.defer(account_id=account_id)


def refresh_prices_later(account_id: int, *, after: timedelta) -> None:
    """Ask what an account's numbers cost now, unless that is waiting to be done already."""
    job = app.configure_task(
        "numbers.tasks.refresh_account_prices",
        queue="default",
        queueing_lock=f"refresh_prices:{account_id}",
        schedule_at=timezone.now() + after,
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
