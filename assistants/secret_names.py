"""Which names in somebody else's settings stand for a secret.

Hiding a harmless value costs little (it comes back unharmed), showing a key costs much: in doubt
it is a secret.
"""

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SECRET = _words(
    "apikey apikeys accesskey accesstoken auth authkey authorization authtoken bearer cookie "
    "credential credentials passphrase passwd password passwords privatekey pwd secret secretkey "
    "secrets token"
)
# "tokens" alone counts the words of a language model.
_OWNERS = _words("access api auth bearer encryption private refresh secret session signing")
_OWNED = _words("key keys tokens")
# `…_key` is a secret, unless it is one of these.
_OPEN_KEYS = _words("dtmf file foreign hot object primary public sort storage")
# Names that tell something about a secret instead of holding it.
_ABOUT_LAST = _words(
    "budget count enabled endpoint expires expiry id length limit name path required size ttl type "
    "uri url window"
)
_ABOUT_FIRST = _words("max min num")


def is_secret_name(name: str) -> bool:
    """`api_key`, `authToken`, `X-API-Key`, `client_secret`, …; not `max_tokens`, `token_url`."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _ABOUT_LAST or words[0] in _ABOUT_FIRST:
        return False
    if not _SECRET.isdisjoint(words):
        return True
    pairs = list(zip(words, words[1:], strict=False))
    if any(owner in _OWNERS and owned in _OWNED for owner, owned in pairs):
        return True
    return bool(pairs) and words[-1] in ("key", "keys") and words[-2] not in _OPEN_KEYS
