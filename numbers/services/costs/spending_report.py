"""What numbers cost in each calendar month, and what they will cost in the next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from burki.errors import InvalidRequest
from numbers.services.spending import month_start
from organizations.models import Organization

MONTHS_DEFAULT, MONTHS_MAX = 12, 36
ROWS_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What some numbers cost in one month. Amounts are None where nobody knows the price; such
    numbers have no `currency`, and are always told apart from those that have one."""

    month: date
    provider: str = ""
    assistant_id: int | None = None
    assistant_name: str = ""
    currency: str
    numbers: int = 0
    monthly: Decimal | None
    setup: Decimal | None

    @property
    def total(self) -> Decimal | None:
        if not self.currency:
            return None
        return (self.monthly or Decimal(0)) + (self.setup or Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingReport:
    """Costs from the month `first` to the running one, `this`, oldest first.

    `forecast` is the month after: the monthly price of every number that is owned now, as if none
    were bought or released until then. `forecast_of` tells it of each cost, the running month's
    included.
    """

    first: date
    this: date
    next: date
    costs: list[Cost]
    forecast: list[Cost]

    @property
    def months(self) -> list[date]:
        return list(_months(self.first, self.this))

    @property
    def currencies(self) -> list[str]:
        """Those that anything costs something in."""
        return sorted({cost.currency for cost in [*self.costs, *self.forecast] if cost.currency})

    def forecast_of(self, cost: Cost) -> Decimal | None:
        """What the cost's month will have cost at its end with the numbers that are owned now. Of
        the running month that is its total already: a number costs its whole month from the moment
        in which it is bought, so nothing accrues, and a release saves nothing before the next. None
        of a month that is over, which cannot change, and where the price is unknown."""
        return cost.total if cost.month >= self.this else None

    def by_month(self) -> list[Cost]:
        """One cost for each month and currency, also when it is zero; and one for the numbers of a
        month whose price is unknown, when there are any."""
        summed = _summed(self.costs, lambda cost: {"month": cost.month, "currency": cost.currency})
        found = {(cost.month, cost.currency): cost for cost in summed}
        for month in self.months:
            for currency in self.currencies:
                nothing = Cost(month=month, currency=currency, monthly=Decimal(0), setup=Decimal(0))
                found.setdefault((month, currency), nothing)
        return sorted(found.values(), key=_rank)

    def by_provider(self) -> list[Cost]:
        """One cost for each month, provider and currency in which there is any."""
        return _summed(
            self.costs,
            lambda cost: {
                "month": cost.month,
                "provider": cost.provider,
                "currency": cost.currency,
            },
        )

    def expected(self) -> list[Cost]:
        """The forecast for each currency, all providers and assistants together."""
        return _summed(self.forecast, lambda cost: {"month": cost.month, "currency": cost.currency})


def spending_report(
    organization: Organization,
    *,
    months: int = MONTHS_DEFAULT,
    provider: str = "",
    assistant_id: int | None = None,
    assigned: bool | None = None,
    by_assistant: bool = True,
    now: datetime | None = None,
) -> SpendingReport:
    """What the organization's numbers cost in the running calendar month (UTC) and those before it,
    `months` in all: the monthly price of every number owned at any moment of a month, and the
    set-up fees of the month's purchases; refused purchases cost nothing. That is how
    `spending.committed` counts, and the running month's total is the same.

    Only what is on record counts: a number costs in every month what it costs now, and belongs to
    the assistant that has it now, also in months when another one had it. Without `by_assistant`
    the costs of all assistants are summed.

    Raises `InvalidRequest` when there are more than `ROWS_MAX` costs to tell.
    """
    this = month_start(now or timezone.now()).date()
    first, following = _shifted(this, 1 - months), _shifted(this, 1)
    values = {
        "organization": organization.pk,
        "first": datetime(first.year, first.month, 1),
        "this": datetime(this.year, this.month, 1),
        "next": datetime(following.year, following.month, 1),
        "provider": provider,
        "assistant": assistant_id,
        "most": ROWS_MAX + 1,
    }
    only = _conditions(provider, assistant_id, assigned)
    assistant = "number.assistant_id" if by_assistant else "NULL::bigint"
    rows = _asked(_COSTS.format(only=only, assistant=assistant) + _IN_ORDER, values)
    if len(rows) > ROWS_MAX:
        raise InvalidRequest(
            f"The report has more than {ROWS_MAX} rows: narrow it with months, provider or "
            "assistant_id"
        )
    return SpendingReport(
        first=first,
        this=this,
        next=following,
        costs=[row for row in rows if row.month <= this],
        forecast=[row for row in rows if row.month > this],
    )


def dearest_assistants(
    organization: Organization,
    *,
    most: int,
    provider: str = "",
    assistant_id: int | None = None,
    assigned: bool | None = None,
    now: datetime | None = None,
) -> list[Cost]:
    """What the numbers of each assistant cost in the running month, both providers together, the
    dearest first: of each currency the first `most` assistants. Numbers that no assistant has are
    one of them; those whose price is unknown are left out. Counted as `spending_report` does."""
    this = month_start(now or timezone.now()).replace(tzinfo=None)
    values = {
        "organization": organization.pk,
        "first": this,
        "this": this,
        "next": this,
        "provider": provider,
        "assistant": assistant_id,
        "most": most,
    }
    only = _conditions(provider, assistant_id, assigned)
    return _asked(_COSTS.format(only=only, assistant="number.assistant_id") + _DEAREST, values)


def _asked(statement: str, values: dict[str, Any]) -> list[Cost]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [_to_cost(row) for row in cursor.fetchall()]


# Numbers are summed by the months in which they came and went already; of these few sums, a month
# has what came until then less what went before. Whatever is there now counts from the running
# month at the latest, also by the clock of another machine, and what came before the report begins
# counts from there.
# The assistant of a fee is its number's: read from the index of the organization's newest numbers,
# which holds it, and holds all but claimed ones. LIMIT keeps PostgreSQL from reading that from end
# to end.
_COSTS = """
WITH months AS (
    SELECT month FROM generate_series(%(first)s::timestamp, %(next)s, '1 month') AS month
), fees AS (
    SELECT purchase.claimed_at, purchase.provider, purchase.currency, purchase.setup_cost,
           number.assistant_id
      FROM numbers_purchase AS purchase LEFT JOIN LATERAL (
            SELECT assistant_id FROM numbers_phonenumber AS bought
             WHERE bought.organization_id = %(organization)s AND bought.id = purchase.number_id
               AND bought.status <> 'claimed'
            UNION ALL
            SELECT assistant_id FROM numbers_phonenumber AS claimed
             WHERE claimed.id = purchase.number_id AND claimed.status = 'claimed'
             LIMIT 1) AS number ON true
     WHERE purchase.organization_id = %(organization)s
       AND purchase.claimed_at >= %(first)s AT TIME ZONE 'UTC'
       AND purchase.state <> 'refused' AND purchase.setup_cost > 0
), owned AS (
    SELECT number.provider, {assistant} AS assistant_id, number.currency,
           GREATEST(LEAST(number.since, %(this)s), %(first)s) AS since,
           COALESCE(number.until, 'infinity') AS until,
           SUM(number.numbers) AS numbers, SUM(number.monthly) AS monthly
      FROM numbers_costtally AS number
     WHERE number.organization_id = %(organization)s
       AND (number.until IS NULL OR number.until >= %(first)s) {only}
     GROUP BY 1, 2, 3, 4, 5
    HAVING SUM(number.numbers) <> 0
), steps AS (
    SELECT month, provider, assistant_id, currency, SUM(numbers) AS numbers, SUM(monthly) AS monthly
      FROM (SELECT since AS month, provider, assistant_id, currency, numbers, monthly
              FROM owned WHERE since <= until
            UNION ALL
            SELECT until + interval '1 month', provider, assistant_id, currency, -numbers, -monthly
              FROM owned WHERE since <= until AND until < %(next)s) AS step
     GROUP BY 1, 2, 3, 4
), costs AS (
    SELECT months.month, provider, assistant_id, currency, SUM(numbers) AS numbers,
           SUM(monthly) AS monthly, NULL::numeric AS setup
      FROM months JOIN steps ON steps.month <= months.month
     GROUP BY 1, 2, 3, 4
    HAVING SUM(numbers) <> 0
    UNION ALL
    SELECT LEAST(date_trunc('month', number.claimed_at AT TIME ZONE 'UTC'), %(this)s),
           number.provider, {assistant}, number.currency, 0, NULL, SUM(number.setup_cost)
      FROM fees AS number WHERE true {only}
     GROUP BY 1, 2, 3, 4
), summed AS (
    SELECT month, provider, assistant_id, currency,
           SUM(numbers)::bigint AS numbers, SUM(monthly) AS monthly, SUM(setup) AS setup
      FROM costs GROUP BY 1, 2, 3, 4
)
"""
_IN_ORDER = """
SELECT summed.month, summed.provider, summed.assistant_id, COALESCE(assistant.name, ''),
       summed.currency, summed.numbers, summed.monthly, summed.setup
  FROM summed LEFT JOIN assistants_assistant AS assistant ON assistant.id = summed.assistant_id
 ORDER BY 1, 2, 3 NULLS FIRST, 5
 LIMIT %(most)s
"""
_DEAREST = """
, ranked AS (
    SELECT month, assistant_id, currency, SUM(numbers)::bigint AS numbers,
           SUM(monthly) AS monthly, SUM(setup) AS setup,
           ROW_NUMBER() OVER (
               PARTITION BY currency
               ORDER BY COALESCE(SUM(monthly), 0) + COALESCE(SUM(setup), 0) DESC,
                        assistant_id NULLS FIRST
           ) AS place
      FROM summed WHERE currency <> '' GROUP BY 1, 2, 3
)
SELECT ranked.month, '', ranked.assistant_id, COALESCE(assistant.name, ''),
       ranked.currency, ranked.numbers, ranked.monthly, ranked.setup
  FROM ranked LEFT JOIN assistants_assistant AS assistant ON assistant.id = ranked.assistant_id
 WHERE place <= %(most)s
 ORDER BY ranked.currency, place
"""


def _conditions(provider: str, assistant_id: int | None, assigned: bool | None) -> str:
    found = []
    if provider:
        found.append("AND number.provider = %(provider)s")
    if assistant_id is not None:
        found.append("AND number.assistant_id = %(assistant)s")
    if assigned is not None:
        found.append(f"AND number.assistant_id IS {'NOT NULL' if assigned else 'NULL'}")
    return " ".join(found)


def _to_cost(row: tuple[Any, ...]) -> Cost:
    month, provider, assistant_id, name, currency, numbers, monthly, setup = row
    known = Decimal(0) if currency else None
    return Cost(
        month=month.date(),
        provider=provider,
        assistant_id=assistant_id,
        assistant_name=name,
        currency=currency,
        numbers=numbers,
        monthly=known if monthly is None else monthly,
        setup=known if setup is None else setup,
    )


def _rank(cost: Cost) -> tuple[date, str, str]:
    """Unknown prices come last."""
    return cost.month, cost.provider, cost.currency or "~"


def _summed(costs: Iterable[Cost], told: Callable[[Cost], dict[str, Any]]) -> list[Cost]:
    """The costs that are told alike as one."""
    groups: dict[tuple[Any, ...], list[Cost]] = defaultdict(list)
    for cost in costs:
        groups[tuple(told(cost).values())].append(cost)
    found = [
        Cost(
            **told(group[0]),
            numbers=sum(cost.numbers for cost in group),
            monthly=_sum(cost.monthly for cost in group),
            setup=_sum(cost.setup for cost in group),
        )
        for group in groups.values()
    ]
    return sorted(found, key=_rank)


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def _months(first: date, last: date) -> Iterable[date]:
    while first <= last:
        yield first
        first = _shifted(first, 1)


def _shifted(month: date, by: int) -> date:
    """The first day of the month so many months later."""
    count = month.year * 12 + month.month - 1 + by
    return date(count // 12, count % 12 + 1, 1)
