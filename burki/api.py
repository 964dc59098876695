"""What all REST endpoints share: the one table of error codes, the shape of errors, the parser."""

import io
import logging
from typing import Any
from urllib.parse import parse_qsl

import psycopg_pool
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions as drf
from rest_framework.parsers import JSONParser
from rest_framework.response import Response

from burki.errors import BurkiError, InvalidRequest, PayloadTooLarge, Unavailable
from burki.turns import paused

logger = logging.getLogger(__name__)

MAX_BODY = 1024 * 1024  # bytes

# The only list of error codes and of the HTTP status that each has.
STATUS: dict[str, int] = {
    "invalid_request": 400,
    "invalid_json": 400,
    "idempotency_key_required": 400,
    "credentials_refused": 400,
    "not_authenticated": 401,
    "spending_limit_exceeded": 402,
    "permission_denied": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "price_changed": 409,
    "price_unknown": 409,
    "number_already_owned": 409,
    "number_already_in_account": 409,
    "purchase_in_progress": 409,
    "release_in_progress": 409,
    "number_was_bought_again": 409,
    "not_decidable": 409,
    "not_cancellable": 409,
    "inventory_conflict": 409,
    "number_conflict": 409,
    "already_verified": 409,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "idempotency_key_reused": 422,
    "throttled": 429,
    # The provider said no, could not be reached, or is not configured. A client may buy another
    # number when it sees 500 (the specification's own example does), so 500 on a purchase is
    # said only when we know that nothing was bought.
    "number_unavailable": 500,
    "invalid_number": 500,
    "insufficient_balance": 500,
    "invalid_credentials": 500,
    "regulatory_requirement": 500,
    "account_restricted": 500,
    "sms_not_supported": 500,
    "rate_limited": 500,
    "provider_error": 500,
    "provider_unreachable": 500,
    "not_configured": 500,
    "internal_error": 500,
    "unavailable": 503,
    "outcome_unknown": 504,
}

_DRF_CODES: list[tuple[type[Exception], str]] = [
    (drf.NotAuthenticated, "not_authenticated"),
    (drf.AuthenticationFailed, "not_authenticated"),
    (drf.PermissionDenied, "permission_denied"),
    (drf.NotFound, "not_found"),
    (Http404, "not_found"),
    (DjangoPermissionDenied, "permission_denied"),
    (drf.MethodNotAllowed, "method_not_allowed"),
    (drf.NotAcceptable, "not_acceptable"),
    (drf.UnsupportedMediaType, "unsupported_media_type"),
    (drf.ParseError, "invalid_json"),
]
_DATABASE_AWAY = (OperationalError, InterfaceError, psycopg_pool.PoolTimeout)


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Every error of an API view as `{"detail": sentence, "code": word, …}`.

    Returns None for an exception that nobody foresaw, so that it stays a reported 500.
    """
    if isinstance(exc, _DATABASE_AWAY):
        logger.error("the database is away: %s", exc)
        exc = Unavailable()
    if isinstance(exc, RequestDataTooBig):  # Django's own, larger limit comes first
        exc = PayloadTooLarge()
    if isinstance(exc, drf.ValidationError | DjangoValidationError):
        exc = invalid_request(exc)
    if isinstance(exc, BurkiError):
        headers = {} if exc.retry_after is None else {"Retry-After": str(exc.retry_after)}
        return Response(error_body(exc), status=STATUS[exc.code], headers=headers)

    code = next((code for kind, code in _DRF_CODES if isinstance(exc, kind)), None)
    if code is None:
        return None
    headers = {}
    detail = str(getattr(exc, "detail", "")) or "Not found."
    if code == "not_found":
        detail = "Not found."
    if getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = exc.auth_header
    if code == "unsupported_media_type":
        detail = "Send the body as JSON, with the header Content-Type: application/json."
    return Response({"detail": detail, "code": code}, status=STATUS[code], headers=headers)


def error_body(exc: BurkiError) -> dict[str, Any]:
    return {"detail": exc.detail, "code": exc.code, **exc.facts}


def invalid_request(exc: drf.ValidationError | DjangoValidationError) -> InvalidRequest:
    """One sentence for `detail`: the first field's; all of them in `errors`."""
    if isinstance(exc, DjangoValidationError):
        errors = exc.message_dict if hasattr(exc, "error_dict") else {"body": exc.messages}
    elif isinstance(exc.detail, dict):
        errors = {key: _sentences(value) for key, value in exc.detail.items()}
    else:
        errors = {"body": _sentences(exc.detail)}
    first = next((sentences[0] for sentences in errors.values() if sentences), None)
    return InvalidRequest(first, errors=errors)


