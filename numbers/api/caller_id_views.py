"""Verified caller ids."""

from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from burki.fields import validated
from numbers.api import setup_schema as schema
from numbers.api.caller_id_serializers import CallerIdRequest
from numbers.services.caller_ids import add_caller_id, sync_caller_ids
from organizations.permissions import NUMBERS_WRITE


class CallerIdViewSet(ViewSet):
    """Numbers of others that the organization may call from."""

    operations = schema.CALLER_IDS
    required_scopes = {"sync": NUMBERS_WRITE, "add": NUMBERS_WRITE}
    throttle_scopes = {"add": "purchase"}  # it makes somebody's telephone ring

    def sync(self, request) -> Response:
        """Make our copy what the organization's own Twilio account lists. Takes no body."""
        done = sync_caller_ids(actor=request.user, organization=request.organization)
        return Response(
            {
                "success": True,
                "message": f"Successfully synced {done.listed} verified caller IDs",
                "synced_count": done.listed,
                "added_count": done.added,
                "removed_count": done.removed,
            }
        )

    def add(self, request) -> Response:
        """Have Twilio call a number and ask for the code that is answered here."""
        wanted = validated(CallerIdRequest, request.data)
        made = add_caller_id(actor=request.user, organization=request.organization, **wanted)
        number = made.phone_number
        return Response(
            {
                "success": True,
                "message": f"Twilio is calling {number}: enter the validation code, then sync.",
                "phone_number": number,
                "validation_code": made.code,
            }
        )
