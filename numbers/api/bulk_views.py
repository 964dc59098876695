"""Buying many numbers: ask, watch, cancel. The worker buys."""

from django.urls import reverse
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from burki.errors import NotFound
from burki.fields import validated
from burki.paging import KeysetPagination
from numbers.api import bulk_schema as schema
from numbers.api.bulk_serializers import BulkRequest, BulkSerializer, ItemSerializer, bulk_answer
from numbers.api.idempotency import as_uuid, idempotency_key
from numbers.models import BulkPurchase
from numbers.services import bulk
from organizations.permissions import NUMBERS_PURCHASE, NUMBERS_READ


class BulkViewSet(GenericViewSet):
    """Bulk purchases of the organization."""

    pagination_class = KeysetPagination
    operations = schema.BULK_PURCHASES
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
        response = Response(bulk_answer(asked.bulk), status=202)
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
        return Response(bulk_answer(self._bulk(pk)))

    @action(detail=True, methods=["get"], url_path="numbers")
    def items(self, request, pk: str) -> Response:
        """Each number that was tried or waits, the last one first."""
        rows = self._bulk(pk).items.select_related("purchase")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(ItemSerializer(page, many=True).data)

    @action(detail=True, methods=["post"])
    def cancel(self, request, pk: str) -> Response:
        """Buy no more; what was bought stays."""
        return Response(bulk_answer(bulk.cancel(actor=request.user, bulk=self._bulk(pk))))

    def _bulk(self, pk: str) -> BulkPurchase:
        row = BulkPurchase.objects.filter(
            organization=self.request.organization, pk=as_uuid(pk)
        ).first()
        if row is None:
            raise NotFound(f"Bulk purchase {pk} not found")
        return row
