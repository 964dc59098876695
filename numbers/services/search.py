"""Looking for numbers to buy, at one provider or at both at once."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal

import phonenumbers
from django.db import connection

from assistants.services import get_assistant
from burki.db import waiting
from burki.errors import BurkiError, InvalidRequest
from burki.text import is_clean
from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import ProviderError, SearchFailed
from numbers.providers.base import AvailableNumber, NumberProvider, SearchCriteria
from numbers.providers.registry import driver_for
from numbers.services.accounts import credentials_of, resolve_account
from numbers.services.offers import keep_offers
from organizations.actors import Actor
from organizations.models import Organization, Provider, ProviderAccount
from organizations.permissions import NUMBERS_PURCHASE

ALL = "all"
NUMBER_TYPES = ("local", "toll_free", "mobile")
LIMIT_MAX = 50

_KEYPAD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A number for sale, and at which provider."""

    provider: str
    number: AvailableNumber

    @property
    def first_year(self) -> Decimal | None:
        """What the number costs in its first year: set-up and twelve months."""
        price = self.number.price
        if price.monthly is None:
            return None
        return (price.setup or Decimal(0)) + 12 * price.monthly


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What was found; and for each provider asked, why it found nothing if it failed."""

    numbers: list[Found]
    failures: dict[str, BurkiError] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def clean_criteria(
    *,
    country_code: str = "US",
    area_code: str = "",
    contains: str = "",
    locality: str = "",
    region: str = "",
    number_type: str = "local",
    limit: int = 10,
) -> SearchCriteria:
    """Criteria as both providers understand them. Letters in `contains` become the digits of a
    telephone's keypad. Raises `InvalidRequest`."""
    country_code = country_code.upper()
    if country_code not in phonenumbers.SUPPORTED_REGIONS:
        raise InvalidRequest("country_code must be a two-letter country code (e.g., US)")
    if area_code and not re.fullmatch(r"[0-9]{1,6}", area_code):
        raise InvalidRequest("area_code must be digits (e.g., 415)")
    if area_code and country_code in ("US", "CA") and len(area_code) != 3:
        raise InvalidRequest("area_code has three digits in the US and Canada (e.g., 415)")
    if contains and not re.fullmatch(r"\+?[0-9A-Za-z]{2,16}", contains):
        raise InvalidRequest("contains must be 2 to 16 digits or letters")
    if number_type not in NUMBER_TYPES:
        raise InvalidRequest(f"number_type must be one of {', '.join(NUMBER_TYPES)}")
    if not 1 <= limit <= LIMIT_MAX:
        raise InvalidRequest(f"limit must be between 1 and {LIMIT_MAX}")
    for name, text in (("locality", locality), ("region", region)):
        if len(text) > 100 or not is_clean(text):
            raise InvalidRequest(f"{name} must be text of at most 100 characters")
    return SearchCriteria(
        country_code=country_code,
        area_code=area_code,
        contains=contains.upper().translate(_KEYPAD),
        locality=locality,
        region=region,
        number_type=number_type,
        limit=limit,
    )


def search_numbers(
    *,
    actor: Actor,
    organization: Organization,
    provider: str,
    criteria: SearchCriteria,
    assistant_id: int | None = None,
) -> SearchResult:
    """Numbers for sale that fit all of `criteria`, cheapest first year first; spends nothing.

    `provider` is `twilio`, `telnyx` or `all`. With `assistant_id` the account is asked that a
    purchase for this assistant would use. With `all` both are asked at the same time, one
    that fails does not hide the other, and each is sure of half of the list if it has as much.
    Every number found is remembered as an offer to the account that asked. Raises the provider's
    error if no provider answered: a failure is never an empty success.
    """
    actor.require(NUMBERS_PURCHASE, organization)
    assistant = get_assistant(organization, assistant_id) if assistant_id is not None else None
    asked = list(Provider.values) if provider == ALL else [provider]
    deadline = Deadline.after(clocks.REQUEST).without(clocks.RECORDING)
    accounts: dict[str, ProviderAccount] = {}
    drivers: dict[str, NumberProvider] = {}
    failures: dict[str, BurkiError] = {}
    for name in asked:
        try:
            accounts[name] = resolve_account(organization, assistant, name)
            drivers[name] = driver_for(credentials_of(accounts[name]), deadline)
        except ProviderError as error:
            failures[name] = error

    found: dict[str, list[AvailableNumber]] = {}
    # The threads wait: neither connection nor turn is held meanwhile.
    with waiting(), ThreadPoolExecutor(max_workers=len(Provider.values)) as pool:
        running = {
            name: pool.submit(_search_in_thread, driver, criteria)
            for name, driver in drivers.items()
        }
        for name, future in running.items():
            try:
                found[name] = future.result()
            except BurkiError as error:
                failures[name] = error
    if not found:
        raise _nothing_answered(provider, failures)
    for name, numbers in found.items():
        keep_offers(accounts[name], numbers)
    merged = _merge(found, criteria.limit)
    counts = {name: sum(1 for f in merged if f.provider == name) for name in found}
    return SearchResult(numbers=merged, failures=failures, counts=counts)


def _search_in_thread(driver: NumberProvider, criteria: SearchCriteria) -> list[AvailableNumber]:
    try:
        return driver.search(criteria)
    finally:
        connection.close()  # a thread that ends with a connection takes it from the pool for ever


def _merge(found: dict[str, list[AvailableNumber]], limit: int) -> list[Found]:
    """The cheapest first; no provider crowds out the other's half."""

    def cost(item: Found) -> tuple:
        year = item.first_year
        return (year is None, year or 0, item.number.phone_number)

    ranked = {
        name: sorted((Found(provider=name, number=n) for n in numbers), key=cost)
        for name, numbers in found.items()
    }
    half = -(-limit // max(1, len(ranked)))
    sure = [item for items in ranked.values() for item in items[:half]]
    rest = sorted((item for items in ranked.values() for item in items[half:]), key=cost)
    return sorted((sorted(sure, key=cost) + rest)[:limit], key=cost)


def _nothing_answered(provider: str, failures: dict[str, BurkiError]) -> BurkiError:
    if provider != ALL:
        error = failures[provider]
        if not isinstance(error, ProviderError):
            return error
        return SearchFailed(
            f"Failed to search phone numbers at {provider}",
            code=error.code,
            hint=error.hint,
            retryable=error.retryable,
            provider_code=error.provider_code,
            retry_in=error.retry_in,
        )
    return SearchFailed(
        "Failed to search phone numbers at twilio and telnyx",
        hint="; ".join(f"{name}: {_why(error)}" for name, error in sorted(failures.items())),
        retryable=any(getattr(error, "retryable", False) for error in failures.values()),
        failures=failures,
    )


def _why(error: BurkiError) -> str:
    return getattr(error, "hint", "") or error.detail
