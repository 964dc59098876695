"""`twilio_config` and `telnyx_config`: an assistant's own credentials go in and never come out."""

import pytest
from django.db import connection

from assistants.models import Assistant
from assistants.tests.helpers import ASSISTANTS, one, parsed, patch, post, put
from burki.testing import (
    TELNYX_NUMBER,
    TWILIO_NUMBER,
    make_client,
    make_organization,
    make_twilio_account,
    orders_sent,
)
from numbers.models import PhoneNumber, Purchase
from organizations.models import AuditEvent, ProviderAccount
from organizations.permissions import SCOPES

SID, OTHER_SID = "AC" + "12" * 14 + "abcd", "AC" + "34" * 14 + "dcba"
TOKEN, NEW_TOKEN = "own-token-of-the-assistant-9z8y", "next-token-of-the-assistant-7x6w"
KEY, NEW_KEY = "KEYown.telnyx-0123456789-5v4u", "KEYnext.telnyx-0123456789-3t2s"
TWILIO = {"account_sid": SID, "auth_token": TOKEN}
TELNYX = {"api_key": KEY, "connection_id": "1234567890123456789"}
TOLD_TWILIO = {"account_sid": "…abcd", "auth_token": "…9z8y"}
TOLD_TELNYX = {"api_key": "…5v4u", "connection_id": "1234567890123456789"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def bare(db):
    """An organization without provider accounts of its own."""
    return make_organization("Initech", accounts=False)


@pytest.fixture
def key(bare):
    return make_client(bare)


def create(client, **body) -> dict:
    response = post(client, ASSISTANTS, {"name": "Bot"} | body)
    assert response.status_code == 201, response.content
    return response.json()


def accounts() -> list[tuple]:
    rows = ProviderAccount.objects.order_by("pk")
    return [
        (r.provider, r.account_sid, r.secret, r.is_default, r.only_for_assistants) for r in rows
    ]


def refused(response) -> str:
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
    return response.json()["detail"]


def test_they_are_kept_as_accounts_that_only_assistants_use(key, bare):
    made = create(key, twilio_config=TWILIO, telnyx_config=TELNYX)

    assistant = Assistant.objects.get()
    assert accounts() == [
        ("twilio", SID, TOKEN, False, True),
        ("telnyx", "", KEY, False, True),
    ]
    assert {account.organization for account in ProviderAccount.objects.all()} == {bare}
    assert assistant.twilio_account.label == assistant.telnyx_account.label == "assistant Bot"
    assert assistant.telnyx_connection_id == TELNYX["connection_id"]
    assert assistant.settings == {}
    assert (made["twilio_config"], made["telnyx_config"]) == (TOLD_TWILIO, TOLD_TELNYX)
    assert parsed(made).id == assistant.pk


@pytest.mark.parametrize("send", [put, patch])
def test_they_can_be_given_later_and_removed_with_null(send, key):
    path = one(create(key)["id"])

    given = send(key, path, {"twilio_config": TWILIO, "telnyx_config": TELNYX}).json()
    removed = send(key, path, {"twilio_config": None, "telnyx_config": None}).json()

    assert (given["twilio_config"], given["telnyx_config"]) == (TOLD_TWILIO, TOLD_TELNYX)
    assert (removed["twilio_config"], removed["telnyx_config"]) == (None, None)
    assert removed["telnyx_connection_id"] is None
    assert len(accounts()) == 2  # numbers bought with them are still managed with them
    assert Assistant.objects.values_list("twilio_account", "telnyx_account").get() == (None, None)


def test_no_answer_no_row_and_no_log_holds_them(key, capsys, caplog):
    path = one(create(key, twilio_config=TWILIO, telnyx_config=TELNYX)["id"])
    answers = [
        key.get(path),
        key.get(ASSISTANTS),
        key.get(f"{ASSISTANTS}/export"),
        put(key, path, {"twilio_config": TWILIO | {"auth_token": NEW_TOKEN}}),
        patch(key, path, {"twilio_config": {"account_sid": "wrong", "auth_token": TOKEN}}),
        patch(key, path, {"twilio_config": {"account_sid": SID, "auth_token": f"{TOKEN} x"}}),
        patch(key, path, {"telnyx_config": {"api_key": f"{KEY}\n"}}),
        patch(key, path, {"telnyx_config": [KEY]}),
        patch(key, path, {"telnyx_config": {"api_key": KEY}, "name": 1}),
    ]
    text = " ".join(answer.content.decode() for answer in answers) + caplog.text
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            text += " ".join(row for (row,) in cursor.fetchall())

    assert [answer.status_code for answer in answers] == [200] * 4 + [400] * 5
    for secret in (TOKEN, NEW_TOKEN, KEY):
        assert secret[-9:] not in text
    assert TOKEN[-4:] in text


def test_who_reads_and_writes_back_keeps_them(organization):
    admin = make_client(organization)
    made = create(admin, twilio_config=TWILIO, telnyx_config=TELNYX)
    member = make_client(organization, ["assistants:read", "assistants:write"])
    events = AuditEvent.objects.count()

    for send in (put, patch):
        response = send(member, one(made["id"]), made | {"name": "Bot"})
        assert (response.status_code, response.json()) == (200, made)

    assert AuditEvent.objects.count() == events
    assert accounts()[2:] == [
        ("twilio", SID, TOKEN, False, True),
        ("telnyx", "", KEY, False, True),
    ]


@pytest.mark.parametrize(
    "config",
    [{"twilio_config": TWILIO}, {"telnyx_config": TELNYX}, {"telnyx_config": {"api_key": KEY}}],
    ids=str,
)
def test_storing_and_removing_them_needs_the_right_to_manage_credentials(organization, config):
    everything_else = [scope for scope in SCOPES if scope != "organization:admin"]
    member, admin = make_client(organization, everything_else), make_client(organization)
    made = create(admin)
    rows = accounts()

    answers = [
        post(member, ASSISTANTS, {"name": "Bot"} | config),
        put(member, one(made["id"]), config),
        patch(member, one(made["id"]), config),
    ]
    patch(admin, one(made["id"]), config)
    stored = accounts()
    answers.append(patch(member, one(made["id"]), dict.fromkeys(config)))

    assert [answer.status_code for answer in answers] == [403] * 4
    assert {answer.json()["scope"] for answer in answers} == {"organization:admin"}
    assert (len(rows), len(stored)) == (2, 3)
    assert accounts() == stored and Assistant.objects.count() == 1
    (assistant,) = Assistant.objects.all()
    assert assistant.twilio_account or assistant.telnyx_account


def test_removing_what_is_not_there_needs_no_right_and_changes_nothing(organization):
    member = make_client(organization, ["assistants:write"])
    made = create(member)
    events = AuditEvent.objects.count()

    response = patch(member, one(made["id"]), {"twilio_config": None, "telnyx_config": None})

    assert response.status_code == 200
    assert AuditEvent.objects.count() == events


BOTH = "twilio_config needs both account_sid and auth_token"
API_KEY = (
    "telnyx_config needs an api_key (to choose only a connection of the organization's own "
    "account, set telnyx_connection_id)"
)


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"twilio_config": {}}, BOTH),
        ({"twilio_config": {"account_sid": SID}}, BOTH),
        ({"twilio_config": {"account_sid": SID, "auth_token": None}}, BOTH),
        ({"twilio_config": {"account_sid": SID, "auth_token": ""}}, BOTH),
        ({"twilio_config": {"auth_token": TOKEN}}, BOTH),
        ({"twilio_config": {"account_sid": "ACshort", "auth_token": TOKEN}},
         "The Twilio account SID is 'AC' and 32 hexadecimal digits."),
        ({"twilio_config": {"account_sid": SID, "auth_token": "…9z8y"}},
         "twilio_config.auth_token is only what we show of it: send all of it"),
        ({"twilio_config": {"account_sid": "…abcd", "auth_token": TOKEN}},
         "twilio_config.account_sid is only what we show of it: send all of it"),
        ({"telnyx_config": {}}, API_KEY),
        ({"telnyx_config": {"connection_id": "123"}}, API_KEY),
        ({"telnyx_config": {"api_key": "short"}},
         "The Telnyx API key is 8 to 256 letters, digits or signs, without blanks."),
        ({"telnyx_config": {"api_key": "…5v4u"}},
         "telnyx_config.api_key is only what we show of it: send all of it"),
    ],
    ids=range(12),
)  # fmt: skip
def test_what_is_incomplete_is_refused_and_nothing_is_stored(key, config, sentence):
    made = create(key)
    events = AuditEvent.objects.count()

    answers = [
        post(key, ASSISTANTS, {"name": "Bot"} | config),
        put(key, one(made["id"]), {"name": "New"} | config),
        patch(key, one(made["id"]), {"name": "New"} | config),
    ]

    assert {refused(answer) for answer in answers} == {sentence}
    assert accounts() == [] and AuditEvent.objects.count() == events
    assert Assistant.objects.get().name == "Bot"


