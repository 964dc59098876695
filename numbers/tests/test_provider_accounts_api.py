"""An organization's provider accounts: told, changed and checked before money is spent."""

import logging
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.errors import PermissionDenied
from burki.testing import (
    CONNECTION,
    PROFILE,
    SYSTEM,
    in_threads,
    make_client,
    make_organization,
    make_telnyx_account,
    make_twilio_account,
    make_user,
    post,
)
from numbers import tasks
from numbers.services.checking import account_warnings, check_account
from organizations.actors import Actor
from organizations.credentials import change_account, store_credentials
from organizations.models import AuditEvent, ProviderAccount

PATH = "/api/v1/organization/provider-accounts"

pytestmark = pytest.mark.django_db
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])


def account_of(organization, provider: str) -> ProviderAccount:
    return organization.provider_accounts.get(provider=provider)


def name_of(account: ProviderAccount) -> str:
    """As the sandbox calls it."""
    return account.account_sid or account.secret.split(".")[0]


def check(client, account) -> dict:
    answer = post(client, f"{PATH}/{account.pk}/check", {})
    assert answer.status_code == 200, answer.json()
    return answer.json()


def patch(client, account, body):
    return client.patch(f"{PATH}/{account.pk}", body, format="json")


def low_balances() -> list[dict]:
    events = AuditEvent.objects.filter(action="provider_account.low_balance")
    return [event.data for event in events.order_by("pk")]


# --- Told -----------------------------------------------------------------------------------------


def test_an_account_is_told_with_the_last_four_characters_of_its_secret(organization, client):
    account = account_of(organization, "telnyx")

    body = client.get(f"{PATH}/{account.pk}").json()

    assert body.pop("created_at").endswith("Z") and body.pop("updated_at").endswith("Z")
    assert body == {
        "id": account.pk,
        "provider": "telnyx",
        "name": "Telnyx (organization)",
        "label": "",
        "account_sid": None,
        "secret": "…abcd",
        "connection_id": CONNECTION,
        "messaging_profile_id": PROFILE,
        "is_default": True,
        "is_active": True,
        "balance": None,
        "currency": None,
        "low_balance_threshold": None,
        "low_balance": False,
        "last_checked_at": None,
        "last_check": None,
        "warnings": [],
    }


def test_the_list_is_the_organization_s_own_newest_first_and_paged(
    organization, other_organization, client, settings, sandbox
):
    ProviderAccount.objects.create(source="environment", provider="telnyx", fingerprint="f")
    for n in range(5):
        make_twilio_account(organization, account_sid=f"AC{n:032x}", is_default=False)
    mine = list(organization.provider_accounts.order_by("-pk").values_list("pk", flat=True))

    first = client.get(PATH, {"limit": 4}).json()
    second = client.get(first["next"]).json()

    assert [item["id"] for item in first["items"]] == mine[:4]
    assert [item["id"] for item in second["items"]] == mine[4:]
    assert second["next"] is None
    assert client.get(PATH, {"limit": 201}).status_code == 400


def test_the_number_of_accounts_costs_no_queries(
    organization, client, django_assert_max_num_queries, django_assert_num_queries
):
    client.get(PATH)
    with django_assert_max_num_queries(2) as few:
        assert len(client.get(PATH, {"limit": 200}).json()["items"]) == 2
    for n in range(198):
        make_twilio_account(organization, account_sid=f"AC{n:032x}", is_default=False)

    with django_assert_num_queries(len(few)):
        assert len(client.get(PATH, {"limit": 200}).json()["items"]) == 200


@pytest.mark.parametrize("wrong", ["0", "-1", "x", "1.5", str(2**63), str(2**70), "9" * 40, "%00"])
def test_an_id_that_nothing_has_is_not_found(organization, client, wrong):
    for method, path in (("get", ""), ("patch", ""), ("post", "/check")):
        answer = getattr(client, method)(f"{PATH}/{wrong}{path}", {}, format="json")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_another_organization_s_and_the_platform_s_account_are_not_found(
    organization, other_organization, client, sandbox
):
    platform = ProviderAccount.objects.create(source="environment", provider="twilio")
    foreign = account_of(other_organization, "twilio")

    for account in (platform, foreign):
        assert client.get(f"{PATH}/{account.pk}").status_code == 404
        assert patch(client, account, {"label": "mine"}).status_code == 404
        assert post(client, f"{PATH}/{account.pk}/check", {}).status_code == 404

    assert sandbox.requests() == []
    assert set(ProviderAccount.objects.values_list("label", flat=True)) == {""}


