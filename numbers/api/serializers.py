"""What requests look like, and what rows look like in answers."""

from typing import Any

from rest_framework import serializers

from burki.api import error_body
from burki.fields import (
    MoneyField,
    ProviderField,
    StrictBoolean,
    StrictInteger,
    optional_text,
)
from burki.text import instant
from numbers.api.fields import AssistantIdField, E164Field, FriendlyNameField
from numbers.models import PhoneNumber, Purchase, Release
from numbers.services.deciding import BOUGHT, NOT_BOUGHT, REASON_MAX
from numbers.services.preview import Preview
from numbers.services.requests import ATTEMPTS_MAX, Fallback
from numbers.services.search import ALL, LIMIT_MAX, Found
from numbers.services.spending import money


class FallbackRequest(serializers.Serializer):
    """Which other numbers may be bought instead."""

    same_area_code = StrictBoolean(required=False, default=False)
    same_region = StrictBoolean(required=False, default=False)
    other_provider = StrictBoolean(required=False, default=False)
    max_monthly_cost = MoneyField(required=False, allow_null=True, default=None)
    attempts = StrictInteger(
        least=1,
        most=ATTEMPTS_MAX,
        message=f"fallback.attempts must be an integer between 1 and {ATTEMPTS_MAX}",
        required=False,
        default=3,
    )


class PurchaseRequest(serializers.Serializer):
    """Provider first, then the number: that is the order in which errors are told."""

    provider = ProviderField()
    phone_number = E164Field()
    assistant_id = AssistantIdField(required=False, allow_null=True, default=None)
    friendly_name = FriendlyNameField(required=False, allow_null=True, default=None)
    max_monthly_cost = MoneyField(required=False, allow_null=True, default=None)
    max_setup_cost = MoneyField(required=False, allow_null=True, default=None)
    fallback = FallbackRequest(required=False, allow_null=True, default=None)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        fallback = data["fallback"] and Fallback(**data["fallback"])
        return data | {"friendly_name": data["friendly_name"] or "", "fallback": fallback}


class SearchRequest(serializers.Serializer):
    """All optional; the meaning of each is checked by `clean_criteria`."""

    provider = ProviderField(
        words=("twilio", "telnyx", ALL), required=False, allow_null=True, default="telnyx"
    )
    country_code = optional_text(2, "country_code must be a two-letter country code (e.g., US)")
    area_code = optional_text(6, 'area_code must be a string of digits (e.g., "415")')
    contains = optional_text(17, "contains must be a string of 2 to 16 digits or letters")
    locality = optional_text(100, "locality must be text of at most 100 characters")
    region = optional_text(100, "region must be text of at most 100 characters")
    number_type = optional_text(20, "number_type must be local, toll_free or mobile")
    limit = StrictInteger(
        least=1,
        most=LIMIT_MAX,
        message=f"limit must be an integer between 1 and {LIMIT_MAX}",
        required=False,
        allow_null=True,
    )

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        """Null and "" mean "not given"."""
        return {name: value for name, value in data.items() if value not in (None, "")}


def found_number(found: Found) -> dict[str, Any]:
    """A number for sale, readable by the documentation's clients and by the SDK's."""
    number = found.number
    monthly, setup = money(number.price.monthly), money(number.price.setup)
    return {
        "phone_number": number.phone_number,
        "friendly_name": number.phone_number,
        "locality": number.locality or None,
        "region": number.region or None,
        "country_code": number.country,
        "iso_country": number.country,
        "number_type": number.number_type,
        "capabilities": number.capabilities,
        "cost": monthly,
        "monthly_cost": monthly,
        "setup_cost": setup,
        "currency": number.price.currency or None,
        "provider": found.provider,
    }


class SettleRequest(serializers.Serializer):
    """Without a decision: look. With one: decide, and say why."""

    decision = serializers.ChoiceField(choices=[BOUGHT, NOT_BOUGHT], required=False)
    reason = optional_text(REASON_MAX, f"reason must be text of at most {REASON_MAX} characters")


