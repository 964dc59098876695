"""Keyset paging: page 10,000 costs what page 1 costs, and rows that are added meanwhile shift
nothing."""

import re
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param

from burki.errors import InvalidRequest

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
            raise InvalidRequest(
                "cursor must be taken from the `next` or `previous` of an answer"
            ) from None
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

    def link(name: str, row: Model) -> str:
        query = request.GET.copy()
        for key in ("before", "after"):
            query.pop(key, None)
        query[name] = str(row.pk)
        return f"?{query.urlencode()}"

    return Page(
        rows=shown,
        newer=link("after", shown[0]) if newer and shown else "",
        older=link("before", shown[-1]) if older and shown else "",
    )


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
