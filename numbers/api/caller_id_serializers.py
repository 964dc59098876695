"""Requests and answers about verified caller ids."""

from typing import Any

from rest_framework import serializers

from burki.text import instant
from numbers.api.fields import FormE164Field, FriendlyNameField
from numbers.models import VerifiedCallerId


class CallerIdRequest(serializers.Serializer):
    phone_number = FormE164Field()
    friendly_name = FriendlyNameField(required=False, allow_null=True, default=None)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        return data | {"friendly_name": data["friendly_name"] or ""}


def caller_id_item(row: VerifiedCallerId) -> dict[str, Any]:
    """In the form of a number of the inventory, which it is not: it can be called from, and that
    is all."""
    return {
        "id": row.pk,
        "phone_number": row.phone_number,
        "friendly_name": row.friendly_name or None,
        "provider": "twilio",
        "provider_number_id": row.provider_id,
        "twilio_sid": row.provider_id,
        "provider_account_id": row.account_id,
        "is_active": True,
        "is_verified_caller_id": True,
        "capabilities": {"voice": True, "sms": False, "mms": False, "fax": False},
        "sip_trunk_id": None,
        "allowed_country_codes": None,
        "assistant": None,
        "flow": None,
        "created_at": instant(row.created_at),
        "updated_at": instant(row.updated_at),
    }
