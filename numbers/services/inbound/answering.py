"""Who answers a call: the assistant's media stream, else its greeting, else nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass

from numbers.models import Call, PhoneNumber

AnsweredWith = Call.AnsweredWith
_ANSWERING = {PhoneNumber.Status.CLAIMED, PhoneNumber.Status.PENDING, PhoneNumber.Status.ACTIVE}

# What XML 1.0 can hold; nobody can say the rest, either.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is done with a call."""

    answered_with: str = AnsweredWith.NOTHING
    assistant_id: int | None = None
    stream_url: str = ""
    greeting: str = ""
    language: str = ""


def plan_for(number: PhoneNumber | None) -> Plan:
    """A number whose purchase is not settled answers as well: that it was called shows that it is
    bought."""
    assistant = number and number.assistant
    if (
        assistant is None
        or number.status not in _ANSWERING
        or not (assistant.is_active and number.organization.is_active)
    ):
        return Plan()
    if assistant.media_stream_url:
        return Plan(
            answered_with=AnsweredWith.STREAM,
            assistant_id=assistant.pk,
            stream_url=assistant.media_stream_url,
        )
    greeting = sayable(assistant.greeting).strip()
    if not greeting:
        return Plan(assistant_id=assistant.pk)
    return Plan(
        answered_with=AnsweredWith.GREETING,
        assistant_id=assistant.pk,
        greeting=greeting,
        language=sayable(assistant.language) or "en-US",
    )


def sayable(text: str) -> str:
    return _NOT_XML.sub("", text)
