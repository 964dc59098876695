"""The audit of the caller's organization."""

from django.http import HttpResponseBase
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from burki.filters import filtered
from burki.paging import KeysetPagination
from organizations.api import audit_schema as schema
from organizations.audit_log import AuditFilter, audit_of, exported, sealed_up_to, told
from organizations.permissions import ORGANIZATION_ADMIN


class AuditViewSet(GenericViewSet):
    """Newest first."""

    pagination_class = KeysetPagination
    operations = schema.AUDIT
    required_scopes = {"list": ORGANIZATION_ADMIN, "export": ORGANIZATION_ADMIN}

    def perform_content_negotiation(self, request, force=False):
        """The file is sent whatever the caller accepts; its errors are JSON, as everywhere."""
        return super().perform_content_negotiation(request, force or self.action == "export")

    def get_queryset(self):
        return filtered(AuditFilter, audit_of(self.request.organization), self.request.query_params)

    def list(self, request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        sealed = sealed_up_to(request.organization)
        return self.get_paginated_response([told(event, sealed) for event in page])

    def export(self, request) -> HttpResponseBase:
        return exported(self.get_queryset(), request.organization)
