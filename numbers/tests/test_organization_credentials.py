"""Credentials of an organization through the API: tried at the provider, and stored only when
everything is right; wrong ones are refused with the provider's reason."""

import pytest

from burki.testing import (
    CONNECTION,
    TELNYX_KEY,
    TWILIO_TOKEN,
    in_threads,
    make_client,
    make_organization,
)
from numbers.tests.driving import UNREADABLE
from numbers.tests.money import buy, failing_writes
from organizations.models import AuditEvent, Organization, ProviderAccount

PATH = "/api/v1/organization"
NEW_SID = "AC" + "2" * 32
KEY = "KEYnew.first-0123abcd"
GIVEN = {
    "twilio": {"twilio_account_sid": NEW_SID, "twilio_auth_token": "new-token-0123-9f9f"},
    "telnyx": {"telnyx_api_key": KEY},
}

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


# --- Storing ----------------------------------------------------------------------------------


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


def test_what_was_read_can_be_put_back_with_a_new_key(organization, client, sandbox):
    body = client.get(PATH).json() | {"telnyx_api_key": "KEYacme.second-77aa"}

    answer = put(client, body)

    assert answer.status_code == 200
    assert answer.json()["telnyx_connection_id"] == CONNECTION
    assert answer.json()["telnyx_messaging_profile_id"] == body["telnyx_messaging_profile_id"]
    assert secrets(organization, "telnyx") == [(TELNYX_KEY, False), (body["telnyx_api_key"], True)]
    told = organization.provider_accounts.get(provider="telnyx", is_default=True).last_check
    assert (told["connection"]["usable"], told["messaging_profile"]["usable"]) == (True, True)


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


@pytest.mark.django_db(transaction=True)
def test_when_credentials_cannot_be_written_nothing_else_is(organization, client, sandbox):
    before = state(organization)

    with failing_writes("organizations_provideraccount", "INSERT", times=1):
        answer = put(
            client, {"name": "New", "twilio_auth_token": "rotated-77aa", **GIVEN["telnyx"]}
        )

    assert answer.status_code == 503
    assert state(organization) == before
    assert put(client, {"name": "New", **GIVEN["telnyx"]}).status_code == 200


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
