"""How a request goes to a provider: one deadline for all of it, never inside a transaction, never
holding a database connection, never repeated, never redirected; and what an answer means.
"""

from __future__ import annotations

import http.client
import io
import json
import logging
import math
import re
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    ConnectTimeoutError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
)

from burki import metrics
from burki.db import in_real_transaction, waiting
from burki.logs import mask
from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import OutcomeUnknown, ProviderRefused, ProviderUnreachable

logger = logging.getLogger(__name__)

_REQUEST_IDS = ("Twilio-Request-Id", "x-request-id")
_SAFE_ID = re.compile(r"[A-Za-z0-9._\-]{1,64}")

_step = threading.local()  # .ends: the Deadline of the request that this thread is making


class _DeadlineReader(io.RawIOBase):
    """Reads a socket so that the whole answer, not each piece of it, must arrive in time."""

    def __init__(self, raw: io.RawIOBase, sock, ends: Deadline):
        self._raw, self._sock, self._ends = raw, sock, ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int | None:
        left = self._ends.remaining()
        if left <= 0:
            raise TimeoutError("the answer did not arrive in time")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _DeadlineResponse(http.client.HTTPResponse):
    def __init__(self, sock, *args, **kwargs):
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_DeadlineReader(self.fp.detach(), sock, _step.ends))


class _InTime:
    """All addresses of a host share the time for connecting; urllib3 gives all of it to each."""

    response_class = _DeadlineResponse

    def _new_conn(self) -> socket.socket:
        ends = _step.ends.slice(clocks.CONNECT)
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NameResolutionError(self.host, self, error) from error
        problem: Exception = NewConnectionError(self, f"{self.host} has no address.")
        for position, (*_, address) in enumerate(found):
            share = ends.remaining() / (len(found) - position)
            if share <= 0:
                break
            try:
                made = socket.create_connection(address[:2], share)
            except TimeoutError:
                problem = ConnectTimeoutError(self, f"Connection to {self.host} timed out.")
            except OSError as error:
                problem = NewConnectionError(self, f"Failed to connect to {self.host}: {error}")
            else:
                for option in self.socket_options or ():
                    made.setsockopt(*option)
                made.settimeout(self.timeout)
                return made
        raise problem


class _HTTPConnection(_InTime, urllib3.connection.HTTPConnection):
    pass


class _HTTPSConnection(_InTime, urllib3.connection.HTTPSConnection):
    pass


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args, **kwargs) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _HTTPPool,
            "https": _HTTPSPool,
        }


class ProviderSession:
    """Keep-alive connections of one account to one address."""

    def __init__(self, provider: str, base_url: str):
        self.provider = provider
        self.base_url = base_url
        self._adapter = _Adapter(pool_connections=2, pool_maxsize=64, max_retries=0)

    def request(
        self,
        method: str,
        path: str,
        *,
        deadline: Deadline,
        spends: bool = False,
        verify: bool | str = True,
        **arguments: Any,
    ) -> requests.Response:
        """Send one request to `path` under the base address and read the whole answer.

        Everything must be over by `deadline`. Raises `ProviderUnreachable` when nothing was sent;
        for anything else that went wrong on the way, `OutcomeUnknown` if the request `spends`
        money, else `ProviderUnreachable`. Any HTTP status is an answer, redirects too. `verify`:
        the authorities that may vouch for the provider, in a file, if not the usual ones.
        """
        if in_real_transaction():
            raise RuntimeError("A provider is never called inside a database transaction.")
        left = deadline.remaining()
        if left <= 0:
            raise ProviderUnreachable("There was no time left to ask the provider.")

        with waiting():
            started = time.monotonic()
            _step.ends = deadline
            outcome: object = "no answer"
            provider_request_id = ""
            try:
                request = _prepared(method, self.base_url + path, **arguments)
                timeout = (min(clocks.scaled(clocks.CONNECT), left), left)
                response = self._adapter.send(request, timeout=timeout, verify=verify)
                response.content  # noqa: B018  the whole answer, in time
                outcome = response.status_code
                provider_request_id = _request_id(response)
                return response
            except requests.RequestException as error:
                outcome = type(error).__name__
                if _was_not_sent(error):
                    raise ProviderUnreachable(
                        provider_message=f"{type(error).__name__} at {self.provider}"
                    ) from error
                raise _no_answer(spends, f"{type(error).__name__} at {self.provider}") from error
            finally:
                seconds = time.monotonic() - started
                metrics.provider_requests.labels(self.provider, method, str(outcome)).inc()
                metrics.provider_seconds.labels(self.provider, method).observe(seconds)
                facts = {
                    "provider": self.provider,
                    "method": method,
                    "path": path.partition("?")[0],
                    "status": outcome,  # or the kind of failure
                    "ms": round(seconds * 1000),
                }
                logger.info(
                    "%s %s %s: %s in %sms",
                    *facts.values(),
                    extra=facts | {"provider_request_id": provider_request_id},
                )


def _prepared(
    method: str, url: str, headers: Mapping[str, str] | None = None, **arguments: Any
) -> requests.PreparedRequest:
    """Without what a `requests.Session` adds: cookies, redirects, and the proxies and ~/.netrc of
    the environment. Credentials go where we say."""
    said = requests.utils.default_headers()
    said.update(headers or {})
    return requests.Request(method, url, headers=said, **arguments).prepare()


