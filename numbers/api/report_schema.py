"""What the API's documentation says of reports (see `burki.openapi`)."""

from dataclasses import replace
from functools import partial
from typing import Any

import django_filters

from burki.filters import chosen
from burki.moments import MomentPagination
from burki.openapi import Operation, paging, query_of, raised, wrong_limit
from numbers.api import report_answers as answers
from numbers.api.examples import NUMBER
from numbers.filters import PriceComparisonFilter, SpendingFilter, UnusedFilter
from numbers.services.costs.spending_report import MONTHS_DEFAULT
from numbers.services.costs.unused import DAYS_DEFAULT, TWILIO_POLICY

_operation = partial(Operation, tag="Costs")
_CSV = "text/csv"
_WHOSE = {
    "assistant_id": "Numbers that this assistant has now.",
    "assigned": "Numbers that have an assistant now, or none.",
}


def _wrong(filters: type[django_filters.FilterSet], **wanted: str) -> Exception:
    return raised(chosen, filters, wanted)


_MONTH = {
    "month": "2024-01",
    "currency": "USD",
    "numbers": 2,
    "monthly_cost": "2.30",
    "setup_cost": "1.00",
    "total": "3.30",
    "forecast_total": "3.30",
}
_ITEM = _MONTH | {"provider": "telnyx", "assistant_id": 123, "assistant_name": "Support"}
_NEXT = _MONTH | {
    "month": "2024-02",
    "setup_cost": "0.00",
    "total": "2.30",
    "forecast_total": "2.30",
}
_WHEN = "2024-01-15T10:30:00Z"
_UNUSED = {
    "id": 1,
    "phone_number": NUMBER,
    "friendly_name": "Support line",
    "provider": "twilio",
    "assistant_id": None,
    "assistant_name": None,
    "unused_since": _WHEN,
    "days_unused": 45,
    "last_activity_at": None,
    "purchased_at": _WHEN,
    "monthly_cost": "1.15",
    "currency": "USD",
    "reclaim": {
        "possible": True,
        "detail": "Twilio may take back numbers with fewer than three calls or three messages in "
        "a month; it gives no date.",
        "source": TWILIO_POLICY,
    },
}
_OFFERED = {
    "provider": "twilio",
    "currency": "USD",
    "monthly_cost": "1.15",
    "setup_cost": "0.00",
    "first_year_cost": "13.80",
    "lowest_monthly_cost": "1.15",
    "median_monthly_cost": "1.15",
    "offers": 20,
    "seen_at": _WHEN,
}
_PLACE = {
    "country_code": "US",
    "region": "CA",
    "area_code": "415",
    "number_type": "local",
    "cheapest": None,
    "providers": [_OFFERED],
}

REPORTS = {
    "spending": _operation(
        summary="Spending by month",
        description="For each calendar month (UTC), provider, assistant and currency: the monthly "
        "price of every number owned at any moment of the month, and the set-up fees of its "
        "purchases; refused ones cost nothing. The running month's total is what counts against "
        "the monthly limit. A number costs in every month what it costs now, and belongs to the "
        "assistant that has it now. `forecast_total` is what a month will have cost at "
        "its end with the numbers owned now: of the running month its total already, for a number "
        "costs its whole month from the moment in which it is bought, and a release saves nothing "
        "before the next. `forecast` is next month, if nothing is bought or released.",
        parameters=query_of(
            SpendingFilter,
            months=f"How many months, the running one included; {MONTHS_DEFAULT} if not given.",
            **_WHOSE,
        ),
        answer=answers.SpendingAnswer,
        examples={
            "One month": {
                "from_month": "2024-01",
                "to_month": "2024-01",
                "totals": [_MONTH],
                "items": [_ITEM],
                "forecast": [_NEXT],
                "limit": {
                    "currency": "USD",
                    "monthly_limit": "100.00",
                    "committed": "3.30",
                    "left": "96.70",
                },
            }
        },
        errors=[_wrong(SpendingFilter, months="0")],
    ),
    "unused": _operation(
        summary="Numbers that nobody uses",
        description="Active numbers without call or message in the last days, longest ago first, "
        "with what they cost. A number that was never used counts from its purchase, or from "
        "when it was adopted. `totals` is what releasing all of them would save each month.",
        parameters=[
            *query_of(
                UnusedFilter,
                days=f"Without call or message for so many days; {DAYS_DEFAULT} if not given, "
                "0 for all.",
                **_WHOSE,
            ),
            *paging(MomentPagination),
        ],
        answer=answers.UnusedNumbersPage,
        examples={
            "One number": {
                "totals": [{"currency": "USD", "numbers": 1, "monthly_cost": "1.15"}],
                "items": [_UNUSED],
                "next": None,
                "previous": None,
            }
        },
        errors=[_wrong(UnusedFilter, days="x"), wrong_limit(MomentPagination)],
    ),
    "price_comparison": _operation(
        summary="Prices of both providers compared",
        description="What searches with the organization's own accounts saw in the last 90 days, "
        "by country, region, area code (North America) and type: at most 200 places, those that "
        "were looked for last.",
        parameters=query_of(PriceComparisonFilter),
        answer=answers.PriceComparisonAnswer,
        examples={"One place": {"items": [_PLACE]}},
        errors=[_wrong(PriceComparisonFilter, country_code="x")],
    ),
}


def _file(operation: Operation, *lines: str) -> Operation:
    """The same as a file, whole."""
    paged = ("limit", "cursor")
    over: dict[str, Any] = {
        "summary": f"{operation.summary}, as a file",
        "description": f"{operation.description} For a spreadsheet: one whole file, whose cells "
        "are never formulas. Errors are JSON.",
        "parameters": [p for p in operation.parameters if p["name"] not in paged],
        "answer": {"type": "string"},
        "media_types": (_CSV,),
        "examples": {"A file": "\r\n".join(lines)},
    }
    return replace(operation, **over)


REPORT_FILES = {
    "spending": _file(
        REPORTS["spending"],
        ",".join(answers.SPENDING_COLUMNS),
        "2024-01,false,telnyx,123,Support,USD,2,2.30,1.00,3.30,3.30",
    ),
    "unused": replace(
        _file(
            REPORTS["unused"],
            ",".join(answers.UNUSED_COLUMNS),
            f"1,{NUMBER},Support line,telnyx,,,{_WHEN},45,,{_WHEN},1.15,USD,,",
        ),
        errors=[_wrong(UnusedFilter, days="x")],
    ),
    "price_comparison": _file(
        REPORTS["price_comparison"],
        ",".join(answers.COMPARISON_COLUMNS),
        f"US,CA,415,local,,twilio,USD,1.15,0.00,13.80,1.15,1.15,20,{_WHEN}",
    ),
}
