"""Event endpoints on the staff pages, what was told to them, and what became of it."""

import json
from collections import Counter
from typing import Any
from uuid import UUID

import django_filters
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from burki.errors import InvalidRequest
from burki.paging import keyset_page
from burki.templatetags.ui import STATUS
from organizations.crypto import decrypt, encrypt
from organizations.events import endpoints
from organizations.events.announcing import payload_of
from organizations.events.endpoints import DESCRIPTION_MAX, URL_MAX
from organizations.events.types import TYPES
from organizations.filters import EVERY_TYPE, EventFilter
from organizations.models import Event, EventDelivery, EventEndpoint
from organizations.pages import page, see_other
from organizations.permissions import ORGANIZATION_ADMIN

_SHOWN_ONCE = "shown-once"  # in the session, until its page was seen


class EndpointForm(forms.Form):
    """What the service judges is only marked here."""

    url = forms.CharField(
        label="URL",
        max_length=URL_MAX,
        help_text="Events are POSTed to it. It must answer with 2xx within 10 seconds.",
        widget=forms.URLInput(
            attrs={"autocomplete": "off", "placeholder": "https://example.com/burki-events"}
        ),
    )
    description = forms.CharField(
        label="Description",
        max_length=DESCRIPTION_MAX,
        required=False,
        help_text="What it is for, such as billing. Optional.",
    )
    event_types = forms.MultipleChoiceField(
        label="Events",
        choices=[(name, f"{words} ({name})") for name, words in TYPES.items()],
        required=False,
        help_text="With none ticked it gets all, those to come included.",
        widget=forms.CheckboxSelectMultiple,
    )

    def refuse(self, error: InvalidRequest) -> None:
        """Show the service's sentence at the field that it is about."""
        fields = [name for name in error.facts.get("errors", {}) if name in self.fields]
        self.add_error(fields[0] if fields else None, error.detail)


class EventFilters(EventFilter):
    type = django_filters.ChoiceFilter(
        choices=[(name, name) for name in EVERY_TYPE], label="Event", empty_label="Any"
    )
    state = django_filters.ChoiceFilter(
        choices=[(s.value, STATUS[s.value][0]) for s in EventDelivery.State],
        method="filter_state",
        label="Delivery",
        empty_label="Any",
    )


@page(ORGANIZATION_ADMIN)
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """Where events go, and those that were told, newest first."""
    rows = Event.objects.filter(organization=request.organization).prefetch_related("deliveries")
    chosen = EventFilters(request.GET, rows)
    found = keyset_page(request, chosen.qs if chosen.is_valid() else rows.none())
    for event in found.rows:
        event.states = _states(event)
        event.words = _words(event)
    context = {
        "endpoints": endpoints.endpoints_of(request.actor, request.organization),
        "most": endpoints.MOST_ENDPOINTS,
        "filters": chosen.form,
        "page": found,
    }
    return render(request, "organizations/events.html", context)


@page(ORGANIZATION_ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest) -> HttpResponse:
    form = EndpointForm(request.POST or None)
    if form.is_valid():
        try:
            endpoint, secret = endpoints.create_endpoint(**_asking(request), **form.cleaned_data)
        except InvalidRequest as error:
            form.refuse(error)
        else:
            messages.success(request, "Endpoint added.")
            return _show_once(request, endpoint, secret)
    status = 400 if form.is_bound else 200
    return render(request, "organizations/event_endpoint_add.html", {"form": form}, status=status)


