"""System checks: mistakes in the settings that would cost money or silence a number."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import Error, Tags, Warning, register

_OWN_HOSTS = {
    "TWILIO_API_BASE_URL": "api.twilio.com",
    "TWILIO_PRICING_BASE_URL": "pricing.twilio.com",
    "TELNYX_API_BASE_URL": "api.telnyx.com",
}


@register(Tags.security)
def provider_addresses(app_configs, **kwargs):
    """With DEBUG off, only SANDBOX=true allows a provider's address that is not the provider's."""
    if settings.DEBUG or settings.SANDBOX:
        return []
    return [
        Error(
            f"{name} is not an https address of {host}.",
            hint="Credentials would be sent there. Unset it, or set SANDBOX=true if it is meant.",
            id="numbers.E001",
        )
        for name, host in _OWN_HOSTS.items()
        if (url := urlsplit(getattr(settings, name))).hostname != host or url.scheme != "https"
    ]


@register(Tags.security, deploy=True)
def public_address(app_configs, **kwargs):
    if urlsplit(settings.PUBLIC_BASE_URL).scheme == "https":
        return []
    return [
        Warning(
            "PUBLIC_BASE_URL is not an https address: the providers could not reach us safely.",
            hint="Set it to the address under which this service is reachable from the internet.",
            id="numbers.W002",
        )
    ]


@register(Tags.security, deploy=True)
def shared_cache(app_configs, **kwargs):
    if not settings.CACHES["default"]["BACKEND"].endswith(".LocMemCache"):
        return []
    return [
        Warning(
            "CACHE_URL names no cache that all processes share: limits on requests, and on tries "
            "to sign in, count in each process by itself.",
            hint="Set it to one, such as redis://cache.internal:6379/0 (install redis for it).",
            id="numbers.W004",
        )
    ]


@register(Tags.security)
def credentials_keys(app_configs, **kwargs):
    from cryptography.fernet import Fernet

    problems = []
    for position, key in enumerate(settings.CREDENTIALS_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            problems.append(
                Error(
                    f"Key {position} in CREDENTIALS_KEY is not a Fernet key.",
                    hint="Make one: python -c 'from cryptography.fernet import Fernet; "
                    "print(Fernet.generate_key().decode())'",
                    id="numbers.E003",
                )
            )
    return problems
