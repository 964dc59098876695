"""An organization and its provider accounts, as requests and answers have them."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from burki.fields import (
    JSONObjectField,
    MoneyField,
    PatternField,
    StrictBoolean,
    StrictField,
    StrictInteger,
    TextField,
    optional_text,
)
from burki.text import instant, money
from numbers.services.checking import account_warnings
from numbers.services.organization_settings import Configuration, shown_credentials
from numbers.services.proving import Proven
from organizations.models import Organization, ProviderAccount
from organizations.services import shown_keys

_SETTINGS_MAX = 64_000  # bytes
_KEYS_MAX = 50


class ApiKeysField(StrictField):
    """Other services' keys: names with texts; null removes one."""

    message = (
        f"api_keys must be an object of at most {_KEYS_MAX} names, each with a text of 1 to 500 "
        "characters, or null to remove it"
    )
    schema = {
        "type": "object",
        "maxProperties": _KEYS_MAX,
        "additionalProperties": {"type": ["string", "null"], "minLength": 1, "maxLength": 500},
    }
    _name = TextField(most=100, message=message)
    _key = TextField(most=500, message=message)

    def is_right(self, value: Any) -> bool:
        return (
            isinstance(value, dict)
            and len(value) <= _KEYS_MAX
            and all(name.strip() and self._name.is_right(name) for name in value)
            and all(
                key is None or (self._key.is_right(key) and key.strip()) for key in value.values()
            )
        )


class OrganizationRequest(serializers.Serializer):
    """All optional. Null leaves as it is; of the limits alone it means "no limit"."""

    name = TextField(
        least=1,
        most=100,
        message="name must be text of 1 to 100 characters",
        required=False,
        allow_null=True,
    )
    description = optional_text(
        2000, "description must be text of at most 2000 characters", lines=True
    )
    domain = PatternField(
        r"(?=.{0,253}\Z)(?:[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*)?",
        message="domain must be a host name (e.g., example.com)",
        required=False,
        allow_null=True,
    )
    settings = JSONObjectField(most=_SETTINGS_MAX, required=False, allow_null=True)
    api_keys = ApiKeysField(required=False, allow_null=True)
    twilio_account_sid = optional_text(100, "twilio_account_sid must be text")
    twilio_auth_token = optional_text(300, "twilio_auth_token must be text")
    telnyx_api_key = optional_text(300, "telnyx_api_key must be text")
    telnyx_connection_id = optional_text(100, "telnyx_connection_id must be text")
    telnyx_messaging_profile_id = optional_text(100, "telnyx_messaging_profile_id must be text")
    telnyx_public_key = optional_text(100, "telnyx_public_key must be text")
    monthly_limit = MoneyField(required=False, allow_null=True)
    number_limit = StrictInteger(
        least=0,
        most=1_000_000,
        message="number_limit must be an integer between 0 and 1000000",
        required=False,
        allow_null=True,
    )

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        limits = ("monthly_limit", "number_limit")
        return {name: value for name, value in data.items() if value is not None or name in limits}


class TwilioCredentials(serializers.Serializer):
    account_sid = TextField(most=100, message="account_sid must be text")
    auth_token = TextField(most=300, message="auth_token must be text")


class TelnyxCredentials(serializers.Serializer):
    api_key = TextField(most=300, message="api_key must be text")
    connection_id = optional_text(100, "connection_id must be text")


class ProviderAccountRequest(serializers.Serializer):
    label = TextField(most=100, message="label must be text of at most 100 characters",
                      required=False)  # fmt: skip
    low_balance_threshold = MoneyField(required=False, allow_null=True)
    is_default = StrictBoolean(required=False)
    is_active = StrictBoolean(required=False)


def organization_answer(organization: Organization) -> dict[str, Any]:
    """Of every secret the last four characters."""
    return {
        "id": organization.pk,
        "name": organization.name,
        "slug": organization.slug,
        "description": organization.description or None,
        "domain": organization.domain or None,
        "is_active": organization.is_active,
        "settings": organization.settings,
        "api_keys": shown_keys(organization),
        **shown_credentials(organization),
        "monthly_limit": money(organization.monthly_limit),
        "limit_currency": organization.limit_currency,
        "number_limit": organization.number_limit,
        "created_at": instant(organization.created_at),
        "updated_at": instant(organization.updated_at),
    }


def validation_answer(proven: Proven) -> dict[str, Any]:
    """Credentials that open an account, which may yet have a problem of its own."""
    return {
        "valid": True,
        "error": None,
        "friendly_name": proven.standing.friendly_name or None,
        "warning": proven.standing.problem or None,
    }


def invalid_answer(sentence: str) -> dict[str, Any]:
    return {"valid": False, "error": sentence, "friendly_name": None, "warning": None}


def configuration_answer(found: list[Configuration]) -> dict[str, Any]:
    return {
        "is_configured": any(one.configured for one in found),
        "providers": {one.provider: _configured(one) for one in found},
    }


def _configured(one: Configuration) -> dict[str, Any]:
    account = one.account
    return {
        "configured": one.configured,
        "source": one.source and str(one.source),
        "provider_account_id": account and account.pk,
        "label": account and str(account),
        "is_active": account.is_active if account else None,
        "low_balance": account.low_balance if account else None,
        "last_checked_at": instant(account.last_checked_at) if account else None,
        "warnings": list(one.warnings),
    }


class ProviderAccountSerializer(serializers.ModelSerializer):
    class Meta:
        model = ProviderAccount
        fields: list[str] = []

    def to_representation(self, account: ProviderAccount) -> dict[str, Any]:
        seen: Mapping[str, Any] = account.last_check
        return {
            "id": account.pk,
            "provider": account.provider,
            "name": str(account),
            "label": account.label,
            "account_sid": account.account_sid or None,
            "secret": account.secret_hint or None,
            "connection_id": account.connection_id or None,
            "messaging_profile_id": account.messaging_profile_id or None,
            "is_default": account.is_default,
            "is_active": account.is_active,
            "balance": seen.get("balance"),
            "currency": seen.get("currency"),
            "low_balance_threshold": money(account.low_balance_threshold),
            "low_balance": account.low_balance,
            "last_checked_at": instant(account.last_checked_at),
            "last_check": _told(seen),
            "warnings": account_warnings(account),
            "created_at": instant(account.created_at),
            "updated_at": instant(account.updated_at),
        }


# PostgreSQL's jsonb forgets the order of keys; readers do not.
_CHECK = ("ok", "status", "friendly_name", "may_order", "problem", "code", "connection",
          "messaging_profile", "public_key")  # fmt: skip


def _told(seen: Mapping[str, Any]) -> dict[str, Any] | None:
    """The last check; null if there was none."""
    return {name: seen.get(name) for name in _CHECK} if seen else None
