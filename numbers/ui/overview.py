"""The overview: what there is, what it costs, what needs somebody."""

from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from assistants.models import Assistant
from burki.templatetags.charts import Bar
from burki.text import price
from numbers.models import BulkPurchase, NumberTally, PhoneNumber, Purchase
from numbers.services import spending
from numbers.services.bulk import progress_of
from numbers.services.costs.unused import DAYS_DEFAULT, unused_for, unused_numbers
from numbers.ui import many_words
from organizations.models import Organization, Provider
from organizations.pages import page
from organizations.permissions import NUMBERS_READ

Status, State = PhoneNumber.Status, Purchase.State

_NEARLY_SPENT, _SPENT = 80, 100  # per cent of the monthly limit
_RUNNING_SHOWN = 3
_COLOURS = {Provider.TELNYX: "blue"}


@page(NUMBERS_READ)
@require_safe
def overview(request: HttpRequest) -> HttpResponse:
    """What there is, and what needs a person."""
    organization = request.organization
    groups = _numbers(organization)
    purchases = Purchase.objects.filter(
        Q(state=State.UNCERTAIN) | Q(needs_attention_at__isnull=False), organization=organization
    ).aggregate(
        in_doubt=Count("pk", Q(state=State.UNCERTAIN)),
        needs_person=Count("pk", Q(needs_attention_at__isnull=False)),
    )
    if not groups and not any(purchases.values()) and _is_new(organization):
        context = {"steps": _first_steps(organization)}
        return render(request, "numbers/overview.html", context)
    accounts = list(organization.provider_accounts.filter(is_active=True))
    context = {
        "numbers": {
            name: sum(group[name] for group in groups)
            for name in ("active", "pending", "releasing", "unassigned", "drifted")
        }
        | {"unused": unused_for(unused_numbers(organization), DAYS_DEFAULT).count()},
        "purchases": purchases,
        "low": [account for account in accounts if account.low_balance],
        "running": _running(organization),
        "spent": _spent(organization),
        "bars": _bars(groups),
        "unpriced": sum(group["count"] - group["priced"] for group in groups),
        "unused_days": DAYS_DEFAULT,
    }
    return render(request, "numbers/overview.html", context)


def _numbers(organization: Organization) -> list[dict[str, Any]]:
    """What is told of the live numbers, by provider and currency."""
    active = Q(status=Status.ACTIVE)
    live = NumberTally.objects.filter(organization=organization).inventory()

    def count(*which: Q) -> Coalesce:
        return Coalesce(Sum("numbers", filter=Q(*which)), 0)

    return list(
        live.order_by("provider", "currency")
        .values("provider", "currency")
        .annotate(
            active=count(active),
            pending=count(Q(status=Status.PENDING)),
            releasing=count(Q(status=Status.RELEASING)),
            unassigned=count(active, Q(assigned=False)),
            drifted=count(active, Q(drifted=True)),
            count=count(),
            priced=Sum("priced"),
            cost=Sum("monthly"),
        )
        .filter(count__gt=0)
    )


def _is_new(organization: Organization) -> bool:
    """Whether it never had a number and never tried to buy one."""
    had = PhoneNumber.objects.visible_to(organization).exists()
    return not had and not Purchase.objects.filter(organization=organization).exists()


def _first_steps(organization: Organization) -> list[dict]:
    """What leads a new organization to its first number, and what of it is done."""
    own = organization.provider_accounts.filter(is_active=True).exists()
    assistant = Assistant.objects.filter(organization=organization, is_active=True).exists()
    return [
        {"done": own or organization.may_use_platform_accounts, "what": "credentials"},
        {"done": assistant, "what": "assistant"},
        {"done": False, "what": "number"},
    ]


def _running(organization: Organization) -> list[dict[str, Any]]:
    rows = BulkPurchase.objects.filter(
        organization=organization, state=BulkPurchase.State.RUNNING
    ).order_by("-pk")[:_RUNNING_SHOWN]
    bulks = list(rows.select_related("organization"))
    told = progress_of(bulks)
    return [
        {
            "bulk": bulk,
            "wanted": many_words.wanted(bulk.request),
            "standing": many_words.standing(bulk, told[bulk.pk]),
            "parts": many_words.parts(told[bulk.pk]),
        }
        for bulk in bulks
    ]


def _spent(organization: Organization) -> dict[str, Any]:
    """The month's commitment beside the limit. `tone` is amber from 80 %, red from 100 %."""
    committed, limit = spending.committed(organization), organization.monthly_limit
    currency = organization.limit_currency
    spent = {"committed": committed, "limit": limit, "currency": currency}
    if limit is None:
        return spent
    percent = int(100 * committed / limit) if limit else _SPENT
    tone = "red" if percent >= _SPENT else "amber" if percent >= _NEARLY_SPENT else "green"
    label = f"{price(committed, currency)} of {price(limit, currency)} committed, {percent} %"
    return spent | {
        "left": limit - committed,
        "percent": percent,
        "tone": tone,
        "label": label,
        "parts": [(tone, min(committed, limit) if limit else Decimal(1))],
    }


def _bars(groups: list[dict[str, Any]]) -> list[Bar]:
    """What the numbers of each provider cost a month, by currency."""
    return [
        Bar(
            label=_label(group),
            words=f"{price(group['cost'], group['currency'])} a month",
            amount=group["cost"],
            colour=_COLOURS.get(group["provider"], ""),
            url=f"{reverse('numbers')}?{urlencode({'provider': group['provider']})}",
        )
        for group in groups
        if group["priced"]
    ]


def _label(group: dict[str, Any]) -> str:
    count = group["count"]
    return f"{Provider(group['provider']).label}, {count} number{'' if count == 1 else 's'}"
