"""The audit log on the staff pages."""

import json
from typing import Any

import django_filters
from django import forms
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from burki.filters import filtered
from burki.paging import keyset_page
from organizations.audit_log import AuditFilter, MomentFilter, audit_of, exported
from organizations.models import AuditEvent
from organizations.pages import page
from organizations.permissions import ORGANIZATION_ADMIN
from organizations.sealing import last_seal

_SEARCH = forms.TextInput(attrs={"type": "search", "autocomplete": "off"})
_TEXT = forms.TextInput(attrs={"autocomplete": "off"})
_DAY = forms.DateInput(attrs={"type": "date"})


class _AuditFilters(AuditFilter):
    """Those of the API, as people fill them in; the others are understood, but not shown."""

    actor = django_filters.CharFilter(
        field_name="actor_label", lookup_expr="icontains", label="Who", widget=_SEARCH
    )
    action = django_filters.CharFilter(
        method="filter_action",
        label="Action",
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "purchase"}),
    )
    object_id = django_filters.CharFilter(label="Object’s id", max_length=40, widget=_TEXT)
    request_id = django_filters.CharFilter(label="Request id", max_length=64, widget=_TEXT)


_SPAN = {
    "from": MomentFilter(field_name="created_at", lookup_expr="gte", label="From", widget=_DAY),
    "to": MomentFilter(
        field_name="created_at", lookup_expr="lt", label="To", widget=_DAY, after=True
    ),
}
AuditFilters = type("AuditFilters", (_AuditFilters,), _SPAN)
_SHOWN = ("actor", "action", "object_id", "request_id", "from", "to")


@page(ORGANIZATION_ADMIN)
@require_safe
def log(request: HttpRequest) -> HttpResponse:
    """What was done in the organization, newest first, and how much of it is sealed."""
    chosen = AuditFilters(request.GET, audit_of(request.organization))
    rows = chosen.qs if chosen.is_valid() else AuditEvent.objects.none()
    found = keyset_page(request, rows)
    asked = {name: value for name, value in request.GET.items() if name in chosen.filters}
    seal = last_seal(request.organization)
    context = {
        "filters": [chosen.form[name] for name in _SHOWN],
        "wrong": chosen.form.errors,
        "page": found,
        "events": [_told(event) for event in found.rows],
        "seal": seal,
        "csv": urlencode({name: value for name, value in asked.items() if value}),
    }
    return render(request, "organizations/audit.html", context)


@page(ORGANIZATION_ADMIN)
@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    """All of what the filters leave, as a file."""
    rows = filtered(AuditFilter, audit_of(request.organization), request.GET)
    return exported(rows, request.organization)


def _told(event: AuditEvent) -> dict[str, Any]:
    """An event as a row: its action in words, and its object by the last part of its type."""
    words = event.action.replace(".", " ").replace("_", " ")
    kind = event.object_type.rpartition(".")[2]
    return {
        "event": event,
        "words": f"{words[:1].upper()}{words[1:]}",
        "object": event.object_label or f"{kind} {event.object_id}",
        "data": json.dumps(event.data, indent=2, ensure_ascii=False) if event.data else "",
    }
