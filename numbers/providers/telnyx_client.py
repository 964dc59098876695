"""Requests to Telnyx: our session, our deadline, our errors; and its lists, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings

from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import ProviderUnreachable
from numbers.providers.base import Credentials
from numbers.providers.http import raise_for_error, read_json, session_for
from numbers.providers.telnyx_answers import messages, rows
from numbers.providers.telnyx_codes import CODES

_PAGE = 100


class TelnyxClient:
    """One account, one deadline."""

    def __init__(self, credentials: Credentials, deadline: Deadline):
        self._credentials = credentials
        self._deadline = deadline

    def send(
        self,
        method: str,
        path: str,
        seconds: float,
        *,
        spends: bool = False,
        **arguments: Any,
    ) -> dict[str, Any]:
        session = session_for("telnyx", self._credentials.key, settings.TELNYX_API_BASE_URL)
        response = session.request(
            method,
            path,
            deadline=self._deadline.slice(seconds),
            spends=spends,
            headers={
                "Authorization": f"Bearer {self._credentials.secret}",
                "Accept": "application/json",
            },
            **arguments,
        )
        raise_for_error(response, messages(response.text), CODES, spends=spends)
        if method == "DELETE" and response.status_code == 204:
            return {}
        return read_json(response, spends=spends)

    def get(
        self, path: str, params: dict[str, str], seconds: float = clocks.LOOKUPS
    ) -> dict[str, Any]:
        return self.send("GET", path, seconds, params=params)

    def pages(self, path: str, filters: dict[str, str]) -> Iterator[dict[str, Any]]:
        """All rows of a list, page by page; raises unless every page is complete."""
        page = 1
        while True:
            data = self.get(path, filters | {"page[number]": str(page), "page[size]": str(_PAGE)})
            yield from rows(data)
            meta = data.get("meta")
            pages = meta.get("total_pages") if isinstance(meta, dict) else None
            if not isinstance(pages, int):
                raise ProviderUnreachable(provider_message="Telnyx's list has no end.")
            if page >= pages:
                return
            page += 1
