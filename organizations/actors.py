"""Who is doing something: a person, an API key, or the system itself.

Every service takes an `actor`, checks its right with `require` and writes it into the audit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from burki.errors import PermissionDenied
from organizations.permissions import ANY, EVERYTHING, ROLE_SCOPES

if TYPE_CHECKING:
    from organizations.models import ApiKey, Organization, User


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Made by `Actor.for_user`, `Actor.for_key` or `Actor.system`."""

    kind: str  # AuditEvent.ActorKind
    label: str
    user: User | None = None
    api_key: ApiKey | None = None
    ip: str | None = None
    request_id: str = ""

    # Django REST framework asks `request.user` for this.
    is_authenticated = True

    @classmethod
    def for_user(cls, user: User, *, ip: str | None = None, request_id: str = "") -> Actor:
        return cls(kind="user", label=user.email, user=user, ip=ip, request_id=request_id)

    @classmethod
    def for_key(cls, key: ApiKey, *, ip: str | None = None, request_id: str = "") -> Actor:
        label = f"{key.name} ({key.prefix}…)"
        return cls(
            kind="api_key",
            label=label,
            user=key.created_by,
            api_key=key,
            ip=ip,
            request_id=request_id,
        )

    @classmethod
    def system(cls, label: str) -> Actor:
        """A worker, a sweep, a command: may do everything, and says in the audit which it was."""
        return cls(kind="system", label=label)

    @cached_property
    def _known_scopes(self) -> dict[int, frozenset[str]]:
        return {}

    def scopes_in(self, organization: Organization) -> frozenset[str]:
        if organization.pk not in self._known_scopes:
            self._known_scopes[organization.pk] = self._scopes_in(organization)
        return self._known_scopes[organization.pk]

    def _scopes_in(self, organization: Organization) -> frozenset[str]:
        if self.kind == "system":
            return EVERYTHING
        if self.api_key is None:
            return user_scopes(self.user, organization)
        if self.api_key.organization_id != organization.pk or not self.api_key.is_usable:
            return frozenset()
        scopes = frozenset(self.api_key.scopes)
        return scopes if self.user is None else scopes & user_scopes(self.user, organization)

    def may(self, scope: str, organization: Organization) -> bool:
        scopes = self.scopes_in(organization)
        return bool(scopes) if scope == ANY else scope in scopes

    def require(self, scope: str, organization: Organization) -> None:
        """Raises `PermissionDenied`, naming the scope that is missing."""
        if not organization.is_active and self.kind != "system":
            raise PermissionDenied("This organization is not active.")
        if not self.may(scope, organization) and scope == ANY:
            raise PermissionDenied("You have no role in this organization.")
        if not self.may(scope, organization):
            whose = "This API key" if self.api_key else "Your role"
            raise PermissionDenied(f"{whose} lacks the scope '{scope}'.", scope=scope)

    @property
    def throttle_ident(self) -> str:
        return f"key:{self.api_key.pk}" if self.api_key else f"user:{self.user and self.user.pk}"


def user_scopes(user: User, organization: Organization) -> frozenset[str]:
    """What a person may do in an organization now."""
    if not user.is_active:
        return frozenset()
    if user.is_superuser:
        return EVERYTHING
    role = user.memberships.filter(organization=organization).values_list("role", flat=True).first()
    return ROLE_SCOPES.get(role, frozenset())
