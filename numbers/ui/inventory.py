"""The list of numbers."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from burki.errors import InvalidRequest
from burki.paging import NEWEST, Page, keyset_page
from numbers.models import PhoneNumber
from numbers.ui.export import numbers_csv
from numbers.ui.filters import NumberFilters
from organizations.pages import page
from organizations.permissions import NUMBERS_READ, NUMBERS_RELEASE, NUMBERS_WRITE


@page(NUMBERS_READ)
@require_safe
def numbers(request: HttpRequest) -> HttpResponse:
    """The organization's numbers, in the order that is asked for."""
    chosen = _chosen(request)
    shown = Page(rows=[], newer="", older="")
    if chosen.is_valid():
        shown = keyset_page(request, chosen.qs, order=chosen.order)
    context = {
        "chosen": chosen,
        "filters": chosen.form,
        "page": shown,
        "may_select": NUMBERS_WRITE in request.may or NUMBERS_RELEASE in request.may,
        "query": request.GET.urlencode(),
    }
    return render(request, "numbers/numbers.html", context)


@page(NUMBERS_READ)
@require_safe
def export(request: HttpRequest) -> HttpResponseBase:
    """All numbers that the filters leave, whatever page is shown, as CSV: newest first, because a
    number keeps its place there while the file is written."""
    chosen = _chosen(request)
    if not chosen.is_valid():
        raise InvalidRequest("The list cannot be filtered like this. Nothing was exported.")
    name = f"numbers-{request.organization.slug}-{timezone.now():%Y-%m-%d}"
    return numbers_csv(name, NEWEST.walk(chosen.qs))


def _chosen(request: HttpRequest) -> NumberFilters:
    rows = PhoneNumber.objects.visible_to(request.organization).select_related("assistant")
    return NumberFilters(request.GET, rows, organization=request.organization)
