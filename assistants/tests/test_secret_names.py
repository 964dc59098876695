"""Which names stand for a secret."""

import pytest

from assistants.secret_names import is_secret_name


@pytest.mark.parametrize(
    "name",
    [
        "api_key", "apiKey", "APIKey", "apikey", "API-KEY", "X-API-Key", "openai_api_key",
        "api_key_openai", "api_keys", "deepgram_key", "secret", "client_secret", "clientSecret",
        "secrets", "token", "auth_token", "authToken", "accessToken", "access_tokens",
        "bearer_token", "password", "db_password", "passwd", "passphrase", "private_key",
        "Authorization", "Proxy-Authorization", "Cookie", "credentials", "auth", "X-Auth",
        "signing_key", "aws_secret_access_key",
    ],
)  # fmt: skip
def test_names_of_secrets(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "max_tokens", "maxTokens", "max_token", "tokens", "context_window_tokens", "token_limit",
        "token_url", "token_count", "storage_key", "keyword", "keywords", "key", "public_key",
        "model", "voice_id", "secretary", "tokenizer", "api_key_id", "dtmf_key", "author",
        "authenticated", "monkey", "", "-", "base_url", "secret_name", "…",
    ],
)  # fmt: skip
def test_names_of_other_things(name):
    assert not is_secret_name(name)
