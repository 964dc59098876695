"""What the API's documentation says of how numbers are set at their providers
(see `burki.openapi`)."""

from functools import partial
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from burki.errors import InvalidRequest, PermissionDenied
from burki.openapi import Answer, Operation, Success, code_field, parameter, refused
from numbers import exceptions as errors
from numbers.api.answers import PhoneNumberRecord
from numbers.api.caller_id_serializers import CallerIdRequest
from numbers.api.examples import NUMBER, NUMBER_RECORD
from numbers.api.schema import (
    NO_SUCH_NUMBER,
    NUMBER_CONFLICT,
    OF_ACCOUNTS,
    PHONE_NUMBER,
    failed,
)
from numbers.api.serializers import ProofRequest
from numbers.api.setup_serializers import WebhooksRequest
from numbers.models import PhoneNumber
from numbers.services.lookup import NO_PROVIDER, NOT_E164
from organizations.models import Provider

_operation = partial(Operation, tag="Phone numbers at their providers")
_SANDBOX_NUMBER = PhoneNumber(phone_number=NUMBER, provider="telnyx")


@extend_schema_field(
    {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "required": ["code", "name", "phone_code"],
                "additionalProperties": False,
                "properties": {
                    "code": {"type": "string"},
                    "name": {"type": "string"},
                    "phone_code": {"type": ["string", "null"]},
                },
            },
        ]
    }
)
class CountryOrCode(serializers.JSONField):
    pass


class CountriesAnswer(Answer):
    """`country_codes` are strings, and under `/api/v1` objects; `format` chooses."""

    success = Success()
    country_codes = serializers.ListField(child=CountryOrCode())
    codes = serializers.ListField(child=serializers.CharField(), required=False)
    provider = serializers.ChoiceField(choices=Provider.values)


class WebhookConfiguration(Answer):
    """Beside these, what the provider calls them."""

    open_ended = True

    voice_webhook_url = serializers.CharField(allow_null=True)
    sms_webhook_url = serializers.CharField(allow_null=True)


class WebhooksAnswer(Answer):
    success = Success()
    phone_number = serializers.CharField()
    provider = serializers.ChoiceField(choices=Provider.values)
    voice_webhook_url = serializers.CharField(allow_null=True)
    sms_webhook_url = serializers.CharField(allow_null=True)
    configuration = WebhookConfiguration()


class WebhooksUpdatedAnswer(Answer):
    success = Success()
    phone_number = serializers.CharField()
    provider = serializers.ChoiceField(choices=Provider.values)
    updated_webhooks = serializers.DictField(child=serializers.CharField())
    message = serializers.CharField()


class DiagnosedProblem(Answer):
    what = serializers.CharField()
    should_be = serializers.CharField(allow_null=True)
    do = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        return super().get_fields() | {"is": serializers.CharField(allow_null=True)}


class Verdict(Answer):
    ok = serializers.BooleanField()
    summary = serializers.CharField()
    problems = DiagnosedProblem(many=True)
    notes = serializers.ListField(child=serializers.CharField())


class CallControlApplication(Answer):
    id = serializers.CharField()
    name = serializers.CharField(allow_null=True, allow_blank=True)
    webhook_event_url = serializers.CharField(allow_null=True)
    connection_id = serializers.CharField(allow_null=True)


class ConnectionInfo(Answer):
    id = serializers.CharField()
    name = serializers.CharField(allow_null=True, allow_blank=True)
    webhook_event_url = serializers.CharField(allow_null=True)
    type = serializers.CharField()
    active = serializers.BooleanField(allow_null=True)


class VoiceConfiguration(Answer):
    voice_webhook_url = serializers.CharField(allow_null=True)
    sms_webhook_url = serializers.CharField(allow_null=True)


class RawPhoneData(Answer):
    id = serializers.CharField()
    phone_number = serializers.CharField()
    status = serializers.CharField(allow_null=True)
    friendly_name = serializers.CharField(allow_null=True)
    purchased_at = serializers.CharField(allow_null=True)


class NotFoundDiagnosis(Answer):
    """The account does not have it (`found` false), or could not be asked (null)."""

    phone_number = serializers.CharField()
    provider = serializers.ChoiceField(choices=Provider.values)
    found = serializers.BooleanField(allow_null=True)
    error = serializers.CharField()
    code = code_field(required=False)
    verdict = Verdict()


class FoundDiagnosis(Answer):
    phone_number = serializers.CharField()
    provider = serializers.ChoiceField(choices=Provider.values)
    found = serializers.BooleanField()
    phone_number_id = serializers.CharField()
    connection_id = serializers.CharField(allow_null=True)
    status = serializers.CharField(allow_null=True)
    features = serializers.ListField(child=serializers.CharField())
    messaging_profile_id = serializers.CharField(allow_null=True)
    connection_info = ConnectionInfo(allow_null=True)
    call_control_applications = CallControlApplication(many=True)
    voice_configuration = VoiceConfiguration(allow_null=True)
    assigned_call_control_app_id = serializers.CharField(allow_null=True)
    raw_phone_data = RawPhoneData()
    verdict = Verdict()


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="Diagnosis",
        serializers=[FoundDiagnosis, NotFoundDiagnosis],
        resource_type_field_name=None,
    )
)
class DiagnosisField(serializers.JSONField):
    pass


