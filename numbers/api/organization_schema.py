"""What the API's documentation says of the endpoints of organizations and their provider accounts
(see `burki.openapi`)."""

from functools import partial
from typing import Any

from burki.errors import BurkiError, NotFound
from burki.openapi import Operation, page, page_of, paging, parameter, refused, wrong_limit
from burki.paging import KeysetPagination
from numbers import exceptions as errors
from numbers.api import organization_answers as answers
from numbers.api.organization_serializers import (
    OrganizationRequest,
    ProviderAccountRequest,
    TelnyxCredentials,
    TwilioCredentials,
)
from numbers.api.schema import OF_ACCOUNTS, failed

_operation = partial(Operation, tag="Organization")
_ID = parameter("path", "account_id", {"type": "string"}, example="2")
_WHEN = "2024-01-15T10:30:00Z"
_ORGANIZATION: dict[str, Any] = {
    "id": 1,
    "name": "Acme",
    "slug": "acme",
    "description": None,
    "domain": "acme.example.com",
    "is_active": True,
    "settings": {},
    "api_keys": {"openai": "…x7Qz"},
    "twilio_account_sid": "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "twilio_auth_token": "…7f3a",
    "telnyx_api_key": "…abcd",
    "telnyx_connection_id": "1234567890",
    "telnyx_messaging_profile_id": None,
    "telnyx_public_key": None,
    "monthly_limit": "50.00",
    "limit_currency": "USD",
    "number_limit": None,
    "created_at": _WHEN,
    "updated_at": _WHEN,
}
_ACCOUNT: dict[str, Any] = {
    "id": 2,
    "provider": "telnyx",
    "name": "Telnyx (organization)",
    "label": "",
    "account_sid": None,
    "secret": "…abcd",
    "connection_id": "1234567890",
    "messaging_profile_id": None,
    "is_default": True,
    "is_active": True,
    "balance": "42.50",
    "currency": "USD",
    "low_balance_threshold": "10.00",
    "low_balance": False,
    "last_checked_at": _WHEN,
    "last_check": {
        "ok": True,
        "status": "active",
        "friendly_name": None,
        "may_order": True,
        "problem": None,
        "code": None,
        "connection": {"id": "1234567890", "usable": True, "problem": None},
        "messaging_profile": None,
        "public_key": {
            "id": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
            "usable": True,
            "problem": None,
        },
    },
    "warnings": [],
    "created_at": _WHEN,
    "updated_at": _WHEN,
}
_CONFIGURED = {
    "configured": True,
    "source": "organization",
    "provider_account_id": 2,
    "label": "Telnyx (organization)",
    "is_active": True,
    "low_balance": False,
    "last_checked_at": _WHEN,
    "warnings": [],
}
_NOTHING = dict.fromkeys(_CONFIGURED) | {"configured": False, "warnings": []}
_VALID = {"valid": True, "error": None, "friendly_name": "Acme", "warning": None}
_HINT = "Check the Telnyx API key: it is wrong, expired or revoked."
_NOT_FOUND = NotFound("Provider account 2 not found")


def _not_asked(provider: str) -> list[BurkiError]:
    """The provider could not tell."""
    told = failed(errors.ProviderRefused, "", OF_ACCOUNTS)
    return [errors.CheckFailed.because_of(provider, error) for error in told]


def _validation(provider: str, hint: str, request: type, body: dict[str, Any]) -> Operation:
    return _operation(
        summary=f"Try {provider} credentials",
        description=f"Whether {provider} accepts them; a real call. Nothing is stored.",
        request=request,
        request_examples={"Credentials": body},
        answer=answers.ValidationAnswer,
        examples={
            "Valid": _VALID,
            "Refused": _VALID
            | {
                "valid": False,
                "error": f"{provider} refused these credentials. {hint}",
                "friendly_name": None,
            },
        },
        errors=[refused(request, {}), *_not_asked(provider)],
    )


ORGANIZATION = {
    "retrieve": _operation(
        summary="The organization",
        answer=answers.OrganizationAnswer,
        examples={"An organization": _ORGANIZATION},
    ),
    "update": _operation(
        summary="Change the organization",
        description="What is given. New credentials are tried at the provider first; what is "
        "shown of a secret leaves it as it is. Limits are the owner's to change.",
        request=OrganizationRequest,
        request_examples={
            "A limit": {"monthly_limit": "50.00"},
            "Telnyx": {"telnyx_api_key": "KEY0123456789", "telnyx_connection_id": "1234567890"},
        },
        answer=answers.OrganizationAnswer,
        examples={"An organization": _ORGANIZATION},
        errors=[
            refused(OrganizationRequest, {"name": ""}),
            errors.CredentialsRefused(
                f"Telnyx refused these credentials. {_HINT}", hint=_HINT, provider_code="10009"
            ),
            *_not_asked("Telnyx"),
        ],
    ),
    "validate_twilio": _validation(
        "Twilio",
        "Check the Twilio account SID and auth token; a suspended account answers this as well.",
        TwilioCredentials,
        {"account_sid": "AC" + "a" * 32, "auth_token": "0123456789abcdef"},
    ),
    "validate_telnyx": _validation(
        "Telnyx", _HINT, TelnyxCredentials, {"api_key": "KEY0123456789"}
    ),
    "configuration_status": _operation(
        summary="Whose credentials would serve",
        description="At each provider, and what is wrong with them. Asks no provider.",
        answer=answers.ConfigurationAnswer,
        examples={
            "Telnyx alone": {
                "is_configured": True,
                "providers": {"twilio": _NOTHING, "telnyx": _CONFIGURED},
            }
        },
    ),
}

PROVIDER_ACCOUNTS = {
    "list": _operation(
        summary="The organization's provider accounts",
        description="Newest first; the platform's are not told of.",
        parameters=paging(KeysetPagination),
        answer=page_of(answers.ProviderAccountAnswer),
        examples={"One account": page(_ACCOUNT)},
        errors=[wrong_limit(KeysetPagination)],
    ),
    "retrieve": _operation(
        summary="One provider account",
        description="With the result of its last check.",
        parameters=[_ID],
        answer=answers.ProviderAccountAnswer,
        examples={"An account": _ACCOUNT},
        errors=[_NOT_FOUND],
    ),
    "partial_update": _operation(
        summary="Change a provider account",
        description="Its label, threshold, whether it is the default, and whether it is in use.",
        parameters=[_ID],
        request=ProviderAccountRequest,
        request_examples={"A threshold": {"low_balance_threshold": "10.00"}},
        answer=answers.ProviderAccountAnswer,
        examples={"An account": _ACCOUNT},
        errors=[refused(ProviderAccountRequest, {"is_active": "yes"}), _NOT_FOUND],
    ),
    "check": _operation(
        summary="Check a provider account",
        description="Asks the provider for balance, status, whether it may order, and whether "
        "connection and profile can be used; the result is kept. Credentials that are refused "
        "are a result as well.",
        parameters=[_ID],
        answer=answers.ProviderAccountAnswer,
        examples={"An account": _ACCOUNT},
        errors=[_NOT_FOUND, *_not_asked("Telnyx")],
    ),
}
