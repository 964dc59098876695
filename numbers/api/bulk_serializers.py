"""Bulk purchases, as requests and answers have them."""

from typing import Any

from rest_framework import serializers

from burki.fields import MoneyField, ProviderField, StrictField, StrictInteger
from burki.text import instant
from numbers.api.fields import AssistantIdField, FriendlyNameField
from numbers.api.serializers import SearchRequest
from numbers.e164 import E164, is_e164
from numbers.models import BulkItem, BulkPurchase
from numbers.services import bulk
from numbers.services.search import clean_criteria
from numbers.services.spending import money


class PhoneNumbersField(StrictField):
    message = f"phone_numbers must be a list of 1 to {bulk.QUANTITY_MAX} E.164 numbers"
    schema = {
        "type": "array",
        "minItems": 1,
        "maxItems": bulk.QUANTITY_MAX,
        "items": {"type": "string", "pattern": f"^{E164.pattern}$"},
    }

    def is_right(self, value: Any) -> bool:
        return (
            isinstance(value, list)
            and 1 <= len(value) <= bulk.QUANTITY_MAX
            and all(is_e164(number) for number in value)
        )


class BulkRequest(serializers.Serializer):
    """Either `criteria` (as in a search) and a `quantity`, or `phone_numbers`."""

    provider = ProviderField()
    criteria = SearchRequest(required=False, allow_null=True, default=None)
    phone_numbers = PhoneNumbersField(required=False, allow_null=True, default=None)
    quantity = StrictInteger(
        least=1,
        most=bulk.QUANTITY_MAX,
        message=f"quantity must be an integer between 1 and {bulk.QUANTITY_MAX}",
        required=False,
        allow_null=True,
        default=None,
    )
    assistant_id = AssistantIdField(required=False, allow_null=True, default=None)
    friendly_name = FriendlyNameField(required=False, allow_null=True, default=None)
    max_total_cost = MoneyField(required=False, allow_null=True, default=None)
    max_monthly_cost = MoneyField(required=False, allow_null=True, default=None)
    max_setup_cost = MoneyField(required=False, allow_null=True, default=None)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        criteria, numbers = data["criteria"], data["phone_numbers"]
        if data["quantity"] is None:
            if not numbers:
                raise serializers.ValidationError({"quantity": "quantity is required"})
            data["quantity"] = len(numbers)
        if criteria is not None:
            criteria.pop("provider", None)
            data["criteria"] = clean_criteria(**criteria)
        return data | {"friendly_name": data["friendly_name"] or ""}


class BulkSerializer(serializers.BaseSerializer):
    def to_representation(self, row: BulkPurchase) -> dict[str, Any]:
        return {
            "id": str(row.pk),
            "state": row.state,
            "provider": row.provider,
            "quantity": row.quantity,
            "request": row.request,
            "reason": {"code": row.reason_code, "detail": row.reason} if row.reason else None,
            "created_at": instant(row.created_at),
            "ended_at": instant(row.ended_at),
        }


class ItemSerializer(serializers.BaseSerializer):
    def to_representation(self, item: BulkItem) -> dict[str, Any]:
        purchase = item.purchase
        return {
            "id": item.pk,
            "phone_number": item.phone_number,
            "outcome": item.outcome,
            "code": (purchase.refusal_code if purchase else item.code) or None,
            "detail": (purchase.hint if purchase else item.detail) or None,
            "purchase_id": str(purchase.pk) if purchase else None,
        }


def bulk_answer(row: BulkPurchase) -> dict[str, Any]:
    progress = bulk.progress(row)
    told = {"cost": money(progress["cost"]), "paused_until": instant(row.pause)}
    return BulkSerializer(row).data | {"progress": progress | told}
