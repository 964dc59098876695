"""Buying many numbers: ask, watch, cancel. The worker buys."""

from typing import Any

from django.urls import reverse
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from burki.errors import NotFound
from burki.fields import (
    MoneyField,
    ProviderField,
    StrictField,
    StrictInteger,
    validated,
)
from burki.paging import KeysetPagination
from burki.text import instant
from numbers.api.fields import AssistantIdField, FriendlyNameField
from numbers.api.idempotency import as_uuid, idempotency_key
from numbers.api.serializers import SearchRequest
from numbers.e164 import is_e164
from numbers.models import BulkItem, BulkPurchase
from numbers.services import bulk
from numbers.services.search import clean_criteria
from numbers.services.spending import money
from organizations.permissions import NUMBERS_PURCHASE, NUMBERS_READ


class PhoneNumbersField(StrictField):
    message = f"phone_numbers must be a list of 1 to {bulk.QUANTITY_MAX} E.164 numbers"

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


class BulkViewSet(GenericViewSet):
    """Bulk purchases of the organization."""

    pagination_class = KeysetPagination
    required_scopes = {
        "create": NUMBERS_PURCHASE,
        "list": NUMBERS_READ,
        "retrieve": NUMBERS_READ,
        "items": NUMBERS_READ,
        "cancel": NUMBERS_PURCHASE,
    }
    throttle_scopes = {"create": "purchase"}

    def create(self, request) -> Response:
        """SPENDS MONEY, later: the worker buys the numbers one by one. 202, and where to look."""
        wanted = validated(BulkRequest, request.data)
        asked = bulk.ask_for_many(
            actor=request.user,
            organization=request.organization,
            idempotency_key=idempotency_key(request),
            **wanted,
        )
        response = Response(_told(asked.bulk), status=202)
        prefix = "v1:" if request.path.startswith("/api/v1/") else ""
        where = reverse(f"{prefix}bulk-purchase-detail", kwargs={"pk": str(asked.bulk.pk)})
        response["Location"] = request.build_absolute_uri(where)
        if asked.replayed:
            response["Idempotent-Replayed"] = "true"
        return response

    def list(self, request) -> Response:
        """Newest first."""
        rows = BulkPurchase.objects.filter(organization=request.organization)
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(BulkSerializer(page, many=True).data)

    def retrieve(self, request, pk: str) -> Response:
        """How far it is."""
        return Response(_told(self._bulk(pk)))

    @action(detail=True, methods=["get"], url_path="numbers")
    def items(self, request, pk: str) -> Response:
        """Each number that was tried or waits, the last one first."""
        rows = self._bulk(pk).items.select_related("purchase")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(ItemSerializer(page, many=True).data)

    @action(detail=True, methods=["post"])
    def cancel(self, request, pk: str) -> Response:
        """Buy no more; what was bought stays."""
        return Response(_told(bulk.cancel(actor=request.user, bulk=self._bulk(pk))))

    def _bulk(self, pk: str) -> BulkPurchase:
        row = BulkPurchase.objects.filter(
            organization=self.request.organization, pk=as_uuid(pk)
        ).first()
        if row is None:
            raise NotFound(f"Bulk purchase {pk} not found")
        return row


def _told(row: BulkPurchase) -> dict[str, Any]:
    progress = bulk.progress(row)
    return BulkSerializer(row).data | {"progress": progress | {"cost": money(progress["cost"])}}
