import secrets
import time
import uuid

from django.core.exceptions import ValidationError

from numbers.e164 import is_e164


def uuid7() -> uuid.UUID:
    """A time-ordered UUID (RFC 9562, version 7): unique everywhere, so that it can be our tag at a
    provider whose account several installations share, and sortable by when it was made."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | (7 << 76)
    value = value & ~(0x3 << 62) | (2 << 62)
    return uuid.UUID(int=value)


def validate_e164(value: str) -> None:
    if not is_e164(value):
        raise ValidationError("Phone number must be in E.164 format (e.g., +1234567890)")
