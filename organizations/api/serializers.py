"""People and API keys, as requests and answers have them."""

from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework import serializers

from burki.fields import StrictBoolean, StrictField, TextField
from burki.text import instant
from burki.throttling import KINDS
from organizations.actors import Actor
from organizations.models import ApiKey, Membership, Organization
from organizations.permissions import (
    ASSISTANTS_READ,
    ASSISTANTS_WRITE,
    NUMBERS_PURCHASE,
    NUMBERS_READ,
    NUMBERS_RELEASE,
    NUMBERS_WRITE,
    ORGANIZATION_ADMIN,
    SCOPES,
)

# What existing clients call a key's permissions, in scopes.
PERMISSIONS: dict[str, frozenset[str]] = {
    "read": frozenset({NUMBERS_READ, ASSISTANTS_READ}),
    "write": frozenset({NUMBERS_PURCHASE, NUMBERS_WRITE, ASSISTANTS_WRITE}),
    "admin": frozenset({NUMBERS_RELEASE, ORGANIZATION_ADMIN}),
}
# Of a key that is made without saying what it may do.
DEFAULT_SCOPES = PERMISSIONS["read"] | PERMISSIONS["write"]


class ScopesField(StrictField):
    message = f"scopes must be a list of at least one of: {', '.join(sorted(SCOPES))}"
    schema = {
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "enum": sorted(SCOPES)},
    }

    def is_right(self, value: Any) -> bool:
        return (
            isinstance(value, list)
            and len(value) > 0
            and all(isinstance(scope, str) and scope in SCOPES for scope in value)
        )


class FutureField(StrictField):
    """A moment with its offset from UTC, still to come."""

    message = "expires_at must be a time still to come, in ISO 8601 with its offset from UTC"
    schema = {"type": "string", "format": "date-time"}

    def is_right(self, value: Any) -> bool:
        try:
            moment = parse_datetime(value) if isinstance(value, str) else None
            return moment is not None and moment.tzinfo is not None and moment > timezone.now()
        except (ValueError, OverflowError):
            return False

    def to_internal_value(self, data: Any) -> Any:
        return parse_datetime(super().to_internal_value(data))


class Permissions(serializers.Serializer):
    read = StrictBoolean(required=False, message="permissions.read must be true or false")
    write = StrictBoolean(required=False, message="permissions.write must be true or false")
    admin = StrictBoolean(required=False, message="permissions.admin must be true or false")


_NAME = {"most": 100, "least": 1, "message": "name must be text of 1 to 100 characters"}


class ApiKeyRequest(serializers.Serializer):
    """`permissions` in existing clients' words, or `scopes`; not both."""

    name = TextField(**_NAME)
    permissions = Permissions(required=False, allow_null=True)
    scopes = ScopesField(required=False, allow_null=True)
    expires_at = FutureField(required=False, allow_null=True)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        permissions, scopes = data.get("permissions"), data.get("scopes")
        if permissions is not None and scopes is not None:
            raise serializers.ValidationError({"scopes": ["Send permissions or scopes, not both"]})
        if permissions is not None:
            scopes, _ = scopes_of(permissions)
            if not scopes:
                raise serializers.ValidationError(
                    {"permissions": ["An API key needs at least one permission"]}
                )
        return {
            "name": data["name"],
            "scopes": scopes,
            "expires_at": data.get("expires_at"),
        }


class KeyName(serializers.Serializer):
    name = TextField(**_NAME, required=False)


class ApiKeyChange(Permissions):
    """The permissions themselves are the body; those that it does not name stay. Or `scopes`."""

    scopes = ScopesField(required=False)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if "scopes" in data and len(data) > 1:
            raise serializers.ValidationError({"scopes": ["Send permissions or scopes, not both"]})
        return data


def scopes_of(wanted: dict[str, Any]) -> tuple[list[str], list[str]]:
    """What permissions (or exact `scopes`) grant, and what they withdraw."""
    if "scopes" in wanted:
        return wanted["scopes"], sorted(set(SCOPES) - set(wanted["scopes"]))
    grant = [scope for word, allowed in wanted.items() if allowed for scope in PERMISSIONS[word]]
    every = [scope for word in wanted for scope in PERMISSIONS[word]]
    return sorted(grant), sorted(set(every) - set(grant))


class ApiKeySerializer(serializers.ModelSerializer):
    """`permissions` has a word when the key has all that it stands for; `scopes` is exact."""

    class Meta:
        model = ApiKey
        fields: list[str] = []

    def to_representation(self, key: ApiKey) -> dict[str, Any]:
        scopes = set(key.scopes)
        return {
            "id": key.pk,
            "user_id": key.created_by_id,
            "name": key.name,
            "key_prefix": key.prefix,
            "last_used_at": instant(key.last_used_at),
            "usage_count": None,  # not counted: it would cost a write for every request
            "is_active": key.is_usable,
            "permissions": {word: needed <= scopes for word, needed in PERMISSIONS.items()},
            "scopes": sorted(scopes),
            "rate_limit": {kind: settings.THROTTLE_RATES[kind] for kind in KINDS},
            "expires_at": instant(key.expires_at),
            "revoked_at": instant(key.revoked_at),
            "created_at": instant(key.created_at),
            "updated_at": instant(key.updated_at),
        }


def me(actor: Actor, organization: Organization) -> dict[str, Any]:
    """The person who asks, or whose key it is; a key made by a command is nobody's."""
    user = actor.user
    member = user and Membership.objects.filter(organization=organization, user=user).first()
    first, _, last = (user.full_name if user else "").partition(" ")
    return {
        "id": user and user.pk,
        "organization_id": organization.pk,
        "organization_name": organization.name,
        "email": user and user.email,
        "first_name": first or None,
        "last_name": last or None,
        "full_name": user.full_name or None if user else None,
        "role": member and member.role,
        "scopes": sorted(actor.scopes_in(organization)),
        "api_key_id": actor.api_key and actor.api_key.pk,
        "is_active": user.is_active if user else True,
        "is_verified": True,  # staff make the logins: none waits for a confirmation
        "created_at": instant(user.date_joined) if user else None,
    }
