"""What answers look like, for the API's documentation alone: `serializers` makes them."""

from rest_framework import serializers

from burki.openapi import Answer, Instant, Null, Success


class TwilioOverride(Answer):
    """Of the secret the last four characters."""

    account_sid = serializers.CharField()
    auth_token = serializers.CharField()


class TelnyxOverride(Answer):
    """Of the secret the last four characters."""

    api_key = serializers.CharField()
    connection_id = serializers.CharField(allow_null=True)


class AssistantAnswer(Answer):
    """Settings that were sent stand beside these fields, as they came; of secrets among them the
    last four characters."""

    open_ended = True

    id = serializers.IntegerField()
    organization_id = serializers.IntegerField()
    user_id = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()
    description = serializers.CharField(allow_null=True)
    greeting = serializers.CharField(allow_null=True)
    language = serializers.CharField()
    media_stream_url = serializers.CharField(allow_null=True)
    sms_webhook_url = serializers.CharField(allow_null=True)
    webhook_url = serializers.CharField(allow_null=True)
    messaging_service_sid = serializers.CharField(allow_null=True)
    telnyx_connection_id = serializers.CharField(allow_null=True)
    is_active = serializers.BooleanField()
    phone_numbers = serializers.ListField(
        child=serializers.CharField(),
        help_text="Of more than 100 the newest; all of them are a list of their own.",
    )
    call_count = serializers.IntegerField(
        allow_null=True, help_text="Calls that it had. null: not counted, see `include_stats`."
    )
    total_duration = serializers.IntegerField(
        allow_null=True, help_text="Seconds of all its calls. null: not counted."
    )
    created_at = Instant()
    updated_at = Instant()
    twilio_config = TwilioOverride(allow_null=True)
    telnyx_config = TelnyxOverride(allow_null=True)


class DeletedAnswer(Answer):
    success = Success()
    message = serializers.CharField()
    data = Null()


class CountAnswer(Answer):
    count = serializers.IntegerField()


class MyOrganizationAnswer(Answer):
    """A key that belongs to nobody tells of no user."""

    organization_id = serializers.IntegerField()
    organization_name = serializers.CharField()
    user_id = serializers.IntegerField(allow_null=True)
    user_email = serializers.CharField(allow_null=True)
    user_role = serializers.CharField(allow_null=True)


class ExportedAssistant(Answer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField(allow_null=True)
    language = serializers.CharField()
    is_active = serializers.BooleanField()
    phone_numbers = serializers.ListField(child=serializers.CharField())
    media_stream_url = serializers.CharField(allow_null=True)
    sms_webhook_url = serializers.CharField(allow_null=True)
    webhook_url = serializers.CharField(allow_null=True)
    created_at = Instant()
    updated_at = Instant()


class ClonedVoicesAnswer(Answer):
    cloned_voices = serializers.ListField(child=serializers.DictField())


class LlmProvider(Answer):
    name = serializers.CharField()
    config_fields = serializers.ListField(child=serializers.CharField())
    requires_base_url = serializers.BooleanField()


class ProvidersAnswer(Answer):
    providers = serializers.DictField(child=LlmProvider())
