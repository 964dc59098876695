"""An organization's settings with its provider credentials: what the settings of the API and of
the staff pages read and write."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from burki.errors import InvalidRequest
from numbers.services.accounts import environment_has_any
from numbers.services.checking import (
    PARTS,
    account_warnings,
    keep_result,
    result_of,
    told_of,
)
from numbers.services.proving import Proven, prove_connections, prove_credentials
from organizations.actors import Actor
from organizations.credentials import (
    change_account,
    check_credentials,
    check_settings,
    store_credentials,
)
from organizations.models import Organization, Provider, ProviderAccount
from organizations.permissions import MANAGE_MEMBERS, ORGANIZATION_ADMIN
from organizations.services import LIMITS, update_organization

# The names of the credentials in the API: where each is kept in a row, by provider.
CREDENTIALS: dict[str, dict[str, str]] = {
    Provider.TWILIO: {"twilio_account_sid": "account_sid", "twilio_auth_token": "secret"},
    Provider.TELNYX: {
        "telnyx_api_key": "secret",
        "telnyx_connection_id": "connection_id",
        "telnyx_messaging_profile_id": "messaging_profile_id",
        "telnyx_public_key": "public_key",
    },
}
_FIELDS = {
    name: (provider, field)
    for provider, names in CREDENTIALS.items()
    for name, field in names.items()
}
_NAMES = {where: name for name, where in _FIELDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What a request changes at one provider: other credentials, or settings of `account`."""

    provider: str
    account: ProviderAccount | None
    credentials: dict[str, str]
    settings: dict[str, str]

    @property
    def connections(self) -> dict[str, str]:
        names = [f"{part}_id" for part in PARTS]
        return {name: self.settings[name] for name in names if self.settings.get(name)}


def update_settings(
    *, actor: Actor, organization: Organization, changes: Mapping[str, Any]
) -> Organization:
    """Change settings (`update_organization`) and credentials (`CREDENTIALS`) together, or none.

    None leaves a credential as it is, and so does what is shown of it (its last four characters).
    New ones must open an account at the provider, now; they become the default there. Raises
    `PermissionDenied`, `InvalidRequest`, `CredentialsRefused`, `CheckFailed`; then nothing was
    stored.
    """
    actor.require(ORGANIZATION_ADMIN, organization)
    own = {name: value for name, value in changes.items() if name not in _FIELDS}
    if any(name in own and own[name] != getattr(organization, name) for name in LIMITS):
        actor.require(MANAGE_MEMBERS, organization)  # before anything is asked
    defaults = default_accounts(organization)
    wanted = [
        found
        for provider in Provider.values
        if (found := _wanted(provider, defaults.get(provider), changes)) is not None
    ]
    proven = [(one, _prove(actor, organization, one)) for one in wanted]
    with transaction.atomic():
        organization = update_organization(actor=actor, organization=organization, **own)
        for one, proof in proven:
            account = _store(actor, organization, one, proof)
            if proof is not None:
                tried = {part: one.settings.get(f"{part}_id") for part in PARTS}
                parts = {part: told_of(given) for part, given in tried.items() if given}
                keep_result(actor, account, result_of(proof.standing, **parts))
    return organization


def default_accounts(organization: Organization) -> dict[str, ProviderAccount]:
    """The organization's own default account at each provider where it has one."""
    rows = ProviderAccount.objects.filter(organization=organization, is_default=True)
    return {row.provider: row for row in rows.select_related("organization")}


