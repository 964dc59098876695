"""What answers about an organization and its provider accounts look like, for the API's
documentation alone: `organization_serializers` makes them."""

from rest_framework import serializers

from burki.openapi import Amount, Answer, Instant, code_field
from organizations.models import Provider, ProviderAccount


class OrganizationAnswer(Answer):
    """Of every secret the last four characters."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    slug = serializers.CharField()
    description = serializers.CharField(allow_null=True)
    domain = serializers.CharField(allow_null=True)
    is_active = serializers.BooleanField()
    settings = serializers.DictField()
    api_keys = serializers.DictField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="Null when no CREDENTIALS_KEY opens them.",
    )
    twilio_account_sid = serializers.CharField(allow_null=True)
    twilio_auth_token = serializers.CharField(allow_null=True)
    telnyx_api_key = serializers.CharField(allow_null=True)
    telnyx_connection_id = serializers.CharField(allow_null=True)
    telnyx_messaging_profile_id = serializers.CharField(allow_null=True)
    telnyx_public_key = serializers.CharField(allow_null=True)
    monthly_limit = Amount(allow_null=True)
    limit_currency = serializers.CharField()
    number_limit = serializers.IntegerField(allow_null=True)
    created_at = Instant()
    updated_at = Instant()


class ValidationAnswer(Answer):
    valid = serializers.BooleanField()
    error = serializers.CharField(allow_null=True, help_text="Why they are not valid.")
    friendly_name = serializers.CharField(allow_null=True)
    warning = serializers.CharField(
        allow_null=True, help_text="What is wrong with the account that they open."
    )


class Configured(Answer):
    configured = serializers.BooleanField()
    source = serializers.ChoiceField(choices=ProviderAccount.Source.values, allow_null=True)
    provider_account_id = serializers.IntegerField(allow_null=True)
    label = serializers.CharField(allow_null=True)
    is_active = serializers.BooleanField(allow_null=True)
    low_balance = serializers.BooleanField(allow_null=True)
    last_checked_at = Instant(allow_null=True)
    warnings = serializers.ListField(child=serializers.CharField())


class ConfigurationAnswer(Answer):
    is_configured = serializers.BooleanField()
    providers = serializers.DictField(child=Configured())


class CheckedPart(Answer):
    """A connection, a messaging profile, or the public key that verifies what Telnyx sends: `id`
    is what we have."""

    id = serializers.CharField(allow_blank=True)
    usable = serializers.BooleanField()
    problem = serializers.CharField(allow_null=True)


class Check(Answer):
    ok = serializers.BooleanField()
    status = serializers.CharField(allow_null=True)
    friendly_name = serializers.CharField(allow_null=True)
    may_order = serializers.BooleanField()
    problem = serializers.CharField(allow_null=True)
    code = code_field(allow_null=True)
    connection = CheckedPart(allow_null=True)
    messaging_profile = CheckedPart(allow_null=True)
    public_key = CheckedPart(allow_null=True)


class ProviderAccountAnswer(Answer):
    """Of the secret the last four characters."""

    id = serializers.IntegerField()
    provider = serializers.ChoiceField(choices=Provider.values)
    name = serializers.CharField()
    label = serializers.CharField(allow_blank=True)
    account_sid = serializers.CharField(allow_null=True)
    secret = serializers.CharField(allow_null=True)
    connection_id = serializers.CharField(allow_null=True)
    messaging_profile_id = serializers.CharField(allow_null=True)
    is_default = serializers.BooleanField()
    is_active = serializers.BooleanField()
    balance = Amount(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    low_balance_threshold = Amount(allow_null=True)
    low_balance = serializers.BooleanField()
    last_checked_at = Instant(allow_null=True)
    last_check = Check(allow_null=True)
    warnings = serializers.ListField(child=serializers.CharField())
    created_at = Instant()
    updated_at = Instant()
