"""A provider's event in our words. Readers take only what is well formed: the numbers, ids and
texts in it come from callers, who may send anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from burki.text import plain
from numbers.models import Direction, WebhookDelivery

Kind = WebhookDelivery.Kind

# What columns hold.
ID_MAX, TYPE_MAX, NUMBER_MAX, WORD_MAX = 255, 60, 128, 60


class Unreadable(Exception):
    """The body is not what this provider sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundEvent:
    kind: str  # WebhookDelivery.Kind
    type: str  # the provider's own word
    key: str  # the same for the same event, however often it is delivered
    call_id: str = ""
    message_id: str = ""
    from_number: str = ""
    to_number: str = ""
    # None: the event does not say.
    direction: str | None = None
    occurred_at: datetime | None = None
    ended_because: str = ""
    duration_seconds: int | None = None
    text: str = ""
    media_urls: tuple[str, ...] = ()
    # Whose it may be; hints, which decide nothing before the signature is verified.
    account_sid: str = ""
    connection_id: str = ""
    messaging_profile_id: str = ""
    order_id: str = ""
    reference: str = ""  # our purchase's id, on an order
    ours: tuple[str, ...] = field(default=())  # which of the numbers may be ours, likeliest first


def our_numbers(direction: str | None, from_number: str, to_number: str) -> tuple[str, ...]:
    """The numbers of a call or message that may be ours."""
    if direction == Direction.INBOUND:
        return (to_number,)
    if direction == Direction.OUTBOUND:
        return (from_number,)
    return (to_number, from_number)


def text_of(value: object, most: int) -> str:
    """A value as one of our columns takes it; `""` for what is no text at all."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return plain(value, most)


def whole(value: object) -> int | None:
    """A count of seconds that a column holds."""
    digits = text_of(value, 9)
    return int(digits) if digits.isascii() and digits.isdecimal() else None


def purchase_id(reference: str) -> UUID | None:
    """The purchase that an order's reference names, if it can be one of ours."""
    try:
        return UUID(reference)
    except ValueError:
        return None
