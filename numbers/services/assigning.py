"""Which assistant answers a number, and what the number is called.

Assigning is ours alone: calls and messages reach our own webhooks, which look the assistant up.
That they really do is verified soon afterwards.
Locks are taken in the order organization, assistant, number, as everywhere; releases, purchases
and the deletion of assistants take the organization's first, too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from assistants.models import Assistant
from burki.errors import InvalidRequest, NotFound
from burki.text import is_clean
from numbers import jobs
from numbers.exceptions import NumberConflict, ProviderError, RequestFailed
from numbers.models import Finding, PhoneNumber
from numbers.providers.base import Routing
from numbers.providers.registry import DRIVERS
from numbers.services.adopting import adopt_by_number
from numbers.services.lookup import LARGEST_ID, driver_of
from numbers.services.requests import FRIENDLY_NAME_MAX
from numbers.services.settling import lock_organization
from organizations import audit
from organizations.actors import Actor
from organizations.models import Organization
from organizations.permissions import NUMBERS_WRITE

Status = PhoneNumber.Status

BULK_MAX = 500
UNASSIGN = 0  # as an assistant's id
_ASSIGNABLE = (Status.ACTIVE, Status.PENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """`number` belongs to `assistant` now; `before` is who had it. `held_by` somebody else: then
    nothing was changed. `adopted`: it was found in the organization's account just now;
    `misrouted`: and is set there otherwise than it should be."""

    number: PhoneNumber
    assistant: Assistant
    before: Assistant | None = None
    held_by: Assistant | None = None
    adopted: bool = False
    misrouted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkAssigned:
    assistant: Assistant
    assigned: list[PhoneNumber] = field(default_factory=list)
    failures: dict[int, str] = field(default_factory=dict)  # id of a number: why not


def assign_number(
    *, actor: Actor, organization: Organization, assistant_id: int, number_id: int
) -> Assigned:
    """Give the number to the assistant, also when another one has it.

    Raises `PermissionDenied`, `NotFound`, and `NumberConflict` for a number that is being
    released, or is.
    """
    actor.require(NUMBERS_WRITE, organization)
    with transaction.atomic(durable=True):
        lock_organization(organization.pk)
        assistant = _lock_assistant(organization, assistant_id)
        number = _lock_number(organization, number_id)
        before = _assign(number, assistant, actor, organization)
        jobs.verify_numbers_later([number.pk])
    return Assigned(number=number, assistant=assistant, before=before)


def unassign_number(
    *, actor: Actor, organization: Organization, assistant_id: int | None, number_id: int
) -> Assigned:
    """Take the number from the assistant (None: from whoever has it).

    Raises `PermissionDenied`, `NotFound`, and `InvalidRequest` when it is not that assistant's.
    """
    actor.require(NUMBERS_WRITE, organization)
    with transaction.atomic(durable=True):
        lock_organization(organization.pk)
        asked = None if assistant_id is None else _lock_assistant(organization, assistant_id)
        number = _lock_number(organization, number_id)
        jobs.verify_numbers_later([number.pk])
        return _take_away(number, asked, actor, organization)


def bulk_assign(
    *, actor: Actor, organization: Organization, assistant_id: int, number_ids: list[int]
) -> BulkAssigned:
    """Give many numbers to the assistant in one transaction; those that cannot be are told with
    the reason, and hinder no others.

    Raises `PermissionDenied`, `InvalidRequest`, `NotFound` for the assistant.
    """
    actor.require(NUMBERS_WRITE, organization)
    if not number_ids:
        raise InvalidRequest("No phone number IDs provided")
    if len(number_ids) > BULK_MAX:
        raise InvalidRequest(f"At most {BULK_MAX} phone numbers can be assigned at a time")
    wanted = list(dict.fromkeys(number_ids))
    assigned, failures = [], {}
    with transaction.atomic(durable=True):
        lock_organization(organization.pk)
        assistant = _lock_assistant(organization, assistant_id)
        found = _locked(organization, wanted)
        for number_id in wanted:
            number = found.get(number_id)
            if number is None:
                failures[number_id] = "Phone number not found"
                continue
            try:
                _require_assignable(number)
            except NumberConflict as error:
                failures[number_id] = error.detail
            else:
                assigned.append(number)
        _assign_all(assigned, assistant, actor, organization)
        jobs.verify_numbers_later([number.pk for number in assigned])
    return BulkAssigned(assistant=assistant, assigned=assigned, failures=failures)


def assign_by_number(
    *,
    actor: Actor,
    organization: Organization,
    assistant_id: int,
    phone_number: str,
    friendly_name: str,
    auto_sync: bool,
) -> Assigned:
    """Give a number to the assistant, unless another one has it. With `auto_sync`, one that only
    the organization's own provider accounts have is adopted first.

    Raises `PermissionDenied`, `NotFound`, `NumberConflict`, and `ProviderError` when it had to be
    looked for and no account answered, or when the name could not be set.
    """
    actor.require(NUMBERS_WRITE, organization)
    find_assistant(organization, assistant_id)
    number, adopted = _live_row(organization, phone_number), False
    if number is None:
        if not auto_sync:
            raise NotFound(
                f"Phone number {phone_number} not found in local database. "
                "Try setting auto_sync=true or sync manually first"
            )
        number = adopt_by_number(actor=actor, organization=organization, phone_number=phone_number)
        adopted = True
    holder = number.assistant if number.assistant_id not in (None, assistant_id) else None
    if friendly_name and holder is None:
        _name_at_provider(number, friendly_name)
    with transaction.atomic(durable=True):
        lock_organization(organization.pk)
        assistant = _lock_assistant(organization, assistant_id)
        number = _lock_number(organization, number.pk)
        if number.assistant_id not in (None, assistant.pk):
            return Assigned(
                number=number, assistant=assistant, held_by=number.assistant, adopted=adopted
            )
        before = _assign(number, assistant, actor, organization)
        if friendly_name:
            _rename(number, friendly_name, actor, organization)
        jobs.verify_numbers_later([number.pk])
    drift = Finding.objects.open().filter(number=number, kind=Finding.Kind.DRIFT)
    return Assigned(
        number=number,
        assistant=assistant,
        before=before,
        adopted=adopted,
        misrouted=adopted and drift.exists(),
    )


def unassign_by_number(
    *, actor: Actor, organization: Organization, assistant_id: int, phone_number: str
) -> Assigned:
    """As `unassign_number`, for the number itself."""
    actor.require(NUMBERS_WRITE, organization)
    find_assistant(organization, assistant_id)
    number = _live_row(organization, phone_number)
    if number is None:
        raise NotFound(f"Phone number {phone_number} not found in your organization")
    return unassign_number(
        actor=actor, organization=organization, assistant_id=assistant_id, number_id=number.pk
    )


def update_number(
    *,
    actor: Actor,
    organization: Organization,
    number: PhoneNumber,
    friendly_name: str | None,
    assistant_id: int | None,
) -> PhoneNumber:
    """Rename the number (`""`: by the number itself), give it to an assistant (`UNASSIGN`: to
    none), or both; None leaves as it is. All or nothing: the name is first set at the provider,
    where it is kept there as well, and ours follows only then.

    Raises `PermissionDenied`, `InvalidRequest`, `NotFound`, `NumberConflict`, and `RequestFailed`
    when the provider did not take the name; then nothing of ours is changed.
    """
    actor.require(NUMBERS_WRITE, organization)
    if friendly_name is None and assistant_id is None:
        raise InvalidRequest("Nothing to change: give friendly_name or assistant_id")
    if assistant_id:
        find_assistant(organization, assistant_id)
    _require_assignable(number)
    if friendly_name is not None:
        friendly_name = _clean_name(friendly_name) or number.phone_number
        _name_at_provider(number, friendly_name)
    with transaction.atomic(durable=True):
        lock_organization(organization.pk)
        assistant = _lock_assistant(organization, assistant_id) if assistant_id else None
        number = _lock_number(organization, number.pk)
        _require_assignable(number)
        if friendly_name is not None:
            _rename(number, friendly_name, actor, organization)
        if assistant is not None:
            _assign(number, assistant, actor, organization)
        elif assistant_id == UNASSIGN and number.assistant_id is not None:
            _take_away(number, None, actor, organization)
        jobs.verify_numbers_later([number.pk])
    return number


def find_number(organization: Organization, number_id: int) -> PhoneNumber:
    """The organization's number with this id, whatever its status but claimed."""
    number = None
    if number_id <= LARGEST_ID:
        rows = PhoneNumber.objects.visible_to(organization).filter(pk=number_id)
        number = rows.select_related("account", "assistant").first()
    if number is None:
        raise NotFound("Phone number not found")
    return number