def test_patch_changes_a_part_and_put_wants_the_whole(key):
    path = one(create(key, twilio_config=TWILIO, telnyx_config=TELNYX)["id"])

    token = patch(key, path, {"twilio_config": {"auth_token": NEW_TOKEN}}).json()
    connected = patch(key, path, {"telnyx_config": {"connection_id": "42"}}).json()

    assert token["twilio_config"] == {"account_sid": "…abcd", "auth_token": "…7x6w"}
    assert connected["telnyx_config"] == {"api_key": "…5v4u", "connection_id": "42"}
    assert accounts() == [
        ("twilio", SID, NEW_TOKEN, False, True),
        ("telnyx", "", KEY, False, True),
    ]
    assert refused(put(key, path, {"twilio_config": {"auth_token": TOKEN}})) == BOTH
    assert refused(put(key, path, {"telnyx_config": {"connection_id": "7"}})) == API_KEY


def test_a_token_is_never_paired_with_another_account(key):
    path = one(create(key, twilio_config=TWILIO)["id"])

    for wrong in ({"account_sid": OTHER_SID}, {"account_sid": OTHER_SID, "auth_token": "…9z8y"}):
        assert refused(patch(key, path, {"twilio_config": wrong}))
    assert accounts() == [("twilio", SID, TOKEN, False, True)]

    other = {"account_sid": OTHER_SID, "auth_token": NEW_TOKEN}
    assert patch(key, path, {"twilio_config": other}).status_code == 200
    assert accounts() == [
        ("twilio", SID, TOKEN, False, True),
        ("twilio", OTHER_SID, NEW_TOKEN, False, True),
    ]
    assert Assistant.objects.get().twilio_account.account_sid == OTHER_SID


