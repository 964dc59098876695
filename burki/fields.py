"""Strict fields: JSON types are taken as they are, never coerced (Django REST framework alone
would take "1" as an integer, 0 as a string, and trim the blanks off a phone number)."""

import re
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from burki.text import is_clean

_AMOUNT = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,5})?")


class StrictField(serializers.Field):
    """`message` is the one sentence for every wrong value."""

    message = "Invalid value"

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
        super().__init__(**kwargs)

    def is_right(self, value: Any) -> bool:
        return isinstance(value, str) and value.lower() in self.words

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).lower()


class TextField(StrictField):
    """A string of at most `most` characters, none of them control characters. Blanks around it
    are dropped."""

    def __init__(self, *, most: int, message: str, **kwargs: Any):
        self.most, self.message = most, message
        super().__init__(**kwargs)

    def is_right(self, value: Any) -> bool:
        if not isinstance(value, str):
            return False
        text = value.strip()
        return len(text) <= self.most and is_clean(text)

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).strip()


class StrictInteger(StrictField):
    def __init__(self, *, least: int, most: int, message: str, **kwargs: Any):
        self.least, self.most, self.message = least, most, message
        super().__init__(**kwargs)

    def is_right(self, value: Any) -> bool:
        return type(value) is int and self.least <= value <= self.most


class StrictBoolean(StrictField):
    message = "must be true or false"

    def is_right(self, value: Any) -> bool:
        return isinstance(value, bool)


class MoneyField(StrictField):
    """An amount as a decimal string, such as "1.15"; a JSON number is taken too. An empty string
    is wrong, not "no limit"."""

    def bind(self, field_name: str, parent: Any) -> None:
        super().bind(field_name, parent)
        self.message = f"{field_name} must be an amount of money (e.g., 1.50)"

    def is_right(self, value: Any) -> bool:
        return type(value) in (str, int, float) and _AMOUNT.fullmatch(str(value)) is not None

    def to_internal_value(self, data: Any) -> Decimal:
        return Decimal(str(super().to_internal_value(data)))


def optional_text(most: int, sentence: str, **kwargs: Any) -> TextField:
    """Text that may be absent or null; `sentence` is what anything else is told."""
    return TextField(most=most, message=sentence, required=False, allow_null=True, **kwargs)


def validated(serializer_class: type[serializers.Serializer], data: Any) -> dict[str, Any]:
    """The request's fields as the serializer cleaned them; raises `ValidationError`."""
    serializer = serializer_class(data=data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
