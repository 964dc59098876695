"""The overview, the list of numbers, and each number's page."""

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from assistants.models import Assistant
from burki.paging import keyset_page
from numbers.models import PhoneNumber, Purchase, Release
from numbers.services import spending
from numbers.services.costs.unused import DAYS_DEFAULT, unused_for, unused_numbers
from numbers.ui import words
from numbers.ui.filters import NumberFilters
from organizations.models import AuditEvent, Organization
from organizations.pages import page
from organizations.permissions import NUMBERS_READ

_EVENTS_SHOWN = 50
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
