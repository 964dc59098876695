"""GET and PUT of an organization's settings: what is given changes, what is wrong is refused with
its name, and nobody but an owner changes limits."""

import pytest
from rest_framework.test import APIClient

from burki.testing import (
    CONNECTION,
    PROFILE,
    make_client,
    make_organization,
    make_twilio_account,
    make_user,
)
from organizations.models import AuditEvent, Organization, ProviderAccount

PATH = "/api/v1/organization"
SID = "AC" + "1" * 32
NEW_KEY = {"telnyx_api_key": "KEYnew.first-0123abcd"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def bare(db):
    return make_organization("Bare", accounts=False)


def put(client, body, **more):
    return client.put(PATH, body, format="json", **more)


def state(organization) -> tuple:
    """All that a PUT could change."""
    return (
        Organization.objects.filter(pk=organization.pk).values().get(),
        list(ProviderAccount.objects.order_by("pk").values()),
        AuditEvent.objects.count(),
    )


# --- Reading --------------------------------------------------------------------------------------


def test_the_organization_is_told_with_masked_secrets(organization, client, sandbox):
    organization.description = "Dentists"
    organization.settings = {"timezone": "UTC"}
    organization.api_keys_of_others = {"openai": "sk-0123456789abcdef", "short": "tiny"}
    organization.monthly_limit = "50.00"
    organization.save()
    twilio = organization.provider_accounts.get(provider="twilio")
    telnyx = organization.provider_accounts.get(provider="telnyx")

    answer = client.get(PATH)

    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("created_at").endswith("Z") and body.pop("updated_at").endswith("Z")
    assert body == {
        "id": organization.pk,
        "name": "Acme",
        "slug": "acme",
        "description": "Dentists",
        "domain": None,
        "is_active": True,
        "settings": {"timezone": "UTC"},
        "api_keys": {"openai": "…cdef", "short": "…"},
        "twilio_account_sid": twilio.account_sid,
        "twilio_auth_token": "…7f3a",
        "telnyx_api_key": "…abcd",
        "telnyx_connection_id": CONNECTION,
        "telnyx_messaging_profile_id": PROFILE,
        "telnyx_public_key": telnyx.public_key,
        "monthly_limit": "50.00",
        "limit_currency": "USD",
        "number_limit": None,
    }
    assert sandbox.requests() == []


def test_an_organization_without_credentials_tells_nulls(bare, settings):
    settings.TELNYX_API_KEY = "KEYplatform.first-9e1c"  # the platform's own is not told of

    body = make_client(bare).get(PATH).json()

    names = {name: value for name, value in body.items() if name.startswith(("twilio", "telnyx"))}
    assert len(names) == 6 and set(names.values()) == {None}


# --- Changing settings ----------------------------------------------------------------------------


def test_what_is_given_changes_and_what_is_not_or_null_stays(organization, client, sandbox):
    put(client, {"description": "Dentists", "domain": "acme.example", "settings": {"a": [1]}})

    answer = put(client, {"name": " Acme Dental ", "description": None, "nobody_knows": 1})

    assert answer.status_code == 200
    assert answer.json() == client.get(PATH).json()
    told = {name: answer.json()[name] for name in ("name", "description", "domain", "settings")}
    assert told == {
        "name": "Acme Dental",
        "description": "Dentists",
        "domain": "acme.example",
        "settings": {"a": [1]},
    }
    changed = AuditEvent.objects.filter(action="organization.changed").order_by("pk")
    assert [event.data["fields"] for event in changed] == [
        ["description", "domain", "settings"],
        ["name"],
    ]
    assert sandbox.requests() == []


def test_what_was_read_can_be_put_back_and_changes_nothing(organization, client, sandbox):
    put(client, {"api_keys": {"openai": "sk-0123456789abcdef"}, "settings": {"a": {"b": None}}})
    before = state(organization)

    answer = put(client, client.get(PATH).json())

    assert answer.status_code == 200, answer.json()
    assert state(organization) == before
    assert sandbox.requests() == []


def test_other_services_keys_are_kept_encrypted_changed_one_by_one_and_removed(
    organization, client
):
    first, second = "sk-first-0123456789", "sk-second-9876543210"
    put(client, {"api_keys": {"a": first, "b": second}})

    answer = put(client, {"api_keys": {"a": "…6789", "b": None, "c": "another-secret-word"}})

    assert answer.json()["api_keys"] == {"a": "…6789", "c": "…word"}
    organization.refresh_from_db()
    assert organization.api_keys_of_others == {"a": first, "c": "another-secret-word"}
    assert first not in organization.encrypted_api_keys
    assert "another-secret" not in str(list(AuditEvent.objects.values()))


def test_what_is_shown_of_a_key_is_not_stored_as_a_key(organization, client):
    put(client, {"api_keys": {"a": "sk-first-0123456789"}})
    before = state(organization)

    for keys in ({"a": "…0000"}, {"b": "…6789"}):
        answer = put(client, {"name": "New", "api_keys": keys})
        assert answer.status_code == 400
        assert "is only what we show of a key: send all of it" in answer.json()["detail"]

    assert state(organization) == before


def test_what_no_key_opens_is_told_as_null_and_can_be_entered_again(organization, client, settings):
    put(client, {"api_keys": {"a": "sk-first-0123456789"}})
    settings.CREDENTIALS_KEYS = ["A" * 42 + "A="]

    body = client.get(PATH).json()
    assert body["api_keys"] is None
    assert (body["twilio_auth_token"], body["telnyx_api_key"]) == ("unreadable", "unreadable")
    assert put(client, body | {"name": "New"}).status_code == 200
    assert put(client, {"api_keys": {"b": "sk-again-0123456789"}}).json()["api_keys"] == {
        "b": "…6789"
    }


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 101),
        ("name", "a\0b"),
        ("name", 7),
        ("description", "x" * 2001),
        ("description", "a\0b"),
        ("domain", "not a host"),
        ("domain", "a..b"),
        ("domain", "x" * 64),
        ("settings", []),
        ("settings", "{}"),
        ("settings", {"a": "\0"}),
        ("settings", {"a\0": 1}),
        ("settings", {"a": "x" * 64_000}),
        ("api_keys", ["x"]),
        ("api_keys", {"a": 1}),
        ("api_keys", {"a": ""}),
        ("api_keys", {"": "x"}),
        ("api_keys", {"a": "x" * 501}),
        ("api_keys", {"a": "x\ny"}),
        ("api_keys", {str(n): "x" for n in range(51)}),
        ("twilio_account_sid", 5),
        ("twilio_auth_token", ["x"]),
        ("telnyx_api_key", {"key": "x"}),
        ("telnyx_connection_id", 1234567890123456789),
        ("telnyx_api_key", "KEY with blanks"),
        ("telnyx_api_key", "short"),
        ("telnyx_connection_id", "../balance"),
        ("telnyx_public_key", "not base64!"),
        ("monthly_limit", "-1"),
        ("monthly_limit", "much"),
        ("monthly_limit", True),
        ("number_limit", -1),
        ("number_limit", 2**70),
        ("number_limit", "5"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_nothing_changes(
    organization, client, sandbox, name, wrong
):
    before = state(organization)

    answer = put(client, {"description": "New", name: wrong})

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"
    assert list(answer.json()["errors"]) == [name]
    assert state(organization) == before
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    "body", ['{"settings": {"a": 1e999}}', '{"settings": ' + '{"a":' * 40 + "1" + "}" * 41]
)
def test_json_that_no_database_keeps_is_refused(organization, client, body):
    answer = client.put(PATH, body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("settings must be a JSON object of at most 64 kB")


# --- Limits ---------------------------------------------------------------------------------------


def session(organization, role: str) -> APIClient:
    client = APIClient()
    client.force_login(make_user(organization, role))
    return client


def test_an_owner_sets_and_removes_limits(organization):
    owner = session(organization, "owner")

    answer = put(owner, {"monthly_limit": "99.50", "number_limit": 10})
    assert (answer.json()["monthly_limit"], answer.json()["number_limit"]) == ("99.50", 10)
    answer = put(owner, {"monthly_limit": None})
    assert (answer.json()["monthly_limit"], answer.json()["number_limit"]) == (None, 10)

    changed = AuditEvent.objects.filter(action="organization.changed").order_by("pk")
    assert [event.data for event in changed] == [
        {"fields": ["monthly_limit", "number_limit"], "monthly_limit": "99.50",
         "number_limit": "10"},
        {"fields": ["monthly_limit"], "monthly_limit": "None"},
    ]  # fmt: skip


@pytest.mark.parametrize("who", ["admin", "key of an owner", "key of a command"])
def test_nobody_but_an_owner_changes_limits(organization, sandbox, who):
    organization.monthly_limit = "50.00"
    organization.save()
    match who:
        case "admin":
            client = session(organization, "admin")
        case "key of an owner":
            client = make_client(organization, created_by=make_user(organization, "owner"))
        case _:
            client = make_client(organization)
    before = state(organization)

    for change in ({"monthly_limit": "51"}, {"monthly_limit": None}, {"number_limit": 3}):
        answer = put(client, {"name": "New", **NEW_KEY, **change})
        assert answer.status_code == 403
        assert answer.json()["scope"] == "organization:members"

    assert state(organization) == before
    assert sandbox.requests() == []
    # The same value is no change.
    assert put(client, {"monthly_limit": "50.0", "number_limit": None}).status_code == 200


# --- What is configured ---------------------------------------------------------------------------


def test_the_status_tells_whose_credentials_serve(organization, client, sandbox):
    body = client.get(f"{PATH}/configuration-status").json()

    assert body["is_configured"] is True
    twilio = organization.provider_accounts.get(provider="twilio")
    assert body["providers"]["twilio"] == {
        "configured": True,
        "source": "organization",
        "provider_account_id": twilio.pk,
        "label": str(twilio),
        "is_active": True,
        "low_balance": False,
        "last_checked_at": None,
        "warnings": [],
    }
    assert sandbox.requests() == []


def test_the_platform_s_account_is_named_and_nothing_is_told_of_it(bare, settings, sandbox):
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = SID, "environment-token-9e1c"

    body = make_client(bare).get(f"{PATH}/configuration-status").json()

    assert body["providers"]["twilio"]["source"] == "environment"
    assert body["providers"]["twilio"]["provider_account_id"] is None
    assert body["providers"]["telnyx"]["configured"] is False
    assert body["providers"]["telnyx"]["warnings"] == [
        "Enter Telnyx credentials for the organization."
    ]
    bare.may_use_platform_accounts = False
    bare.save()
    body = make_client(bare).get(f"{PATH}/configuration-status").json()
    assert body["is_configured"] is False


def test_an_account_that_only_assistants_use_is_not_the_organization_s(bare, settings, sandbox):
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = SID, "environment-token-9e1c"
    for provider in ("twilio", "telnyx"):
        ProviderAccount.objects.create(
            organization=bare, provider=provider, only_for_assistants=True
        )

    found = make_client(bare).get(f"{PATH}/configuration-status").json()["providers"]

    assert found["twilio"]["source"] == "environment"
    assert found["telnyx"]["configured"] is False
    assert found["telnyx"]["warnings"] == ["Enter Telnyx credentials for the organization."]


def test_what_would_stop_a_purchase_is_a_warning(organization, client, sandbox):
    organization.provider_accounts.filter(provider="twilio").update(is_default=False)
    organization.provider_accounts.filter(provider="telnyx").update(is_active=False)

    found = client.get(f"{PATH}/configuration-status").json()["providers"]

    assert found["twilio"]["warnings"] == [
        "Choose which of the organization's Twilio accounts is default."
    ]
    assert found["telnyx"]["is_active"] is False
    assert "disabled: enable it" in found["telnyx"]["warnings"][0]


@pytest.mark.parametrize("path", ["", "/configuration-status"])
def test_the_number_of_accounts_costs_no_queries(
    path, organization, client, django_assert_num_queries, django_assert_max_num_queries
):
    client.get(PATH + path)  # remembers that the key was used
    with django_assert_max_num_queries(2) as few:
        client.get(PATH + path)
    for n in range(20):
        make_twilio_account(organization, account_sid=f"AC{n:032x}", is_default=False)

    with django_assert_num_queries(len(few)):
        client.get(PATH + path)
