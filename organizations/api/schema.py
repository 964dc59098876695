"""What the API's documentation says of people's and keys' endpoints (see `burki.openapi`)."""

from functools import partial
from typing import Any

from burki.errors import InvalidRequest, NotFound
from burki.openapi import Operation, paging, parameter, refused, wrong_limit
from burki.paging import ArrayPagination
from organizations.api import answers
from organizations.api.serializers import (
    DEFAULT_SCOPES,
    ApiKeyChange,
    ApiKeyRequest,
    KeyName,
)
from organizations.permissions import EVERYTHING

_operation = partial(Operation, tag="API keys")
_ID = parameter("path", "key_id", {"type": "string"}, example="7")
_WHEN = "2024-01-15T10:30:00Z"
_KEY: dict[str, Any] = {
    "id": 7,
    "user_id": 1,
    "name": "production",
    "key_prefix": "burki_brr7r2",
    "last_used_at": _WHEN,
    "usage_count": None,
    "is_active": True,
    "permissions": {"read": True, "write": True, "admin": False},
    "scopes": sorted(DEFAULT_SCOPES),
    "rate_limit": {"purchase": "60/min", "search": "120/min", "default": "1200/min"},
    "expires_at": None,
    "revoked_at": None,
    "created_at": _WHEN,
    "updated_at": _WHEN,
}
_NOT_FOUND = NotFound("API key 7 not found")

ME = {
    "retrieve": _operation(
        summary="Who I am",
        answer=answers.MeAnswer,
        examples={
            "A person": {
                "id": 1,
                "organization_id": 1,
                "organization_name": "Acme",
                "email": "ada@example.com",
                "first_name": "Ada",
                "last_name": "Lovelace",
                "full_name": "Ada Lovelace",
                "role": "owner",
                "scopes": sorted(EVERYTHING),
                "api_key_id": None,
                "is_active": True,
                "is_verified": True,
                "created_at": _WHEN,
            }
        },
    ),
}

API_KEYS = {
    "list": _operation(
        summary="The organization's API keys",
        description="A bare array, newest first, revoked ones too.",
        parameters=paging(ArrayPagination),
        answer=answers.ApiKeyAnswer(many=True),
        examples={"One key": [_KEY]},
        headers={200: ["Link"]},
        errors=[wrong_limit(ArrayPagination)],
    ),
    "create": _operation(
        summary="Make an API key",
        description="Its text is in this answer and nowhere else. Nobody grants what they may not "
        "do themselves.",
        request=ApiKeyRequest,
        request_examples={
            "With permissions": {"name": "production", "permissions": {"read": True}},
            "With scopes": {"name": "dashboard", "scopes": ["numbers:read"]},
        },
        answer=answers.NewApiKeyAnswer,
        status=201,
        examples={
            "A key": {
                "api_key": _KEY | {"last_used_at": None},
                "key": "burki_brr7r2" + "0" * 26,
            }
        },
        errors=[
            refused(ApiKeyRequest, {"name": ""}),
            refused(ApiKeyRequest, {"name": "x", "permissions": {}}),
        ],
    ),
    "update": _operation(
        summary="Rename an API key, or change what it may",
        description="The body is the permissions; those that it does not name stay.",
        parameters=[
            _ID,
            parameter("query", "name", KeyName().fields["name"].schema, "The new name."),
        ],
        request=ApiKeyChange,
        request_examples={"No more writing": {"write": False}},
        answer=answers.ApiKeyAnswer,
        examples={"A key": _KEY},
        errors=[
            refused(ApiKeyChange, {"read": "yes"}),
            InvalidRequest("An API key needs at least one permission; to end it, delete it."),
            _NOT_FOUND,
        ],
    ),
    "destroy": _operation(
        summary="Revoke an API key",
        description="At once and for ever; doing it again changes nothing.",
        parameters=[_ID],
        answer=answers.RevokedAnswer,
        examples={
            "Revoked": {
                "success": True,
                "message": "API key production revoked successfully",
                "data": None,
            }
        },
        errors=[_NOT_FOUND],
    ),
}
