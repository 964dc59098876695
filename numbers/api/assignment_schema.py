"""What the API's documentation says of assigning numbers to assistants (see `burki.openapi`)."""

from functools import partial
from typing import Any

from rest_framework import serializers

from burki.errors import InvalidRequest, NotFound
from burki.openapi import (
    JSON,
    Answer,
    Instant,
    Null,
    Operation,
    Success,
    paging,
    parameter,
    query_of,
    refused,
    wrong_limit,
)
from burki.paging import SkipPagination
from numbers import exceptions as errors
from numbers.api.answers import PhoneNumberRecord
from numbers.api.assignment_filters import OrganizationNumbersFilter
from numbers.api.assignment_serializers import (
    AssignByNumberRequest,
    AssignToRequest,
    ChangeRequest,
    UnassignByNumberRequest,
)
from numbers.api.examples import NUMBER, NUMBER_RECORD
from numbers.api.schema import CHANGE_ERRORS, NUMBER_CONFLICT, OF_ACCOUNTS, failed
from organizations.models import Provider

_operation = partial(Operation, tag="Assignment")
_ASSISTANT = parameter("path", "assistant_id", {"type": "integer", "minimum": 0}, example=123)
_NUMBER = parameter("path", "number_id", {"type": "integer", "minimum": 0}, example=1)

_NO_ASSISTANT = NotFound("Assistant with ID 123 not found in your organization")
_NO_NUMBER = NotFound("Phone number not found")


class AssignmentData(Answer):
    phone_number_id = serializers.IntegerField()
    phone_number = serializers.CharField()
    assistant_id = serializers.IntegerField()
    assistant_name = serializers.CharField()
    friendly_name = serializers.CharField(required=False)
    previous_assistant_id = serializers.IntegerField(required=False, allow_null=True)
    was_synced = serializers.BooleanField(required=False)
    warning = serializers.CharField(required=False)


class AssignmentAnswer(Answer):
    success = serializers.BooleanField()
    message = serializers.CharField()
    data = AssignmentData()


class AssignedNumber(Answer):
    phone_number_id = serializers.IntegerField()
    phone_number = serializers.CharField()


class NotAssigned(Answer):
    phone_number_id = serializers.IntegerField()
    error = serializers.CharField()


class BulkAssignmentData(Answer):
    successes = AssignedNumber(many=True)
    total_assigned = serializers.IntegerField(required=False, help_text="When all were.")
    failures = NotAssigned(many=True, required=False)
    total_requested = serializers.IntegerField(required=False)
    successful_count = serializers.IntegerField(required=False)
    failed_count = serializers.IntegerField(required=False)


class BulkAssignmentAnswer(Answer):
    success = serializers.BooleanField(help_text="Whether at least one was assigned.")
    message = serializers.CharField()
    data = BulkAssignmentData()


class ChangedNumberAnswer(Answer):
    success = Success()
    message = serializers.CharField()
    phone_number = PhoneNumberRecord()


