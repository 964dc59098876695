"""What the API's documentation says of buying many numbers (see `burki.openapi`)."""

from functools import partial
from typing import Any

from rest_framework import serializers

from burki.errors import InvalidRequest, NotFound
from burki.openapi import (
    Amount,
    Answer,
    Instant,
    Operation,
    code_field,
    page,
    page_of,
    paging,
    parameter,
    refused,
    wrong_limit,
)
from burki.paging import KeysetPagination
from numbers import exceptions as errors
from numbers.api.bulk_serializers import BulkRequest
from numbers.api.examples import NUMBER, PURCHASE_ID
from numbers.api.schema import IDEMPOTENCY_KEY, WRONG_KEY
from numbers.models import BulkPurchase
from organizations.models import Provider

_operation = partial(Operation, tag="Bulk purchases")
_BULK_ID = "019bb0d4-7d21-7aa0-8c11-0d9f4be6a310"
_ID = parameter("path", "id", {"type": "string"}, example=_BULK_ID)
_OUTCOMES = ("bought", "pending", "uncertain", "buying", "refused", "skipped", "waiting")


class BulkReason(Answer):
    """`code` is that of the error that stopped it; or `no_more_numbers`, `total_cost_reached`."""

    code = serializers.CharField()
    detail = serializers.CharField()


class BulkListed(Answer):
    """`request` is what was asked for."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=BulkPurchase.State.values)
    provider = serializers.ChoiceField(choices=Provider.values)
    quantity = serializers.IntegerField()
    request = serializers.DictField()
    reason = BulkReason(allow_null=True, help_text="Why it could not go on.")
    created_at = Instant()
    ended_at = Instant(allow_null=True)


class BulkProgress(Answer):
    """How many numbers came out how, and what they cost: set-up and first month."""

    bought = serializers.IntegerField()
    pending = serializers.IntegerField()
    uncertain = serializers.IntegerField()
    buying = serializers.IntegerField()
    refused = serializers.IntegerField()
    skipped = serializers.IntegerField()
    waiting = serializers.IntegerField()
    cost = Amount()
    paused_until = Instant(
        allow_null=True,
        help_text="The provider asked us to slow down: when it goes on by itself. Cancelling works "
        "meanwhile.",
    )


class BulkAnswer(BulkListed):
    progress = BulkProgress()


class BulkNumber(Answer):
    id = serializers.IntegerField()
    phone_number = serializers.CharField()
    outcome = serializers.ChoiceField(choices=_OUTCOMES)
    code = code_field(allow_null=True)
    detail = serializers.CharField(allow_null=True)
    purchase_id = serializers.UUIDField(allow_null=True)


_LISTED: dict[str, Any] = {
    "id": _BULK_ID,
    "state": "running",
    "provider": "telnyx",
    "quantity": 20,
    "request": {"criteria": {"area_code": "415"}, "assistant_id": 123},
    "reason": None,
    "created_at": "2024-01-15T10:30:00Z",
    "ended_at": None,
}
_BULK = _LISTED | {
    "progress": dict.fromkeys(_OUTCOMES, 0)
    | {"bought": 7, "waiting": 13, "cost": "7.00", "paused_until": None}
}
_NOT_FOUND = NotFound(f"Bulk purchase {_BULK_ID} not found")

BULK_PURCHASES = {
    "create": _operation(
        summary="Buy many numbers",
        description="**Spends money, later:** numbers are bought one by one, each as a purchase of "
        "its own. Either `criteria` (as in a search) and a `quantity`, or `phone_numbers`. Needs "
        "an `Idempotency-Key`; the answer says where to look.",
        parameters=[IDEMPOTENCY_KEY],
        request=BulkRequest,
        request_examples={
            "Twenty in San Francisco": {
                "provider": "telnyx",
                "criteria": {"area_code": "415"},
                "quantity": 20,
                "assistant_id": 123,
                "max_total_cost": "25.00",
            },
            "These two": {
                "provider": "telnyx",
                "phone_numbers": ["+14155551234", "+14155551235"],
            },
        },
        answer=BulkAnswer,
        status=202,
        examples={"Asked for": _BULK},
        headers={202: ["Location", "Idempotent-Replayed"]},
        errors=[
            refused(BulkRequest, {"provider": "telnyx"}),
            InvalidRequest("Give either criteria or phone_numbers."),
            WRONG_KEY,
            errors.IdempotencyKeyRequired(),
            NotFound("Assistant with ID 123 not found"),
            errors.IdempotencyKeyReused(),
        ],
    ),
    "list": _operation(
        summary="Bulk purchases",
        description="Newest first.",
        parameters=paging(KeysetPagination),
        answer=page_of(BulkListed),
        examples={"One": page(_LISTED)},
        errors=[wrong_limit(KeysetPagination)],
    ),
    "retrieve": _operation(
        summary="How far a bulk purchase is",
        parameters=[_ID],
        answer=BulkAnswer,
        examples={"Running": _BULK},
        errors=[_NOT_FOUND],
    ),
    "items": _operation(
        summary="The numbers of a bulk purchase",
        description="Each that was tried or waits, the last one first.",
        parameters=[_ID, *paging(KeysetPagination)],
        answer=page_of(BulkNumber),
        examples={
            "One bought": page(
                {
                    "id": 1,
                    "phone_number": NUMBER,
                    "outcome": "bought",
                    "code": None,
                    "detail": None,
                    "purchase_id": PURCHASE_ID,
                }
            )
        },
        errors=[wrong_limit(KeysetPagination), _NOT_FOUND],
    ),
    "cancel": _operation(
        summary="Buy no more",
        description="What was bought stays.",
        parameters=[_ID],
        answer=BulkAnswer,
        examples={"Cancelled": _BULK | {"state": "cancelled", "ended_at": _LISTED["created_at"]}},
        errors=[
            _NOT_FOUND,
            errors.NotCancellable("This bulk purchase is completed already."),
        ],
    ),
}
