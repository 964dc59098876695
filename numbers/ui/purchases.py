"""The ledger of purchases, each one's page, and settling one by hand."""

import hashlib
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from burki.errors import BurkiError
from burki.paging import keyset_page
from numbers.models import Purchase
from numbers.services.deciding import decide as decide_purchase
from numbers.services.deciding import look_by_hand
from numbers.ui import words
from numbers.ui.buying import confirm_url
from numbers.ui.filters import PurchaseFilters
from numbers.ui.forms import DecisionForm
from numbers.ui.searching import near_by
from organizations.models import AuditEvent
from organizations.pages import page, see_other
from organizations.permissions import NUMBERS_READ, ORGANIZATION_ADMIN

_FRESH = 120  # seconds in which a purchase usually settles
_EVENTS_SHOWN = 50


@page(NUMBERS_READ)
@require_safe
def ledger(request: HttpRequest) -> HttpResponse:
    """Every attempt to buy, newest first."""
    rows = Purchase.objects.filter(organization=request.organization)
    chosen = PurchaseFilters(request.GET, rows, organization=request.organization)
    page = keyset_page(request, chosen.qs if chosen.is_valid() else rows.none())
    return render(request, "numbers/purchases.html", {"chosen": chosen, "page": page})


@page(NUMBERS_READ)
@require_safe
def result(request: HttpRequest, pk: UUID) -> HttpResponse:
    """One attempt and what became of it. A page that follows it asks with what it has `seen`, and
    gets nothing while that is still so."""
    found = _purchase(request, pk)
    seen = _version(found)
    if request.htmx and request.GET.get("seen") == seen:
        return HttpResponse(status=204)
    context = _told(found) | {"seen": seen}
    template = "purchase_state.html" if request.htmx else "purchase.html"
    return render(request, f"numbers/{template}", context)


@page(ORGANIZATION_ADMIN)
@require_POST
def look(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Look at the provider now. What cannot be settled by looking is a person's to decide."""
    found = _purchase(request, pk)
    try:
        seen = look_by_hand(actor=request.actor, purchase=found)
    except BurkiError as error:
        messages.error(request, error.detail)
        return see_other("purchase", pk)
    if not seen.choices:
        messages.info(request, seen.sentence)
        return see_other("purchase", pk)
    request.session[_seen_key(pk)] = {"sentence": seen.sentence, "choices": list(seen.choices)}
    return see_other("purchase-decide", pk)


@page(ORGANIZATION_ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def decide(request: HttpRequest, pk: UUID) -> HttpResponse:
    """What the provider said a moment ago, and what a person makes of it. Deciding looks again."""
    found = _purchase(request, pk)
    seen = request.session.get(_seen_key(pk))
    if seen is None:
        messages.info(request, "Look at the provider first; then decide.")
        return see_other("purchase", pk)
    form = DecisionForm(request.POST or None, choices=tuple(seen["choices"]))
    if form.is_valid():
        try:
            done = decide_purchase(actor=request.actor, purchase=found, **form.cleaned_data)
        except BurkiError as error:
            hint = error.facts.get("hint") or ""
            messages.error(request, f"Nothing was decided. {error.detail} {hint}".strip())
        else:
            messages.success(request, f"Recorded: {words.outcome(done).headline}.")
        del request.session[_seen_key(pk)]
        return see_other("purchase", pk)
    context = {"purchase": found, "seen": seen, "form": form}
    return render(request, "numbers/decide.html", context, status=400 if form.is_bound else 200)


def _purchase(request: HttpRequest, pk: UUID) -> Purchase:
    rows = Purchase.objects.filter(organization=request.organization)
    return get_object_or_404(
        rows.select_related("account", "fallback", "number__assistant", "organization"), pk=pk
    )


def _seen_key(pk: UUID) -> str:
    return f"seen-{pk}"


def _version(found: Purchase) -> str:
    """Changes when something that the page shows does."""
    shown = (
        found.state,
        found.recorded_at,
        len(found.looks),
        found.next_look_at,
        found.attention_reason,
        found.number_id,
    )
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def _told(found: Purchase) -> dict:
    events = AuditEvent.objects.filter(
        organization=found.organization_id,
        object_type=Purchase._meta.label,
        object_id=str(found.pk),
    ).order_by("-pk")[:_EVENTS_SHOWN]
    live = found.state in Purchase.LIVE
    chosen = found.request.get("assistant_id"), found.request.get("friendly_name")
    young = (timezone.now() - found.claimed_at).total_seconds() < _FRESH
    attempts = []
    if found.fallback_id is not None:
        attempts = found.fallback.attempts.order_by("attempt")
    return {
        "purchase": found,
        "outcome": words.outcome(found),
        "looks": words.looks(found),
        "events": [words.event(row) for row in events],
        "due": found.next_look_at is not None and found.next_look_at <= timezone.now(),
        "follow": (2 if young else 15) if live else 0,
        "attempts": attempts,
        "settleable": found.state in (Purchase.State.UNCERTAIN, Purchase.State.PENDING),
        "near": near_by(found.phone_number, *chosen),
        "try_again": confirm_url(
            {"provider": found.provider, "phone_number": found.phone_number}, *chosen
        ),
    }
