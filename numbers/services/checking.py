"""How provider accounts stand: asked of the provider, kept with the account, and shown before
money is spent."""

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from burki.errors import PermissionDenied
from burki.logs import emit
from burki.text import money
from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import CheckFailed, NotConfigured, ProviderError, ProviderRefused
from numbers.providers.base import AccountStanding, AccountStatus, NumberProvider, Routing
from numbers.providers.registry import driver_for
from numbers.services import announcing, evidence, proof, public_key
from numbers.services.accounts import credentials_of, named_routing
from numbers.services.proving import check_routing
from organizations import audit
from organizations.actors import Actor
from organizations.models import Provider, ProviderAccount
from organizations.permissions import ORGANIZATION_ADMIN

PARTS = ("connection", "messaging_profile")  # each is named by a field with `_id` after it


def check_account(*, actor: Actor, account: ProviderAccount) -> ProviderAccount:
    """Ask the provider how `account` stands, keep the result in `last_check`, and return the row.
    Credentials that are refused are a result as well.

    Only reads at the provider; takes at most 22 seconds. A public key that we do not have yet is
    learned. Raises `PermissionDenied`,
    `NotConfigured`, and `CheckFailed` (then the last result stays).
    """
    _require_right(actor, account)
    driver = driver_for(
        credentials_of(account), Deadline.after(clocks.REQUEST).without(clocks.RECORDING)
    )
    try:
        standing = driver.check_account()
        in_use = standing.status not in (AccountStatus.SUSPENDED, AccountStatus.CLOSED)
        parts = _usable(driver, named_routing(account, None)) if in_use else {}
        parts |= _verifiable(driver, account) if in_use else {}
        result = result_of(standing, **parts)
    except ProviderRefused as refusal:
        if refusal.retryable:
            raise CheckFailed.because_of(_label(account), refusal) from refusal
        result = _refused(refusal)
    except ProviderError as error:
        raise CheckFailed.because_of(_label(account), error) from error
    return keep_result(actor, account, result)


def keep_result(actor: Actor, account: ProviderAccount, result: dict[str, Any]) -> ProviderAccount:
    """Store what a check of `account` saw, unless its credentials were changed meanwhile. When the
    balance has fallen below the threshold since the last check, the audit says so, once."""
    with transaction.atomic():
        now = ProviderAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        same = ("encrypted_credentials", "fingerprint", "account_sid")
        if any(getattr(now, name) != getattr(account, name) for name in same):
            return now
        was_low = bool(now.last_check.get("low_balance"))
        now.last_check = result
        is_low = was_low if now.balance is None else now.low_balance
        now.last_check["low_balance"] = is_low
        rows = ProviderAccount.objects.filter(pk=now.pk)
        # Not updated_at: nobody changed the account.
        rows.update(last_check=now.last_check, last_checked_at=Now())
        if is_low and not was_low:
            audit.record(
                actor,
                "provider_account.low_balance",
                now,
                organization=now.organization,
                balance=result["balance"],
                currency=result["currency"],
                threshold=money(now.low_balance_threshold),
            )
            announcing.balance_low(now)
    emit("account.checked", account=now.pk, ok=result["ok"], low_balance=is_low)
    return rows.select_related("organization").get()


def account_warnings(account: ProviderAccount) -> list[str]:
    """What people should know about an account before it spends, by its last check; one sentence
    each. Asks nobody."""
    seen = account.last_check
    found = [seen["problem"]] if seen.get("problem") else []
    for part in PARTS:
        told = seen.get(part)
        # What was checked may not be what is set now.
        if told and told["problem"] and told["id"] == getattr(account, f"{part}_id", told["id"]):
            found.append(told["problem"])
    key = seen.get("public_key")
    if key and key["problem"] and key["id"] == public_key.ours(account):
        found.append(key["problem"])
    if account.low_balance:
        threshold = money(account.low_balance_threshold)
        found.append(
            f"The balance of {account} is {money(account.balance)} {seen.get('currency') or ''}, "
            f"below {threshold}."
        )
    return found


def result_of(
    standing: AccountStanding,
    *,
    connection: dict[str, Any] | None = None,
    messaging_profile: dict[str, Any] | None = None,
    public_key: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A check as it is kept and shown."""
    parts = [part for part in (connection, messaging_profile, public_key) if part]
    return {
        "ok": standing.may_order and all(part["usable"] for part in parts),
        "status": str(standing.status),
        "friendly_name": standing.friendly_name or None,
        "balance": money(standing.balance),
        "currency": standing.currency or None,
        "may_order": standing.may_order,
        "problem": standing.problem or None,
        "code": None,
        "connection": connection,
        "messaging_profile": messaging_profile,
        "public_key": public_key,
    }


def told_of(given: str, problem: str | None = None) -> dict[str, Any]:
    """A connection, profile or public key in a check's result."""
    return {"id": given, "usable": problem is None, "problem": problem}


def _refused(refusal: ProviderRefused) -> dict[str, Any]:
    return {
        "ok": False,
        "status": None,
        "friendly_name": None,
        "balance": None,
        "currency": None,
        "may_order": False,
        "problem": refusal.hint or refusal.detail,
        "code": refusal.code,
        "connection": None,
        "messaging_profile": None,
        "public_key": None,
    }


def _usable(driver: NumberProvider, named: Routing) -> dict[str, dict[str, Any]]:
    """Of the named connection and profile, each by itself, whether a purchase could use it."""
    found = {}
    for part in PARTS:
        given = getattr(named, f"{part}_id")
        if not driver.uses_connections or not given:
            continue
        problem = None
        try:
            check_routing(driver, Routing(**{f"{part}_id": given}))
        except NotConfigured as error:
            problem = error.hint
        found[part] = told_of(given, problem)
    return found


def _verifiable(driver: NumberProvider, account: ProviderAccount) -> dict[str, dict[str, Any]]:
    """Whether what the account sends us can be verified with the key that we have of it."""
    if not driver.uses_connections:
        return {}
    problem = None
    try:
        if different := public_key.look(account, driver):
            problem = f"{evidence.in_words(different)} Repair one of its numbers, or enter it."
    except ProviderError as error:
        if error.retryable:
            raise
        problem = proof.trouble(error)
    return {"public_key": told_of(public_key.ours(account), problem)}


def _require_right(actor: Actor, account: ProviderAccount) -> None:
    if account.organization is not None:
        actor.require(ORGANIZATION_ADMIN, account.organization)
    elif actor.kind != "system" and not (actor.user and actor.user.is_superuser):
        raise PermissionDenied("The platform's own accounts are its operators' business.")


def _label(account: ProviderAccount) -> str:
    return Provider(account.provider).label
