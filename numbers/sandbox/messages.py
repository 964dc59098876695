"""What travels between the HTTP side and the two providers' twins."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

E164 = re.compile(r"\A\+[1-9][0-9]{6,14}\Z")


@dataclass(slots=True, kw_only=True)
class Request:
    """One request to a provider, parsed; `scenarios` off means: ignore the number's scenario."""

    provider: str
    account: str
    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    headers: dict[str, str]
    scenarios: bool = True

    def arg(self, name: str) -> str:
        """The first value of a query parameter, "" when absent."""
        return self.query.get(name, [""])[0]

    @property
    def fields(self) -> dict[str, Any]:
        """The body as a mapping, empty when it was none."""
        return self.body if isinstance(self.body, dict) else {}

    @property
    def phone_number(self) -> str:
        """The number that a purchase asks for, "" when there is none."""
        if "PhoneNumber" in self.fields:
            return str(self.fields["PhoneNumber"])
        items = self.fields.get("phone_numbers")
        first = items[0] if isinstance(items, list) and items else None
        return str(first.get("phone_number", "")) if isinstance(first, dict) else ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer before it is sent. A `str` body is sent as it is, anything else as JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"

    def encoded(self) -> bytes:
        if self.body is None:
            return b""
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request as it was seen.

    `at` is monotonic, `wall` is the epoch; `status` is None while the request is unanswered and
    for ever when its connection was dropped. `account` is never the secret part of a credential,
    and the Authorization header reads "***".
    """

    number: int
    at: float
    wall: float
    provider: str
    account: str
    method: str
    path: str
    query: dict[str, list[str]]
    body: Any
    headers: dict[str, str]
    status: int | None = None


class Refused(Exception):
    """A provider's error answer; the twin gives it the provider's own format."""

    def __init__(self, status: int, code: int | None, detail: str = "", pointer: str = "") -> None:
        super().__init__(f"{status}/{code} {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.pointer = pointer


def parse_body(raw: bytes, content_type: str) -> Any:
    """A dict for JSON objects and forms, else the text."""
    text = raw.decode("utf-8", "replace")
    if "json" in content_type:
        try:
            parsed = json.loads(text)
        except ValueError:
            return text
        return parsed if isinstance(parsed, dict) else text
    if "x-www-form-urlencoded" in content_type:
        return dict(parse_qsl(text, keep_blank_values=True))
    return text
