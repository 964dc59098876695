"""Where a number should send its calls and messages: prepared before it is claimed, and compared
with what the provider has ever after."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError
from django.utils import timezone

from assistants.models import Assistant
from burki.db import waiting
from burki.errors import Unavailable
from numbers import clocks
from numbers.exceptions import ProviderError, ProviderRefused
from numbers.models import PhoneNumber, ProviderSetup
from numbers.providers.base import NumberProvider, Routing
from numbers.services.accounts import named_routing
from numbers.services.public_key import learn_missing
from organizations.models import Organization, ProviderAccount

TWIML, TWILIO_STATUS, TELNYX = "/twiml", "/twilio-status", "/telnyx-webhook"
# What answers messages at Twilio when nobody is to receive them: its own demonstration.
TWILIO_NO_SMS_URL = "https://demo.twilio.com/welcome/sms/reply"
_MAKING_TAKES = 30.0  # seconds, at most; after that somebody else may try
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)  # so that it is made at once


def public_url(path: str, base: str = "") -> str:
    return f"{base or settings.PUBLIC_BASE_URL}{path}"


def telnyx_webhook_url() -> str:
    return public_url(TELNYX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intended:
    """What the provider should have for a number: on the number itself, and the addresses to which
    its connection and its messaging profile report. Empty is the provider's own business."""

    routing: Routing
    connection_webhook_url: str = ""
    profile_webhook_url: str = ""


def intended(number: PhoneNumber, base: str = "") -> Intended:
    """What should be set for a number that we have: the one place that decides it. Our own
    addresses are those under PUBLIC_BASE_URL as it is now (or under `base`), whatever it was when
    they were set; what else the row says stays as it is."""
    query = urlsplit(number.status_callback).query  # holds the purchase's tag
    status = f"{TWILIO_STATUS}?{query}" if query else TWILIO_STATUS
    return Intended(
        routing=Routing(
            voice_url=_moved(number, number.voice_url, base),
            sms_url=_moved(number, number.sms_url, base),
            status_callback=public_url(status, base) if number.status_callback else "",
            connection_id=number.connection_id,
            messaging_profile_id=number.messaging_profile_id,
        ),
        # A number whose calls go to the customer has a connection of its own for that.
        connection_webhook_url=number.voice_webhook_url or public_url(TELNYX, base)
        if number.connection_id
        else "",
        profile_webhook_url=public_url(TELNYX, base) if number.messaging_profile_id else "",
    )


def _moved(number: PhoneNumber, url: str, base: str) -> str:
    """The address that takes the place of `url`, if that is our own for calls and messages."""
    ours = {public_url(TWIML, one) for one in our_bases(number)}
    return public_url(TWIML, base) if url in ours else url


def our_bases(number: PhoneNumber) -> list[str]:
    """Where the provider may know us for a number: at PUBLIC_BASE_URL, and until a repair where we
    were before. That is told by the row's callback, which is always ours, and by the last proof;
    never by an address that somebody could choose."""
    then = number.status_callback.partition(TWILIO_STATUS)[0]
    known = (settings.PUBLIC_BASE_URL, then, number.webhook_base_url)
    return list(dict.fromkeys(filter(None, known)))


def voice_url_of(provider: str) -> str:
    """Our own address for the calls of a number."""
    return telnyx_webhook_url() if provider == "telnyx" else public_url(TWIML)


def addresses(purchase_id: UUID, *, sms: bool) -> Routing:
    """What a Twilio number asks. The status callback carries our tag: the purchase's id."""
    return Routing(
        voice_url=public_url(TWIML),
        sms_url=public_url(TWIML) if sms else "",
        status_callback=public_url(f"{TWILIO_STATUS}?purchase={purchase_id}"),
    )


def prepare_connections(
    driver: NumberProvider,
    account: ProviderAccount,
    organization: Organization,
    assistant: Assistant | None,
) -> Routing:
    """The connection and messaging profile for a number: those that settings name, checked at the
    provider, and for what is not named those that we made for this organization.

    Raises `NotConfigured` when a named one cannot be used, and `ProviderError`.
    """
    if not driver.uses_connections:
        return Routing()
    learn_missing(driver, account)
    named = named_routing(account, assistant)
    fresh = f"routing:{account.pk}:{named.connection_id}:{named.messaging_profile_id}"
    if (named.connection_id or named.messaging_profile_id) and not cache.get(fresh):
        driver.check_routing(named, webhook_url=telnyx_webhook_url())
        cache.set(fresh, True, clocks.CONNECTION_IS_FRESH.total_seconds())
    if named.connection_id and named.messaging_profile_id:
        return named
    ours = _our_setup(driver, account, organization)
    return Routing(
        connection_id=named.connection_id or ours.connection_id,
        messaging_profile_id=named.messaging_profile_id or ours.messaging_profile_id,
    )


