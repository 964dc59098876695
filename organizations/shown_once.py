"""Secrets that a person sees once: on their way from the POST that made one to the page that shows
it they lie in the session, encrypted, so that a reload makes no second and shows none again."""

from django.http import HttpRequest

from organizations.crypto import CredentialsUnreadable, decrypt, encrypt


def keep(request: HttpRequest, name: str, secret: str) -> None:
    request.session[_key(name)] = encrypt({"secret": secret})


def take(request: HttpRequest, name: str) -> str | None:
    """The secret, which is gone afterwards; None when there is none."""
    kept = request.session.pop(_key(name), None)
    try:
        return kept and decrypt(kept)["secret"]
    except CredentialsUnreadable:
        return None


def _key(name: str) -> str:
    return f"shown-once-{name}"
