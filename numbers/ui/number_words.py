"""What the pages say of a number: how it is set, what happened on it, what it costs."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from numbers.e164 import display, is_e164
from numbers.models import Call, Message, PhoneNumber
from numbers.services import evidence
from numbers.services.inbound.messages import handing_over
from organizations.models import Provider

Status, Verdict = PhoneNumber.Status, PhoneNumber.Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Something that the provider has otherwise than it should; `foreign`: somebody else set it."""

    name: str
    has: str
    should_be: str
    foreign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The last look at a number: its badge, a headline, a sentence or two, and what differs."""

    badge: str
    headline: str
    sentence: str
    settings: list[Setting]
    repairable: bool = False


def judged(number: PhoneNumber) -> Judged:
    """What was last seen of a number that is in service."""
    provider = Provider(number.provider).label
    missing = "number" in number.webhook_differences
    match number.webhook_verdict:
        case Verdict.VERIFIED:
            headline = "Everything is set as it should be"
            sentence = f"{provider} sends calls and messages where they belong."
        case Verdict.DRIFTED if missing:
            headline = f"The {provider} account does not have this number"
            sentence = (
                "It was released or moved there, or the credentials are another account’s. "
                "Repairing cannot bring it back."
            )
        case Verdict.DRIFTED:
            headline = f"{provider} has something else set than it should"
            sentence = "Calls or messages may not arrive until it is repaired."
        case Verdict.UNREACHABLE:
            headline = f"{provider} did not tell"
            sentence = number.webhook_detail
        case _:
            headline = "Nobody has looked yet"
            sentence = f"Check now to see what {provider} really has set for this number."
    drifted = number.webhook_verdict == Verdict.DRIFTED
    return Judged(
        badge=number.webhook_verdict or "unchecked",
        headline=headline,
        sentence=sentence,
        settings=settings_of(number) if drifted else [],
        repairable=drifted and not missing,
    )


def settings_of(number: PhoneNumber) -> list[Setting]:
    """The differences that were last seen, in words."""
    different = number.webhook_differences
    foreign = evidence.foreign(number, different)
    found = []
    for name, pair in different.items():
        has, should_be = evidence.is_and_should_be(name, pair)
        found.append(
            Setting(
                name=evidence.called(name),
                has=has or "not set",
                should_be=should_be or "empty",
                foreign=name in foreign,
            )
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """A call or a message as lists show it. `badge` is a status with its word and colour; `tried`
    tells of a message that its assistant has not taken, and `again` when it is tried again."""

    kind: str
    what: str
    at: Any
    other: str
    own: str
    number: int | None
    inbound: bool
    assistant: str
    badge: str
    facts: str
    tried: str = ""
    again: datetime | None = None


def activity(kind: str, row: Call | Message) -> Activity:
    inbound = row.direction == "inbound"
    own, other = row.to_number, row.from_number
    if not inbound:
        own, other = other, own
    return Activity(
        kind=kind,
        what=f"{'Call' if kind == 'call' else 'Message'} {'from' if inbound else 'to'} "
        f"{_party(other)}",
        at=row.started_at if kind == "call" else row.received_at,
        other=_party(other),
        own=_party(own),
        number=row.number_id,
        inbound=inbound,
        assistant=row.assistant.name if row.assistant else "",
        badge=f"{kind}_{row.status}",
        facts=_length(row) if kind == "call" else _media(row),
        **(_tried(row) if kind == "message" else {}),
    )


def _party(written: str) -> str:
    """Who calls, as the provider wrote it: a number, a SIP address, or nothing."""
    return display(written) if is_e164(written) else written or "unknown"


def _length(call: Call) -> str:
    seconds = call.duration_seconds
    if seconds is None:
        return ""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _media(message: Message) -> str:
    count = message.media_count
    return f"{count} attachment{'' if count == 1 else 's'}" if count else ""


def _tried(message: Message) -> dict[str, Any]:
    handing = handing_over(message)
    if not handing.tries or message.status == Message.Status.HANDED_OVER:
        return {}
    times = "once" if handing.tries == 1 else f"{handing.tries} times"
    came = handing.last_error or f"the webhook answered {handing.last_status}"
    return {"tried": f"tried {times}: {came.rstrip('.')}", "again": handing.next_attempt_at}
