"""Trying credentials at their provider before they are stored, and finding out whose they are."""

from dataclasses import dataclass

from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import (
    CheckFailed,
    CredentialsRefused,
    NotConfigured,
    ProviderError,
    ProviderRefused,
)
from numbers.providers.base import AccountStanding, Credentials, NumberProvider, Routing
from numbers.providers.registry import driver_for
from numbers.services.accounts import recognise
from numbers.services.routing import telnyx_webhook_url
from organizations.actors import Actor
from organizations.credentials import Proof, check_credentials, check_settings, find_account
from organizations.models import Organization, Provider, ProviderAccount
from organizations.permissions import ORGANIZATION_ADMIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """Credentials that work. `account` is the row that they belong to, with the `proof` that its
    secret may be replaced by this one; None: a row of their own."""

    standing: AccountStanding
    account: ProviderAccount | None = None
    proof: Proof | None = None


def prove_credentials(
    *,
    actor: Actor,
    organization: Organization,
    provider: str,
    secret: str,
    account_sid: str = "",
    connection_id: str = "",
    messaging_profile_id: str = "",
    belong_to: ProviderAccount | None = None,
) -> Proven:
    """Try credentials at the provider: they must open an account, a connection and profile that
    are named must be usable with them, and with `belong_to` they must be that row's. Only reads;
    stores nothing. Takes at most 22 seconds.

    Raises `PermissionDenied`, `InvalidRequest` for what cannot be credentials,
    `CredentialsRefused`, and `CheckFailed` when the provider cannot tell now.
    """
    actor.require(ORGANIZATION_ADMIN, organization)
    check_credentials(provider=provider, secret=secret, account_sid=account_sid)
    routing = _routing(connection_id, messaging_profile_id)
    driver = _driver(provider, secret, account_sid)
    name = Provider(provider).label
    try:
        standing = driver.check_account()
        check_routing(driver, routing)
        account = find_account(organization, provider, secret=secret, account_sid=account_sid)
        saw = "the account of that SID" if account else ""
        if account is None and provider == Provider.TELNYX:
            account, saw = _recognised(organization, driver, belong_to)
    except ProviderRefused as refusal:
        if refusal.retryable:
            raise CheckFailed.because_of(name, refusal) from refusal
        raise CredentialsRefused(
            f"{name} refused these credentials. {refusal.hint}",
            hint=refusal.hint,
            provider_code=refusal.provider_code or None,
        ) from refusal
    except NotConfigured as problem:
        raise CredentialsRefused(problem.hint, hint=problem.hint) from problem
    except ProviderError as error:
        raise CheckFailed.because_of(name, error) from error
    if belong_to is not None and (account is None or account.pk != belong_to.pk):
        raise CredentialsRefused(
            f"These credentials work, but nothing shows that they belong to {belong_to}.",
            hint="Enter them as another provider account.",
        )
    proof = Proof.of(account, secret, saw=saw) if account else None
    return Proven(standing=standing, account=account, proof=proof)


def prove_connections(
    *,
    actor: Actor,
    organization: Organization,
    account: ProviderAccount,
    connection_id: str = "",
    messaging_profile_id: str = "",
) -> None:
    """Whether a connection and a profile can be used with the credentials of `account`; raises as
    `prove_credentials` does."""
    actor.require(ORGANIZATION_ADMIN, organization)
    routing = _routing(connection_id, messaging_profile_id)
    try:
        check_routing(_driver(account.provider, account.secret, account.account_sid), routing)
    except NotConfigured as problem:
        raise CredentialsRefused(problem.hint, hint=problem.hint) from problem
    except ProviderError as error:
        raise CheckFailed.because_of(Provider(account.provider).label, error) from error


def _routing(connection_id: str, messaging_profile_id: str) -> Routing:
    check_settings({"connection_id": connection_id, "messaging_profile_id": messaging_profile_id})
    return Routing(connection_id=connection_id, messaging_profile_id=messaging_profile_id)


def check_routing(driver: NumberProvider, routing: Routing) -> None:
    """Raises `NotConfigured`, saying what to correct, and `ProviderError`. Only reads."""
    driver.check_routing(routing, webhook_url=telnyx_webhook_url(), set_missing=False)


def _driver(provider: str, secret: str, account_sid: str) -> NumberProvider:
    # Not a row's own connections and caches: these credentials may be anybody's.
    credentials = Credentials(
        provider=provider, key="untried", secret=secret, account_sid=account_sid
    )
    return driver_for(credentials, Deadline.after(clocks.REQUEST).without(clocks.RECORDING))


def _recognised(
    organization: Organization, driver: NumberProvider, belong_to: ProviderAccount | None
) -> tuple[ProviderAccount | None, str]:
    """Which of the organization's rows this new key opens, and what shows it."""
    rows = ProviderAccount.objects.filter(organization=organization, provider=driver.name)
    if belong_to is not None:
        rows = rows.filter(pk=belong_to.pk)
    for row in rows.select_related("organization").order_by("-is_default", "-pk"):
        if saw := recognise(row, driver):
            return row, saw
    return None, ""
