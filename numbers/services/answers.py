"""What a purchase's record says to whoever asked for it."""

from dataclasses import dataclass

from numbers.exceptions import PurchaseInProgress, PurchaseRefused, PurchaseUncertain
from numbers.models import Purchase

State = Purchase.State


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchased:
    """A purchase that is completed or pending. `replayed`: this request was answered before."""

    purchase: Purchase
    replayed: bool = False


def answer(purchase: Purchase, *, replayed: bool = False) -> Purchased:
    """The truth of a purchase, as every door tells it: returned when it is bought or on its way,
    raised otherwise."""
    match purchase.state:
        case State.COMPLETED | State.PENDING:
            return Purchased(purchase=purchase, replayed=replayed)
        case State.REFUSED:
            raise PurchaseRefused(purchase=purchase, replayed=replayed)
        case State.UNCERTAIN:
            raise PurchaseUncertain(purchase=purchase, replayed=replayed)
    raise PurchaseInProgress(purchase=purchase)
