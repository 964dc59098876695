"""Assistants over REST: making, reading, changing, deleting, and what is told of them."""

import pytest

from assistants.models import Assistant
from assistants.tests.helpers import ASSISTANTS, give_number, one, parsed, patch, put
from burki.testing import make_assistant, post, sdk_models
from numbers.models import PhoneNumber
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db

NUMBER = "+14155551234"
OWN = {
    "name": "Front desk",
    "description": "Answers\nby day",
    "greeting": "Hello!\tHow can I help?",
    "language": "de-AT",
    "media_stream_url": "wss://media.acme.test/stream",
    "sms_webhook_url": "https://acme.test/sms",
    "webhook_url": "https://acme.test/calls",
    "messaging_service_sid": "MG" + "1" * 32,
    "telnyx_connection_id": "1234567890",
    "is_active": False,
}
SETTINGS = {
    "llm_provider": "anthropic",
    "llm_settings": {"temperature": 0.25, "system_prompt": "Be kind.\n✓", "stop_sequences": []},
    "tts_settings": {"voice_id": "rachel", "background_sound": {"storage_key": "a/b.wav"}},
    "stt_settings": {"keywords": [{"keyword": "Acme", "intensifier": 1.5}]},
    "webhook_headers": {"X-Source": "burki"},
    "custom_settings": {"z": 1, "a": {"deep": [None, True, 1e23, "x"]}},
    "idle_timeout": 30,
    "conversation_continuity_enabled": False,
    "something_new": [1, {"two": 2}],
}


def create(client, **body) -> dict:
    response = post(client, ASSISTANTS, {"name": "Bot"} | body)
    assert response.status_code == 201, response.content
    return response.json()


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))


# --- Create, read --------------------------------------------------------------------------------


def test_everything_that_is_given_comes_back_exactly(client, organization):
    made = create(client, **OWN, **SETTINGS)

    read = client.get(one(made["id"])).json()

    assert read == made
    assert {name: read[name] for name in OWN | SETTINGS} == OWN | SETTINGS
    assert list(read["custom_settings"]) == ["z", "a"]
    assert read["organization_id"] == organization.pk
    assert read["phone_numbers"] == []
    assert (read["call_count"], read["total_duration"]) == (0, 0)
    assert read["created_at"].endswith("Z") and read["updated_at"].endswith("Z")


def test_a_name_is_enough_and_the_rest_has_its_defaults(client):
    made = create(client)

    assert made["is_active"] is True and made["language"] == "en-US"
    for name in OWN.keys() - {"name", "language", "is_active"} | {"twilio_config", "telnyx_config"}:
        assert made[name] is None, name


def test_null_means_not_given_when_an_assistant_is_made(client):
    made = create(client, description=None, is_active=None, llm_settings=None, language=None)

    assert made["is_active"] is True and made["language"] == "en-US"
    assert "llm_settings" not in made


def test_what_only_answers_have_is_ignored_in_requests(client, organization):
    made = create(client, id=77, organization_id=5, phone_numbers=["+1"], created_at="x", user_id=9)

    assert made["organization_id"] == organization.pk
    assert made["phone_numbers"] == [] and made["user_id"] is None
    assert Assistant.objects.get().settings == {}


def test_creating_is_in_the_audit_with_who_did_it(client, organization):
    made = create(client, llm_provider_config={"api_key": "sk-secret-abcdefgh"})

    event = AuditEvent.objects.get(action="assistant.created")
    assert (event.organization, event.object_id) == (organization, str(made["id"]))
    assert event.data == {"name": "Bot"}
    assert event.api_key.name == "test"


def test_the_official_client_reads_every_answer(client, organization):
    sdk = sdk_models("assistant")
    sent = sdk.AssistantCreate(
        name="Bot",
        llm_settings=sdk.LLMSettings(),
        llm_provider_config=sdk.LLMProviderConfig(api_key="sk-abcdefghijklmnop"),
        tts_settings=sdk.TTSSettings(),
        stt_settings=sdk.STTSettings(keywords=[sdk.Keyword(keyword="Acme")]),
        rag_settings=sdk.RAGSettings(),
        tools_settings=sdk.ToolsSettings(),
        interruption_settings=sdk.InterruptionSettings(),
        llm_fallback_providers=sdk.LLMFallbackSettings(
            fallbacks=[sdk.LLMFallbackProvider(provider="groq", api_key="gsk-abcdefghijkl")]
        ),
    )
    made = create(client, **sent.model_dump())
    give_number(organization, Assistant.objects.get(), NUMBER)
    path = one(made["id"])

    answers = [
        made,
        client.get(path).json(),
        client.get(ASSISTANTS).json()[0],
        client.get(f"{ASSISTANTS}?include_stats=true").json()[0],
        client.get(f"{ASSISTANTS}/by-phone/{NUMBER}").json(),
        put(client, path, {"name": "Bot"}).json(),
        patch(client, path, {"llm_settings": {"temperature": 1}}).json(),
        client.patch(f"{path}/status?is_active=true").json(),
    ]

    for answer in answers:
        assistant = parsed(answer)
        assert (assistant.id, assistant.name) == (made["id"], "Bot")
        assert assistant.llm_settings.max_tokens == 1000
        assert assistant.llm_provider_config.api_key == "…mnop"
        assert assistant.tts_settings.model_id == "turbo"
    assert [parsed(answer).phone_numbers for answer in answers[1:]] == [[NUMBER]] * 7


# --- Change --------------------------------------------------------------------------------------


