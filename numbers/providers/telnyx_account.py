"""How a Telnyx account stands: https://developers.telnyx.com/api/balance.

Telnyx has no resource that tells an account's status: what it refuses does.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from numbers import clocks
from numbers.exceptions import ProviderRefused, ProviderUnreachable
from numbers.providers.base import AccountStanding, AccountStatus, funds
from numbers.providers.http import clean
from numbers.providers.telnyx_answers import rows
from numbers.providers.telnyx_client import TelnyxClient

# The key is right, and the account behind it is not in use: inactive, blocked.
_SUSPENDED = ("20012", "20013")
_NO_FUNDS = "The Telnyx account has no funds: add some in its portal."
_ONE_SEARCH = {"filter[country_code]": "US", "filter[limit]": "1"}


def check(client: TelnyxClient) -> AccountStanding:
    """As `NumberProvider.check_account`. Whether it may order shows in whether it may search."""
    try:
        balance, currency = _balance(client)
    except ProviderRefused as refusal:
        if refusal.provider_code not in _SUSPENDED:
            raise
        return AccountStanding(status=AccountStatus.SUSPENDED, problem=refusal.hint)
    return AccountStanding(
        status=AccountStatus.ACTIVE,
        balance=balance,
        currency=currency,
        problem=_NO_FUNDS if balance <= 0 else _may_not_search(client),
    )


def _balance(client: TelnyxClient) -> tuple[Decimal, str]:
    """What can be spent: the balance and what Telnyx lends beyond it."""
    data = client.get("/balance", {}, clocks.READ).get("data")
    try:
        return funds(data["available_credit"]), clean(data["currency"], 3).upper()
    except (TypeError, KeyError, InvalidOperation) as error:
        raise ProviderUnreachable(provider_message="Telnyx's answer could not be read.") from error


def _may_not_search(client: TelnyxClient) -> str:
    """Why not, or nothing."""
    try:
        rows(client.get("/available_phone_numbers", _ONE_SEARCH, clocks.READ))
    except ProviderRefused as refusal:
        if refusal.retryable:
            raise
        return refusal.hint
    return ""
