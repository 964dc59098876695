from django.core.exceptions import ValidationError

from burki.ids import uuid7 as uuid7
from numbers.e164 import is_e164


def validate_e164(value: str) -> None:
    if not is_e164(value):
        raise ValidationError("Phone number must be in E.164 format (e.g., +1234567890)")
