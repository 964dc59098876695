"""Whose credentials decide: the assistant's account, else the organization's, else the platform's.

The first level that has anything wins. Levels are never mixed, and a set that is incomplete,
disabled or unreadable stops: it never falls through to somebody else's money.
"""

import contextlib

from django.conf import settings
from django.db import IntegrityError
from django.utils.crypto import salted_hmac

from assistants.models import Assistant
from burki.rows import Columns, fetch
from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import NotConfigured, ProviderError
from numbers.models import PhoneNumber, ProviderSetup
from numbers.providers.base import Credentials, NumberProvider, Routing
from numbers.providers.registry import driver_for
from organizations.crypto import CredentialsUnreadable
from organizations.models import Organization, Provider, ProviderAccount

# Of each kind: one may have gone from the account without our knowing.
_REMEMBERED = 3
_ENVIRONMENT = ProviderAccount.Source.ENVIRONMENT
_ACCOUNT = Columns(ProviderAccount)
_OWN = f"""
    SELECT {_ACCOUNT.of("own")} FROM {ProviderAccount._meta.db_table} own
    WHERE organization_id = %s AND provider = %s AND NOT only_for_assistants
    ORDER BY is_default DESC, id LIMIT 1
"""


def resolve_account(
    organization: Organization, assistant: Assistant | None, provider: str
) -> ProviderAccount:
    """The account that pays for a purchase at `provider`.

    Raises `NotConfigured` with a hint when the level that decides cannot be used.
    """
    if assistant is not None and (account := assistant.account_for(provider)) is not None:
        if account.organization_id != organization.pk or account.provider != provider:
            raise NotConfigured(hint="The assistant's provider account is not this organization's.")
        return account
    if found := fetch(_OWN, [organization.pk, provider]):
        account = _ACCOUNT.row(found[0])
        if not account.is_default:
            raise NotConfigured(
                hint=f"Choose which of the organization's {_label(provider)} accounts is default."
            )
        return account
    if not environment_has_any(provider):
        raise NotConfigured(hint=f"Enter {_label(provider)} credentials for the organization.")
    if not organization.may_use_platform_accounts:
        raise NotConfigured(
            hint=f"Enter {_label(provider)} credentials for the organization: "
            "it may not use the platform's."
        )
    return _environment_account(provider)


def credentials_of(account: ProviderAccount) -> Credentials:
    """What signs requests for `account`. Raises `NotConfigured` when that is not usable now."""
    if not account.is_active:
        raise NotConfigured(hint=f"The provider account {account} is disabled: enable it.")
    if account.source == _ENVIRONMENT:
        sid, secret = _environment_values(account)
    else:
        sid = account.account_sid
        try:
            secret = account.secret
        except CredentialsUnreadable as error:
            raise NotConfigured(hint=error.detail) from None
    if not secret or (account.provider == Provider.TWILIO and not sid):
        missing = "auth token and account SID" if account.provider == "twilio" else "API key"
        raise NotConfigured(
            hint=f"The provider account {account} is incomplete: it needs its {missing}."
        )
    return Credentials(
        provider=account.provider, key=str(account.pk), secret=secret, account_sid=sid
    )


def named_routing(account: ProviderAccount, assistant: Assistant | None) -> Routing:
    """The Telnyx connection and profile that settings name for `account`; the assistant's own
    connection goes before."""
    if account.source == _ENVIRONMENT:
        connection = settings.TELNYX_CONNECTION_ID
        profile = settings.TELNYX_MESSAGING_PROFILE_ID
    else:
        connection, profile = account.connection_id, account.messaging_profile_id
    if assistant is not None and assistant.telnyx_connection_id:
        connection = assistant.telnyx_connection_id
    return Routing(connection_id=connection, messaging_profile_id=profile)


def environment_has_any(provider: str) -> bool:
    if provider == Provider.TWILIO:
        return bool(settings.TWILIO_ACCOUNT_SID or settings.TWILIO_AUTH_TOKEN)
    return bool(settings.TELNYX_API_KEY)


