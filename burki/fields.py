"""Strict fields: JSON types are taken as they are, never coerced (Django REST framework alone
would take "1" as an integer, 0 as a string, and trim the blanks off a phone number)."""

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from burki.text import is_clean, is_storable

_LARGEST_ID = 2**63 - 1  # what PostgreSQL's bigint holds
JSON_DEPTH_MAX = 32
_AMOUNT = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,5})?")


class StrictField(serializers.Field):
    """`message` is the one sentence for every wrong value; `schema` says in JSON Schema what is
    right, for the API's documentation."""

    message = "Invalid value"
    schema: dict[str, Any]

    def __init__(self, **kwargs: Any):
        kwargs.setdefault("error_messages", {})
        kwargs["error_messages"] |= {"required": self.message, "null": self.message}
        super().__init__(**kwargs)

    def is_right(self, value: Any) -> bool:
        raise NotImplementedError

    def to_internal_value(self, data: Any) -> Any:
        if not self.is_right(data):
            raise serializers.ValidationError(self.message)
        return data

    def to_representation(self, value: Any) -> Any:
        return value


class ProviderField(StrictField):
    """`twilio` or `telnyx`, in any case; more words where a view allows them."""

    def __init__(self, *, words: tuple[str, ...] = ("twilio", "telnyx"), **kwargs: Any):
        self.words = words
        quoted = [f"'{word}'" for word in words]
        self.message = f"Provider must be {', '.join(quoted[:-1])} or {quoted[-1]}"
        self.schema = {"type": "string", "enum": list(words)}
        super().__init__(**kwargs)

    def is_right(self, value: Any) -> bool:
        return isinstance(value, str) and value.lower() in self.words

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).lower()


class TextField(StrictField):
    """A string of `least` to `most` characters, none of them control characters but, with
    `lines`, those that break lines. Blanks around it are dropped."""

    def __init__(
        self, *, most: int, message: str, least: int = 0, lines: bool = False, **kwargs: Any
    ):
        self.least, self.most, self.lines, self.message = least, most, lines, message
        # No maxLength: blanks around the text do not count.
        self.schema = {
            "type": "string",
            "minLength": least,
            "description": f"At most {most} characters; blanks around them are dropped.",
        }
        super().__init__(**kwargs)

    def is_right(self, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        text = value.strip()
        line = re.sub("[\t\r\n]", " ", text) if self.lines else text
        return self.least <= len(text) <= self.most and is_clean(line)

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).strip()


class PatternField(StrictField):
    """A string that a pattern describes as a whole. Blanks around it are dropped."""

    def __init__(self, pattern: str, *, message: str, **kwargs: Any):
        self.pattern, self.message = re.compile(pattern), message
        whole = pattern.replace(r"\Z", "$")
        self.schema = {"type": "string", "pattern": rf"^\s*(?:{whole})\s*$"}
        super().__init__(**kwargs)

    def is_right(self, value: Any) -> bool:
        return isinstance(value, str) and self.pattern.fullmatch(value.strip()) is not None

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).strip()


class StrictInteger(StrictField):
    def __init__(self, *, least: int, most: int, message: str, **kwargs: Any):
        self.least, self.most, self.message = least, most, message
        self.schema = {"type": "integer", "minimum": least, "maximum": most}
        super().__init__(**kwargs)

    def is_right(self, value: Any) -> bool:
        return type(value) is int and self.least <= value <= self.most


class StrictBoolean(StrictField):
    schema = {"type": "boolean"}

    def __init__(self, *, message: str = "must be true or false", **kwargs: Any):
        self.message = message
        super().__init__(**kwargs)

    def is_right(self, value: Any) -> bool:
        return isinstance(value, bool)


class MoneyField(StrictField):
    """An amount as a decimal string, such as "1.15"; a JSON number is taken too. An empty string
    is wrong, not "no limit"."""

    schema = {
        "type": ["string", "number"],
        "pattern": f"^{_AMOUNT.pattern}$",
        "minimum": 0,
        "maximum": 9_999_999,
    }

    def bind(self, field_name: str, parent: Any) -> None:
        super().bind(field_name, parent)
        self.message = f"{field_name} must be an amount of money (e.g., 1.50)"

    def is_right(self, value: Any) -> bool:
        return type(value) in (str, int, float) and _AMOUNT.fullmatch(str(value)) is not None

    def to_internal_value(self, data: Any) -> Decimal:
        return Decimal(str(super().to_internal_value(data)))


class JSONObjectField(StrictField):
    """Any JSON object of at most `most` bytes that a database can keep and give back as it came."""

    schema = {"type": "object"}

    def __init__(self, *, most: int, **kwargs: Any):
        self.most = most
        super().__init__(**kwargs)

    def bind(self, field_name: str, parent: Any) -> None:
        super().bind(field_name, parent)
        self.message = (
            f"{field_name} must be a JSON object of at most {self.most // 1000} kB, nested at most "
            f"{JSON_DEPTH_MAX} levels deep, without NUL characters and infinite numbers"
        )

    def is_right(self, value: Any) -> bool:
        return (
            isinstance(value, dict)
            and all(_is_kept(found, depth) for found, depth in walk_json(value, 1))
            and len(json.dumps(value)) <= self.most
        )


def _is_kept(value: Any, depth: int) -> bool:
    if isinstance(value, str):
        return is_storable(value)
    return depth <= JSON_DEPTH_MAX and not (isinstance(value, float) and not math.isfinite(value))


def walk_json(value: Any, depth: int) -> Iterator[tuple[Any, int]]:
    """Every value and every name in it, down to one level more than is allowed."""
    yield value, depth
    if depth > JSON_DEPTH_MAX:
        return
    if isinstance(value, dict):
        yield from ((name, depth) for name in value)
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in below:
        yield from walk_json(item, depth + 1)


def row_id(text: str) -> int:
    """An id in a path as a number; 0, which no row has, for what can be none."""
    return int(text) if re.fullmatch("[0-9]{1,19}", text) and int(text) <= _LARGEST_ID else 0


def optional_text(most: int, sentence: str, **kwargs: Any) -> TextField:
    """Text that may be absent or null; `sentence` is what anything else is told."""
    return TextField(most=most, message=sentence, required=False, allow_null=True, **kwargs)


def validated(serializer_class: type[serializers.Serializer], data: Any) -> dict[str, Any]:
    """The request's fields as the serializer cleaned them; raises `ValidationError`."""
    serializer = serializer_class(data=data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