# --- Changed --------------------------------------------------------------------------------------


def test_label_threshold_default_and_use_can_be_changed(organization, client):
    old = account_of(organization, "twilio")
    new = make_twilio_account(organization, account_sid="AC" + "9" * 32, is_default=False)

    body = {"label": " Main ", "low_balance_threshold": "12.5", "is_default": True}
    answer = patch(client, new, body)

    assert answer.status_code == 200
    told = answer.json()
    assert (told["label"], told["low_balance_threshold"], told["is_default"]) == (
        "Main",
        "12.50",
        True,
    )
    old.refresh_from_db()
    assert not old.is_default
    assert (
        patch(client, new, {"low_balance_threshold": None, "is_active": False}).json()["is_active"]
        is False
    )
    new.refresh_from_db()
    assert (new.low_balance_threshold, new.is_active) == (None, False)
    events = AuditEvent.objects.filter(action="provider_account.changed").order_by("pk")
    assert [event.data["fields"] for event in events] == [
        ["is_default", "label", "low_balance_threshold"],
        ["is_active", "low_balance_threshold"],
    ]


def test_a_change_that_is_none_is_no_news(organization, client):
    account = account_of(organization, "twilio")
    events = AuditEvent.objects.count()

    for body in (
        {},
        {"label": "", "is_default": True},
        {"secret": "another-one", "account_sid": "x"},
    ):
        assert patch(client, account, body).status_code == 200

    after = account_of(organization, "twilio")
    assert (after.updated_at, after.secret) == (account.updated_at, account.secret)
    assert AuditEvent.objects.count() == events


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"label": "x" * 101}, "label must be text"),
        ({"label": None}, "label must be text"),
        ({"label": "a\0"}, "label must be text"),
        ({"low_balance_threshold": "-1"}, "low_balance_threshold must be an amount"),
        ({"low_balance_threshold": "1.005"}, "no more than 2 decimal places"),
        ({"is_default": "true"}, "must be true or false"),
        ({"is_active": 1}, "must be true or false"),
        ({"is_default": False}, "Make another account the default instead"),
    ],
)
def test_a_wrong_change_is_refused(organization, client, body, words):
    account = account_of(organization, "twilio")
    before = ProviderAccount.objects.filter(pk=account.pk).values().get()

    answer = patch(client, account, body)

    assert answer.status_code == 400
    assert words in answer.json()["detail"]
    assert ProviderAccount.objects.filter(pk=account.pk).values().get() == before


# --- Checked --------------------------------------------------------------------------------------


@both
def test_a_check_is_told_and_kept(provider, organization, client, sandbox):
    account = account_of(organization, provider)

    told = check(client, account)

    assert (told["balance"], told["currency"], told["warnings"]) == ("100.00", "USD", [])
    part = {"id": None, "usable": True, "problem": None}
    assert told["last_check"] == {
        "ok": True,
        "status": "active",
        "friendly_name": "Sandbox" if provider == "twilio" else None,
        "may_order": True,
        "problem": None,
        "code": None,
        "connection": part | {"id": CONNECTION} if provider == "telnyx" else None,
        "messaging_profile": part | {"id": PROFILE} if provider == "telnyx" else None,
    }
    assert client.get(f"{PATH}/{account.pk}").json() == told
    assert {request.method for request in sandbox.requests()} == {"GET"}
    after = account_of(organization, provider)
    assert timezone.now() - after.last_checked_at < timedelta(seconds=10)
    assert after.updated_at == account.updated_at  # nobody changed the account
    assert AuditEvent.objects.filter(object_type="organizations.ProviderAccount").count() == 0


@both
def test_a_key_that_is_refused_is_a_result(provider, organization, client, sandbox):
    account = account_of(organization, provider)
    check(client, account)
    sandbox.add_fault(method="GET", status=401)

    told = check(client, account)

    assert told["last_check"]["ok"] is False
    assert told["last_check"]["code"] == "invalid_credentials"
    assert told["balance"] is None
    assert told["warnings"] == [told["last_check"]["problem"]]
    assert told["warnings"][0].startswith("Check the T")


