"""One log line and one id per request."""

import logging
import re
import time
import uuid

from burki.logs import bound_request_id

logger = logging.getLogger("burki.requests")

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
            if request.path != "/healthz":
                milliseconds = round((time.monotonic() - started) * 1000)
                logger.info(
                    "%s %s %s %sms",
                    request.method,
                    request.path,
                    response.status_code,
                    milliseconds,
                )
        return response
