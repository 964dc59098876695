"""An organization's provider accounts: told, changed and checked before money is spent."""

from datetime import timedelta

import pytest
from django.utils import timezone

from burki.testing import (
    CONNECTION,
    PROFILE,
    SYSTEM,
    make_twilio_account,
    post,
)
from numbers.services.checking import check_account
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
        "public_key": part | {"id": account.public_key} if provider == "telnyx" else None,
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
