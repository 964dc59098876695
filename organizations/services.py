"""The verbs of this app."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from organizations import audit
from organizations.actors import Actor
from organizations.models import ApiKey, Organization, User
from organizations.models.api_keys import digest
from organizations.permissions import ORGANIZATION_ADMIN, SCOPES


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
def create_api_key(
    *,
    actor: Actor,
    organization: Organization,
    name: str,
    scopes: list[str] | None = None,
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """A key and its clear text, which exists nowhere else afterwards.

    `scopes` None means all. `created_by` is the person whose role bounds the key.
    """
    actor.require(ORGANIZATION_ADMIN, organization)
    text = ApiKey.generate()
    key = ApiKey(
        organization=organization,
        name=name,
        prefix=text[:12],
        digest=digest(text),
        scopes=sorted(SCOPES) if scopes is None else scopes,
        created_by=created_by,
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
def revoke_api_key(*, actor: Actor, key: ApiKey) -> None:
    """The key stops working at once. Revoking it again changes nothing."""
    actor.require(ORGANIZATION_ADMIN, key.organization)
    if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit.record(actor, "api_key.revoked", key, organization=key.organization)
