"""Requests and answers about which assistant has which number."""

from typing import Any

from rest_framework import serializers

from burki.fields import StrictBoolean
from numbers.api.fields import (
    AssistantChoiceField,
    AssistantIdField,
    FriendlyNameField,
    NumberOfADirectoryField,
)
from numbers.models import PhoneNumber
from numbers.services.assigning import Assigned, BulkAssigned


class ChangeRequest(serializers.Serializer):
    """Null and absent mean "leave it as it is"; "" names the number by itself again."""

    friendly_name = FriendlyNameField(required=False, allow_null=True, default=None)
    assistant_id = AssistantChoiceField(required=False, allow_null=True, default=None)


class AssignToRequest(serializers.Serializer):
    assistantId = AssistantIdField()  # noqa: N815  (as the JavaScript client writes it)


class AssignByNumberRequest(serializers.Serializer):
    phone_number = NumberOfADirectoryField()
    friendly_name = FriendlyNameField(required=False, allow_null=True, default=None)
    auto_sync = StrictBoolean(required=False, allow_null=True, default=True)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        auto_sync = True if data["auto_sync"] is None else data["auto_sync"]
        return data | {"friendly_name": data["friendly_name"] or "", "auto_sync": auto_sync}


class UnassignByNumberRequest(serializers.Serializer):
    phone_number = NumberOfADirectoryField()


def envelope(message: str, data: dict[str, Any] | None, *, success: bool = True) -> dict[str, Any]:
    return {"success": success, "message": message, "data": data}


def assigned_answer(done: Assigned) -> dict[str, Any]:
    before = done.before
    return envelope(
        f"Phone number successfully assigned to assistant '{done.assistant.name}'",
        _data(done)
        | {
            "friendly_name": done.number.friendly_name,
            "previous_assistant_id": before.pk if before and before != done.assistant else None,
        },
    )


def unassigned_answer(done: Assigned) -> dict[str, Any]:
    return envelope(
        f"Phone number successfully unassigned from assistant '{done.assistant.name}'", _data(done)
    )


def assigned_by_number_answer(done: Assigned) -> dict[str, Any]:
    number = done.number
    facts = {"friendly_name": number.friendly_name, "was_synced": done.adopted}
    if done.held_by is not None:
        return envelope(
            f"Phone number {number} is already assigned to {done.held_by.name}",
            _data(done, done.held_by) | facts,
            success=False,
        )
    message = f"Phone number {number} successfully assigned to assistant '{done.assistant.name}'"
    if done.misrouted:
        facts["warning"] = (
            "Its calls do not come here yet: it is set otherwise at its provider. Diagnose it."
        )
    return envelope(message, _data(done) | facts)


def unassigned_by_number_answer(done: Assigned) -> dict[str, Any]:
    name = done.assistant.name
    return envelope(
        f"Phone number {done.number} successfully unassigned from assistant '{name}'", _data(done)
    )


def bulk_answer(done: BulkAssigned) -> dict[str, Any]:
    count, failed = len(done.assigned), len(done.failures)
    successes = [_one(number) for number in done.assigned]
    if not failed:
        return envelope(
            f"Successfully assigned all {count} phone numbers to assistant '{done.assistant.name}'",
            {"successes": successes, "total_assigned": count},
        )
    return envelope(
        f"Assigned {count} phone numbers successfully. {failed} failed.",
        {
            "successes": successes,
            "failures": [
                {"phone_number_id": pk, "error": why} for pk, why in done.failures.items()
            ],
            "total_requested": count + failed,
            "successful_count": count,
            "failed_count": failed,
        },
        success=count > 0,
    )


def _one(number: PhoneNumber) -> dict[str, Any]:
    return {"phone_number_id": number.pk, "phone_number": number.phone_number}


def _data(done: Assigned, assistant=None) -> dict[str, Any]:
    assistant = assistant or done.assistant
    return _one(done.number) | {"assistant_id": assistant.pk, "assistant_name": assistant.name}
