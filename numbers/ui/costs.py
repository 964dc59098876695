"""What numbers cost: by month, and for nothing."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from burki.moments import moment_page
from burki.templatetags.columns import Column, Columns
from numbers.models import PhoneNumber
from numbers.services import spending as limits
from numbers.services.costs.comparison import Offered, Place, compare_prices
from numbers.services.costs.spending_report import (
    Cost,
    SpendingReport,
    dearest_assistants,
    spending_report,
)
from numbers.services.costs.unused import (
    DAYS_DEFAULT,
    reclaiming,
    savings,
    unused_for,
    unused_numbers,
)
from numbers.ui.filters import SpendingFilters, UnusedFilters
from organizations.models import Provider
from organizations.pages import page
from organizations.permissions import NUMBERS_READ

PLACES_SHOWN = 20
ASSISTANTS_SHOWN = 10  # of each currency; the file has all
# Where chosen numbers are looked at once more before they are released.
RELEASE = "/numbers/release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A row of the table: what each provider costs, in their order, and all together."""

    month: date
    amounts: list[Decimal]
    setup: Decimal
    total: Decimal
    numbers: int
    forecast: bool


@page(NUMBERS_READ)
@require_safe
def spending(request: HttpRequest) -> HttpResponse:
    """What the numbers cost in each month and will cost in the next; and what they would cost at
    the other provider."""
    organization = request.organization
    filters = SpendingFilters(request.GET, organization=organization)
    asked = filters.asked() if filters.is_valid() else {}
    report = spending_report(organization, by_assistant=False, **asked)
    unused = savings(unused_for(unused_numbers(organization), DAYS_DEFAULT))
    allowance = limits.allowance(organization)
    whose = {name: value for name, value in asked.items() if name != "months"}
    assistants = dearest_assistants(organization, most=ASSISTANTS_SHOWN + 1, **whose)
    context = {
        "filters": filters.form,
        "report": report,
        "sections": [
            _section(report, currency, allowance) for currency in _currencies(report, allowance)
        ],
        "assistants": [
            _of_assistants(assistants, currency) for currency in _currencies(report, allowance)
        ],
        "assistants_file": _file("report-spending-csv", {"months": 1} | whose),
        "unpriced": sum(cost.numbers for cost in report.forecast if not cost.currency),
        "allowance": allowance,
        "full": allowance.limit is not None and allowance.committed >= allowance.limit,
        "expected": _expected(report, allowance),
        "month_end": _month_end(report, allowance),
        "unused": unused,
        "unused_count": sum(saving.numbers for saving in unused),
        "unused_days": DAYS_DEFAULT,
        "file": _file("report-spending-csv", asked),
        "places": [_priced(place) for place in compare_prices(organization, most=PLACES_SHOWN)],
        "places_file": reverse("report-price-comparison-csv"),
        "providers": Provider.labels,
    }
    return render(request, "numbers/spending.html", context)


def _currencies(report: SpendingReport, allowance: limits.Allowance) -> list[str]:
    """The one that the limit counts first."""
    return sorted(
        report.currencies, key=lambda currency: (currency != allowance.currency, currency)
    )


def _expected(report: SpendingReport, allowance: limits.Allowance) -> list[Cost]:
    known = {cost.currency: cost for cost in report.expected()}
    return [known[one] for one in _currencies(report, allowance) if one in known]


def _month_end(report: SpendingReport, allowance: limits.Allowance) -> list[dict[str, Any]]:
    """What the running month will have cost at its end, for each currency."""
    known = {cost.currency: cost for cost in report.by_month() if cost.month == report.this}
    return [
        {"amount": report.forecast_of(known[one]), "currency": one}
        for one in _currencies(report, allowance)
        if one in known
    ]


def _of_assistants(dearest: list[Cost], currency: str) -> dict[str, Any]:
    mine = [cost for cost in dearest if cost.currency == currency]
    return {
        "currency": currency,
        "rows": mine[:ASSISTANTS_SHOWN],
        "more": len(mine) > ASSISTANTS_SHOWN,
    }


