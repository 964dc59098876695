"""What needs a person: look at the provider, show what it says, and record who decided what, and
why. Looking comes first, always, and what the provider says for sure cannot be overruled."""

from dataclasses import dataclass

from burki.errors import InvalidRequest
from burki.text import is_clean
from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import LostRace, NotDecidable, ProviderError
from numbers.models import Purchase
from numbers.providers.base import Look, Order, OrderState, Sighting
from numbers.providers.registry import driver_for
from numbers.reconcile import settle_purchase
from numbers.services import recording, settling
from numbers.services.accounts import credentials_of
from organizations import audit
from organizations.actors import Actor
from organizations.permissions import ORGANIZATION_ADMIN

State = Purchase.State

BOUGHT, NOT_BOUGHT = "bought", "not_bought"
REASON_MAX = 300

_WORDS = {
    Sighting.FOUND: "The provider has this order.",
    Sighting.FOREIGN: (
        "The number is in the account, but nothing there says that this purchase ordered it."
    ),
    Sighting.ABSENT: "The provider has neither the order nor the number.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look showed a person: a sentence, and what they may decide now."""

    purchase: Purchase
    sentence: str
    choices: tuple[str, ...]


def look_by_hand(*, actor: Actor, purchase: Purchase) -> Seen:
    """Settle the purchase if the provider's answer settles it; otherwise tell what it says, and
    what is left for a person to decide. Raises `NotDecidable` for one that is not in doubt."""
    actor.require(ORGANIZATION_ADMIN, purchase.organization)
    _require_doubt(purchase)
    purchase = settle_purchase(purchase.pk, actor=actor)
    if purchase.state not in (State.UNCERTAIN, State.PENDING):
        return Seen(purchase=purchase, sentence=f"It is {purchase.state} now.", choices=())
    try:
        look = _look(purchase)
    except ProviderError as error:
        return Seen(
            purchase=purchase,
            sentence=f"The provider cannot be asked now: {error.hint or error.detail}",
            choices=(),
        )
    choices = _choices(purchase, look)
    return Seen(purchase=purchase, sentence=_WORDS[look.sighting], choices=choices)


def decide(*, actor: Actor, purchase: Purchase, decision: str, reason: str) -> Purchase:
    """Record a person's decision about a purchase in doubt, after one more look.

    `bought`: the number in the account is this purchase's. `not_bought`: it is not, or there is
    none; the claim goes. Raises `InvalidRequest`, and `NotDecidable` when what the provider says
    leaves no such choice.
    """
    actor.require(ORGANIZATION_ADMIN, purchase.organization)
    reason = reason.strip()
    if not reason or len(reason) > REASON_MAX or not is_clean(reason):
        raise InvalidRequest(f"Give a reason of at most {REASON_MAX} characters")
    _require_doubt(purchase)
    try:
        look = _look(purchase)
    except ProviderError as error:
        raise NotDecidable("The provider cannot be asked now.", hint=error.hint) from error
    if decision not in _choices(purchase, look):
        raise NotDecidable(_WORDS[look.sighting], hint="Look again: the worker may settle it.")
    saw = look.summary() | {"decided": decision, "by": actor.label, "why": reason}
    try:
        if decision == BOUGHT:
            done = recording.record_order(purchase, _as_order(look), actor=actor, saw=saw)
        else:
            done = recording.record_refusal(
                purchase,
                code="provider_error",
                evidence=Purchase.Evidence.DECIDED,
                hint="A person decided that it was not bought.",
                actor=actor,
                saw=saw,
            )
    except LostRace:
        return Purchase.objects.get(pk=purchase.pk)
    audit.record(
        actor,
        "purchase.decided",
        done,
        organization=done.organization,
        decision=decision,
        reason=reason,
        saw=look.summary(),
    )
    return done


def _require_doubt(purchase: Purchase) -> None:
    old = settling.database_now() - purchase.claimed_at > clocks.after(clocks.DOUBT_AFTER)
    if purchase.state not in (State.UNCERTAIN, State.PENDING) and not (
        purchase.state == State.ORDERING and old
    ):
        raise NotDecidable(f"This purchase is {purchase.state}: there is nothing to decide.")


def _look(purchase: Purchase) -> Look:
    driver = driver_for(
        credentials_of(purchase.account), Deadline.after(clocks.REQUEST).slice(clocks.LOOKUPS)
    )
    return driver.look_for(
        reference=str(purchase.pk),
        phone_number=purchase.phone_number,
        order_id=purchase.order_id,
    )


def _choices(purchase: Purchase, look: Look) -> tuple[str, ...]:
    if purchase.state == State.ORDERING or purchase.order_id:
        return ()  # an order that the provider has accepted ends there, not here
    if look.sighting == Sighting.FOREIGN:
        return (BOUGHT, NOT_BOUGHT)
    return (NOT_BOUGHT,) if look.sighting == Sighting.ABSENT else ()


def _as_order(look: Look) -> Order:
    number = look.number
    return Order(
        state=OrderState.COMPLETED,
        order_id=number.number_id,
        status="decided",
        created_at=number.created_at,
        number=number,
    )