class ReleaseRequest(serializers.Serializer):
    phone_number = E164Field()
    provider = ProviderField(required=False, allow_null=True, default=None)


class ProofRequest(serializers.Serializer):
    """The provider is needed only for a number that the organization has at both."""

    provider = ProviderField(required=False, allow_null=True, default=None)


class PhoneNumberSerializer(serializers.ModelSerializer):
    """A number of the inventory. `twilio_sid` is the provider's id for both providers: that is
    the name under which existing clients read it."""

    class Meta:
        model = PhoneNumber
        fields: list[str] = []

    def to_representation(self, number: PhoneNumber) -> dict[str, Any]:
        assistant = number.assistant
        # A purchase assigns without saying when.
        since = number.assigned_at or number.purchased_at or number.created_at
        assigned_at = since if assistant else None
        return {
            "id": number.pk,
            "phone_number": number.phone_number,
            "friendly_name": number.friendly_name,
            "provider": number.provider,
            "status": number.status,
            "is_active": number.status == PhoneNumber.Status.ACTIVE,
            "provider_number_id": number.provider_number_id,
            "twilio_sid": number.provider_number_id,
            "provider_account_id": number.account_id,
            "capabilities": number.capabilities,
            "country_code": number.country or None,
            "region": number.region or None,
            "locality": number.locality or None,
            "number_type": number.number_type,
            "monthly_cost": money(number.monthly_cost),
            "setup_cost": money(number.setup_cost),
            "currency": number.currency or None,
            "assistant": assistant
            and {"id": assistant.pk, "name": assistant.name, "is_active": assistant.is_active},
            "assistant_id": number.assistant_id,
            "voice_url": number.voice_url or None,
            "sms_url": number.sms_url or None,
            "connection_id": number.connection_id or None,
            "messaging_profile_id": number.messaging_profile_id or None,
            # The customer's own address for calls, in place of the assistant.
            "voice_webhook_url": number.voice_webhook_url or None,
            "sms_enabled": not number.sms_disabled,
            "is_verified_caller_id": False,
            "webhook_check": _webhook_check(number),
            # Existing clients know these; there are none here.
            "sip_trunk_id": None,
            "allowed_country_codes": None,
            "flow": None,
            "assigned_at": instant(assigned_at),
            "purchased_at": instant(number.purchased_at),
            "released_at": instant(number.released_at),
            "last_activity_at": instant(number.last_activity_at),
            "created_at": instant(number.created_at),
            "updated_at": instant(number.updated_at),
        }


def _webhook_check(number: PhoneNumber) -> dict[str, Any] | None:
    """Whether the provider was last seen to have the number as it should be; `verdict` is null as
    long as nobody looked. Null for a number that is not in service."""
    if number.status != PhoneNumber.Status.ACTIVE:
        return None
    return {
        "verdict": number.webhook_verdict or None,
        "checked_at": instant(number.webhook_checked_at),
        "verified_at": instant(number.webhook_verified_at),
        "detail": number.webhook_detail or None,
        "differences": number.webhook_differences,
    }


class PurchaseSerializer(serializers.ModelSerializer):
    """The record of one attempt to buy, refused ones too."""

    class Meta:
        model = Purchase
        fields: list[str] = []

    def to_representation(self, purchase: Purchase) -> dict[str, Any]:
        return {
            "id": str(purchase.pk),
            "state": purchase.state,
            "charged": purchase.charged,
            "phone_number": purchase.phone_number,
            "provider": purchase.provider,
            "assistant_id": purchase.request.get("assistant_id"),
            "friendly_name": purchase.request.get("friendly_name") or None,
            "made_by": purchase.actor_label,
            "monthly_cost": money(purchase.monthly_cost),
            "setup_cost": money(purchase.setup_cost),
            "currency": purchase.currency or None,
            "purchase_details": purchase.details or None,
            "refusal": _refusal(purchase),
            "needs_attention": purchase.attention_reason or None,
            "claimed_at": instant(purchase.claimed_at),
            "recorded_at": instant(purchase.recorded_at),
            "next_look_at": instant(purchase.next_look_at),
        }