def _sentences(detail: Any) -> list[str]:
    if isinstance(detail, dict):
        return [sentence for value in detail.values() for sentence in _sentences(value)]
    if isinstance(detail, list):
        return [sentence for value in detail for sentence in _sentences(value)]
    return [str(detail)]


class JSONObjectParser(JSONParser):
    """A JSON object of at most 1 MB, or an error that says what is wrong with it.

    It runs after authentication, so a body is never read for a stranger.
    """

    kind: type = dict
    must_be = "The request body must be a JSON object."

    def parse(self, stream, media_type=None, parser_context=None) -> Any:
        return self.parsed(read_body(stream), media_type, parser_context)

    def parsed(self, body: bytes, media_type=None, parser_context=None) -> Any:
        try:
            data = super().parse(io.BytesIO(body), media_type, parser_context)
        except RecursionError:
            raise drf.ParseError("JSON parse error - nested too deeply") from None
        if not isinstance(data, self.kind):
            raise drf.ParseError(self.must_be)
        return data


class JSONArrayParser(JSONObjectParser):
    """The same for a JSON array."""

    kind = list
    must_be = "The request body must be a JSON array."


class JSONOrFormParser(JSONObjectParser):
    """A JSON object or a form, told apart by what the body is: clients label one as the other."""

    _FIELDS_MAX = 100

    def parse(self, stream, media_type=None, parser_context=None) -> dict[str, Any]:
        body = read_body(stream)
        if body.lstrip()[:1] in (b"{", b"["):
            return self.parsed(body, media_type, parser_context)
        try:
            return dict(
                parse_qsl(
                    body.decode("utf-8"),
                    keep_blank_values=True,
                    errors="strict",
                    max_num_fields=self._FIELDS_MAX,
                )
            )
        except ValueError:
            raise drf.ParseError("The request body must be a JSON object or a form.") from None


class LabelledFormParser(JSONOrFormParser):
    media_type = "application/x-www-form-urlencoded"


def read_body(stream) -> bytes:
    """All of a request's body, if it is at most 1 MB."""
    with paused():  # a client may be slow to send it
        body = stream.read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        raise PayloadTooLarge()
    return body


def _wants_html(request: HttpRequest) -> bool:
    """Browsers say that they want HTML; the API's addresses answer JSON whoever asks."""
    if request.path.startswith(("/api/", "/phone-numbers")):
        return False
    return request.path.startswith("/admin/") or "text/html" in request.headers.get("Accept", "")


@csrf_exempt
def no_such_address(request: HttpRequest) -> HttpResponse:
    """The end of the API's url table: JSON also with DEBUG on, where Django shows a page."""
    return not_found(request, Http404())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _wants_html(request):
        return defaults.page_not_found(request, exception)
    return JsonResponse({"detail": "Not found.", "code": "not_found"}, status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _wants_html(request):
        return defaults.bad_request(request, exception)
    return JsonResponse({"detail": "Bad request.", "code": "invalid_request"}, status=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _wants_html(request):
        return defaults.permission_denied(request, exception)
    return JsonResponse({"detail": "Forbidden.", "code": "permission_denied"}, status=403)


def no_room(request: HttpRequest) -> HttpResponse:
    """Other requests have all the threads that they may have (`burki.room`)."""
    facts = {"charged": False} if request.path.endswith("/phone-numbers/purchase") else {}
    error = Unavailable("Too many requests are waiting here. Nothing was sent; try again.", **facts)
    if _wants_html(request):
        response = HttpResponse(loader.render_to_string("503.html"), status=503)
    else:
        response = JsonResponse(error_body(error), status=503)
    response["Retry-After"] = str(error.retry_after)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    if _wants_html(request):
        return defaults.server_error(request)
    return JsonResponse({"detail": "Internal error.", "code": "internal_error"}, status=500)
