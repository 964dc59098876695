"""Telnyx's events: https://developers.telnyx.com/development/api-fundamentals/webhooks. An event
type that is not in `_KINDS` is stored and acknowledged."""

import hashlib
import json
from datetime import datetime
from typing import Any

from numbers.models import Direction
from numbers.services.inbound.events import (
    ID_MAX,
    NUMBER_MAX,
    TYPE_MAX,
    WORD_MAX,
    InboundEvent,
    Kind,
    Unreadable,
    our_numbers,
    text_of,
)

_KINDS = {
    "call.initiated": Kind.CALL,
    "call.answered": Kind.CALL_ANSWERED,
    "call.speak.ended": Kind.CALL_SPOKEN,
    "call.hangup": Kind.CALL_ENDED,
    "message.received": Kind.MESSAGE,
    "number_order.complete": Kind.ORDER,
}
_OF_CALLS = {Kind.CALL, Kind.CALL_ANSWERED, Kind.CALL_SPOKEN, Kind.CALL_ENDED}
_DIRECTIONS = {
    "incoming": Direction.INBOUND,
    "inbound": Direction.INBOUND,
    "outgoing": Direction.OUTBOUND,
    "outbound": Direction.OUTBOUND,
}


def read(body: bytes) -> InboundEvent:
    """Raises `Unreadable`."""
    data = _object(parse(body), "data")
    payload = _object(data, "payload")
    event_type = text_of(data.get("event_type"), TYPE_MAX)
    kind = _KINDS.get(event_type, Kind.OTHER)
    direction = _DIRECTIONS.get(text_of(payload.get("direction"), 20))
    if kind == Kind.CALL and direction == Direction.OUTBOUND:
        kind = Kind.OTHER  # a call that somebody else places with this connection
    from_number, to_number = _number(payload.get("from")), _number(payload.get("to"))
    key = text_of(data.get("id"), ID_MAX) or f"sha256:{hashlib.sha256(body).hexdigest()}"
    call_id = text_of(payload.get("call_control_id"), ID_MAX)
    if kind in _OF_CALLS and not call_id:
        kind = Kind.OTHER
    order_id = text_of(payload.get("id"), 64) if kind == Kind.ORDER else ""
    media = payload.get("media") if isinstance(payload.get("media"), list) else []
    urls = [item.get("url") for item in media if isinstance(item, dict)]
    return InboundEvent(
        kind=kind,
        type=event_type or "unknown",
        key=key,
        call_id=call_id,
        message_id=(text_of(payload.get("id"), ID_MAX) or key) if kind == Kind.MESSAGE else "",
        from_number=from_number,
        to_number=to_number,
        direction=direction,
        occurred_at=_moment(data.get("occurred_at")),
        ended_because=text_of(payload.get("hangup_cause"), WORD_MAX),
        text=payload.get("text") if isinstance(payload.get("text"), str) else "",
        media_urls=tuple(url for url in urls if isinstance(url, str)),
        connection_id=text_of(payload.get("connection_id"), 64),
        messaging_profile_id=text_of(payload.get("messaging_profile_id"), 64),
        order_id=order_id,
        reference=text_of(payload.get("customer_reference"), 64),
        ours=our_numbers(direction, from_number, to_number),
    )


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object. Raises `Unreadable`."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("not JSON") from None
    if not isinstance(data, dict):
        raise Unreadable("not a JSON object")
    return data


def _object(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _number(given: Any) -> str:
    """A call's `to` is text, a message's a list of objects, its `from` one object."""
    if isinstance(given, list):
        given = given[0] if given else None
    if isinstance(given, dict):
        given = given.get("phone_number")
    return text_of(given, NUMBER_MAX)


def _moment(given: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(given)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