class DiagnosisAnswer(Answer):
    success = Success()
    phone_number = serializers.CharField()
    diagnosis = DiagnosisField()


class CallerIdsSyncedAnswer(Answer):
    success = Success()
    message = serializers.CharField()
    synced_count = serializers.IntegerField()
    added_count = serializers.IntegerField()
    removed_count = serializers.IntegerField()


class CallerIdAnswer(Answer):
    success = Success()
    message = serializers.CharField()
    phone_number = serializers.CharField()
    validation_code = serializers.CharField(help_text="What the person who answers must enter.")


class RepairedNumber(PhoneNumberRecord):
    overwritten = serializers.DictField(
        child=serializers.DictField(), help_text="What somebody else had set."
    )


_WHERE = {"voice_webhook_url": None, "sms_webhook_url": None}
_PROVIDER = parameter("query", "provider", {"type": "string", "enum": list(Provider.values)})
_WEBHOOK = "https://api.burki.dev/telnyx-webhook"
_VERDICT = {
    "ok": True,
    "summary": "Calls reach their destination.",
    "problems": [],
    "notes": [],
}
_APPLICATION = {
    "id": "1234567890",
    "name": "Burki api.burki.dev",
    "webhook_event_url": _WEBHOOK,
}
_DIAGNOSIS = {
    "phone_number": NUMBER,
    "provider": "telnyx",
    "found": True,
    "phone_number_id": NUMBER_RECORD["provider_number_id"],
    "connection_id": "1234567890",
    "status": "active",
    "features": ["voice", "sms", "mms"],
    "messaging_profile_id": NUMBER_RECORD["messaging_profile_id"],
    "connection_info": _APPLICATION | {"type": "call_control", "active": True},
    "call_control_applications": [_APPLICATION | {"connection_id": "1234567890"}],
    "voice_configuration": {"voice_webhook_url": _WEBHOOK, "sms_webhook_url": _WEBHOOK},
    "assigned_call_control_app_id": "1234567890",
    "raw_phone_data": {
        "id": NUMBER_RECORD["provider_number_id"],
        "phone_number": NUMBER,
        "status": "active",
        "friendly_name": None,
        "purchased_at": "2024-01-15T10:30:00Z",
    },
    "verdict": _VERDICT,
}
_GONE = {
    "phone_number": NUMBER,
    "provider": "telnyx",
    "found": False,
    "error": f"The Telnyx account does not have {NUMBER}.",
    "verdict": {
        "ok": False,
        "summary": f"The Telnyx account does not have {NUMBER}.",
        "problems": [
            {
                "what": f"The Telnyx account does not have {NUMBER}.",
                "is": None,
                "should_be": None,
                "do": "Look in the account whether it was released there.",
            }
        ],
        "notes": [],
    },
}
_AT_OTHER = InvalidRequest(f"Phone number {NUMBER} is at telnyx")
_NO_TWILIO = InvalidRequest(
    "Twilio credentials not configured for this organization",
    hint="Enter Twilio credentials for the organization.",
)
_READ_FAILED = f"Could not retrieve webhook configuration for {NUMBER}"
_UPDATE_FAILED = f"Failed to update webhooks for {NUMBER} via telnyx"


def _not_done(detail: str) -> list[Exception]:
    return failed(errors.RequestFailed, detail, OF_ACCOUNTS)


