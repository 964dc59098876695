"""Refusals that are decided before a provider is asked to sell: to the letter, under both
prefixes, and leaving nothing behind."""

import pytest
from django.urls import resolve
from rest_framework.test import APIClient

from burki.testing import (
    TWILIO_NUMBER,
    make_client,
    make_organization,
    orders_sent,
)
from numbers.models import PhoneNumber, Purchase
from numbers.tests.doors import buy

pytestmark = pytest.mark.django_db

EXPENSIVE = "+14155550061"  # 25.00 a month and 5.00 once, at Telnyx
PRICELESS = "+14155550060"  # Telnyx does not say
IN_EURO = "+14155550062"
IN_ACCOUNT = "+14155550031"


def left_nothing(sandbox):
    """No order at a provider, and no row here."""
    return (
        orders_sent(sandbox) == []
        and not Purchase.objects.exists()
        and not PhoneNumber.objects.exists()
    )


def test_without_a_key_nobody_gets_in(anonymous, base, sandbox):
    response = buy(anonymous, base)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert response.json() == {
        "detail": "Authentication required. Provide a valid API key or login session.",
        "code": "not_authenticated",
    }
    assert left_nothing(sandbox)


def test_a_wrong_key_is_answered_like_a_missing_one(organization, anonymous, base, sandbox):
    wrong = APIClient(HTTP_AUTHORIZATION=f"Bearer burki_{'x' * 32}")

    response = buy(wrong, base)

    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert response.json() == buy(anonymous, base).json()
    assert left_nothing(sandbox)


@pytest.mark.parametrize(
    ("over", "detail"),
    [
        ({"provider": "vonage"}, "Provider must be 'twilio' or 'telnyx'"),
        (
            {"phone_number": "14155551234"},
            "Phone number must be in E.164 format (e.g., +1234567890)",
        ),
        ({"assistant_id": "123"}, "assistant_id must be a positive integer (e.g., 123)"),
        # Told in this order, as clients of the original know it.
        ({"provider": "x", "phone_number": "x"}, "Provider must be 'twilio' or 'telnyx'"),
        (
            {"phone_number": "x", "assistant_id": "x"},
            "Phone number must be in E.164 format (e.g., +1234567890)",
        ),
    ],
)
def test_bad_input_is_a_400_with_the_documented_sentence(client, base, sandbox, over, detail):
    response = buy(client, base, **over)

    assert response.status_code == 400
    answer = response.json()
    assert (answer["detail"], answer["code"]) == (detail, "invalid_request")
    assert set(answer["errors"]) == set(over)
    assert left_nothing(sandbox)


def test_a_key_without_the_scope_is_told_which_one_is_missing(organization, base, sandbox):
    reader = make_client(organization, scopes=["numbers:read", "numbers:write"])

    response = buy(reader, base)

    assert response.status_code == 403
    assert response.json() == {
        "detail": "This API key lacks the scope 'numbers:purchase'.",
        "code": "permission_denied",
        "scope": "numbers:purchase",
    }
    assert left_nothing(sandbox)


def test_an_unknown_assistant_is_a_404_and_nothing_is_sent(client, base, sandbox):
    response = buy(client, base, assistant_id=123)

    assert response.status_code == 404
    assert response.json() == {"detail": "Assistant with ID 123 not found", "code": "not_found"}
    assert sandbox.requests() == []
    assert left_nothing(sandbox)


def test_a_number_that_would_exceed_the_monthly_limit_is_a_402(base, sandbox, db):
    organization = make_organization("Thrifty", monthly_limit="1.14")

    response = buy(make_client(organization), base)

    assert response.status_code == 402
    answer = response.json()
    assert (answer["code"], answer["charged"]) == ("spending_limit_exceeded", False)
    assert answer["detail"] == (
        "The monthly limit is 1.14 USD: 0.00 are committed and this number costs 1.15."
    )
    assert answer["hint"]
    assert left_nothing(sandbox)


def test_a_number_that_would_exceed_the_limit_of_count_is_a_402(base, sandbox, db):
    organization = make_organization("Full", number_limit=0)

    response = buy(make_client(organization), base)

    assert response.status_code == 402
    answer = response.json()
    assert (answer["code"], answer["charged"]) == ("spending_limit_exceeded", False)
    assert answer["detail"] == "The organization may have 0 numbers and has 0."
    assert left_nothing(sandbox)