@both
@pytest.mark.parametrize(
    "fault",
    [{"status": 500}, {"status": 429}, {"action": "drop"}, {"action": "hang"},
     {"action": "garbage"}],
    ids=str,
)  # fmt: skip
def test_a_provider_that_cannot_tell_leaves_the_last_result(
    provider, fault, organization, client, sandbox
):
    account = account_of(organization, provider)
    check(client, account)
    before = ProviderAccount.objects.filter(pk=account.pk).values().get()
    sandbox.add_fault(method="GET", **fault)

    answer = post(client, f"{PATH}/{account.pk}/check", {})

    assert answer.status_code == 500
    assert answer.json()["code"] in ("provider_unreachable", "rate_limited")
    assert answer.json()["retryable"] is True
    assert ProviderAccount.objects.filter(pk=account.pk).values().get() == before


@both
def test_a_suspended_account_is_told(provider, organization, client, sandbox):
    account = account_of(organization, provider)
    sandbox.set_account(name_of(account), active=False)

    told = check(client, account)

    assert (told["last_check"]["status"], told["last_check"]["may_order"]) == ("suspended", False)
    assert "add funds" in told["warnings"][0]


def test_connection_and_profile_are_each_judged(organization, client, sandbox):
    account = account_of(organization, "telnyx")
    ProviderAccount.objects.filter(pk=account.pk).update(connection_id="4711")

    told = check(client, account)

    assert told["last_check"]["ok"] is False
    assert told["last_check"]["connection"]["usable"] is False
    assert "4711 is not a Call Control application" in told["warnings"][0]
    assert told["last_check"]["messaging_profile"]["usable"] is True
    # As soon as another is set, that warning is about nothing.
    change_account(actor=SYSTEM, account=account, connection_id=CONNECTION)
    assert client.get(f"{PATH}/{account.pk}").json()["warnings"] == []


def test_a_check_sets_nothing_at_the_provider(organization, client, sandbox):
    """A connection without an address gets ours when a number is bought, not before."""
    check(client, account_of(organization, "telnyx"))

    assert {request.method for request in sandbox.requests()} == {"GET"}


def test_an_account_that_is_disabled_or_unreadable_is_not_asked(
    organization, client, sandbox, settings
):
    account = account_of(organization, "twilio")
    change_account(actor=SYSTEM, account=account, is_active=False)
    answer = post(client, f"{PATH}/{account.pk}/check", {})
    assert (answer.status_code, answer.json()["code"]) == (500, "not_configured")
    assert "disabled: enable it" in answer.json()["hint"]

    change_account(actor=SYSTEM, account=account, is_active=True)
    settings.CREDENTIALS_KEYS = ["A" * 42 + "A="]
    answer = post(client, f"{PATH}/{account.pk}/check", {})
    assert (answer.status_code, answer.json()["code"]) == (500, "not_configured")
    assert sandbox.requests() == []


def test_the_result_of_old_credentials_is_not_kept_for_new_ones(organization, sandbox):
    account = account_of(organization, "twilio")
    stale = ProviderAccount.objects.get(pk=account.pk)
    store_credentials(
        actor=SYSTEM, organization=organization, provider="twilio", secret="another-token-1234",
        account_sid=account.account_sid,
    )  # fmt: skip

    check_account(actor=SYSTEM, account=stale)

    assert account_of(organization, "twilio").last_check == {}


# --- A low balance --------------------------------------------------------------------------------


@both
def test_a_balance_below_the_threshold_warns_and_is_audited_once_per_crossing(
    provider, organization, client, sandbox
):
    account = account_of(organization, provider)
    patch(client, account, {"low_balance_threshold": "20"})

    def at(balance: str) -> bool:
        sandbox.set_account(name_of(account), balance=balance)
        return check(client, account)["low_balance"]

    assert [at("20.00"), at("19.99"), at("5.00")] == [False, True, True]
    assert low_balances() == [{"balance": "19.99", "currency": "USD", "threshold": "20.00"}]
    assert [at("50.00"), at("3.00"), at("2.00")] == [False, True, True]
    assert [told["balance"] for told in low_balances()] == ["19.99", "3.00"]
    warning = client.get(f"{PATH}/{account.pk}").json()["warnings"]
    assert warning == [f"The balance of {account} is 2.00 USD, below 20.00."]
    status = client.get("/api/v1/organization/configuration-status").json()
    assert status["providers"][provider]["low_balance"] is True
    assert status["providers"][provider]["warnings"] == warning


def test_an_account_suspended_for_its_low_balance_is_no_second_crossing(
    organization, client, sandbox
):
    account = account_of(organization, "twilio")
    patch(client, account, {"low_balance_threshold": "20"})
    for change in ({"balance": "1"}, {"active": False}, {"active": True}):
        sandbox.set_account(name_of(account), **change)
        check(client, account)

    assert len(low_balances()) == 1


