"""What the pages say of many numbers bought at once."""

from dataclasses import dataclass
from typing import Any

from burki.text import price
from numbers.models import BulkItem, BulkPurchase
from numbers.ui.words import refusal

State = BulkPurchase.State

_TYPES = {"local": "local", "toll_free": "toll-free", "mobile": "mobile"}
_CODES = {
    "number_already_owned": "The organization has it already.",
    "price_changed": "It costs more than was allowed.",
    "price_unknown": "Nobody says what it costs.",
}


def wanted(asked: dict[str, Any]) -> str:
    """ "40 local numbers in US, area code 415"; `asked` as in `BulkPurchase.request`."""
    quantity = asked["quantity"]
    numbers = f"number{'' if quantity == 1 else 's'}"
    criteria = asked["criteria"]
    if not criteria:
        return f"{quantity} named {numbers}"
    parts = [f"{quantity} {_TYPES[criteria['number_type']]} {numbers} in "]
    place = criteria["locality"] or criteria["region"]
    parts.append(f"{place}, {criteria['country_code']}" if place else criteria["country_code"])
    if criteria["area_code"]:
        parts.append(f", area code {criteria['area_code']}")
    if criteria["contains"]:
        parts.append(f", with {criteria['contains']}")
    return "".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a bulk purchase is: a headline and sentences; `follow` says that it may change."""

    colour: str
    icon: str
    headline: str
    sentences: list[str]
    follow: bool


def standing(bulk: BulkPurchase, told: dict[str, Any]) -> Standing:
    """`told` is its `progress_of`."""
    open_ = told["buying"] + told["uncertain"] + told["pending"]
    counts = f"{told['bought']} of {bulk.quantity} bought"
    if told["refused"]:
        counts += f", {told['refused']} refused"
    sentences = []
    if bulk.state == State.RUNNING:
        colour, icon, headline = "blue", "clock", f"Buying: {counts}"
        sentences.append("Nothing to do: they are bought one after the other, and this page tells.")
        if (until := bulk.pause) is not None:
            provider = bulk.get_provider_display()
            sentences.append(f"{provider} asks us to slow down; going on at {until:%H:%M:%S} UTC.")
    elif bulk.state == State.CANCELLED:
        colour, icon, headline = "amber", "minus", f"Stopped by a person: {counts}"
        sentences.append("What was bought stays. No more is bought.")
    elif bulk.state == State.STOPPED:
        colour, icon, headline = "amber", "hand", f"Stopped: {counts}"
        sentences.append(f"{bulk.reason} What was bought stays.".strip())
    elif told["bought"] + told["pending"] >= bulk.quantity:
        colour, icon, headline = "green", "check", f"Done: {counts}"
    else:
        colour, icon, headline = "amber", "hand", f"Done, with fewer: {counts}"
        sentences.append("The others could not be had; the list says why.")
    if told["uncertain"]:
        sentences.append(
            f"{told['uncertain']} in doubt: we look at the provider until it is known. They count "
            "as bought until then."
        )
    if told["pending"]:
        sentences.append(f"{told['pending']} accepted by the provider and not active yet.")
    if told["buying"] and bulk.state != State.RUNNING:
        sentences.append(f"{told['buying']} being bought are finished first.")
    return Standing(
        colour=colour,
        icon=icon,
        headline=headline,
        sentences=sentences,
        follow=bulk.state == State.RUNNING or open_ > 0,
    )


def parts(told: dict[str, Any]) -> list[tuple[str, int]]:
    """The progress as a meter draws it: what is bought, under way, in doubt."""
    return [
        ("green", told["bought"]),
        ("blue", told["pending"] + told["buying"]),
        ("amber", told["uncertain"]),
    ]


def to_go(bulk: BulkPurchase, told: dict[str, Any]) -> int:
    """How many are still to be tried; more may wait, in case that some cannot be had."""
    if bulk.state != State.RUNNING:
        return 0
    begun = told["bought"] + told["pending"] + told["buying"] + told["uncertain"]
    return max(0, bulk.quantity - begun)


def cost(bulk: BulkPurchase, told: dict[str, Any]) -> str:
    currency = told["currency"] or bulk.organization.limit_currency
    return price(told["cost"], currency)


def reason(item: BulkItem) -> str:
    """Why a number was not bought; "" where it was, or may be."""
    if item.outcome == "refused":
        return refusal(item.purchase)
    if item.outcome != "skipped":
        return ""
    return _CODES.get(item.code) or item.detail or item.code.replace("_", " ")
