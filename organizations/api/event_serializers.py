"""Event endpoints and events, as requests and answers have them. The services judge addresses and
types; here only the kind of value is."""

from collections import Counter
from typing import Any

from rest_framework import serializers

from burki.fields import StrictBoolean, StrictField, TextField
from burki.text import instant
from organizations.events.announcing import payload_of
from organizations.events.endpoints import DESCRIPTION_MAX, URL_MAX
from organizations.events.types import TYPES
from organizations.models import Event, EventDelivery, EventEndpoint

ATTEMPTS_SHOWN = 50


class TypesField(StrictField):
    message = "event_types must be a list of types of events, or empty for all"
    schema = {"type": "array", "items": {"type": "string", "enum": list(TYPES)}}

    def is_right(self, value: Any) -> bool:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)


_URL = {
    "least": 1,
    "most": URL_MAX,
    "message": f"url must be an address of at most {URL_MAX} characters",
}
_DESCRIPTION = {
    "most": DESCRIPTION_MAX,
    "message": f"description must be text of at most {DESCRIPTION_MAX} characters",
}


class EndpointRequest(serializers.Serializer):
    url = TextField(**_URL)
    description = TextField(**_DESCRIPTION, required=False)
    event_types = TypesField(required=False)


class EndpointChange(serializers.Serializer):
    """What is not named stays."""

    url = TextField(**_URL, required=False)
    description = TextField(**_DESCRIPTION, required=False)
    event_types = TypesField(required=False)
    is_active = StrictBoolean(required=False, message="is_active must be true or false")


def endpoint_answer(endpoint: EventEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.pk,
        "url": endpoint.url,
        "description": endpoint.description,
        "event_types": endpoint.event_types,
        "is_active": endpoint.is_active,
        "state": endpoint.state,
        "failing_since": instant(endpoint.failing_since),
        "disabled_at": instant(endpoint.disabled_at),
        "disabled_because": endpoint.disabled_because or None,
        "previous_secret_signs_until": instant(endpoint.previous_signs_until),
        "created_at": instant(endpoint.created_at),
        "updated_at": instant(endpoint.updated_at),
    }


def event_answer(event: Event) -> dict[str, Any]:
    """What was sent, and how many deliveries are in which state."""
    states = Counter(delivery.state for delivery in event.deliveries.all())
    counts = {state.value: states[state] for state in EventDelivery.State}
    return payload_of(event) | {"deliveries": counts}


def event_detail(event: Event) -> dict[str, Any]:
    """What was sent, and every delivery with its last attempts."""
    return payload_of(event) | {"deliveries": [_delivery(d) for d in event.deliveries.all()]}


def _delivery(delivery: EventDelivery) -> dict[str, Any]:
    return {
        "endpoint_id": delivery.endpoint_id,
        "endpoint_url": delivery.endpoint.url,
        "state": delivery.state,
        "tries": delivery.tries,
        "next_attempt_at": instant(delivery.next_attempt_at),
        "delivered_at": instant(delivery.delivered_at),
        "last_status": delivery.last_status,
        "last_error": delivery.last_error or None,
        "attempts": [
            {
                "at": instant(attempt.at),
                "status_code": attempt.status_code,
                "error": attempt.error or None,
                "milliseconds": attempt.milliseconds,
                "answer": attempt.answer,
            }
            for attempt in list(delivery.attempts.all())[-ATTEMPTS_SHOWN:]
        ],
    }
