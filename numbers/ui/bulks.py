"""Bulk purchases: how far each is, its numbers, stopping it, and all of them."""

import hashlib
from typing import Any
from uuid import UUID

import django_filters
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from burki.paging import keyset_page
from numbers.exceptions import NotCancellable
from numbers.models import BulkItem, BulkPurchase, Purchase
from numbers.services.bulk import cancel, progress_of
from numbers.ui import many_words as words
from numbers.ui.buying import see_other
from organizations.pages import page
from organizations.permissions import NUMBERS_PURCHASE, NUMBERS_READ

_SHOWN = 10  # each tells the sum of its numbers, of which there may be a thousand
_SOON, _LATER = 2, 15  # seconds between two looks at one that runs, and at one that only waits


class BulkItemFilters(django_filters.FilterSet):
    """Without `outcome`, numbers that only wait for their turn are left out."""

    _UNTRIED = Q(purchase=None, code="", lane=None)
    _OUTCOMES = {
        "bought": Q(purchase__state=Purchase.State.COMPLETED),
        "open": Q(purchase__state__in=Purchase.LIVE)
        | Q(purchase=None, code="", lane__isnull=False),
        "refused": Q(purchase__state=Purchase.State.REFUSED) | ~Q(code=""),
        "waiting": _UNTRIED,
    }

    outcome = django_filters.ChoiceFilter(
        method="filter_outcome",
        label="Show",
        empty_label="All that were tried",
        choices=[
            ("bought", "Bought"),
            ("open", "Not settled yet"),
            ("refused", "Refused or left out"),
            ("waiting", "Waiting for their turn"),
        ],
    )

    class Meta:
        model = BulkItem
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        if not self.form.cleaned_data.get("outcome"):
            return queryset.exclude(self._UNTRIED)
        return super().filter_queryset(queryset)

    def filter_outcome(self, items: QuerySet, name: str, value: str) -> QuerySet:
        return items.filter(self._OUTCOMES[value])


@page(NUMBERS_READ)
@require_safe
def bulks(request: HttpRequest) -> HttpResponse:
    """All of the organization, newest first."""
    rows = BulkPurchase.objects.filter(organization=request.organization)
    rows = rows.select_related("user", "api_key", "organization")
    page = keyset_page(request, rows, size=_SHOWN)
    told = progress_of(page.rows)
    shown = [
        {
            "bulk": bulk,
            "wanted": words.wanted(bulk.request),
            "told": told[bulk.pk],
            "cost": words.cost(bulk, told[bulk.pk]),
        }
        for bulk in page.rows
    ]
    return render(request, "numbers/bulks.html", {"page": page, "rows": shown})


@page(NUMBERS_READ)
@require_safe
def bulk(request: HttpRequest, pk: UUID) -> HttpResponse:
    """How far one is, and its numbers, the last one first. A page that follows it asks with what it
    has `seen`, and gets nothing while that is still so."""
    found = _bulk(request, pk)
    told = progress_of([found])[found.pk]
    seen, asked_with = _version(found, told), _without_seen(request)
    if request.htmx and asked_with == seen:
        return HttpResponse(status=204)
    items = BulkItem.objects.filter(bulk=found).select_related("purchase")
    chosen = BulkItemFilters(request.GET, items)
    listed = keyset_page(request, chosen.qs if chosen.is_valid() else items.none())
    rows = [(item, words.reason(item)) for item in listed.rows]
    standing = words.standing(found, told)
    here, query = reverse("bulk", args=[pk]), request.GET.copy()
    query["seen"] = seen
    context = {
        "bulk": found,
        "told": told,
        "wanted": words.wanted(found.request),
        "standing": standing,
        "cost": words.cost(found, told),
        "parts": words.parts(told),
        "filters": chosen.form,
        "page": listed,
        "to_go": words.to_go(found, told),
        "rows": rows,
        "reasons": any(reason for _, reason in rows),
        "follow": _pause(found, standing),
        "here": f"{here}?{request.GET.urlencode()}" if request.GET else here,
        "again": f"{here}?{query.urlencode()}",
    }
    template = "bulk_state.html" if request.htmx and asked_with else "bulk.html"
    return render(request, f"numbers/{template}", context)


@page(NUMBERS_PURCHASE)
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Asks once; POST buys no more of it. What was bought stays."""
    found = _bulk(request, pk)
    if request.method == "POST":
        try:
            cancel(actor=request.actor, bulk=found)
            messages.success(request, "No more is bought. What was bought stays.")
        except NotCancellable as error:
            messages.info(request, error.detail)
        return see_other("bulk", pk)
    if found.state != BulkPurchase.State.RUNNING:
        return see_other("bulk", pk)
    told = progress_of([found])[pk]
    context = {
        "bulk": found,
        "wanted": words.wanted(found.request),
        "told": told,
        "under_way": told["buying"] + told["uncertain"] + told["pending"],
        "cost": words.cost(found, told),
    }
    return render(request, "numbers/bulk_stop.html", context)


def _bulk(request: HttpRequest, pk: UUID) -> BulkPurchase:
    rows = BulkPurchase.objects.filter(organization=request.organization)
    return get_object_or_404(
        rows.select_related("organization", "assistant", "user", "api_key"), pk=pk
    )


def _without_seen(request: HttpRequest) -> str:
    """What the page had seen, taken out of the address so that no link keeps it."""
    request.GET = request.GET.copy()
    return request.GET.pop("seen", [""])[-1]


def _pause(found: BulkPurchase, standing: words.Standing) -> int:
    """How many seconds until the page looks again; 0: it is final."""
    if not standing.follow:
        return 0
    return _SOON if found.state == BulkPurchase.State.RUNNING else _LATER


def _version(found: BulkPurchase, told: dict[str, Any]) -> str:
    """Changes when something that the page shows does."""
    shown = (found.state, found.reason, found.pause, sorted(told.items()))
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]
