"""The endpoints that prove that a number asks us, and make it so."""

from django.db.models import Q
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from burki.fields import validated
from numbers.api import setup_schema as schema
from numbers.api.serializers import PhoneNumberSerializer, ProofRequest
from numbers.exceptions import NumberNotFound
from numbers.models import PhoneNumber
from numbers.services.proof import verify_number
from numbers.services.repairing import repair_number, restore_webhooks
from organizations.permissions import NUMBERS_WRITE


class ProofViewSet(ViewSet):
    """All three answer with the number; `webhook_check` in it is what was seen just now."""

    operations = schema.PROOF
    required_scopes = {
        "verify": NUMBERS_WRITE,
        "repair": NUMBERS_WRITE,
        "restore": NUMBERS_WRITE,
    }

    def verify(self, request, phone_number: str) -> Response:
        """Read back what the provider has for a number; changes nothing there."""
        number = verify_number(actor=request.user, number=_number(request, phone_number))
        return Response(PhoneNumberSerializer(number).data)

    def repair(self, request, phone_number: str) -> Response:
        """Set at the provider what should be there; `overwritten` is what somebody else had set."""
        repaired = repair_number(
            actor=request.user,
            organization=request.organization,
            number=_number(request, phone_number),
        )
        told = {"overwritten": repaired.overwritten}
        return Response(PhoneNumberSerializer(repaired.number).data | told)

    def restore(self, request, phone_number: str) -> Response:
        """Put back at the provider what the last repair overwrote."""
        number = restore_webhooks(actor=request.user, number=_number(request, phone_number))
        return Response(PhoneNumberSerializer(number).data)


def _number(request, phone_number: str) -> PhoneNumber:
    """The organization's live number. Raises `NumberNotFound`."""
    provider = validated(ProofRequest, request.data)["provider"]
    number = (
        PhoneNumber.objects.visible_to(request.organization)
        .live()
        .select_related("organization", "account", "assistant")
        .filter(
            Q(provider=provider) if provider else Q(),
            phone_number=phone_number.replace("\0", "\N{REPLACEMENT CHARACTER}"),
        )
        .order_by("-pk")
        .first()
    )
    if number is None:
        raise NumberNotFound(phone_number)
    return number
