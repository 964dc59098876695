"""Who belongs to an organization, and in which role. Only owners decide it; nobody gives or takes
a role beyond their own; and an organization always keeps an owner who can sign in.

All of it happens under the organization's lock, with the actor's right as it is then: of two
owners who demote each other at the same time, the second is none any more.
"""

from dataclasses import replace

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, make_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from burki.errors import InvalidRequest, NotFound, PermissionDenied
from organizations import audit, tasks
from organizations.actors import Actor
from organizations.credentials import lock_organization
from organizations.models import Membership, Organization, Role, User
from organizations.permissions import MANAGE_MEMBERS, ROLE_SCOPES

_EMAIL_MAX = 254


@transaction.atomic
def add_member(*, actor: Actor, organization: Organization, email: str, role: str) -> Membership:
    """Make a person a member. Whoever has no login yet gets one without a password; everybody is
    told by e-mail, those with a link to set their password.

    Raises `InvalidRequest` (also for somebody who is a member), `PermissionDenied`.
    """
    organization = _locked(actor, organization)
    _require_within_own(actor, organization, role)
    email = email.strip().lower()
    _check_email(email)
    user, _ = User.objects.get_or_create(email=email, defaults={"password": make_password(None)})
    membership, added = Membership.objects.get_or_create(
        organization=organization, user=user, defaults={"role": role}
    )
    if not added:
        sentence = f"{email} is a member already."
        raise InvalidRequest(sentence, errors={"email": [sentence]})
    audit.record(
        actor, "member.added", membership, organization=organization, email=email, role=role
    )
    tasks.send_invitation.defer(membership_id=membership.pk)
    return membership


@transaction.atomic
def change_role(*, actor: Actor, membership: Membership, role: str) -> Membership:
    """Give a member another role; the same one again changes nothing.

    Raises `InvalidRequest`, `NotFound`, `PermissionDenied`.
    """
    organization = _locked(actor, membership.organization)
    membership = _present(actor, membership)
    _require_within_own(actor, organization, role)
    if membership.role == role:
        return membership
    if membership.role == Role.OWNER:
        _require_another_owner(membership)
    before, membership.role = membership.role, role
    membership.save(update_fields=["role"])
    audit.record(
        actor,
        "member.role_changed",
        membership,
        organization=organization,
        email=membership.user.email,
        before=before,
        role=role,
    )
    return membership


@transaction.atomic
def remove_member(*, actor: Actor, membership: Membership) -> None:
    """End a membership; the person's login stays. API keys that the person made may do nothing
    from then on, because a key never exceeds its maker's present role.

    Raises `InvalidRequest`, `NotFound`, `PermissionDenied`.
    """
    organization = _locked(actor, membership.organization)
    membership = _present(actor, membership)
    if membership.role == Role.OWNER:
        _require_another_owner(membership)
    audit.record(
        actor,
        "member.removed",
        membership,
        organization=organization,
        email=membership.user.email,
        role=membership.role,
    )
    membership.delete()


@transaction.atomic
def invite_again(*, actor: Actor, membership: Membership) -> None:
    """Send the link to set a password once more, to somebody who has none yet.

    Raises `InvalidRequest`, `NotFound`, `PermissionDenied`.
    """
    organization = _locked(actor, membership.organization)
    membership = _present(actor, membership)
    if membership.user.has_usable_password():
        raise InvalidRequest(f"{membership.user.email} has a password already.")
    audit.record(
        actor, "member.invited", membership, organization=organization, email=membership.user.email
    )
    tasks.send_invitation.defer(membership_id=membership.pk)


def _locked(actor: Actor, organization: Organization) -> Organization:
    organization = lock_organization(organization.pk)
    # An actor remembers its scopes, from before the lock; a new one does not.
    replace(actor).require(MANAGE_MEMBERS, organization)
    return organization


def _present(actor: Actor, membership: Membership) -> Membership:
    """The membership as it is under the lock, if the actor may decide about its role."""
    found = Membership.objects.select_related("user", "organization").filter(pk=membership.pk)
    membership = found.first()
    if membership is None:
        raise NotFound("There is no such member any more.")
    _require_within_own(actor, membership.organization, membership.role)
    return membership


def _require_within_own(actor: Actor, organization: Organization, role: str) -> None:
    if role not in Role.values:
        sentence = f"The role must be one of: {', '.join(Role.values)}."
        raise InvalidRequest(sentence, errors={"role": [sentence]})
    if not ROLE_SCOPES[role] <= replace(actor).scopes_in(organization):
        raise PermissionDenied(f"Your role may not decide about the role '{role}'.")


def _require_another_owner(membership: Membership) -> None:
    others = Membership.objects.filter(
        organization=membership.organization_id, role=Role.OWNER, user__is_active=True
    ).exclude(pk=membership.pk)
    if not others.exclude(user__password__startswith=UNUSABLE_PASSWORD_PREFIX).exists():
        raise InvalidRequest(
            f"{membership.user} is the last owner who can sign in. Make somebody else an owner "
            "first."
        )


def _check_email(email: str) -> None:
    try:
        validate_email(email)
    except ValidationError:
        email = ""
    if not email or len(email) > _EMAIL_MAX:
        sentence = "Enter an e-mail address, such as ann@example.com."
        raise InvalidRequest(sentence, errors={"email": [sentence]})
