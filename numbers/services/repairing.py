"""Setting a number at its provider as it should be, and putting back what was there before.

Each looks at the provider right before it acts, keeps in the audit what it is about to overwrite,
and reads back what became of it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from burki.errors import NotFound, PermissionDenied
from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import InventoryConflict, ProviderError
from numbers.models import Finding, PhoneNumber, ProviderSetup
from numbers.providers.base import NumberProvider, OwnedNumber, Routing
from numbers.providers.registry import driver_for
from numbers.services import announcing, evidence, findings, proof, public_key
from numbers.services.accounts import credentials_of
from numbers.services.evidence import Differences
from numbers.services.public_key import PUBLIC_KEY
from numbers.services.routing import intended, telnyx_webhook_url
from numbers.services.settling import database_now, lock_organization
from organizations import audit
from organizations.actors import Actor
from organizations.models import AuditEvent, Organization
from organizations.permissions import NUMBERS_WRITE

Kind, Resolution, Status = Finding.Kind, Finding.Resolution, PhoneNumber.Status

# Settings that lie on the number itself.
_ON_NUMBER = ("voice_url", "sms_url", "status_callback", "connection_id", "messaging_profile_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """A number that was set again; what the provider, asked afterwards, still has otherwise, and
    what somebody else had set there and was overwritten (or, with `left`, was left alone)."""

    number: PhoneNumber
    differences: Differences
    overwritten: Differences
    left: Differences

    @property
    def agrees(self) -> bool:
        return not self.differences


def repair_number(
    *, actor: Actor, organization: Organization, number: PhoneNumber, overwrite: bool = True
) -> Repaired:
    """Set at the provider what should be there, where it differs, and read it back. What was set
    there before is kept in the audit, before anything is changed. Of the key that the provider
    signs with, our copy follows. Without `overwrite`, what
    somebody else set there is left alone.

    Raises `PermissionDenied`, `NotFound` for another organization's number, `InventoryConflict`
    when there is no such active number, and `ProviderError`; then some may have been set.
    """
    actor.require(NUMBERS_WRITE, organization)
    if number.organization_id != organization.pk:
        raise NotFound()
    _require_active(number)
    driver = driver_for(credentials_of(number.account), Deadline.after(clocks.REQUEST))
    began = database_now()
    owned, different = evidence.look_at(number, driver)
    if owned is None or not evidence.is_same_number(number, owned):
        raise InventoryConflict(f"{number} is not in the account.")
    foreign = evidence.foreign(number, different)
    left = {} if overwrite else foreign
    todo = {name: pair for name, pair in different.items() if name not in left}
    overwritten = {name: pair for name, pair in foreign.items() if name not in left}
    if todo:
        _may_set(actor, number, todo)
        told = {"overwritten": {n: p["theirs"] for n, p in overwritten.items()}}
        before = evidence.as_set_there(owned)
        _tell(
            number,
            actor,
            "number.repairing",
            before=before,
            differences=todo,
            **(told if overwritten else {}),
        )
        try:
            _set(number, owned, todo, driver)
            if PUBLIC_KEY in todo:
                public_key.replace(actor, number.account, todo)
            began = database_now()
            owned, different = evidence.look_at(number, driver)
        except ProviderError as error:
            _tell(number, actor, "number.repair_failed", code=error.code)
            raise
    _record(number, owned, todo, different, began=began, actor=actor)
    number.refresh_from_db()
    return Repaired(number=number, differences=different, overwritten=overwritten, left=left)


def restorable(number: PhoneNumber) -> dict[str, str]:
    """What somebody else had set for the number before a repair overwrote it, and has not been put
    back since; empty if there is nothing."""
    events = AuditEvent.objects.filter(
        Q(action="number.repairing", data__has_key="overwritten") | Q(action="number.restored"),
        object_type=PhoneNumber._meta.label,
        object_id=str(number.pk),
    )
    last = events.order_by("-pk").first()
    return last.data.get("overwritten", {}) if last else {}


def restore_webhooks(*, actor: Actor, number: PhoneNumber) -> PhoneNumber:
    """Put back at the provider what the last repair overwrote of somebody else's. The number then
    sends its calls or messages there, not to us: the verdict on it says so.

    Raises `PermissionDenied`, `InventoryConflict` when there is nothing to put back, or not as it
    was, and `ProviderError`; then some may have been put back.
    """
    actor.require(NUMBERS_WRITE, number.organization)
    _require_active(number)
    old = restorable(number)
    if not old:
        raise InventoryConflict(f"Nothing was overwritten when {number} was set up or repaired.")
    if cut := [name for name, value in old.items() if not evidence.is_as_it_was(value)]:
        raise InventoryConflict(
            f"What {number} had as {cut[0]} held a password or was too long: it was not kept.",
            hint="Enter it at the provider.",
        )
    _may_set(actor, number, old)
    driver = driver_for(credentials_of(number.account), Deadline.after(clocks.REQUEST))
    owned, _ = evidence.look_at(number, driver)
    if owned is None or not evidence.is_same_number(number, owned):
        raise InventoryConflict(f"{number} is not in the account.")
    before = evidence.as_set_there(owned)
    _tell(number, actor, "number.restoring", before=before, putting_back=old)
    try:
        _put_back(number, owned, old, driver)
    except ProviderError as error:
        _tell(number, actor, "number.restore_failed", code=error.code)
        raise
    _tell(number, actor, "number.restored", restored=old)
    return proof.verify_number(actor=actor, number=number)


def _require_active(number: PhoneNumber) -> None:
    if number.status != Status.ACTIVE:
        raise InventoryConflict(f"{number} is not active.")


def _set(
    number: PhoneNumber,
    owned: OwnedNumber,
    todo: Differences,
    driver: NumberProvider,
) -> None:
    """Set what is in `todo`, and nothing else."""
    wanted = intended(number)
    on_number = {name: getattr(wanted.routing, name) for name in _ON_NUMBER if name in todo}
    clear = [n for n, pair in todo.items() if n in owned.overrides or not pair["ours"]]
    # A method is set with its address.
    for name in clear:
        if name.endswith("_method"):
            address = evidence.overridden(name)
            on_number[address] = getattr(wanted.routing, address)
    if on_number or clear:
        driver.configure(owned.number_id, Routing(**on_number), clear=clear)
    urls = {}
    if any(name.startswith("connection_") and name != "connection_id" for name in todo):
        urls["voice_url"] = wanted.connection_webhook_url
    if any(name.startswith("profile_") for name in todo):
        urls["sms_url"] = wanted.profile_webhook_url
    if urls:
        driver.set_webhooks(wanted.routing, **urls)


def _put_back(
    number: PhoneNumber, owned: OwnedNumber, old: dict[str, str], driver: NumberProvider
) -> None:
    ours = intended(number).routing
    for what, url in (("connection", "voice_url"), ("profile", "sms_url")):
        version = old.get(f"{what}_api_version", "2")
        wanted = getattr(intended(number), f"{what}_webhook_url")
        address = old.get(f"{what}_webhook_url") or (version != "2" and wanted)
        if address:
            driver.set_webhooks(ours, **{url: address}, api_version=version)
    there = ("connection_", "profile_")
    on_number = {
        name: value
        for name, value in old.items()
        if name == "connection_id" or not name.startswith(there)
    }
    if on_number:
        driver.put_back(owned.number_id, on_number)


def _may_set(actor: Actor, number: PhoneNumber, names: dict[str, Any]) -> None:
    """Connections and profiles of the platform's account serve other organizations as well: only
    those that we made for this one are its own to change."""
    there = ("connection_", "profile_", PUBLIC_KEY)
    shared = [name for name in names if name.startswith(there) and name != "connection_id"]
    operator = actor.kind == "system" or (actor.api_key is None and actor.user.is_superuser)
    if not shared or number.account.organization_id is not None or operator:
        return
    own = ProviderSetup.objects.filter(account=number.account, organization=number.organization)
    for name in shared:
        if name == PUBLIC_KEY:
            raise PermissionDenied(
                f"{number} shares its account with other customers of the platform: only the "
                "platform's operator can set the account's public key."
            )
        key = "connection_id" if name.startswith("connection_") else "messaging_profile_id"
        if key == "connection_id" and number.voice_webhook_url:
            continue  # it leads to the customer's own address, and no other number has it
        if not own.filter(**{key: getattr(number, key)}).exists():
            raise PermissionDenied(
                f"{number} shares its {key.removesuffix('_id').replace('_', ' ')} with other "
                "customers of the platform: only the platform's operator can set it."
            )


def _record(
    number: PhoneNumber,
    owned: OwnedNumber | None,
    done: Differences,
    different: Differences,
    *,
    began: datetime,
    actor: Actor,
) -> None:
    """What was read back: into the audit, the row (it says what we set), verdict and finding."""
    wanted = intended(number).routing
    moved = {n: getattr(wanted, n) for n in _ON_NUMBER if getattr(number, n) != getattr(wanted, n)}
    moved = {name: value for name, value in moved.items() if name not in different}
    same = {name: getattr(number, name) for name in findings.COMPARED}
    with transaction.atomic(durable=True):
        organization = lock_organization(number.organization_id)
        rows = PhoneNumber.objects.filter(pk=number.pk, **same)
        if moved and rows.update(**moved, updated_at=Now()):
            for name, value in moved.items():
                setattr(number, name, value)
        if not different:
            _remember_setup(number)
            findings.resolve(number.account, Kind.DRIFT, number.phone_number, Resolution.REPAIRED)
        if done:
            audit.record(
                actor, "number.repaired", number, organization=organization, differences=different
            )
        if done and not different:
            announcing.number_repaired(number, done, organization)
    proof.keep(proof.judged(number, owned, different, at=began), at=began)


def _remember_setup(number: PhoneNumber) -> None:
    """What we made for this organization reports to our present address now: the next purchase
    takes it as it is."""
    ProviderSetup.objects.filter(
        account=number.account,
        organization=number.organization,
        connection_id=number.connection_id,
        messaging_profile_id=number.messaging_profile_id,
    ).exclude(connection_id="").update(webhook_url=telnyx_webhook_url())


def _tell(number: PhoneNumber, actor: Actor, action: str, **facts: Any) -> None:
    """One audit event of what is done to a number that is active and stays so meanwhile."""
    with transaction.atomic(durable=True):
        organization = lock_organization(number.organization_id)
        active = PhoneNumber.objects.filter(pk=number.pk, status=Status.ACTIVE)
        if action in ("number.repairing", "number.restoring") and not active.exists():
            raise InventoryConflict(f"{number} is not active.")
        audit.record(actor, action, number, organization=organization, **facts)