class ListedNumber(PhoneNumberRecord):
    """A number of the inventory; or, with `is_verified_caller_id`, a caller id, which has fewer
    fields: it can be called from, and that is all."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for name in set(fields) - set(CallerId().fields):
            fields[name].required = False
        fields["friendly_name"].allow_null = True
        return fields


class CallerId(Answer):
    id = serializers.IntegerField()
    phone_number = serializers.CharField()
    friendly_name = serializers.CharField(allow_null=True)
    provider = serializers.ChoiceField(choices=Provider.values)
    provider_number_id = serializers.CharField()
    twilio_sid = serializers.CharField()
    provider_account_id = serializers.IntegerField()
    is_active = serializers.BooleanField()
    is_verified_caller_id = serializers.BooleanField()
    capabilities = serializers.DictField(child=serializers.BooleanField())
    sip_trunk_id = Null()
    allowed_country_codes = Null()
    assistant = Null()
    flow = Null()
    created_at = Instant()
    updated_at = Instant()


_DATA = {
    "phone_number_id": 1,
    "phone_number": NUMBER,
    "assistant_id": 123,
    "assistant_name": "Support",
}


def _done(message: str, success: bool = True, **data: Any) -> dict[str, Any]:
    return {"success": success, "message": message, "data": _DATA | data}


_UNASSIGNED = _done("Phone number successfully unassigned from assistant 'Support'")
_ASSIGNED = _done(
    "Phone number successfully assigned to assistant 'Support'",
    friendly_name="San Francisco Support Line",
    previous_assistant_id=None,
)
_PAGES = [
    parameter("query", "skip", {"type": "integer", "minimum": 0, "maximum": 10**9}),
    *paging(SkipPagination),
]
_array = partial(
    _operation,
    answer=PhoneNumberRecord(many=True),
    headers={200: ["Link"]},
)

LISTS = {
    "organization": _array(
        summary="The organization's numbers, as an array",
        description="Newest first. What is not in service is left out unless it is asked for.",
        parameters=[
            *query_of(
                OrganizationNumbersFilter,
                is_verified_caller_id="Lists the verified caller ids instead.",
            ),
            *_PAGES,
        ],
        answer=ListedNumber(many=True),
        examples={"One number": [NUMBER_RECORD]},
        errors=[wrong_limit(SkipPagination)],
    ),
    "available": _array(
        summary="Active numbers that no assistant has",
        parameters=[_ASSISTANT, *_PAGES],
        examples={"One number": [NUMBER_RECORD | {"assistant": None, "assistant_id": None}]},
        errors=[wrong_limit(SkipPagination), _NO_ASSISTANT],
    ),
    "of_assistant": _array(
        summary="An assistant's numbers",
        parameters=[_ASSISTANT, *_PAGES],
        examples={"One number": [NUMBER_RECORD]},
        errors=[wrong_limit(SkipPagination), _NO_ASSISTANT],
    ),
}

ASSIGNMENT = {
    "change": _operation(
        summary="Rename a number, or give it to an assistant",
        description="Null and absent leave as it is; `assistant_id` 0 takes it away.",
        parameters=[_NUMBER],
        request=ChangeRequest,
        request_examples={"To nobody": {"assistant_id": 0}},
        answer=ChangedNumberAnswer,
        examples={
            "Changed": {
                "success": True,
                "message": f"Phone number {NUMBER} updated successfully",
                "phone_number": NUMBER_RECORD,
            }
        },
        errors=[*CHANGE_ERRORS, _NO_NUMBER],
    ),
    "assign": _operation(
        summary="Give a number to an assistant",
        description="Also when another one has it.",
        parameters=[_ASSISTANT, _NUMBER],
        answer=AssignmentAnswer,
        examples={"Assigned": _ASSIGNED},
        errors=[_NO_ASSISTANT, _NO_NUMBER, NUMBER_CONFLICT],
    ),
    "assign_to": _operation(
        summary="Give a number to an assistant",
        description="The same, with the assistant in the body.",
        parameters=[_NUMBER],
        request=AssignToRequest,
        request_examples={"To one": {"assistantId": 123}},
        answer=AssignmentAnswer,
        examples={"Assigned": _ASSIGNED},
        errors=[
            refused(AssignToRequest, {"assistantId": "1"}),
            _NO_ASSISTANT,
            _NO_NUMBER,
            NUMBER_CONFLICT,
        ],
    ),
    "unassign": _operation(
        summary="Take a number from an assistant",
        parameters=[_ASSISTANT, _NUMBER],
        answer=AssignmentAnswer,
        examples={"Unassigned": _UNASSIGNED},
        errors=[
            InvalidRequest(f"Phone number {NUMBER} is not assigned to this assistant"),
            _NO_ASSISTANT,
            _NO_NUMBER,
            NUMBER_CONFLICT,
        ],
    ),
    "bulk_assign": _operation(
        summary="Give many numbers to an assistant",
        description="The body is a JSON array of their ids.",
        parameters=[_ASSISTANT],
        request={
            JSON: {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 1}}
        },
        request_examples={"Two": [1, 2]},
        answer=BulkAssignmentAnswer,
        examples={
            "All": {
                "success": True,
                "message": "Successfully assigned all 1 phone numbers to assistant 'Support'",
                "data": {
                    "successes": [{"phone_number_id": 1, "phone_number": NUMBER}],
                    "total_assigned": 1,
                },
            },
            "Some": {
                "success": True,
                "message": "Assigned 1 phone numbers successfully. 1 failed.",
                "data": {
                    "successes": [{"phone_number_id": 1, "phone_number": NUMBER}],
                    "failures": [{"phone_number_id": 2, "error": "Phone number not found"}],
                    "total_requested": 2,
                    "successful_count": 1,
                    "failed_count": 1,
                },
            },
        },
        errors=[
            InvalidRequest("No phone number IDs provided"),
            InvalidRequest("Phone number IDs must be positive integers (e.g., [1, 2])"),
            _NO_ASSISTANT,
        ],
    ),
    "assign_by_number": _operation(
        summary="Give a number to an assistant, by number",
        description="Unless another one has it: then `success` is false. With `auto_sync` it is "
        "adopted first when only the organization's own provider account has it.",
        parameters=[_ASSISTANT],
        request=AssignByNumberRequest,
        request_examples={"A number": {"phone_number": NUMBER}},
        answer=AssignmentAnswer,
        examples={
            "Assigned": _done(
                f"Phone number {NUMBER} successfully assigned to assistant 'Support'",
                friendly_name="San Francisco Support Line",
                was_synced=False,
            ),
            "Somebody else has it": _done(
                f"Phone number {NUMBER} is already assigned to Sales",
                success=False,
                assistant_id=124,
                assistant_name="Sales",
                friendly_name="San Francisco Support Line",
                was_synced=False,
            ),
        },
        errors=[
            refused(AssignByNumberRequest, {"phone_number": "4155551234"}),
            _NO_ASSISTANT,
            NotFound(
                f"Phone number {NUMBER} not found in local database. "
                "Try setting auto_sync=true or sync manually first"
            ),
            NUMBER_CONFLICT,
            errors.InventoryConflict(f"{NUMBER} is not in the account."),
            *failed(errors.RequestFailed, "Failed to sync from Telnyx", OF_ACCOUNTS),
        ],
    ),
    "unassign_by_number": _operation(
        summary="Take a number from an assistant, by number",
        parameters=[_ASSISTANT],
        request=UnassignByNumberRequest,
        request_examples={"A number": {"phone_number": NUMBER}},
        answer=AssignmentAnswer,
        examples={
            "Unassigned": _done(
                f"Phone number {NUMBER} successfully unassigned from assistant 'Support'"
            )
        },
        errors=[
            InvalidRequest(f"Phone number {NUMBER} is not assigned to this assistant"),
            NotFound(f"Phone number {NUMBER} not found in your organization"),
            NUMBER_CONFLICT,
        ],
    ),
}
