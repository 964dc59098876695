"""How often a key or a person, all of an organization together, and an address whose keys are
wrong may ask.

Counted in the cache: per process, unless `CACHE_URL` names one that all share. Requests are counted
in windows that begin with the first of them. Each is counted in one step before it is looked at, so
that of any number at once no more pass than may; the price is that around the end of a window twice
as many can pass within its length, never more.
"""

import math
import re
import time
from dataclasses import dataclass
from functools import cache as remembered
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from django.http import HttpResponse
from rest_framework.permissions import BasePermission

from burki.errors import BurkiError

if TYPE_CHECKING:
    from organizations.actors import Actor
    from organizations.models import Organization

KINDS = ("purchase", "search", "default")  # of requests; each is counted by itself
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# How long a key that was right is let through to be looked at, whatever others try from its
# address.
_TRUSTED_FOR = 3600


class TooManyRequests(BurkiError):
    code = "throttled"

    def __init__(self, seconds: float):
        wait = max(1, math.ceil(seconds))
        super().__init__(
            f"Too many requests. Try again in {wait} second{'' if wait == 1 else 's'}.",
            retry_after=wait,
        )


def count_one(key: str, seconds: int) -> int:
    """Count one more under `key`; how many there are since the first, `seconds` ago at most."""
    cache.add(key, 0, timeout=seconds)
    try:
        return cache.incr(key)
    except ValueError:  # it expired between the two
        cache.set(key, 1, timeout=seconds)
        return 1


@remembered
def rate_of(rate: str) -> tuple[int, int]:
    """ "60/min" as how many, and in how many seconds."""
    found = re.fullmatch(r"([0-9]+)/([smhd])[a-z]*", rate)
    if found is None:
        raise ValueError(f"{rate} is no rate such as 60/min.")
    return int(found[1]), _SECONDS[found[2]]


@dataclass(frozen=True, slots=True)
class Share:
    """What one caller may ask of one kind: a rate of `settings.THROTTLE_RATES`, by its name."""

    kind: str
    ident: str

    def take(self) -> None:
        """Count one more request. Raises `TooManyRequests` when it is one too many."""
        if (rate := settings.THROTTLE_RATES[self.kind]) is None:
            return
        most, seconds = rate_of(rate)
        began = cache.get_or_set(self._key, time.time, timeout=seconds)
        if count_one(f"{self._key}:{began}", seconds) > most:
            raise TooManyRequests(began + seconds - time.time())

    def check(self) -> None:
        """Raises `TooManyRequests` when nothing is left; counts nothing."""
        if (began := cache.get(self._key)) is None:
            return
        most, seconds = rate_of(settings.THROTTLE_RATES[self.kind])
        if cache.get(f"{self._key}:{began}", 0) >= most:
            raise TooManyRequests(began + seconds - time.time())

    @property
    def _key(self) -> str:
        return f"throttle:{self.kind}:{self.ident}"


def within_limits(kind: str, actor: "Actor", organization: "Organization") -> None:
    """Count a request of one of the `KINDS` for whoever makes it, and for the
    organization: a tenant cannot multiply its share by making more keys. What a caller has no share
    left for is not taken from the others'.

    Raises `TooManyRequests`.
    """
    Share(kind, actor.throttle_ident).take()
    Share(f"{kind}_organization", str(organization.pk)).take()


class WithinLimits(BasePermission):
    """Counts every request of the REST API that says who it is. The view's `throttle_scopes` maps
    an action to `purchase` or `search`; anything else is `default`.

    A permission, the first one: the REST framework asks its throttles after the permissions, and
    what those refuse would cost nothing.
    """

    def has_permission(self, request, view) -> bool:
        if request.user is not None:
            kind = getattr(view, "throttle_scopes", {}).get(view.action, "default")
            within_limits(kind, request.user, request.organization)
        return True


class Strangers:
    """What comes from one address with a key that is wrong: so many may be tried, then none is
    looked at for a while. Who came with a right key a moment ago goes on, so that one broken
    program does not lock out all others behind the same address."""

    def __init__(self, address: str | None):
        self._share = Share("failed_authentication", str(address))

    def may_try(self, digest: str) -> None:
        """Raises `TooManyRequests`, before the key is looked up."""
        try:
            self._share.check()
        except TooManyRequests:
            if not cache.get(self._trusted(digest)):
                raise

    def failed(self) -> None:
        """The key was wrong. Raises `TooManyRequests` when that was one too many."""
        self._share.take()

    def succeeded(self, digest: str) -> None:
        cache.set(self._trusted(digest), True, timeout=_TRUSTED_FOR)

    @staticmethod
    def _trusted(digest: str) -> str:
        return f"throttle:trusted:{digest}"


def told_to_wait(response: HttpResponse, *errors: Exception | None) -> HttpResponse:
    """A page as 429 that says when to come back, if one of the errors on it is about that."""
    for error in errors:
        if isinstance(error, TooManyRequests):
            response.status_code = 429
            response["Retry-After"] = str(error.retry_after)
    return response
