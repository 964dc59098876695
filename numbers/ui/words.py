"""What the pages say of a purchase: what is true, in money and in time, and what to do next."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from burki.text import price
from numbers.e164 import display
from numbers.models import Purchase
from organizations.models import AuditEvent, Provider

State, Evidence = Purchase.State, Purchase.Evidence
_TODAY = timedelta(days=1)

_REASONS = {
    "number_unavailable": "Somebody else has taken this number, or it is not for sale any more.",
    "invalid_number": "The provider does not sell such a number.",
    "insufficient_balance": "The provider account has too little money.",
    "invalid_credentials": "The provider did not accept the credentials of the account.",
    "regulatory_requirement": "The provider needs documents or an address for this number first.",
    "account_restricted": "The provider does not let this account buy such numbers.",
    "sms_not_supported": "The number cannot do SMS.",
    "rate_limited": "The provider had too many requests from this account.",
    "provider_unreachable": "The provider could not be reached, so no order was placed.",
    "not_configured": "The provider account cannot be used as it is set up.",
    "unavailable": "The order was not sent in time, so it was not placed.",
}
_HOW = {
    Evidence.PROVIDER_SAID_NO: "The provider said so itself.",
    Evidence.NOT_SENT: "No order was sent.",
    Evidence.NOT_FOUND: (
        "We looked several times and found neither the order nor the number. "
        "We look again once a day for three days."
    ),
    Evidence.DECIDED: "A person decided so after looking at the provider.",
}
_SAW = {
    "found": "The provider has the order",
    "foreign": "The number is in the account, without our mark",
    "absent": "Neither the order nor the number is there",
    "nothing": "The provider did not answer",
}
_EVENTS = {
    "purchase.claimed": "Asked to buy",
    "purchase.completed": "Bought",
    "purchase.pending": "Accepted by the provider, not active yet",
    "purchase.refused": "Refused",
    "purchase.uncertain": "In doubt: the provider’s answer did not arrive",
    "purchase.decided": "Decided by hand",
    "purchase.needs_attention": "Marked as needing a person",
    "release.claimed": "Asked to release",
    "release.released": "Released",
    "release.refused": "Release refused",
    "release.uncertain": "Release in doubt",
    "release.needs_attention": "Release needs a person",
    "number.finished": "Completed with what the provider told later",
    "number.adopted": "Adopted from the provider account",
    "number.assigned": "Assigned",
    "number.unassigned": "Taken away from its assistant",
    "number.renamed": "Renamed",
    "number.closed": "Closed: the provider account does not have it any more",
    "number.repairing": "Setting it up again at the provider",
    "number.repaired": "Set up again at the provider",
    "number.repair_failed": "Setting it up again failed",
    "number.restoring": "Putting back what was set at the provider before",
    "number.restored": "Put back what was set at the provider before",
    "number.restore_failed": "Putting back what was set before failed",
    "number.webhooks_changing": "Changing where calls or messages go",
    "number.webhooks_changed": "Changed where calls or messages go",
    "number.webhooks_failed": "Changing where calls or messages go failed",
    "number.price_changed": "The provider changed its price",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A purchase in one headline and a few sentences. `colour` and `icon` are its badge's."""

    colour: str
    icon: str
    headline: str
    sentences: list[str]


def outcome(purchase: Purchase) -> Outcome:
    """What became of a purchase so far."""
    provider = Provider(purchase.provider).label
    match purchase.state:
        case State.COMPLETED:
            return Outcome(
                colour="green",
                icon="check",
                headline=f"Bought. {costs(purchase)}",
                sentences=[_routed(purchase)],
            )
        case State.PENDING:
            return Outcome(
                colour="blue",
                icon="clock",
                headline=f"{provider} accepted the order; the number is not active yet",
                sentences=[
                    costs(purchase),
                    "Nothing to do: we follow the order until it ends. "
                    "Buying it again is not needed and not possible.",
                ],
            )
        case State.ORDERING:
            return Outcome(
                colour="blue",
                icon="clock",
                headline="The order is on its way",
                sentences=[
                    f"{provider} has at most half a minute to answer.",
                    "Nothing to do. Sending the page again would not order again.",
                ],
            )
        case State.UNCERTAIN:
            return Outcome(
                colour="amber",
                icon="question",
                headline=f"{provider} has not confirmed yet",
                sentences=[
                    "The order left, but its answer did not arrive, so it is not known yet whether "
                    f"the number was bought. You have not bought another. {_looking(purchase)}",
                    "Do not buy it again: we find out, and this page tells you.",
                ],
            )
    how = _HOW.get(purchase.evidence, "")
    return Outcome(
        colour="red",
        icon="cross",
        headline="Not bought. Nothing was charged",
        sentences=[f"{refusal(purchase)} {how}".strip()],
    )


def refusal(purchase: Purchase) -> str:
    """Why it was refused."""
    return _REASONS.get(purchase.refusal_code, "The provider refused the order.")


def costs(purchase: Purchase) -> str:
    """ "$1.15 today, then $1.15 a month."; of an older purchase its date."""
    monthly, currency = purchase.monthly_cost, purchase.currency
    if monthly is None:
        return "Its price is not known yet; we ask the provider."
    first = price(monthly + (purchase.setup_cost or 0), currency)
    since = purchase.claimed_at
    when = "today" if timezone.now() - since < _TODAY else f"on {since:%d %b %Y}"
    return f"{first} {when}, then {price(monthly, currency)} a month."


def _routed(purchase: Purchase) -> str:
    number = purchase.number
    if number is None:
        return ""
    if number.assistant is None:
        return "Nobody answers it yet: callers are refused politely until an assistant is assigned."
    return f"Calls to {display(purchase.phone_number)} are answered by {number.assistant}."


def _looking(purchase: Purchase) -> str:
    if purchase.provider == Provider.TWILIO:
        return "We look in the Twilio account for this number with the mark of this purchase."
    return "We ask Telnyx for the order that carries the mark of this purchase."


def looks(purchase: Purchase) -> list[dict[str, Any]]:
    """What each look at the provider saw, newest first."""
    return [
        {
            "at": parse_datetime(look.get("at") or ""),
            "sentence": _SAW.get(look.get("saw"), str(look.get("saw") or "Looked")),
            "because": look.get("because") or "",
        }
        for look in reversed(purchase.looks)
    ]


def event(row: AuditEvent) -> dict[str, Any]:
    """An audit event as a line of a timeline."""
    verb = row.action.partition(".")[2].replace("_", " ")
    sentence = _EVENTS.get(row.action) or f"{verb[:1].upper()}{verb[1:]}"
    facts = [
        str(row.data[name])
        for name in ("reason", "code", "provider_code", "note", "assistant", "after")
        if isinstance(row.data.get(name), str | int) and row.data[name]
    ]
    if row.action == "number.price_changed":
        facts.append(f"{_monthly(row.data['old'])}, now {_monthly(row.data['new'])}")
    return {"at": row.created_at, "who": row.actor_label, "what": sentence, "facts": facts}


def _monthly(told: dict[str, str | None]) -> str:
    """A price as the audit keeps it."""
    if told["monthly_cost"] is None:
        return "unknown"
    return f"{price(Decimal(told['monthly_cost']), told['currency'] or '')} a month"
