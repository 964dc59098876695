"""What an idempotency key names: the row that was made under it, or the one that it was answered
from. It names one row of a kind, for ever."""

from collections.abc import Callable
from typing import TypeVar

from django.db import transaction

from burki.rows import fetch
from numbers.models import Purchase, Release
from numbers.services.settling import lock_organization
from organizations.models import Organization

Row = TypeVar("Row", Purchase, Release)


def _named(model: type[Row]) -> str:
    answered = model._meta.get_field("replay_keys").related_model._meta
    row = answered.get_field(model._meta.model_name).column
    where = "WHERE organization_id = %s AND idempotency_key = %s"
    return (
        f"SELECT id FROM {model._meta.db_table} {where}"
        f" UNION ALL SELECT {row} FROM {answered.db_table} {where}"
    )


_NAMED = {model: _named(model) for model in (Purchase, Release)}


def named_by_key(model: type[Row], organization: Organization, key: str | None) -> Row | None:
    """The organization's purchase or release that `key` names."""
    if key is None:
        return None
    # Each half has an index; mostly there is none.
    found = fetch(_NAMED[model], [organization.pk, key] * 2)
    return model.objects.get(pk=found[0][0]) if found else None


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
