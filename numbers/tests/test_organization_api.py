"""GET and PUT of an organization's settings, and trying credentials: wrong ones are refused with
the provider's reason, and nothing is stored unless everything is right."""

import pytest
from rest_framework.test import APIClient

from burki.testing import (
    CONNECTION,
    PROFILE,
    TELNYX_KEY,
    TWILIO_TOKEN,
    in_threads,
    make_client,
    make_organization,
    make_twilio_account,
    make_user,
    post,
)
from numbers.tests.money import buy
from organizations.models import AuditEvent, Organization, ProviderAccount

PATH = "/api/v1/organization"
VALIDATE = {p: f"{PATH}/{p}/validate" for p in ("twilio", "telnyx")}
SID, NEW_SID = "AC" + "1" * 32, "AC" + "2" * 32
KEY = "KEYnew.first-0123abcd"
GIVEN = {
    "twilio": {"twilio_account_sid": NEW_SID, "twilio_auth_token": "new-token-0123-9f9f"},
    "telnyx": {"telnyx_api_key": KEY},
}
TRIED = {
    "twilio": {"account_sid": NEW_SID, "auth_token": "new-token-0123-9f9f"},
    "telnyx": {"api_key": KEY},
}
# What the provider does, and the code of our answer.
UNREADABLE = [
    {"status": 500},
    {"status": 503},
    {"status": 502, "body": "<html>Bad gateway</html>"},
    {"action": "drop"},
    {"action": "hang"},
    {"action": "garbage"},
    {"action": "redirect"},
    {"status": 200, "body": {"unexpected": True}},
]

pytestmark = pytest.mark.django_db
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])


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


def secrets(organization, provider: str) -> list[tuple[str, bool]]:
    rows = organization.provider_accounts.filter(provider=provider).order_by("pk")
    return [(row.secret, row.is_default) for row in rows]


# --- Reading --------------------------------------------------------------------------------------


def test_the_organization_is_told_with_masked_secrets(organization, client, sandbox):
    organization.description = "Dentists"
    organization.settings = {"timezone": "UTC"}
    organization.api_keys_of_others = {"openai": "sk-0123456789abcdef", "short": "tiny"}
    organization.monthly_limit = "50.00"
    organization.save()
    twilio = organization.provider_accounts.get(provider="twilio")

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
        "telnyx_public_key": None,
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
        answer = put(client, {"name": "New", **GIVEN["telnyx"], **change})
        assert answer.status_code == 403
        assert answer.json()["scope"] == "organization:members"

    assert state(organization) == before
    assert sandbox.requests() == []
    # The same value is no change.
    assert put(client, {"monthly_limit": "50.0", "number_limit": None}).status_code == 200


# --- Credentials ----------------------------------------------------------------------------------


@both
def test_new_credentials_are_tried_stored_and_become_the_default(provider, bare, sandbox):
    client = make_client(bare)

    answer = put(client, {"name": "Renamed", **GIVEN[provider]})

    assert answer.status_code == 200, answer.json()
    assert answer.json()["name"] == "Renamed"
    name, secret = list(GIVEN[provider].items())[-1]
    assert answer.json()[name] == f"…{secret[-4:]}"
    assert secrets(bare, provider) == [(secret, True)]
    account = bare.provider_accounts.get()
    assert account.last_checked_at is not None
    assert (account.last_check["ok"], account.last_check["balance"]) == (True, "100.00")
    assert {request.method for request in sandbox.requests()} == {"GET"}
    buy(bare, provider)  # and they are used


@both
def test_other_credentials_are_another_row_and_the_default(provider, organization, client, sandbox):
    buy(organization, provider)
    old = organization.provider_accounts.get(provider=provider)

    assert put(client, GIVEN[provider]).status_code == 200

    old.refresh_from_db()
    *_, secret = GIVEN[provider].values()
    assert not old.is_default and old.secret in (TWILIO_TOKEN, TELNYX_KEY)
    assert secrets(organization, provider) == [(old.secret, False), (secret, True)]
    assert old.phone_numbers.count() == 1


def test_a_new_token_of_the_same_twilio_account_stays_in_its_row(organization, client, sandbox):
    answer = put(client, {"twilio_auth_token": "rotated-token-77aa"})

    assert answer.status_code == 200
    assert secrets(organization, "twilio") == [("rotated-token-77aa", True)]