def test_a_connection_goes_with_the_account_that_it_belongs_to(key):
    path = one(create(key, telnyx_config=TELNYX)["id"])

    same = patch(key, path, {"telnyx_config": {"api_key": KEY}}).json()
    other = patch(key, path, {"telnyx_config": {"api_key": NEW_KEY}}).json()

    assert same["telnyx_config"] == TOLD_TELNYX
    assert other["telnyx_config"] == {"api_key": "…3t2s", "connection_id": None}
    assert other["telnyx_connection_id"] is None
    assert [account[2] for account in accounts()] == [KEY, NEW_KEY]


def test_assistants_with_the_same_credentials_share_their_account(key):
    for _ in range(2):
        create(key, twilio_config=TWILIO, telnyx_config=TELNYX)

    assert len(accounts()) == 2
    assert Assistant.objects.values("twilio_account", "telnyx_account").distinct().count() == 1


def test_the_organizations_own_account_is_used_as_it_is_and_its_token_not_changed(organization):
    client, own = make_client(organization), organization.provider_accounts.get(provider="twilio")
    given = {"account_sid": own.account_sid, "auth_token": own.secret}

    made = create(client, twilio_config=given)
    wrong = patch(client, one(made["id"]), {"twilio_config": {"auth_token": NEW_TOKEN}})

    assert Assistant.objects.get().twilio_account == own
    assert refused(wrong) == (
        f"The organization has the account {own} with another auth token. "
        "Change the token there, or leave out twilio_config."
    )
    again = ProviderAccount.objects.get(pk=own.pk)
    assert (again.secret, again.is_default, again.only_for_assistants) == (own.secret, True, False)


