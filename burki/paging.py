"""Keyset paging: page 10,000 costs what page 1 costs, and rows that are added meanwhile shift
nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from burki.errors import InvalidRequest

_MOST_SKIPPED = 1_000_000_000
_NO_CURSOR = "cursor must be taken from the `next` or `previous` of an answer"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        self.key = queryset.model._meta.pk
        return super().paginate_queryset(queryset, request, view)

    def decode_cursor(self, request):
        """Raises `InvalidRequest` for a cursor that no answer of ours held."""
        if not request.query_params.get(self.cursor_query_param):
            return None
        try:
            cursor = super().decode_cursor(request)
            if cursor.position is None or cursor.offset:
                raise ValueError
            self.key.to_python(cursor.position)
        except (NotFound, ValidationError, ValueError):
            raise InvalidRequest(_NO_CURSOR) from None
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

    def decode_cursor(self, request) -> Cursor | None:
        cursor = super().decode_cursor(request)
        return cursor or Cursor(offset=self._skipped(request), reverse=False, position=None)

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
        return cls(_EPOCH + timedelta(microseconds=microseconds), pk)

    def __str__(self) -> str:
        return f"{(self.at - _EPOCH) // timedelta(microseconds=1)}-{self.pk}"


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
    """The first condition is for the index, the second for rows of the same time."""
    return rows.filter(**{f"{by}__{side}e": place.at}).filter(
        Q(**{f"{by}__{side}": place.at}) | Q(**{f"pk__{side}": place.pk})
    )


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
            raise InvalidRequest(_NO_CURSOR) from None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows of a list, and the query strings of the pages beside it; "" where there is none."""

    rows: list[Any]
    newer: str
    older: str


def keyset_page(request: HttpRequest, rows: QuerySet, *, size: int = 50) -> Page:
    """The page of `rows`, newest first, that `?before=` or `?after=` a row's key asks for. The
    links keep everything else of the query string. Raises `InvalidRequest` for a key that is none.
    """
    before, after = (_key_of(rows.model, request.GET.get(name)) for name in ("before", "after"))
    if after is not None:
        found = list(rows.filter(pk__gt=after).order_by("pk")[: size + 1])
        shown = found[:size][::-1]
        newer, older = len(found) > size, True
    else:
        older_rows = rows if before is None else rows.filter(pk__lt=before)
        found = list(older_rows.order_by("-pk")[: size + 1])
        shown = found[:size]
        newer, older = before is not None, len(found) > size

    return Page(
        rows=shown,
        newer=_link(request, "after", shown[0].pk) if newer and shown else "",
        older=_link(request, "before", shown[-1].pk) if older and shown else "",
    )


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


def _key_of(model: type[Model], given: str | None) -> Any:
    """A primary key as the address names it; None when it names none."""
    if not given:
        return None
    try:
        key = model._meta.pk.to_python(given)
        if isinstance(key, int) and not 0 <= key < 2**63:
            raise ValueError
    except (ValidationError, ValueError):
        raise InvalidRequest("This address does not name a page of the list.") from None
    return key