SETUP = {
    "countries": _operation(
        summary="Where numbers can be bought",
        parameters=[
            _PROVIDER,
            parameter(
                "query",
                "format",
                {"type": "string", "enum": ["codes", "objects"]},
                "Without it, objects under `/api/v1` and codes else.",
            ),
        ],
        answer=CountriesAnswer,
        examples={
            "Codes": {"success": True, "country_codes": ["US", "CA", "GB"], "provider": "telnyx"},
            "Objects": {
                "success": True,
                "country_codes": [{"code": "US", "name": "United States", "phone_code": "+1"}],
                "codes": ["US"],
                "provider": "telnyx",
            },
        },
        errors=[
            InvalidRequest(NO_PROVIDER),
            InvalidRequest("format must be 'codes' or 'objects'"),
            *_not_done("Failed to get country codes from telnyx"),
        ],
    ),
    "diagnose": _operation(
        summary="What is wrong with a number",
        description="What is set at the provider, what should be, and what to do. Trouble at the "
        "provider is part of the diagnosis.",
        parameters=[PHONE_NUMBER],
        answer=DiagnosisAnswer,
        examples={
            "Nothing": {"success": True, "phone_number": NUMBER, "diagnosis": _DIAGNOSIS},
            "It is gone": {"success": True, "phone_number": NUMBER, "diagnosis": _GONE},
        },
        errors=[InvalidRequest(NOT_E164), NO_SUCH_NUMBER],
    ),
    "webhooks": _operation(
        summary="Where calls and messages go",
        description="As the provider says now.",
        parameters=[PHONE_NUMBER, _PROVIDER],
        answer=WebhooksAnswer,
        examples={
            "Telnyx": {
                "success": True,
                "phone_number": NUMBER,
                "provider": "telnyx",
                "voice_webhook_url": _WEBHOOK,
                "sms_webhook_url": _WEBHOOK,
                "configuration": {
                    "voice_webhook_url": _WEBHOOK,
                    "sms_webhook_url": _WEBHOOK,
                    "connection_id": "1234567890",
                },
            }
        },
        errors=[
            InvalidRequest(NOT_E164),
            _AT_OTHER,
            NO_SUCH_NUMBER,
            errors.NumberGone(_SANDBOX_NUMBER, _READ_FAILED),
            *_not_done(_READ_FAILED),
        ],
    ),
    "update_webhooks": _operation(
        summary="Send calls elsewhere, switch messages off or on",
        description="Our own address brings calls back to the assistant.",
        request=WebhooksRequest,
        request_examples={
            "Calls elsewhere": {
                "phone_number": NUMBER,
                "voice_webhook_url": "https://calls.example.com/in",
            },
            "No messages": {"phone_number": NUMBER, "disable_sms": True},
        },
        answer=WebhooksUpdatedAnswer,
        examples={
            "Calls elsewhere": {
                "success": True,
                "phone_number": NUMBER,
                "provider": "telnyx",
                "updated_webhooks": {"voice": "https://calls.example.com/in"},
                "message": f"Successfully updated 1 webhook(s) for {NUMBER} via telnyx",
            }
        },
        errors=[
            InvalidRequest(
                "At least one action required: voice_webhook_url, disable_sms=true, or "
                "enable_sms=true"
            ),
            InvalidRequest("Cannot set both disable_sms and enable_sms to true"),
            NO_SUCH_NUMBER,
            errors.NumberGone(_SANDBOX_NUMBER, _UPDATE_FAILED),
            NUMBER_CONFLICT,
            *_not_done(_UPDATE_FAILED),
        ],
    ),
}

CALLER_IDS = {
    "sync": _operation(
        summary="Synchronize verified caller ids",
        description="With what the organization's own Twilio account lists.",
        answer=CallerIdsSyncedAnswer,
        examples={
            "Two": {
                "success": True,
                "message": "Successfully synced 2 verified caller IDs",
                "synced_count": 2,
                "added_count": 1,
                "removed_count": 0,
            }
        },
        errors=[_NO_TWILIO, *_not_done("Failed to sync verified caller IDs from twilio")],
    ),
    "add": _operation(
        summary="Verify a caller id",
        description="Twilio calls the number now, and asks for the code of this answer. The same "
        "number is not called twice within a minute, whoever of the organization asks (429). The "
        "body may be JSON or a form, whatever it is labelled.",
        request=CallerIdRequest,
        request_examples={"A number": {"phone_number": NUMBER, "friendly_name": "Front desk"}},
        answer=CallerIdAnswer,
        examples={
            "Being called": {
                "success": True,
                "message": f"Twilio is calling {NUMBER}: enter the validation code, then sync.",
                "phone_number": NUMBER,
                "validation_code": "123456",
            }
        },
        errors=[
            refused(CallerIdRequest, {"phone_number": "4155551234"}),
            _NO_TWILIO,
            errors.AlreadyVerified(
                f"{NUMBER} is verified in the Twilio account already.",
                hint="Sync the verified caller ids.",
            ),
            *_not_done(f"Failed to verify caller ID {NUMBER} with twilio"),
        ],
    ),
}

_proof = partial(
    _operation,
    parameters=[PHONE_NUMBER],
    request=ProofRequest,
    request_examples={"The only one": {}, "Of one provider": {"provider": "telnyx"}},
    answer=PhoneNumberRecord,
    examples={"A number": NUMBER_RECORD},
)
_PROOF_ERRORS = [refused(ProofRequest, {"provider": "vonage"}), NO_SUCH_NUMBER]
_ASKED = [*_PROOF_ERRORS, *failed(errors.ProviderRefused, "", OF_ACCOUNTS)]
_SHARED = PermissionDenied(
    f"{NUMBER} shares its connection with other customers of the platform: only the platform's "
    "operator can set it."
)

PROOF = {
    "verify": _proof(
        summary="Look whether a number asks us",
        description="Reads back what the provider has; changes nothing there. Trouble at the "
        "provider is part of `webhook_check`.",
        errors=[*_PROOF_ERRORS, errors.InventoryConflict(f"{NUMBER} is not active.")],
    ),
    "repair": _proof(
        summary="Make a number ask us",
        description="Sets at the provider what should be there.",
        answer=RepairedNumber,
        examples={"A number": NUMBER_RECORD | {"overwritten": {}}},
        errors=[*_ASKED, _SHARED, errors.InventoryConflict(f"{NUMBER} is not in the account.")],
    ),
    "restore": _proof(
        summary="Undo a repair",
        description="Puts back at the provider what the last repair overwrote.",
        errors=[
            *_ASKED,
            _SHARED,
            errors.InventoryConflict(
                f"Nothing was overwritten when {NUMBER} was set up or repaired."
            ),
        ],
    ),
}
