"""The strict fields that know what a phone number, an assistant and a name are."""

from typing import Any

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


class FriendlyNameField(TextField):
    def __init__(self, **kwargs: Any):
        super().__init__(
            most=FRIENDLY_NAME_MAX,
            message=f"Friendly name must be text of at most {FRIENDLY_NAME_MAX} characters, "
            "without control characters",
            **kwargs,
        )
