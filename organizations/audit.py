"""Writing the audit: call `record` inside the transaction of the change it tells of."""

from collections.abc import Iterable
from typing import Any

from django.db import models

from burki.logs import request_id
from burki.rows import insert
from organizations.actors import Actor
from organizations.models import AuditEvent, Organization


def record(
    actor: Actor,
    action: str,
    obj: models.Model,
    *,
    organization: Organization | None,
    **data: Any,
) -> AuditEvent:
    """Append "`actor` did `action` to `obj`", with JSON `data`. Never pass a secret."""
    event = _event(actor, action, obj, organization, data)
    insert(event)
    return event


def record_new(
    actor: Actor,
    action: str,
    *rows: models.Model,
    organization: Organization | None,
    **data: Any,
) -> AuditEvent:
    """Insert rows, and append "`actor` did `action`" to the last of them, in one statement."""
    event = _event(actor, action, rows[-1], organization, data)
    insert(*rows, event)
    return event


def record_each(
    actor: Actor,
    action: str,
    objects: Iterable[models.Model],
    *,
    organization: Organization | None,
    **data: Any,
) -> None:
    """As `record` for each object with the same `data`, in few statements for many."""
    AuditEvent.objects.bulk_create(
        [_event(actor, action, obj, organization, data) for obj in objects], batch_size=1000
    )


def _event(
    actor: Actor,
    action: str,
    obj: models.Model,
    organization: Organization | None,
    data: dict[str, Any],
) -> AuditEvent:
    return AuditEvent(
        organization=organization,
        actor_kind=actor.kind,
        actor_label=actor.label,
        user=actor.user,
        api_key=actor.api_key,
        action=action,
        object_type=obj._meta.label,
        object_id=str(obj.pk),
        object_label=str(obj)[:200],
        data=data,
        ip=actor.ip,
        request_id=actor.request_id or request_id.get(),
    )
