"""One log line and one id per request."""

import logging
import re
import time
import uuid

from burki import metrics
from burki.logs import bound_request_id

logger = logging.getLogger("burki.requests")

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNLOGGED = frozenset({"/healthz", "/readyz", "/metrics"})
_SAFE_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")


class RequestLogMiddleware:
    """Gives the request an id (the caller's X-Request-ID if it is harmless), answers with it, and
    logs method, path, status and time. Query strings and bodies are never logged."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        given = request.headers.get("X-Request-ID", "")
        request.id = given if _SAFE_ID.fullmatch(given) else uuid.uuid4().hex
        started = time.monotonic()
        with bound_request_id(request.id):
            response = self.get_response(request)
            response["X-Request-ID"] = request.id
            seconds = time.monotonic() - started
            route = request.resolver_match.route if request.resolver_match else "none"
            method = request.method if request.method in _METHODS else "other"
            metrics.http_requests.labels(method, route, response.status_code).inc()
            metrics.http_seconds.labels(route).observe(seconds)
            if request.path not in _UNLOGGED:
                facts = {
                    "method": request.method,
                    "path": request.path,
                    "status": response.status_code,
                    "ms": round(seconds * 1000),
                }
                logger.info("%s %s %s %sms", *facts.values(), extra=facts)
        return response
