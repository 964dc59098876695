"""Third parties' secrets in an assistant's settings: kept, encrypted, and never told."""

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from assistants.models import Assistant
from assistants.tests.helpers import ASSISTANTS, one, parsed, patch, post, put
from burki.testing import make_assistant, make_user
from organizations.models import AuditEvent

OPENAI, GROQ = "sk-proj-abcdefghijklmnopqrst-1a2b", "gsk_zyxwvutsrqponmlkjihg-3c4d"
BEARER = "Bearer webhook-secret-of-acme-5e6f"
BODY = {
    "name": "Bot",
    "llm_provider_config": {"api_key": OPENAI, "model": "gpt-4o-mini"},
    "llm_fallback_providers": {
        "enabled": True,
        "fallbacks": [
            {"provider": "anthropic", "api_key": None},
            {"provider": "groq", "api_key": GROQ},
        ],
    },
    "webhook_headers": {"Authorization": BEARER, "X-Trace": "1"},
    "tools_settings": {"custom_tools": [{"headers": [{"name": "X-Api-Key", "value": OPENAI}]}]},
}
SECRETS = (OPENAI, GROQ, BEARER)

pytestmark = pytest.mark.django_db


@pytest.fixture
def made(client) -> dict:
    response = post(client, ASSISTANTS, BODY)
    assert response.status_code == 201
    return response.json()


def in_clear() -> dict:
    return {"name": "Bot"} | Assistant.objects.get().settings_in_clear


def test_answers_tell_the_last_four_characters(client, made):
    told = parsed(client.get(one(made["id"])).json())

    assert told.llm_provider_config.api_key == "…1a2b"
    assert [f.api_key for f in told.llm_fallback_providers.fallbacks] == [None, "…3c4d"]
    assert told.webhook_headers == {"Authorization": "…5e6f", "X-Trace": "1"}
    assert made["tools_settings"]["custom_tools"][0]["headers"][0]["value"] == "…1a2b"


def test_no_answer_no_page_no_row_and_no_log_holds_them(client, made, caplog):
    path = one(made["id"])
    staff = Client()
    staff.force_login(make_user(None, "", "root@x.test", is_staff=True, is_superuser=True))
    page = staff.get(reverse("admin:assistants_assistant_change", args=[made["id"]]))
    answers = [
        client.get(path),
        client.get(ASSISTANTS),
        client.get(f"{ASSISTANTS}/export?format=json"),
        page,
        put(client, path, BODY | {"idle_timeout": "x"}),
        patch(client, path, BODY | {"custom_settings": {"a": "\0"}}),
        patch(client, path, BODY),
    ]
    assert [answer.status_code for answer in answers] == [200] * 4 + [400, 400, 200]
    text = " ".join(answer.content.decode() for answer in answers) + caplog.text
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            text += " ".join(row for (row,) in cursor.fetchall())

    for secret in SECRETS:
        assert secret[-9:] not in text and secret[:12] not in text
    assert "…1a2b" in page.content.decode()


@pytest.mark.parametrize("send", [put, patch])
def test_reading_changing_and_writing_back_loses_nothing(send, client, made):
    read = client.get(one(made["id"])).json()
    read["llm_provider_config"]["model"] = "gpt-4.1"
    read["llm_fallback_providers"]["fallbacks"].reverse()

    response = send(client, one(made["id"]), read)

    assert response.status_code == 200
    fallbacks = BODY["llm_fallback_providers"] | {
        "fallbacks": BODY["llm_fallback_providers"]["fallbacks"][::-1]
    }
    assert in_clear() == BODY | {
        "llm_provider_config": {"api_key": OPENAI, "model": "gpt-4.1"},
        "llm_fallback_providers": fallbacks,
    }


def test_the_official_clients_models_may_be_written_back_as_well(client, made):
    read = parsed(client.get(one(made["id"])).json())

    response = patch(
        client,
        one(made["id"]),
        {
            "llm_provider_config": read.llm_provider_config.model_dump(),
            "llm_fallback_providers": read.llm_fallback_providers.model_dump(),
        },
    )

    assert response.status_code == 200
    assert in_clear()["llm_provider_config"]["api_key"] == OPENAI
    assert in_clear()["llm_fallback_providers"]["fallbacks"][1]["api_key"] == GROQ


def test_a_patch_elsewhere_keeps_them_and_a_new_value_replaces_them(client, made):
    patch(client, one(made["id"]), {"llm_provider_config": {"model": "x"}, "name": "Bot"})
    assert in_clear()["llm_provider_config"] == {"api_key": OPENAI, "model": "x"}

    new = patch(client, one(made["id"]), {"llm_provider_config": {"api_key": GROQ}}).json()
    assert new["llm_provider_config"] == {"api_key": "…3c4d", "model": "x"}
    assert in_clear()["llm_provider_config"] == {"api_key": GROQ, "model": "x"}

    patch(client, one(made["id"]), {"llm_provider_config": {"api_key": None}})
    assert in_clear()["llm_provider_config"] == {"api_key": None, "model": "x"}


def test_what_is_shown_of_a_secret_that_is_not_there_is_refused_and_changes_nothing(client, made):
    before = Assistant.objects.values().get()

    response = patch(client, one(made["id"]), {"llm_provider_config": {"api_key": "…9999"}})

    assert response.status_code == 400
    assert response.json()["detail"] == (
        "llm_provider_config.api_key is only what we show of a secret (…9999): send the whole value"
    )
    assert Assistant.objects.values().get() == before


def test_one_assistants_secrets_are_nothing_to_another(client, organization, made):
    other = make_assistant(organization)

    response = patch(client, one(other.pk), {"llm_provider_config": {"api_key": "…1a2b"}})

    assert response.status_code == 400


def test_they_are_told_and_changed_although_no_key_opens_them(client, made, settings):
    settings.CREDENTIALS_KEYS = [Fernet.generate_key().decode()]

    told = client.get(one(made["id"])).json()
    renamed = patch(client, one(made["id"]), told | {"name": "Desk"})
    replaced = patch(client, one(made["id"]), {"llm_provider_config": {"api_key": OPENAI}})

    assert told == made
    assert (renamed.status_code, replaced.status_code) == (200, 200)


def test_they_move_to_the_newest_key_with_the_provider_credentials(client, made, settings, capsys):
    make_assistant(Assistant.objects.get().organization)  # holds no secrets
    old, new = settings.CREDENTIALS_KEYS[0], Fernet.generate_key().decode()
    settings.CREDENTIALS_KEYS = [new, old]

    call_command("rotate_credentials")

    assert capsys.readouterr().out == "3 re-encrypted.\n"
    settings.CREDENTIALS_KEYS = [new]
    row = Assistant.objects.get(pk=made["id"])
    assert {"name": "Bot"} | row.settings_in_clear == BODY
    event = AuditEvent.objects.get(action="assistant.reencrypted")
    assert (event.organization, event.object_id) == (row.organization, str(row.pk))
    settings.CREDENTIALS_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="No key opens: .*Bot"):
        call_command("rotate_credentials")
