"""Tables for spreadsheets: their cells are text and numbers, never formulas."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")  # a spreadsheet would run the cell
_PHONE_NUMBERS = re.compile(r"\+[0-9]{7,15}(?: \+[0-9]{7,15})*")
_TYPE = "text/csv; charset=utf-8"
_SENT_AT_ONCE = 65_536  # characters


def csv_file(name: str, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> HttpResponse:
    """The rows as a file to be saved as `name`.csv."""
    text = "".join(_lines(columns, rows))
    return HttpResponse(text, content_type=_TYPE, headers=_saved_as(name))


def csv_stream(
    name: str, columns: Sequence[str], rows: Iterable[dict[str, Any]], *, start: str = ""
) -> StreamingHttpResponse:
    """The same for a file of any length: it is sent while its rows are read. `start` goes before
    everything."""

    def parts() -> Iterator[str]:
        yield start
        yield from _lines(columns, rows)

    return StreamingHttpResponse(parts(), content_type=_TYPE, headers=_saved_as(name))


def _saved_as(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}.csv"'}


def _lines(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    for row in rows:
        if text.tell() > _SENT_AT_ONCE:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
        writer.writerow({name: cell(row[name]) for name in columns})
    yield text.getvalue()


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
