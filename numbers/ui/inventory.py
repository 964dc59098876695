"""The list of numbers, and each number's page."""

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from burki.paging import keyset_page
from numbers.models import PhoneNumber, Purchase, Release
from numbers.ui import words
from numbers.ui.filters import NumberFilters
from organizations.models import AuditEvent
from organizations.pages import page
from organizations.permissions import NUMBERS_READ

_EVENTS_SHOWN = 50


@page(NUMBERS_READ)
@require_safe
def numbers(request: HttpRequest) -> HttpResponse:
    """The organization's numbers, newest first."""
    rows = PhoneNumber.objects.visible_to(request.organization).select_related("assistant")
    chosen = NumberFilters(request.GET, rows, organization=request.organization)
    page = keyset_page(request, chosen.qs if chosen.is_valid() else rows.none())
    return render(request, "numbers/numbers.html", {"filters": chosen.form, "page": page})


@page(NUMBERS_READ)
@require_safe
def number(request: HttpRequest, pk: int) -> HttpResponse:
    """One number: what it is, how it is set, and all that happened to it."""
    rows = PhoneNumber.objects.visible_to(request.organization)
    found = get_object_or_404(rows.select_related("assistant", "account"), pk=pk)
    context = {
        "number": found,
        "purchases": found.purchases.order_by("-pk")[:10],
        "events": [words.event(row) for row in _history(found)],
    }
    return render(request, "numbers/number.html", context)


def _history(found: PhoneNumber):
    """Newest first, of the number itself, its purchases and its releases."""
    purchases = [str(pk) for pk in found.purchases.values_list("pk", flat=True)]
    releases = [str(pk) for pk in found.releases.values_list("pk", flat=True)]
    return AuditEvent.objects.filter(
        Q(object_type=PhoneNumber._meta.label, object_id=str(found.pk))
        | Q(object_type=Purchase._meta.label, object_id__in=purchases)
        | Q(object_type=Release._meta.label, object_id__in=releases),
        organization=found.organization_id,
    ).order_by("-pk")[:_EVENTS_SHOWN]
