"""Misbehaviour: what a test may ask for, and what scenarios are made of."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .messages import Answer, Request

# Sent on the wire in an unusual way; `server` and `wire` do the rest.
DELIVERIES = frozenset({"drop", "hang", "drip", "truncate"})
# Another answer, sent in the usual way.
REWRITES = frozenset({"redirect", "garbage", "misname"})
# These spoil a correct answer, so without an answer of their own the request is carried out.
_SPOILS = frozenset({"drip", "truncate", "misname"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How one request is answered instead of normally.

    With neither `status` nor `body` nor `action` it is merely late (`delay`, times the sandbox's
    `time_scale`) or has additional `headers`. With `apply` the request is carried out first.
    `code` is the provider's error code; without it the usual one of `status` is used.
    """

    status: int | None = None
    code: int | None = None
    body: dict[str, Any] | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    action: str | None = None
    delay: float = 0.0
    apply: bool = False

    def __post_init__(self) -> None:
        if self.action is not None and self.action not in DELIVERIES | REWRITES:
            raise ValueError(f"unknown action {self.action!r}")
        if self.status is not None and not 200 <= self.status <= 599:
            raise ValueError(f"{self.status} is not the status of an answer")

    @property
    def misbehaves(self) -> bool:
        return not (self.status is None and self.body is None and self.action is None)

    @property
    def carries_out(self) -> bool:
        invents = self.status is not None or self.body is not None
        return self.apply or not self.misbehaves or (self.action in _SPOILS and not invents)

    def spoil(
        self, request: Request, answer: Answer | None, error: Callable[..., Answer]
    ) -> Answer:
        """The answer that is sent; `answer` is the correct one if the request was carried out."""
        if self.action == "redirect":
            headers = {"Location": f"{request.path}?moved=1", **self.headers}
            return Answer(self.status or 307, None, headers)
        if self.action == "garbage":
            return Answer(self.status or 200, "not json", self.headers)
        if isinstance(self.body, str):
            return Answer(self.status or 200, self.body, self.headers, "text/html; charset=utf-8")
        if self.body is not None:
            return Answer(self.status or 200, self.body, self.headers)
        if self.status is not None:
            made_up = error(self.status, self.code)
            return replace(made_up, headers={**made_up.headers, **self.headers})
        answer = answer or Answer(200)
        if self.action == "misname":
            number = request.phone_number
            text = answer.encoded().decode().replace(number, f"{number[:-4]}9999")
            answer = replace(answer, body=text)
        return replace(answer, headers={**answer.headers, **self.headers})


class ScenarioFault(Exception):
    """Raised by a twin before anything was changed: the number's scenario wants this fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


def obey(fault: Fault | None, request: Request) -> None:
    """Raise the scenario's fault, if there is one and it has not had its turn already."""
    if fault is None or not request.scenarios:
        return
    # A client that follows the redirect arrives at the real thing: nobody may miss that it did.
    if fault.action == "redirect" and "moved" in request.query:
        return
    raise ScenarioFault(fault)


@dataclass(slots=True)
class _Entry:
    method: str | None
    path: re.Pattern[str] | None
    left: int | None
    fault: Fault


class FaultBook:
    """The faults that somebody asked for, oldest first."""

    def __init__(self, lock: "threading.RLock") -> None:
        self._lock = lock
        self._entries: list[_Entry] = []

    def add(self, fault: Fault, *, method: str | None, path: str | None, times: int | None) -> None:
        if times is not None and times < 1:
            raise ValueError("times must be positive, or None for always")
        pattern = re.compile(path) if path else None
        with self._lock:
            self._entries.append(_Entry(method and method.upper(), pattern, times, fault))

    def take(self, request: Request) -> Fault | None:
        """The fault for this request, used up by one."""
        with self._lock:
            for entry in self._entries:
                if entry.method and entry.method != request.method:
                    continue
                if entry.path and not entry.path.search(request.path):
                    continue
                if entry.fault.action == "redirect" and "moved" in request.query:
                    continue
                if entry.left is not None:
                    entry.left -= 1
                    if not entry.left:
                        self._entries.remove(entry)
                return entry.fault
        return None

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
