"""What the API's documentation says of the assistants' endpoints (see `burki.openapi`)."""

from functools import partial
from typing import Any

from assistants.api import answers
from assistants.api.filters import ActiveFilter, AssistantFilter, ExportFilter
from assistants.api.serializers import AssistantRequest, NewAssistantRequest, WholeAssistantRequest
from assistants.llm_providers import LLM_PROVIDERS
from assistants.models import Assistant
from burki.errors import InvalidRequest, NotFound
from burki.filters import filtered
from burki.openapi import (
    JSON,
    Operation,
    paging,
    parameter,
    query_of,
    raised,
    refused,
    wrong_limit,
)
from burki.paging import SkipPagination

_operation = partial(Operation, tag="Assistants")

_ID = parameter(
    "path", "assistant_id", {"type": "string", "pattern": "^[0-9]{1,100}$"}, example="123"
)
_NUMBER = parameter(
    "path",
    "phone_number",
    {"type": "string"},
    "In E.164 format, as `+1…` or `%2B1…`.",
    example="+14155551234",
)

_WHEN = "2024-01-15T10:30:00Z"
_ASSISTANT: dict[str, Any] = {
    "llm_provider": "openai",
    "id": 123,
    "organization_id": 1,
    "user_id": None,
    "name": "Support",
    "description": None,
    "greeting": "Hello, how can I help you?",
    "language": "en-US",
    "media_stream_url": "wss://agent.example.com/streams",
    "sms_webhook_url": None,
    "webhook_url": None,
    "messaging_service_sid": None,
    "telnyx_connection_id": None,
    "is_active": True,
    "phone_numbers": ["+14155551234"],
    "call_count": 12,
    "total_duration": 1830,
    "created_at": _WHEN,
    "updated_at": _WHEN,
    "twilio_config": None,
    "telnyx_config": None,
}
_EXPORTED = {name: _ASSISTANT[name] for name in answers.ExportedAssistant().fields}
_NEW = {
    "name": "Support",
    "greeting": "Hello, how can I help you?",
    "media_stream_url": "wss://agent.example.com/streams",
    "llm_provider": "openai",
}

_NOT_FOUND = NotFound("Assistant with ID 123 not found in your organization")
_KEPT = (
    "Fields without a meaning here are kept as settings and given back as they came, secrets "
    "among them by their last four characters. "
)


def _wrong_filter(filters: type[ActiveFilter], **wanted: str) -> Exception:
    return raised(filtered, filters, Assistant.objects.none(), wanted)


_WRONG_FIELDS = [
    refused(NewAssistantRequest, {"name": ""}),
    InvalidRequest("llm_settings must be an object, or null"),
]

ASSISTANTS = {
    "list": _operation(
        summary="The assistants",
        description="A bare array, newest first.",
        parameters=[
            *query_of(
                AssistantFilter,
                my_assistants_only="Those that the caller made.",
                include_stats="Count the calls of each; without it those two fields are null.",
            ),
            parameter("query", "skip", {"type": "integer", "minimum": 0, "maximum": 10**9}),
            *paging(SkipPagination),
        ],
        answer=answers.AssistantAnswer(many=True),
        examples={"One assistant, with include_stats=true": [_ASSISTANT]},
        headers={200: ["Link"]},
        errors=[wrong_limit(SkipPagination), _wrong_filter(AssistantFilter, active_only="x")],
    ),
    "create": _operation(
        summary="Make an assistant",
        description=f'{_KEPT}Null means "not given".',
        request=NewAssistantRequest,
        request_examples={"An assistant": _NEW},
        answer=answers.AssistantAnswer,
        status=201,
        examples={
            "An assistant": _ASSISTANT | {"phone_numbers": [], "call_count": 0, "total_duration": 0}
        },
        errors=_WRONG_FIELDS,
    ),
    "retrieve": _operation(
        summary="One assistant",
        parameters=[_ID],
        answer=answers.AssistantAnswer,
        examples={"An assistant": _ASSISTANT},
        errors=[_NOT_FOUND],
    ),
    "update": _operation(
        summary="Change an assistant",
        description=f"The fields given and not null. {_KEPT}An object among the settings replaces "
        "the stored one.",
        parameters=[_ID],
        request=WholeAssistantRequest,
        request_examples={"Another name": {"name": "Support"}},
        answer=answers.AssistantAnswer,
        examples={"An assistant": _ASSISTANT},
        errors=[*_WRONG_FIELDS, _NOT_FOUND],
    ),
    "partial_update": _operation(
        summary="Change parts of an assistant",
        description=f"The fields given, null for none. {_KEPT}An object among the settings is "
        "merged into the stored one, one level deep.",
        parameters=[_ID],
        request=AssistantRequest,
        request_examples={"No description": {"description": None}},
        answer=answers.AssistantAnswer,
        examples={"An assistant": _ASSISTANT},
        errors=[*_WRONG_FIELDS, _NOT_FOUND],
    ),
    "destroy": _operation(
        summary="Delete an assistant",
        description="Its numbers stay the organization's, assigned to nobody.",
        parameters=[_ID],
        answer=answers.DeletedAnswer,
        examples={
            "Deleted": {
                "success": True,
                "message": "Assistant Support deleted successfully",
                "data": None,
            }
        },
        errors=[_NOT_FOUND],
    ),
    "status": _operation(
        summary="Switch an assistant on or off",
        description="In the query string; without a body.",
        parameters=[_ID, parameter("query", "is_active", {"type": "boolean"}, required=True)],
        answer=answers.AssistantAnswer,
        examples={"An assistant": _ASSISTANT},
        errors=[
            InvalidRequest("is_active must be true or false, in the query string"),
            _NOT_FOUND,
        ],
    ),
    "count": _operation(
        summary="How many assistants there are",
        parameters=query_of(ActiveFilter),
        answer=answers.CountAnswer,
        examples={"Two": {"count": 2}},
        errors=[_wrong_filter(ActiveFilter, active_only="x")],
    ),
    "by_phone": _operation(
        summary="Who answers a number",
        parameters=[_NUMBER],
        answer=answers.AssistantAnswer,
        examples={"An assistant": _ASSISTANT},
        errors=[
            NotFound(
                "Assistant assigned to phone number +14155551234 not found in your organization"
            )
        ],
    ),
    "my_organization": _operation(
        summary="Whose key this is",
        answer=answers.MyOrganizationAnswer,
        examples={
            "A person's key": {
                "organization_id": 1,
                "organization_name": "Acme",
                "user_id": 1,
                "user_email": "ada@example.com",
                "user_role": "owner",
            }
        },
    ),
    "export": _operation(
        summary="Many assistants at once",
        description="As a table, or with `format=json` as an array; without settings.",
        parameters=query_of(
            ExportFilter,
            assistant_ids="Ids, with commas between them.",
            search="A part of the name.",
            format="`csv` if it is not given.",
        ),
        answer=answers.ExportedAssistant(many=True),
        media_types=(JSON, "text/csv"),
        examples={"One assistant": [_EXPORTED]},
        errors=[_wrong_filter(ExportFilter, assistant_ids="x")],
    ),
    "cloned_voices": _operation(
        summary="Cloned voices",
        description="None: they belong to those who speak.",
        answer=answers.ClonedVoicesAnswer,
        examples={"None": {"cloned_voices": []}},
    ),
    "providers": _operation(
        summary="The language models that clients know",
        answer=answers.ProvidersAnswer,
        examples={"All": {"providers": LLM_PROVIDERS}},
    ),
}