def environment_accounts() -> list[ProviderAccount]:
    """The platform's accounts that the environment names now. One whose new key cannot be checked
    now is left out."""
    found = []
    for provider in Provider.values:
        if environment_has_any(provider):
            with contextlib.suppress(ProviderError):
                found.append(_environment_account(provider))
    return found


def _environment_account(provider: str) -> ProviderAccount:
    """The row that stands for the platform's account at `provider`; it holds no secret.

    A Twilio account is told by its SID. A Telnyx key tells nothing of its account: a new key
    stays with the row only if it can read something that we remember of that account.
    """
    environment = ProviderAccount.objects.filter(
        source=_ENVIRONMENT, organization=None, provider=provider
    )
    if provider == Provider.TWILIO:
        identity = {"account_sid": settings.TWILIO_ACCOUNT_SID}
        account = environment.filter(**identity).first()
    else:
        identity = {"fingerprint": _fingerprint(settings.TELNYX_API_KEY)}
        account = environment.filter(**identity).first()
        for known in environment.order_by("-pk") if account is None else ():
            account = account or _same_account_new_key(known, identity["fingerprint"])
    if account is not None:
        return account
    row = ProviderAccount(
        source=_ENVIRONMENT, provider=provider, label="the platform's own", **identity
    )
    try:
        row.save()
    except IntegrityError:  # another request made it
        return environment.get(**identity)
    return row


def _environment_values(account: ProviderAccount) -> tuple[str, str]:
    if account.provider == Provider.TWILIO:
        if account.account_sid != settings.TWILIO_ACCOUNT_SID:
            raise NotConfigured(hint="The environment now names another Twilio account.")
        return settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN
    if account.fingerprint != _fingerprint(settings.TELNYX_API_KEY):
        account = _same_account_new_key(account, _fingerprint(settings.TELNYX_API_KEY))
        if account is None:
            raise NotConfigured(hint="The environment now names another Telnyx account.")
    return "", settings.TELNYX_API_KEY


def _same_account_new_key(
    account: ProviderAccount | None, fingerprint: str
) -> ProviderAccount | None:
    """`account`, remembered with the environment's new Telnyx key, if that key is shown to belong
    to it; None if it is not. Raises `ProviderUnreachable` when Telnyx cannot tell now."""
    if account is None or not settings.TELNYX_API_KEY:
        return None
    credentials = Credentials(
        provider=account.provider, key=str(account.pk), secret=settings.TELNYX_API_KEY
    )
    driver = driver_for(credentials, Deadline.after(clocks.READ))
    if not recognise(account, driver):
        return None  # another account's, or nothing is remembered: a new row mixes nothing up
    account.fingerprint = fingerprint
    account.save(update_fields=["fingerprint", "updated_at"])
    return account


def recognise(account: ProviderAccount, driver: NumberProvider) -> str:
    """What the driver's credentials can read of all that we remember of `account`: one thing is
    enough to show that they open it. Empty if there is none. Raises `ProviderUnreachable` when
    the provider cannot tell now."""
    numbers = PhoneNumber.objects.filter(account=account, status=PhoneNumber.Status.ACTIVE)
    for number in numbers.exclude(provider_number_id="").order_by("-pk")[:_REMEMBERED]:
        found = driver.find_number(number.phone_number)
        if found is not None and found.number_id == number.provider_number_id:
            return f"number {number.provider_number_id}"
    made = ProviderSetup.objects.filter(account=account).exclude(connection_id="")
    for setup in made.order_by("-pk")[:_REMEMBERED]:
        ours = Routing(connection_id=setup.connection_id)
        with contextlib.suppress(NotConfigured):
            driver.check_routing(ours, webhook_url=setup.webhook_url, set_missing=False)
            return f"connection {setup.connection_id}"
    return ""


def _fingerprint(key: str) -> str:
    return salted_hmac("numbers.telnyx-key", key, algorithm="sha256").hexdigest() if key else ""


def _label(provider: str) -> str:
    return Provider(provider).label