def _refusal(purchase: Purchase) -> dict[str, Any] | None:
    if purchase.state != Purchase.State.REFUSED:
        return None
    return {
        "code": purchase.refusal_code,
        "evidence": purchase.evidence,
        "provider_code": purchase.provider_code or None,
        "hint": purchase.hint or None,
        "retryable": purchase.retryable,
    }


# PostgreSQL's jsonb forgets the order of keys; readers of the documentation do not.
_DETAILS = {
    "twilio": ("sid", "friendly_name", "voice_url", "sms_url", "capabilities", "date_created"),
    "telnyx": ("id", "phone_number", "status", "connection_id", "date_created"),
}


def purchase_answer(purchase: Purchase) -> dict[str, Any]:
    """The 200 of a purchase: exactly the specification's fields and sentences."""
    number, provider = purchase.phone_number, purchase.provider
    if purchase.state == Purchase.State.COMPLETED:
        message = f"Successfully purchased phone number {number} from {provider}"
    else:
        message = f"Order for phone number {number} accepted by {provider}, activation pending"
    answer = {
        "success": True,
        "phone_number": number,
        "provider": provider,
        "purchase_details": {name: purchase.details[name] for name in _DETAILS[provider]},
        "message": message,
    }
    return answer | attempts(purchase)


def attempts(purchase: Purchase) -> dict[str, Any]:
    """What a purchase with fallback adds to its answer: the number asked for, and each tried."""
    if purchase.fallback is None:
        return {}
    return {
        "requested_phone_number": purchase.fallback.requested_phone_number,
        "attempts": [
            {
                "phone_number": tried.phone_number,
                "provider": tried.provider,
                "state": tried.state,
                "code": tried.refusal_code or None,
                "purchase_id": str(tried.pk),
            }
            for tried in purchase.fallback.attempts.order_by("attempt")
        ],
    }


def release_answer(release: Release) -> dict[str, Any]:
    """The 200 of a release."""
    number, provider = release.number.phone_number, release.number.provider
    return {
        "success": True,
        "phone_number": number,
        "provider": provider,
        "message": f"Successfully released phone number {number} from {provider}",
    }


def preview_answer(preview: Preview) -> dict[str, Any]:
    """What a purchase would do. `allowed` is false when `problem` would stop it."""
    price, limits, route = preview.price, preview.limits, preview.routing
    once = (price.setup or 0) + price.monthly if price.monthly is not None else None
    assistant = preview.assistant
    return {
        "success": True,
        "phone_number": preview.phone_number,
        "provider": preview.provider,
        "allowed": preview.problem is None,
        "problem": error_body(preview.problem) if preview.problem else None,
        "price": {
            "due_now": money(once),
            "monthly_cost": money(price.monthly),
            "setup_cost": money(price.setup),
            "currency": price.currency or None,
        },
        "limit": {
            "monthly_limit": money(limits.monthly_limit),
            "committed": money(limits.committed),
            "left_after": money(limits.left_after),
            "currency": limits.currency,
            "number_limit": limits.number_limit,
            "numbers_after": limits.numbers_after,
        },
        "provider_account": {
            "id": preview.account.pk,
            "label": str(preview.account),
            "level": preview.account_level,
        },
        "webhooks": {
            "voice_url": route.voice_url or None,
            "sms_url": route.sms_url or None,
            "connection_id": route.connection_id or None,
            "messaging_profile_id": route.messaging_profile_id or None,
        },
        "assistant": assistant
        and {"id": assistant.pk, "name": assistant.name, "ready": preview.assistant_ready},
        "warnings": preview.warnings,
    }
