"""Keyset paging of what is ordered by a time that is computed, longest ago first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import BigIntegerField, Expression, Func, Model, QuerySet, TextField
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.http import HttpRequest
from rest_framework.utils.urls import replace_query_param

from burki.db import release_connection
from burki.errors import InvalidRequest
from burki.paging import NO_CURSOR, KeysetPagination, Page

AT_A_TIME = 1000  # rows that are in memory while all are walked
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """A place between rows that are ordered by a time and then by their key, as addresses name
    it."""

    at: datetime
    pk: int

    @classmethod
    def read(cls, text: str) -> Moment:
        """Raises `InvalidRequest` for what `str` did not make."""
        if not re.fullmatch("[0-9]{1,16}-[0-9]{1,18}", text):
            raise InvalidRequest("This address does not name a page of the list.")
        microseconds, pk = (int(part) for part in text.split("-"))
        return cls(_moment(microseconds), pk)

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // timedelta(microseconds=1)}-{self.pk}"


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    rows: list[Any]
    before: Moment | None  # where the page before this one ends; None: there is none
    after: Moment | None


def _slice(
    rows: QuerySet, by: str, size: int, *, before: Moment | None, after: Moment | None
) -> _Slice:
    """So many rows on one side of a moment, in the order of the time `by` and then of the key."""
    if before is not None:
        found = list(_beyond(rows, by, before, "lt").order_by(f"-{by}", "-pk")[: size + 1])
        shown, earlier, later = found[:size][::-1], len(found) > size, True
    else:
        ahead = rows if after is None else _beyond(rows, by, after, "gt")
        found = list(ahead.order_by(by, "pk")[: size + 1])
        shown, earlier, later = found[:size], after is not None, len(found) > size

    def at(row: Model) -> Moment:
        return Moment(getattr(row, by), row.pk)

    return _Slice(
        rows=shown,
        before=at(shown[0]) if earlier and shown else None,
        after=at(shown[-1]) if later and shown else None,
    )


def _beyond(rows: QuerySet, by: str, place: Moment, side: str) -> QuerySet:
    """Compared as a pair, so that an index on both begins at the place."""
    pair = {"lt": TupleLessThan, "gt": TupleGreaterThan}[side]
    return rows.filter(pair(Tuple(by, "pk"), (place.at, place.pk)))


class MomentPagination(KeysetPagination):
    """As `KeysetPagination`, longest ago first: by the time that rows have as the view's
    `ordered_by`."""

    def paginate_queryset(self, queryset, request, view):
        size = self.get_page_size(request)
        given = request.query_params.get(self.cursor_query_param)
        moments: dict[str, Moment | None] = {"before": None, "after": None}
        try:
            if given:
                side, _, place = given.partition("-")
                moments[{"b": "before", "a": "after"}[side]] = Moment.read(place)
        except (KeyError, InvalidRequest):
            raise InvalidRequest(NO_CURSOR) from None
        self.found = _slice(queryset, view.ordered_by, size, **moments)
        self.base_url = request.build_absolute_uri()
        return self.found.rows

    def get_next_link(self):
        return self._link("a", self.found.after)

    def get_previous_link(self):
        return self._link("b", self.found.before)

    def _link(self, side: str, place: Moment | None) -> str | None:
        if place is None:
            return None
        return replace_query_param(self.base_url, self.cursor_query_param, f"{side}-{place}")


class Told(Func):
    """A time as `burki.text.instant` tells it, written by PostgreSQL: to read a time takes Python
    longer than all the rest of a file's row."""

    template = """to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""
    output_field = TextField()


class _Microseconds(Func):
    template = "(extract(epoch FROM %(expressions)s) * 1000000)::bigint"
    output_field = BigIntegerField()


def walk(rows: QuerySet, by: str, told: Sequence[str | Expression]) -> Iterator[tuple[Any, ...]]:
    """What is `told` of all rows, longest ago first by the time that they have as `by`, some at a
    time; between them no database connection is held."""
    rows = rows.order_by(by, "pk").values_list(*told, _Microseconds(by), "pk")
    ahead = rows
    while True:
        found = list(ahead[:AT_A_TIME])
        release_connection()
        yield from (row[:-2] for row in found)
        if len(found) < AT_A_TIME:
            return
        ahead = _beyond(rows, by, Moment(_moment(found[-1][-2]), found[-1][-1]), "gt")


def moment_page(request: HttpRequest, rows: QuerySet, by: str, *, size: int = 50) -> Page:
    """As `keyset_page`, longest ago first by the time that rows have as `by`: `newer` is the page
    before this one. Raises `InvalidRequest`."""
    given = {name: request.GET.get(name) for name in ("before", "after")}
    places = {name: Moment.read(text) if text else None for name, text in given.items()}
    found = _slice(rows, by, size, **places)
    return Page(
        rows=found.rows,
        newer=_link(request, "before", found.before) if found.before else "",
        older=_link(request, "after", found.after) if found.after else "",
    )


def _link(request: HttpRequest, name: str, place: Any) -> str:
    query = request.GET.copy()
    for key in ("before", "after"):
        query.pop(key, None)
    query[name] = str(place)
    return f"?{query.urlencode()}"
