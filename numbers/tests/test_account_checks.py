"""How an account stands, as each provider tells it: what the drivers ask, and what they make of
the answers."""

from decimal import Decimal

import pytest

from numbers.exceptions import ProviderRefused, ProviderUnreachable
from numbers.providers.base import AccountStanding
from numbers.tests.driving import ACCOUNTS, PROVIDERS, UNREADABLE, driver_of, order

ACCOUNT_PATH = {"twilio": r"/Accounts/AC\w+\.json$", "telnyx": "/v2/balance$"}
BALANCE_PATH = {"twilio": r"/Balance\.json$", "telnyx": "/v2/balance$"}

both = pytest.mark.parametrize("provider", PROVIDERS)


def standing(provider: str, **over) -> AccountStanding:
    fields = {
        "status": "active",
        "friendly_name": "Sandbox" if provider == "twilio" else "",
        "balance": Decimal("100.00"),
        "currency": "USD",
    } | over
    return AccountStanding(**fields)


def paths(sandbox) -> list[str]:
    assert {request.method for request in sandbox.requests()} == {"GET"}
    return [request.path.removeprefix("/2010-04-01/Accounts/") for request in sandbox.requests()]


@both
def test_an_account_in_order_tells_its_balance_and_may_order(provider, sandbox):
    found = driver_of(provider).check_account()

    assert found == standing(provider)
    assert found.may_order
    assert (
        paths(sandbox)
        == {
            "twilio": [f"{ACCOUNTS['twilio']}.json", f"{ACCOUNTS['twilio']}/Balance.json"],
            "telnyx": ["/v2/balance", "/v2/available_phone_numbers"],
        }[provider]
    )


@both
@pytest.mark.parametrize("balance", ["0.00", "-3.50"])
def test_an_account_without_funds_may_not_order(provider, balance, sandbox):
    sandbox.set_account(ACCOUNTS[provider], balance=balance, currency="EUR")

    found = driver_of(provider).check_account()

    problem = {
        "twilio": "The Twilio account has no funds: add some in its console.",
        "telnyx": "The Telnyx account has no funds: add some in its portal.",
    }[provider]
    assert found == standing(provider, balance=Decimal(balance), currency="EUR", problem=problem)
    assert not found.may_order


@both
def test_a_suspended_account_may_not_order_and_tells_no_balance(provider, sandbox):
    sandbox.set_account(ACCOUNTS[provider], active=False)

    found = driver_of(provider).check_account()

    assert (found.status, found.balance, found.may_order) == ("suspended", None, False)
    assert "add funds" in found.problem


def test_a_closed_twilio_account_is_told_from_a_suspended_one(sandbox):
    sandbox.set_account(ACCOUNTS["twilio"], active=False, status="closed")

    found = driver_of("twilio").check_account()

    assert (found.status, found.may_order) == ("closed", False)
    assert found.problem == "The Twilio account is closed: enter another one."
    assert paths(sandbox) == [f"{ACCOUNTS['twilio']}.json"]


def test_a_twilio_trial_account_may_order_one_number(sandbox):
    sandbox.set_account(ACCOUNTS["twilio"], type="Trial")

    assert driver_of("twilio").check_account() == standing("twilio", status="trial")
    order("twilio")

    found = driver_of("twilio").check_account()
    assert (found.status, found.balance, found.may_order) == ("trial", Decimal("98.85"), False)
    assert "upgrade the account" in found.problem
    with pytest.raises(ProviderRefused) as caught:  # and that is so
        order("twilio", "+14155551235")
    assert caught.value.provider_code == "21404"


def test_a_twilio_subaccount_has_no_balance_of_its_own_and_may_order(sandbox):
    sandbox.set_account(ACCOUNTS["twilio"], owner_account_sid="AC" + "9" * 32)

    found = driver_of("twilio").check_account()

    assert found == standing("twilio", balance=None, currency="")
    assert paths(sandbox) == [f"{ACCOUNTS['twilio']}.json"]


def test_a_twilio_account_without_a_balance_resource_is_not_in_trouble(sandbox):
    sandbox.add_fault(path=BALANCE_PATH["twilio"], status=404)

    assert driver_of("twilio").check_account() == standing("twilio", balance=None, currency="")


def test_what_telnyx_lends_can_be_spent(sandbox):
    sandbox.set_account(ACCOUNTS["telnyx"], balance="-20.00", credit_limit="50.00")

    assert driver_of("telnyx").check_account() == standing("telnyx", balance=Decimal("30.00"))


def test_a_restricted_telnyx_account_may_not_order(sandbox):
    sandbox.set_account(ACCOUNTS["telnyx"], restricted=True)

    found = driver_of("telnyx").check_account()

    assert (found.status, found.balance) == ("active", Decimal("100.00"))
    assert found.problem == "This Telnyx account may not order such numbers: ask Telnyx support."
    with pytest.raises(ProviderRefused) as caught:
        order("telnyx", search=False)
    assert caught.value.provider_code == "10038"


def test_a_blocked_telnyx_account_is_suspended(sandbox):
    error = {"code": "20013", "title": "Account blocked"}
    sandbox.add_fault(path=BALANCE_PATH["telnyx"], status=403, body={"errors": [error]})

    found = driver_of("telnyx").check_account()

    assert (found.status, found.problem) == (
        "suspended",
        "The Telnyx account is blocked: ask Telnyx support.",
    )


@both
def test_a_wrong_key_is_refused(provider, sandbox):
    with pytest.raises(ProviderRefused) as caught:
        driver_of(provider, secret="wrong-secret").check_account()

    assert (caught.value.code, caught.value.status) == ("invalid_credentials", 401)
    assert len(sandbox.requests()) == 1


@both
@pytest.mark.parametrize(
    "fault",
    [
        *UNREADABLE,
        {"action": "truncate"},
        {"status": 200, "body": {}},
        {"status": 200, "body": {"data": []}},
        {"status": 200, "body": {"data": {"available_credit": None, "currency": "USD"}}},
        {"status": 200, "body": {"data": {"available_credit": "NaN", "currency": "USD"}}},
        {"status": 200, "body": {"sid": None, "status": "active"}},
        {"status": 200, "body": {"sid": ACCOUNTS["twilio"], "status": "brand-new"}},
        {"status": 200, "body": {"sid": "AC" + "0" * 32, "status": "active", "type": "Full"}},
    ],
    ids=str,
)
def test_what_cannot_be_read_says_nothing_about_the_account(provider, fault, sandbox):
    sandbox.add_fault(path=ACCOUNT_PATH[provider], **fault)

    with pytest.raises(ProviderUnreachable):
        driver_of(provider, seconds=5).check_account()

    assert len(sandbox.requests()) == 1


@pytest.mark.parametrize("answer", [{}, {"balance": "much"}, {"balance": None}])
def test_a_balance_that_is_no_amount_is_no_answer(answer, sandbox):
    sandbox.add_fault(path=BALANCE_PATH["twilio"], status=200, body=answer)

    with pytest.raises(ProviderUnreachable):
        driver_of("twilio").check_account()


def test_a_telnyx_that_is_too_busy_to_search_says_nothing_about_the_account(sandbox):
    sandbox.add_fault(path="/v2/available_phone_numbers", status=429)

    with pytest.raises(ProviderRefused) as caught:
        driver_of("telnyx").check_account()

    assert caught.value.code == "rate_limited"
