"""Every waiting time of a purchase and of its settling, in seconds.

All are multiplied by `settings.CLOCK_SCALE` (one request) or `settings.SETTLE_CLOCK_SCALE`
(settling), so that tests shrink them together.
"""

from __future__ import annotations

import time
from datetime import timedelta

from django.conf import settings

# One request. The official SDK gives up after 30 s.
REQUEST = 25.0
RECORDING = 3.0  # kept for writing down what happened
ORDER_POST = 14.0
CONNECT = 4.0
LOOKUPS = 6.0  # looking for an order's result, together
READ = 8.0  # one search or another read
PREPARE = 8.0  # all that is asked before the claim, together
NEXT_ATTEMPT = 12.0  # what must be left of a request to try another number
CALL_COMMAND = 4.0  # a caller is waiting, and so may be the next one
COMPARE = 240.0  # listing a whole account in the background
PRICES = 240.0  # the price lists of every country in which an account has numbers
SEND_WITHIN = 10.0  # of the claim, or not at all

# Settling.
DOUBT_AFTER = 120.0  # an `ordering` purchase whose process is gone
PENDING_LOOKS = (5.0, 10.0, 20.0, 60.0, 300.0, 900.0, 3600.0)
UNCERTAIN_LOOKS = (10.0, 60.0, 180.0, 300.0, 900.0, 3600.0)
EMPTY_LOOKS_NEEDED = 3  # a count, not scaled
ABSENT_FOR = 300.0  # between the first and the last of them
LATE_LOOK_EVERY = 86_400.0  # after a refusal that was only inferred
LATE_LOOKS = 3
PENDING_NEEDS_A_PERSON_AFTER = 3 * 86_400.0
FINISH_AFTER = 3.0  # a number whose own id or routing is not known yet
PRICE_AFTER = 60.0  # a number bought without knowing its price
VERIFY_AFTER = 6.0  # a change: the provider's own regions learn of it within seconds
VERIFY_AGAIN = (30.0, 300.0)  # while it does not show what was set
COMPARE_WITHIN = 3000.0  # the accounts of everybody, spread over most of the hour
FINDING_IS_SURE_AFTER = 600.0  # between two comparisons that saw the same orphan or ghost

# Handing a text message to its assistant's webhook: one try, and the waits between the tries.
HAND_OVER = 10.0
HAND_OVER_AGAIN = (5.0, 30.0, 120.0, 600.0, 3600.0, 10_800.0, 28_800.0)

# How long other facts may be relied on.
OFFER_IS_FRESH = timedelta(minutes=15)
PRICE_LIST_IS_FRESH = timedelta(hours=6)
CONNECTION_IS_FRESH = timedelta(minutes=10)
ACTIVITY_IS_NOTED_EVERY = timedelta(minutes=5)
OFFERS_ARE_KEPT = timedelta(days=90)


def scaled(seconds: float) -> float:
    return seconds * settings.CLOCK_SCALE


def after(seconds: float) -> timedelta:
    """A span of settling time."""
    return timedelta(seconds=seconds * settings.SETTLE_CLOCK_SCALE)


def now() -> float:
    """Seconds on a clock that never goes back and goes on while the machine is suspended."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Deadline:
    """A moment after which nothing more is begun. `slice` makes an earlier one for a step."""

    def __init__(self, ends: float):
        self._ends = ends

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(now() + scaled(seconds))

    def slice(self, seconds: float) -> Deadline:
        """At most `seconds` (unscaled) from now, and never later than this deadline."""
        return Deadline(min(self._ends, now() + scaled(seconds)))

    def share(self, parts: int) -> Deadline:
        """The first of so many equal parts of what remains."""
        return Deadline(now() + self.remaining() / parts)

    def without(self, seconds: float) -> Deadline:
        """This deadline with `seconds` (unscaled) kept in reserve."""
        return Deadline(self._ends - scaled(seconds))

    def remaining(self) -> float:
        """Real seconds that are left; never negative."""
        return max(0.0, self._ends - now())

    @property
    def expired(self) -> bool:
        return self.remaining() == 0.0
