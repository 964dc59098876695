"""What reports look like, as JSON and as rows of a file; and for the API's documentation."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import DurationField, Expression, ExpressionWrapper, F, Value
from django.db.models.functions import ExtractDay, Greatest
from rest_framework import serializers

from burki.moments import Told
from burki.openapi import Amount, Answer, Instant
from burki.text import instant, money
from numbers.models import PhoneNumber
from numbers.services.costs.comparison import Offered, Place
from numbers.services.costs.spending_report import Cost, SpendingReport
from numbers.services.costs.unused import Saving, reclaiming
from numbers.services.search import NUMBER_TYPES
from numbers.services.spending import Allowance
from organizations.models import Provider

# --- Spending ------------------------------------------------------------------------------------


class _Currency(serializers.CharField):
    def __init__(self, **kwargs: Any):
        super().__init__(
            allow_null=True, help_text="null: nobody knows what these numbers cost.", **kwargs
        )


class MonthCost(Answer):
    month = serializers.RegexField(r"^[0-9]{4}-[0-9]{2}$")
    currency = _Currency()
    numbers = serializers.IntegerField(help_text="Owned at any moment of the month.")
    monthly_cost = Amount(allow_null=True)
    setup_cost = Amount(allow_null=True)
    total = Amount(allow_null=True)
    forecast_total = Amount(
        allow_null=True,
        help_text="What the month will have cost at its end with the numbers owned now; of the "
        "running month its total already. null: the month is over, or the price unknown.",
    )


class CostItem(MonthCost):
    """`assistant_id` is the assistant that has the numbers now."""

    provider = serializers.ChoiceField(choices=Provider.values)
    assistant_id = serializers.IntegerField(allow_null=True)
    assistant_name = serializers.CharField(allow_null=True)


class LimitAnswer(Answer):
    """Of the whole organization, whatever the filters."""

    currency = serializers.CharField()
    monthly_limit = Amount(allow_null=True)
    committed = Amount()
    left = Amount(allow_null=True)


class SpendingAnswer(Answer):
    from_month = serializers.RegexField(r"^[0-9]{4}-[0-9]{2}$")
    to_month = serializers.RegexField(r"^[0-9]{4}-[0-9]{2}$")
    totals = MonthCost(many=True, help_text="Each month in each currency, oldest first.")
    items = CostItem(many=True)
    forecast = MonthCost(many=True, help_text="Next month, if nothing is bought or released.")
    limit = LimitAnswer()


def spending_answer(report: SpendingReport, limit: Allowance) -> dict[str, Any]:
    return {
        "from_month": f"{report.first:%Y-%m}",
        "to_month": f"{report.this:%Y-%m}",
        "totals": [_month_cost(report, cost) for cost in report.by_month()],
        "items": [_cost_item(report, cost) for cost in report.costs],
        "forecast": [_month_cost(report, cost) for cost in report.expected()],
        "limit": {
            "currency": limit.currency,
            "monthly_limit": money(limit.limit),
            "committed": money(limit.committed),
            "left": money(limit.left),
        },
    }


def _month_cost(report: SpendingReport, cost: Cost) -> dict[str, Any]:
    return {
        "month": f"{cost.month:%Y-%m}",
        "currency": cost.currency or None,
        "numbers": cost.numbers,
        "monthly_cost": money(cost.monthly),
        "setup_cost": money(cost.setup),
        "total": money(cost.total),
        "forecast_total": money(report.forecast_of(cost)),
    }


def _cost_item(report: SpendingReport, cost: Cost) -> dict[str, Any]:
    return _month_cost(report, cost) | {
        "provider": cost.provider,
        "assistant_id": cost.assistant_id,
        "assistant_name": cost.assistant_name or None,
    }


SPENDING_COLUMNS = (
    "month", "forecast", "provider", "assistant_id", "assistant_name", "currency", "numbers",
    "monthly_cost", "setup_cost", "total", "forecast_total",
)  # fmt: skip


def spending_rows(report: SpendingReport) -> Iterable[dict[str, Any]]:
    for cost in (*report.costs, *report.forecast):
        yield _cost_item(report, cost) | {"forecast": cost.month > report.this}


# --- Unused numbers ------------------------------------------------------------------------------


class SavingAnswer(Answer):
    currency = _Currency()
    numbers = serializers.IntegerField()
    monthly_cost = Amount(allow_null=True)


class ReclaimAnswer(Answer):
    """Whether the provider may take the number back because nobody uses it."""

    possible = serializers.BooleanField(
        allow_null=True, help_text="null: no rule of the provider is known that would tell."
    )
    detail = serializers.CharField()
    source = serializers.URLField(allow_null=True)


class UnusedNumber(Answer):
    id = serializers.IntegerField()
    phone_number = serializers.CharField()
    friendly_name = serializers.CharField(allow_blank=True)
    provider = serializers.ChoiceField(choices=Provider.values)
    assistant_id = serializers.IntegerField(allow_null=True)
    assistant_name = serializers.CharField(allow_null=True)
    unused_since = Instant()
    days_unused = serializers.IntegerField()
    last_activity_at = Instant(allow_null=True)
    purchased_at = Instant(allow_null=True)
    monthly_cost = Amount(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    reclaim = ReclaimAnswer()


class UnusedNumbersPage(Answer):
    totals = SavingAnswer(many=True, help_text="Of all pages: what releasing them would save.")
    items = UnusedNumber(many=True)
    next = serializers.URLField(allow_null=True, help_text="null on the last page.")
    previous = serializers.URLField(allow_null=True)


def saving_answer(saving: Saving) -> dict[str, Any]:
    return {
        "currency": saving.currency or None,
        "numbers": saving.numbers,
        "monthly_cost": money(saving.monthly),
    }


def unused_answer(number: PhoneNumber, now: datetime) -> dict[str, Any]:
    """Of a row of `unused_numbers`."""
    unused = now - number.unused_since
    reclaim = reclaiming(number.provider, unused)
    return {
        "id": number.pk,
        "phone_number": number.phone_number,
        "friendly_name": number.friendly_name,
        "provider": number.provider,
        "assistant_id": number.assistant_id,
        "assistant_name": number.assistant.name if number.assistant else None,
        "unused_since": instant(number.unused_since),
        "days_unused": max(0, unused.days),
        "last_activity_at": instant(number.last_activity_at),
        "purchased_at": instant(number.purchased_at),
        "monthly_cost": money(number.monthly_cost),
        "currency": number.currency or None,
        "reclaim": {
            "possible": reclaim.possible,
            "detail": reclaim.detail,
            "source": reclaim.source or None,
        },
    }


UNUSED_COLUMNS = (
    "id", "phone_number", "friendly_name", "provider", "assistant_id", "assistant_name",
    "unused_since", "days_unused", "last_activity_at", "purchased_at", "monthly_cost", "currency",
    "reclaim_possible", "reclaim_detail",
)  # fmt: skip


def unused_told(now: datetime) -> list[str | Expression]:
    """What a row of the file is made of, in the order of its first columns: whole numbers with
    their assistants take far longer to read."""
    days = ExtractDay(ExpressionWrapper(Value(now) - F("unused_since"), DurationField()))
    return [
        "pk", "phone_number", "friendly_name", "provider", "assistant_id", "assistant__name",
        Told("unused_since"), Greatest(0, days), Told("last_activity_at"), Told("purchased_at"),
        "monthly_cost", "currency",
    ]  # fmt: skip


def unused_rows(numbers: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
    """Of rows of what is `unused_told`."""
    for number in numbers:
        *told, monthly, currency = number
        reclaim = reclaiming(told[3], timedelta(days=told[7]))
        yield [*told, money(monthly), currency or None, reclaim.possible, reclaim.detail]


# --- Prices compared -----------------------------------------------------------------------------


class OfferedAnswer(Answer):
    """`monthly_cost` and `setup_cost` are those of the last offer."""

    provider = serializers.ChoiceField(choices=Provider.values)
    currency = serializers.CharField()
    monthly_cost = Amount()
    setup_cost = Amount(allow_null=True)
    first_year_cost = Amount()
    lowest_monthly_cost = Amount()
    median_monthly_cost = Amount()
    offers = serializers.IntegerField(help_text="How many offers were seen.")
    seen_at = Instant()


class PlaceAnswer(Answer):
    country_code = serializers.CharField(allow_null=True)
    region = serializers.CharField(allow_null=True)
    area_code = serializers.CharField(allow_null=True)
    number_type = serializers.ChoiceField(choices=NUMBER_TYPES)
    cheapest = serializers.ChoiceField(
        choices=Provider.values,
        allow_null=True,
        help_text="Who costs least in the first year; null when that cannot be told.",
    )
    providers = OfferedAnswer(many=True)


class PriceComparisonAnswer(Answer):
    items = PlaceAnswer(many=True)


def place_answer(place: Place) -> dict[str, Any]:
    return _place(place) | {"providers": [_offered(one) for one in place.offered]}


def _place(place: Place) -> dict[str, Any]:
    return {
        "country_code": place.country or None,
        "region": place.region or None,
        "area_code": place.area_code or None,
        "number_type": place.number_type,
        "cheapest": place.cheapest or None,
    }


def _offered(one: Offered) -> dict[str, Any]:
    return {
        "provider": one.provider,
        "currency": one.currency,
        "monthly_cost": money(one.latest_monthly),
        "setup_cost": money(one.latest_setup),
        "first_year_cost": money(one.first_year),
        "lowest_monthly_cost": money(one.lowest_monthly),
        "median_monthly_cost": money(one.median_monthly),
        "offers": one.offers,
        "seen_at": instant(one.seen_at),
    }


COMPARISON_COLUMNS = (
    "country_code", "region", "area_code", "number_type", "cheapest", "provider", "currency",
    "monthly_cost", "setup_cost", "first_year_cost", "lowest_monthly_cost", "median_monthly_cost",
    "offers", "seen_at",
)  # fmt: skip


def comparison_rows(places: Iterable[Place]) -> Iterable[dict[str, Any]]:
    for place in places:
        for one in place.offered:
            yield _place(place) | _offered(one)