def known_connections(
    driver: NumberProvider,
    account: ProviderAccount,
    organization: Organization,
    assistant: Assistant | None,
) -> Routing:
    """As `prepare_connections`, but changes nothing: what would be made is empty."""
    if not driver.uses_connections:
        return Routing()
    named = named_routing(account, assistant)
    driver.check_routing(named, webhook_url=telnyx_webhook_url(), set_missing=False)
    ours = ProviderSetup.objects.filter(
        account=account, organization=organization, webhook_url=telnyx_webhook_url()
    ).first()
    return Routing(
        connection_id=named.connection_id or (ours.connection_id if ours else ""),
        messaging_profile_id=named.messaging_profile_id
        or (ours.messaging_profile_id if ours else ""),
    )


def forget_unknown(
    refusal: ProviderError,
    used: Routing,
    account: ProviderAccount,
    organization: Organization,
    assistant: Assistant | None,
) -> ProviderError:
    """The refusal of an order that `used` a connection or profile which the provider does not
    know. One that we made is forgotten, so that the next purchase makes it again, and the refusal
    that is returned says so; one that somebody named is theirs to correct.
    """
    setting = refusal.unknown_setting
    value = setting and getattr(used, setting)
    if not value or getattr(named_routing(account, assistant), setting):
        return refusal
    # Another purchase may have made it again already: only what was used is forgotten.
    ProviderSetup.objects.filter(
        account=account, organization=organization, **{setting: value}
    ).update(connection_id="", messaging_profile_id="", started_at=_LONG_AGO)
    return ProviderRefused(
        code=refusal.code,
        hint="What we had made at Telnyx to route calls was deleted there. Try again, with a new "
        "Idempotency-Key: it is made anew.",
        retryable=True,
        provider_code=refusal.provider_code,
        provider_message=refusal.provider_message,
    )


def _our_setup(
    driver: NumberProvider, account: ProviderAccount, organization: Organization
) -> Routing:
    """What we made for this organization in this account; made now if it does not exist.

    Inserting the row is the claim for making them. Others wait for it; a maker that died is
    replaced after a while, and finds by name what it left behind.
    """
    webhook_url = telnyx_webhook_url()
    setups = ProviderSetup.objects.filter(account=account, organization=organization)
    while True:
        setup = setups.first()
        if setup is None:
            try:
                setup = ProviderSetup.objects.create(
                    account=account,
                    organization=organization,
                    started_at=timezone.now(),
                )
            except IntegrityError:
                continue
            break
        if setup.connection_id and setup.webhook_url == webhook_url:
            return Routing(
                connection_id=setup.connection_id,
                messaging_profile_id=setup.messaging_profile_id,
            )
        stale = timezone.now() - timedelta(seconds=clocks.scaled(_MAKING_TAKES))
        if setup.connection_id or setup.started_at < stale:
            again = setups.filter(started_at=setup.started_at)
            if again.update(started_at=timezone.now(), connection_id="", messaging_profile_id=""):
                break
            continue
        if driver.deadline.remaining() < clocks.scaled(clocks.PREPARE / 2):
            raise Unavailable("The Telnyx connection is just being made. Try again.")
        with waiting():  # the maker needs a connection, and others wait as well
            time.sleep(min(0.2, clocks.scaled(0.2)))

    # The address is part of the name: installations that share an account do not meet.
    host = settings.PUBLIC_BASE_URL.split("://", 1)[-1]
    try:
        made = driver.make_routing(
            name=f"Burki {organization.slug} ({host})"[:100], webhook_url=webhook_url
        )
    except BaseException:
        setups.filter(connection_id="").update(started_at=_LONG_AGO)
        raise
    setups.update(
        connection_id=made.connection_id,
        messaging_profile_id=made.messaging_profile_id,
        webhook_url=webhook_url,
    )
    return made