def find_assistant(
    organization: Organization, assistant_id: int, rows: QuerySet | None = None
) -> Assistant:
    """The organization's assistant with this id. Raises `NotFound`."""
    found = None
    if assistant_id <= LARGEST_ID:
        rows = Assistant.objects.all() if rows is None else rows
        found = rows.filter(organization=organization, pk=assistant_id).first()
    if found is None:
        raise NotFound(f"Assistant with ID {assistant_id} not found in your organization")
    return found


# --- Inside a transaction that holds the organization's lock ----------------------------------


def _assign(
    number: PhoneNumber, assistant: Assistant, actor: Actor, organization: Organization
) -> Assistant | None:
    """Returns who had it before. Raises `NumberConflict`."""
    _require_assignable(number)
    before = number.assistant
    _assign_all([number], assistant, actor, organization)
    number.refresh_from_db()
    return before


def _assign_all(
    numbers: list[PhoneNumber], assistant: Assistant, actor: Actor, organization: Organization
) -> None:
    """Numbers that can be assigned; those that the assistant has already stay as they are."""
    moving = [number for number in numbers if number.assistant_id != assistant.pk]
    rows = PhoneNumber.objects.filter(pk__in=[number.pk for number in moving])
    rows.update(assistant=assistant, assigned_at=Now(), updated_at=Now())
    for number in moving:
        before = number.assistant
        facts: dict[str, Any] = {"assistant_id": assistant.pk, "assistant": assistant.name}
        if before is not None:
            facts |= {"from_assistant_id": before.pk, "from_assistant": before.name}
        audit.record(actor, "number.assigned", number, organization=organization, **facts)


