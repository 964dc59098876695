"""Twilio's requests to us: https://www.twilio.com/docs/voice/twiml#request-parameters,
https://www.twilio.com/docs/messaging/guides/webhook-request. Parameters that we do not know are
ignored: Twilio adds some without notice."""

from datetime import datetime
from email.utils import parsedate_to_datetime

from django.http import QueryDict

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
    whole,
)

_OVER = {"completed", "busy", "failed", "no-answer", "canceled"}
_ANSWERED = {"in-progress", "answered"}
_FIELDS_MAX = 500


def read(body: bytes, *, status: bool) -> InboundEvent:
    """`status`: the request came to the address for status callbacks. Raises `Unreadable`."""
    form = parse(body)
    call_id = text_of(form.get("CallSid"), ID_MAX)
    message_id = text_of(
        form.get("MessageSid") or form.get("SmsSid") or form.get("SmsMessageSid"), ID_MAX
    )
    from_number, to_number = (text_of(form.get(name), NUMBER_MAX) for name in ("From", "To"))
    direction = Direction.INBOUND
    if form.get("Direction", "").startswith("outbound"):
        direction = Direction.OUTBOUND
    word = form.get("CallStatus" if call_id else "MessageStatus") or form.get("SmsStatus")
    word = text_of(word, WORD_MAX)
    kind, key = _kind_and_key(status, call_id, message_id, word)
    media = [form.get(f"MediaUrl{n}", "") for n in range(min(whole(form.get("NumMedia")) or 0, 50))]
    return InboundEvent(
        kind=kind,
        type=f"{key.partition(':')[0]} {word}".strip()[:TYPE_MAX],
        key=key[:ID_MAX],
        call_id=call_id,
        message_id=message_id,
        from_number=from_number,
        to_number=to_number,
        direction=direction,
        occurred_at=_moment(form.get("Timestamp", "")),
        ended_because=word if kind == Kind.CALL_ENDED else "",
        duration_seconds=whole(form.get("CallDuration")),
        text=form.get("Body", ""),
        media_urls=tuple(filter(None, media)),
        account_sid=text_of(form.get("AccountSid"), 34),
        ours=our_numbers(direction, from_number, to_number),
    )


def parse(body: bytes) -> QueryDict:
    """The form, decoded as the signature needs it. Raises `Unreadable`."""
    if body.count(b"&") >= _FIELDS_MAX:
        raise Unreadable("too many parameters")
    return QueryDict(body, encoding="utf-8")


def _moment(given: str) -> datetime | None:
    """Reports of a status say when it was so, to the second: `Sun, 25 Mar 2018 09:53:19 +0000`."""
    try:
        moment = parsedate_to_datetime(given)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else None


def _kind_and_key(status: bool, call_id: str, message_id: str, word: str) -> tuple[str, str]:
    """A call's id and its status name its events: Twilio numbers none."""
    if call_id and not status:
        return Kind.CALL, f"voice:{call_id}"
    if call_id:
        kind = Kind.OTHER
        if word in _OVER:
            kind = Kind.CALL_ENDED
        elif word in _ANSWERED:
            kind = Kind.CALL_ANSWERED
        return kind, f"call-status:{call_id}:{word}"
    if message_id and not status:
        return Kind.MESSAGE, f"message:{message_id}"
    if message_id:
        return Kind.OTHER, f"message-status:{message_id}:{word}"
    raise Unreadable("neither a call nor a message")
