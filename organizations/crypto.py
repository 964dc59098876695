"""Credentials at rest: JSON, encrypted with Fernet under CREDENTIALS_KEY.

Several keys may be given, newest first. The first encrypts, all decrypt; after
`manage.py rotate_credentials` the old ones can be dropped.
"""

import json
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from burki.errors import BurkiError


class CredentialsUnreadable(BurkiError):
    code = "not_configured"
    detail = "The stored provider credentials cannot be read. Enter them again."


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def _current() -> MultiFernet:
    return _fernet(tuple(settings.CREDENTIALS_KEYS))


def encrypt(values: dict[str, str]) -> str:
    return _current().encrypt(json.dumps(values).encode()).decode()


def decrypt(token: str) -> dict[str, str]:
    """Raises `CredentialsUnreadable` when none of the keys in CREDENTIALS_KEY made the token."""
    try:
        return json.loads(_current().decrypt(token.encode()))
    except InvalidToken:
        raise CredentialsUnreadable() from None


def rotate(token: str) -> str:
    """The same secret under the newest key."""
    try:
        return _current().rotate(token.encode()).decode()
    except InvalidToken:
        raise CredentialsUnreadable() from None