@page(ORGANIZATION_ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def endpoint(request: HttpRequest, pk: int) -> HttpResponse:
    """One endpoint: how it stands, its settings, its secret right after that was made."""
    found = endpoints.find_endpoint(request.actor, request.organization, pk)
    settings = {name: getattr(found, name) for name in EndpointForm.base_fields}
    form = EndpointForm(request.POST or None, initial=settings)
    if form.is_valid():
        try:
            endpoints.change_endpoint(**_asking(request), endpoint_id=pk, **form.cleaned_data)
        except InvalidRequest as error:
            form.refuse(error)
        else:
            messages.success(request, "Endpoint saved.")
            return see_other("event-endpoint-page", pk)
    secret = request.session.pop(_key(pk), None) if request.method == "GET" else None
    context = {
        "endpoint": found,
        "form": form,
        "secret": secret and decrypt(secret)["secret"],
        "last": _last_deliveries(found),
    }
    return render(
        request,
        "organizations/event_endpoint.html",
        context,
        status=400 if form.is_bound else 200,
    )


@page(ORGANIZATION_ADMIN)
@require_POST
def rotate(request: HttpRequest, pk: int) -> HttpResponse:
    found, secret = endpoints.rotate_secret(**_asking(request), endpoint_id=pk)
    messages.success(request, "New secret made. The old one signs as well for 24 hours.")
    return _show_once(request, found, secret)


@page(ORGANIZATION_ADMIN)
@require_POST
def test(request: HttpRequest, pk: int) -> HttpResponse:
    try:
        event = endpoints.send_test(**_asking(request), endpoint_id=pk)
    except InvalidRequest as error:
        messages.error(request, error.detail)
        return see_other("event-endpoint-page", pk)
    messages.success(request, "Test event on its way. Reload to see what became of it.")
    return see_other("event", event.pk)


@page(ORGANIZATION_ADMIN)
@require_POST
def enable(request: HttpRequest, pk: int) -> HttpResponse:
    endpoints.change_endpoint(**_asking(request), endpoint_id=pk, is_active=True)
    messages.success(request, "Endpoint enabled. Events that it missed can be sent again.")
    return see_other("event-endpoint-page", pk)


@page(ORGANIZATION_ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def disable(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks once, then does it."""
    found = endpoints.find_endpoint(request.actor, request.organization, pk)
    if request.method == "POST":
        endpoints.change_endpoint(**_asking(request), endpoint_id=pk, is_active=False)
        messages.success(request, "Endpoint disabled. Nothing more is sent to it.")
        return see_other("event-endpoint-page", pk)
    return _confirm(request, found, "Disable")


@page(ORGANIZATION_ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks once, then does it."""
    found = endpoints.find_endpoint(request.actor, request.organization, pk)
    if request.method == "POST":
        endpoints.delete_endpoint(**_asking(request), endpoint_id=pk)
        messages.success(request, f"Endpoint at {found} deleted.")
        return see_other("events")
    return _confirm(request, found, "Delete")


@page(ORGANIZATION_ADMIN)
@require_safe
def event(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One event: what was told, to whom, and every try."""
    found = endpoints.find_event(request.actor, request.organization, f"evt_{pk.hex}")
    found = endpoints.with_deliveries(found)
    context = {"event": found, "words": _words(found), "facts": _facts(found)}
    return render(request, "organizations/event.html", context)


@page(ORGANIZATION_ADMIN)
@require_POST
def again(request: HttpRequest, pk: UUID) -> HttpResponse:
    try:
        endpoints.send_again(**_asking(request), public_id=f"evt_{pk.hex}")
    except InvalidRequest as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, "Sending it again. Reload to see what became of it.")
    return see_other("event", pk)


def _asking(request: HttpRequest) -> dict[str, Any]:
    return {"actor": request.actor, "organization": request.organization}


def _confirm(request: HttpRequest, found: EventEndpoint, verb: str) -> HttpResponse:
    waiting = found.deliveries.filter(state=EventDelivery.State.PENDING).count()
    context = {"endpoint": found, "verb": verb, "waiting": waiting}
    return render(request, "organizations/event_endpoint_confirm.html", context)


def _show_once(request: HttpRequest, found: EventEndpoint, secret: str) -> HttpResponse:
    """The endpoint's page shows the secret the next time it is opened, and never again; on the way
    there it lies encrypted."""
    request.session[_key(found.pk)] = encrypt({"secret": secret})
    return see_other("event-endpoint-page", found.pk)


def _key(pk: int) -> str:
    return f"{_SHOWN_ONCE}-{pk}"


def _last_deliveries(found: EventEndpoint) -> list[EventDelivery]:
    return list(found.deliveries.select_related("event").order_by("-event_id")[:10])


def _states(found: Event) -> list[tuple[str, int]]:
    """How many deliveries are in which state, what failed first."""
    counts = Counter(delivery.state for delivery in found.deliveries.all())
    order = ("failed", "pending", "abandoned", "delivered")
    return [(state, counts[state]) for state in order if counts[state]]


def _facts(found: Event) -> list[tuple[str, str]]:
    """The payload as a list: text as it is, everything else as JSON has it."""
    payload = payload_of(found)
    data = payload.pop("data")
    named = {**payload, **data}
    return [(n, v if isinstance(v, str) else json.dumps(v)) for n, v in named.items()]


def _words(found: Event) -> str:
    return TYPES.get(found.type, "A test of an endpoint")
