"""What a look at a provider says about a number of ours: how it is set there, and whether it is
really gone."""

import re
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from burki.text import plain
from numbers.models import PhoneNumber, Purchase
from numbers.providers.base import Destinations, NumberProvider, OwnedNumber, Sighting
from numbers.services import public_key
from numbers.services.public_key import PUBLIC_KEY
from numbers.services.routing import Intended, intended
from organizations.models import Provider, ProviderAccount

_ROUTING = ("voice_url", "sms_url", "status_callback", "connection_id", "messaging_profile_id")
_MOST = 500  # characters of a provider's text that are kept
_PASSWORD = re.compile(r"(://[^/@:]*:)[^/@]*@")


Differences = dict[str, dict[str, str]]  # each setting with what is `ours` and what `theirs`


def differences(
    number: PhoneNumber,
    owned: OwnedNumber | None,
    reported: Destinations | None = None,
    of_account: Differences | None = None,
) -> Differences:
    """Where the provider has something else than it should: the one comparison of a number.

    `owned` is the number as the provider has it, None when the account lacks it. `reported` tells
    of the connection and profile that the number should have, `of_account` what differs for all
    numbers of the account (`public_key.look`); they are not judged without it.
    """
    if owned is None or not is_same_number(number, owned):
        theirs = plain(owned.number_id, 64) if owned else ""
        return {"number": {"ours": number.provider_number_id or "in the account", "theirs": theirs}}
    wanted, found = intended(number), {}
    for name in _ROUTING:
        ours, theirs = getattr(wanted.routing, name), getattr(owned.routing, name)
        if ours and ours != theirs:
            found[name] = {"ours": ours, "theirs": shown(theirs)}
    profile = owned.routing.messaging_profile_id
    if number.sms_disabled and profile and not number.messaging_profile_id:
        found["messaging_profile_id"] = {"ours": "", "theirs": shown(profile)}
    for name, value in owned.overrides.items():
        if getattr(wanted.routing, overridden(name)):
            ours = "POST" if name.endswith("_method") else ""
            found[name] = {"ours": ours, "theirs": shown(value)}
    found |= _reported_elsewhere(wanted, reported) if reported else {}
    return found | (of_account or {})


def overridden(name: str) -> str:
    """The address that a setting of the number's `overrides` keeps from working."""
    if name.startswith("sms_"):
        return "sms_url"
    return "status_callback" if name.startswith("status_callback") else "voice_url"


def _reported_elsewhere(wanted: Intended, reported: Destinations) -> Differences:
    """What keeps the connection and the profile from reporting to us, in a form that we read."""
    found = {}
    for what, endpoint in (("connection", reported.application), ("profile", reported.profile)):
        url = getattr(wanted, f"{what}_webhook_url")
        pairs = {
            "webhook_url": (url, endpoint.webhook_url if endpoint else ""),
            "api_version": ("2", endpoint.api_version if endpoint else "2"),
            "active": ("yes", "no" if endpoint and not endpoint.active else "yes"),
        }
        for name, (ours, theirs) in pairs.items():
            if url and ours != theirs:
                found[f"{what}_{name}"] = {"ours": ours, "theirs": shown(theirs)}
    return found


def foreign(number: PhoneNumber, different: Differences) -> Differences:
    """Those differences in which the provider has what somebody else set there: not nothing, nor
    what we set ourselves under an earlier PUBLIC_BASE_URL. The account's key nobody sets."""
    earlier = intended(number, number.webhook_base_url)

    def set_by_us(name: str) -> Collection[str]:
        if name in _ROUTING:
            return "", getattr(number, name)
        return "", getattr(earlier, name, "")

    return {
        name: pair
        for name, pair in different.items()
        if name != PUBLIC_KEY and pair["theirs"] not in set_by_us(name)
    }


_WORDS = {
    "number": "The number in the account",
    "voice_url": "The address for calls",
    "sms_url": "The address for messages",
    "status_callback": "The address for ended calls",
    "connection_id": "The connection",
    "messaging_profile_id": "The messaging profile",
    "voice_application_sid": "The application that takes the calls",
    "trunk_sid": "The SIP trunk that takes the calls",
    "sms_application_sid": "The application that takes the messages",
    "voice_method": "The HTTP method for calls",
    "sms_method": "The HTTP method for messages",
    "status_callback_method": "The HTTP method for ended calls",
    "connection_webhook_url": "The address that the connection reports to",
    "connection_api_version": "The connection's webhook API version",
    "connection_active": "Whether the connection is active",
    "profile_webhook_url": "The address that the messaging profile reports to",
    "profile_api_version": "The messaging profile's webhook API version",
    "profile_active": "Whether the messaging profile is enabled",
    PUBLIC_KEY: "Our copy of the key that Telnyx signs with",
}
_KEY_DIFFERS = (
    "Telnyx signs with the key {theirs}, ours is {ours}: its calls and messages are refused."
)


def in_words(different: Differences) -> str:
    """Differences for people, as one text."""
    return " ".join(_sentence(name, pair) for name, pair in different.items())


def _sentence(name: str, pair: dict[str, str]) -> str:
    if name == PUBLIC_KEY:
        return _KEY_DIFFERS.format(theirs=pair["theirs"], ours=pair["ours"] or "not known")
    has, should_be = is_and_should_be(name, pair)
    return f"{called(name)} is {has or 'not set'}, not {should_be or 'empty'}."


def is_and_should_be(name: str, pair: dict[str, str]) -> tuple[str, str]:
    """What a repair would change, and to what. Of the key it is our copy that follows."""
    if name == PUBLIC_KEY:
        return pair["ours"], pair["theirs"]
    return pair["theirs"], pair["ours"]


def called(name: str) -> str:
    """A setting's name for people."""
    return _WORDS.get(name, name)


def look_at(number: PhoneNumber, driver: NumberProvider) -> tuple[OwnedNumber | None, Differences]:
    """The number as the provider has it right now, all of it, and where that is not as it should
    be. The account's public key is learned if we have none. Raises `ProviderError`."""
    owned = driver.find_number(number.phone_number, whole=True)
    if owned is None or not is_same_number(number, owned):
        return owned, differences(number, owned)
    destinations = reported(number, owned, driver.destinations)
    of_account = public_key.look(number.account, driver)
    return owned, differences(number, owned, destinations, of_account)


def reported(
    number: PhoneNumber,
    owned: OwnedNumber,
    destinations: Callable[[OwnedNumber], Destinations],
) -> Destinations:
    """Where the connection and the profile that the number should have report to."""
    return destinations(replace(owned, routing=intended(number).routing))


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
    lists_ours: bool = False,
) -> bool:
    """Whether the credentials still open the account that `number` was bought in.

    A Twilio account is named in every request, and the platform's key is watched. An
    organization's Telnyx key may have been replaced by one of another account: then it proves
    itself by something of ours that it can read; `lists_ours` says that it has just listed another
    number of ours. Raises `ProviderError`.
    """
    if lists_ours or account.provider == Provider.TWILIO or account.organization_id is None:
        return True
    if account.updated_at <= number.created_at:  # no key was entered since
        return True
    others = PhoneNumber.objects.filter(account=account, status=PhoneNumber.Status.ACTIVE)
    others = others.exclude(pk=number.pk).exclude(provider_number_id="").order_by("-pk")
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


def is_as_it_was(shown: str) -> bool:
    """Whether a setting was kept whole."""
    return len(shown) < _MOST and "***@" not in shown


def shown(setting: str) -> str:
    """A setting as we keep it: an address of somebody else's may hold a password."""
    return plain(_PASSWORD.sub(r"\1***@", setting), _MOST)
