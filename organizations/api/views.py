"""Who I am, and API keys."""

from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from burki.errors import NotFound
from burki.fields import row_id, validated
from burki.paging import ArrayPagination
from organizations.api import schema
from organizations.api.serializers import (
    DEFAULT_SCOPES,
    ApiKeyChange,
    ApiKeyRequest,
    ApiKeySerializer,
    KeyName,
    me,
    scopes_of,
)
from organizations.models import ApiKey
from organizations.permissions import ANY, ORGANIZATION_ADMIN
from organizations.services import change_api_key, create_api_key, revoke_api_key


class MeViewSet(ViewSet):
    operations = schema.ME
    required_scopes = {"retrieve": ANY}

    def retrieve(self, request) -> Response:
        return Response(me(request.user, request.organization))


class ApiKeyViewSet(GenericViewSet):
    """The organization's keys: who administrates it answers for all of them, and can revoke a
    colleague's."""

    pagination_class = ArrayPagination
    serializer_class = ApiKeySerializer
    operations = schema.API_KEYS
    required_scopes = {
        "list": ORGANIZATION_ADMIN,
        "create": ORGANIZATION_ADMIN,
        "update": ORGANIZATION_ADMIN,
        "destroy": ORGANIZATION_ADMIN,
    }

    def get_queryset(self):
        return ApiKey.objects.filter(organization=self.request.organization)

    def list(self, request) -> Response:
        """Newest first, revoked ones too."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def create(self, request) -> Response:
        """A new key. Its text is in this answer and nowhere else."""
        wanted = validated(ApiKeyRequest, request.data)
        if wanted["scopes"] is None:
            mine = request.user.scopes_in(request.organization)
            wanted["scopes"] = sorted(DEFAULT_SCOPES & mine) or None
        key, text = create_api_key(actor=request.user, organization=request.organization, **wanted)
        return Response({"api_key": self.get_serializer(key).data, "key": text}, status=201)

    def update(self, request, key_id: str) -> Response:
        """Rename (`?name=`), and change what it may (the body)."""
        key = self._key(key_id)
        name = validated(KeyName, request.query_params.dict()).get("name")
        grant, withdraw = scopes_of(validated(ApiKeyChange, request.data))
        changed = change_api_key(
            actor=request.user, key=key, name=name, grant=grant, withdraw=withdraw
        )
        return Response(self.get_serializer(changed).data)

    def destroy(self, request, key_id: str) -> Response:
        """Revoke. The row stays, as history; doing it again changes nothing."""
        key = self._key(key_id)
        revoke_api_key(actor=request.user, key=key)
        return Response(
            {"success": True, "message": f"API key {key.name} revoked successfully", "data": None}
        )

    def _key(self, key_id: str) -> ApiKey:
        key = self.get_queryset().select_related("organization").filter(pk=row_id(key_id)).first()
        if key is None:
            raise NotFound(f"API key {key_id} not found")
        return key