def _request_id(response: requests.Response) -> str:
    """What the provider's support asks for; empty if it is no harmless word."""
    given = (response.headers.get(name, "") for name in _REQUEST_IDS)
    return next((one for one in given if _SAFE_ID.fullmatch(one)), "")


def _was_not_sent(error: Exception) -> bool:
    """The closed list: the connection could not be made (refused, no such host, timed out)."""
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    return isinstance(cause, NewConnectionError)  # NameResolutionError is one of them


def _no_answer(
    spends: bool, provider_message: str, **facts
) -> OutcomeUnknown | ProviderUnreachable:
    kind = OutcomeUnknown if spends else ProviderUnreachable
    return kind(provider_message=provider_message, **facts)


_sessions: dict[tuple[str, str], ProviderSession] = {}
_sessions_lock = threading.Lock()


def session_for(provider: str, account: str, base_url: str) -> ProviderSession:
    """The keep-alive session of an account at an address; made once per process."""
    with _sessions_lock:
        session = _sessions.get((account, base_url))
        if session is None:
            session = _sessions[account, base_url] = ProviderSession(provider, base_url)
        return session


# --- What an answer means ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Refusal:
    """A provider's code in our words: the category, and the one thing to do about it."""

    code: str
    hint: str
    retryable: bool = False
    unknown_setting: str = ""


@dataclass(frozen=True, slots=True)
class ProviderMessage:
    """One error in a provider's own format."""

    code: str
    text: str
    means: str = ""  # the listed code that this one amounts to, if another

    @property
    def listed_as(self) -> str:
        return self.means or self.code


# Statuses that a definite refusal may have when its code is not in the provider's table.
_REFUSAL_BY_STATUS: Mapping[int, Refusal] = {
    401: Refusal("invalid_credentials", "Check the provider credentials."),
    403: Refusal("account_restricted", "Ask the provider what this account may not do, and why."),
    404: Refusal("provider_error", "The provider does not know what was asked for."),
    422: Refusal("provider_error", "The provider could not process the request as it was."),
    429: Refusal("rate_limited", "Wait a moment, then try again with a new key.", True),
}
RETRY_IN_MAX = 3600  # seconds; whoever wants more is asked once more by then
_IS_A_MOMENT = 1_000_000_000  # as a count of seconds it would be thirty years
# On a POST that spends, these say nothing definite whatever their body holds.
_NEVER_DEFINITE = frozenset({408, 425})


def raise_for_error(
    response: requests.Response,
    messages: list[ProviderMessage] | None,
    codes: Mapping[str, Refusal],
    *,
    spends: bool,
) -> None:
    """Return if the answer is a 2xx; otherwise raise what it means.

    `messages` are the errors in the provider's own format, None if the body is not in it. A
    refusal is definite when its code is in the provider's table (4xx only), or when the status
    is 401, 403, 404, 422 or 429 in the provider's format. Everything else is `OutcomeUnknown`
    for a request that `spends`, and `ProviderUnreachable` for a read.
    """
    status = response.status_code
    if 200 <= status < 300:
        return
    listed = next((m for m in messages or [] if m.listed_as in codes), None)
    message = listed or (messages[0] if messages else ProviderMessage("", ""))
    facts = {
        "provider_code": clean(message.code, 40),
        "provider_message": clean(message.text) or f"HTTP {status}",
        "status": status,
        "retry_in": retry_in(response),
    }
    refusal = codes.get(message.listed_as)
    if messages and 400 <= status < 500 and status not in _NEVER_DEFINITE:
        refusal = refusal or _REFUSAL_BY_STATUS.get(status)
        if refusal is None and not spends:
            refusal = Refusal("provider_error", "The provider did not accept the request.")
        if refusal is not None:
            raise ProviderRefused(
                code=refusal.code,
                hint=refusal.hint,
                retryable=refusal.retryable,
                unknown_setting=refusal.unknown_setting,
                **facts,
            )
    raise _no_answer(spends, **facts)


def retry_in(response: requests.Response) -> int | None:
    """How many seconds the provider wants us to wait, if it says so: `Retry-After` (a count or a
    date), or with a 429 Telnyx's `x-ratelimit-reset` (a count or a moment)."""
    told = response.headers.get("Retry-After")
    if told is None and response.status_code == 429:
        told = response.headers.get("x-ratelimit-reset")
    if told is None:
        return None
    now = time.time()
    try:
        seconds = float(told)
        if seconds > _IS_A_MOMENT:
            seconds -= now
    except ValueError:
        try:
            seconds = parsedate_to_datetime(told).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
    if math.isnan(seconds):
        return None
    return math.ceil(min(max(seconds, 0), RETRY_IN_MAX))


def read_json(response: requests.Response, *, spends: bool) -> dict[str, Any]:
    """The JSON object in a 2xx answer; anything else is no usable answer."""
    try:
        data = json.loads(response.text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise _no_answer(spends, "The provider's answer could not be read.")
    return data


def clean(text: object, limit: int = 300) -> str:
    """A provider's sentence for staff: one line, no NUL, no numbers or secrets, cut."""
    line = "".join(c if c.isprintable() else " " for c in str(text or ""))
    return mask(" ".join(line.encode("utf-8", "replace").decode().split()))[:limit]