def test_exactly_the_monthly_limit_may_be_spent(base, sandbox, db):
    organization = make_organization("Exact", monthly_limit="1.15")

    assert buy(make_client(organization), base).status_code == 200


@pytest.mark.parametrize(
    ("over", "detail"),
    [
        (
            {"max_monthly_cost": "24.99", "max_setup_cost": "5"},
            "The monthly cost is 25.00 USD, more than 24.99.",
        ),
        (
            {"max_monthly_cost": "25", "max_setup_cost": "4.99"},
            "The setup cost is 5.00 USD, more than 4.99.",
        ),
    ],
)
def test_a_higher_price_than_allowed_is_a_409_that_tells_the_price(
    client, base, sandbox, over, detail
):
    response = buy(client, base, provider="telnyx", phone_number=EXPENSIVE, **over)

    assert response.status_code == 409
    answer = response.json()
    assert (answer["code"], answer["charged"]) == ("price_changed", False)
    assert answer["detail"] == detail
    assert (answer["monthly_cost"], answer["setup_cost"], answer["currency"]) == (
        "25.00",
        "5.00",
        "USD",
    )
    assert answer["hint"]
    assert left_nothing(sandbox)


def test_the_price_that_is_allowed_is_paid(client, base, sandbox):
    response = buy(
        client,
        base,
        provider="telnyx",
        phone_number=EXPENSIVE,
        max_monthly_cost="25.00",
        max_setup_cost="5.00",
    )

    assert response.status_code == 200


@pytest.mark.parametrize("limit", ["max_monthly_cost", "max_setup_cost"])
def test_a_price_that_matters_and_is_unknown_is_a_409(client, base, sandbox, limit):
    response = buy(client, base, provider="telnyx", phone_number=PRICELESS, **{limit: "99"})

    assert response.status_code == 409
    assert response.json()["code"] == "price_unknown"
    assert response.json()["charged"] is False
    assert left_nothing(sandbox)


@pytest.mark.parametrize("number", [PRICELESS, IN_EURO])
def test_a_limit_needs_a_price_in_its_own_currency(base, sandbox, db, number):
    organization = make_organization("Limited", monthly_limit="1000")

    response = buy(make_client(organization), base, provider="telnyx", phone_number=number)

    assert response.status_code == 409
    assert response.json()["code"] == "price_unknown"
    assert response.json()["charged"] is False
    assert left_nothing(sandbox)


def test_a_purchase_points_at_its_record(client, base, sandbox):
    response = buy(client, base)

    assert response.status_code == 200
    purchase = Purchase.objects.get()
    assert response["Purchase-Id"] == str(purchase.pk)
    assert response["Location"] == f"http://testserver{base}/purchases/{purchase.pk}"
    assert client.get(response["Location"]).json()["id"] == str(purchase.pk)
    assert "Idempotent-Replayed" not in response


@pytest.mark.parametrize("number", [IN_ACCOUNT, TWILIO_NUMBER])
@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_a_number_of_the_organizations_own_account_is_to_be_adopted(
    client, base, organization, sandbox, provider, number
):
    account = organization.provider_accounts.get(provider=provider)
    name = account.account_sid or account.secret.split(".")[0]
    if number != IN_ACCOUNT:  # that one is there by its scenario
        sandbox.own(provider=provider, account=name, phone_number=number)

    response = buy(client, base, provider=provider, phone_number=number)

    assert response.status_code == 409
    assert response.json() == {
        "detail": f"Phone number {number} is already in your {provider} account.",
        "code": "number_already_in_account",
        "charged": False,
        "hint": "It was bought outside this system: adopt it instead of buying it.",
    }
    assert left_nothing(sandbox)


def test_both_prefixes_lead_to_the_same_view():
    for path in ("/purchase", "/search", "", "/+14155551234", "/purchases", "/purchases/1"):
        plain, prefixed = resolve(f"/phone-numbers{path}"), resolve(f"/api/v1/phone-numbers{path}")

        assert (plain.func.cls, plain.func.actions) == (prefixed.func.cls, prefixed.func.actions)
