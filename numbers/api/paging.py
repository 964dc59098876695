"""Keyset paging: page 10,000 costs what page 1 costs, and rows that are added meanwhile shift
nothing."""

from rest_framework.pagination import CursorPagination
from rest_framework.response import Response

from burki.errors import InvalidRequest


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
        if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= self.max_page_size):
            raise InvalidRequest(f"limit must be between 1 and {self.max_page_size}")
        return int(given)

    def get_paginated_response(self, data) -> Response:
        return Response(
            {"items": data, "next": self.get_next_link(), "previous": self.get_previous_link()}
        )
