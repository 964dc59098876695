"""How a REST request says who it is: a Bearer API key, or the staff session with a CSRF token.

`request.user` is an `Actor`; `request.organization` is the tenant that it acts in.
"""

import re

from rest_framework import exceptions
from rest_framework.authentication import (
    BaseAuthentication,
    CSRFCheck,
    get_authorization_header,
)
from rest_framework.permissions import BasePermission

from burki.rows import Columns, fetch, split
from burki.throttling import Strangers
from organizations.actors import Actor
from organizations.models import ApiKey, Organization, User
from organizations.models.api_keys import digest

UNAUTHENTICATED = "Authentication required. Provide a valid API key or login session."
SESSION_ORGANIZATION = "organization_id"
_KEY = re.compile(rb"burki_[0-9a-z]{32}")


class _Authentication(BaseAuthentication):
    def authenticate_header(self, request) -> str:
        return "Bearer"


class ApiKeyAuthentication(_Authentication):
    """`Authorization: Bearer burki_…`. A header that is there and wrong is an error: it never
    falls back to the session; from one address only so many are answered so (then 429)."""

    def authenticate(self, request):
        header = get_authorization_header(request)
        if not header:
            return None
        strangers = Strangers(client_ip(request))
        key = _usable_key(header, strangers)
        if key is None:
            strangers.failed()
            raise exceptions.AuthenticationFailed(UNAUTHENTICATED)
        strangers.succeeded(key.digest)
        key.touch()
        request._request.organization = key.organization
        return Actor.for_key(key, ip=client_ip(request), request_id=request_id(request)), key


def _usable_key(header: bytes, strangers: Strangers) -> ApiKey | None:
    """The key that a header gives, if there is one and it is good now."""
    scheme, _, given = header.partition(b" ")
    given = given.strip()
    if scheme.lower() != b"bearer" or not _KEY.fullmatch(given):
        return None
    wanted = digest(given.decode("ascii"))
    strangers.may_try(wanted)
    key = _stored(wanted)
    if key is None or not key.is_usable:
        return None
    return key if key.created_by is None or key.created_by.is_active else None


_KEYS, _ORGANIZATIONS, _PEOPLE = Columns(ApiKey), Columns(Organization), Columns(User)
_STORED = f"""
    SELECT {_KEYS.of("stored")}, {_ORGANIZATIONS.of("tenant")}, {_PEOPLE.of("maker")}
    FROM {ApiKey._meta.db_table} stored
    JOIN {Organization._meta.db_table} tenant ON tenant.id = stored.organization_id
    LEFT JOIN {User._meta.db_table} maker ON maker.id = stored.created_by_id
    WHERE stored.digest = %s
"""


def _stored(wanted: str) -> ApiKey | None:
    """The key with this digest, its organization, and who made it: every request asks this."""
    if not (found := fetch(_STORED, [wanted])):
        return None
    key, organization, maker = split(found[0], _KEYS, _ORGANIZATIONS, _PEOPLE)
    key.organization, key.created_by = organization, maker
    return key


class StaffSessionAuthentication(_Authentication):
    """A signed-in person, in the organization chosen in the session or else their only one.
    Unsafe methods need the CSRF token."""

    def authenticate(self, request):
        user = getattr(request._request, "user", None)
        if user is None or not user.is_authenticated or not user.is_active:
            return None
        # Django's own request: the REST framework's would parse the body first.
        check = CSRFCheck(lambda request: None)
        check.process_request(request._request)
        reason = check.process_view(request._request, None, (), {})
        if reason:
            raise exceptions.PermissionDenied(f"CSRF Failed: {reason}")
        organization = session_organization(request._request)
        if organization is None:
            raise exceptions.PermissionDenied("Choose an organization first.")
        request._request.organization = organization
        return Actor.for_user(user, ip=client_ip(request), request_id=request_id(request)), None


def session_organization(request) -> Organization | None:
    """The organization that a signed-in person works in: chosen in the session, or their only
    one. None when they have to choose, or have none."""
    organizations = Organization.objects.filter(memberships__user=request.user)
    chosen = request.session.get(SESSION_ORGANIZATION)
    if chosen is not None:
        return organizations.filter(pk=chosen).first()
    only = list(organizations[:2])
    return only[0] if len(only) == 1 else None


def client_ip(request) -> str | None:
    return request.META.get("REMOTE_ADDR") or None


def request_id(request) -> str:
    return getattr(request, "id", "")


class HasScope(BasePermission):
    """The view's `required_scopes` maps its action to the scope that it needs. An action that the
    table lacks is forbidden to everybody, so a new endpoint cannot be open by forgetting it."""

    def has_permission(self, request, view) -> bool:
        if request.user is None:
            raise exceptions.NotAuthenticated(UNAUTHENTICATED)
        if view.action in (None, "metadata"):  # wrong method: let the view answer 405
            return True
        if view.action not in view.required_scopes:
            return False
        request.user.require(view.required_scopes[view.action], request.organization)
        return True