def test_put_changes_what_is_given_and_not_null_and_replaces_settings(client):
    made = create(client, **OWN, **SETTINGS)

    changed = put(
        client,
        one(made["id"]),
        {"name": "Desk", "description": None, "greeting": "", "llm_settings": {"top_p": 1}},
    )

    assert changed.status_code == 200
    wanted = {"name": "Desk", "greeting": None, "llm_settings": {"top_p": 1}}
    assert changed.json() | {"updated_at": made["updated_at"]} == made | wanted
    assert client.get(one(made["id"])).json() == changed.json()


def test_patch_merges_settings_one_level_deep_and_takes_null_for_none(client):
    made = create(client, **OWN, **SETTINGS)

    changed = patch(
        client,
        one(made["id"]),
        {
            "description": None,
            "language": None,
            "llm_settings": {"temperature": 1, "new": {"x": 1}},
            "tts_settings": {"background_sound": {"volume": 1}},
            "stt_settings": None,
            "rag_settings": {"enabled": True},
        },
    ).json()

    assert changed | {"updated_at": made["updated_at"]} == made | {
        "description": None,
        "language": "en-US",
        "llm_settings": SETTINGS["llm_settings"] | {"temperature": 1, "new": {"x": 1}},
        "tts_settings": {"voice_id": "rachel", "background_sound": {"volume": 1}},
        "stt_settings": None,
        "rag_settings": {"enabled": True},
    }


@pytest.mark.parametrize("send", [put, patch])
def test_writing_back_what_was_read_changes_nothing(send, client):
    made = create(client, **OWN, **SETTINGS, llm_provider_config={"api_key": "sk-abcdefghijklmnop"})
    before = Assistant.objects.values().get()

    response = send(client, one(made["id"]), made)

    assert response.status_code == 200 and response.json() == made
    assert Assistant.objects.values().get() == before
    assert actions().count("assistant.updated") == 0


def test_a_change_is_in_the_audit_by_the_names_of_the_fields(client):
    made = create(client)

    patch(client, one(made["id"]), {"name": "Desk", "llm_provider_config": {"api_key": "x" * 20}})
    client.patch(f"{one(made['id'])}/status?is_active=false")
    client.patch(f"{one(made['id'])}/status?is_active=false")

    events = AuditEvent.objects.filter(action="assistant.updated").order_by("pk")
    assert [event.data for event in events] == [
        {"fields": ["name", "settings"]},
        {"fields": ["is_active"], "is_active": False},
    ]


@pytest.mark.parametrize(("word", "active"), [("true", True), ("false", False), ("False", False)])
def test_status_sets_whether_it_is_active(client, word, active):
    made = create(client, is_active=not active)

    response = client.patch(
        f"{one(made['id'])}/status?is_active={word}", content_type="application/json"
    )

    assert response.status_code == 200 and response.json()["is_active"] is active
    assert Assistant.objects.get().is_active is active


@pytest.mark.parametrize("query", ["", "?is_active=", "?is_active=1", "?is_active=yes%00"])
def test_status_needs_to_be_told(client, query):
    made = create(client)

    response = client.patch(f"{one(made['id'])}/status{query}")

    assert response.status_code == 400
    assert response.json()["detail"] == "is_active must be true or false, in the query string"
    assert Assistant.objects.get().is_active is True


# --- Delete --------------------------------------------------------------------------------------


def test_deleting_unassigns_its_numbers_and_keeps_them_and_the_history(client, organization):
    made, other = create(client, name="Night"), create(client)
    assistant = Assistant.objects.get(pk=made["id"])
    statuses = ["active", "pending", "releasing", "released", "claimed"]
    for n, status in enumerate(statuses):
        give_number(organization, assistant, f"+1415555100{n}", status)
    kept = give_number(organization, Assistant.objects.get(pk=other["id"]), NUMBER)

    response = client.delete(one(made["id"]))

    assert response.status_code == 200
    assert response.json() == {
        "success": True,
        "message": "Assistant Night deleted successfully",
        "data": None,
    }
    assert client.get(one(made["id"])).status_code == 404
    rows = PhoneNumber.objects.order_by("pk")
    assert [(row.status, row.assistant_id) for row in rows] == [
        *((status, None) for status in statuses),
        ("active", kept.assistant_id),
    ]
    unassigned = AuditEvent.objects.filter(action="number.unassigned").order_by("pk")
    assert [event.object_label for event in unassigned] == [f"+1415555100{n}" for n in range(5)]
    assert {str(event.data) for event in unassigned} == {
        str(
            {
                "reason": "the assistant was deleted",
                "assistant": "Night",
                "assistant_id": made["id"],
            }
        )
    }
    assert AuditEvent.objects.get(action="assistant.deleted").data == {
        "name": "Night",
        "unassigned": 5,
    }


def test_deleting_twice_says_not_found(client):
    made = create(client)
    client.delete(one(made["id"]))

    response = client.delete(one(made["id"]))

    assert response.status_code == 404
    assert actions().count("assistant.deleted") == 1


def test_deleting_an_assistant_with_many_numbers_takes_few_statements(
    client, organization, django_assert_max_num_queries
):
    assistant = make_assistant(organization)
    account = organization.provider_accounts.get(provider="twilio")
    PhoneNumber.objects.bulk_create(
        PhoneNumber(
            organization=organization, account=account, assistant=assistant, provider="twilio",
            phone_number=f"+1415{n:07}", friendly_name="n", status="active",
        )
        for n in range(2500)
    )  # fmt: skip

    with django_assert_max_num_queries(25):
        assert client.delete(one(assistant.pk)).status_code == 200

    assert PhoneNumber.objects.filter(assistant=None).count() == 2500
    assert actions().count("number.unassigned") == 2500
