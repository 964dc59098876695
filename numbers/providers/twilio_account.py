"""How a Twilio account stands: https://www.twilio.com/docs/usage/api/account."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from numbers import clocks
from numbers.exceptions import ProviderRefused, ProviderUnreachable
from numbers.providers.base import AccountStanding, AccountStatus, funds
from numbers.providers.http import clean
from numbers.providers.twilio_client import TwilioClient

_PROBLEMS = {
    AccountStatus.SUSPENDED: "The Twilio account is suspended: add funds, or ask Twilio support.",
    AccountStatus.CLOSED: "The Twilio account is closed: enter another one.",
}
_TRIAL_IS_FULL = "A Twilio trial account has one number, and this one has it: upgrade the account."
_NO_FUNDS = "The Twilio account has no funds: add some in its console."


def check(client: TwilioClient) -> AccountStanding:
    """As `NumberProvider.check_account`. The answer holds the account's auth token: only what is
    named here is taken from it."""
    with client.reading(clocks.READ):
        account = client.rest.api.v2010.accounts(client.rest.account_sid).fetch()
        if str(account.sid).lower() != client.rest.account_sid.lower():
            raise ProviderUnreachable(provider_message="Twilio's answer names another account.")
        status = _status(account)
        is_main = account.owner_account_sid in (None, account.sid)
        balance, currency, problem = None, "", _PROBLEMS.get(status, "")
        # Twilio blocks the rest of a suspended account; a subaccount spends its owner's money.
        if not problem and is_main:
            balance, currency = _balance(client)
        if not problem and balance is not None and balance <= 0:
            problem = _NO_FUNDS
        if not problem and status == AccountStatus.TRIAL:
            problem = _TRIAL_IS_FULL if _has_a_number(client) else ""
    return AccountStanding(
        status=status,
        friendly_name=clean(account.friendly_name, 100),
        balance=balance,
        currency=currency,
        problem=problem,
    )


def _status(account: Any) -> AccountStatus:
    """Raises ValueError for a word that Twilio's documentation does not know."""
    status = AccountStatus(account.status)
    trial = status == AccountStatus.ACTIVE and account.type == "Trial"
    return AccountStatus.TRIAL if trial else status


def _balance(client: TwilioClient) -> tuple[Decimal | None, str]:
    try:
        answer = client.rest.api.v2010.account.balance.fetch()
    except ProviderRefused as refusal:
        if refusal.status != 404:
            raise
        return None, ""
    try:
        return funds(answer.balance), clean(answer.currency, 3).upper()
    except InvalidOperation as error:
        raise ValueError("not an amount") from error


def _has_a_number(client: TwilioClient) -> bool:
    return next(iter(client.rest.incoming_phone_numbers.page(page_size=1)), None) is not None
