"""The list of numbers as CSV, for spreadsheets and for programs."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from burki.text import instant, money
from numbers.e164 import is_e164
from numbers.models import PhoneNumber

_HEADER = (
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
# What makes a spreadsheet take a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_BOM = "\N{BYTE ORDER MARK}"  # else spreadsheets take UTF-8 for something else


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, line: str) -> str:
        return line


def number_lines(numbers: Iterable[PhoneNumber]) -> Iterator[str]:
    """The header and a line for each number."""
    writer = csv.writer(_Echo())
    yield _BOM + writer.writerow(_HEADER)
    for number in numbers:
        yield writer.writerow([cell(value) for value in _values(number)])


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


def cell(value: Any) -> str:
    """A value that no spreadsheet takes for a formula: an apostrophe goes before one that begins
    like it. A phone number keeps its plus: a plus and digits alone compute nothing, and whoever
    reads the file needs the number as it is dialled."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) and not is_e164(text) else text
