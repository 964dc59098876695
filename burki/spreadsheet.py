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
    text = "".join(_lines(columns, ([row[name] for name in columns] for row in rows)))
    return HttpResponse(text, content_type=_TYPE, headers=_saved_as(name))


def csv_stream(
    name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, start: str = ""
) -> StreamingHttpResponse:
    """The same for a file of any length: it is sent while its rows are read, each with its values
    in the order of the columns. `start` goes before everything."""

    def parts() -> Iterator[str]:
        yield start
        yield from _lines(columns, rows)

    return StreamingHttpResponse(parts(), content_type=_TYPE, headers=_saved_as(name))


def _saved_as(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}.csv"'}


def _lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    text = io.StringIO()
    write = csv.writer(text).writerow
    write(columns)
    for row in rows:
        if text.tell() > _SENT_AT_ONCE:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
        write([cell(value) for value in row])
    yield text.getvalue()


def cell(value: Any) -> Any:
    """A value as a cell. Text that could be run gets an apostrophe before it; phone numbers keep
    their plus, because nothing but digits follows it. Lists have blanks between their items."""
    if isinstance(value, str):
        if value.startswith(_FORMULA) and not _PHONE_NUMBERS.fullmatch(value):
            return f"'{value}"
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return cell(" ".join(value)) if isinstance(value, list) else value