def _take_away(
    number: PhoneNumber, asked: Assistant | None, actor: Actor, organization: Organization
) -> Assigned:
    before = number.assistant
    if before is None or (asked is not None and asked != before):
        whom = "any" if before is None else "this"
        raise InvalidRequest(f"Phone number {number} is not assigned to {whom} assistant")
    _write(number, assistant=None, assigned_at=None)
    audit.record(
        actor,
        "number.unassigned",
        number,
        organization=organization,
        assistant_id=before.pk,
        assistant=before.name,
    )
    return Assigned(number=number, assistant=before, before=before)


def _rename(number: PhoneNumber, name: str, actor: Actor, organization: Organization) -> None:
    before = number.friendly_name
    if before == name:
        return
    _write(number, friendly_name=name)
    audit.record(
        actor, "number.renamed", number, organization=organization, before=before, after=name
    )


def _write(number: PhoneNumber, **values: Any) -> None:
    PhoneNumber.objects.filter(pk=number.pk).update(**values, updated_at=Now())
    number.refresh_from_db()


def _require_assignable(number: PhoneNumber) -> None:
    if number.status not in _ASSIGNABLE:
        raise NumberConflict(number)


def _lock_number(organization: Organization, number_id: int) -> PhoneNumber:
    number = _locked(organization, [number_id]).get(number_id)
    if number is None:
        raise NotFound("Phone number not found")
    return number


def _locked(organization: Organization, number_ids: Iterable[int]) -> dict[int, PhoneNumber]:
    rows = (
        PhoneNumber.objects.visible_to(organization)
        .select_for_update(no_key=True, of=("self",))
        .select_related("assistant", "account")
        .filter(pk__in=[pk for pk in number_ids if pk <= LARGEST_ID])
        .order_by("pk")
    )
    return {row.pk: row for row in rows}


def _lock_assistant(organization: Organization, assistant_id: int) -> Assistant:
    rows = Assistant.objects.select_for_update(no_key=True)
    return find_assistant(organization, assistant_id, rows)


# --- Outside of transactions --------------------------------------------------------------------


def _live_row(organization: Organization, phone_number: str) -> PhoneNumber | None:
    rows = PhoneNumber.objects.visible_to(organization).live().filter(phone_number=phone_number)
    return rows.select_related("account", "assistant").order_by("-pk").first()


def _clean_name(name: str) -> str:
    name = name.strip()
    if len(name) > FRIENDLY_NAME_MAX or not is_clean(name):
        raise InvalidRequest(
            f"Friendly name must be text of at most {FRIENDLY_NAME_MAX} characters, without "
            "control characters"
        )
    return name


def _name_at_provider(number: PhoneNumber, name: str) -> None:
    """Set the name where the provider keeps names; elsewhere nothing is sent."""
    if not DRIVERS[number.provider].keeps_names:
        return
    try:
        driver = driver_of(number)
        number_id = number.provider_number_id
        if not number_id:
            owned = driver.find_number(number.phone_number)
            number_id = owned.number_id if owned else ""
        if not number_id:
            raise ProviderError(hint="The account does not list this number (yet).")
        driver.configure(number_id, Routing(), name)
    except ProviderError as error:
        raise RequestFailed.because_of(
            f"Failed to rename phone number {number} at {number.provider}", error
        ) from error
