"""How numbers are set at their providers: countries, diagnosis, webhooks."""

from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from burki.errors import InvalidRequest
from burki.fields import validated
from numbers.api import setup_schema as schema
from numbers.api.setup_serializers import (
    WebhooksRequest,
    countries_answer,
    diagnosis_answer,
    webhooks_answer,
    webhooks_updated_answer,
)
from numbers.services.countries import list_countries
from numbers.services.diagnosing import diagnose_number, read_webhooks
from numbers.services.lookup import clean_provider
from numbers.services.webhooks import update_webhooks
from organizations.permissions import NUMBERS_READ, NUMBERS_WRITE


class NumberSetupViewSet(ViewSet):
    """What a number's provider has set for it."""

    operations = schema.SETUP
    required_scopes = {
        "countries": NUMBERS_READ,
        "diagnose": NUMBERS_READ,
        "webhooks": NUMBERS_READ,
        "update_webhooks": NUMBERS_WRITE,
    }

    def countries(self, request) -> Response:
        """Where numbers can be bought. Without `format`, objects under /api/v1 and codes else."""
        wanted = request.query_params.get("format")
        if wanted not in (None, "codes", "objects"):
            raise InvalidRequest("format must be 'codes' or 'objects'")
        provider = clean_provider(request.query_params.get("provider", "telnyx"))
        found = list_countries(
            actor=request.user, organization=request.organization, provider=provider
        )
        newer = request.path.startswith("/api/v1/")
        objects = wanted == "objects" or (wanted is None and newer)
        return Response(countries_answer(found, provider=provider, objects=objects))

    def diagnose(self, request, phone_number: str) -> Response:
        """What is set, what should be, and what to do."""
        found = diagnose_number(
            actor=request.user, organization=request.organization, phone_number=phone_number
        )
        return Response(diagnosis_answer(found))

    def webhooks(self, request, phone_number: str) -> Response:
        """Where calls and messages go, as the provider says now."""
        reading = read_webhooks(
            actor=request.user,
            organization=request.organization,
            phone_number=phone_number,
            provider=request.query_params.get("provider"),
        )
        return Response(webhooks_answer(reading))

    def update_webhooks(self, request) -> Response:
        """Send calls elsewhere, or back to us; switch messages off, or on."""
        wanted = validated(WebhooksRequest, request.data)
        done = update_webhooks(actor=request.user, organization=request.organization, **wanted)
        return Response(webhooks_updated_answer(done))
