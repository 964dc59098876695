"""Keyset paging: page 10,000 costs what page 1 costs, and rows that are added meanwhile shift
nothing."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Lookup, Model, Q, QuerySet, Subquery
from django.db.models.expressions import Col
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.db.models.lookups import Exact
from django.http import HttpRequest
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param

from burki.db import release_connection
from burki.errors import InvalidRequest

NO_CURSOR = "cursor must be taken from the `next` or `previous` of an answer"
_MOST_SKIPPED = 1_000_000_000


class KeysetPagination(CursorPagination):
    """Newest first. `limit` (1 to 200, default 50) and the `cursor` that the last answer's `next`
    holds; `next` is null on the last page."""

    ordering = "-id"
    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"

    def get_page_size(self, request) -> int:
        given = request.query_params.get(self.page_size_query_param)
        if given is None:
            return self.page_size
        if not re.fullmatch("[0-9]{1,4}", given) or not 1 <= int(given) <= self.max_page_size:
            raise InvalidRequest(f"limit must be between 1 and {self.max_page_size}")
        return int(given)

    def paginate_queryset(self, queryset, request, view=None):
        size = self.get_page_size(request)
        self.model, self.base_url = queryset.model, request.build_absolute_uri()
        cursor = self.decode_cursor(request)
        place, backwards = (cursor.position, cursor.reverse) if cursor else ("", False)
        found = NEWEST.some(queryset, size + 1, place=place, backwards=backwards)
        more, page = len(found) > size, found[:size]
        if backwards:
            page.reverse()
        self.has_previous, self.has_next = (more, True) if backwards else (bool(place), more)
        self.first, self.last = (
            (NEWEST.place_of(page[0]), NEWEST.place_of(page[-1])) if page else (place, place)
        )
        return page

    def get_next_link(self) -> str | None:
        return self._link(self.last, reverse=False) if self.has_next else None

    def get_previous_link(self) -> str | None:
        return self._link(self.first, reverse=True) if self.has_previous else None

    def _link(self, place: str, *, reverse: bool) -> str:
        return self.encode_cursor(Cursor(offset=0, reverse=reverse, position=place))

    def decode_cursor(self, request):
        """Raises `InvalidRequest` for a cursor that no answer of ours held."""
        if not request.query_params.get(self.cursor_query_param):
            return None
        try:
            cursor = super().decode_cursor(request)
            if cursor.position is None or cursor.offset:
                raise ValueError
            _key(self.model, cursor.position)
        except (NotFound, ValueError, InvalidRequest):
            raise InvalidRequest(NO_CURSOR) from None
        return cursor

    def get_paginated_response(self, data) -> Response:
        return Response(
            {"items": data, "next": self.get_next_link(), "previous": self.get_previous_link()}
        )


class ArrayPagination(KeysetPagination):
    """As `KeysetPagination` for lists that existing clients read as a bare array: the next and the
    previous page are in the header `Link` (RFC 8288)."""

    def get_paginated_response(self, data) -> Response:
        links = {"next": self.get_next_link(), "prev": self.get_previous_link()}
        told = ", ".join(f'<{link}>; rel="{name}"' for name, link in links.items() if link)
        return Response(data, headers={"Link": told} if told else None)


class SkipPagination(KeysetPagination):
    """Pages of a bare array, as existing clients read it. Newest first. `skip` and `limit` (1 to
    1000, default 100); or the `cursor` of the answer's `Link` header (`rel="next"`), for which page
    10,000 costs what page 1 costs."""

    page_size = 100
    max_page_size = 1000

    def paginate_queryset(self, queryset, request, view=None):
        """Of the rows that are skipped nothing but their keys is read."""
        has_cursor = request.query_params.get(self.cursor_query_param)
        if not has_cursor and (skipped := self._skipped(request)):
            keys = newest_first(queryset).values_list("pk", flat=True)
            queryset = queryset.filter(pk__lte=Subquery(keys[skipped : skipped + 1]))
        return super().paginate_queryset(queryset, request, view)

    def _skipped(self, request) -> int:
        given = request.query_params.get("skip", "0")
        if not re.fullmatch("[0-9]{1,10}", given) or int(given) > _MOST_SKIPPED:
            raise InvalidRequest(f"skip must be between 0 and {_MOST_SKIPPED}")
        return int(given)

    def get_paginated_response(self, data: list) -> Response:
        following = self.get_next_link()
        if following is None:
            return Response(data)
        link = f'<{remove_query_param(following, "skip")}>; rel="next"'
        return Response(data, headers={"Link": link})


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows of a list, and the query strings of the pages beside it; "" where there is none.
    They are called newer and older, in whatever order the list is."""

    rows: list[Any]
    newer: str
    older: str
    by_time: bool = True


