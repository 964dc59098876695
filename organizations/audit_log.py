"""Reading the audit: its filters, its rows as programs and spreadsheets get them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import django_filters
from django import forms
from django.apps import apps
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.dateparse import parse_date, parse_datetime

from burki.filters import IntegerFilter
from burki.paging import NEWEST
from burki.spreadsheet import csv_stream
from burki.text import instant
from organizations.models import AuditEvent, Organization
from organizations.sealing import last_seal

_AT_A_TIME = 1000
COLUMNS = (
    "id", "created_at", "action", "object_type", "object_id", "object_label", "actor_kind",
    "actor", "user_id", "api_key_id", "ip", "request_id", "sealed", "data",
)  # fmt: skip


def audit_of(organization: Organization) -> QuerySet:
    return AuditEvent.objects.filter(organization=organization)


class _Moment(forms.Field):
    """A day (its beginning, or with `after` its end), or a time with its offset from UTC."""

    def __init__(self, *, after: bool = False, **kwargs: Any):
        self.after = after
        super().__init__(**kwargs)

    def to_python(self, value: str | None) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            day = parse_date(value)
            # A plus that was not encoded arrives as a blank.
            found = None if day else parse_datetime(value.replace(" ", "+"))
            if day:
                found = datetime.combine(day, time.min, UTC) + timedelta(days=self.after)
        except (ValueError, OverflowError):
            found = None
        if found is None or found.tzinfo is None:
            raise forms.ValidationError(
                "Must be a day (2026-01-31), or a time with its offset (2026-01-31T09:00:00Z)."
            )
        return found


class MomentFilter(django_filters.Filter):
    field_class = _Moment


class _AuditFilter(django_filters.FilterSet):
    """`action` is a word such as `purchase.claimed`, or the part before its dot alone."""

    action = django_filters.CharFilter(method="filter_action", max_length=60)
    object_type = django_filters.CharFilter(method="filter_type", max_length=40)
    object_id = django_filters.CharFilter(max_length=40)
    actor = django_filters.CharFilter(
        field_name="actor_label", lookup_expr="icontains", max_length=254
    )
    api_key_id = IntegerFilter(min_value=1, max_value=2**63 - 1)
    request_id = django_filters.CharFilter(max_length=64)

    class Meta:
        model = AuditEvent
        fields: list[str] = []

    def filter_action(self, events: QuerySet, name: str, value: str) -> QuerySet:
        if "." in value:
            return events.filter(action=value)
        return events.filter(action__startswith=f"{value}.")

    def filter_type(self, events: QuerySet, name: str, value: str) -> QuerySet:
        """`numbers.Purchase`, or `purchase` alone."""
        wanted = value.lower()
        labels = (model._meta.label for model in apps.get_models())
        known = [one for one in labels if wanted in (one.lower(), one.lower().rpartition(".")[2])]
        return events.filter(object_type__in=[value, *known])


# Their names are words of Python's own.
_SPAN = {
    "from": MomentFilter(field_name="created_at", lookup_expr="gte"),
    "to": MomentFilter(field_name="created_at", lookup_expr="lt", after=True),
}
AuditFilter = type("AuditFilter", (_AuditFilter,), _SPAN)


def sealed_up_to(organization: Organization) -> int:
    """The last event of an organization that is sealed; 0 when none is."""
    seal = last_seal(organization)
    return seal.last_id if seal else 0


def told(event: AuditEvent, sealed: int) -> dict[str, Any]:
    """An event as the API answers it; `sealed` is the last one that is."""
    return {
        "id": event.pk,
        "created_at": instant(event.created_at),
        "action": event.action,
        "object_type": event.object_type,
        "object_id": event.object_id,
        "object_label": event.object_label,
        "actor_kind": event.actor_kind,
        "actor": event.actor_label,
        "user_id": event.user_id,
        "api_key_id": event.api_key_id,
        "ip": event.ip,
        "request_id": event.request_id or None,
        "sealed": event.pk <= sealed,
        "data": event.data,
    }


def exported(events: QuerySet, organization: Organization) -> StreamingHttpResponse:
    """All of them, newest first, as a CSV file."""
    return csv_stream("audit-events", COLUMNS, _rows(events, sealed_up_to(organization)))


def _rows(events: QuerySet, sealed: int) -> Iterator[list[Any]]:
    """Read in parts; while one is on its way to the reader, no connection is held."""
    for event in NEWEST.walk(events, size=_AT_A_TIME):
        row = told(event, sealed)
        row["data"] = json.dumps(row["data"], ensure_ascii=False)
        yield [row[name] for name in COLUMNS]
