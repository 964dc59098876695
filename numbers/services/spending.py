"""Limits of money and of count. Reserved by the claim, under the organization's lock; freed with
a refusal, because the claim's row goes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.db.models import Q, Sum
from django.utils import timezone

from burki.text import money
from numbers.exceptions import (
    MonthlyLimitExceeded,
    PriceChanged,
    PriceUnknown,
    SpendingLimitExceeded,
)
from numbers.models import NumberTally, PhoneNumber, Purchase
from numbers.providers.base import Price
from organizations.models import Organization


def month_start(moment: datetime) -> datetime:
    """The first instant of the calendar month (UTC) that `moment` lies in."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def committed(organization: Organization) -> Decimal:
    """Money committed for the running calendar month, in the organization's currency: the monthly
    price of every number owned at any moment of it, and the set-up fees of its purchases, those
    still under way included."""
    start = month_start(timezone.now())
    currency = organization.limit_currency
    monthly = NumberTally.objects.filter(
        ~Q(status=PhoneNumber.Status.RELEASED) | Q(until__gte=start.date()),
        organization=organization,
        currency=currency,
    ).aggregate(total=Sum("monthly"))["total"]
    setup = (
        Purchase.objects.filter(
            organization=organization, claimed_at__gte=start, currency=currency, setup_cost__gt=0
        )
        .exclude(state=Purchase.State.REFUSED)
        .aggregate(total=Sum("setup_cost"))["total"]
    )
    return (monthly or Decimal(0)) + (setup or Decimal(0))


def cost_so_far(number: PhoneNumber) -> Decimal | None:
    """What a number has cost since it was bought, as far as our prices tell: the set-up fee, and
    its present monthly price for every calendar month (UTC) in which it was ours. None when nobody
    can tell."""
    if number.monthly_cost is None or number.purchased_at is None:
        return None
    first = number.purchased_at.astimezone(UTC)
    last = (number.released_at or timezone.now()).astimezone(UTC)
    months = max(1, (last.year - first.year) * 12 + last.month - first.month + 1)
    return (number.setup_cost or Decimal(0)) + months * number.monthly_cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How an organization stands against its monthly limit; without one, `left` is None."""

    currency: str
    limit: Decimal | None
    committed: Decimal

    @property
    def left(self) -> Decimal | None:
        """Below zero when the limit was lowered under what was committed already."""
        return None if self.limit is None else self.limit - self.committed


def allowance(organization: Organization) -> Allowance:
    return Allowance(
        currency=organization.limit_currency,
        limit=organization.monthly_limit,
        committed=committed(organization),
    )


def check_price(
    price: Price, *, max_monthly_cost: Decimal | None, max_setup_cost: Decimal | None
) -> None:
    """Raises `PriceChanged` when the number costs more than the caller allows, `PriceUnknown`
    when nobody can tell."""
    for what, cost, most in (
        ("monthly", price.monthly, max_monthly_cost),
        ("setup", price.setup, max_setup_cost),
    ):
        if most is None:
            continue
        if cost is None:
            raise PriceUnknown(
                f"The {what} cost of this number is not known.",
                charged=False,
                hint=f"Search for it first, or leave out max_{what}_cost.",
            )
        if cost > most:
            raise PriceChanged(
                f"The {what} cost is {money(cost)} {price.currency}, more than {money(most)}.",
                charged=False,
                hint=f"Raise max_{what}_cost, or choose another number.",
                monthly_cost=money(price.monthly),
                setup_cost=money(price.setup),
                currency=price.currency,
            )


def check_limits(organization: Organization, price: Price) -> Decimal | None:
    """Whether one more number fits. Call it under the organization's lock. Returns what is
    committed with it, if there is a limit of money.

    Raises `SpendingLimitExceeded` (`MonthlyLimitExceeded` for the limit of money), or
    `PriceUnknown` when there is a limit of money and no price in its currency.
    """
    if organization.number_limit is not None:
        count = NumberTally.objects.filter(organization=organization).owned().total()
        if count >= organization.number_limit:
            raise SpendingLimitExceeded(
                f"The organization may have {organization.number_limit} numbers and has {count}.",
                charged=False,
                hint="Release a number, or ask an owner to raise the limit.",
            )
    if organization.monthly_limit is None:
        return None
    if (
        price.monthly is None
        or price.setup is None
        or price.currency != organization.limit_currency
    ):
        raise PriceUnknown(
            f"The price of this number in {organization.limit_currency} is not known, and the "
            "organization has a spending limit.",
            charged=False,
            hint="Search for the number first, or choose another.",
        )
    spent, cost = committed(organization), price.monthly + price.setup
    if spent + cost > organization.monthly_limit:
        raise MonthlyLimitExceeded(
            f"The monthly limit is {money(organization.monthly_limit)} "
            f"{organization.limit_currency}: {money(spent)} are committed and this number costs "
            f"{money(cost)}.",
            charged=False,
            hint="Release a number, or ask an owner to raise the limit.",
        )
    return spent + cost
