"""Structured logs: every line carries the id of the request or the job (`job:17`) and what else is
bound, such as the purchase; no line carries a whole number or a secret.

Masking happens in the formatter, on the finished text, so that exceptions, SQL errors and other
people's log lines are covered as well.
"""

import contextlib
import contextvars
import logging
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from pythonjsonlogger.json import JsonFormatter

from burki import metrics

request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")
_bound: contextvars.ContextVar[Mapping[str, str]] = contextvars.ContextVar(
    "bound", default=MappingProxyType({})
)

events = logging.getLogger("burki.events")

# +14155551234 and %2B14155551234 keep the first and the last two digits; so does a bare run of
# 11 to 15 digits, as Telnyx wants numbers in its filters.
_E164 = re.compile(r"((?:\+|%2[Bb])[1-9])([0-9]{4,12})([0-9]{2})(?![0-9])")
_DIGITS = re.compile(r"(?<![0-9A-Za-z.\-])([1-9])([0-9]{8,12})([0-9]{2})(?![0-9A-Za-z\-])")
_SECRETS = re.compile(
    r"(?i)\b(burki_|KEY)[A-Za-z0-9_\-.]{8,}"
    r"|\b(?:bearer|basic)\s+[A-Za-z0-9+/=._\-]{8,}"
    # Quotes may be escaped: JSON lines hold JSON.
    r"|((?:auth_token|api_key|password|secret|token)[\\\"']*\s*[=:]\s*[\\\"']*)[^\s\\\"',;}]{4,}"
    r"|(//[^\s/:@]+:)[^\s/@]{4,}(?=@)"
)

# One of these is in whatever the pattern for secrets matches; it takes its time over any line.
_HINTS = ("burki_", "key", "bearer", "basic", "password", "secret", "token", "@")


def mask(text: str) -> str:
    """The text without phone numbers and secrets. Secrets keep their last four characters."""
    folded = text.casefold()
    if any(hint in folded for hint in _HINTS):
        text = _SECRETS.sub(lambda m: f"{m[1] or m[2] or m[3] or ''}***{m[0][-4:]}", text)
    text = _E164.sub(lambda m: m[1] + "*" * len(m[2]) + m[3], text)
    return _DIGITS.sub(lambda m: m[1] + "*" * len(m[2]) + m[3], text)


def masked_event(value: Any, hint: Any = None) -> Any:
    """An event for Sentry with every text in it masked."""
    if isinstance(value, dict):
        return {key: masked_event(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked_event(item) for item in value]
    return mask(value) if isinstance(value, str) else value


def emit(event: str, **facts) -> None:
    """Log a named event of a service, such as `purchase.claimed`, with facts beside it.

    Tests stop or kill the process at these events, so each name marks an exact point.
    """
    facts = {key: str(fact) if isinstance(fact, UUID) else fact for key, fact in facts.items()}
    metrics.events.labels(event, str(facts.get("outcome") or facts.get("state") or "")).inc()
    details = " ".join(f"{key}={value}" for key, value in facts.items())
    events.info("%s %s", event, details, extra={"event": event, **facts})


@contextlib.contextmanager
def bound_request_id(value: str) -> Iterator[None]:
    token = request_id.set(value)
    try:
        yield
    finally:
        request_id.reset(token)


@contextlib.contextmanager
def bound(**facts: object) -> Iterator[None]:
    """What all lines of this block are about, such as `purchase`: fields of each of them."""
    token = _bound.set(_bound.get() | {name: str(fact) for name, fact in facts.items()})
    try:
        yield
    finally:
        _bound.reset(token)


class ContextFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        for name, fact in _bound.get().items():
            if not hasattr(record, name):  # a line's own facts say it better
                setattr(record, name, fact)
        return True


class MaskingJsonFormatter(JsonFormatter):
    def __init__(self, *args, **kwargs):
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s %(request_id)s")

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))


class MaskingTextFormatter(logging.Formatter):
    def __init__(self, *args, **kwargs):
        super().__init__("%(asctime)s %(levelname)-7s %(name)s %(message)s [%(request_id)s]")

    def format(self, record: logging.LogRecord) -> str:
        return mask(super().format(record))
