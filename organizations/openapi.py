"""What the API's description says about who may do what: read from the tables that decide it."""

from typing import Any

from rest_framework import exceptions

from burki import openapi_schema
from burki.openapi import raised
from organizations.actors import Actor
from organizations.authentication import UNAUTHENTICATED
from organizations.models import ApiKey, Organization
from organizations.permissions import ANY, ROLE_SCOPES

SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    "ApiKey": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "burki_…",
        "description": "An API key of an organization, with the scope that the operation names.",
    },
    "StaffSession": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "A signed-in person whose role has the scope. Anything but GET needs the "
        "header `X-CSRFToken` as well.",
    },
}


class Schema(openapi_schema.Schema):
    @property
    def scope(self) -> str:
        return self.view.required_scopes[self.view.action]

    def get_description(self) -> str:
        description = super().get_description()
        if self.is_public:
            return f"{description}\n\nNeeds no key.".strip()
        if self.scope == ANY:
            return f"{description}\n\nAny key and any role will do.".strip()
        roles = [role for role, scopes in ROLE_SCOPES.items() if self.scope in scopes]
        needs = f"Needs the scope `{self.scope}` (roles: {', '.join(roles)})."
        return f"{description}\n\n{needs}".strip()

    def get_auth(self) -> list[dict[str, list[str]]]:
        scopes = [] if self.is_public or self.scope == ANY else [self.scope]
        return [] if self.is_public else [{name: scopes} for name in SECURITY_SCHEMES]

    def refusals(self) -> list[Exception]:
        stranger = exceptions.NotAuthenticated(UNAUTHENTICATED)
        stranger.auth_header = "Bearer"
        unfit = Actor(kind="api_key", label="", api_key=ApiKey(scopes=[], organization_id=0))
        return [stranger, raised(unfit.require, self.scope, Organization(is_active=True))]


def with_security(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """A hook of drf-spectacular."""
    result["components"]["securitySchemes"] = SECURITY_SCHEMES
    return result
