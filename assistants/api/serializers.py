"""What requests look like, and what assistants look like in answers."""

from typing import Any

from rest_framework import serializers

from assistants import opaque, overrides
from assistants.api.fields import (
    AddressField,
    NameField,
    OverrideField,
    PatternField,
    ProseField,
)
from assistants.models import LANGUAGE, Assistant
from burki.errors import InvalidRequest
from burki.fields import StrictBoolean
from burki.text import instant

_HTTP = ("http", "https")
_SMS_WEBHOOK = (
    "Where text messages are POSTed to: `https://`, on a public host, without a user name. Only an "
    "installation for development takes `http://` and private hosts."
)

# What we answer and nobody sets: a client that writes back what it read means nothing by it.
_READ_ONLY = frozenset(
    ["id", "organization_id", "user_id", "call_count", "total_duration", "phone_numbers"]
    + ["created_at", "updated_at"]
)
_NOT_COUNTED = {"call_count": None, "total_duration": None}
# Settings that we do not read, but whose type clients rely on. Null is fine everywhere.
_OBJECTS = (
    "llm_provider_config", "llm_settings", "llm_fallback_providers", "tts_settings",
    "stt_settings", "interruption_settings", "tools_settings", "rag_settings",
    "webhook_headers", "custom_settings",
)  # fmt: skip
_TEXTS = ("llm_provider", "end_call_message", "transfer_call_message", "idle_message")
_INTEGERS = ("max_idle_messages", "idle_timeout", "max_call_length")
_KINDS: dict[str, tuple[type, str]] = {
    **dict.fromkeys(_OBJECTS, (dict, "an object")),
    **dict.fromkeys(_TEXTS, (str, "a string")),
    **dict.fromkeys(_INTEGERS, (int, "an integer")),
    "conversation_continuity_enabled": (bool, "true or false"),
}


class AssistantRequest(serializers.Serializer):
    """What has a meaning here. Everything else is a setting (`settings_of`)."""

    name = NameField(required=False)
    description = ProseField(most=5000)
    greeting = ProseField(most=5000)
    language = PatternField(LANGUAGE, says="a language tag such as en-US")
    media_stream_url = AddressField(schemes=("wss",))
    sms_webhook_url = AddressField(schemes=_HTTP, help_text=_SMS_WEBHOOK)
    webhook_url = AddressField(schemes=_HTTP)
    messaging_service_sid = PatternField(
        r"[A-Za-z0-9]{1,64}", says="at most 64 letters and digits (e.g., MG…)"
    )
    telnyx_connection_id = PatternField(
        r"[A-Za-z0-9\-]{1,64}", says="at most 64 letters and digits"
    )
    is_active = StrictBoolean(message="is_active must be true or false", required=False)
    twilio_config = OverrideField("account_sid", "auth_token")
    telnyx_config = OverrideField("api_key", "connection_id")


class WholeAssistantRequest(AssistantRequest):
    """Null means "not given"."""

    is_active = StrictBoolean(
        message="is_active must be true or false", required=False, allow_null=True
    )


class NewAssistantRequest(WholeAssistantRequest):
    name = NameField()


def changes_of(
    data: dict[str, Any], *, serializer: type[AssistantRequest], keep_null: bool
) -> dict[str, Any]:
    """What a request asks for, in the words of `assistants.services`. Null means "not given", or
    with `keep_null` "none"; an override's null always removes it. Raises `InvalidRequest`."""
    if not keep_null:
        data = {
            name: value
            for name, value in data.items()
            if value is not None or name in overrides.OVERRIDES
        }
    asked = serializer(data=data)
    asked.is_valid(raise_exception=True)
    changes = dict(asked.validated_data)
    for name in changes.keys() - {*overrides.OVERRIDES, "is_active", "name"}:
        if changes[name] is None or changes[name] == "":
            changes[name] = Assistant._meta.get_field(name).get_default()
    settings = settings_of(data)
    if settings:
        changes["settings"] = settings
    return changes


def settings_of(data: dict[str, Any]) -> dict[str, Any]:
    """The fields that are kept as opaque settings. Raises `InvalidRequest`."""
    settings = {
        name: value
        for name, value in data.items()
        if name not in _READ_ONLY and name not in AssistantRequest._declared_fields
    }
    for name, value in settings.items():
        kind, words = _KINDS.get(name, (None, ""))
        if kind is not None and value is not None and type(value) is not kind:
            raise InvalidRequest(f"{name} must be {words}, or null")
    headers = settings.get("webhook_headers") or {}
    if not all(isinstance(value, str) for value in headers.values()):
        raise InvalidRequest("webhook_headers must be an object of strings, or null")
    return settings


def assistant_answer(
    assistant: Assistant, statistics: dict[int, dict[str, int]] | None = None
) -> dict[str, Any]:
    """An assistant of `Assistant.objects.told()`. Its settings stand beside our own fields, which
    win; secrets among them are told by their last four characters. Without `call_statistics` those
    are null: 0 would be a lie."""
    calls = statistics[assistant.pk] if statistics is not None else _NOT_COUNTED
    return opaque.shown(assistant.settings) | {
        "id": assistant.pk,
        "organization_id": assistant.organization_id,
        "user_id": assistant.created_by_id,
        "name": assistant.name,
        "description": assistant.description or None,
        "greeting": assistant.greeting or None,
        "language": assistant.language,
        "media_stream_url": assistant.media_stream_url or None,
        "sms_webhook_url": assistant.sms_webhook_url or None,
        "webhook_url": assistant.webhook_url or None,
        "messaging_service_sid": assistant.messaging_service_sid or None,
        "telnyx_connection_id": assistant.telnyx_connection_id or None,
        "is_active": assistant.is_active,
        "phone_numbers": sorted(assistant.numbers_told),
        **calls,
        "created_at": instant(assistant.created_at),
        "updated_at": instant(assistant.updated_at),
        **overrides.told(assistant),
    }
