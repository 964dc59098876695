"""The endpoints of assistants, under `/api/v1/assistants`."""

from typing import Any

from django.http import HttpResponse
from rest_framework.decorators import action
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from assistants.api import schema
from assistants.api.export import as_csv, exported
from assistants.api.filters import ActiveFilter, AssistantFilter, ExportFilter
from assistants.api.serializers import (
    AssistantRequest,
    NewAssistantRequest,
    WholeAssistantRequest,
    assistant_answer,
    changes_of,
)
from assistants.llm_providers import LLM_PROVIDERS
from assistants.models import Assistant, call_statistics
from assistants.services import (
    create_assistant,
    delete_assistant,
    read_assistant,
    update_assistant,
)
from burki.errors import InvalidRequest, NotFound
from burki.filters import filtered
from burki.paging import SkipPagination
from organizations.permissions import ASSISTANTS_READ, ASSISTANTS_WRITE


class AssistantViewSet(GenericViewSet):
    """Assistants of the caller's organization. Another tenant's is not found, like no one's."""

    pagination_class = SkipPagination
    lookup_field = "pk"
    lookup_url_kwarg = "assistant_id"
    lookup_value_regex = "[0-9]{1,100}"  # other words are other routes
    operations = schema.ASSISTANTS
    required_scopes = {
        "list": ASSISTANTS_READ,
        "retrieve": ASSISTANTS_READ,
        "count": ASSISTANTS_READ,
        "by_phone": ASSISTANTS_READ,
        "my_organization": ASSISTANTS_READ,
        "export": ASSISTANTS_READ,
        "cloned_voices": ASSISTANTS_READ,
        "create": ASSISTANTS_WRITE,
        "update": ASSISTANTS_WRITE,
        "partial_update": ASSISTANTS_WRITE,
        "status": ASSISTANTS_WRITE,
        "destroy": ASSISTANTS_WRITE,
    }

    def get_queryset(self):
        return Assistant.objects.of(self.request.organization)

    def list(self, request) -> Response:
        """A bare array, newest first."""
        rows = filtered(AssistantFilter, self.get_queryset().told(), request.query_params, request)
        page = self.paginate_queryset(rows)
        counted = request.query_params.get("include_stats", "").lower() in ("true", "1")
        statistics = call_statistics(page) if counted else None
        return self.get_paginated_response([assistant_answer(row, statistics) for row in page])

    def create(self, request) -> Response:
        """Fields without a meaning here are kept as settings and given back as they came."""
        made = create_assistant(
            actor=request.user,
            organization=request.organization,
            **changes_of(request.data, serializer=NewAssistantRequest, keep_null=False),
        )
        return Response(self._told(made.pk), status=201)

    def retrieve(self, request, assistant_id: str) -> Response:
        return Response(self._told(assistant_id))

    def update(self, request, assistant_id: str) -> Response:
        """PUT: the fields given and not null; an object among the settings replaces the stored
        one."""
        return self._update(request, assistant_id, merge=False)

    def partial_update(self, request, assistant_id: str) -> Response:
        """PATCH: the fields given, null for none; an object among the settings is merged into the
        stored one, one level deep."""
        return self._update(request, assistant_id, merge=True)

    def destroy(self, request, assistant_id: str) -> Response:
        """Its numbers stay the organization's, assigned to nobody."""
        gone = delete_assistant(
            actor=request.user,
            organization=request.organization,
            assistant_id=int(assistant_id),
        )
        message = f"Assistant {gone.name} deleted successfully"
        return Response({"success": True, "message": message, "data": None})

    @action(detail=True, methods=["patch"])
    def status(self, request, assistant_id: str) -> Response:
        """`?is_active=true` or `false`; no body."""
        given = request.query_params.get("is_active", "").lower()
        if given not in ("true", "false"):
            raise InvalidRequest("is_active must be true or false, in the query string")
        return self._change(request, assistant_id, {"is_active": given == "true"}, merge=True)

    @action(detail=False, methods=["get"])
    def count(self, request) -> Response:
        rows = filtered(ActiveFilter, self.get_queryset(), request.query_params)
        return Response({"count": rows.count()})

    @action(detail=False, methods=["get"], url_path="by-phone/(?P<phone_number>[^/]+)")
    def by_phone(self, request, phone_number: str) -> Response:
        """Who answers a number of the organization, given as `+1…` or `%2B1…`."""
        wanted = phone_number.replace("\0", "\N{REPLACEMENT CHARACTER}")
        assistant = self.get_queryset().answering(wanted).told().first()
        if assistant is None:
            raise NotFound(
                f"Assistant assigned to phone number {phone_number} not found in your organization"
            )
        return Response(assistant_answer(assistant, call_statistics([assistant])))

    @action(detail=False, methods=["get"], url_path="me/organization")
    def my_organization(self, request) -> Response:
        """Whose key this is. A key that belongs to nobody tells of no user."""
        user, organization = request.user.user, request.organization
        membership = user and user.memberships.filter(organization=organization).first()
        return Response(
            {
                "organization_id": organization.pk,
                "organization_name": organization.name,
                "user_id": user and user.pk,
                "user_email": user and user.email,
                "user_role": membership and membership.role,
            }
        )

    @action(detail=False, methods=["get"])
    def export(self, request) -> HttpResponse:
        """`format=csv` or `json`; narrowed by `assistant_ids`, `search` and `status`."""
        rows = exported(filtered(ExportFilter, self.get_queryset(), request.query_params))
        if request.query_params.get("format") == "json":
            return Response(rows)
        return as_csv(rows)

    @action(detail=False, methods=["get"], url_path="cloned-voices")
    def cloned_voices(self, request) -> Response:
        """None: voices are cloned by those who speak, and we keep only what they are told."""
        return Response({"cloned_voices": []})

    @action(detail=False, methods=["get"], authentication_classes=[], permission_classes=[])
    def providers(self, request) -> Response:
        """The language models that clients know. Public: the same constant for everybody, which
        tells nothing of any tenant, and which forms show before anybody has a key."""
        return Response({"providers": LLM_PROVIDERS})

    def _update(self, request, assistant_id: str, *, merge: bool) -> Response:
        changes = changes_of(
            request.data,
            serializer=AssistantRequest if merge else WholeAssistantRequest,
            keep_null=merge,
        )
        return self._change(request, assistant_id, changes, merge=merge)

    def _change(self, request, assistant_id: str, changes: dict[str, Any], *, merge: bool):
        changed = update_assistant(
            actor=request.user,
            organization=request.organization,
            assistant_id=int(assistant_id),
            changes=changes,
            merge=merge,
        )
        return Response(self._told(changed.pk))

    def _told(self, assistant_id: str | int) -> dict[str, Any]:
        assistant = read_assistant(self.request.organization, int(assistant_id))
        return assistant_answer(assistant, call_statistics([assistant]))
