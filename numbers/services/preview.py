"""What a purchase would do, asked before it is done. Spends nothing and changes nothing."""

from dataclasses import dataclass, field
from decimal import Decimal

from assistants.models import Assistant
from assistants.services import get_assistant
from burki.errors import BurkiError
from numbers import clocks
from numbers.clocks import Deadline
from numbers.e164 import country_of, number_type_of
from numbers.exceptions import (
    NumberAlreadyOwned,
    PreviewFailed,
    PriceChanged,
    PriceUnknown,
    ProviderError,
    SpendingLimitExceeded,
)
from numbers.models import NumberTally
from numbers.models.fields import uuid7
from numbers.providers.base import Price, Routing
from numbers.providers.registry import driver_for
from numbers.services import routing, spending
from numbers.services.preparing import find_terms
from numbers.services.requests import PurchaseRequest, clean_request, holder
from organizations.actors import Actor
from organizations.models import Organization, ProviderAccount
from organizations.permissions import NUMBERS_PURCHASE

_NEARLY_SPENT = Decimal("0.8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Money in the organization's currency; None where there is no limit."""

    monthly_limit: Decimal | None
    committed: Decimal
    left_after: Decimal | None
    currency: str
    number_limit: int | None
    numbers_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """`problem` is the error that the purchase would raise before anything is sent, if any."""

    phone_number: str
    provider: str
    price: Price
    limits: Limits
    account: ProviderAccount
    account_level: str  # assistant, organization or environment
    routing: Routing
    assistant: Assistant | None
    assistant_ready: bool
    problem: BurkiError | None
    warnings: list[str] = field(default_factory=list)


def preview_purchase(
    *,
    actor: Actor,
    organization: Organization,
    provider: str,
    phone_number: str,
    assistant_id: int | None,
    friendly_name: str,
    max_monthly_cost: Decimal | None = None,
    max_setup_cost: Decimal | None = None,
) -> Preview:
    """What `purchase_number` would do with the same arguments: price, limits, account, routing,
    the assistant's readiness, and what a person should know first.

    Asks the provider only to read. Raises what the purchase would raise, but for limits and
    prices (they are the `problem`) and for provider errors (`PreviewFailed`).
    """
    deadline = Deadline.after(clocks.REQUEST).without(clocks.RECORDING)
    request = clean_request(
        organization=organization,
        provider=provider,
        phone_number=phone_number,
        assistant_id=assistant_id,
        friendly_name=friendly_name,
        idempotency_key=None,
        max_monthly_cost=max_monthly_cost,
        max_setup_cost=max_setup_cost,
    )
    actor.require(NUMBERS_PURCHASE, organization)
    assistant = get_assistant(organization, assistant_id) if assistant_id is not None else None
    held = holder(request)
    if held is not None and held.organization_id == organization.pk:
        raise NumberAlreadyOwned(phone_number)
    if held is not None:
        raise PreviewFailed(
            request.provider,
            code="number_unavailable",
            hint="Somebody else has it: search and choose another.",
        )
    try:
        terms = find_terms(request, assistant, deadline)
        driver = driver_for(terms.credentials, deadline)
        connections = routing.known_connections(driver, terms.account, organization, assistant)
        price = terms.price
        if price.monthly is None:
            price = driver.price(country_of(phone_number), number_type_of(phone_number))
    except ProviderError as error:
        raise PreviewFailed.because_of(request.provider, error) from error
    sms = terms.offer is None or terms.offer.capabilities.get("sms", True)
    route = connections if driver.uses_connections else routing.addresses(uuid7(), sms=sms)
    limits = limits_after(organization, _due(price), numbers=1)
    return Preview(
        phone_number=phone_number,
        provider=request.provider,
        price=price,
        limits=limits,
        account=terms.account,
        account_level=account_level(terms.account, assistant),
        routing=route,
        assistant=assistant,
        assistant_ready=assistant is not None and not unready(assistant),
        problem=_problem(request, price),
        warnings=_warnings(request, price, limits, assistant, route, sms),
    )


def limits_after(organization: Organization, due: Decimal | None, *, numbers: int) -> Limits:
    """Where the limits would stand after so many more numbers that are `due` so much this month
    together, None if nobody knows."""
    committed = spending.committed(organization)
    limit = organization.monthly_limit
    owned = NumberTally.objects.filter(organization=organization).owned().total()
    return Limits(
        monthly_limit=limit,
        committed=committed,
        left_after=None if limit is None or due is None else limit - committed - due,
        currency=organization.limit_currency,
        number_limit=organization.number_limit,
        numbers_after=owned + numbers,
    )


def account_level(account: ProviderAccount, assistant: Assistant | None) -> str:
    """On which level the account was found that pays: assistant, organization or environment."""
    named = assistant.account_for(account.provider) if assistant else None
    return "assistant" if named is not None else account.source


def _due(price: Price) -> Decimal | None:
    return None if price.monthly is None else price.monthly + (price.setup or Decimal(0))


def _problem(request: PurchaseRequest, price: Price) -> BurkiError | None:
    try:
        spending.check_price(
            price,
            max_monthly_cost=request.max_monthly_cost,
            max_setup_cost=request.max_setup_cost,
        )
        spending.check_limits(request.organization, price)
    except (PriceChanged, PriceUnknown, SpendingLimitExceeded) as error:
        return error
    return None


def unready(assistant: Assistant) -> list[str]:
    """Why an assistant would not answer a call."""
    reasons = []
    if not assistant.is_active:
        reasons.append(f"Assistant {assistant.name} is not active: it will not answer.")
    if not assistant.media_stream_url and not assistant.greeting:
        reasons.append(
            f"Assistant {assistant.name} has neither a media stream nor a greeting: callers "
            "would hear nothing."
        )
    return reasons


def _warnings(
    request: PurchaseRequest,
    price: Price,
    limits: Limits,
    assistant: Assistant | None,
    route: Routing,
    sms: bool,
) -> list[str]:
    found = []
    if price.monthly is None:
        found.append("The price is not known.")
    if assistant is None:
        found.append("No assistant is chosen: callers will be refused politely until one is.")
    else:
        found += unready(assistant)
    if not sms:
        found.append("This number cannot receive SMS.")
    limit, left = limits.monthly_limit, limits.left_after
    if limit and left is not None and 0 <= left <= limit * (1 - _NEARLY_SPENT):
        share = round(100 * (limit - left) / limit)
        found.append(f"{share} % of the monthly limit will be committed.")
    if request.provider == "telnyx" and not route.connection_id:
        found.append("A Telnyx connection will be made for this organization.")
    return found
