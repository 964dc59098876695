"""What happened on a number: its calls and text messages; and what signs those that are handed to
an assistant."""

from django.db.models import Case, IntegerField, QuerySet, Value, When
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from assistants.services import get_assistant
from burki.paging import KeysetPagination
from burki.text import instant
from numbers.api import activity_schema as schema
from numbers.exceptions import NumberNotFound
from numbers.models import Call, Message, PhoneNumber
from numbers.services.inbound.messages import handing_over
from numbers.services.inbound.signing import rotate_signing_secret
from organizations.permissions import ASSISTANTS_WRITE, NUMBERS_READ


class ActivityViewSet(GenericViewSet):
    """Newest first."""

    pagination_class = KeysetPagination
    operations = schema.ACTIVITY
    required_scopes = {"calls": NUMBERS_READ, "messages": NUMBERS_READ}

    def calls(self, request, phone_number: str) -> Response:
        """The number's calls, to it and from it."""
        return self._page(Call.objects.filter(number=self._number(phone_number)), call_answer)

    def messages(self, request, phone_number: str) -> Response:
        """The text messages to the number, and whether its assistant has them."""
        rows = Message.objects.filter(number=self._number(phone_number))
        return self._page(rows.prefetch_related("attempts"), message_answer)

    def _number(self, phone_number: str) -> PhoneNumber:
        """The live row, else the one that was released last."""
        released_last = Case(
            When(status=PhoneNumber.Status.RELEASED, then=Value(1)),
            default=Value(0),
            output_field=IntegerField(),
        )
        number = (
            PhoneNumber.objects.visible_to(self.request.organization)
            .filter(phone_number=phone_number.replace("\0", "\N{REPLACEMENT CHARACTER}"))
            .order_by(released_last, "-pk")
            .first()
        )
        if number is None:
            raise NumberNotFound(phone_number)
        return number

    def _page(self, rows: QuerySet, shown) -> Response:
        page = self.paginate_queryset(rows)
        return self.get_paginated_response([shown(row) for row in page])


class SigningSecretViewSet(ViewSet):
    """The secret that signs what is sent to an assistant's webhook."""

    operations = schema.SIGNING_SECRET
    required_scopes = {"rotate": ASSISTANTS_WRITE}

    def rotate(self, request, assistant_id: int) -> Response:
        """A new secret, shown this once. The one before it signs as well for another day."""
        assistant = get_assistant(request.organization, assistant_id)
        secret = rotate_signing_secret(actor=request.user, assistant=assistant)
        return Response({"secret": secret})


def call_answer(call: Call) -> dict[str, object]:
    return {
        "id": call.pk,
        "call_id": call.call_id,
        "provider": call.provider,
        "direction": call.direction,
        "from": call.from_number,
        "to": call.to_number,
        "assistant_id": call.assistant_id,
        "answered_with": call.answered_with or None,
        "status": call.status,
        "started_at": instant(call.started_at),
        "answered_at": instant(call.answered_at),
        "ended_at": instant(call.ended_at),
        "duration_seconds": call.duration_seconds,
    }


def message_answer(message: Message) -> dict[str, object]:
    """Of a message with its `attempts`."""
    handing = handing_over(message)
    return {
        "id": message.pk,
        "message_id": message.message_id,
        "provider": message.provider,
        "direction": message.direction,
        "from": message.from_number,
        "to": message.to_number,
        "assistant_id": message.assistant_id,
        "status": message.status,
        "media_count": message.media_count,
        "received_at": instant(message.received_at),
        "handed_over_at": instant(message.handed_over_at),
        "tries": handing.tries,
        "last_status": handing.last_status,
        "last_error": handing.last_error or None,
        "next_attempt_at": instant(handing.next_attempt_at),
    }
