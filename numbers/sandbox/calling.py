"""Callers and senders: what the providers ask their customers when a number here is called or
texted, and what comes back. The provider's part of a call is played to its end."""

import http.client
import secrets
import time
import uuid
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from . import orders
from .messages import E164
from .signing import Signed, telnyx_event, twilio_form
from .state import Record, State

SOMEBODY = "+14155550199"
_HTTP_SECONDS = 15.0
_TALK_SECONDS = 7  # how long a Twilio call is said to have taken
_SEGMENT = 160
_INBOX_KEPT = 1_000


class NoSuchLine(ValueError):
    """Nobody can be reached under that number, and why."""


def call(state: State, *, to: str, from_number: str = SOMEBODY, wait: float = 8.0) -> Record:
    """Call a number and play the caller's part. `answer` is the TwiML that came back, `commands`
    those that the call got; for each of them Telnyx waits at most `wait` seconds."""
    record = _line(state, to)
    if record["provider"] == "twilio":
        return _call_twilio(state, record, from_number)
    return _call_telnyx(state, record, from_number, wait)


def text(state: State, *, to: str, text: str, from_number: str = SOMEBODY) -> Record:
    """Send a text message to a number; `answer` is what came back."""
    record = _line(state, to)
    message_id = new_message_id(record)
    request = text_request(state, to, text, from_number, message_id)
    return _shown(record, *_delivered(request)) | {"message_id": message_id}


def call_request(
    state: State, to: str, from_number: str = SOMEBODY, call_id: str = "", **over: Any
) -> Signed:
    """The first request about a call; `over` changes fields of the form or the payload."""
    record = _line(state, to)
    call_id = call_id or new_call_id(record)
    if record["provider"] == "twilio":
        form = _call_form(record, from_number, call_id) | {"CallStatus": "ringing"} | over
        return twilio_form(_url(record, "voice_url"), form, _token(state, record))
    payload = {"direction": "incoming", "state": "parked"} | over
    return call_event(state, record, "call.initiated", call_id, from_number, payload)


