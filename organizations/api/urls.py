from django.urls import path

from organizations.api.audit_views import AuditViewSet
from organizations.api.event_views import EventEndpointViewSet, EventViewSet
from organizations.api.views import ApiKeyViewSet, MeViewSet

_endpoint, _event = EventEndpointViewSet.as_view, EventViewSet.as_view

# Served under these exact paths alone.
urlpatterns = [
    path("api/v1/users/me", MeViewSet.as_view({"get": "retrieve"}), name="me"),
    path(
        "api/v1/users/me/api-keys",
        ApiKeyViewSet.as_view({"get": "list", "post": "create"}),
        name="api-keys",
    ),
    path(
        "api/v1/users/me/api-keys/<key_id>",
        ApiKeyViewSet.as_view({"put": "update", "delete": "destroy"}),
        name="api-key",
    ),
    path(
        "api/v1/event-endpoints",
        _endpoint({"get": "list", "post": "create"}),
        name="event-endpoints",
    ),
    path(
        "api/v1/event-endpoints/<endpoint_id>",
        _endpoint({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="event-endpoint",
    ),
    path(
        "api/v1/event-endpoints/<endpoint_id>/rotate-secret",
        _endpoint({"post": "rotate_secret"}),
        name="event-endpoint-rotate-secret",
    ),
    path(
        "api/v1/event-endpoints/<endpoint_id>/test",
        _endpoint({"post": "test"}),
        name="event-endpoint-test",
    ),
    path("api/v1/events", _event({"get": "list"}), name="event-list"),
    path("api/v1/events/<event_id>", _event({"get": "retrieve"}), name="event-detail"),
    path(
        "api/v1/events/<event_id>/redeliver",
        _event({"post": "redeliver"}),
        name="event-redeliver",
    ),
    path("api/v1/audit-events", AuditViewSet.as_view({"get": "list"}), name="audit-events"),
    path(
        "api/v1/audit-events.csv",
        AuditViewSet.as_view({"get": "export"}),
        name="audit-events-csv",
    ),
]
