"""The verbs of this app; credentials have a room of their own, `organizations.credentials`."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from burki.errors import InvalidRequest
from organizations import audit
from organizations.actors import Actor
from organizations.credentials import lock_organization
from organizations.crypto import CredentialsUnreadable
from organizations.models import ApiKey, Organization, User
from organizations.models.api_keys import digest
from organizations.permissions import MANAGE_MEMBERS, ORGANIZATION_ADMIN, SCOPES

LIMITS = ("monthly_limit", "number_limit")
_SETTINGS = ("name", "description", "domain", "settings")
_TOLD_FROM = 12  # characters: of a shorter key four would be too much


@transaction.atomic
def create_organization(*, actor: Actor, name: str, slug: str = "") -> Organization:
    """A new tenant, with `DEFAULT_MONTHLY_LIMIT` as its spending limit. The slug is made from the
    name when none is given, with a number after it if it is taken."""
    base = slugify(slug or name)[:90] or "organization"
    candidate, n = base, 1
    while not slug and Organization.objects.filter(slug=candidate).exists():
        n += 1
        candidate = f"{base}-{n}"
    organization = Organization(
        name=name, slug=candidate, monthly_limit=settings.DEFAULT_MONTHLY_LIMIT
    )
    organization.full_clean()
    organization.save()
    audit.record(
        actor,
        "organization.created",
        organization,
        organization=organization,
        name=name,
    )
    return organization


@transaction.atomic
def update_organization(
    *, actor: Actor, organization: Organization, **changes: Any
) -> Organization:
    """Change name, description, domain, settings, api_keys (other services' keys), monthly_limit,
    number_limit; returns the organization as it is then. What is as wanted is not written.

    Limits are changed by owners alone. Of `api_keys` those that are named change: None removes
    one, and what `key_hint` shows of one keeps it. Raises `InvalidRequest`, `PermissionDenied`.
    """
    actor.require(ORGANIZATION_ADMIN, organization)
    organization = lock_organization(organization.pk)
    keys = changes.pop("api_keys", None)
    unknown = set(changes) - {*_SETTINGS, *LIMITS}
    if unknown:
        raise TypeError(f"An organization has no settings {sorted(unknown)}.")
    wanted = {k: v for k, v in changes.items() if getattr(organization, k) != v}
    if any(name in wanted for name in LIMITS):
        actor.require(MANAGE_MEMBERS, organization)
    told = {name: str(wanted[name]) for name in LIMITS if name in wanted}
    for name, value in wanted.items():
        setattr(organization, name, value)
    fields = sorted(wanted)
    if keys:
        try:
            before = organization.api_keys_of_others
        except CredentialsUnreadable:  # lost with their encryption key: entered again
            before = {}
        after = _merged_keys(before, keys)
        if after != before:
            organization.api_keys_of_others = after
            wanted["encrypted_api_keys"] = None
            fields.append("api_keys")
    if wanted:
        organization.full_clean()
        organization.save(update_fields=[*wanted, "updated_at"])
        audit.record(
            actor,
            "organization.changed",
            organization,
            organization=organization,
            fields=fields,
            **told,
        )
    return organization


def shown_keys(organization: Organization) -> dict[str, str] | None:
    """What is shown of other services' keys; None when they cannot be read."""
    try:
        keys = organization.api_keys_of_others
    except CredentialsUnreadable:
        return None
    return {name: key_hint(key) for name, key in sorted(keys.items())}


def key_hint(key: str) -> str:
    """What is shown of another service's key."""
    return f"…{key[-4:] if len(key) >= _TOLD_FROM else ''}"


def _merged_keys(before: dict[str, str], given: dict[str, str | None]) -> dict[str, str]:
    after = dict(before)
    for name, key in given.items():
        if key is None:
            after.pop(name, None)
        elif name not in before or key != key_hint(before[name]):
            if key.startswith("…"):
                sentence = f"api_keys.{name} is only what we show of a key: send all of it"
                raise InvalidRequest(sentence, errors={"api_keys": [sentence]})
            after[name] = key
    return after


@transaction.atomic
def create_api_key(
    *,
    actor: Actor,
    organization: Organization,
    name: str,
    scopes: list[str] | None = None,
    created_by: User | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """A key and its clear text, which exists nowhere else afterwards.

    A key gets nothing that its maker does not have: no scope (`scopes` None means all of the
    maker's), not another person, and, made by a key, no longer life. `created_by` is the person
    whose role bounds the key; only the system names one, others are that person themselves.
    Raises `PermissionDenied`, naming the scope that the maker lacks.
    """
    actor.require(ORGANIZATION_ADMIN, organization)
    text = ApiKey.generate()
    key = ApiKey(
        organization=organization,
        name=name,
        prefix=text[:12],
        digest=digest(text),
        scopes=_grantable(actor, organization, scopes),
        created_by=created_by if actor.kind == "system" else actor.user,
        expires_at=_no_later(expires_at, actor.api_key),
    )
    key.full_clean()
    key.save()
    audit.record(
        actor,
        "api_key.created",
        key,
        organization=organization,
        name=name,
        scopes=key.scopes,
    )
    return key, text


@transaction.atomic
def change_api_key(
    *,
    actor: Actor,
    key: ApiKey,
    name: str | None = None,
    grant: Collection[str] = (),
    withdraw: Collection[str] = (),
) -> ApiKey:
    """Rename a key, and change what it may. Nobody grants a scope that they do not have; a key
    keeps at least one; a revoked one stays as it was.

    Raises `InvalidRequest`, `PermissionDenied`.
    """
    actor.require(ORGANIZATION_ADMIN, key.organization)
    key = ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)
    if key.revoked_at is not None:
        raise InvalidRequest("This API key is revoked: make a new one.")
    _grantable(actor, key.organization, sorted(set(grant) - set(key.scopes)))
    scopes = sorted(set(key.scopes) - set(withdraw) | set(grant))
    if not scopes:
        raise InvalidRequest("An API key needs at least one permission; to end it, delete it.")
    wanted = {"name": key.name if name is None else name, "scopes": scopes}
    if (key.name, sorted(key.scopes)) != (wanted["name"], scopes):
        key.name, key.scopes = wanted["name"], scopes
        key.full_clean()
        key.save(update_fields=["name", "scopes", "updated_at"])
        audit.record(actor, "api_key.changed", key, organization=key.organization, **wanted)
    return key


def _grantable(actor: Actor, organization: Organization, scopes: list[str] | None) -> list[str]:
    """The scopes, if the actor has all of them."""
    if scopes is None:
        return sorted(actor.scopes_in(organization) & set(SCOPES))
    for scope in sorted(set(scopes) & set(SCOPES)):
        actor.require(scope, organization)
    return list(dict.fromkeys(scopes))


def _no_later(expires_at: datetime | None, maker: ApiKey | None) -> datetime | None:
    ends = [moment for moment in (expires_at, maker and maker.expires_at) if moment]
    return min(ends, default=None)


@transaction.atomic
def revoke_api_key(*, actor: Actor, key: ApiKey) -> None:
    """The key stops working at once. Revoking it again changes nothing."""
    actor.require(ORGANIZATION_ADMIN, key.organization)
    if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit.record(actor, "api_key.revoked", key, organization=key.organization)
