"""An organization's own provider credentials: stored, and replaced under the rules of identity.

A row stands for one account at a provider for ever. Another Twilio SID is another row. A Telnyx
key does not tell whose it is, so another key is another row, unless it was shown to read what we
remember of a row's account (`Proof`).

Nothing is sent to a provider here: callers make sure first, outside of any transaction, that the
credentials work (`numbers.services.proving`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.db.transaction import TransactionManagementError

from burki.errors import InvalidRequest
from burki.rows import Columns, fetch
from burki.text import is_clean
from organizations import audit
from organizations.actors import Actor
from organizations.crypto import CredentialsUnreadable
from organizations.models import EventEndpoint, Organization, Provider, ProviderAccount
from organizations.models.accounts import SECRET_FIELDS
from organizations.permissions import ORGANIZATION_ADMIN

# At least 8: a hint of four characters must not show most of it. ASCII: it goes into a header.
SECRET = re.compile(r"[!-~]{8,256}")
_SID = re.compile(r"AC[0-9a-fA-F]{32}")
_ID = re.compile(r"[A-Za-z0-9\-]{0,64}")
_PUBLIC_KEY = re.compile(r"[A-Za-z0-9+/=]{0,64}")
_SECRET_NAMES = {Provider.TWILIO: "Twilio auth token", Provider.TELNYX: "Telnyx API key"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That a secret was seen to open the account behind a row. `saw` says what it could read."""

    account_id: int
    saw: str
    digest: str = field(repr=False)

    @classmethod
    def of(cls, account: ProviderAccount, secret: str, *, saw: str) -> Proof:
        return cls(account_id=account.pk, saw=saw, digest=_digest(secret))

    def shows(self, account: ProviderAccount, secret: str) -> bool:
        return (self.account_id, self.digest) == (account.pk, _digest(secret))


@transaction.atomic
def store_credentials(
    *,
    actor: Actor,
    organization: Organization,
    provider: str,
    secret: str,
    account_sid: str = "",
    connection_id: str = "",
    messaging_profile_id: str = "",
    public_key: str = "",
    label: str = "",
    make_default: bool = False,
    only_for_assistants: bool = False,
    replaces: ProviderAccount | None = None,
    proof: Proof | None = None,
) -> ProviderAccount:
    """The row of the account that the credentials open: the one that the organization has, with
    its secret replaced if that is new, or a new one.

    Twilio: the row with `account_sid`. Telnyx: the row with this very key, else `replaces` (which
    needs a `proof`), else a new row. Empty settings leave those of a row as they are. The first
    account at a provider becomes the default; `make_default` makes this one the default. A row
    that is new and `only_for_assistants` never is; without that word such a row becomes the
    organization's like any other.
    Raises `InvalidRequest`, `PermissionDenied`.
    """
    actor.require(ORGANIZATION_ADMIN, organization)
    check_credentials(provider=provider, secret=secret, account_sid=account_sid)
    settings = {
        "connection_id": connection_id,
        "messaging_profile_id": messaging_profile_id,
        "public_key": public_key,
        "label": label,
    }
    check_settings(settings)
    organization = lock_organization(organization.pk)
    account = find_account(organization, provider, secret=secret, account_sid=account_sid)
    if account is None and replaces is not None:
        account = replace_secret(actor=actor, account=replaces, secret=secret, proof=proof)
    if account is None:
        fields = settings | {"only_for_assistants": only_for_assistants and not make_default}
        return _added(actor, organization, provider, secret, account_sid, fields, make_default)
    if account.provider == Provider.TWILIO and _secret_of(account) != secret:
        _replace(actor, account, secret, saw="the account of that SID")
    given = {name: value for name, value in settings.items() if value}
    if account.only_for_assistants and not only_for_assistants:
        given["only_for_assistants"] = False
        make_default = make_default or not _default_of(account).exists()
    if make_default:
        given["is_default"] = True
    return change_account(actor=actor, account=account, **given)


@transaction.atomic
def replace_secret(
    *, actor: Actor, account: ProviderAccount, secret: str, proof: Proof | None
) -> ProviderAccount:
    """Keep the row and change its secret. Only with a `proof` that the new secret opens the same
    account; and not when another row of the organization has it.

    Raises `InvalidRequest` and leaves everything as it was.
    """
    if account.organization is None:
        raise InvalidRequest("The platform's own credentials come from the environment.")
    actor.require(ORGANIZATION_ADMIN, account.organization)
    check_credentials(provider=account.provider, secret=secret, account_sid=account.account_sid)
    organization = lock_organization(account.organization_id)
    account = ProviderAccount.objects.select_related("organization").get(pk=account.pk)
    if _secret_of(account) == secret:
        return account
    if proof is None or not proof.shows(account, secret):
        raise InvalidRequest(
            f"Nothing shows that this {_SECRET_NAMES[account.provider]} belongs to {account}. "
            "Enter it as another provider account."
        )
    other = find_account(
        organization, account.provider, secret=secret, account_sid=account.account_sid
    )
    if other is not None and other.pk != account.pk:
        raise InvalidRequest(f"Another provider account has this key already: {other}.")
    return _replace(actor, account, secret, saw=proof.saw)


