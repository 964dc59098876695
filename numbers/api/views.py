"""The phone-number endpoints, served under `/` and `/api/v1/` alike."""

import logging
from typing import Any

from django.conf import settings
from django.db.models import Case, IntegerField, Value, When
from django.urls import reverse
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from burki.api import exception_handler
from burki.db import release_connection
from burki.errors import BurkiError, NotFound, Unavailable
from burki.fields import validated
from burki.filters import filtered
from burki.paging import KeysetPagination
from burki.turns import Turns
from numbers.api import schema
from numbers.api.assignment_serializers import ChangeRequest
from numbers.api.idempotency import as_uuid, idempotency_key
from numbers.api.serializers import (
    PhoneNumberSerializer,
    PurchaseRequest,
    PurchaseSerializer,
    ReleaseRequest,
    SearchRequest,
    SettleRequest,
    attempts,
    found_number,
    preview_answer,
    purchase_answer,
    release_answer,
)
from numbers.exceptions import NumberNotFound, PurchaseError
from numbers.filters import PhoneNumberFilter, PurchaseFilter
from numbers.models import PhoneNumber, Purchase
from numbers.services.assigning import update_number
from numbers.services.deciding import decide, look_by_hand
from numbers.services.lookup import live_number
from numbers.services.preview import preview_purchase
from numbers.services.purchase import purchase_number
from numbers.services.release import release_number
from numbers.services.search import ALL, SearchResult, clean_criteria, search_numbers
from organizations.permissions import (
    NUMBERS_PURCHASE,
    NUMBERS_READ,
    NUMBERS_RELEASE,
    NUMBERS_WRITE,
    ORGANIZATION_ADMIN,
)

logger = logging.getLogger(__name__)

_PURCHASES = Turns(settings.PURCHASE_TURNS)


