"""Calls: their records, and the commands that Telnyx waits for.

Events come twice and in any order. A record is a set of facts, each from one event, and its status
follows from them; a command carries an id that is made of its event's.
"""

import base64
import json
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import partial

from assistants.models import Assistant
from burki.logs import emit
from numbers import clocks
from numbers.clocks import Deadline
from numbers.models import Call, Direction, PhoneNumber, WebhookDelivery
from numbers.providers.telnyx_calls import CallOver, TelnyxCalls
from numbers.services.accounts import credentials_of
from numbers.services.inbound.activity import note_activity, number_in
from numbers.services.inbound.answering import AnsweredWith, Plan, plan_for
from numbers.services.inbound.events import InboundEvent, Kind
from organizations.models import Provider, ProviderAccount

Command = Callable[[], None]
Status = Call.Status

_ENDED_WELL = {"completed", "normal_clearing"}
_COMMAND_IDS = uuid.UUID("5b0c1d0e-2f5b-4a83-9a1e-6f2a8c0f7d11")


def apply(delivery: WebhookDelivery, event: InboundEvent) -> Command | None:
    """Record what an event tells of a call; returns the command that Telnyx is to be sent now."""
    number = number_in(delivery.account, event)
    call = _record(delivery, event, number)
    if delivery.provider != Provider.TELNYX:
        return None
    if event.kind == Kind.CALL:
        if call is not None and call.ended_at is not None:
            return None
        return _answer(delivery, event, plan_for(number))
    if call is None or call.ended_at is not None or call.answered_with != AnsweredWith.GREETING:
        return None
    if event.kind == Kind.CALL_ANSWERED:
        plan = plan_for(number)
        if plan.answered_with == AnsweredWith.GREETING:
            say = partial(TelnyxCalls.speak, text=plan.greeting, language=plan.language)
            return _command(delivery, event, "speak", say)
    if event.kind in (Kind.CALL_ANSWERED, Kind.CALL_SPOKEN):
        return _command(delivery, event, "hangup", TelnyxCalls.hang_up)
    return None


def _record(
    delivery: WebhookDelivery, event: InboundEvent, number: PhoneNumber | None
) -> Call | None:
    """The call's row with this event in it; None for a number that is not ours."""
    at = event.occurred_at or delivery.received_at
    rows = Call.objects.select_for_update(of=["self"])
    known = {"account": delivery.account, "call_id": event.call_id}
    if number is None:
        call = rows.filter(**known).first()
        if call is None:
            return None
    else:
        kept = number.status != PhoneNumber.Status.CLAIMED
        call, _ = rows.get_or_create(
            **known,
            defaults={
                "provider": delivery.provider,
                "organization": number.organization,
                "number": number if kept else None,
                "from_number": event.from_number,
                "to_number": event.to_number,
                "direction": event.direction or _direction(event, number),
                "started_at": at,
            },
        )
        if kept:
            note_activity(number, delivery.received_at)
    _merge(call, delivery, event, at, number)
    call.status = _status_of(call)
    call.save()
    emit("call.recorded", call=call.pk, event_type=event.type, status=call.status)
    return call


def _merge(
    call: Call,
    delivery: WebhookDelivery,
    event: InboundEvent,
    at: datetime,
    number: PhoneNumber | None,
) -> None:
    call.started_at = min(call.started_at, at)
    if event.kind == Kind.CALL and not call.answered_with:
        decided = delivery.decision or _decision(plan_for(number))
        call.answered_with = decided["answered_with"]
        call.assistant = Assistant.objects.filter(pk=decided["assistant_id"]).first()
    # Twilio has had its answer when the call is recorded.
    picked_up = delivery.decision and call.answered_with != AnsweredWith.NOTHING
    if event.kind == Kind.CALL_ANSWERED or (event.kind == Kind.CALL and picked_up):
        call.answered_at = min(call.answered_at or at, at)
    if event.kind == Kind.CALL_ENDED and call.ended_at is None:
        call.ended_at, call.ended_because = at, event.ended_because
        call.duration_seconds = event.duration_seconds
    # Twilio's request for an answer has our time, its report of the end Twilio's own.
    if call.answered_at and call.ended_at:
        call.answered_at = min(call.answered_at, call.ended_at)
    if call.duration_seconds is None and call.answered_at and call.ended_at:
        length = (call.ended_at - call.answered_at).total_seconds()
        call.duration_seconds = min(max(0, round(length)), 2**31 - 1)


def _status_of(call: Call) -> str:
    if call.answered_with == AnsweredWith.NOTHING:
        return Status.REFUSED
    if call.ended_at is not None:
        return Status.COMPLETED if call.ended_because in _ENDED_WELL else Status.FAILED
    return Status.ANSWERED if call.answered_at else Status.RINGING


def _decision(plan: Plan) -> dict[str, str | int | None]:
    return {"answered_with": plan.answered_with, "assistant_id": plan.assistant_id}


def _direction(event: InboundEvent, number: PhoneNumber) -> str:
    return Direction.INBOUND if event.to_number == number.phone_number else Direction.OUTBOUND


def _answer(delivery: WebhookDelivery, event: InboundEvent, plan: Plan) -> Command:
    """The greeting is spoken when Telnyx says that the call is answered; sooner is refused."""
    if plan.answered_with == AnsweredWith.NOTHING:
        return _command(delivery, event, "reject", TelnyxCalls.reject)
    state = json.dumps({"assistant_id": plan.assistant_id})
    pick_up = partial(
        TelnyxCalls.answer,
        stream_url=plan.stream_url,
        client_state=base64.b64encode(state.encode()).decode(),
    )
    return _command(delivery, event, "answer", pick_up)


def _command(
    delivery: WebhookDelivery, event: InboundEvent, action: str, send: Callable
) -> Command:
    """The same event makes the same id, whoever processes it and however often."""
    command_id = str(uuid.uuid5(_COMMAND_IDS, f"{event.key}:{action}"))
    return partial(_send, delivery.account, event.call_id, action, command_id, send)


def _send(
    account: ProviderAccount, call_id: str, action: str, command_id: str, send: Callable
) -> None:
    """Outside of any transaction. That the caller is gone already is not an error."""
    calls = TelnyxCalls(credentials_of(account), Deadline.after(clocks.CALL_COMMAND))
    try:
        send(calls, call_id, command_id=command_id)
        emit("call.commanded", action=action)
    except CallOver:
        emit("call.over", action=action)
