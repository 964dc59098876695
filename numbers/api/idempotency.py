"""The `Idempotency-Key` header, and the ids in our addresses."""

import uuid

from burki.errors import InvalidRequest
from numbers.services.requests import KEY_MAX


def idempotency_key(request) -> str | None:
    """The `Idempotency-Key` header, bare or in quotes, in the API's own namespace."""
    given = request.headers.get("Idempotency-Key")
    if given is None:
        return None
    key = given.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not 1 <= len(key) <= KEY_MAX or not key.isprintable():
        raise InvalidRequest(
            f"Idempotency-Key must be 1 to {KEY_MAX} printable characters",
        )
    return f"api:{key}"


def as_uuid(text: str) -> uuid.UUID | None:
    """None for what is no UUID: nothing has such an id."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
