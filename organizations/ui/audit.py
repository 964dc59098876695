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

from burki.filters import IntegerFilter, filtered
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
    """Those of the API, as people fill them in."""

    actor = django_filters.CharFilter(
        field_name="actor_label", lookup_expr="icontains", label="Who", widget=_SEARCH
    )
    action = django_filters.CharFilter(
        method="filter_action",
        label="Action",
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "purchase"}),
    )
    object_type = django_filters.CharFilter(
        method="filter_type", label="Object’s type", max_length=40, widget=_TEXT
    )
    object_id = django_filters.CharFilter(label="Object’s id", max_length=40, widget=_TEXT)
    api_key_id = IntegerFilter(label="API key’s id", min_value=1, max_value=2**63 - 1)
    request_id = django_filters.CharFilter(label="Request id", max_length=64, widget=_TEXT)


_SPAN = {
    "from": MomentFilter(field_name="created_at", lookup_expr="gte", label="From", widget=_DAY),
    "to": MomentFilter(
        field_name="created_at", lookup_expr="lt", label="To", widget=_DAY, after=True
    ),
}
AuditFilters = type("AuditFilters", (_AuditFilters,), _SPAN)
_SHOWN = ("actor", "action", "from", "to")


@page(ORGANIZATION_ADMIN)
@require_safe
def log(request: HttpRequest) -> HttpResponse:
    """What was done in the organization, newest first, and how much of it is sealed."""
    chosen = AuditFilters(request.GET, audit_of(request.organization))
    rows = chosen.qs if chosen.is_valid() else AuditEvent.objects.none()
    found = keyset_page(request, rows)
    asked = {name: value for name, value in request.GET.items() if name in chosen.filters}
    seal = last_seal(request.organization)
    # What only a link asks for is shown, to be cleared, while it is asked for.
    shown = [name for name in chosen.filters if name in _SHOWN or asked.get(name)]
    context = {
        "filters": [chosen.form[name] for name in shown],
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
        "words": f"{words[:1].upper()}{words[1:]}".replace("Api key", "API key"),
        "object": event.object_label or f"{kind} {event.object_id}",
        "data": json.dumps(event.data, indent=2, ensure_ascii=False) if event.data else "",
    }
