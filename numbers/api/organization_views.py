"""An organization's settings and its accounts at the providers."""

from typing import Any

from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from burki.errors import InvalidRequest, NotFound
from burki.fields import row_id, validated
from burki.paging import KeysetPagination
from numbers.api import organization_schema as schema
from numbers.api.organization_serializers import (
    OrganizationRequest,
    ProviderAccountRequest,
    ProviderAccountSerializer,
    TelnyxCredentials,
    TwilioCredentials,
    configuration_answer,
    invalid_answer,
    organization_answer,
    validation_answer,
)
from numbers.exceptions import CredentialsRefused
from numbers.services.checking import check_account
from numbers.services.organization_settings import configuration, update_settings
from numbers.services.proving import prove_credentials
from organizations.credentials import change_account
from organizations.models import Provider, ProviderAccount
from organizations.permissions import NUMBERS_READ, ORGANIZATION_ADMIN


class OrganizationViewSet(ViewSet):
    """The organization of the key or session."""

    operations = schema.ORGANIZATION
    required_scopes = {
        "retrieve": ORGANIZATION_ADMIN,
        "update": ORGANIZATION_ADMIN,
        "validate_twilio": ORGANIZATION_ADMIN,
        "validate_telnyx": ORGANIZATION_ADMIN,
        "configuration_status": NUMBERS_READ,
    }
    throttle_scopes = {"update": "search", "validate_twilio": "search", "validate_telnyx": "search"}

    def retrieve(self, request) -> Response:
        return Response(organization_answer(request.organization))

    def update(self, request) -> Response:
        """Change what is given. New credentials are tried at the provider first."""
        changed = update_settings(
            actor=request.user,
            organization=request.organization,
            changes=validated(OrganizationRequest, request.data),
        )
        return Response(organization_answer(changed))

    def validate_twilio(self, request) -> Response:
        """Whether Twilio accepts these credentials. Nothing is stored."""
        given = validated(TwilioCredentials, request.data)
        return self._validate(Provider.TWILIO, given["auth_token"], given["account_sid"])

    def validate_telnyx(self, request) -> Response:
        """Whether Telnyx accepts this key. Nothing is stored."""
        given = validated(TelnyxCredentials, request.data)
        connection_id = given.get("connection_id") or ""
        return self._validate(Provider.TELNYX, given["api_key"], connection_id=connection_id)

    def configuration_status(self, request) -> Response:
        """Whose credentials would serve at each provider, and what is wrong with them."""
        return Response(configuration_answer(configuration(request.organization)))

    def _validate(self, provider: str, secret: str, sid: str = "", **named: str) -> Response:
        try:
            proven = prove_credentials(
                actor=self.request.user,
                organization=self.request.organization,
                provider=provider,
                secret=secret,
                account_sid=sid,
                **named,
            )
        except (CredentialsRefused, InvalidRequest) as refusal:
            return Response(invalid_answer(refusal.detail))
        return Response(validation_answer(proven))


class ProviderAccountViewSet(GenericViewSet):
    """The organization's own accounts, newest first; the platform's are not told of."""

    pagination_class = KeysetPagination
    serializer_class = ProviderAccountSerializer
    operations = schema.PROVIDER_ACCOUNTS
    required_scopes = {
        "list": ORGANIZATION_ADMIN,
        "retrieve": ORGANIZATION_ADMIN,
        "partial_update": ORGANIZATION_ADMIN,
        "check": ORGANIZATION_ADMIN,
    }
    throttle_scopes = {"check": "search"}

    def get_queryset(self):
        organization = self.request.organization
        return ProviderAccount.objects.filter(organization=organization).select_related(
            "organization"
        )

    def list(self, request) -> Response:
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request, account_id: str) -> Response:
        return self._answer(self._account(account_id))

    def partial_update(self, request, account_id: str) -> Response:
        """Change label, threshold, default and whether it is in use."""
        account = self._account(account_id)
        wanted: dict[str, Any] = validated(ProviderAccountRequest, request.data)
        return self._answer(change_account(actor=request.user, account=account, **wanted))

    def check(self, request, account_id: str) -> Response:
        """Ask the provider how the account stands; the result is kept."""
        return self._answer(check_account(actor=request.user, account=self._account(account_id)))

    def _account(self, account_id: str) -> ProviderAccount:
        account = self.get_queryset().filter(pk=row_id(account_id)).first()
        if account is None:
            raise NotFound(f"Provider account {account_id} not found")
        return account

    def _answer(self, account: ProviderAccount) -> Response:
        return Response(self.get_serializer(account).data)
