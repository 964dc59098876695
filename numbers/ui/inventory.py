"""The overview and the list of numbers."""

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from assistants.models import Assistant
from burki.errors import InvalidRequest
from burki.paging import NEWEST, Page, keyset_page
from numbers.models import PhoneNumber, Purchase
from numbers.services import spending
from numbers.services.costs.unused import DAYS_DEFAULT, unused_for, unused_numbers
from numbers.ui.export import number_lines
from numbers.ui.filters import NumberFilters
from organizations.models import Organization
from organizations.pages import page
from organizations.permissions import NUMBERS_READ, NUMBERS_RELEASE, NUMBERS_WRITE

Status, State = PhoneNumber.Status, Purchase.State


@page(NUMBERS_READ)
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """What there is, and what needs a person."""
    organization = request.organization
    counted = PhoneNumber.objects.visible_to(organization).aggregate(
        active=Count("pk", Q(status=Status.ACTIVE)),
        pending=Count("pk", Q(status=Status.PENDING)),
        releasing=Count("pk", Q(status=Status.RELEASING)),
        unassigned=Count("pk", Q(status=Status.ACTIVE, assistant=None)),
        ever=Count("pk"),
    )
    purchases = Purchase.objects.filter(organization=organization).aggregate(
        in_doubt=Count("pk", Q(state=State.UNCERTAIN)),
        needs_person=Count("pk", Q(needs_attention_at__isnull=False)),
        ever=Count("pk"),
    )
    committed, limit = spending.committed(organization), organization.monthly_limit
    context = {
        "numbers": counted,
        "purchases": purchases,
        "committed": committed,
        "left": None if limit is None else limit - committed,
        "unused": unused_for(unused_numbers(organization), DAYS_DEFAULT).count(),
        "unused_days": DAYS_DEFAULT,
        "steps": [] if counted["ever"] or purchases["ever"] else _first_steps(organization),
    }
    return render(request, "numbers/overview.html", context)


def _first_steps(organization: Organization) -> list[dict]:
    """What leads a new organization to its first number, and what of it is done."""
    own = organization.provider_accounts.filter(is_active=True).exists()
    assistant = Assistant.objects.filter(organization=organization, is_active=True).exists()
    return [
        {"done": own or organization.may_use_platform_accounts, "what": "credentials"},
        {"done": assistant, "what": "assistant"},
        {"done": False, "what": "number"},
    ]


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
def export(request: HttpRequest) -> StreamingHttpResponse:
    """All numbers that the filters leave, whatever page is shown, as CSV: newest first, because a
    number keeps its place there while the file is written."""
    chosen = _chosen(request)
    if not chosen.is_valid():
        raise InvalidRequest("The list cannot be filtered like this. Nothing was exported.")
    response = StreamingHttpResponse(
        number_lines(NEWEST.walk(chosen.qs)), content_type="text/csv; charset=utf-8"
    )
    name = f"numbers-{request.organization.slug}-{timezone.now():%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _chosen(request: HttpRequest) -> NumberFilters:
    rows = PhoneNumber.objects.visible_to(request.organization).select_related("assistant")
    return NumberFilters(request.GET, rows, organization=request.organization)