@transaction.atomic
def change_account(*, actor: Actor, account: ProviderAccount, **changes: Any) -> ProviderAccount:
    """Change settings of an account: label, connection_id, messaging_profile_id, public_key,
    low_balance_threshold, is_default, only_for_assistants, is_active. The default of its provider
    is another account's as soon as this one has it, and is never merely given up; it is for all.
    What is as wanted is not written.

    Raises `InvalidRequest`, `PermissionDenied`.
    """
    if account.organization is None:
        raise InvalidRequest("The platform's own account is set in the environment.")
    actor.require(ORGANIZATION_ADMIN, account.organization)
    check_settings({k: v for k, v in changes.items() if isinstance(v, str)})
    lock_organization(account.organization_id)
    account = ProviderAccount.objects.select_related("organization").get(pk=account.pk)
    if changes.get("is_default") is False and account.is_default:
        raise InvalidRequest("Make another account the default instead: one has to be.")
    if changes.get("is_default"):
        changes["only_for_assistants"] = False
    wanted = {k: v for k, v in changes.items() if getattr(account, k) != v}
    if not wanted:
        return account
    if wanted.get("is_default"):
        _default_of(account).update(is_default=False)
    for name, value in wanted.items():
        setattr(account, name, value)
    account.full_clean()
    account.save(update_fields=[*wanted, "updated_at"])
    audit.record(
        actor,
        "provider_account.changed",
        account,
        organization=account.organization,
        fields=sorted(wanted),
    )
    return account


def find_account(
    organization: Organization, provider: str, *, secret: str, account_sid: str = ""
) -> ProviderAccount | None:
    """The organization's row for these credentials, if there is one: Twilio's by SID, Telnyx's by
    the key itself."""
    own = ProviderAccount.objects.select_related("organization").filter(
        organization=organization, provider=provider
    )
    if provider == Provider.TWILIO:
        return own.filter(account_sid__iexact=account_sid).first()
    return next((row for row in own.order_by("pk") if _secret_of(row) == secret), None)


def check_credentials(*, provider: str, secret: str, account_sid: str = "") -> None:
    """Raises `InvalidRequest` for what cannot be credentials; `errors` names the field."""
    if provider not in Provider.values:
        raise InvalidRequest("Provider must be 'twilio' or 'telnyx'")
    if provider == Provider.TWILIO and not _SID.fullmatch(account_sid):
        _refuse("account_sid", "The Twilio account SID is 'AC' and 32 hexadecimal digits.")
    if provider == Provider.TELNYX and account_sid:
        _refuse("account_sid", "A Telnyx account has no SID.")
    if not SECRET.fullmatch(secret):
        name = _SECRET_NAMES[Provider(provider)]
        _refuse("secret", f"The {name} is 8 to 256 letters, digits or signs, without blanks.")


def check_settings(settings: dict[str, str]) -> None:
    """Raises `InvalidRequest` for a setting that cannot be one."""
    for name, pattern, sentence in (
        ("connection_id", _ID, "The Telnyx connection id is at most 64 letters and digits."),
        ("messaging_profile_id", _ID, "The messaging profile id is at most 64 letters and digits."),
        ("public_key", _PUBLIC_KEY, "The Telnyx public key is at most 64 characters of base64."),
    ):
        if not pattern.fullmatch(settings.get(name, "")):
            _refuse(name, sentence)
    label = settings.get("label", "")
    if len(label) > 100 or not is_clean(label):
        _refuse("label", "The label is at most 100 characters, on one line.")


_ORGANIZATION = Columns(Organization)
_LOCK = f"""
    SELECT {_ORGANIZATION.of("held")}, EXISTS (
        SELECT FROM {EventEndpoint._meta.db_table} listening
        WHERE listening.organization_id = held.id AND is_active)
    FROM {Organization._meta.db_table} held WHERE id = %s FOR NO KEY UPDATE OF held
"""


def lock_organization(pk: int) -> Organization:
    """The lock that every claim, record and change of settings takes first. It does not block
    foreign keys. Whether anybody listens to events comes with it."""
    if not connection.in_atomic_block:
        raise TransactionManagementError("A lock is for a transaction.")
    (found,) = fetch(_LOCK, [pk])
    organization = _ORGANIZATION.row(found)
    organization.has_event_endpoints = found[-1]
    return organization


def _added(
    actor: Actor,
    organization: Organization,
    provider: str,
    secret: str,
    account_sid: str,
    settings: dict[str, Any],
    make_default: bool,
) -> ProviderAccount:
    account = ProviderAccount(
        organization=organization,
        provider=provider,
        account_sid=account_sid,
        is_default=make_default,
        **settings,
    )
    account.secret = secret
    if make_default:
        _default_of(account).update(is_default=False)
    account.full_clean()
    account.save()
    audit.record(
        actor,
        "provider_account.added",
        account,
        organization=organization,
        provider=provider,
        secret=account.secret_hint,
    )
    return account


def _replace(actor: Actor, account: ProviderAccount, secret: str, *, saw: str) -> ProviderAccount:
    before = account.secret_hint
    account.secret = secret
    account.save(update_fields=[*SECRET_FIELDS, "updated_at"])
    audit.record(
        actor,
        "provider_account.secret_replaced",
        account,
        organization=account.organization,
        before=before,
        secret=account.secret_hint,
        proof=saw,
    )
    return account


def _default_of(account: ProviderAccount):
    return ProviderAccount.objects.filter(
        organization=account.organization_id, provider=account.provider, is_default=True
    )


def _secret_of(account: ProviderAccount) -> str | None:
    try:
        return account.secret
    except CredentialsUnreadable:
        return None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _refuse(name: str, sentence: str) -> None:
    raise InvalidRequest(sentence, errors={name: [sentence]})