def newest_first(rows: QuerySet, *, backwards: bool = False) -> QuerySet:
    """By key, for lists of one owner: an organization's rows, an assistant's numbers.

    PostgreSQL knows that `owner = 1 ORDER BY owner, id` is `ORDER BY id`, and takes the rows of all
    owners by the primary key where it believes to meet the owner's soon: wrongly, if all that is
    new belongs to others. `owner = ANY ('{1}')` says the same and leaves the owner in the order,
    which only the index on both bears."""
    found = rows.order_by("pk" if backwards else "-pk")
    where = found.query.where  # of this query alone; all of its conditions must be met
    owners = [one for one in where.children if _is_owner(found, one)]
    if not owners:
        return found
    # Of an organization's numbers and an assistant's, these: there are fewer.
    owner = max(owners, key=lambda one: one.lhs.target.name != "organization")
    where.children[where.children.index(owner)] = _AnyOfOne(owner.lhs, owner.rhs)
    name = owner.lhs.target.attname
    return found.order_by(*((f"-{name}", "pk") if backwards else (name, "-pk")))


def _is_owner(rows: QuerySet, condition: Any) -> bool:
    """Whether an index has the rows that meet the condition in the order of their keys."""
    if not isinstance(condition, Exact) or not isinstance(condition.lhs, Col):
        return False
    order = [condition.lhs.target.name, "-id"]
    return (
        condition.lhs.alias == rows.query.base_table
        and condition.rhs_is_direct_value()
        and any(index.fields == order for index in rows.model._meta.indexes)
    )