class PhoneNumberViewSet(GenericViewSet):
    """Search, buy, release, and the inventory with the record of purchases."""

    pagination_class = KeysetPagination
    serializer_class = PhoneNumberSerializer
    lookup_field = "phone_number"
    lookup_value_regex = "[^/]+"
    required_scopes = {
        "search": NUMBERS_PURCHASE,
        "purchase": NUMBERS_PURCHASE,
        "purchase_preview": NUMBERS_PURCHASE,
        "release": NUMBERS_RELEASE,
        "list": NUMBERS_READ,
        "retrieve": NUMBERS_READ,
        "partial_update": NUMBERS_WRITE,
        "purchases": NUMBERS_READ,
        "purchase_detail": NUMBERS_READ,
        "settle": ORGANIZATION_ADMIN,
    }
    operations = schema.PHONE_NUMBERS
    throttle_scopes = {
        "search": "search",
        "purchase_preview": "search",
        "purchase": "purchase",
    }

    def dispatch(self, request, *args, **kwargs):
        """Purchases take turns from before the key is looked up, so that no burst of them holds
        the connections that a call's answer needs."""
        if self.action_map.get(request.method.lower()) != "purchase":
            return super().dispatch(request, *args, **kwargs)
        with _PURCHASES.turn():
            response = super().dispatch(request, *args, **kwargs)
            release_connection()
            return response

    @action(detail=False, methods=["post"])
    def search(self, request) -> Response:
        """Numbers for sale at one provider or, with `provider: "all"`, at both."""
        wanted = validated(SearchRequest, request.data)
        provider = wanted.pop("provider", "telnyx")
        result = search_numbers(
            actor=request.user,
            organization=request.organization,
            provider=provider,
            criteria=clean_criteria(**wanted),
        )
        numbers = [found_number(found) for found in result.numbers]
        answer = {
            "success": True,
            "numbers": numbers,
            "total_found": len(numbers),
            "provider": provider,
        }
        if provider == ALL:
            answer["providers"] = _providers(result)
        return Response(answer)

    @action(detail=False, methods=["post"])
    def purchase(self, request) -> Response:
        """SPENDS MONEY. Buy a number and route it to us."""
        wanted = validated(PurchaseRequest, request.data)
        bought = purchase_number(
            actor=request.user,
            organization=request.organization,
            idempotency_key=idempotency_key(request),
            **wanted,
        )
        response = Response(purchase_answer(bought.purchase))
        if bought.replayed:
            response["Idempotent-Replayed"] = "true"
        self._point_at(response, bought.purchase)
        return response

    @action(detail=False, methods=["post"], url_path="purchase/preview")
    def purchase_preview(self, request) -> Response:
        """What the same purchase would do; spends and changes nothing."""
        wanted = validated(PurchaseRequest, request.data)
        wanted.pop("fallback")  # what would be bought instead is not known before
        preview = preview_purchase(actor=request.user, organization=request.organization, **wanted)
        return Response(preview_answer(preview))

    @action(detail=False, methods=["post"])
    def release(self, request) -> Response:
        """Give a number back to its provider."""
        wanted = validated(ReleaseRequest, request.data)
        done = release_number(
            actor=request.user,
            organization=request.organization,
            idempotency_key=idempotency_key(request),
            **wanted,
        )
        response = Response(release_answer(done.release))
        if done.replayed:
            response["Idempotent-Replayed"] = "true"
        return response

    def list(self, request) -> Response:
        """The organization's numbers, newest first."""
        numbers = PhoneNumber.objects.visible_to(request.organization).select_related("assistant")
        return self._page(PhoneNumberFilter, numbers, PhoneNumberSerializer)

    def retrieve(self, request, phone_number: str) -> Response:
        """One number; a released one too, when no newer row has the number."""
        released_last = Case(
            When(status=PhoneNumber.Status.RELEASED, then=Value(1)),
            default=Value(0),
            output_field=IntegerField(),
        )
        number = (
            PhoneNumber.objects.visible_to(request.organization)
            .select_related("assistant")
            .filter(phone_number=phone_number.replace("\0", "\N{REPLACEMENT CHARACTER}"))
            .order_by(released_last, "-pk")
            .first()
        )
        if number is None:
            raise NumberNotFound(phone_number)
        return Response(PhoneNumberSerializer(number).data)

    def partial_update(self, request, phone_number: str) -> Response:
        """Rename the number, or give it to an assistant (0: to none)."""
        wanted = validated(ChangeRequest, request.data)
        number = update_number(
            actor=request.user,
            organization=request.organization,
            number=live_number(request.organization, phone_number),
            **wanted,
        )
        return Response(PhoneNumberSerializer(number).data)

    @action(detail=False, methods=["get"])
    def purchases(self, request) -> Response:
        """Every attempt to buy, newest first."""
        purchases = Purchase.objects.filter(organization=request.organization)
        return self._page(PurchaseFilter, purchases, PurchaseSerializer)

    @action(detail=False, methods=["get"], url_path="purchases/(?P<purchase_id>[^/]+)")
    def purchase_detail(self, request, purchase_id: str) -> Response:
        """One attempt, and its state now: the status URL of an uncertain answer."""
        return Response(PurchaseSerializer(self._purchase(purchase_id)).data)

    @action(detail=False, methods=["post"], url_path="purchases/(?P<purchase_id>[^/]+)/settle")
    def settle(self, request, purchase_id: str) -> Response:
        """Look at the provider for a purchase in doubt now; or decide it, with a reason."""
        purchase = self._purchase(purchase_id)
        wanted = validated(SettleRequest, request.data)
        if "decision" in wanted:
            done = decide(
                actor=request.user,
                purchase=purchase,
                decision=wanted["decision"],
                reason=wanted.get("reason") or "",
            )
            return Response(PurchaseSerializer(done).data)
        seen = look_by_hand(actor=request.user, purchase=purchase)
        told = {"saw": seen.sentence, "choices": seen.choices}
        return Response(PurchaseSerializer(seen.purchase).data | told)

    def _purchase(self, purchase_id: str) -> Purchase:
        purchase = Purchase.objects.filter(
            organization=self.request.organization, pk=as_uuid(purchase_id)
        ).first()
        if purchase is None:
            raise NotFound(f"Purchase {purchase_id} not found")
        return purchase

    def _page(self, filters, rows, serializer) -> Response:
        page = self.paginate_queryset(filtered(filters, rows, self.request.query_params))
        return self.get_paginated_response(serializer(page, many=True).data)

    def handle_exception(self, exc: Exception) -> Response:
        """Errors of a purchase point at its record. What nobody foresaw happened before the order
        was sent (the service lets nothing else escape): that is 503, never a 500, which a client
        would take for "buy another"."""
        if self.action in ("purchase", "release") and exception_handler(exc, {}) is None:
            logger.exception("a %s failed before anything was sent", self.action)
            exc = Unavailable()
        purchase = getattr(exc, "purchase", None) if isinstance(exc, PurchaseError) else None
        if purchase is not None and isinstance(exc, BurkiError):
            exc.facts |= {
                "purchase_id": str(purchase.pk),
                "status_url": self._url_of(purchase),
                **attempts(purchase),
            }
        response = super().handle_exception(exc)
        if self.action == "purchase" and response.status_code == 503:
            response.data.setdefault("charged", False)
            response.headers.setdefault("Retry-After", str(Unavailable.retry_after))
        if purchase is not None:
            self._point_at(response, purchase)
        if getattr(exc, "replayed", False):
            response["Idempotent-Replayed"] = "true"
        return response

    def _point_at(self, response: Response, purchase: Purchase) -> None:
        response["Location"] = self._url_of(purchase)
        response["Purchase-Id"] = str(purchase.pk)

    def _url_of(self, purchase: Purchase) -> str:
        """The purchase's address under the prefix that the caller uses."""
        prefix = "v1:" if self.request.path.startswith("/api/v1/") else ""
        path = reverse(
            f"{prefix}phone-number-purchase-detail", kwargs={"purchase_id": str(purchase.pk)}
        )
        return self.request.build_absolute_uri(path)


def _providers(result: SearchResult) -> dict[str, Any]:
    answered = {name: {"success": True, "count": n} for name, n in result.counts.items()}
    failed = {
        name: {"success": False, "detail": error.detail, "code": error.code, **error.facts}
        for name, error in result.failures.items()
    }
    return answered | failed