def text_request(
    state: State, to: str, text: str, from_number: str = SOMEBODY, message_id: str = "", **over: Any
) -> Signed:
    """The request that brings a text message."""
    record = _line(state, to)
    account = record["account"]
    parts = str(len(text) // _SEGMENT + 1)
    if record["provider"] == "twilio":
        sid = message_id or new_message_id(record)
        form = {
            "MessageSid": sid, "SmsSid": sid, "SmsMessageSid": sid, "AccountSid": account,
            "From": from_number, "To": to, "Body": text, "NumMedia": "0", "NumSegments": parts,
            "SmsStatus": "received", "ApiVersion": "2010-04-01",
        } | over  # fmt: skip
        return twilio_form(_url(record, "sms_url"), form, _token(state, record))
    payload = {
        "id": message_id or new_message_id(record),
        "record_type": "message",
        "direction": "inbound",
        "type": "SMS",
        "from": {"phone_number": from_number, "carrier": "SANDBOX", "line_type": "Wireless"},
        "to": [{"phone_number": to, "carrier": "SANDBOX", "status": "webhook_delivered"}],
        "text": text,
        "media": [],
        "messaging_profile_id": record["messaging_profile_id"],
        "received_at": _now(),
        "parts": int(parts),
        "errors": [],
    } | over
    return _event(_telnyx_url(state, record, "message"), account, "message.received", payload)


def call_event(
    state: State,
    record: Record,
    event_type: str,
    call_id: str,
    from_number: str,
    payload: Record,
) -> Signed:
    """An event of a Telnyx call."""
    payload = {
        "call_control_id": call_id,
        "call_leg_id": str(uuid.uuid5(uuid.NAMESPACE_OID, call_id)),
        "call_session_id": str(uuid.uuid5(uuid.NAMESPACE_URL, call_id)),
        "connection_id": record["connection_id"],
        "from": from_number,
        "to": record["phone_number"],
    } | payload
    return _event(_telnyx_url(state, record, "call"), record["account"], event_type, payload)


def new_call_id(record: Record) -> str:
    twilio = record["provider"] == "twilio"
    return f"CA{secrets.token_hex(16)}" if twilio else f"v3:{secrets.token_urlsafe(40)}"


def new_message_id(record: Record) -> str:
    twilio = record["provider"] == "twilio"
    return f"SM{secrets.token_hex(16)}" if twilio else str(uuid.uuid4())


# --- Twilio --------------------------------------------------------------------------------------


def _call_twilio(state: State, record: Record, from_number: str) -> Record:
    call_id = new_call_id(record)
    to = record["phone_number"]
    shown = _shown(record, *_delivered(call_request(state, to, from_number, call_id)))
    callback = record["status_callback"]
    if callback:
        form = _call_form(record, from_number, call_id) | {
            "CallStatus": "completed",
            "Timestamp": format_datetime(datetime.now(UTC)),
            "CallbackSource": "call-progress-events",
            "SequenceNumber": "0",
        }
        if "<Reject" in shown["answer"]:
            form["CallStatus"] = "no-answer"
        form["CallDuration"] = str(_TALK_SECONDS if form["CallStatus"] == "completed" else 0)
        _delivered(twilio_form(callback, form, _token(state, record)))
    return shown | {"call_id": call_id}


def _call_form(record: Record, from_number: str, call_id: str) -> dict[str, str]:
    to = record["phone_number"]
    return {
        "CallSid": call_id, "AccountSid": record["account"], "From": from_number, "To": to,
        "Caller": from_number, "Called": to, "Direction": "inbound", "ApiVersion": "2010-04-01",
        "FromCountry": "US", "ToCountry": record["country"],
    }  # fmt: skip


def _token(state: State, record: Record) -> str:
    token = state.account(record["account"]).get("auth_token")
    if not token:
        raise NoSuchLine("No request has shown the account's auth token yet.")
    return token


def _url(record: Record, field: str) -> str:
    if not record[field]:
        raise NoSuchLine(f"{record['phone_number']} has no {field}: nobody would be asked.")
    return record[field]


# --- Telnyx --------------------------------------------------------------------------------------


def _call_telnyx(state: State, record: Record, from_number: str, wait: float) -> Record:
    call_id = new_call_id(record)
    with state.lock:
        state.lines[call_id] = "ringing"

    def tell(event_type: str, **payload: Any) -> tuple[str, int, str]:
        return _delivered(call_event(state, record, event_type, call_id, from_number, payload))

    asked = tell("call.initiated", direction="incoming", state="parked")
    cause = "originator_cancel"
    first = _command(state, call_id, {"answer", "reject", "hangup"}, wait)
    if first is not None:
        cause = "normal_clearing" if first["action"] == "answer" else "call_rejected"
    if cause == "normal_clearing":
        tell("call.answered", state="answered")
        if not first["body"].get("stream_url") and _command(state, call_id, {"speak"}, wait):
            tell("call.speak.ended", status="completed")
            _command(state, call_id, {"hangup"}, wait)
    with state.lock:
        state.lines[call_id] = "over"
    tell("call.hangup", state="hangup", hangup_cause=cause, hangup_source="caller")
    commands = [{"action": c["action"], **c["body"]} for c in _commands(state, call_id)]
    return _shown(record, *asked) | {"call_id": call_id, "commands": commands}


def _commands(state: State, call_id: str) -> list[Record]:
    with state.lock:
        return [call for call in state.calls if call["call_control_id"] == call_id]


def _command(state: State, call_id: str, actions: set[str], wait: float) -> Record | None:
    """The first such command that the call gets in time."""
    ends = time.monotonic() + wait
    while True:
        for command in _commands(state, call_id):
            if command["action"] in actions:
                return command
        if time.monotonic() >= ends:
            return None
        time.sleep(0.02)


def _telnyx_url(state: State, record: Record, what: str) -> str:
    account = state.account(record["account"])
    kept, name, field = {
        "call": ("applications", "connection_id", "webhook_event_url"),
        "message": ("messaging_profiles", "messaging_profile_id", "webhook_url"),
    }[what]
    url = account[kept].get(record[name], {}).get(field)
    if not url:
        raise NoSuchLine(f"{record['phone_number']}: its {name} has no {field}.")
    return url


def _event(url: str, account: str, event_type: str, payload: Record) -> Signed:
    data = {
        "id": str(uuid.uuid4()),
        "event_type": event_type,
        "occurred_at": _now(),
        "payload": payload,
    }
    return telnyx_event(url, data, account)


# --- Both ----------------------------------------------------------------------------------------


def _line(state: State, to: str) -> Record:
    with state.lock:
        record = state.numbers.get(to) if E164.match(to) else None
        if record is None:
            raise NoSuchLine(f"Nobody has {to} here.")
        return dict(record)


def _delivered(request: Signed) -> tuple[str, int, str]:
    """Send the request; the address, the status (0: nobody there) and the answer's text."""
    parts = urlsplit(request.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=_HTTP_SECONDS)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", path or "/", request.body, request.headers)
        answer = connection.getresponse()
        return request.url, answer.status, answer.read(100_000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return request.url, 0, f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def _shown(record: Record, url: str, status: int, answer: str) -> Record:
    return {
        "provider": record["provider"],
        "to": record["phone_number"],
        "url": url,
        "status": status,
        "answer": answer,
        "commands": [],
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Lines:
    """The server's part of it."""

    _state: State

    def call(self, **given: Any) -> dict[str, Any]:
        """Call a number (`to`, `from_number`) as its provider would, to the end of the call: what
        was answered, and the commands that the call got."""
        return self._outside(call, **given)

    def text(self, **given: Any) -> dict[str, Any]:
        """Send a text message (`to`, `text`, `from_number`) to a number; what was answered."""
        return self._outside(text, **given)

    def call_request(self, to: str, **given: Any) -> Signed:
        """The signed request with which a call begins, for whoever delivers it himself."""
        return call_request(self._state, to, **given)

    def text_request(self, to: str, text: str, **given: Any) -> Signed:
        """The signed request that brings a text message."""
        return text_request(self._state, to, text, **given)

    def call_event(self, to: str, event_type: str, call_id: str, **payload: Any) -> Signed:
        """A later event of a Telnyx call."""
        with self._state.lock:
            record = dict(self._state.numbers[to])
        return call_event(self._state, record, event_type, call_id, SOMEBODY, payload)

    def take(self, message: Record) -> None:
        """Stand in for a customer's webhook: keep what it gets."""
        with self._state.lock:
            self._state.inbox.append(message)
            del self._state.inbox[:-_INBOX_KEPT]

    def taken(self) -> list[Record]:
        """What the customer's webhook got, oldest first."""
        with self._state.lock:
            return self._state.snapshot(self._state.inbox)

    def _outside(self, play: Any, **given: Any) -> dict[str, Any]:
        with self._state.lock:
            orders.settle(self._state)
        return play(self._state, **given)
