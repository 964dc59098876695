"""How a number stands at its provider right now, and whether calls and messages reach us.

Looks, and changes nothing.
"""

from dataclasses import dataclass, field

from assistants.models import Assistant
from numbers.exceptions import NumberGone, ProviderError, RequestFailed
from numbers.models import PhoneNumber
from numbers.providers.base import Destinations, Endpoint, NumberProvider, OwnedNumber
from numbers.services import evidence
from numbers.services.lookup import driver_of, live_number
from numbers.services.routing import telnyx_webhook_url, voice_url_of
from organizations.actors import Actor
from organizations.models import Organization
from organizations.permissions import NUMBERS_READ

Status = PhoneNumber.Status

_WORDS = {
    "voice_url": "The address that calls are sent to",
    "sms_url": "The address that messages are sent to",
    "status_callback": "The address that learns of the end of calls",
    "connection_id": "The connection that calls are sent to",
    "messaging_profile_id": "The messaging profile that messages are sent to",
    "voice_method": "The HTTP method for calls",
    "sms_method": "The HTTP method for messages",
    "status_callback_method": "The HTTP method for learning of the end of calls",
    "voice_application_sid": "An application that takes the calls, so that their address is unused",
    "trunk_sid": "A SIP trunk that takes the calls, so that their address is unused",
    "sms_application_sid": "An application that takes the messages, so their address is unused",
}
_CHANGE_SHARED = (
    "Change its address at Telnyx if nothing else uses it; or name another one in the provider "
    "account's settings."
)
_SMS = ("sms_", "messaging_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the provider says of a number. `destinations` are where it really sends things."""

    number: PhoneNumber
    owned: OwnedNumber
    destinations: Destinations


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that keeps calls or messages from reaching who should get them."""

    what: str
    has: str | None = None
    should_be: str | None = None
    do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """`owned` None: the account does not have the number; `error`: the provider did not say."""

    number: PhoneNumber
    owned: OwnedNumber | None = None
    destinations: Destinations | None = None
    error: ProviderError | None = None
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems


def read_webhooks(
    *, actor: Actor, organization: Organization, phone_number: str, provider: str | None
) -> Reading:
    """Where the number sends calls and messages, as its provider says now.

    Raises `PermissionDenied`, `InvalidRequest`, `NumberNotFound`, `NumberGone` (the provider does
    not have it), and `RequestFailed` when the provider did not say.
    """
    actor.require(NUMBERS_READ, organization)
    number = live_number(organization, phone_number, provider)
    failed = f"Could not retrieve webhook configuration for {phone_number}"
    try:
        owned, destinations = look_at(number, driver_of(number))
    except ProviderError as error:
        raise RequestFailed.because_of(failed, error) from error
    if owned is None:
        raise NumberGone(number, failed)
    return Reading(number=number, owned=owned, destinations=destinations)


def diagnose_number(*, actor: Actor, organization: Organization, phone_number: str) -> Diagnosis:
    """What is set for the number, what should be, and what to do about the difference. Trouble at
    the provider is a diagnosis, too.

    Raises `PermissionDenied`, `InvalidRequest`, `NumberNotFound`.
    """
    actor.require(NUMBERS_READ, organization)
    number = live_number(organization, phone_number)
    owned = destinations = trouble = None
    try:
        owned, destinations = look_at(number, driver_of(number))
    except ProviderError as error:
        trouble = error
    problems = _of_state(number, owned, trouble)
    if owned is not None:
        problems += _of_routing(number, owned, destinations)
    problems += _of_assistant(number)
    return Diagnosis(
        number=number,
        owned=owned,
        destinations=destinations,
        error=trouble,
        problems=problems,
        notes=_notes(number),
    )


def look_at(
    number: PhoneNumber, driver: NumberProvider
) -> tuple[OwnedNumber | None, Destinations | None]:
    """The number as it stands in the account that bought it. Raises `ProviderError`."""
    owned = driver.find_number(number.phone_number, whole=True)
    if owned is None or not evidence.is_same_number(number, owned):
        return None, None
    return owned, driver.destinations(owned)


def voice_url_wanted(number: PhoneNumber) -> str:
    """The address that the number's calls should reach: the customer's own, or ours."""
    return number.voice_webhook_url or voice_url_of(number.provider)


def _of_state(
    number: PhoneNumber, owned: OwnedNumber | None, trouble: ProviderError | None
) -> list[Problem]:
    name = number.get_provider_display()
    if trouble is not None:
        do = RequestFailed.AGAIN if trouble.retryable else trouble.hint
        return [Problem(what=f"{name} could not be asked: {trouble.detail}", do=do)]
    if number.status == Status.RELEASING:
        return [Problem(what="The number is being released.", do="Nothing: wait until it is gone.")]
    if number.status == Status.PENDING:
        return [
            Problem(
                what=f"{name} has accepted the order and not activated the number yet.",
                do="Wait: it is watched and becomes active by itself.",
            )
        ]
    if owned is None:
        return [
            Problem(
                what=f"The {name} account that bought the number does not have it any more.",
                do="If it was released elsewhere, synchronize the phone numbers: after a second "
                "look, ten minutes later, an administrator can close it. Else check whether the "
                f"{name} credentials were changed to another account's.",
            )
        ]
    return []


def _of_routing(
    number: PhoneNumber, owned: OwnedNumber, destinations: Destinations
) -> list[Problem]:
    different = evidence.differences(number, owned)
    problems = [
        Problem(
            what=f"{_WORDS[name]} is not as it was set.",
            has=setting["theirs"] or None,
            should_be=setting["ours"] or None,
            do=_set_again(number, sms=name.startswith(_SMS)),
        )
        for name, setting in different.items()
    ]
    if number.provider == "twilio":
        return problems
    if "connection_id" not in different:
        problems += _of_endpoint(
            f"The Telnyx connection {owned.routing.connection_id or '(none)'}",
            "a Call Control application",
            destinations.application,
            wanted=voice_url_wanted(number),
            do=_set_again(number, sms=False),
        )
    speaks = number.capabilities.get("sms") is not False and not number.sms_disabled
    if speaks and "messaging_profile_id" not in different:
        problems += _of_endpoint(
            f"The Telnyx messaging profile {owned.routing.messaging_profile_id or '(none)'}",
            "a messaging profile",
            destinations.profile,
            wanted=telnyx_webhook_url(),
            do=_set_again(number, sms=True),
        )
    return problems


def _of_endpoint(
    called: str, kind: str, endpoint: Endpoint | None, *, wanted: str, do: str
) -> list[Problem]:
    if endpoint is None:
        return [Problem(what=f"{called} is not {kind} of this account.", do=do)]
    if not endpoint.active:
        return [Problem(what=f"{called} is switched off.", do="Switch it on at Telnyx.")]
    if endpoint.webhook_url != wanted:
        shared = wanted == telnyx_webhook_url()
        return [
            Problem(
                what=f"{called} reports to another address.",
                has=evidence.shown(endpoint.webhook_url) or None,
                should_be=wanted,
                do=_CHANGE_SHARED if shared else do,
            )
        ]
    if endpoint.api_version != "2":
        return [
            Problem(
                what=f"{called} reports in an older format.",
                has=endpoint.api_version,
                should_be="2",
                do="Set it to webhook API version 2 at Telnyx.",
            )
        ]
    return []


def _of_assistant(number: PhoneNumber) -> list[Problem]:
    assistant: Assistant | None = number.assistant
    if number.voice_webhook_url or number.status == Status.RELEASING:
        return []
    if assistant is None:
        return [
            Problem(
                what="The number is assigned to no assistant: callers are turned away.",
                do="Assign it: PATCH /phone-numbers/{number} with assistant_id.",
            )
        ]
    if not assistant.is_active:
        return [
            Problem(
                what=f"The assistant '{assistant.name}' is not active.",
                do="Activate it, or assign the number to another.",
            )
        ]
    return []


def _notes(number: PhoneNumber) -> list[str]:
    notes = []
    if number.voice_webhook_url:
        notes.append(
            "Calls go to the address that was chosen with PUT /phone-numbers/webhooks, not to "
            "the assistant."
        )
    if number.sms_disabled:
        notes.append("Messages are switched off for this number.")
    elif number.capabilities.get("sms") is False:
        notes.append("This number cannot receive messages.")
    elif number.assistant and not number.assistant.sms_webhook_url:
        notes.append(f"The assistant '{number.assistant.name}' has no address for messages.")
    return notes


def _set_again(number: PhoneNumber, *, sms: bool) -> str:
    if not sms:
        change = f'"voice_webhook_url": "{voice_url_wanted(number)}"'
    elif number.sms_disabled:
        change = '"disable_sms": true'
    else:
        change = '"enable_sms": true'
    body = f'{{"phone_number": "{number}", {change}}}'
    return f"Set it again: PUT /phone-numbers/webhooks with {body}."