def test_a_new_telnyx_key_that_reads_our_number_stays_in_its_row(organization, client, sandbox):
    buy(organization, "telnyx")

    answer = put(client, {"telnyx_api_key": "KEYacme.second-77aa"})

    assert answer.status_code == 200
    assert secrets(organization, "telnyx") == [("KEYacme.second-77aa", True)]
    replaced = AuditEvent.objects.get(action="provider_account.secret_replaced")
    number = organization.phone_numbers.get()
    assert replaced.data == {
        "before": "…abcd", "secret": "…77aa", "proof": f"number {number.provider_number_id}",
    }  # fmt: skip


def test_a_new_telnyx_key_of_which_nothing_tells_is_a_row_of_its_own(organization, client, sandbox):
    assert put(client, {"telnyx_api_key": "KEYacme.second-77aa"}).status_code == 200

    assert secrets(organization, "telnyx") == [
        (TELNYX_KEY, False),
        ("KEYacme.second-77aa", True),
    ]
    # The connection belonged to the old account, as far as we know.
    assert client.get(PATH).json()["telnyx_connection_id"] is None


def test_credentials_that_are_stored_already_are_the_same_row_enabled_again(
    organization, client, sandbox
):
    put(client, GIVEN["telnyx"])
    organization.provider_accounts.update(is_active=False)

    assert put(client, {"telnyx_api_key": TELNYX_KEY}).status_code == 200

    assert secrets(organization, "telnyx") == [(TELNYX_KEY, True), (KEY, False)]
    old = organization.provider_accounts.get(provider="telnyx", is_default=True)
    assert old.is_active


@both
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"status": 401}, {"twilio": "Check the Twilio account SID", "telnyx": "Check the Telnyx"}),
        ({"status": 403}, {"twilio": "suspended or closed", "telnyx": "may not order"}),
    ],
    ids=["401", "403"],
)
def test_credentials_that_the_provider_refuses_are_refused_with_its_reason(
    provider, fault, reason, organization, client, sandbox
):
    before = state(organization)
    sandbox.add_fault(method="GET", **fault)

    answer = put(client, {"name": "New", **GIVEN[provider]})

    assert answer.status_code == 400
    body = answer.json()
    assert body["code"] == "credentials_refused"
    assert body["detail"].startswith(f"{provider.capitalize()} refused these credentials. ")
    assert reason[provider] in body["detail"]
    assert body["provider_code"]
    assert state(organization) == before


@both
@pytest.mark.parametrize("fault", UNREADABLE, ids=str)
def test_a_provider_that_cannot_tell_stores_nothing(provider, fault, organization, client, sandbox):
    before = state(organization)
    sandbox.add_fault(method="GET", **fault)

    answer = put(client, {"name": "New", **GIVEN[provider]})

    assert answer.status_code == 500
    assert answer.json() == {
        "detail": f"{provider.capitalize()} could not be asked about the account. "
        "Nothing was changed.",
        "code": "provider_unreachable",
        "hint": "Try again in a moment.",
        "retryable": True,
        "provider_code": answer.json()["provider_code"],
    }
    assert state(organization) == before


def test_a_provider_that_is_too_busy_stores_nothing(organization, client, sandbox):
    before = state(organization)
    sandbox.add_fault(method="GET", status=429)

    answer = put(client, GIVEN["twilio"])

    assert (answer.status_code, answer.json()["code"]) == (500, "rate_limited")
    assert answer.json()["retryable"] is True
    assert state(organization) == before


def test_a_provider_that_is_nowhere_stores_nothing(organization, client):
    before = state(organization)

    answer = put(client, GIVEN["twilio"])

    assert (answer.status_code, answer.json()["code"]) == (500, "provider_unreachable")
    assert state(organization) == before