def shown_credentials(organization: Organization) -> dict[str, str | None]:
    """`CREDENTIALS` as they may be shown: of secrets the last four characters."""
    defaults = default_accounts(organization)
    return {
        name: _shown(defaults[provider], field) or None if provider in defaults else None
        for name, (provider, field) in _FIELDS.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Whose credentials serve an organization at a provider, and what is wrong with them. Of the
    platform's account nothing is told."""

    provider: str
    source: str | None  # ProviderAccount.Source
    account: ProviderAccount | None = None
    warnings: tuple[str, ...] = ()

    @property
    def configured(self) -> bool:
        return self.source is not None


def configuration(organization: Organization) -> list[Configuration]:
    """For each provider, what decides without an assistant's own account. Asks no provider."""
    own = ProviderAccount.objects.filter(organization=organization, only_for_assistants=False)
    rows = list(own.select_related("organization"))
    return [_configuration(provider, rows, organization) for provider in Provider.values]


def _configuration(
    provider: str, rows: list[ProviderAccount], organization: Organization
) -> Configuration:
    label, mine = Provider(provider).label, [row for row in rows if row.provider == provider]
    default = next((row for row in mine if row.is_default), None)
    source = ProviderAccount.Source.ORGANIZATION
    if default is not None:
        warnings = account_warnings(default)
        if not default.is_active:
            warnings = [f"The provider account {default} is disabled: enable it."]
        return Configuration(
            provider=provider, source=source, account=default, warnings=tuple(warnings)
        )
    if mine:
        warning = f"Choose which of the organization's {label} accounts is default."
        return Configuration(provider=provider, source=source, warnings=(warning,))
    if environment_has_any(provider) and organization.may_use_platform_accounts:
        return Configuration(provider=provider, source=ProviderAccount.Source.ENVIRONMENT)
    warning = f"Enter {label} credentials for the organization."
    return Configuration(provider=provider, source=None, warnings=(warning,))


def _wanted(
    provider: str, account: ProviderAccount | None, changes: Mapping[str, Any]
) -> _Wanted | None:
    """What `changes` ask for at one provider; None for nothing. Raises `InvalidRequest`."""
    given = {
        field: changes[name]
        for name, field in CREDENTIALS[provider].items()
        if changes.get(name) is not None
    }
    new = {k: v for k, v in given.items() if v != (_shown(account, k) if account else "")}
    secret, sid = new.get("secret"), new.get("account_sid")
    for field in ("secret", "account_sid"):
        if new.get(field) == "":
            _refuse(provider, field, "cannot be emptied: disable the provider account instead")
    if secret is not None and secret.startswith("…"):
        _refuse(provider, "secret", "is only what we show of it: send all of it, or leave it out")
    if sid is not None and secret is None:
        _refuse(provider, "secret", f"is needed with another {_NAMES[provider, 'account_sid']}")
    # With another secret all that is given counts: it may be another account's row.
    settings = given if secret is not None else new
    settings = {k: v for k, v in settings.items() if k not in ("secret", "account_sid")}
    with _named(provider):
        check_settings(settings)
    if secret is None and settings and account is None:
        _refuse(provider, "secret", "is needed: there is no account that these settings belong to")
    if not new:
        return None
    credentials = {}
    if secret is not None:
        credentials = {"secret": secret}
        if provider == Provider.TWILIO:
            credentials["account_sid"] = sid or (account.account_sid if account else "")
        with _named(provider):
            check_credentials(provider=provider, **credentials)
    return _Wanted(provider=provider, account=account, credentials=credentials, settings=settings)


def _prove(actor: Actor, organization: Organization, wanted: _Wanted) -> Proven | None:
    """None when only settings change."""
    if wanted.credentials:
        return prove_credentials(
            actor=actor,
            organization=organization,
            provider=wanted.provider,
            **wanted.credentials,
            **wanted.connections,
        )
    if wanted.connections:
        prove_connections(
            actor=actor,
            organization=organization,
            account=wanted.account,
            **wanted.connections,
        )
    return None


def _store(
    actor: Actor, organization: Organization, wanted: _Wanted, proven: Proven | None
) -> ProviderAccount:
    if proven is None:
        return change_account(actor=actor, account=wanted.account, **wanted.settings)
    account = store_credentials(
        actor=actor,
        organization=organization,
        provider=wanted.provider,
        make_default=True,
        replaces=proven.account,
        proof=proven.proof,
        **wanted.credentials,
    )
    # Whoever enters credentials wants them to be used.
    return change_account(actor=actor, account=account, is_active=True, **wanted.settings)


def _shown(account: ProviderAccount, field: str) -> str:
    return account.secret_hint if field == "secret" else getattr(account, field)


@contextmanager
def _named(provider: str) -> Iterator[None]:
    """Errors about a row's field name the field of the request."""
    try:
        yield
    except InvalidRequest as error:
        (field,) = error.facts["errors"]
        raise InvalidRequest(
            error.detail, errors={_NAMES[provider, field]: [error.detail]}
        ) from None


def _refuse(provider: str, field: str, what: str) -> None:
    name = _NAMES[provider, field]
    raise InvalidRequest(f"{name} {what}", errors={name: [f"{name} {what}"]})
