"""What answers look like, for the API's documentation alone: `serializers` makes them. A test
compares every answer with these; none has a field that is not here."""

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from burki.openapi import Amount, Answer, ErrorField, Instant, Null, Success, code_field
from numbers.models import PhoneNumber, Purchase
from numbers.services.search import NUMBER_TYPES
from organizations.models import Provider

_VISIBLE = [status for status in PhoneNumber.Status.values if status != "claimed"]


def _provider(**kwargs) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=Provider.values, **kwargs)


class Capabilities(Answer):
    voice = serializers.BooleanField()
    sms = serializers.BooleanField()
    mms = serializers.BooleanField()
    fax = serializers.BooleanField()


# --- Search --------------------------------------------------------------------------------------


class AvailableNumber(Answer):
    """A number for sale. `iso_country` and `monthly_cost` are what the SDK reads."""

    phone_number = serializers.CharField()
    friendly_name = serializers.CharField()
    locality = serializers.CharField(allow_null=True)
    region = serializers.CharField(allow_null=True)
    country_code = serializers.CharField()
    iso_country = serializers.CharField()
    number_type = serializers.ChoiceField(choices=NUMBER_TYPES)
    capabilities = Capabilities()
    cost = Amount(allow_null=True)
    monthly_cost = Amount(allow_null=True)
    setup_cost = Amount(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    provider = _provider()


class ProviderAnswered(Answer):
    success = serializers.BooleanField()
    count = serializers.IntegerField(required=False)
    detail = serializers.CharField(required=False)
    code = code_field(required=False)
    hint = serializers.CharField(required=False, allow_null=True)
    retryable = serializers.BooleanField(required=False)
    provider_code = serializers.CharField(required=False, allow_null=True)


class SearchAnswer(Answer):
    success = Success()
    numbers = AvailableNumber(many=True)
    total_found = serializers.IntegerField(help_text="How many `numbers` there are.")
    provider = serializers.ChoiceField(choices=[*Provider.values, "all"])
    providers = serializers.DictField(
        child=ProviderAnswered(),
        required=False,
        help_text="With `all`: how each provider answered.",
    )


# --- Purchases -----------------------------------------------------------------------------------


class TwilioPurchaseDetails(Answer):
    sid = serializers.CharField()
    friendly_name = serializers.CharField()
    voice_url = serializers.CharField()
    sms_url = serializers.CharField(allow_blank=True)
    capabilities = Capabilities()
    date_created = Instant()


class TelnyxPurchaseDetails(Answer):
    id = serializers.CharField()
    phone_number = serializers.CharField()
    status = serializers.ChoiceField(choices=["completed", "pending"])
    connection_id = serializers.CharField(allow_null=True)
    date_created = Instant()


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="PurchaseDetails",
        serializers=[TwilioPurchaseDetails, TelnyxPurchaseDetails],
        resource_type_field_name=None,
    )
)
class PurchaseDetails(serializers.JSONField):
    pass


class Attempt(Answer):
    """One number that a purchase with fallback tried."""

    phone_number = serializers.CharField()
    provider = _provider()
    state = serializers.ChoiceField(choices=Purchase.State.values)
    code = code_field(allow_null=True)
    purchase_id = serializers.UUIDField()


class PurchaseAnswer(Answer):
    """With `fallback`, `phone_number` is what was bought; the last two fields are there only
    then."""

    success = Success()
    phone_number = serializers.CharField()
    provider = _provider()
    purchase_details = PurchaseDetails()
    message = serializers.CharField()
    requested_phone_number = serializers.CharField(required=False)
    attempts = Attempt(many=True, required=False)


class Refusal(Answer):
    code = code_field()
    evidence = serializers.ChoiceField(choices=Purchase.Evidence.values)
    provider_code = serializers.CharField(allow_null=True)
    hint = serializers.CharField(allow_null=True)
    retryable = serializers.BooleanField()


