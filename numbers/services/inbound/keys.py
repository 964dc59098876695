"""Whose key a request from a provider must be signed with. What the request says of itself is a
hint only: the signature decides."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Q

from assistants.models import Assistant
from burki.rows import Columns, fetch, split
from numbers.models import Direction, PhoneNumber, Purchase
from numbers.services.inbound.events import InboundEvent, purchase_id
from organizations.models import Organization, Provider, ProviderAccount

_ENVIRONMENT = ProviderAccount.Source.ENVIRONMENT
# What answering needs: whole rows of four tables would take as long as all the rest of it.
_NUMBER = Columns(
    PhoneNumber, "id", "organization_id", "account_id", "assistant_id", "provider", "phone_number",
    "status", "last_activity_at", "status_callback", "webhook_base_url",
)  # fmt: skip
_ACCOUNT = Columns(
    ProviderAccount, "id", "organization_id", "provider", "source", "account_sid", "public_key",
    "encrypted_credentials", "encrypted_previous", "secret_replaced_at",
)  # fmt: skip
_ORGANIZATION = Columns(Organization, "id", "is_active")
_ASSISTANT = Columns(
    Assistant, "id", "is_active", "media_stream_url", "greeting", "language", "sms_webhook_url"
)
_NUMBERS = f"""
    SELECT {_NUMBER.of("number")}, {_ACCOUNT.of("account")}, {_ORGANIZATION.of("tenant")},
        {_ASSISTANT.of("assistant")}
    FROM {PhoneNumber._meta.db_table} number
    JOIN {ProviderAccount._meta.db_table} account ON account.id = number.account_id
    JOIN {Organization._meta.db_table} tenant ON tenant.id = number.organization_id
    LEFT JOIN {Assistant._meta.db_table} assistant ON assistant.id = number.assistant_id
    WHERE number.provider = %s AND number.phone_number = ANY(%s)
        AND number.status <> '{PhoneNumber.Status.RELEASED}'
"""
_MOST = 10  # accounts that are tried for one request


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account that may have signed, and the number of ours in it that the event is about."""

    account: ProviderAccount
    number: PhoneNumber | None = None


def twilio_candidates(event: InboundEvent) -> list[Candidate]:
    """The account that owns the number; for a number that nobody has, those with the SID that the
    request names. One statement for a number of ours, two for another."""
    for number in numbers_of(Provider.TWILIO, event.ours[:1]):  # one at most
        owner = number.account
        said = event.account_sid.casefold() == owner.account_sid.casefold()
        return [Candidate(owner, number)] if said else []
    if not event.account_sid:
        return []
    named = ProviderAccount.objects.filter(
        provider=Provider.TWILIO, account_sid=event.account_sid
    ).order_by("pk")
    return [Candidate(account) for account in named[:_MOST]]


def telnyx_candidates(event: InboundEvent) -> list[Candidate]:
    """The account that owns the number called; where it does not say whether it is a call to us,
    or nobody has the number, also those that the order, the connection and the messaging profile
    lead to, and the platform's."""
    found = {number.phone_number: number for number in numbers_of(Provider.TELNYX, event.ours)}
    likely = [Candidate(found[n].account, found[n]) for n in event.ours if n in found]
    if likely and event.direction == Direction.INBOUND:
        return likely
    purchase = _purchase(event.reference)
    if purchase is not None:
        likely.append(Candidate(purchase.account))
    named = Q(source=_ENVIRONMENT)
    for field in ("connection_id", "messaging_profile_id"):
        if value := getattr(event, field):
            named |= Q(**{field: value}) | Q(**{f"setups__{field}": value})
    others = ProviderAccount.objects.filter(named, provider=Provider.TELNYX)
    for account in others.order_by("pk").distinct()[:_MOST]:
        if all(account.pk != known.account.pk for known in likely):
            likely.append(Candidate(account))
    return likely


def auth_tokens(account: ProviderAccount) -> list[str]:
    """What Twilio may sign with now, for `account`."""
    if account.source != _ENVIRONMENT:
        return account.recent_secrets
    if account.account_sid != settings.TWILIO_ACCOUNT_SID:
        return []
    tokens = (settings.TWILIO_AUTH_TOKEN, settings.TWILIO_PREVIOUS_AUTH_TOKEN)
    return [token for token in tokens if token]


def public_keys(account: ProviderAccount) -> list[str]:
    """Telnyx's public keys for `account`, in base64."""
    given = settings.TELNYX_PUBLIC_KEY if account.source == _ENVIRONMENT else ""
    return [key for key in (given, account.public_key) if key]


def numbers_of(provider: str, phone_numbers: tuple[str, ...]) -> list[PhoneNumber]:
    """Our live rows of these numbers, with all that answering needs."""
    found = fetch(_NUMBERS, [provider, list(phone_numbers)]) if phone_numbers else []
    return [_with_its_own(values) for values in found]


def _with_its_own(values: tuple[Any, ...]) -> PhoneNumber:
    number, account, tenant, assistant = split(values, _NUMBER, _ACCOUNT, _ORGANIZATION, _ASSISTANT)
    number.account, number.organization, number.assistant = account, tenant, assistant
    return number


def _purchase(reference: str) -> Purchase | None:
    pk = purchase_id(reference)
    if pk is None:
        return None
    return (
        Purchase.objects.select_related("account")
        .filter(pk=pk, provider=Provider.TELNYX, account__isnull=False)
        .first()
    )
