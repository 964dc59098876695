"""Drivers for tests: the account of `burki.testing` at each provider, without a service around."""

import re
from collections.abc import Callable
from typing import Any

import twilio.rest.api.v2010  # noqa: F401  (the SDK would import it in the midst of a request)

from burki.testing import (
    ACME_SID,
    CONNECTION,
    PROFILE,
    TELNYX_KEY,
    TELNYX_NUMBER,
    TWILIO_NUMBER,
    TWILIO_TOKEN,
)
from numbers.clocks import Deadline
from numbers.providers.base import BuyRequest, Credentials, NumberProvider, Order, Routing
from numbers.providers.registry import driver_for
from numbers.sandbox import SandboxServer

PROVIDERS = ("twilio", "telnyx")
NUMBERS = {"twilio": TWILIO_NUMBER, "telnyx": TELNYX_NUMBER}
# The account as the sandbox calls it.
ACCOUNTS = {"twilio": ACME_SID, "telnyx": TELNYX_KEY.split(".")[0]}
SECRETS = {"twilio": TWILIO_TOKEN, "telnyx": TELNYX_KEY}
TAG = "0197a000-0000-7000-8000-00000000cafe"
STATUS_CALLBACK = f"https://burki.test/twilio-status?purchase={TAG}"
ROUTING = {
    "twilio": Routing(
        voice_url="https://burki.test/twiml",
        sms_url="https://burki.test/twiml",
        status_callback=STATUS_CALLBACK,
    ),
    "telnyx": Routing(connection_id=CONNECTION, messaging_profile_id=PROFILE),
}

# What says nothing about an account, whatever is asked.
UNREADABLE = [
    {"status": 500},
    {"status": 503},
    {"status": 502, "body": "<html>Bad gateway</html>"},
    {"action": "drop"},
    {"action": "hang"},
    {"action": "garbage"},
    {"action": "redirect"},
    {"status": 200, "body": {"unexpected": True}},
]


def driver_of(provider: str, *, seconds: float = 25, secret: str = "") -> NumberProvider:
    """A driver for one operation that takes at most so many (unscaled) seconds."""
    credentials = Credentials(
        provider=provider,
        key="1",
        secret=secret or SECRETS[provider],
        account_sid=ACME_SID if provider == "twilio" else "",
    )
    return driver_for(credentials, Deadline.after(seconds))


def order(
    provider: str,
    phone_number: str = "",
    *,
    reference: str = TAG,
    routing: Routing | None = None,
    search: bool = True,
    may_send: Callable[[], bool] = lambda: True,
) -> Order:
    """SPENDS MONEY, the sandbox's: one `buy`, after the search that Telnyx wants."""
    phone_number = phone_number or NUMBERS[provider]
    driver = driver_of(provider)
    if provider == "telnyx" and search:
        driver.inspect(phone_number)
    request = BuyRequest(
        phone_number=phone_number,
        reference=reference,
        friendly_name="Support line",
        routing=routing or ROUTING[provider],
    )
    return driver.buy(request, may_send=may_send)


def bought(provider: str, phone_number: str = "", **given: Any) -> Order:
    """SPENDS MONEY, the sandbox's: an order that was followed until it ended."""
    placed = order(provider, phone_number, **given)
    return driver_of(provider).follow(placed, phone_number or NUMBERS[provider])


def sent(sandbox: SandboxServer) -> list[tuple[str, str]]:
    """Method and path of every request so far, without what all paths begin with."""
    beginning = re.compile(rf"/v2|/2010-04-01/Accounts/{ACME_SID}")
    return [(one.method, beginning.sub("", one.path, count=1)) for one in sandbox.requests()]