def test_another_threshold_counts_at_once_and_is_a_crossing_at_the_next_check(
    organization, client, sandbox
):
    account = account_of(organization, "twilio")
    assert check(client, account)["low_balance"] is False

    assert patch(client, account, {"low_balance_threshold": "101"}).json()["low_balance"] is True
    assert low_balances() == []
    check(client, account)
    assert len(low_balances()) == 1
    assert patch(client, account, {"low_balance_threshold": None}).json()["low_balance"] is False


def test_a_balance_that_nobody_knows_is_not_low(organization, client, sandbox):
    account = account_of(organization, "twilio")
    sandbox.set_account(name_of(account), owner_account_sid="AC" + "9" * 32)
    patch(client, account, {"low_balance_threshold": "20"})

    told = check(client, account)

    assert (told["balance"], told["low_balance"], told["last_check"]["ok"]) == (None, False, True)


@pytest.mark.django_db(transaction=True)
def test_checks_at_once_cross_once(organization, client, sandbox):
    account = account_of(organization, "twilio")
    patch(client, account, {"low_balance_threshold": "101"})

    in_threads(*[lambda: check_account(actor=SYSTEM, account=account)] * 4)

    assert len(low_balances()) == 1


# --- Who may, and the background ------------------------------------------------------------------


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_only_those_who_administrate_the_organization_check(organization, sandbox, role):
    actor = Actor.for_user(make_user(organization, role))

    with pytest.raises(PermissionDenied):
        check_account(actor=actor, account=account_of(organization, "twilio"))

    assert sandbox.requests() == []


def test_the_platform_s_account_is_checked_by_its_operators_alone(organization, sandbox, settings):
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC" + "e" * 32, "platform-token"
    platform = ProviderAccount.objects.create(
        source="environment", provider="twilio", account_sid="AC" + "e" * 32
    )
    owner = Actor.for_user(make_user(organization, "owner"))

    with pytest.raises(PermissionDenied, match="operators"):
        check_account(actor=owner, account=platform)
    assert sandbox.requests() == []

    checked = check_account(actor=SYSTEM, account=platform)
    assert checked.balance == Decimal("100.00")


@pytest.mark.django_db(transaction=True)
def test_every_account_in_use_is_checked_again_one_after_the_other(
    organization, other_organization, sandbox, settings
):
    settings.TELNYX_API_KEY = "KEYplatform.first-9e1c"
    disabled = make_telnyx_account(organization, secret="KEYold.1-2345678", is_default=False)
    change_account(actor=SYSTEM, account=disabled, is_active=False)

    tasks.check_accounts(timestamp=0)
    tasks.check_accounts(timestamp=1)  # what waits already is not queued again

    jobs = ProcrastinateJob.objects.filter(task_name="numbers.tasks.check_account")
    jobs = list(jobs.order_by("scheduled_at"))
    platform = ProviderAccount.objects.get(source="environment")
    mine = ProviderAccount.objects.filter(organization__isnull=False, is_active=True)
    expected = {platform.pk, *mine.values_list("pk", flat=True)}
    assert len(jobs) == 5 and {job.args["account_id"] for job in jobs} == expected
    gaps = [b.scheduled_at - a.scheduled_at for a, b in zip(jobs, jobs[1:], strict=False)]
    assert all(timedelta(seconds=4.9) < gap < timedelta(seconds=5.1) for gap in gaps)
    for job in jobs:
        tasks.check_account(**job.args)
    assert ProviderAccount.objects.filter(last_check__ok=True).count() == 5


def test_an_account_that_cannot_be_asked_is_logged_and_left_for_the_next_time(
    organization, sandbox, caplog
):
    account = account_of(organization, "twilio")
    sandbox.add_fault(method="GET", status=503)

    with caplog.at_level(logging.WARNING):
        tasks.check_account(account_id=account.pk)

    assert f"account {account.pk} was not checked: provider_unreachable" in caplog.text
    assert account_of(organization, "twilio").last_check == {}


def test_an_account_that_was_never_checked_warns_of_nothing():
    organization = make_organization("New")

    assert [account_warnings(row) for row in organization.provider_accounts.all()] == [[], []]


def test_a_client_without_an_organization_s_rights_sees_no_account(organization):
    client = make_client(organization, scopes=["numbers:read", "numbers:purchase"])

    assert client.get(PATH).status_code == 403
