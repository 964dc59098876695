"""What purchases and releases share while their outcome is not known: the lock that comes first,
the looks at the provider and their evidence, the mark for a person."""

import copy
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg_pool
from django.db import DatabaseError, InterfaceError, connection
from django.db.models.functions import Now

from burki.db import release_connection
from numbers import clocks, jobs
from numbers.clocks import Deadline
from numbers.models import Purchase
from numbers.models.settling import Settled
from numbers.services import announcing
from organizations import audit
from organizations.actors import Actor
from organizations.credentials import lock_organization as lock_organization
from organizations.models import Organization

_LOOKS_KEPT = 50


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def persistently(row: Settled, write: Callable[[Settled], Settled], deadline: Deadline) -> Settled:
    """Do a `record_…` on `row` again and again while the database fails, until the deadline. Each
    try gets a copy: what a failed one changed was rolled back in the database only."""
    pause = 0.05
    while True:
        try:
            return write(copy.copy(row))
        except (DatabaseError, InterfaceError, psycopg_pool.PoolTimeout):
            if deadline.remaining() <= pause:
                raise
            release_connection()
            time.sleep(pause)
            pause *= 2


def as_text(value: str, most: int) -> str:
    """A provider's text as a column takes it: no NUL, and not too long."""
    return value.replace("\0", "")[:most]


def next_look(row: Settled, schedule: tuple[float, ...]) -> timedelta:
    """How long to wait before the next look, growing with the looks so far."""
    return clocks.after(schedule[min(len(row.looks), len(schedule) - 1)])


def note_look(row: Settled, saw: dict[str, Any] | None, wait: Any) -> None:
    """Append to the evidence; `wait` is when to look next: a span, a moment, or None for never."""
    rows = type(row).objects.filter(pk=row.pk)
    looks, now = rows.values_list("looks", Now()).get()
    if isinstance(wait, timedelta):
        jobs.settle_later(row, after=wait)
        wait = now + wait
    if saw is not None:
        seen = {k: as_text(v, 100) if isinstance(v, str) else v for k, v in saw.items()}
        looks = [*looks, {"at": now.astimezone(UTC).isoformat(timespec="seconds"), **seen}]
    row.looks, row.next_look_at = looks[-_LOOKS_KEPT:], wait
    rows.update(looks=row.looks, next_look_at=wait)


def count_empty_look(row: Settled) -> None:
    """One more look that found nothing; when the first of them was is kept."""
    row.empty_looks += 1
    row.first_empty_look_at = row.first_empty_look_at or database_now()
    type(row).objects.filter(pk=row.pk).update(
        empty_looks=row.empty_looks, first_empty_look_at=row.first_empty_look_at
    )


def flag(row: Settled, reason: str, actor: Actor, organization: Organization) -> None:
    """Mark a row as needing a person. Once for each reason."""
    changed = (
        type(row)
        .objects.filter(pk=row.pk)
        .exclude(attention_reason=reason[:300])
        .update(needs_attention_at=Now(), attention_reason=reason[:300])
    )
    if changed:
        row.refresh_from_db()
        kind = type(row).__name__.lower()
        audit.record(
            actor, f"{kind}.needs_attention", row, organization=organization, reason=reason
        )
        if isinstance(row, Purchase):
            announcing.purchase_needs_person(row, organization)


def seen_often_enough(row: Settled) -> bool:
    """Whether enough looks, over enough time, saw the same to draw a conclusion."""
    if row.empty_looks < clocks.EMPTY_LOOKS_NEEDED:
        return False
    return database_now() - row.first_empty_look_at >= clocks.after(clocks.ABSENT_FOR)
