"""What the API's documentation says of the audit (see `burki.openapi`)."""

from functools import partial

from rest_framework import serializers

from burki.filters import filtered
from burki.openapi import (
    Answer,
    Instant,
    Operation,
    page,
    page_of,
    paging,
    query_of,
    raised,
    wrong_limit,
)
from burki.paging import KeysetPagination
from organizations.audit_log import COLUMNS, AuditFilter
from organizations.models import AuditEvent

_operation = partial(Operation, tag="Audit")


class AuditEventAnswer(Answer):
    """Who did what to which object. `sealed`: it is part of the chain that shows whether somebody
    changed, removed or slipped in an event afterwards."""

    id = serializers.IntegerField()
    created_at = Instant()
    action = serializers.CharField()
    object_type = serializers.CharField()
    object_id = serializers.CharField()
    object_label = serializers.CharField(allow_blank=True)
    actor_kind = serializers.ChoiceField(choices=AuditEvent.ActorKind.values)
    actor = serializers.CharField(help_text="A person's e-mail address, a key, or which system.")
    user_id = serializers.IntegerField(allow_null=True)
    api_key_id = serializers.IntegerField(allow_null=True)
    ip = serializers.CharField(allow_null=True)
    request_id = serializers.CharField(allow_null=True)
    sealed = serializers.BooleanField()
    data = serializers.DictField(help_text="What else is to be said of it; never a secret.")


_EVENT = {
    "id": 4711,
    "created_at": "2024-01-15T10:30:00Z",
    "action": "purchase.claimed",
    "object_type": "numbers.Purchase",
    "object_id": "018d0b9e-7c3a-7000-8000-000000000001",
    "object_label": "+14155551234 from twilio",
    "actor_kind": "api_key",
    "actor": "production (burki_brr7r2…)",
    "user_id": 1,
    "api_key_id": 7,
    "ip": "203.0.113.7",
    "request_id": "5f1c6f0d2b0e4f0d9d1b7a3c2e4f5a6b",
    "sealed": True,
    "data": {"provider": "twilio"},
}
_FILTERS = query_of(
    AuditFilter,
    action="Such as `purchase.claimed`, or `purchase` for all that happens to purchases.",
    object_type="Such as `numbers.Purchase`, or `purchase` alone.",
    actor="A part of an e-mail address, or of a key's name or prefix.",
    **{
        "from": "A day in UTC, or a time with its offset: not earlier.",
        "to": "A day in UTC, which counts as well, or a time with its offset: earlier than that.",
    },
)
_WRONG = raised(filtered, AuditFilter, AuditEvent.objects.none(), {"from": "yesterday"})

AUDIT = {
    "list": _operation(
        summary="The audit log",
        description="Everything that was done in the organization, newest first. Events are never "
        "changed and never deleted.",
        parameters=[*_FILTERS, *paging(KeysetPagination)],
        answer=page_of(AuditEventAnswer),
        examples={"One event": page(_EVENT)},
        errors=[_WRONG, wrong_limit(KeysetPagination)],
    ),
    "export": _operation(
        summary="The audit log as a table",
        description="All events that fit the filters, newest first, with the columns of the list. "
        "Text that a spreadsheet would run as a formula begins with an apostrophe.",
        parameters=_FILTERS,
        answer={"type": "string"},
        media_types=("text/csv",),
        examples={"Nothing that fits": f"{','.join(COLUMNS)}\r\n"},
        errors=[_WRONG],
    ),
}
