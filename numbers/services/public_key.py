"""The key with which Telnyx signs what it sends us about an account: learned from Telnyx, and
compared with what it says ever after. With another one all calls and messages are refused."""

import logging

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from numbers import jobs
from numbers.exceptions import NotConfigured, ProviderError
from numbers.providers.base import NumberProvider
from numbers.services.inbound.keys import public_keys
from organizations import audit
from organizations.actors import Actor
from organizations.models import ProviderAccount

logger = logging.getLogger(__name__)

PUBLIC_KEY = "public_key"  # the difference's name
Difference = dict[str, dict[str, str]]  # nothing, or this one with `ours` and `theirs`


def look(account: ProviderAccount, driver: NumberProvider, *, dry_run: bool = False) -> Difference:
    """Whether the account's webhooks are verified with the key that it has now. A key that we do
    not have yet is learned, unless this is a `dry_run`; one that differs is left alone.

    One request, none where the account's own secret verifies. Raises `ProviderError`, also for an
    answer that is no key: then nothing is learned.
    """
    if not driver.uses_connections:
        return {}
    told = driver.public_key()
    if public_keys(account):
        return difference(account, told)
    if not dry_run:
        _learn(account, told)
    return {}


def difference(account: ProviderAccount, told: str) -> Difference:
    """The difference between the key that the provider `told` and ours, if there is one."""
    if not told or told in public_keys(account):
        return {}
    return {PUBLIC_KEY: {"ours": ours(account), "theirs": told}}


def ours(account: ProviderAccount) -> str:
    return next(iter(public_keys(account)), "")


def learn_missing(driver: NumberProvider, account: ProviderAccount) -> None:
    """Ask for the key if we have none. That the provider does not tell it now stops nothing: the
    number's verification asks again."""
    if public_keys(account):
        return
    try:
        look(account, driver)
    except ProviderError as error:
        logger.warning("account %s did not tell its public key: %s", account.pk, error.code)


def replace(actor: Actor, account: ProviderAccount, different: Difference) -> None:
    """Store the key that the provider told in a look, in place of the one that we had then. All
    numbers of the account are looked at again.

    Raises `NotConfigured` where the key is the environment's.
    """
    pair = different[PUBLIC_KEY]
    if _is_set_by_environment(account):
        raise NotConfigured(
            "TELNYX_PUBLIC_KEY in the environment is not the key of this Telnyx account.",
            hint=f"Set it to {pair['theirs']}, or leave it empty, and restart.",
        )
    with transaction.atomic(durable=True):
        rows = ProviderAccount.objects.filter(pk=account.pk, public_key=pair["ours"])
        if rows.update(public_key=pair["theirs"], updated_at=Now()):
            audit.record(
                actor,
                "provider_account.public_key_replaced",
                account,
                organization=account.organization,
                before=pair["ours"],
                public_key=pair["theirs"],
            )
            jobs.compare_account_later(account.pk)
    account.refresh_from_db(fields=["public_key"])


def _learn(account: ProviderAccount, told: str) -> None:
    # Not updated_at: nobody entered other credentials.
    with transaction.atomic():
        rows = ProviderAccount.objects.filter(pk=account.pk, public_key="")
        if rows.update(public_key=told):
            audit.record(
                Actor.system("public key"),
                "provider_account.public_key_learned",
                account,
                organization=account.organization,
                public_key=told,
            )
    account.refresh_from_db(fields=["public_key"])


def _is_set_by_environment(account: ProviderAccount) -> bool:
    environment = account.source == ProviderAccount.Source.ENVIRONMENT
    return environment and bool(settings.TELNYX_PUBLIC_KEY)
