"""Pages of a bare array, as existing clients read it."""

import re
from typing import Any

from rest_framework.pagination import Cursor
from rest_framework.response import Response

from burki.errors import InvalidRequest
from burki.paging import ArrayPagination

_MOST_SKIPPED = 1_000_000_000


class SkipPagination(ArrayPagination):
    """Newest first. `skip` and `limit` (1 to 1000, default 100); or the `cursor` of the answer's
    `Link` header (`rel="next"`), for which page 10,000 costs what page 1 costs."""

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

    def get_paginated_response(self, data: list[Any]) -> Response:
        following = self.get_next_link()
        if following is None:
            return Response(data)
        return Response(data, headers={"Link": f'<{following}>; rel="next"'})
