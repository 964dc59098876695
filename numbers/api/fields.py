"""The strict fields that know what a phone number, an assistant and a name are."""

import re
from typing import Any

from rest_framework import serializers

from burki.fields import StrictField, TextField
from numbers.e164 import E164, is_e164
from numbers.services.requests import FRIENDLY_NAME_MAX


class E164Field(StrictField):
    message = "Phone number must be in E.164 format (e.g., +1234567890)"
    schema = {"type": "string", "pattern": f"^{E164.pattern}$"}

    def is_right(self, value: Any) -> bool:
        return is_e164(value)


class AssistantIdField(StrictField):
    message = "assistant_id must be a positive integer (e.g., 123)"
    schema = {"type": "integer", "minimum": 1}

    def is_right(self, value: Any) -> bool:
        return type(value) is int and value >= 1


class FormE164Field(E164Field):
    """In a form, a plus that was not encoded arrives as a blank."""

    schema = {"type": "string", "pattern": E164Field.schema["pattern"].replace(r"\+", "[+ ]")}

    def to_internal_value(self, data: Any) -> str:
        blank = isinstance(data, str) and data.startswith(" ")
        return super().to_internal_value(f"+{data[1:]}" if blank else data)


class AssistantChoiceField(StrictField):
    """An assistant's id; 0 for none."""

    message = "assistant_id must be a positive integer (e.g., 123), or 0 to unassign"
    schema = {"type": "integer", "minimum": 0}

    def is_right(self, value: Any) -> bool:
        return type(value) is int and value >= 0


class AnyTextField(StrictField):
    """A string, to be judged later."""

    schema = {"type": "string"}

    def __init__(self, *, message: str, **kwargs: Any):
        self.message = message
        super().__init__(**kwargs)

    def is_right(self, value: Any) -> bool:
        return isinstance(value, str)


class NumberOfADirectoryField(StrictField):
    """A phone number as people write it into assign-by-number; blanks around it are dropped."""

    message = "Phone number must be in E.164 format (start with +)"
    schema = {"type": "string", "pattern": r"^\s*\+[0-9]{7,15}\s*$"}

    def is_right(self, value: Any) -> bool:
        return isinstance(value, str) and value.strip().startswith("+")

    def to_internal_value(self, data: Any) -> str:
        number = super().to_internal_value(data).strip()
        if not re.fullmatch("[0-9]*", number[1:]):
            raise serializers.ValidationError(
                "Phone number must contain only digits after the + symbol"
            )
        if not 7 <= len(number) - 1 <= 15:
            raise serializers.ValidationError("Phone number must be between 7 and 15 digits long")
        return number


class FriendlyNameField(TextField):
    def __init__(self, **kwargs: Any):
        super().__init__(
            most=FRIENDLY_NAME_MAX,
            message=f"Friendly name must be text of at most {FRIENDLY_NAME_MAX} characters, "
            "without control characters",
            **kwargs,
        )
