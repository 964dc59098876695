"""Everything that the claim of a purchase needs, gathered before it, outside any transaction."""

from dataclasses import dataclass

from assistants.models import Assistant
from numbers import clocks
from numbers.clocks import Deadline
from numbers.e164 import country_of, number_type_of
from numbers.exceptions import NumberAlreadyInAccount, ProviderRefused
from numbers.models import Offer
from numbers.providers.base import Credentials, NumberProvider, Price, Routing
from numbers.providers.registry import driver_for
from numbers.services import routing
from numbers.services.accounts import credentials_of, resolve_account
from numbers.services.offers import fresh_offer, keep_offers
from numbers.services.requests import PurchaseRequest, holder, just_taken
from organizations.models import ProviderAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Who would pay for a purchase, and how much."""

    account: ProviderAccount
    credentials: Credentials
    offer: Offer | None
    price: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Terms):
    """Everything that the claim needs."""

    assistant: Assistant | None
    routing: Routing


def prepare(request: PurchaseRequest, assistant: Assistant | None, deadline: Deadline) -> Plan:
    """Account, offer, price and routing; asks the provider only for what is missing, and makes
    the Telnyx connection and profile if none are named.

    Raises what `find_terms` does.
    """
    deadline = deadline.slice(clocks.PREPARE)
    terms = find_terms(request, assistant, deadline)
    connections = routing.prepare_connections(
        driver_for(terms.credentials, deadline), terms.account, request.organization, assistant
    )
    return Plan(
        account=terms.account,
        credentials=terms.credentials,
        offer=terms.offer,
        price=terms.price,
        assistant=assistant,
        routing=connections,
    )


def find_terms(request: PurchaseRequest, assistant: Assistant | None, deadline: Deadline) -> Terms:
    """The account that decides, and what the provider offers it. Changes nothing there, and asks
    nothing about a number that somebody here has.

    Raises `ProviderError`, `NumberAlreadyInAccount`, `Unavailable` (somebody has it).
    """
    account = resolve_account(request.organization, assistant, request.provider)
    credentials = credentials_of(account)
    driver = driver_for(credentials, deadline)
    offer = fresh_offer(account, request.phone_number)
    if offer is None:
        if holder(request) is not None:
            raise just_taken()
        standing = driver.inspect(request.phone_number)
        if standing.owned is not None:
            if account.source == ProviderAccount.Source.ORGANIZATION:
                raise NumberAlreadyInAccount(request.phone_number, request.provider)
            raise ProviderRefused(
                code="number_unavailable",
                hint="Somebody else has it: search and choose another.",
            )
        if standing.offer is not None:
            (offer,) = keep_offers(account, [standing.offer])
        elif driver.sells_only_offers:
            raise ProviderRefused(
                code="number_unavailable",
                hint="It is not for sale: search and choose another.",
            )
    return Terms(
        account=account,
        credentials=credentials,
        offer=offer,
        price=_price(request, offer, driver),
    )


def _price(request: PurchaseRequest, offer: Offer | None, driver: NumberProvider) -> Price:
    """The offer's price. Without one, the price list's; that is asked for only if a limit depends
    on it, so that buying without a search stays one look-up and one order."""
    if offer is not None and offer.monthly_cost is not None:
        return Price(monthly=offer.monthly_cost, setup=offer.setup_cost, currency=offer.currency)
    limits = (
        request.organization.monthly_limit,
        request.max_monthly_cost,
        request.max_setup_cost,
    )
    return driver.price(
        country_of(request.phone_number),
        number_type_of(request.phone_number),
        ask=any(limit is not None for limit in limits),
    )
