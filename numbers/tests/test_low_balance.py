"""A balance below its threshold is told at once and audited once; who may check, and the checks in
the background."""

import logging
from datetime import timedelta
from decimal import Decimal

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.errors import PermissionDenied
from burki.testing import (
    SYSTEM,
    in_threads,
    make_client,
    make_organization,
    make_telnyx_account,
    make_user,
    post,
)
from numbers import tasks
from numbers.services.checking import account_warnings, check_account
from organizations.actors import Actor
from organizations.credentials import change_account
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
