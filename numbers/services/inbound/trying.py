"""Calling and texting a number at the sandbox: what a caller would hear, without a caller."""

from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from burki.errors import InvalidRequest
from numbers import clocks
from numbers.clocks import Deadline
from numbers.e164 import is_e164
from numbers.exceptions import NumberNotFound
from numbers.models import Call, Message, PhoneNumber
from numbers.providers import sandbox_lines
from organizations.actors import Actor
from organizations.models import Organization
from organizations.permissions import NUMBERS_WRITE

SOMEBODY = "+14155550199"  # who calls, when nobody says


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came back: the status and text of our answer to the provider, and the commands that
    Telnyx got for the call. `call_id` or `message_id` names it in the number's history."""

    provider: str
    phone_number: str
    url: str
    status: int
    answer: str
    call_id: str = ""
    message_id: str = ""
    commands: list[dict[str, Any]] = field(default_factory=list)


def call_number(
    *,
    actor: Actor,
    organization: Organization,
    number: PhoneNumber,
    from_number: str = SOMEBODY,
) -> Tried:
    """Have the sandbox call the number, and play the call to its end: this takes up to some
    seconds, while a worker for the queue `calls` must run. Holds no database connection.

    Raises `PermissionDenied`, `NumberNotFound` for another organization's number, `InvalidRequest`
    where providers are real, `ProviderRefused` when the number cannot be reached, and
    `ProviderUnreachable`.
    """
    _check(actor, organization, number, from_number)
    answer = sandbox_lines.call(number.phone_number, from_number, Deadline.after(clocks.REQUEST))
    return _tried(answer)


def text_number(
    *,
    actor: Actor,
    organization: Organization,
    number: PhoneNumber,
    text: str,
    from_number: str = SOMEBODY,
) -> Tried:
    """Have the sandbox send a text message to the number. Raises as `call_number`."""
    _check(actor, organization, number, from_number)
    deadline = Deadline.after(clocks.REQUEST)
    return _tried(sandbox_lines.text(number.phone_number, text, from_number, deadline))


def record_of(
    number: PhoneNumber, *, call_id: str = "", message_id: str = ""
) -> Call | Message | None:
    """What the worker has made of a call or message that was tried; None as long as nothing."""
    rows = {"account": number.account_id, "number": number}
    if call_id:
        return Call.objects.filter(call_id=call_id, **rows).first()
    return Message.objects.filter(message_id=message_id, **rows).first()


def _check(actor: Actor, organization: Organization, number: PhoneNumber, from_number: str) -> None:
    actor.require(NUMBERS_WRITE, organization)
    if number.organization_id != organization.pk:
        raise NumberNotFound(number.phone_number)
    if not settings.SANDBOX:
        raise InvalidRequest("Only numbers of the sandbox can be tried: call this one by phone.")
    if not is_e164(from_number):
        raise InvalidRequest("Phone number must be in E.164 format (e.g., +1234567890)")


def _tried(answer: dict[str, Any]) -> Tried:
    return Tried(
        provider=str(answer.get("provider")),
        phone_number=str(answer.get("to")),
        url=str(answer.get("url")),
        status=int(answer.get("status") or 0),
        answer=str(answer.get("answer")),
        call_id=str(answer.get("call_id") or ""),
        message_id=str(answer.get("message_id") or ""),
        commands=list(answer.get("commands") or []),
    )
