"""What both providers' doors share: the method, the size, the refusal of what is not signed."""

import functools
import logging
from collections.abc import Callable

import psycopg_pool
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from burki import metrics
from burki.api import STATUS
from burki.logs import emit
from burki.room import always_answered

logger = logging.getLogger(__name__)

# Of what a provider may send; a text message of ten parts with its media has 3 kB.
MAX_BODY = 256 * 1024

Handler = Callable[[HttpRequest, bytes], HttpResponse]


class Refused(Exception):
    """The request is not shown to come from the provider. `reason` is one word, for the count."""

    def __init__(self, reason: str):
        self.reason = reason
        super().__init__(reason)


def webhook(provider: str, *, code: str) -> Callable[[Handler], Callable]:
    """A door for `provider`: POST alone, at most `MAX_BODY`, no cookies, no throttle. A handler
    that raises `Refused` is answered with the status of `code`, and nothing is written."""

    def door(handler: Handler) -> Callable[[HttpRequest], HttpResponse]:
        @always_answered
        @csrf_exempt
        @functools.wraps(handler)
        def view(request: HttpRequest) -> HttpResponse:
            if request.method != "POST":
                return _error("method_not_allowed", "Send a POST.", Allow="POST")
            try:
                return handler(request, _body_of(request))
            except RequestDataTooBig:
                count_refusal(provider, "too_large")
                return _error("payload_too_large", f"At most {MAX_BODY} bytes.")
            except Refused as refused:
                count_refusal(provider, refused.reason)
                return _error(code, "The signature is missing or wrong.")
            except (OperationalError, InterfaceError, psycopg_pool.PoolTimeout) as error:
                logger.error("the database is away: %s", error)
                return _error("unavailable", "Try again.", **{"Retry-After": "5"})

        return view

    return door


def count_refusal(provider: str, reason: str) -> None:
    """A log event and a counter, without anything that the request held."""
    emit("webhook.refused", provider=provider, reason=reason)
    metrics.webhooks_refused.labels(provider, reason).inc()


def _body_of(request: HttpRequest) -> bytes:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > MAX_BODY:
        raise RequestDataTooBig
    return request.body


def _error(code: str, detail: str, **headers: str) -> HttpResponse:
    return JsonResponse({"detail": detail, "code": code}, status=STATUS[code], headers=headers)
