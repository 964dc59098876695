"""What a look at a provider says about a number of ours: how it is set there, and whether it is
really gone."""

import re
from collections.abc import Collection
from typing import Any

from burki.text import plain
from numbers.models import PhoneNumber, Purchase
from numbers.providers.base import NumberProvider, OwnedNumber, Sighting
from organizations.models import Provider, ProviderAccount

_ROUTING = ("voice_url", "sms_url", "status_callback", "connection_id", "messaging_profile_id")
_MOST = 500  # characters of a provider's text that are kept
_PASSWORD = re.compile(r"(://[^/@:]*:)[^/@]*@")


def differences(number: PhoneNumber, owned: OwnedNumber) -> dict[str, dict[str, str]]:
    """Where the provider has something else than the row says that we set: each setting with
    `ours` and `theirs`. What the row leaves empty is the provider's own business, but for messages
    that the customer switched off."""
    found = {}
    for name in _ROUTING:
        ours, theirs = getattr(number, name), getattr(owned.routing, name)
        if ours and ours != theirs:
            found[name] = {"ours": ours, "theirs": shown(theirs)}
    profile = owned.routing.messaging_profile_id
    if number.sms_disabled and profile and not number.messaging_profile_id:
        found["messaging_profile_id"] = {"ours": "", "theirs": shown(profile)}
    for name, value in owned.overrides.items():
        address = number.sms_url if name.startswith("sms_") else number.voice_url
        if address:
            ours = "POST" if name.endswith("_method") else ""
            found[name] = {"ours": ours, "theirs": shown(value)}
    return found


def as_set_there(owned: OwnedNumber) -> dict[str, str]:
    """All that the provider has set on the number; empty settings are left out."""
    routing = {name: getattr(owned.routing, name) for name in _ROUTING}
    found = routing | owned.overrides
    return {name: shown(value) for name, value in found.items() if value}


def description(owned: OwnedNumber) -> dict[str, Any]:
    """A number that we do not know, for the person who has to decide about it."""
    since = owned.created_at
    told = {
        "number_id": plain(owned.number_id, 64),
        "friendly_name": plain(owned.friendly_name, 64),
        "reference": plain(owned.reference, _MOST),
        "since": since.isoformat(timespec="seconds") if since else "",
        "settings": as_set_there(owned),
    }
    return {name: value for name, value in told.items() if value}


def is_same_number(number: PhoneNumber, owned: OwnedNumber) -> bool:
    """Whether what the provider has is the number of the row: a number that was given back and
    taken again has another id, and the row's is gone."""
    return owned.phone_number == number.phone_number and number.provider_number_id in (
        "",
        owned.number_id,
    )


def is_gone(number: PhoneNumber, driver: NumberProvider) -> bool:
    """Whether the provider says, asked for the number itself, that it does not have it any more.

    Ask `is_same_account` as well: another account does not have it either. Raises `ProviderError`.
    """
    if number.provider_number_id:
        return not driver.still_owns(number.provider_number_id, number.phone_number)
    return driver.find_number(number.phone_number) is None


def is_same_account(
    account: ProviderAccount,
    number: PhoneNumber,
    driver: NumberProvider,
    *,
    listed_ids: Collection[str] = (),
) -> bool:
    """Whether the credentials still open the account that `number` was bought in.

    A Twilio account is named in every request, and the platform's key is watched. An
    organization's Telnyx key may have been replaced by one of another account: then it proves
    itself by something of ours that it can read. Raises `ProviderError`.
    """
    if account.provider == Provider.TWILIO or account.organization_id is None:
        return True
    if account.updated_at <= number.created_at:  # no key was entered since
        return True
    others = PhoneNumber.objects.filter(account=account, status=PhoneNumber.Status.ACTIVE)
    others = others.exclude(pk=number.pk).exclude(provider_number_id="").order_by("-pk")
    if listed_ids and others.filter(provider_number_id__in=listed_ids).exists():
        return True
    other = others.first()
    if other is not None and driver.still_owns(other.provider_number_id, other.phone_number):
        return True
    order = Purchase.objects.filter(account=account).exclude(order_id="").order_by("-pk").first()
    if order is None:
        return False
    look = driver.look_for(
        reference=str(order.pk), phone_number=order.phone_number, order_id=order.order_id
    )
    return look.sighting == Sighting.FOUND


def shown(setting: str) -> str:
    """A setting as we keep it: an address of somebody else's may hold a password."""
    return plain(_PASSWORD.sub(r"\1***@", setting), _MOST)
