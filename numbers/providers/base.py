"""The one interface behind which both providers stand, and the frozen values that cross it.

A driver is made for one operation: credentials and a deadline. It never returns a dict or an SDK
object and never sees a model. Reads raise `ProviderRefused` or `ProviderUnreachable`; `buy` may
also raise `OutcomeUnknown`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Protocol

from numbers.clocks import Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a driver signs its requests with. `key` tells accounts apart, for keep-alive sessions
    and price caches; it is our row's id, not a secret."""

    provider: str
    key: str
    secret: str = field(repr=False)  # Twilio auth token, or Telnyx API key
    account_sid: str = ""  # Twilio only


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a number costs; None where the provider does not say."""

    monthly: Decimal | None = None
    setup: Decimal | None = None
    currency: str = ""


def amount(reported: Any) -> Decimal:
    """A price as a provider reports it. Raises `InvalidOperation` for what is none."""
    value = Decimal(str(reported))
    if not value.is_finite() or not 0 <= value < 10**7:  # what a column holds
        raise InvalidOperation
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchCriteria:
    country_code: str = "US"
    area_code: str = ""
    contains: str = ""  # digits; an E.164 number finds exactly that number
    locality: str = ""
    region: str = ""
    number_type: str = "local"  # local, toll_free, mobile
    limit: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailableNumber:
    phone_number: str
    country: str
    region: str
    locality: str
    number_type: str
    capabilities: dict[str, bool]
    price: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a number stands right before it is bought without a fresh offer."""

    offer: AvailableNumber | None = None
    owned: OwnedNumber | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Where a number sends its calls and messages. Twilio has addresses on the number itself,
    Telnyx has ids of a Call Control application and a messaging profile that hold them."""

    voice_url: str = ""
    sms_url: str = ""  # empty: the number cannot do SMS, nothing is set
    status_callback: str = ""
    connection_id: str = ""
    messaging_profile_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedNumber:
    """A number as it stands in the account."""

    number_id: str
    phone_number: str
    friendly_name: str = ""
    capabilities: dict[str, bool] = field(default_factory=dict)
    routing: Routing = Routing()
    reference: str = ""  # our tag, if it carries one
    created_at: datetime | None = None
    # False while the provider is still working on having it, or on giving it away.
    in_service: bool = True
    # Settings that keep the addresses in `routing` from working, by the provider's own names;
    # those that begin with `sms_` concern messages, all others calls.
    overrides: dict[str, str] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A Call Control application or a messaging profile as it stands in the account."""

    endpoint_id: str
    name: str
    webhook_url: str
    failover_url: str
    active: bool
    api_version: str  # of the events that it reports


class Endpoints(Protocol):
    """What keeps connections and profiles while they are needed: a `dict`, or something for more
    of them than fit in memory."""

    def __setitem__(self, key: str, endpoint: Endpoint, /) -> None: ...

    def get(self, key: str, /) -> Endpoint | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations:
    """Where a number's calls and messages really go. At Telnyx the addresses lie on an application
    and a profile; None: the number names none, or none that is in this account."""

    voice_url: str
    sms_url: str
    application: Endpoint | None = None
    profile: Endpoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    code: str  # ISO 3166, two letters
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyRequest:
    """What to buy. `reference` is our tag: the purchase's id."""

    phone_number: str
    reference: str
    friendly_name: str
    routing: Routing


class OrderState(StrEnum):
    COMPLETED = "completed"
    PENDING = "pending"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What became of an order, as far as the provider has told."""

    state: OrderState
    order_id: str  # Telnyx's order; Twilio has none, there it is the number's SID
    status: str  # the provider's own word
    created_at: datetime | None = None
    number: OwnedNumber | None = None
    # An order that waits for documents: it will not complete by itself.
    blocked: bool = False
    sub_order_ids: tuple[str, ...] = ()
    refusal_code: str = ""
    hint: str = ""


class Sighting(StrEnum):
    """What a look for a purchase found."""

    FOUND = "found"  # an order of ours; `order` tells its state
    FOREIGN = "foreign"  # the number is in the account, but nothing says that we ordered it
    ABSENT = "absent"  # a complete answer without it


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    sighting: Sighting
    order: Order | None = None
    number: OwnedNumber | None = None

    def summary(self) -> dict[str, str]:
        """For the purchase's evidence: ids and words, nothing secret."""
        seen: dict[str, str] = {"saw": self.sighting.value}
        if self.order:
            seen |= {"order": self.order.order_id, "status": self.order.status}
        if self.number:
            seen["number_id"] = self.number.number_id
        return seen


class AccountStatus(StrEnum):
    ACTIVE = "active"
    TRIAL = "trial"
    SUSPENDED = "suspended"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStanding:
    """An account as its provider describes it. `problem` is why it may not order, if it may not:
    one sentence that says what to do."""

    status: AccountStatus
    friendly_name: str = ""
    balance: Decimal | None = None  # what can be spent; None where the provider does not say
    currency: str = ""
    problem: str = ""

    @property
    def may_order(self) -> bool:
        return not self.problem


def funds(reported: Any) -> Decimal:
    """A balance as a provider reports it: it may be below zero. Raises `InvalidOperation`."""
    value = Decimal(str(reported))
    if not value.is_finite() or abs(value) >= 10**12:
        raise InvalidOperation
    return value


