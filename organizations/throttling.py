"""How often somebody may try to sign in, guess a code, or have an e-mail sent.

Every try is counted before its password is looked at, so that many at once cannot slip through;
a right password takes its own try back. Counted in the cache: per process, unless `CACHE_URL`
names one that all share.
"""

import hashlib
from dataclasses import dataclass

from django.core.cache import cache

from burki.throttling import count_one

WINDOW = 15 * 60  # seconds, from the first try that is counted
# Most tries by what is tried: for the account from anywhere, for the account from one address, and
# from the address for any account.
_MOST = {
    "sign-in": (30, 5, 100),
    "code": (10, 5, 100),  # of the second factor: a guesser has the password already
    "mail": (5, 3, 20),
}


@dataclass(frozen=True, slots=True)
class Attempts:
    """The tries for one account from one address, for the account from anywhere, and from the
    address for any account. An account that strangers try is not closed to its owner's address at
    once: that limit is higher."""

    kind: str  # a key of `_MOST`
    email: str
    ip: str | None

    def is_allowed(self) -> bool:
        """Count one more try; whether it may be made."""
        limits = self._limits()
        return all([count_one(name, WINDOW) <= most for name, most in limits.items()])

    def succeeded(self) -> None:
        """Forget the tries for this account; those from the address stay, or anybody with an
        account could clear them."""
        account, pair, address = self._limits()
        cache.delete_many([account, pair])
        try:
            cache.decr(address)
        except ValueError:  # it expired meanwhile
            return

    def _limits(self) -> dict[str, int]:
        email = self.email.strip().lower()
        ways = {"account": email, "pair": f"{email} {self.ip}", "address": str(self.ip)}
        keys = [_key(f"{self.kind}:{way}", of) for way, of in ways.items()]
        return dict(zip(keys, _MOST[self.kind], strict=True))


def _key(kind: str, of: str) -> str:
    return f"attempts:{kind}:{hashlib.sha256(of.encode(errors='replace')).hexdigest()}"