class PurchaseRecord(Answer):
    """One attempt to buy, refused ones too."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=Purchase.State.values)
    charged = serializers.BooleanField(allow_null=True, help_text="null: not known yet.")
    phone_number = serializers.CharField()
    provider = _provider()
    assistant_id = serializers.IntegerField(allow_null=True)
    friendly_name = serializers.CharField(allow_null=True)
    made_by = serializers.CharField()
    monthly_cost = Amount(allow_null=True)
    setup_cost = Amount(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    purchase_details = PurchaseDetails(allow_null=True)
    refusal = Refusal(allow_null=True)
    needs_attention = serializers.CharField(
        allow_null=True, help_text="Why a person should look at it."
    )
    claimed_at = Instant()
    recorded_at = Instant(allow_null=True)
    next_look_at = Instant(allow_null=True)


class SettleAnswer(PurchaseRecord):
    """The record; without a decision in the request also what the provider shows."""

    saw = serializers.CharField(required=False)
    choices = serializers.ListField(
        child=serializers.ChoiceField(choices=["bought", "not_bought"]),
        required=False,
        help_text="What a person may decide now.",
    )


# --- Preview -------------------------------------------------------------------------------------


class PreviewPrice(Answer):
    due_now = Amount(allow_null=True)
    monthly_cost = Amount(allow_null=True)
    setup_cost = Amount(allow_null=True)
    currency = serializers.CharField(allow_null=True)


class PreviewLimit(Answer):
    monthly_limit = Amount(allow_null=True)
    committed = Amount()
    left_after = Amount(allow_null=True)
    currency = serializers.CharField()
    number_limit = serializers.IntegerField(allow_null=True)
    numbers_after = serializers.IntegerField()


class PreviewAccount(Answer):
    id = serializers.IntegerField()
    label = serializers.CharField()
    level = serializers.ChoiceField(choices=["assistant", "organization", "environment"])


class Webhooks(Answer):
    voice_url = serializers.CharField(allow_null=True)
    sms_url = serializers.CharField(allow_null=True)
    connection_id = serializers.CharField(allow_null=True)
    messaging_profile_id = serializers.CharField(allow_null=True)


class PreviewAssistant(Answer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    ready = serializers.BooleanField()


class PreviewAnswer(Answer):
    success = Success()
    phone_number = serializers.CharField()
    provider = _provider()
    allowed = serializers.BooleanField()
    problem = ErrorField(allow_null=True, help_text="What would stop the purchase, if anything.")
    price = PreviewPrice()
    limit = PreviewLimit()
    provider_account = PreviewAccount()
    webhooks = Webhooks()
    assistant = PreviewAssistant(allow_null=True)
    warnings = serializers.ListField(child=serializers.CharField())


# --- The inventory -------------------------------------------------------------------------------


class AssignedAssistant(Answer):
    id = serializers.IntegerField()
    name = serializers.CharField()
    is_active = serializers.BooleanField()


class WebhookCheck(Answer):
    """Whether the provider was last seen to have the number as it should be."""

    verdict = serializers.ChoiceField(
        choices=PhoneNumber.Verdict.values, allow_null=True, help_text="null: nobody looked yet."
    )
    checked_at = Instant(allow_null=True)
    verified_at = Instant(allow_null=True)
    detail = serializers.CharField(allow_null=True)
    differences = serializers.DictField(child=serializers.DictField())


class PhoneNumberRecord(Answer):
    """A number of the inventory. `twilio_sid` is the provider's id for both providers: that is
    the name under which existing clients read it."""

    id = serializers.IntegerField()
    phone_number = serializers.CharField()
    friendly_name = serializers.CharField()
    provider = _provider()
    status = serializers.ChoiceField(choices=_VISIBLE)
    is_active = serializers.BooleanField()
    provider_number_id = serializers.CharField(allow_blank=True)
    twilio_sid = serializers.CharField(allow_blank=True)
    provider_account_id = serializers.IntegerField()
    capabilities = serializers.DictField(child=serializers.BooleanField())
    country_code = serializers.CharField(allow_null=True)
    region = serializers.CharField(allow_null=True)
    locality = serializers.CharField(allow_null=True)
    number_type = serializers.CharField(allow_null=True)
    monthly_cost = Amount(allow_null=True)
    setup_cost = Amount(allow_null=True)
    currency = serializers.CharField(allow_null=True)
    assistant = AssignedAssistant(allow_null=True)
    assistant_id = serializers.IntegerField(allow_null=True)
    voice_url = serializers.CharField(allow_null=True)
    sms_url = serializers.CharField(allow_null=True)
    connection_id = serializers.CharField(allow_null=True)
    messaging_profile_id = serializers.CharField(allow_null=True)
    voice_webhook_url = serializers.CharField(
        allow_null=True, help_text="The customer's own address for calls."
    )
    sms_enabled = serializers.BooleanField()
    is_verified_caller_id = serializers.BooleanField()
    webhook_check = WebhookCheck(allow_null=True, help_text="null: not in service.")
    sip_trunk_id = Null()
    allowed_country_codes = Null()
    flow = Null()
    assigned_at = Instant(allow_null=True)
    purchased_at = Instant(allow_null=True)
    released_at = Instant(allow_null=True)
    last_activity_at = Instant(allow_null=True)
    created_at = Instant()
    updated_at = Instant()


class ReleaseAnswer(Answer):
    success = Success()
    phone_number = serializers.CharField()
    provider = _provider()
    message = serializers.CharField()


class SyncAnswer(Answer):
    success = Success()
    message = serializers.CharField()
    synced_count = serializers.IntegerField(help_text="Numbers that account and inventory have.")
    adopted_count = serializers.IntegerField(help_text="Those that only the account had.")
    findings = serializers.DictField(
        child=serializers.IntegerField(), help_text="What still disagrees, by kind."
    )
    failures = serializers.DictField(
        child=ErrorField(), required=False, help_text="Why a provider could not be compared."
    )