def test_when_one_provider_refuses_the_other_s_credentials_are_not_stored_either(
    organization, client, sandbox
):
    before = state(organization)

    answer = put(client, GIVEN["twilio"] | {"telnyx_api_key": "KEYnew.wrong-0123"})

    assert (answer.status_code, answer.json()["code"]) == (400, "credentials_refused")
    assert state(organization) == before


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"twilio_account_sid": NEW_SID}, "twilio_auth_token", "is needed with another"),
        (
            {"twilio_account_sid": NEW_SID, "twilio_auth_token": "…7f3a"},
            "twilio_auth_token",
            "is needed with another",
        ),
        ({"twilio_account_sid": "AC1", "twilio_auth_token": "12345678"}, "twilio_account_sid",
         "32 hexadecimal digits"),
        ({"twilio_auth_token": "…0000"}, "twilio_auth_token", "send all of it"),
        ({"twilio_auth_token": ""}, "twilio_auth_token", "disable the provider account"),
        ({"twilio_account_sid": ""}, "twilio_account_sid", "disable the provider account"),
        ({"telnyx_api_key": "…0000"}, "telnyx_api_key", "send all of it"),
    ],
)  # fmt: skip
def test_half_of_a_set_of_credentials_is_refused_before_anybody_is_asked(
    organization, client, sandbox, body, field, words
):
    before = state(organization)

    answer = put(client, {"name": "New", **body})

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert words in answer.json()["detail"]
    assert state(organization) == before
    assert sandbox.requests() == []


def test_empty_credentials_where_there_are_none_are_no_change(bare, sandbox):
    names = ("twilio_account_sid", "twilio_auth_token", "telnyx_api_key", "telnyx_connection_id")

    assert put(make_client(bare), dict.fromkeys(names, "")).status_code == 200

    assert sandbox.requests() == []


def test_settings_without_an_account_ask_for_its_key(bare, sandbox):
    answer = put(make_client(bare), {"telnyx_connection_id": CONNECTION})

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["telnyx_api_key"]


