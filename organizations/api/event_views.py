"""Event endpoints, and the events that were sent to them."""

from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from burki.fields import row_id, validated
from burki.filters import filtered
from burki.paging import KeysetPagination
from organizations.api import event_schema as schema
from organizations.api.event_serializers import (
    EndpointChange,
    EndpointRequest,
    endpoint_answer,
    event_answer,
    event_detail,
)
from organizations.events import endpoints
from organizations.filters import EventFilter
from organizations.models import Event
from organizations.permissions import ORGANIZATION_ADMIN


class EventEndpointViewSet(ViewSet):
    operations = schema.ENDPOINTS
    required_scopes = dict.fromkeys(schema.ENDPOINTS, ORGANIZATION_ADMIN)

    def list(self, request) -> Response:
        found = endpoints.endpoints_of(request.user, request.organization)
        return Response({"items": [endpoint_answer(endpoint) for endpoint in found]})

    def create(self, request) -> Response:
        """A new one. Its secret is in this answer and nowhere else."""
        wanted = validated(EndpointRequest, request.data)
        endpoint, secret = endpoints.create_endpoint(**self._asking, **wanted)
        return Response({"endpoint": endpoint_answer(endpoint), "secret": secret}, status=201)

    def retrieve(self, request, endpoint_id: str) -> Response:
        found = endpoints.find_endpoint(request.user, request.organization, row_id(endpoint_id))
        return Response(endpoint_answer(found))

    def partial_update(self, request, endpoint_id: str) -> Response:
        changes = validated(EndpointChange, request.data)
        changed = endpoints.change_endpoint(
            **self._asking, endpoint_id=row_id(endpoint_id), **changes
        )
        return Response(endpoint_answer(changed))

    def destroy(self, request, endpoint_id: str) -> Response:
        gone = endpoints.delete_endpoint(**self._asking, endpoint_id=row_id(endpoint_id))
        message = f"Event endpoint at {gone} deleted successfully"
        return Response({"success": True, "message": message, "data": None})

    def rotate_secret(self, request, endpoint_id: str) -> Response:
        """A new secret, shown this once. The one before it signs as well for another day."""
        endpoint, secret = endpoints.rotate_secret(**self._asking, endpoint_id=row_id(endpoint_id))
        return Response({"endpoint": endpoint_answer(endpoint), "secret": secret})

    def test(self, request, endpoint_id: str) -> Response:
        event = endpoints.send_test(**self._asking, endpoint_id=row_id(endpoint_id))
        return Response(event_answer(event), status=202)

    @property
    def _asking(self) -> dict:
        return {"actor": self.request.user, "organization": self.request.organization}


class EventViewSet(GenericViewSet):
    """Newest first."""

    pagination_class = KeysetPagination
    operations = schema.EVENTS
    required_scopes = dict.fromkeys(schema.EVENTS, ORGANIZATION_ADMIN)

    def list(self, request) -> Response:
        rows = Event.objects.filter(organization=request.organization)
        rows = filtered(EventFilter, rows, request.query_params).prefetch_related("deliveries")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response([event_answer(event) for event in page])

    def retrieve(self, request, event_id: str) -> Response:
        event = endpoints.find_event(request.user, request.organization, event_id)
        return Response(event_detail(endpoints.with_deliveries(event)))

    def redeliver(self, request, event_id: str) -> Response:
        event = endpoints.send_again(
            actor=request.user, organization=request.organization, public_id=event_id
        )
        return Response(event_detail(endpoints.with_deliveries(event)), status=202)