class NumberProvider(ABC):
    """One provider, one account, one deadline."""

    name: str
    # Whether numbers are routed by ids of connections, rather than by addresses of their own.
    uses_connections: bool
    # Whether only numbers that a search has offered can be ordered.
    sells_only_offers: bool
    # Whether a number's name is kept there as well.
    keeps_names: bool

    def __init__(self, credentials: Credentials, deadline: Deadline):
        self.credentials = credentials
        self.deadline = deadline

    @abstractmethod
    def search(self, criteria: SearchCriteria) -> list[AvailableNumber]:
        """Numbers for sale that fit all criteria; an empty list means that there are none.

        Raises `UnsupportedCriteria` for what the provider cannot filter by: never widened.
        """

    @abstractmethod
    def inspect(self, phone_number: str) -> Standing:
        """Whether the number is for sale, or in this account already; asked only when no fresh
        offer tells."""

    @abstractmethod
    def price(self, country: str, number_type: str, *, ask: bool = True) -> Price:
        """What such a number costs, where a price list tells; else an unknown price. Without
        `ask` only a price list that is at hand is read."""

    @abstractmethod
    def buy(self, request: BuyRequest, *, may_send: Callable[[], bool]) -> Order:
        """SPENDS MONEY. Orders the number with one POST, asking `may_send` right before it.

        A second POST happens only after a definite refusal whose cause was removed (Telnyx 85000,
        Twilio 21407). Raises `ProviderRefused` (also when `may_send` says no, with the code
        `unavailable`), `ProviderUnreachable`, or `OutcomeUnknown`.
        """

    @abstractmethod
    def follow(self, order: Order, phone_number: str) -> Order:
        """Wait, within the deadline, for an order that is pending and for the number's own id.
        Trouble on the way is not an error: what is known so far is returned."""

    @abstractmethod
    def look_for(self, *, reference: str, phone_number: str, order_id: str) -> Look:
        """Whether an order with our tag exists, and its state. Changes nothing. Only a complete
        answer counts: anything less raises."""

    @abstractmethod
    def find_number(self, phone_number: str, *, whole: bool = False) -> OwnedNumber | None:
        """The number in this account, compared exactly, or None after a complete answer. With
        `whole`, raises if the provider cannot tell all of its settings just now."""

    @abstractmethod
    def list_numbers(self) -> Iterator[OwnedNumber]:
        """Every number in this account, while the pages of the list are read: no more than one of
        them is kept. Only a complete answer counts: anything less raises, in the midst of it."""

    @abstractmethod
    def check_account(self) -> AccountStanding:
        """The account's status, what it can spend, and whether it may order; only reads.

        Raises `ProviderRefused` when the credentials do not open it, and `ProviderUnreachable`.
        """

    @abstractmethod
    def countries(self) -> list[Country]:
        """The countries in which this account finds numbers for sale, all of them or an error."""

    @abstractmethod
    def destinations(self, number: OwnedNumber) -> Destinations:
        """Where the number's calls and messages go, with the addresses that its connection and
        profile have right now."""

    @abstractmethod
    def all_destinations(self, shelf: Endpoints) -> Callable[[OwnedNumber], Destinations]:
        """As `destinations`, for any number of numbers, from complete lists that are read now and
        kept on the `shelf`."""

    @abstractmethod
    def cancel_order(self, order: Order) -> None:
        """Withdraw an order that is blocked. Whether it worked, a look must tell."""

    @abstractmethod
    def configure(
        self,
        number_id: str,
        routing: Routing,
        friendly_name: str = "",
        *,
        clear: Collection[str] = (),
    ) -> None:
        """Set where the number sends calls and messages; empty fields stay as they are. `clear`
        names settings (of a number's `overrides`, or its messaging profile) that are to be taken
        away. Only this number is changed."""

    @abstractmethod
    def check_routing(
        self, routing: Routing, *, webhook_url: str, set_missing: bool = True
    ) -> None:
        """Make sure that the connection and profile named in `routing` exist in this account and
        report to `webhook_url`. One without any address gets it (if `set_missing`), one with
        another is left alone.

        Raises `NotConfigured` saying what to correct.
        """

    @abstractmethod
    def set_webhooks(
        self, routing: Routing, *, voice_url: str = "", sms_url: str = "", api_version: str = "2"
    ) -> None:
        """Let the connection named in `routing` report to `voice_url` and its messaging profile to
        `sms_url`, whatever they have now, and be in use; an empty address leaves its one alone.
        Changes it for every number that has the same. Nothing where addresses lie on the number."""

    @abstractmethod
    def put_back(self, number_id: str, settings: dict[str, str]) -> None:
        """Set on the number what a read of it had told: fields of `Routing`, and `overrides`."""

    @abstractmethod
    def make_routing(self, *, name: str, webhook_url: str) -> Routing:
        """A connection and a messaging profile called `name` that report to `webhook_url`: found
        by name, or created. Costs nothing."""

    @abstractmethod
    def public_key(self) -> str:
        """What verifies the account's webhooks; `""` where the account's own secret does."""

    @abstractmethod
    def make_voice_route(self, *, name: str, voice_url: str) -> Routing:
        """What sends a number's calls to an address of its own, for `configure`. Where addresses
        lie on connections: one called `name`, found or created, that no other number uses."""

    @abstractmethod
    def still_owns(self, number_id: str, phone_number: str) -> bool:
        """Whether the number with the provider's own id is in the account. False only when the
        account proved itself: the id is unknown there *and* a complete list lacks the number."""

    @abstractmethod
    def release(self, number_id: str) -> None:
        """Give the number back, by the provider's own id. It is gone from the account at once.

        Sent once, like an order: raises `OutcomeUnknown` when its answer is lost, and
        `ProviderRefused` with `status` 404 when the id is unknown there.
        """