def test_a_connection_is_tried_with_the_stored_key_and_can_be_taken_away(
    organization, client, sandbox
):
    sandbox.set_account("KEYacme", connections=["555", {"id": "777", "plain": True}])

    wrong = put(client, {"telnyx_connection_id": "777"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "credentials_refused")
    assert "777 is not a Call Control application" in wrong.json()["detail"]
    assert client.get(PATH).json()["telnyx_connection_id"] == CONNECTION

    assert put(client, {"telnyx_connection_id": "555"}).status_code == 200
    assert client.get(PATH).json()["telnyx_connection_id"] == "555"
    sandbox.clear_requests()
    assert put(client, {"telnyx_connection_id": ""}).status_code == 200
    assert client.get(PATH).json()["telnyx_connection_id"] is None
    assert sandbox.requests() == []
    assert len(secrets(organization, "telnyx")) == 1


def test_a_new_key_with_a_connection_that_it_cannot_use_is_not_stored(
    organization, client, sandbox
):
    before = state(organization)

    answer = put(client, {"telnyx_api_key": KEY, "telnyx_connection_id": "4711"})

    assert (answer.status_code, answer.json()["code"]) == (400, "credentials_refused")
    assert state(organization) == before


def test_trying_sends_the_new_secret_and_never_the_stored_one(organization, client, sandbox):
    seen = []
    original = sandbox._serve

    def serve(method, path, query, headers, body):
        seen.append(headers.get("authorization"))
        return original(method, path, query, headers, body)

    sandbox._listener.serve = serve
    try:
        put(client, {"telnyx_api_key": KEY})
    finally:
        sandbox._listener.serve = original

    assert set(seen) == {f"Bearer {KEY}"}


@pytest.mark.django_db(transaction=True)
def test_two_requests_at_once_leave_one_whole_result(organization, client, sandbox):
    def change(digit: str):
        body = {
            "name": f"Acme {digit}",
            "twilio_account_sid": "AC" + digit * 32,
            "twilio_auth_token": f"token-number-{digit}",
        }
        return lambda: put(make_client(organization), body)

    answers = in_threads(*[change(digit) for digit in "1234"])

    assert [answer.status_code for answer in answers] == [200] * 4
    organization.refresh_from_db()
    default = organization.provider_accounts.get(provider="twilio", is_default=True)
    assert organization.name == f"Acme {default.account_sid[-1]}"
    assert organization.provider_accounts.filter(provider="twilio").count() == 5


@pytest.mark.django_db(transaction=True)
def test_the_same_request_twice_at_once_makes_one_row(organization, client, sandbox):
    answers = in_threads(*[lambda: put(make_client(organization), GIVEN["telnyx"])] * 4)

    assert [answer.status_code for answer in answers] == [200] * 4
    assert secrets(organization, "telnyx") == [(TELNYX_KEY, False), (KEY, True)]


@pytest.mark.django_db(transaction=True)
def test_no_connection_and_no_lock_is_held_while_the_provider_is_asked(
    organization, client, sandbox
):
    sandbox.add_fault(method="GET", delay=5, times=1)  # a quarter of a second

    slow, quick = in_threads(
        lambda: put(make_client(organization), GIVEN["twilio"]),
        lambda: put(make_client(organization), {"description": "meanwhile"}),
    )

    assert (slow.status_code, quick.status_code) == (200, 200)
    events = AuditEvent.objects.filter(
        action__in=("organization.changed", "provider_account.added")
    )
    assert [event.action for event in events.order_by("pk")] == [
        "organization.changed",
        "provider_account.added",
    ]


# --- Validating -----------------------------------------------------------------------------------


@both
def test_credentials_that_work_are_valid_and_are_not_stored(
    provider, organization, client, sandbox
):
    before = state(organization)

    answer = post(client, VALIDATE[provider], TRIED[provider])

    assert answer.status_code == 200
    assert answer.json() == {
        "valid": True,
        "error": None,
        "friendly_name": "Sandbox" if provider == "twilio" else None,
        "warning": None,
    }
    assert len(sandbox.requests()) >= 2
    assert state(organization) == before


@both
@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_are_refused_are_not_valid(provider, status, client, sandbox):
    sandbox.add_fault(method="GET", status=status)

    answer = post(client, VALIDATE[provider], TRIED[provider])

    assert answer.status_code == 200
    assert answer.json()["valid"] is False
    assert answer.json()["friendly_name"] is None
    assert answer.json()["error"].startswith(f"{provider.capitalize()} refused these credentials.")
    assert len(sandbox.requests()) == 1


@both
@pytest.mark.parametrize("fault", UNREADABLE, ids=str)
def test_a_provider_that_cannot_tell_makes_nothing_valid_or_invalid(
    provider, fault, client, sandbox
):
    sandbox.add_fault(method="GET", **fault)

    answer = post(client, VALIDATE[provider], TRIED[provider])

    assert (answer.status_code, answer.json()["code"]) == (500, "provider_unreachable")
    assert "valid" not in answer.json()


@both
def test_a_suspended_account_is_valid_with_a_warning(provider, client, sandbox):
    account = {"twilio": NEW_SID, "telnyx": "KEYnew"}[provider]
    sandbox.set_account(account, active=False)

    body = post(client, VALIDATE[provider], TRIED[provider]).json()

    assert (body["valid"], body["error"]) == (True, None)
    assert "add funds" in body["warning"]


@pytest.mark.parametrize(
    ("provider", "body", "words"),
    [
        ("twilio", {"account_sid": "AC1", "auth_token": "12345678"}, "32 hexadecimal digits"),
        ("twilio", {"account_sid": SID, "auth_token": "…7f3a"}, "auth token is 8 to 256"),
        ("telnyx", {"api_key": ""}, "API key is 8 to 256"),
        ("telnyx", {"api_key": KEY, "connection_id": "../x"}, "connection id is at most"),
    ],
)
def test_what_cannot_be_credentials_is_invalid_without_asking(
    provider, body, words, client, sandbox
):
    answer = post(client, VALIDATE[provider], body)

    assert (answer.status_code, answer.json()["valid"]) == (200, False)
    assert words in answer.json()["error"]
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("twilio", {}),
        ("twilio", {"account_sid": SID}),
        ("twilio", {"account_sid": SID, "auth_token": 12345678}),
        ("telnyx", {"api_key": None}),
        ("telnyx", {"api_key": "KEY\0\0\0\0\0\0"}),
    ],
)
def test_what_is_no_text_is_a_wrong_request(provider, body, client, sandbox):
    assert post(client, VALIDATE[provider], body).status_code == 400
    assert sandbox.requests() == []


def test_a_connection_is_validated_with_the_key(client, sandbox):
    answer = post(client, VALIDATE["telnyx"], TRIED["telnyx"] | {"connection_id": "4711"})

    assert answer.json()["valid"] is False
    assert "4711 is not a Call Control application" in answer.json()["error"]


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
