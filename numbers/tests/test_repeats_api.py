"""Repeats from outside: whose a key is, and what a repeated error says of itself."""

import pytest

from burki.testing import TWILIO_NUMBER, make_client, orders_sent, post
from numbers.models import Purchase
from numbers.tests.money import buy

PURCHASE = "/phone-numbers/purchase"
BODY = {"provider": "twilio", "phone_number": TWILIO_NUMBER}

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [("+14155550001", 500, "number_unavailable"), ("+14155550011", 504, "outcome_unknown")],
)
def test_a_repeat_of_an_error_gets_the_same_error_and_says_so(
    number, status, code, client, sandbox
):
    body = BODY | {"phone_number": number}
    first = post(client, PURCHASE, body, HTTP_IDEMPOTENCY_KEY="k")

    again = post(client, PURCHASE, body, HTTP_IDEMPOTENCY_KEY="k")

    assert (first.status_code, first.json()["code"]) == (status, code)
    assert (again.status_code, again.json()) == (status, first.json())
    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert again["Location"] == first["Location"] == first.json()["status_url"]
    assert len(orders_sent(sandbox)) == 1


def test_the_keys_of_two_doors_never_meet(organization, client, sandbox):
    buy(organization, "twilio", "+14155551235", idempotency_key="admin:k")

    response = post(client, PURCHASE, BODY, HTTP_IDEMPOTENCY_KEY="admin:k")

    assert response.status_code == 200
    assert "Idempotent-Replayed" not in response
    assert sorted(Purchase.objects.values_list("idempotency_key", flat=True)) == [
        "admin:k",
        "api:admin:k",
    ]


def test_a_key_is_the_organization_s_whichever_api_key_sends_it(organization, client, sandbox):
    post(client, PURCHASE, BODY, HTTP_IDEMPOTENCY_KEY="k")

    again = post(make_client(organization), PURCHASE, BODY, HTTP_IDEMPOTENCY_KEY="k")

    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")
    assert len(orders_sent(sandbox)) == 1


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_a_refusal_that_may_be_tried_again_says_that_it_takes_a_new_key(provider, client, sandbox):
    body = {"provider": provider, "phone_number": "+14155550006"}

    response = post(client, PURCHASE, body, HTTP_IDEMPOTENCY_KEY="k")

    assert (response.status_code, response.json()["code"]) == (500, "rate_limited")
    assert response.json()["retryable"] is True
    assert "new key" in response.json()["hint"]
