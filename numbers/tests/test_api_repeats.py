"""Asking again: the same request is answered from the record, another one is told so, and nobody
orders twice."""

import logging

import pytest

from burki.testing import (
    TELNYX_NUMBER,
    TWILIO_NUMBER,
    make_assistant,
    make_client,
)
from numbers.models import PhoneNumber, Purchase
from numbers.tests.doors import buy

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("key", [None, "order-1"])
@pytest.mark.parametrize(
    ("provider", "number"), [("twilio", TWILIO_NUMBER), ("telnyx", TELNYX_NUMBER)]
)
def test_the_same_request_again_gets_the_stored_answer_and_calls_nobody(
    client, base, sandbox, provider, number, key
):
    headers = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}
    wanted = {"provider": provider, "phone_number": number, "friendly_name": "Desk"} | headers
    first = buy(client, base, **wanted)
    sandbox.clear_requests()

    again = buy(client, base, **wanted)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    assert (again["Purchase-Id"], again["Location"]) == (first["Purchase-Id"], first["Location"])
    assert sandbox.requests() == []
    assert Purchase.objects.count() == PhoneNumber.objects.count() == 1


@pytest.mark.parametrize("change", ["assistant_id", "friendly_name", "max_monthly_cost"])
def test_the_same_number_with_another_request_is_already_owned(
    client, base, organization, sandbox, change
):
    first = buy(client, base)
    sandbox.clear_requests()
    other = {
        "assistant_id": make_assistant(organization).pk,
        "friendly_name": "Another name",
        "max_monthly_cost": "9.99",
    }[change]

    response = buy(client, base, **{change: other})

    assert response.status_code == 409
    answer = response.json()
    assert answer["detail"] == f"Your organization already has {TWILIO_NUMBER}."
    assert (answer["code"], answer["charged"]) == ("number_already_owned", False)
    assert answer["hint"]
    assert answer["purchase_id"] == first["Purchase-Id"]
    assert sandbox.requests() == []
    assert Purchase.objects.count() == PhoneNumber.objects.count() == 1


class Interrupted(BaseException):
    """As when the process dies: no `except Exception` sees it."""


class StopAt(logging.Handler):
    """Interrupts at a named event of the purchase."""

    def __init__(self, event):
        super().__init__()
        self.event = event

    def emit(self, record):
        if getattr(record, "event", "") == self.event:
            raise Interrupted


@pytest.fixture
def purchase_under_way(client, sandbox):
    """A purchase that another process is making right now: claimed, not answered yet."""
    events, handler = logging.getLogger("burki.events"), StopAt("purchase.sending")
    events.addHandler(handler)
    try:
        with pytest.raises(Interrupted):
            buy(client, "/phone-numbers", HTTP_IDEMPOTENCY_KEY="first")
    finally:
        events.removeHandler(handler)
    sandbox.clear_requests()
    return Purchase.objects.get()


@pytest.mark.parametrize(
    "over", [{}, {"HTTP_IDEMPOTENCY_KEY": "first"}, {"friendly_name": "Another"}]
)
def test_while_it_is_being_bought_a_repeat_has_to_wait(
    client, base, sandbox, purchase_under_way, over
):
    response = buy(client, base, **over)

    assert response.status_code == 409
    answer = response.json()
    assert answer["detail"] == f"Phone number {TWILIO_NUMBER} is being purchased right now."
    assert answer["code"] == "purchase_in_progress"
    assert int(response["Retry-After"]) == 5
    assert answer["purchase_id"] == str(purchase_under_way.pk)
    assert answer["status_url"].endswith(f"{base}/purchases/{purchase_under_way.pk}")
    assert sandbox.requests() == []
    assert Purchase.objects.count() == 1


@pytest.mark.parametrize(
    "over",
    [
        {"phone_number": "+14155551299"},
        {"provider": "telnyx"},
        {"friendly_name": "Another"},
        {"max_setup_cost": "1"},
    ],
)
def test_a_key_seen_with_another_request_is_a_422(client, base, sandbox, over):
    first = buy(client, base, HTTP_IDEMPOTENCY_KEY="order-1")
    sandbox.clear_requests()

    response = buy(client, base, HTTP_IDEMPOTENCY_KEY="order-1", **over)

    assert response.status_code == 422
    answer = response.json()
    assert answer["detail"] == "This Idempotency-Key was used with another request."
    assert answer["code"] == "idempotency_key_reused"
    assert answer["purchase_id"] == first["Purchase-Id"]
    assert sandbox.requests() == []
    assert Purchase.objects.count() == PhoneNumber.objects.count() == 1


def test_two_organizations_may_use_the_same_key(client, base, other_organization, sandbox):
    buy(client, base, HTTP_IDEMPOTENCY_KEY="order-1")

    other = make_client(other_organization)
    response = buy(other, base, HTTP_IDEMPOTENCY_KEY="order-1", phone_number="+14155551299")

    assert response.status_code == 200
    assert "Idempotent-Replayed" not in response


def test_what_is_refused_before_the_claim_is_not_remembered(client, base, organization, sandbox):
    assert buy(client, base, assistant_id=123, HTTP_IDEMPOTENCY_KEY="k").status_code == 404

    response = buy(client, base, HTTP_IDEMPOTENCY_KEY="k")

    assert response.status_code == 200
    assert "Idempotent-Replayed" not in response
