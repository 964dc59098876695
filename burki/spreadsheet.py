"""Tables for spreadsheets: their cells are text and numbers, never formulas."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponse

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run the cell
_PHONE_NUMBERS = re.compile(r"\+[0-9]{7,15}(?: \+[0-9]{7,15})*")


def csv_file(name: str, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> HttpResponse:
    """The rows as a file to be saved as `name`.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows({column: cell(value) for column, value in row.items()} for row in rows)
    return HttpResponse(
        text.getvalue(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


def cell(value: Any) -> Any:
    """A value as a cell. Text that could be run gets an apostrophe before it; phone numbers keep
    their plus, because nothing but digits follows it. Lists have blanks between their items."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        value = " ".join(value)
    if not isinstance(value, str) or _PHONE_NUMBERS.fullmatch(value):
        return value
    return f"'{value}" if value.startswith(_FORMULA) else value
