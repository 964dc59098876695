"""Numbers that are paid for and that nobody calls or writes to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Case, Count, F, QuerySet, Sum, Value, When
from django.utils import timezone

from numbers.models import PhoneNumber
from numbers.models.phone_numbers import UNUSED_SINCE
from organizations.models import Organization, Provider

DAYS_DEFAULT, DAYS_MAX = 30, 3650
# By Twilio's guidance a number is active with three calls or three messages in the last month, and
# one that is not may be taken back. For Telnyx no such rule is known to us.
TWILIO_POLICY = "https://www.twilio.com/docs/phone-numbers/best-practices"
_TWILIO_MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reclaiming:
    """Whether a provider may take a number back because nobody uses it, and how we know. None: no
    rule of the provider is known that would tell."""

    possible: bool | None
    detail: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """What some numbers cost each month in one currency; none: their price is unknown."""

    currency: str
    numbers: int
    monthly: Decimal | None


def unused_numbers(organization: Organization) -> QuerySet[PhoneNumber]:
    """The organization's active numbers with the moment since which each is unused, as
    `unused_since`, for `unused_for` and for pages: longest ago first, then by key.

    That is its last call or message, to some minutes; if there was none, the moment in which it
    was bought, or in which we began to watch it when it was bought elsewhere and adopted: what
    happened before that, nobody here knows.
    """
    active = PhoneNumber.objects.filter(organization=organization, status=PhoneNumber.Status.ACTIVE)
    return active.annotate(unused_since=UNUSED_SINCE).order_by("unused_since", "pk")


def unused_for(
    numbers: QuerySet[PhoneNumber], days: int, *, now: datetime | None = None
) -> QuerySet[PhoneNumber]:
    """Of the numbers those without call or message in the last so many days."""
    return numbers.filter(unused_since__lte=(now or timezone.now()) - timedelta(days=days))


def savings(numbers: QuerySet[PhoneNumber]) -> list[Saving]:
    """What releasing all of the numbers would save each month."""
    summed = (
        numbers.order_by()
        .values(told=Case(When(monthly_cost=None, then=Value("")), default=F("currency")))
        .annotate(numbers=Count("pk"), monthly=Sum("monthly_cost"))
        .order_by("-told")
    )
    return [
        Saving(currency=row["told"], numbers=row["numbers"], monthly=row["monthly"])
        for row in summed
    ]


def reclaiming(provider: str, unused: timedelta) -> Reclaiming:
    """Whether the provider may take back a number that is unused for so long."""
    if provider != Provider.TWILIO:
        return Reclaiming(
            possible=None,
            detail=f"No rule of {Provider(provider).label} about unused numbers is known.",
        )
    if unused < _TWILIO_MONTH:
        return Reclaiming(
            possible=None,
            detail="It was in use within the last month; whether often enough for Twilio is not "
            "counted.",
            source=TWILIO_POLICY,
        )
    return Reclaiming(
        possible=True,
        detail="Twilio may take back numbers with fewer than three calls or three messages in a "
        "month; it gives no date.",
        source=TWILIO_POLICY,
    )
