"""Tables for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from django.http import StreamingHttpResponse

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run the cell


def cell(value: Any) -> Any:
    """A value as it can stand in a spreadsheet: text that would be a formula is quoted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def csv_of(name: str, columns: Iterable[str], rows: Iterable[dict[str, Any]]):
    """A file of any length: it is sent while its rows are read."""
    response = StreamingHttpResponse(
        _lines(list(columns), rows), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _lines(columns: list[str], rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    for row in rows:
        if text.tell() > 65_536:
            yield text.getvalue()
            text.seek(0), text.truncate()
        writer.writerow({name: cell(row[name]) for name in columns})
    yield text.getvalue()