def _section(report: SpendingReport, currency: str, allowance: limits.Allowance) -> dict[str, Any]:
    """What there is to tell of one currency."""
    costs = [
        cost for cost in (*report.by_provider(), *report.forecast) if cost.currency == currency
    ]
    months = [_month(month, costs) for month in report.months]
    following = _month(report.next, costs, forecast=True)
    shown = [*months, following]
    first, this = f"{report.first:%B %Y}", f"{report.this:%B %Y}"
    span = this if report.first == report.this else f"{first} to {this}"
    chart = Columns(
        key=f"spending-{currency.lower()}",
        title=f"Spending in {currency}",
        description=f"By month and provider, {span}, and the forecast for {report.next:%B %Y}.",
        currency=currency,
        series=list(Provider.labels),
        columns=[
            Column(
                label=f"{row.month:%b}",
                name=f"{row.month:%B %Y}{' (forecast)' if row.forecast else ''}",
                amounts=row.amounts,
                forecast=row.forecast,
            )
            for row in shown
        ],
        line=allowance.limit if currency == allowance.currency else None,
        line_name="Monthly limit",
    )
    return {"currency": currency, "chart": chart, "rows": shown[::-1]}


def _month(month: date, costs: list[Cost], *, forecast: bool = False) -> Month:
    mine = [cost for cost in costs if cost.month == month]
    amounts = [
        sum((cost.total for cost in mine if cost.provider == provider), Decimal(0))
        for provider in Provider.values
    ]
    return Month(
        month=month,
        amounts=amounts,
        setup=sum((cost.setup for cost in mine), Decimal(0)),
        total=sum(amounts, Decimal(0)),
        numbers=sum(cost.numbers for cost in mine),
        forecast=forecast,
    )


def _priced(place: Place) -> dict[str, Any]:
    """A place with a cell for each provider, in their order."""
    offered: dict[str, list[Offered]] = {name: [] for name in Provider.values}
    for one in place.offered:
        offered[one.provider].append(one)
    search = {
        "country_code": place.country,
        "area_code": place.area_code,
        "number_type": place.number_type,
    }
    return {
        "place": place,
        "cells": [
            {"label": Provider(name).label, "found": found, "best": name == place.cheapest}
            for name, found in offered.items()
        ],
        "search": f"{reverse('search')}?{urlencode({k: v for k, v in search.items() if v})}",
    }


@page(NUMBERS_READ)
@require_safe
def unused(request: HttpRequest) -> HttpResponse:
    """Active numbers without calls and messages, longest ago first, and what they cost."""
    numbers = unused_numbers(request.organization).select_related("assistant")
    chosen = UnusedFilters(request.GET, numbers, organization=request.organization)
    found = chosen.qs if chosen.is_valid() else numbers.none()
    listed = moment_page(request, found, "unused_since")
    totals = savings(found)
    context = {
        "filters": chosen.form,
        "page": listed,
        "rows": [_unused(number) for number in listed.rows],
        "days": chosen.days_asked if chosen.is_valid() else DAYS_DEFAULT,
        "savings": totals,
        "count": sum(saving.numbers for saving in totals),
        "file": _file("report-unused-csv", chosen.asked() if chosen.is_valid() else {}),
        "release": RELEASE if "numbers:release" in request.may else "",
    }
    return render(request, "numbers/unused.html", context)


def _unused(number: PhoneNumber) -> dict[str, Any]:
    unused = timezone.now() - number.unused_since
    return {
        "number": number,
        "days": max(0, unused.days),
        "reclaiming": reclaiming(number.provider, unused),
    }


def _file(name: str, asked: dict[str, Any]) -> str:
    """The address of the report as a file, with the same filters."""
    told = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in asked.items()
    }
    return f"{reverse(name)}?{urlencode(told)}" if told else reverse(name)
