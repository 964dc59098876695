"""Every type of event. docs/events.md has an example of each; a test compares."""

PURCHASE_COMPLETED = "purchase.completed"
PURCHASE_PENDING = "purchase.pending"
PURCHASE_REFUSED = "purchase.refused"
PURCHASE_SETTLED = "purchase.settled"
PURCHASE_NEEDS_PERSON = "purchase.needs_person"
NUMBER_RELEASED = "number.released"
NUMBER_DRIFTED = "number.drifted"
NUMBER_REPAIRED = "number.repaired"
SPENDING_80 = "spending.80_percent"
SPENDING_100 = "spending.100_percent"
BALANCE_LOW = "balance.low"
ENDPOINT_TEST = "endpoint.test"

# What an endpoint may ask for, with the words that explain it.
TYPES: dict[str, str] = {
    PURCHASE_COMPLETED: "A number was bought, at once or in the end",
    PURCHASE_PENDING: "The provider accepted an order and has not activated the number yet",
    PURCHASE_REFUSED: "A purchase ended without a number; nothing is charged",
    PURCHASE_SETTLED: "A purchase that was pending or in doubt found its end",
    PURCHASE_NEEDS_PERSON: "A purchase cannot be settled without a person",
    NUMBER_RELEASED: "A number is no longer yours",
    NUMBER_DRIFTED: "A number is set otherwise at the provider than here",
    NUMBER_REPAIRED: "A number was set right again",
    SPENDING_80: "80% of the monthly limit are committed",
    SPENDING_100: "The monthly limit is used up",
    BALANCE_LOW: "The balance at a provider fell below its threshold",
}
# Also sent by e-mail to owners and admins, whether anybody listens or not.
MAILED = frozenset({SPENDING_80, SPENDING_100, BALANCE_LOW})
VERSION = 1  # of the payload: counts up when a field changes its meaning or goes
