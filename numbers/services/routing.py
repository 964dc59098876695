"""Where a number that we buy will send its calls and messages: prepared before the claim."""

import time
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import IntegrityError
from django.utils import timezone

from assistants.models import Assistant
from burki.db import release_connection
from burki.errors import Unavailable
from numbers import clocks
from numbers.models import ProviderSetup
from numbers.providers.base import NumberProvider, Routing
from numbers.services.accounts import named_routing
from organizations.models import Organization, ProviderAccount

# What answers messages at Twilio when nobody is to receive them: its own demonstration.
TWILIO_NO_SMS_URL = "https://demo.twilio.com/welcome/sms/reply"
_MAKING_TAKES = 30.0  # seconds, at most; after that somebody else may try


def public_url(path: str) -> str:
    return f"{settings.PUBLIC_BASE_URL}{path}"


def telnyx_webhook_url() -> str:
    return public_url("/telnyx-webhook")


def voice_url_of(provider: str) -> str:
    """Our own address for the calls of a number."""
    return telnyx_webhook_url() if provider == "telnyx" else public_url("/twiml")


def addresses(purchase_id: UUID, *, sms: bool) -> Routing:
    """What a Twilio number asks. The status callback carries our tag: the purchase's id."""
    return Routing(
        voice_url=public_url("/twiml"),
        sms_url=public_url("/twiml") if sms else "",
        status_callback=public_url(f"/twilio-status?purchase={purchase_id}"),
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
        release_connection()  # the maker needs one, and others wait as well
        time.sleep(min(0.2, clocks.scaled(0.2)))

    # The address is part of the name: installations that share an account do not meet.
    host = settings.PUBLIC_BASE_URL.split("://", 1)[-1]
    try:
        made = driver.make_routing(
            name=f"Burki {organization.slug} ({host})"[:100], webhook_url=webhook_url
        )
    except BaseException:
        setups.filter(connection_id="").update(started_at=timezone.now() - clocks.OFFERS_ARE_KEPT)
        raise
    setups.update(
        connection_id=made.connection_id,
        messaging_profile_id=made.messaging_profile_id,
        webhook_url=webhook_url,
    )
    return made
