"""Wrong shapes get one clear sentence, and change nothing."""

import json
import socket

import pytest

from assistants.models import Assistant
from assistants.tests.helpers import ASSISTANTS, one, patch, post, put
from burki.testing import make_assistant
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db

NAME = "name must be text of 1 to 100 characters, on one line"
PROSE = "{} must be text of at most 5000 characters, without NUL characters and lone surrogates"
HTTP = "{} must be an address of at most 500 characters, beginning with http:// or https://"
WSS = "{} must be an address of at most 500 characters, beginning with wss://"
LANGUAGE = "language must be a language tag such as en-US"
SERVICE = "messaging_service_sid must be at most 64 letters and digits (e.g., MG…)"
CONNECTION = "telnyx_connection_id must be at most 64 letters and digits"
ACTIVE = "is_active must be true or false"
UNKEPT = "{} must not contain NUL characters or lone surrogates"

WRONG = [
    *[("name", value, NAME) for value in ("", " ", 1, True, [], {}, "x" * 101, "a\0", "a\nb")],
    *[("description", value, PROSE) for value in (1, False, [], {}, "x" * 5001, "a\0", "\ud800")],
    *[("greeting", value, PROSE) for value in (1, "x" * 5001, "\0")],
    *[("language", value, LANGUAGE) for value in (1, "english", "en_US", "en-US\n", "e", "\0")],
    *[
        ("media_stream_url", value, WSS)
        for value in (1, "https://a.test", "wss://", "wss://a.test/" + "x" * 500, "wss://a\0.test")
    ],
    *[
        (name, value, HTTP)
        for name in ("sms_webhook_url", "webhook_url")
        for value in (1, {}, "a.test", "ftp://a.test", "javascript:1", "http://a.test/ b", "http://")
    ],
    *[("messaging_service_sid", value, SERVICE) for value in (1, "MG 1", "x" * 65, "\0")],
    *[("telnyx_connection_id", value, CONNECTION) for value in (1, "1 2", "x" * 65, "\ud800")],
    *[("is_active", value, ACTIVE) for value in (0, 1, "true", [], {})],
    *[("llm_settings", value, "{} must be an object, or null") for value in (1, "x", [], True)],
    ("custom_settings", [], "{} must be an object, or null"),
    ("webhook_headers", {"a": 1}, "webhook_headers must be an object of strings, or null"),
    ("webhook_headers", "a: b", "{} must be an object, or null"),
    ("llm_provider", 1, "{} must be a string, or null"),
    ("idle_message", {}, "{} must be a string, or null"),
    *[("idle_timeout", value, "{} must be an integer, or null") for value in ("1", 1.0, True)],
    ("conversation_continuity_enabled", 1, "{} must be true or false, or null"),
    ("custom_settings", {"a": ["\0"]}, UNKEPT),
    ("custom_settings", {"a\ud800": 1}, UNKEPT),
    ("whatever", "\ud800", UNKEPT),
    ("custom_settings", {"a": "x" * 64_000},
     "The settings of an assistant may take 64 kB as JSON: shorten them"),
    ("llm_provider_config", {"api_key": "…1234"},
     "llm_provider_config.api_key is only what we show of a secret (…1234): send the whole value"),
    *[
        ("twilio_config", value, "{} must be an object with account_sid and auth_token, or null")
        for value in ("x", 1, [], True)
    ],
    ("telnyx_config", "KEY", "{} must be an object with api_key and connection_id, or null"),
    ("twilio_config", {"account_sid": 1, "auth_token": "x"},
     "twilio_config.account_sid must be a string"),
    ("twilio_config", {"account_sid": "a", "auth_token": "x\0"},
     "twilio_config.auth_token must be a string"),
    ("telnyx_config", {"api_key": "KEY12345678", "connection_id": "1" * 65},
     "telnyx_config.connection_id must have at most 64 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_field_is_refused_in_every_way(client, organization, name, value, sentence):
    assistant = make_assistant(organization)
    before = Assistant.objects.values().get()
    events = AuditEvent.objects.count()

    answers = [
        post(client, ASSISTANTS, {"name": "Bot", name: value}),
        put(client, one(assistant.pk), {name: value}),
        patch(client, one(assistant.pk), {name: value}),
    ]

    for answer in answers:
        assert answer.status_code == 400, answer.content
        assert answer.json()["code"] == "invalid_request"
        assert answer.json()["detail"] == sentence.format(name)
    assert Assistant.objects.values().get() == before
    assert AuditEvent.objects.count() == events


NO_USER = "The address must be https://host/…, without a user name."
UNREACHABLE = [
    ("http://acme.example/sms", NO_USER),
    ("https://user:pw@acme.example/sms", NO_USER),
    ("https://127.0.0.1/sms", "127.0.0.1 is not a public address."),
    ("https://169.254.169.254/latest", "169.254.169.254 is not a public address."),
    ("https://10.0.0.1", "10.0.0.1 is not a public address."),
    ("https://[::1]/sms", "::1 is not a public address."),
    ("https://localhost/sms", "localhost is not a public address."),
]


@pytest.mark.parametrize(("url", "why"), UNREACHABLE)
def test_a_webhook_that_nothing_would_ever_be_sent_to_is_refused(
    client, organization, settings, url, why
):
    settings.ALLOW_PRIVATE_WEBHOOKS = False
    assistant = make_assistant(organization, sms_webhook_url="https://acme.example/sms")
    before = Assistant.objects.values().get()

    answers = [
        post(client, ASSISTANTS, {"name": "Bot", "sms_webhook_url": url}),
        put(client, one(assistant.pk), {"sms_webhook_url": url}),
        patch(client, one(assistant.pk), {"sms_webhook_url": url}),
    ]

    sentence = f"Messages cannot be sent to this SMS webhook. {why}"
    for answer in answers:
        assert answer.status_code == 400, answer.content
        assert answer.json() == {
            "detail": sentence,
            "code": "invalid_request",
            "errors": {"sms_webhook_url": [sentence]},
        }
    assert Assistant.objects.values().get() == before


def test_no_name_is_looked_up_when_a_webhook_is_entered(client, settings, monkeypatch):
    settings.ALLOW_PRIVATE_WEBHOOKS = False
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *args, **kwargs: asked.append(host))

    made = post(client, ASSISTANTS, {"name": "Bot", "sms_webhook_url": "https://acme.invalid/sms"})

    assert (made.status_code, asked) == (201, [])


def test_a_webhook_that_was_stored_earlier_stands_in_no_changes_way(client, organization, settings):
    settings.ALLOW_PRIVATE_WEBHOOKS = True
    old = "http://10.0.0.1/sms"
    assistant = make_assistant(organization, sms_webhook_url=old)
    settings.ALLOW_PRIVATE_WEBHOOKS = False

    answer = put(client, one(assistant.pk), {"name": "Renamed", "sms_webhook_url": old})

    assert (answer.status_code, answer.json()["name"]) == (200, "Renamed")
    assert patch(client, one(assistant.pk), {"sms_webhook_url": None}).status_code == 200
    assert patch(client, one(assistant.pk), {"sms_webhook_url": old}).status_code == 400


@pytest.mark.parametrize("body", [{}, {"name": None}, {"description": "x"}])
def test_an_assistant_needs_a_name(client, body):
    response = post(client, ASSISTANTS, body)

    assert (response.status_code, response.json()["detail"]) == (400, NAME)
    assert not Assistant.objects.exists()


@pytest.mark.parametrize(("name", "sentence"), [("name", NAME), ("is_active", ACTIVE)])
def test_what_an_assistant_always_has_cannot_be_patched_away(client, assistant, name, sentence):
    response = patch(client, one(assistant.pk), {name: None})

    assert (response.status_code, response.json()["detail"]) == (400, sentence)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[]", "invalid_json"),
        (b'"x"', "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"name": NaN}', "invalid_json"),
        (b'{"name": "x", "a": ' + b"[" * 5000 + b"]" * 5000 + b"}", "invalid_json"),
        (b'{"name": "x", "a": ' + b"[" * 500 + b"]" * 500 + b"}", "invalid_request"),
        (b'{"name": "x", "a": 1e999}', "invalid_request"),
        (b'{"name": "x", "a": ' + b"9" * 5000 + b"}", "invalid_json"),
        (b'{"name": "x", "a\\u0000": 1}', "invalid_request"),
        (b'{"name": "x", "a\\ud800": 1}', "invalid_request"),
        (b'{"name": "x\\ud800"}', "invalid_request"),
        (b'{"name": "x", "webhook_headers": {"a\\ud800": 1}}', "invalid_request"),
    ],
    ids=range(12),
)
def test_a_body_that_is_no_assistant_is_refused(client, assistant, body, code):
    answers = [
        getattr(client, method)(path, body, content_type="application/json")
        for method, path in (
            ("post", ASSISTANTS), ("put", one(assistant.pk)), ("patch", one(assistant.pk)),
        )
    ]  # fmt: skip

    for answer in answers:
        assert (answer.status_code, json.loads(answer.content)["code"]) == (400, code)
    assert Assistant.objects.count() == 1


def test_a_body_of_more_than_a_megabyte_is_too_large(client):
    response = post(client, ASSISTANTS, {"name": "x", "a": "x" * 1024 * 1024})

    assert response.status_code == 413


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_the_list_takes_only_get_and_post(client, method):
    assert getattr(client, method)(ASSISTANTS).status_code == 405


def test_large_numbers_and_any_text_are_kept(client):
    kept = {"idle_timeout": 10**400, "a": 10**4000, "b": 5e-324, "c": "\U0001f98a\u200d\x1b\x7f\t"}

    made = post(client, ASSISTANTS, {"name": "\U0001f98a"} | kept).json()

    assert {name: made[name] for name in kept} == kept


def test_patches_that_add_up_to_too_much_are_refused_and_lose_nothing(client, assistant):
    for name in ("a", "b"):
        assert patch(client, one(assistant.pk), {name: "x" * 30_000}).status_code == 200

    response = patch(client, one(assistant.pk), {"c": "x" * 30_000})

    assert response.status_code == 400
    told = client.get(one(assistant.pk)).json()
    assert (len(told["a"]), len(told["b"]), "c" in told) == (30_000, 30_000, False)
