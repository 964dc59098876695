"""What answers look like, for the API's documentation alone: `serializers` makes them."""

from rest_framework import serializers

from burki.openapi import Answer, Instant, Null, Success
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
