"""What the same kind of number costs at each provider, from what searches saw."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from numbers import clocks
from organizations.models import Organization

PLACES_MAX = 200
OFFERS_MAX = 10_000  # the last ones; more would keep people waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What one provider's offers of a place cost in one currency; `latest` are the prices of its
    last offer that had one, seen at `seen_at`. Prices are those of one month but for the set-up."""

    provider: str
    currency: str
    latest_monthly: Decimal
    latest_setup: Decimal | None
    lowest_monthly: Decimal
    median_monthly: Decimal
    offers: int
    seen_at: datetime

    @property
    def first_year(self) -> Decimal:
        """Of the last offer: twelve months and the set-up fee."""
        return 12 * self.latest_monthly + (self.latest_setup or Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Numbers that replace each other: one country, region, area code and type. The area code is
    that of North America, where the numbers themselves tell it; elsewhere it is empty."""

    country: str
    region: str
    area_code: str
    number_type: str
    offered: list[Offered]

    @property
    def cheapest(self) -> str:
        """The provider that costs least in the first year; empty when only one is known, when they
        cost the same, or when their currencies differ."""
        if len({one.provider for one in self.offered}) < 2:
            return ""
        if len({one.currency for one in self.offered}) > 1:
            return ""
        first, second = sorted(self.offered, key=lambda one: one.first_year)[:2]
        return first.provider if first.first_year < second.first_year else ""


def compare_prices(
    organization: Organization,
    *,
    provider: str = "",
    country_code: str = "",
    area_code: str = "",
    number_type: str = "",
    most: int = 0,
) -> list[Place]:
    """The prices that searches of the last 90 days saw, by place: at most so many (`PLACES_MAX` if
    0), those that were looked for last.

    Only searches with the organization's own accounts count. What the platform's accounts saw
    tells nothing of prices that others do not have, but it would tell what others looked for.
    Offers without a price are left out.
    """
    given = {
        "provider": provider,
        "country": country_code.upper(),
        "area_code": area_code,
        "number_type": number_type,
    }
    values = given | {
        "after": timezone.now() - clocks.OFFERS_ARE_KEPT,
        "most": most or PLACES_MAX,
        "offers": OFFERS_MAX,
    }
    only = " ".join(f"AND {name} = %({name})s" for name, value in given.items() if value)
    accounts = organization.provider_accounts.values_list("pk", flat=True)
    newest = [_OF_ACCOUNT.format(account=int(pk), only=only) for pk in accounts]
    if not newest:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_PRICES.format(newest=" UNION ALL ".join(newest)), values)
        rows = cursor.fetchall()
    return _to_places(rows)


# One part for each account, so that its index gives the newest first and no others are read.
_OF_ACCOUNT = """(SELECT * FROM offered WHERE account_id = {account} {only}
                  ORDER BY id DESC LIMIT %(offers)s)"""
_PRICES = """
WITH offered AS NOT MATERIALIZED (
    SELECT id, account_id, provider, country, region, number_type,
           CASE WHEN phone_number LIKE '+1%%' THEN substr(phone_number, 3, 3) ELSE ''
           END AS area_code,
           currency, monthly_cost, setup_cost, seen_at
      FROM numbers_offer WHERE seen_at >= %(after)s AND monthly_cost IS NOT NULL
), seen AS (
    {newest}
     ORDER BY id DESC LIMIT %(offers)s
), counted AS ( -- prices are few: to sort all offers by place took as long as all else together
    SELECT country, region, area_code, number_type, provider, currency, monthly_cost,
           COUNT(*) AS offers, MAX(id) AS latest
      FROM seen
     GROUP BY 1, 2, 3, 4, 5, 6, 7
), summed AS (
    SELECT *, SUM(offers) OVER (alike ORDER BY monthly_cost) AS up_to,
           SUM(offers) OVER alike AS total
      FROM counted
    WINDOW alike AS (PARTITION BY country, region, area_code, number_type, provider, currency)
), priced AS (
    SELECT country, region, area_code, number_type, provider, currency,
           MIN(monthly_cost) AS lowest_monthly,
           MIN(monthly_cost) FILTER (WHERE 2 * up_to >= total) AS median_monthly,
           MAX(total)::bigint AS offers, MAX(latest) AS latest
      FROM summed
     GROUP BY 1, 2, 3, 4, 5, 6
), ranked AS (
    SELECT *,
           MAX(latest) OVER (PARTITION BY country, region, area_code, number_type) AS last_of_all
      FROM priced
), numbered AS (
    SELECT *, DENSE_RANK() OVER (ORDER BY last_of_all DESC) AS place FROM ranked
)
SELECT numbered.country, numbered.region, area_code, numbered.number_type, numbered.provider,
       numbered.currency, monthly_cost, setup_cost, lowest_monthly, median_monthly, offers, seen_at
  FROM numbered JOIN numbers_offer ON numbers_offer.id = latest
 WHERE place <= %(most)s
 ORDER BY 1, 2, 3, 4, 5, 6
"""


def _to_places(rows: list[tuple[Any, ...]]) -> list[Place]:
    offered: dict[tuple[str, ...], list[Offered]] = defaultdict(list)
    for country, region, area_code, number_type, provider, currency, *prices in rows:
        monthly, setup, lowest, median, offers, seen_at = prices
        offered[country, region, area_code, number_type].append(
            Offered(
                provider=provider,
                currency=currency,
                latest_monthly=monthly,
                latest_setup=setup,
                lowest_monthly=lowest,
                median_monthly=median,
                offers=offers,
                seen_at=seen_at,
            )
        )
    return [
        Place(
            country=country,
            region=region,
            area_code=area_code,
            number_type=number_type,
            offered=found,
        )
        for (country, region, area_code, number_type), found in offered.items()
    ]
