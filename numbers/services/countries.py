"""In which countries a provider sells numbers."""

from dataclasses import dataclass

import phonenumbers
from django.core.cache import cache

from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import ProviderError, RequestFailed
from numbers.providers.registry import driver_for
from numbers.services.accounts import credentials_of, resolve_account
from organizations.actors import Actor
from organizations.models import Organization
from organizations.permissions import NUMBERS_READ


@dataclass(frozen=True, slots=True, kw_only=True)
class CountryForSale:
    code: str  # ISO 3166, two letters
    name: str
    phone_code: str | None  # such as +44; None where nobody can tell


def list_countries(
    *, actor: Actor, organization: Organization, provider: str
) -> list[CountryForSale]:
    """The countries in which the organization finds numbers at `provider`, by code; as the
    provider listed them to the account within the last hours.

    Raises `PermissionDenied`, and `RequestFailed` when the provider cannot tell: a failure is
    never an empty list, and no list is made up.
    """
    actor.require(NUMBERS_READ, organization)
    try:
        account = resolve_account(organization, None, provider)
        credentials = credentials_of(account)
        key = f"countries:{account.pk}"
        found = cache.get(key)
        if found is None:
            listed = driver_for(credentials, Deadline.after(clocks.REQUEST)).countries()
            found = sorted({(c.code, c.name) for c in listed if len(c.code) == 2})
            cache.set(key, found, clocks.PRICE_LIST_IS_FRESH.total_seconds())
    except ProviderError as error:
        raise RequestFailed.because_of(
            f"Failed to get country codes from {provider}", error
        ) from error
    return [
        CountryForSale(code=code, name=name, phone_code=_phone_code(code)) for code, name in found
    ]


def _phone_code(country: str) -> str | None:
    code = phonenumbers.country_code_for_region(country)
    return f"+{code}" if code else None
