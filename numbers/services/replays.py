"""What an idempotency key names: the row that was made under it, or the one that it was answered
from. It names one row of a kind, for ever."""

from collections.abc import Callable
from typing import TypeVar

from django.db import transaction

from numbers.models import Purchase, Release
from numbers.services.settling import lock_organization
from organizations.models import Organization

Row = TypeVar("Row", Purchase, Release)


def named_by_key(model: type[Row], organization: Organization, key: str | None) -> Row | None:
    """The organization's purchase or release that `key` names."""
    if key is None:
        return None
    made = model.objects.filter(organization=organization, idempotency_key=key)
    answered = model.objects.filter(
        replay_keys__organization=organization, replay_keys__idempotency_key=key
    )
    # One statement; each half has an index. Mostly there is none, so no more than its id is read.
    named = made.values_list("pk").union(answered.values_list("pk"), all=True)
    return model.objects.get(pk=named[0][0]) if named else None


def remember_key(row: Row, key: str | None, repeat: Callable[[], Row | None]) -> Row:
    """`key` is about to be answered from `row`, which another request has made: it names `row`
    from now on. Returns what it names: `repeat`, which may raise, tells if it is another already.
    """
    if key is None:
        return row
    with transaction.atomic(durable=True):
        lock_organization(row.organization_id)  # as all who write keys
        named = repeat()
        if named is None:
            row.replay_keys.create(organization_id=row.organization_id, idempotency_key=key)
    return named or row
