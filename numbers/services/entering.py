"""Credentials that people enter, an account at a time: tried at the provider, then stored together
with what the try showed. What is not accepted is not stored."""

from typing import Any

from django.db import transaction

from burki.errors import InvalidRequest
from numbers.services.checking import PARTS, keep_result, result_of, told_of
from numbers.services.proving import Proven, prove_connections, prove_credentials
from organizations.actors import Actor
from organizations.credentials import (
    change_account,
    check_settings,
    replace_secret,
    store_credentials,
)
from organizations.models import Organization, ProviderAccount

_CONNECTIONS = tuple(f"{part}_id" for part in PARTS)


def add_account(
    *,
    actor: Actor,
    organization: Organization,
    provider: str,
    secret: str,
    account_sid: str = "",
    make_default: bool = False,
    **settings: str,
) -> ProviderAccount:
    """A row for an account that the organization does not have yet. `settings`: label,
    connection_id, messaging_profile_id, public_key.

    Raises `PermissionDenied`, `InvalidRequest` (also when the account is there already),
    `CredentialsRefused`, `CheckFailed`; then nothing was stored.
    """
    check_settings(settings)
    named = {name: settings.get(name, "") for name in _CONNECTIONS}
    proven = prove_credentials(
        actor=actor,
        organization=organization,
        provider=provider,
        secret=secret,
        account_sid=account_sid,
        **named,
    )
    if proven.account is not None:
        raise InvalidRequest(
            f"This account is there already: {proven.account}. Replace its secret instead."
        )
    with transaction.atomic():
        account = store_credentials(
            actor=actor,
            organization=organization,
            provider=provider,
            secret=secret,
            account_sid=account_sid,
            make_default=make_default,
            **settings,
        )
        return _with_result(actor, account, proven)


def replace_account_secret(
    *, actor: Actor, account: ProviderAccount, secret: str
) -> ProviderAccount:
    """Keep the account and change its secret, which must open that very account. Raises as
    `add_account` does."""
    if account.organization is None:
        raise InvalidRequest("The platform's own credentials come from the environment.")
    proven = prove_credentials(
        actor=actor,
        organization=account.organization,
        provider=account.provider,
        secret=secret,
        account_sid=account.account_sid,
        belong_to=account,
        **{name: getattr(account, name) for name in _CONNECTIONS},
    )
    with transaction.atomic():
        account = replace_secret(actor=actor, account=account, secret=secret, proof=proven.proof)
        return _with_result(actor, account, proven)


def change_account_settings(
    *, actor: Actor, account: ProviderAccount, **changes: Any
) -> ProviderAccount:
    """`change_account`; a connection or profile that is new must be usable with the account's
    credentials. Raises as `add_account` does."""
    new = {
        n: changes[n] for n in _CONNECTIONS if changes.get(n, "") not in ("", getattr(account, n))
    }
    if new:
        prove_connections(actor=actor, organization=account.organization, account=account, **new)
    return change_account(actor=actor, account=account, **changes)


def _with_result(actor: Actor, account: ProviderAccount, proven: Proven) -> ProviderAccount:
    """The standing that the try saw; connections that are named were found usable by it."""
    named = {part: getattr(account, f"{part}_id") for part in PARTS}
    parts = {part: told_of(given) for part, given in named.items() if given}
    return keep_result(actor, account, result_of(proven.standing, **parts))
