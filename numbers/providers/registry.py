"""Which driver serves which provider."""

from numbers.clocks import Deadline
from numbers.providers.base import Credentials, NumberProvider
from numbers.providers.telnyx import TelnyxProvider
from numbers.providers.twilio import TwilioProvider

DRIVERS: dict[str, type[NumberProvider]] = {
    driver.name: driver for driver in (TwilioProvider, TelnyxProvider)
}


def driver_for(credentials: Credentials, deadline: Deadline) -> NumberProvider:
    """A driver for one operation on one account, to be over by `deadline`."""
    return DRIVERS[credentials.provider](credentials, deadline)
