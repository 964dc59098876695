"""Room for calls: of a web process's threads, some are never taken by requests that may wait.

A provider that hangs keeps each purchase for seconds. Were all threads with such requests, a caller
would wait behind them, and a supervisor would take the process for dead.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from burki.api import no_room

View = Callable[..., HttpResponseBase]


def always_answered(view: View) -> View:
    """For views that are quick, and that somebody waits for who cannot come again."""
    view.always_answered = True
    return view


class RoomForCallsMiddleware:
    """Answers 503 to a request that would take one of the last threads, but for those whose view is
    `always_answered`. Counts each until its answer is made; what is streamed, until it is sent."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]):
        self.get_response = get_response
        self._mutex = threading.Lock()
        self._inside = 0

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request.is_inside = False
        response = None
        try:
            response = self.get_response(request)
            return response
        finally:
            if request.is_inside and response is not None and response.streaming:
                response.streaming_content = _Sent(response.streaming_content, self._leave)
            elif request.is_inside:
                self._leave()

    def process_view(
        self, request: HttpRequest, view: View, args: tuple, kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        most = settings.REQUESTS_AT_ONCE
        if most is None or getattr(view, "always_answered", False):
            return None
        with self._mutex:
            request.is_inside = self._inside < most
            self._inside += request.is_inside
        return None if request.is_inside else no_room(request)

    def _leave(self) -> None:
        with self._mutex:
            self._inside -= 1


class _Sent:
    """What is sent, and what is done once it is: Django closes it, sent or not."""

    def __init__(self, parts: Iterable[bytes], then: Callable[[], None]):
        self._parts, self._then = parts, then

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)

    def close(self) -> None:
        self._then()
