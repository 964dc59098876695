from django.urls import path

from organizations.api.audit_views import AuditViewSet
from organizations.api.views import ApiKeyViewSet, MeViewSet

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
    path("api/v1/audit-events", AuditViewSet.as_view({"get": "list"}), name="audit-events"),
    path(
        "api/v1/audit-events.csv",
        AuditViewSet.as_view({"get": "export"}),
        name="audit-events-csv",
    ),
]
