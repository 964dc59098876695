"""What the API's documentation says of events' endpoints (see `burki.openapi`)."""

from functools import partial
from typing import Any

from burki.errors import InvalidRequest, NotFound
from burki.openapi import (
    Operation,
    page,
    page_of,
    paging,
    parameter,
    query_of,
    refused,
    wrong_limit,
)
from burki.paging import KeysetPagination
from organizations.api import answers
from organizations.api.event_serializers import EndpointChange, EndpointRequest
from organizations.filters import EventFilter

_operation = partial(Operation, tag="Events")
_ID = parameter("path", "endpoint_id", {"type": "string"}, example="3")
_EVENT_ID = "evt_0197a3b04c3e7d21a1b2c3d4e5f60718"
_OF_EVENT = parameter("path", "event_id", {"type": "string"}, example=_EVENT_ID)
_WHEN = "2024-01-15T10:30:00Z"
_SECRET = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
_ENDPOINT: dict[str, Any] = {
    "id": 3,
    "url": "https://hooks.example.com/burki",
    "description": "Billing",
    "event_types": ["purchase.completed", "number.released"],
    "is_active": True,
    "state": "active",
    "failing_since": None,
    "disabled_at": None,
    "disabled_because": None,
    "previous_secret_signs_until": None,
    "created_at": _WHEN,
    "updated_at": _WHEN,
}
_NEW = {key: _ENDPOINT[key] for key in ("url", "description", "event_types")}
_EVENT: dict[str, Any] = {
    "id": _EVENT_ID,
    "type": "number.released",
    "version": 1,
    "timestamp": _WHEN,
    "organization_id": 1,
    "data": {
        "number_id": 12,
        "provider": "telnyx",
        "phone_number": "+14155551234",
        "assistant_id": None,
        "friendly_name": "Front desk",
        "how": "released",
    },
    "url": "https://burki.example.com/api/v1/phone-numbers/+14155551234",
    "deliveries": {"pending": 0, "delivered": 1, "failed": 0, "abandoned": 0},
}
_DETAIL = _EVENT | {
    "deliveries": [
        {
            "endpoint_id": 3,
            "endpoint_url": "https://hooks.example.com/burki",
            "state": "delivered",
            "tries": 1,
            "next_attempt_at": None,
            "delivered_at": _WHEN,
            "last_status": 200,
            "last_error": None,
            "attempts": [
                {
                    "at": _WHEN,
                    "status_code": 200,
                    "error": None,
                    "milliseconds": 84,
                    "answer": "ok",
                }
            ],
        }
    ]
}
_TEST = _EVENT | {
    "type": "endpoint.test",
    "data": {"endpoint_id": 3, "sent_by": "ada@example.com"},
    "url": "https://burki.example.com/api/v1/event-endpoints/3",
    "deliveries": {"pending": 0, "delivered": 0, "failed": 0, "abandoned": 0},
}
_NOT_FOUND = NotFound("Event endpoint 3 not found")
_NO_EVENT = NotFound(f"Event {_EVENT_ID} not found")

ENDPOINTS = {
    "list": _operation(
        summary="Where events are sent",
        description="All of the organization's event endpoints, at most 20, oldest first.",
        answer=answers.EventEndpointsAnswer,
        examples={"One endpoint": {"items": [_ENDPOINT]}},
    ),
    "create": _operation(
        summary="Add an event endpoint",
        description="Events are POSTed to it, signed by the Standard Webhooks specification with "
        "the secret of this answer, which is shown nowhere else. An empty `event_types` means all "
        "types, those to come included.",
        request=EndpointRequest,
        request_examples={"Two types": _NEW, "Everything": {"url": _ENDPOINT["url"]}},
        answer=answers.EventEndpointSecretAnswer,
        status=201,
        examples={"An endpoint": {"endpoint": _ENDPOINT, "secret": _SECRET}},
        errors=[
            refused(EndpointRequest, {"url": ""}),
            InvalidRequest(
                "There is no event type purchase.made",
                errors={"event_types": ["There is no event type purchase.made"]},
            ),
            InvalidRequest("An organization has at most 20 event endpoints: delete one first."),
        ],
    ),
    "retrieve": _operation(
        summary="An event endpoint",
        parameters=[_ID],
        answer=answers.EventEndpointAnswer,
        examples={"An endpoint": _ENDPOINT},
        errors=[_NOT_FOUND],
    ),
    "partial_update": _operation(
        summary="Change, disable or enable an event endpoint",
        description="What the body does not name stays. Disabling one abandons what it has not "
        "got yet; after enabling it, send again what it missed.",
        parameters=[_ID],
        request=EndpointChange,
        request_examples={"Disable": {"is_active": False}},
        answer=answers.EventEndpointAnswer,
        examples={
            "Disabled": _ENDPOINT
            | {
                "is_active": False,
                "state": "disabled",
                "disabled_at": _WHEN,
                "disabled_because": "By ada@example.com.",
            }
        },
        errors=[refused(EndpointChange, {"is_active": "no"}), _NOT_FOUND],
    ),
    "destroy": _operation(
        summary="Delete an event endpoint",
        description="With the record of its deliveries. The events stay.",
        parameters=[_ID],
        answer=answers.EndpointDeletedAnswer,
        examples={
            "Deleted": {
                "success": True,
                "message": "Event endpoint at hooks.example.com deleted successfully",
                "data": None,
            }
        },
        errors=[_NOT_FOUND],
    ),
    "rotate_secret": _operation(
        summary="A new signing secret for an event endpoint",
        description="Shown this once; the one before it signs as well for 24 hours.",
        parameters=[_ID],
        answer=answers.EventEndpointSecretAnswer,
        examples={
            "A secret": {
                "endpoint": _ENDPOINT | {"previous_secret_signs_until": _WHEN},
                "secret": _SECRET,
            }
        },
        errors=[_NOT_FOUND],
    ),
    "test": _operation(
        summary="Send a test event",
        description="To this endpoint alone, whatever types it wants. What became of it is in the "
        "event's deliveries.",
        parameters=[_ID],
        answer=answers.EventAnswer,
        status=202,
        examples={"On its way": _TEST},
        errors=[InvalidRequest("This endpoint is disabled: enable it first."), _NOT_FOUND],
    ),
}

EVENTS = {
    "list": _operation(
        summary="What was told",
        description="Newest first. Events are written while the organization has an active "
        "endpoint (those of spending and balances always) and kept for 30 days.",
        parameters=[
            *query_of(
                EventFilter,
                type="May be given more than once.",
                state="Events with a delivery in this state.",
            ),
            *paging(KeysetPagination),
        ],
        answer=page_of(answers.EventAnswer),
        examples={"One event": page(_EVENT)},
        errors=[wrong_limit(KeysetPagination)],
    ),
    "retrieve": _operation(
        summary="An event, its deliveries and their attempts",
        parameters=[_OF_EVENT],
        answer=answers.EventDetailAnswer,
        examples={"Delivered": _DETAIL},
        errors=[_NO_EVENT],
    ),
    "redeliver": _operation(
        summary="Send an event again",
        description="To every active endpoint that wants it, with the same `webhook-id`.",
        parameters=[_OF_EVENT],
        answer=answers.EventDetailAnswer,
        status=202,
        examples={"On its way": _DETAIL},
        errors=[InvalidRequest("No active endpoint takes this event."), _NO_EVENT],
    ),
}
