"""The verbs of this app."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now

from assistants import opaque, overrides
from assistants.models import Assistant, AssistantQuerySet
from burki.errors import NotFound
from burki.outgoing import NotAllowed, check_address
from organizations import audit
from organizations.actors import Actor
from organizations.credentials import lock_organization
from organizations.models import Organization
from organizations.permissions import ASSISTANTS_WRITE

_LARGEST_ID = 2**63 - 1  # what PostgreSQL's bigint holds
# What decides whether an assistant may have a number, and which account pays for it.
_PAYING = ("twilio_account", "telnyx_account")
_DECIDES = ("organization", "name", "is_active", "telnyx_connection_id", *_PAYING)
_CHANGEABLE = [
    field
    for field in Assistant._meta.concrete_fields
    if field.name not in ("id", "organization", "created_by", "created_by_key")
    and not (getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False))
]


@transaction.atomic
def create_assistant(
    *, actor: Actor, organization: Organization, name: str, **fields: Any
) -> Assistant:
    """A new assistant. `fields` are its columns, `settings` (opaque JSON, see `assistants.opaque`)
    and `twilio_config`, `telnyx_config` (see `assistants.overrides`).

    Raises `PermissionDenied`, `InvalidRequest`, Django's `ValidationError`.
    """
    actor.require(ASSISTANTS_WRITE, organization)
    assistant = Assistant(
        organization=organization, name=name, created_by=actor.user, created_by_key=actor.api_key
    )
    _change(assistant, fields, actor, merge=False)
    assistant.full_clean()
    check_sms_webhook(assistant.sms_webhook_url)
    assistant.save()
    audit.record(
        actor, "assistant.created", assistant, organization=organization, name=name,
        **_accounts(assistant),
    )  # fmt: skip
    return assistant


@transaction.atomic
def update_assistant(
    *,
    actor: Actor,
    organization: Organization,
    assistant_id: int,
    changes: dict[str, Any],
    merge: bool,
) -> Assistant:
    """Change what `changes` names, in the words of `create_assistant`. With `merge` objects among
    the settings are merged one level deep into the stored ones, without it they replace them.
    Changes at the same time all count: one waits for the other. What is as wanted is not written.

    Raises `NotFound`, `PermissionDenied`, `InvalidRequest`, Django's `ValidationError`.
    """
    actor.require(ASSISTANTS_WRITE, organization)
    if not changes.keys().isdisjoint((*overrides.OVERRIDES, *overrides.ACCOUNTS)):
        lock_organization(organization.pk)  # credentials: the first lock of all
    assistant = _locked(organization, assistant_id)
    before = _values(assistant)
    _change(assistant, changes, actor, merge=merge)
    after = _values(assistant)
    changed = sorted(name for name in after if after[name] != before[name])
    if not changed:
        return assistant
    assistant.full_clean()
    if "sms_webhook_url" in changed:  # what was stored earlier stands in nobody's way
        check_sms_webhook(assistant.sms_webhook_url)
    assistant.save(update_fields=[*changed, "updated_at"])
    facts: dict[str, Any] = {"fields": changed}
    if "is_active" in changed:
        facts["is_active"] = assistant.is_active
    if {"twilio_account", "telnyx_account"} & set(changed):
        facts |= _accounts(assistant)
    audit.record(actor, "assistant.updated", assistant, organization=organization, **facts)
    return assistant


@transaction.atomic
def delete_assistant(*, actor: Actor, organization: Organization, assistant_id: int) -> Assistant:
    """Delete an assistant. Its numbers stay the organization's, assigned to nobody; a purchase for
    it that is under way ends as bought and unassigned. Purchases and the audit keep its history.

    Raises `NotFound`, `PermissionDenied`.
    """
    actor.require(ASSISTANTS_WRITE, organization)
    # Claims and records of purchases hold this lock too: none of them can assign meanwhile.
    lock_organization(organization.pk)
    assistant = _found(Assistant.objects.all(), organization, assistant_id)
    numbers = list(assistant.phone_numbers.select_for_update(no_key=True).order_by("pk"))
    assistant.phone_numbers.update(assistant=None, updated_at=Now())
    facts = {"assistant_id": assistant.pk, "assistant": assistant.name}
    audit.record_each(
        actor, "number.unassigned", numbers, organization=organization,
        reason="the assistant was deleted", **facts,
    )  # fmt: skip
    audit.record(
        actor, "assistant.deleted", assistant, organization=organization,
        name=assistant.name, unassigned=len(numbers),
    )  # fmt: skip
    Assistant.objects.filter(pk=assistant.pk).delete()
    return assistant


def get_assistant(
    organization: Organization, assistant_id: int, *, lean: bool = False
) -> Assistant:
    """The organization's assistant with this id; another tenant's is not found, like no one's.
    `lean` reads only what decides a purchase, and the rest where somebody asks for it."""
    rows = Assistant.objects.only(*_DECIDES) if lean else Assistant.objects.select_related(*_PAYING)
    return _found(rows, organization, assistant_id, where="")


def read_assistant(organization: Organization, assistant_id: int) -> Assistant:
    """The same, with everything that an answer tells of it."""
    return _found(Assistant.objects.told(), organization, assistant_id)


def check_sms_webhook(url: str) -> None:
    """Whether a message could ever be handed over there; nothing is looked up.

    Raises Django's `ValidationError`.
    """
    if not url:
        return
    try:
        check_address(url)
    except NotAllowed as problem:
        sentence = f"Messages cannot be sent to this SMS webhook. {problem}"
        raise ValidationError({"sms_webhook_url": sentence}) from None


def _change(assistant: Assistant, changes: dict[str, Any], actor: Actor, *, merge: bool) -> None:
    for name in overrides.ACCOUNTS:
        if name in changes:
            overrides.choose(assistant, name, changes[name], actor=actor)
    for name, value in changes.items():
        if name == "settings":
            assistant.settings = _settings(assistant.settings, value, merge)
        elif name not in (*overrides.OVERRIDES, *overrides.ACCOUNTS):
            setattr(assistant, name, value)
    for name in overrides.OVERRIDES:
        if name in changes:
            overrides.apply(assistant, name, changes[name], actor=actor, merge=merge)


def _settings(stored: dict[str, Any], given: dict[str, Any], merge: bool) -> dict[str, Any]:
    for name, value in given.items():
        opaque.check(name, value)
    sealed = opaque.seal(given, stored)
    if merge:
        sealed = {name: opaque.merged(stored.get(name), value) for name, value in sealed.items()}
    result = stored | sealed
    opaque.check_size(result)
    return result


def _values(assistant: Assistant) -> dict[str, Any]:
    return {field.name: getattr(assistant, field.attname) for field in _CHANGEABLE}


def _accounts(assistant: Assistant) -> dict[str, int | None]:
    named = (("twilio_account", assistant.twilio_account_id),
             ("telnyx_account", assistant.telnyx_account_id))  # fmt: skip
    return {name: pk for name, pk in named if pk is not None}


def _locked(organization: Organization, assistant_id: int) -> Assistant:
    rows = Assistant.objects.select_related("organization", "twilio_account", "telnyx_account")
    return _found(rows.select_for_update(no_key=True, of=("self",)), organization, assistant_id)


def _found(
    rows: AssistantQuerySet,
    organization: Organization,
    assistant_id: int,
    where: str = " in your organization",
) -> Assistant:
    assistant = None
    if assistant_id <= _LARGEST_ID:
        assistant = next(iter(rows.of(organization).filter(pk=assistant_id)), None)
    if assistant is None:
        raise NotFound(f"Assistant with ID {assistant_id} not found{where}")
    return assistant
