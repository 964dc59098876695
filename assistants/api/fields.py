"""The strict fields of an assistant. Null means "not given" or "none", as the view decides."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from rest_framework import serializers

from burki.fields import StrictField
from burki.text import is_clean, is_storable


class NameField(StrictField):
    message = "name must be text of 1 to 100 characters, on one line"
    schema = {"type": "string", "minLength": 1, "maxLength": 100}

    def is_right(self, value: Any) -> bool:
        return isinstance(value, str) and is_clean(value) and 1 <= len(value.strip()) <= 100

    def to_internal_value(self, data: Any) -> str:
        return super().to_internal_value(data).strip()


class _OptionalField(StrictField):
    """May be absent, or null."""

    def __init__(self, **kwargs: Any):
        super().__init__(**({"required": False, "allow_null": True} | kwargs))


class ProseField(_OptionalField):
    """Text of several lines, kept as it is."""

    def __init__(self, *, most: int, **kwargs: Any):
        self.most = most
        self.schema = {"type": "string", "maxLength": most}
        super().__init__(**kwargs)

    def bind(self, field_name: str, parent: Any) -> None:
        super().bind(field_name, parent)
        self.message = (
            f"{field_name} must be text of at most {self.most} characters, "
            "without NUL characters and lone surrogates"
        )

    def is_right(self, value: Any) -> bool:
        return isinstance(value, str) and len(value) <= self.most and is_storable(value)


class PatternField(_OptionalField):
    """Text that a pattern describes, or none; `says` ends the sentence "… must be"."""

    def __init__(self, pattern: str, *, says: str, **kwargs: Any):
        self.pattern, self.says = re.compile(pattern), says
        self.schema = {"type": "string", "pattern": f"^(?:{pattern})?$"}
        super().__init__(**kwargs)

    def bind(self, field_name: str, parent: Any) -> None:
        super().bind(field_name, parent)
        self.message = f"{field_name} must be {self.says}"

    def is_right(self, value: Any) -> bool:
        return isinstance(value, str) and (not value or bool(self.pattern.fullmatch(value)))


class AddressField(_OptionalField):
    """A URL with one of `schemes`, or none."""

    def __init__(self, *, schemes: tuple[str, ...], **kwargs: Any):
        self.valid = URLValidator(schemes=list(schemes))
        self.says = " or ".join(f"{scheme}://" for scheme in schemes)
        beginning = rf"^(?:(?:{'|'.join(schemes)})://\S+)?$"
        self.schema = {"type": "string", "maxLength": 500, "pattern": beginning}
        super().__init__(**kwargs)

    def bind(self, field_name: str, parent: Any) -> None:
        super().bind(field_name, parent)
        self.message = (
            f"{field_name} must be an address of at most 500 characters, beginning with {self.says}"
        )

    def is_right(self, value: Any) -> bool:
        if not isinstance(value, str) or len(value) > 500:
            return False
        try:
            return not value or self.valid(value) is None
        except ValidationError:
            return False


class OverrideField(_OptionalField):
    """`twilio_config` or `telnyx_config`: an object of optional strings, or null for none.
    Names that it does not know are ignored; no sentence repeats a value."""

    def __init__(self, *names: str, **kwargs: Any):
        self.names = names
        properties = {name: {"type": ["string", "null"]} for name in names}
        self.schema = {"type": "object", "properties": properties}
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> dict[str, str | None]:
        if not isinstance(data, dict):
            raise serializers.ValidationError(
                f"{self.field_name} must be an object with {' and '.join(self.names)}, or null"
            )
        given = {name: data[name] for name in self.names if name in data}
        for name, value in given.items():
            if value is not None and not (isinstance(value, str) and is_clean(value)):
                raise serializers.ValidationError(f"{self.field_name}.{name} must be a string")
        if len(given.get("connection_id") or "") > 64:
            raise serializers.ValidationError(
                f"{self.field_name}.connection_id must have at most 64 characters"
            )
        return given
