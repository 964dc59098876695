"""What the API's documentation says of calls, messages and signing secrets
(see `burki.openapi`)."""

from functools import partial

from rest_framework import serializers

from burki.errors import NotFound
from burki.openapi import Answer, Instant, Operation, page, page_of, paging, parameter, wrong_limit
from burki.paging import KeysetPagination
from numbers.api.examples import NUMBER
from numbers.api.schema import NO_SUCH_NUMBER, PHONE_NUMBER
from numbers.models import Call, Message
from numbers.models.inbound import Direction
from organizations.models import Provider

_operation = partial(Operation, tag="Calls and messages")
_WHEN = "2024-01-15T10:30:00Z"


class _Activity(Answer):
    id = serializers.IntegerField()
    provider = serializers.ChoiceField(choices=Provider.values)
    direction = serializers.ChoiceField(choices=Direction.values)
    to = serializers.CharField(allow_blank=True)
    assistant_id = serializers.IntegerField(allow_null=True)

    def get_fields(self):
        return super().get_fields() | {"from": serializers.CharField(allow_blank=True)}


class CallAnswer(_Activity):
    call_id = serializers.CharField()
    status = serializers.ChoiceField(choices=Call.Status.values)
    answered_with = serializers.ChoiceField(choices=Call.AnsweredWith.values, allow_null=True)
    started_at = Instant(allow_null=True)
    answered_at = Instant(allow_null=True)
    ended_at = Instant(allow_null=True)
    duration_seconds = serializers.IntegerField(allow_null=True)


class MessageAnswer(_Activity):
    message_id = serializers.CharField()
    status = serializers.ChoiceField(choices=Message.Status.values)
    media_count = serializers.IntegerField()
    received_at = Instant()
    handed_over_at = Instant(allow_null=True)
    tries = serializers.IntegerField(help_text="How often the assistant's webhook was tried.")
    last_status = serializers.IntegerField(
        allow_null=True, help_text="What it answered to the last try; null: nothing."
    )
    last_error = serializers.CharField(
        allow_null=True, help_text="Why there was no answer; names no more than the host."
    )
    next_attempt_at = Instant(
        allow_null=True, help_text="When it is tried again; null: never, see `status`."
    )


class SigningSecretAnswer(Answer):
    secret = serializers.CharField(help_text="Shown now, and never again.")


_BOTH = {
    "id": 1,
    "provider": "telnyx",
    "direction": Direction.values[0],
    "from": "+12125550100",
    "to": NUMBER,
    "assistant_id": 123,
}
_pages = partial(
    _operation,
    parameters=[PHONE_NUMBER, *paging(KeysetPagination)],
    errors=[wrong_limit(KeysetPagination), NO_SUCH_NUMBER],
)

ACTIVITY = {
    "calls": _pages(
        summary="A number's calls",
        description="Newest first, to it and from it.",
        answer=page_of(CallAnswer),
        examples={
            "One call": page(
                _BOTH
                | {
                    "call_id": "v3:abc",
                    "status": Call.Status.values[0],
                    "answered_with": None,
                    "started_at": _WHEN,
                    "answered_at": None,
                    "ended_at": None,
                    "duration_seconds": None,
                }
            )
        },
    ),
    "messages": _pages(
        summary="A number's text messages",
        description="Newest first, and whether its assistant has them: each try to hand a message "
        "over is counted, with what came of the last one and when the next is due.",
        answer=page_of(MessageAnswer),
        examples={
            "One message": page(
                _BOTH
                | {
                    "message_id": "b3f0a1c2",
                    "status": Message.Status.values[0],
                    "media_count": 0,
                    "received_at": _WHEN,
                    "handed_over_at": None,
                    "tries": 2,
                    "last_status": 503,
                    "last_error": None,
                    "next_attempt_at": "2024-01-15T10:32:00Z",
                }
            )
        },
    ),
}

SIGNING_SECRET = {
    "rotate": _operation(
        summary="A new signing secret",
        description="For what is sent to an assistant's webhook. Shown this once; the one before "
        "it signs as well for another day.",
        parameters=[
            parameter("path", "assistant_id", {"type": "integer", "minimum": 0}, example=123)
        ],
        answer=SigningSecretAnswer,
        examples={"A secret": {"secret": "whsec_0123456789abcdef"}},
        errors=[NotFound("Assistant with ID 123 not found")],
    ),
}
