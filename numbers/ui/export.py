"""The list of numbers as CSV, for spreadsheets and for programs."""

from collections.abc import Iterable
from typing import Any

from django.http import StreamingHttpResponse

from burki.spreadsheet import csv_stream
from burki.text import instant, money
from numbers.models import PhoneNumber

_COLUMNS = (
    "id",
    "number",
    "name",
    "status",
    "assistant",
    "provider",
    "country",
    "region",
    "locality",
    "monthly_cost",
    "setup_cost",
    "currency",
    "webhooks",
    "webhooks_checked_at",
    "last_activity_at",
    "purchased_at",
    "released_at",
)
_BOM = "\N{BYTE ORDER MARK}"  # else spreadsheets take UTF-8 for something else


def numbers_csv(name: str, numbers: Iterable[PhoneNumber]) -> StreamingHttpResponse:
    """The file `name`.csv, with a line for each number."""
    return csv_stream(name, _COLUMNS, map(_values, numbers), start=_BOM)


def _values(number: PhoneNumber) -> tuple[Any, ...]:
    active = number.status == PhoneNumber.Status.ACTIVE
    return (
        number.pk,
        number.phone_number,
        number.friendly_name,
        number.status,
        number.assistant.name if number.assistant else "",
        number.provider,
        number.country,
        number.region,
        number.locality,
        money(number.monthly_cost),
        money(number.setup_cost),
        number.currency,
        (number.webhook_verdict or "unchecked") if active else "",
        instant(number.webhook_checked_at) if active else "",
        instant(number.last_activity_at),
        instant(number.purchased_at),
        instant(number.released_at),
    )