def test_another_tenants_credentials_are_another_row(key, organization):
    create(make_client(organization), twilio_config=TWILIO)

    create(key, twilio_config=TWILIO)

    rows = ProviderAccount.objects.filter(account_sid=SID)
    assert len({row.organization_id for row in rows}) == len(rows) == 2


def test_storing_them_is_in_the_audit_by_their_last_four_characters(key):
    made = create(key, twilio_config=TWILIO)
    patch(key, one(made["id"]), {"twilio_config": None})

    events = AuditEvent.objects.exclude(action__startswith="api_key").order_by("pk")
    account = ProviderAccount.objects.get()
    assert [(event.action, event.data) for event in events] == [
        ("organization.created", {"name": "Initech"}),
        ("provider_account.added", {"provider": "twilio", "secret": "…9z8y"}),
        ("assistant.created", {"name": "Bot", "twilio_account": account.pk}),
        ("assistant.updated", {"fields": ["twilio_account"]}),
    ]  # fmt: skip


# --- Who pays -------------------------------------------------------------------------------------


def buy(client, provider: str, number: str, **body):
    return post(
        client, "/phone-numbers/purchase", {"provider": provider, "phone_number": number} | body
    )


def test_an_assistant_buys_with_its_own_account(key, sandbox):
    made = create(key, twilio_config=TWILIO)

    bought = buy(key, "twilio", TWILIO_NUMBER, assistant_id=made["id"])

    assert bought.status_code == 200
    assert PhoneNumber.objects.get().account.account_sid == SID
    assert [SID in order.path for order in orders_sent(sandbox)] == [True]
    assert key.get(one(made["id"])).json()["phone_numbers"] == [TWILIO_NUMBER]


@pytest.mark.parametrize("removed", [False, True])
def test_an_assistants_account_is_never_used_for_the_rest_of_the_organization(
    key, sandbox, settings, removed
):
    made = create(key, twilio_config=TWILIO, telnyx_config=TELNYX)
    if removed:
        patch(key, one(made["id"]), {"twilio_config": None, "telnyx_config": None})
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC" + "f" * 32, "platform-token-1"

    platform = buy(key, "twilio", TWILIO_NUMBER)
    nobody = buy(key, "telnyx", TELNYX_NUMBER)

    assert platform.status_code == 200
    assert PhoneNumber.objects.get().account.source == "environment"
    assert (nobody.status_code, nobody.json()["code"]) == (500, "not_configured")
    assert len(orders_sent(sandbox)) == 1


def test_the_organizations_first_own_account_is_its_default_all_the_same(key, bare, sandbox):
    create(key, twilio_config=TWILIO)
    own = make_twilio_account(bare, account_sid=OTHER_SID, secret=NEW_TOKEN)

    assert buy(key, "twilio", TWILIO_NUMBER).status_code == 200

    assert PhoneNumber.objects.get().account == own


def test_a_number_stays_with_the_account_that_bought_it(key, sandbox):
    made = create(key, twilio_config=TWILIO)
    buy(key, "twilio", TWILIO_NUMBER, assistant_id=made["id"])
    key.delete(one(made["id"]))

    released = post(key, "/phone-numbers/release", {"phone_number": TWILIO_NUMBER})

    assert released.status_code == 200
    (deleted,) = sandbox.requests(method="DELETE")
    assert SID in deleted.path


def test_wrong_credentials_are_noticed_when_they_are_used_and_nothing_is_bought(key, sandbox):
    made = create(key, telnyx_config=TELNYX)

    response = buy(key, "telnyx", "+14155550004", assistant_id=made["id"])

    assert (response.status_code, response.json()["code"]) == (500, "invalid_credentials")
    assert response.json()["charged"] is False
    assert Purchase.objects.get().account.only_for_assistants