class _AnyOfOne(Lookup):
    """Equal to the value, which PostgreSQL does not take for a constant."""

    prepare_rhs = False

    def as_sql(self, compiler, connection):
        column, parameters = self.process_lhs(compiler, connection)
        kind = self.lhs.output_field.db_type(connection)
        return f"{column} = ANY (%s::{kind}[])", [*parameters, [self.rhs]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """By a column of the model, and among equals by key in the same direction. Rows that have
    nothing in the column come last, whatever the direction."""

    column: str = "pk"
    descending: bool = True

    def some(
        self, rows: QuerySet, most: int, *, place: str = "", backwards: bool = False
    ) -> list[Model]:
        """So many rows from the beginning, or after the `place` of one; with `backwards` from the
        end, or before the place. Raises `InvalidRequest` for a place that `place_of` cannot have
        told.

        Rows with and without the column are asked for apart: an index has its empty values at the
        end of one direction only, and bears each of the two in both."""
        found: list[Model] = []
        for part in self._parts(rows, place, backwards):
            if len(found) < most:
                found += part[: most - len(found)]
        return found

    def _parts(self, rows: QuerySet, place: str, backwards: bool) -> list[QuerySet]:
        value, key = self._read(rows.model, place) if place else (None, None)
        descending = self.descending != backwards
        sign, further = ("-", "lt") if descending else ("", "gt")
        next_key = Q(**{f"pk__{further}": key}) if place else Q()
        if self.column == "pk":
            return [newest_first(rows.filter(next_key), backwards=not descending)]
        filled = rows.exclude(**{self.column: None}).order_by(f"{sign}{self.column}", f"{sign}pk")
        empty = rows.filter(**{self.column: None}).order_by(f"{sign}pk")
        after_all = [empty] if rows.model._meta.get_field(self.column).null else []
        if not place:
            return [*after_all, filled] if backwards else [filled, *after_all]
        if value is None:
            empty = empty.filter(next_key)
            return [empty, filled] if backwards else [empty]
        # Compared as a pair, which an index on both bears also where many have the same.
        pair = TupleLessThan if descending else TupleGreaterThan
        filled = filled.filter(pair(Tuple(self.column, "pk"), (value, key)))
        return [filled] if backwards else [filled, *after_all]

    def place_of(self, row: Model) -> str:
        """Where the row is, for an address: as it was seen, also if it changes meanwhile."""
        if self.column == "pk":
            return str(row.pk)
        value = getattr(row, self.column)
        if isinstance(value, datetime):
            value = value.isoformat()
        return f"{'' if value is None else value}{_BETWEEN}{row.pk}"

    def walk(self, rows: QuerySet, *, size: int = 500) -> Iterator[Model]:
        """All rows, some at a time; between them no database connection is held."""
        place = ""
        while True:
            some = self.some(rows, size, place=place)
            release_connection()
            yield from some
            if len(some) < size:
                return
            place = self.place_of(some[-1])

    def _read(self, model: type[Model], place: str) -> tuple[Any, Any]:
        if self.column == "pk":
            return None, _key(model, place)
        value, between, key = place.rpartition(_BETWEEN)
        if not between:
            raise _no_such_page()
        return _value(model, self.column, value) if value else None, _key(model, key)


NEWEST = Order()
_BETWEEN = "~"


def keyset_page(
    request: HttpRequest, rows: QuerySet, *, size: int = 50, order: Order = NEWEST
) -> Page:
    """The page of `rows` that `?before=` or `?after=` a row's place in the order asks for. The
    links keep everything else of the query string. Raises `InvalidRequest` for a place that is
    none."""

    def some(place: str, backwards: bool) -> list[Model]:
        return order.some(rows, size + 1, place=place, backwards=backwards)

    return _page(request, some, order.place_of, size, by_time=order == NEWEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Rows of one model for a list that several share, by the column `at`: a time that each has."""

    name: str
    rows: QuerySet
    at: str


def merged_page(request: HttpRequest, sources: Sequence[Source], *, size: int = 50) -> Page:
    """As `keyset_page` for a list of several models' rows, newest first: pairs of the source's
    name and a row. Each source is asked once; an index on its column bears any number of rows."""
    ranks = {source.name: rank for rank, source in enumerate(sources)}
    by_name = {source.name: source for source in sources}

    def place_in_time(pair: tuple[str, Model]) -> tuple[datetime, int, Any]:
        name, row = pair
        return getattr(row, by_name[name].at), -ranks[name], row.pk

    def some(place: str, backwards: bool) -> list[tuple[str, Model]]:
        found = []
        for source in sources:
            rows = _beyond(source, ranks, by_name, place, backwards) if place else source.rows
            order = (source.at, "pk") if backwards else (f"-{source.at}", "-pk")
            found += [(source.name, row) for row in rows.order_by(*order)[: size + 1]]
        return sorted(found, key=place_in_time, reverse=not backwards)[: size + 1]

    def place_of(pair: tuple[str, Model]) -> str:
        name, row = pair
        return _BETWEEN.join((getattr(row, by_name[name].at).isoformat(), name, str(row.pk)))

    return _page(request, some, place_of, size, by_time=True)


def _beyond(
    source: Source, ranks: dict[str, int], by_name: dict[str, Source], place: str, backwards: bool
) -> QuerySet:
    when, name, key = (place.split(_BETWEEN) + ["", ""])[:3]
    if not when or name not in by_name:
        raise _no_such_page()
    there = by_name[name]
    moment, key = _value(there.rows.model, there.at, when), _key(there.rows.model, key)
    further = "gt" if backwards else "lt"
    rows = source.rows.filter(**{f"{source.at}__{further}e": moment})  # for the index
    later = Q(**{f"{source.at}__{further}": moment})
    if source.name == name:
        return rows.filter(later | Q(**{f"pk__{further}": key}))
    follows = (ranks[source.name] < ranks[name]) if backwards else ranks[source.name] > ranks[name]
    return rows if follows else rows.filter(later)


def _page(
    request: HttpRequest,
    some: Callable[[str, bool], list[Any]],
    place_of: Callable[[Any], str],
    size: int,
    *,
    by_time: bool,
) -> Page:
    """`some` rows after a place (or before it, in reverse), one more than a page shows."""
    before, after = request.GET.get("before", ""), request.GET.get("after", "")
    found = some(after or before, bool(after))
    more, shown = len(found) > size, found[:size]
    if after:
        shown.reverse()
    newer, older = (more, True) if after else (bool(before), more)

    def link(name: str, row: Any) -> str:
        query = request.GET.copy()
        for key in ("before", "after"):
            query.pop(key, None)
        query[name] = place_of(row)
        return f"?{query.urlencode()}"

    return Page(
        rows=shown,
        newer=link("after", shown[0]) if newer and shown else "",
        older=link("before", shown[-1]) if older and shown else "",
        by_time=by_time,
    )


def _key(model: type[Model], given: str) -> Any:
    """A primary key as an address names it."""
    key = _value(model, model._meta.pk.name, given)
    if isinstance(key, int) and not 0 <= key < 2**63:
        raise _no_such_page()
    return key


def _value(model: type[Model], column: str, given: str) -> Any:
    field = model._meta.get_field(column)
    try:
        if "\0" in given:
            raise ValueError
        value = field.to_python(given)
        field.run_validators(value)
        if isinstance(value, datetime) and value.tzinfo is None:
            raise ValueError
    except (ValidationError, ValueError, OverflowError):
        raise _no_such_page() from None
    return value


def _no_such_page() -> InvalidRequest:
    return InvalidRequest("This address does not name a page of the list.")
