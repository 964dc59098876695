"""How a number stands at its provider right now, and whether calls and messages reach us.

Looks, and changes nothing.
"""

from dataclasses import dataclass, field

from assistants.models import Assistant
from numbers.exceptions import NumberGone, ProviderError, RequestFailed
from numbers.models import PhoneNumber
from numbers.providers.base import Destinations, NumberProvider, OwnedNumber
from numbers.services import evidence, public_key
from numbers.services.lookup import driver_of, live_number
from numbers.services.routing import intended, voice_url_of
from organizations.actors import Actor
from organizations.models import Organization
from organizations.permissions import NUMBERS_READ

Status = PhoneNumber.Status


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
    wrong: list[Problem] = []
    try:
        driver = driver_of(number)
        owned, destinations = look_at(number, driver)
        if owned is not None:
            wrong = _of_routing(number, owned, destinations, driver)
    except ProviderError as error:
        owned, destinations, trouble = None, None, error
    problems = _of_state(number, owned, trouble) + wrong + _of_assistant(number)
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
    number: PhoneNumber, owned: OwnedNumber, destinations: Destinations, driver: NumberProvider
) -> list[Problem]:
    """Everything that the one comparison of a number finds. Raises `ProviderError`."""
    wanted, there = intended(number).routing, owned.routing
    as_intended = (wanted.connection_id, wanted.messaging_profile_id) == (
        there.connection_id,
        there.messaging_profile_id,
    )
    reported = (
        destinations if as_intended else evidence.reported(number, owned, driver.destinations)
    )
    of_account = public_key.difference(number.account, driver.public_key())
    different = evidence.differences(number, owned, reported, of_account)
    problems = [_differs(number, name, setting) for name, setting in different.items()]
    calls = number.voice_webhook_url or voice_url_of(number.provider)
    if not problems and destinations.voice_url != calls:  # the row leaves it to the provider
        problems.append(
            Problem(
                what="Calls do not come here.",
                has=evidence.shown(destinations.voice_url) or None,
                should_be=calls,
                do="Bring them here: PUT /phone-numbers/webhooks with "
                f'{{"phone_number": "{number}", "voice_webhook_url": "{calls}"}}.',
            )
        )
    return problems


def _differs(number: PhoneNumber, name: str, setting: dict[str, str]) -> Problem:
    has, should_be = evidence.is_and_should_be(name, setting)
    return Problem(
        what=evidence.in_words({name: setting}),
        has=has or None,
        should_be=should_be or None,
        do=f"Set it as it should be: POST /phone-numbers/{number}/repair. What somebody else "
        "has set there is kept, and can be put back.",
    )


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
