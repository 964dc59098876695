"""Verified caller ids of an organization's own Twilio account. Never of the platform's: there they
would be everybody's."""

import math
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from burki.errors import InvalidRequest
from burki.text import plain
from numbers import clocks
from numbers.clocks import Deadline
from numbers.e164 import is_e164
from numbers.exceptions import (
    AlreadyVerified,
    CalledJustNow,
    NotConfigured,
    ProviderError,
    ProviderRefused,
    RequestFailed,
)
from numbers.models import CallerIdCall, VerifiedCallerId
from numbers.providers.twilio_caller_ids import CallerId, TwilioCallerIds, Verification
from numbers.services.accounts import credentials_of, resolve_account
from numbers.services.lookup import NOT_E164
from numbers.services.settling import lock_organization
from organizations import audit
from organizations.actors import Actor
from organizations.models import Organization, Provider, ProviderAccount
from organizations.permissions import NUMBERS_WRITE

_APART = timedelta(seconds=60)  # two calls to one telephone


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerIdsSynced:
    """`listed` are in the account now; `added` and `removed` is what that changed here."""

    listed: int
    added: int
    removed: int


def sync_caller_ids(*, actor: Actor, organization: Organization) -> CallerIdsSynced:
    """Make our copy what the organization's own Twilio account lists.

    Raises `PermissionDenied`, `InvalidRequest` without a usable Twilio account of its own, and
    `RequestFailed` when Twilio did not list them; then nothing is changed.
    """
    actor.require(NUMBERS_WRITE, organization)
    account, twilio = _own_twilio(organization)
    try:
        listed = [one for one in twilio.list() if is_e164(one.phone_number)]
    except ProviderError as error:
        raise RequestFailed.because_of(
            "Failed to sync verified caller IDs from twilio", error
        ) from error
    return _record(account, {one.phone_number: one for one in listed}, actor)


def add_caller_id(
    *, actor: Actor, organization: Organization, phone_number: str, friendly_name: str
) -> Verification:
    """Have Twilio call `phone_number` now; whoever answers types the code that is returned, and
    the number is verified. A synchronization then shows it here. No telephone is made to ring twice
    within a minute, whoever of the organization asks.

    Raises `PermissionDenied`, `InvalidRequest`, `CalledJustNow`, `AlreadyVerified`, and
    `RequestFailed`.
    """
    actor.require(NUMBERS_WRITE, organization)
    if not is_e164(phone_number):
        raise InvalidRequest(NOT_E164)
    account, twilio = _own_twilio(organization)
    _begin_call(account, actor, phone_number)
    try:
        return twilio.verify(phone_number, friendly_name)
    except AlreadyVerified:
        _forget_call(organization, phone_number)
        raise
    except ProviderError as error:
        if isinstance(error, ProviderRefused):
            _forget_call(organization, phone_number)
        if error.code == "invalid_number":
            raise InvalidRequest(f"Twilio cannot call {phone_number}: it is no number.") from error
        with transaction.atomic(durable=True):
            audit.record(
                actor,
                "caller_id.verification_failed",
                account,
                organization=organization,
                phone_number=phone_number,
                code=error.code,
            )
        raise RequestFailed.because_of(
            f"Failed to verify caller ID {phone_number} with twilio", error
        ) from error


@transaction.atomic(durable=True)
def _begin_call(account: ProviderAccount, actor: Actor, phone_number: str) -> None:
    """Write down that the number is called now. Raises `CalledJustNow`."""
    organization = lock_organization(account.organization_id)  # of several at once, one may
    now = timezone.now()
    calls = CallerIdCall.objects.filter(organization=organization)
    calls.filter(called_at__lte=now - _APART).delete()
    last = calls.filter(phone_number=phone_number).first()
    if last is not None:
        left = (last.called_at + _APART - now).total_seconds()
        raise CalledJustNow(phone_number, retry_after=min(math.ceil(left), _APART.seconds))
    CallerIdCall.objects.create(organization=organization, phone_number=phone_number, called_at=now)
    audit.record(
        actor,
        "caller_id.verifying",
        account,
        organization=organization,
        phone_number=phone_number,
    )


def _forget_call(organization: Organization, phone_number: str) -> None:
    """Twilio said no, so nothing rang."""
    CallerIdCall.objects.filter(organization=organization, phone_number=phone_number).delete()


def _own_twilio(organization: Organization) -> tuple[ProviderAccount, TwilioCallerIds]:
    hint = "Enter Twilio credentials for the organization."
    try:
        account = resolve_account(organization, None, Provider.TWILIO)
        if account.organization_id != organization.pk:
            raise NotConfigured(hint=hint)
        credentials = credentials_of(account)
    except NotConfigured as error:
        raise InvalidRequest(
            "Twilio credentials not configured for this organization", hint=error.hint or hint
        ) from None
    deadline = Deadline.after(clocks.REQUEST).without(clocks.RECORDING)
    return account, TwilioCallerIds(credentials, deadline)


@transaction.atomic(durable=True)
def _record(account: ProviderAccount, listed: dict[str, CallerId], actor: Actor) -> CallerIdsSynced:
    organization = lock_organization(account.organization_id)
    known = {row.phone_number: row for row in account.verified_caller_ids.all()}
    gone = [row.pk for number, row in known.items() if number not in listed]
    VerifiedCallerId.objects.filter(pk__in=gone).delete()
    rows = [
        VerifiedCallerId(
            organization=organization,
            account=account,
            phone_number=number,
            friendly_name=plain(one.friendly_name, 64),
            provider_id=plain(one.provider_id, 64),
        )
        for number, one in listed.items()
    ]
    VerifiedCallerId.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["account", "phone_number"],
        update_fields=["friendly_name", "provider_id", "updated_at"],
        batch_size=500,
    )
    added = len(listed.keys() - known.keys())
    if added or gone:
        audit.record(
            actor,
            "caller_ids.synced",
            account,
            organization=organization,
            listed=len(listed),
            added=added,
            removed=len(gone),
        )
    return CallerIdsSynced(listed=len(listed), added=added, removed=len(gone))
