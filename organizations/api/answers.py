"""What answers look like, for the API's documentation alone: `serializers` makes them."""

from rest_framework import serializers

from burki.openapi import Answer, Instant, Null, Success
from organizations.events.types import TYPES
from organizations.filters import EVERY_TYPE
from organizations.models import EventDelivery
from organizations.permissions import EVERYTHING, ROLE_SCOPES, SCOPES


def _scopes(words) -> serializers.ListField:
    return serializers.ListField(child=serializers.ChoiceField(choices=sorted(words)))


class KeyPermissions(Answer):
    read = serializers.BooleanField()
    write = serializers.BooleanField()
    admin = serializers.BooleanField()


class ApiKeyAnswer(Answer):
    """`permissions` has a word when the key has all that it stands for; `scopes` is exact."""

    id = serializers.IntegerField()
    user_id = serializers.IntegerField(allow_null=True)
    name = serializers.CharField()
    key_prefix = serializers.CharField()
    last_used_at = Instant(allow_null=True)
    usage_count = serializers.IntegerField(allow_null=True, help_text="null: not counted.")
    is_active = serializers.BooleanField()
    permissions = KeyPermissions()
    scopes = _scopes(SCOPES)
    rate_limit = serializers.DictField(child=serializers.CharField())
    expires_at = Instant(allow_null=True)
    revoked_at = Instant(allow_null=True)
    created_at = Instant()
    updated_at = Instant()


class NewApiKeyAnswer(Answer):
    api_key = ApiKeyAnswer()
    key = serializers.CharField(help_text="The key itself: shown now, and never again.")


class RevokedAnswer(Answer):
    success = Success()
    message = serializers.CharField()
    data = Null()


class MeAnswer(Answer):
    """A key made by a command is nobody's: then the person's fields are null."""

    id = serializers.IntegerField(allow_null=True)
    organization_id = serializers.IntegerField()
    organization_name = serializers.CharField()
    email = serializers.CharField(allow_null=True)
    first_name = serializers.CharField(allow_null=True)
    last_name = serializers.CharField(allow_null=True)
    full_name = serializers.CharField(allow_null=True)
    role = serializers.ChoiceField(choices=list(ROLE_SCOPES), allow_null=True)
    scopes = _scopes(EVERYTHING)
    api_key_id = serializers.IntegerField(allow_null=True)
    is_active = serializers.BooleanField()
    is_verified = serializers.BooleanField()
    created_at = Instant(allow_null=True)


class EventEndpointAnswer(Answer):
    id = serializers.IntegerField()
    url = serializers.CharField()
    description = serializers.CharField()
    event_types = serializers.ListField(
        child=serializers.ChoiceField(choices=list(TYPES)), help_text="Empty: all."
    )
    is_active = serializers.BooleanField()
    state = serializers.ChoiceField(choices=["active", "failing", "disabled"])
    failing_since = Instant(allow_null=True)
    disabled_at = Instant(allow_null=True)
    disabled_because = serializers.CharField(allow_null=True)
    previous_secret_signs_until = Instant(
        allow_null=True, help_text="Until then the secret before the present one signs as well."
    )
    created_at = Instant()
    updated_at = Instant()


class EventEndpointsAnswer(Answer):
    items = EventEndpointAnswer(many=True)


class EventEndpointSecretAnswer(Answer):
    endpoint = EventEndpointAnswer()
    secret = serializers.CharField(help_text="What signs: shown now, and never again.")


class EndpointDeletedAnswer(RevokedAnswer):
    pass


class _EventAnswer(Answer):
    id = serializers.CharField()
    type = serializers.ChoiceField(choices=list(EVERY_TYPE))
    version = serializers.IntegerField()
    timestamp = Instant()
    organization_id = serializers.IntegerField()
    data = serializers.DictField(help_text="What happened: see docs/events.md.")
    url = serializers.CharField(help_text="Where the truth can be read.")


class DeliveryCounts(Answer):
    pending = serializers.IntegerField()
    delivered = serializers.IntegerField()
    failed = serializers.IntegerField()
    abandoned = serializers.IntegerField()


class EventAnswer(_EventAnswer):
    deliveries = DeliveryCounts()


class AttemptAnswer(Answer):
    at = Instant()
    status_code = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    milliseconds = serializers.IntegerField()
    answer = serializers.CharField(help_text="The first 500 characters.")


class DeliveryAnswer(Answer):
    endpoint_id = serializers.IntegerField()
    endpoint_url = serializers.CharField()
    state = serializers.ChoiceField(choices=EventDelivery.State.values)
    tries = serializers.IntegerField(help_text="Since it was last asked for.")
    next_attempt_at = Instant(allow_null=True)
    delivered_at = Instant(allow_null=True)
    last_status = serializers.IntegerField(allow_null=True)
    last_error = serializers.CharField(allow_null=True)
    attempts = AttemptAnswer(many=True, help_text="The last 50.")


class EventDetailAnswer(_EventAnswer):
    deliveries = DeliveryAnswer(many=True)
