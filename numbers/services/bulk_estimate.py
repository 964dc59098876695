"""What buying many numbers would cost, asked before it is done. Spends nothing, changes nothing."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from django.utils import timezone

from assistants.models import Assistant
from assistants.services import get_assistant
from numbers import clocks
from numbers.clocks import Deadline
from numbers.e164 import country_of, number_type_of
from numbers.models import Offer, PhoneNumber
from numbers.providers.base import Price, SearchCriteria
from numbers.providers.registry import driver_for
from numbers.services.accounts import credentials_of, resolve_account
from numbers.services.preview import Limits, account_level, limits_after
from numbers.services.search import LIMIT_MAX, search_numbers
from organizations.actors import Actor
from organizations.models import Organization, ProviderAccount
from organizations.permissions import NUMBERS_PURCHASE

_PRICE_LISTS = 5  # countries and types of named numbers whose price list is asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """`quantity` numbers that may be had, those left out that the organization has `owned` before.
    `seen` are offered now, at prices from `lowest` to `dearest`. `total` is the most that they
    cost at once, set-up fees and first months together, and `monthly` every month; None where a
    price is not known. `cap` is what may be spent: the total, or less if less was allowed."""

    quantity: int
    owned: int
    seen: int
    lowest: Price | None
    dearest: Price | None
    total: Decimal | None
    monthly: Decimal | None
    cap: Decimal | None
    currency: str
    limits: Limits
    account: ProviderAccount
    account_level: str
    assistant: Assistant | None
    notes: list[str] = field(default_factory=list)


def estimate_many(
    *,
    actor: Actor,
    organization: Organization,
    provider: str,
    quantity: int,
    criteria: SearchCriteria | None,
    phone_numbers: list[str] | None,
    assistant_id: int | None,
    max_total_cost: Decimal | None,
    max_monthly_cost: Decimal | None,
    max_setup_cost: Decimal | None,
) -> Estimate:
    """What `ask_for_many` would spend with the same arguments: by what a search offers now, or by
    fresh offers and the price list for numbers that are named. Asks the provider only to read.

    Raises `PermissionDenied`, `NotFound` (assistant), `ProviderError`.
    """
    actor.require(NUMBERS_PURCHASE, organization)
    assistant = get_assistant(organization, assistant_id) if assistant_id is not None else None
    account = resolve_account(organization, assistant, provider)
    notes: list[str] = []
    owned = 0
    if criteria is not None:
        offered = _offered(
            actor, organization, provider, criteria, assistant_id, max_monthly_cost, max_setup_cost
        )
        prices = offered[:quantity]
        notes += _availability(len(offered), quantity)
    else:
        wanted = _not_owned(organization, provider, phone_numbers)
        owned, quantity = len(phone_numbers) - len(wanted), len(wanted)
        prices = offered = _prices_of(account, wanted)
        unknown = sum(1 for price in prices if not _is_known(price))
        if unknown:
            notes.append(f"The price of {_numbers(unknown)} is not known yet.")
        if quantity:
            notes.append("Whether each of them is still for sale is only known when it is bought.")
    known = [price for price in prices if _is_known(price)]
    currencies = {price.currency for price in known}
    total, monthly = None, None
    if known and len(known) == len(prices) and len(currencies) == 1:
        if criteria is not None:  # at the dearest of them, should more be needed
            total, monthly = quantity * max(map(_due, known)), quantity * max(_monthly(known))
        else:
            total, monthly = sum(map(_due, known)), sum(_monthly(known))
    caps = [amount for amount in (total, max_total_cost) if amount is not None]
    cap = min(caps, default=None)
    currency = currencies.pop() if len(currencies) == 1 else organization.limit_currency
    due = total if currency == organization.limit_currency else None
    limits = limits_after(organization, due, numbers=quantity)
    return Estimate(
        quantity=quantity,
        owned=owned,
        seen=len(offered),
        lowest=min(known, key=_due, default=None),
        dearest=max(known, key=_due, default=None),
        total=total,
        monthly=monthly,
        cap=cap,
        currency=currency,
        limits=limits,
        account=account,
        account_level=account_level(account, assistant),
        assistant=assistant,
        notes=notes + _where_it_stops(limits, quantity, total, max_total_cost),
    )


def _offered(
    actor: Actor,
    organization: Organization,
    provider: str,
    criteria: SearchCriteria,
    assistant_id: int | None,
    max_monthly_cost: Decimal | None,
    max_setup_cost: Decimal | None,
) -> list[Price]:
    """Prices of what is offered within the limits, cheapest first year first."""
    result = search_numbers(
        actor=actor,
        organization=organization,
        provider=provider,
        criteria=criteria,
        assistant_id=assistant_id,
    )
    prices = [found.number.price for found in result.numbers]
    limits = ((max_monthly_cost, "monthly"), (max_setup_cost, "setup"))
    return [
        price
        for price in prices
        if all(
            most is None or (getattr(price, name) is not None and getattr(price, name) <= most)
            for most, name in limits
        )
    ]


def _not_owned(organization: Organization, provider: str, numbers: list[str]) -> list[str]:
    mine = PhoneNumber.objects.live().filter(
        organization=organization, provider=provider, phone_number__in=numbers
    )
    owned = set(mine.values_list("phone_number", flat=True))
    return [number for number in numbers if number not in owned]


def _prices_of(account: ProviderAccount, numbers: list[str]) -> list[Price]:
    """What each costs: by its fresh offer, else by the price list of its country."""
    offers = Offer.objects.filter(
        account=account,
        phone_number__in=numbers,
        seen_at__gte=timezone.now() - clocks.OFFER_IS_FRESH,
    ).order_by("seen_at")
    known = {
        offer.phone_number: Price(
            monthly=offer.monthly_cost, setup=offer.setup_cost, currency=offer.currency
        )
        for offer in offers
    }
    kinds = {n: (country_of(n), number_type_of(n)) for n in numbers if n not in known}
    deadline = Deadline.after(clocks.REQUEST).without(clocks.RECORDING)
    driver = driver_for(credentials_of(account), deadline)
    lists = {kind: driver.price(*kind) for kind in sorted(set(kinds.values()))[:_PRICE_LISTS]}
    return [known.get(n) or lists.get(kinds[n], Price()) for n in numbers]


def _availability(seen: int, quantity: int) -> list[str]:
    if seen >= quantity:
        return []
    if seen >= LIMIT_MAX:
        return [f"A search shows at most {LIMIT_MAX}: whether there are {quantity} is not known."]
    if seen:
        return [f"Only {_numbers(seen)} like these are offered now: it may stop before the end."]
    return []


def _where_it_stops(
    limits: Limits, quantity: int, total: Decimal | None, allowed: Decimal | None
) -> list[str]:
    """Limits that would be reached before the last number."""
    notes = []
    if limits.monthly_limit is not None and limits.left_after is None:
        notes.append(
            f"There is a monthly limit: numbers whose price in {limits.currency} is not known by "
            "then are refused."
        )
    if limits.left_after is not None and limits.left_after < 0:
        room = max(Decimal(0), total + limits.left_after)
        fits = int(quantity * room / total) if total else 0
        notes.append(f"The monthly limit leaves room for {_numbers(fits)}: it stops there.")
    if limits.number_limit is not None and limits.numbers_after > limits.number_limit:
        room = max(0, quantity - (limits.numbers_after - limits.number_limit))
        notes.append(
            f"The organization may have {limits.number_limit} numbers: there is room for {room} "
            "more, and it stops there."
        )
    if allowed is not None and total is not None and allowed < total:
        fits = int(quantity * allowed / total)
        notes.append(f"What you allow is enough for {_numbers(fits)}: it stops there.")
    return notes


def _numbers(count: int) -> str:
    return f"{count} number{'' if count == 1 else 's'}"


def _is_known(price: Price) -> bool:
    return price.monthly is not None and price.setup is not None


def _due(price: Price) -> Decimal:
    return price.monthly + price.setup


def _monthly(prices: Iterable[Price]) -> list[Decimal]:
    return [price.monthly for price in prices]
