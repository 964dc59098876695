"""The same request again: the present truth of the purchase that it made, never another order."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from burki.testing import TWILIO_NUMBER, make_assistant, make_organization, orders_sent, post
from numbers.exceptions import IdempotencyKeyReused, NumberAlreadyOwned, PurchaseRefused
from numbers.models import PhoneNumber, Purchase
from numbers.tests.money import NUMBERS, ORDERS, buy, grow_older, inside, settle, word

PURCHASE = "/phone-numbers/purchase"
LOST = "+14155550011"  # the connection is closed without an answer; nothing is bought
GONE = "+14155550001"  # refused: number_unavailable
WAITS = "+14155550052"  # Telnyx never completes it

pytestmark = pytest.mark.django_db
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])
with_and_without_key = pytest.mark.parametrize("key", ["api:k", None])


@both
@with_and_without_key
def test_the_same_request_again_is_answered_without_asking_the_provider(
    key, provider, organization, assistant, sandbox
):
    request = {
        "assistant_id": assistant.pk,
        "friendly_name": "Front desk",
        "idempotency_key": key,
        "max_monthly_cost": Decimal("1.5"),
    }
    organization.monthly_limit = 50
    organization.save()
    first = buy(organization, provider, **request)
    sandbox.clear_requests()

    again = buy(organization, provider, **request)

    assert (first.replayed, again.replayed) == (False, True)
    assert again.purchase == first.purchase
    assert sandbox.requests() == []
    assert (Purchase.objects.count(), PhoneNumber.objects.count()) == (1, 1)


@with_and_without_key
def test_the_same_request_in_other_words_is_the_same(key, organization, sandbox):
    request = {"idempotency_key": key, "max_monthly_cost": Decimal("2")}
    organization.monthly_limit = 50
    organization.save()
    buy(organization, friendly_name="Front desk", **request)
    sandbox.clear_requests()

    again = {"idempotency_key": key, "max_monthly_cost": Decimal("2.00000")}
    became = word(lambda: buy(organization, "TWILIO", TWILIO_NUMBER, friendly_name=" Front desk ",
                              **again))  # fmt: skip

    assert became == "replayed"
    assert sandbox.requests() == []


OTHERS = {
    "number": {"phone_number": "+14155551235"},
    "provider": {"provider": "telnyx"},
    "assistant": {"assistant_id": None},
    "name": {"friendly_name": "Back door"},
    "no name": {"friendly_name": ""},
    "monthly cost": {"max_monthly_cost": Decimal("9")},
    "setup cost": {"max_setup_cost": Decimal("9")},
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("state", ["completed", "refused", "uncertain"])
def test_a_key_with_another_request_is_refused(state, other, organization, assistant, sandbox):
    number = {"completed": TWILIO_NUMBER, "refused": GONE, "uncertain": LOST}[state]
    request = {
        "provider": "twilio",
        "phone_number": number,
        "assistant_id": assistant.pk,
        "friendly_name": "Front desk",
        "idempotency_key": "api:k",
    }
    word(lambda: buy(organization, **request))
    purchase = Purchase.objects.get()
    assert purchase.state == state
    sandbox.clear_requests()

    with pytest.raises(IdempotencyKeyReused) as caught:
        buy(organization, **(request | OTHERS[other]))

    assert caught.value.code == "idempotency_key_reused"
    assert caught.value.facts["charged"] is False
    assert caught.value.purchase == purchase
    assert sandbox.requests() == []
    assert Purchase.objects.count() == 1


@pytest.mark.parametrize("other", [o for o in OTHERS if o not in ("number", "provider")])
@pytest.mark.parametrize("key", ["api:another", None])
def test_another_request_for_a_number_that_we_have_is_refused(
    key, other, organization, assistant, sandbox
):
    request = {"assistant_id": assistant.pk, "friendly_name": "Front desk"}
    first = buy(organization, idempotency_key="api:k", **request)
    sandbox.clear_requests()

    with pytest.raises(NumberAlreadyOwned) as caught:
        buy(organization, idempotency_key=key, **(request | OTHERS[other]))

    assert caught.value.code == "number_already_owned"
    assert (caught.value.facts["charged"], caught.value.purchase) == (False, first.purchase)
    assert sandbox.requests() == []
    assert (Purchase.objects.count(), PhoneNumber.objects.count()) == (1, 1)


@both
def test_a_refusal_is_replayed_for_its_key_for_ever(provider, organization, sandbox):
    request = {"phone_number": GONE, "idempotency_key": "api:k"}
    assert word(lambda: buy(organization, provider, **request)) == "number_unavailable"
    sandbox.clear_requests()

    with pytest.raises(PurchaseRefused) as caught:
        buy(organization, provider, **request)

    assert (caught.value.code, caught.value.replayed) == ("number_unavailable", True)
    assert sandbox.requests() == []
    assert Purchase.objects.count() == 1


def test_a_refusal_before_the_claim_is_replayed_for_its_key_too(sandbox):
    organization = make_organization("Poor", accounts=False)
    assert word(lambda: buy(organization, idempotency_key="api:k")) == "not_configured"

    with pytest.raises(PurchaseRefused) as caught:
        buy(organization, idempotency_key="api:k")

    assert (caught.value.code, caught.value.replayed) == ("not_configured", True)
    assert Purchase.objects.count() == 1


@both
@pytest.mark.parametrize("key", ["api:another", None])
def test_after_a_refusal_a_new_key_or_none_is_a_new_purchase(key, provider, organization, sandbox):
    sandbox.add_fault(method="POST", path=ORDERS[provider], status=429)
    assert word(lambda: buy(organization, provider, idempotency_key="api:k")) == "rate_limited"

    assert word(lambda: buy(organization, provider, idempotency_key=key)) == "completed"

    assert len(orders_sent(sandbox)) == 2
    states = Purchase.objects.order_by("claimed_at", "pk").values_list("state", flat=True)
    assert sorted(states) == ["completed", "refused"]


def test_a_key_still_answers_after_its_assistant_was_deleted(organization, assistant, sandbox):
    request = {"assistant_id": assistant.pk, "idempotency_key": "api:k"}
    buy(organization, **request)
    assistant.delete()
    sandbox.clear_requests()

    assert word(lambda: buy(organization, **request)) == "replayed"
    assert sandbox.requests() == []


@with_and_without_key
def test_a_repeat_is_compared_with_what_was_asked_not_with_what_became_of_it(
    key, organization, assistant, sandbox
):
    request = {"assistant_id": assistant.pk, "friendly_name": "Front desk", "idempotency_key": key}
    buy(organization, **request)
    other = make_assistant(organization, "Sales")
    PhoneNumber.objects.update(assistant=other, friendly_name="Sales")
    sandbox.clear_requests()

    assert word(lambda: buy(organization, **request)) == "replayed"
    renamed = request | {"assistant_id": other.pk, "friendly_name": "Sales"}
    expected = "idempotency_key_reused" if key else "number_already_owned"
    assert word(lambda: buy(organization, **renamed)) == expected
    assert sandbox.requests() == []


def released(sandbox, number: PhoneNumber) -> None:
    sandbox._state.remove_number(sandbox._state.numbers[number.phone_number])
    PhoneNumber.objects.filter(pk=number.pk).update(status="released", released_at=timezone.now())


def test_after_a_release_the_key_still_tells_of_its_purchase(organization, sandbox):
    first = buy(organization, idempotency_key="api:k")
    released(sandbox, first.purchase.number)
    sandbox.clear_requests()

    again = buy(organization, idempotency_key="api:k")

    assert (again.replayed, again.purchase) == (True, first.purchase)
    assert sandbox.requests() == []


def test_after_a_release_a_request_without_key_buys_again(organization, sandbox):
    first = buy(organization)
    released(sandbox, first.purchase.number)

    again = buy(organization)

    assert (again.replayed, again.purchase.state) == (False, "completed")
    assert again.purchase != first.purchase
    statuses = PhoneNumber.objects.order_by("pk").values_list("status", flat=True)
    assert list(statuses) == ["released", "active"]
    assert len(orders_sent(sandbox)) == 2


@pytest.mark.django_db(transaction=True)
@both
@with_and_without_key
def test_a_repeat_while_the_order_is_on_its_way_is_told_that_it_is_in_progress(
    key, provider, organization, sandbox, monkeypatch
):
    def again():
        requests = len(sandbox.requests())
        return word(lambda: buy(organization, provider, idempotency_key=key)), len(
            sandbox.requests()
        ) - requests

    seen = inside(monkeypatch, sandbox, again, path=ORDERS[provider])

    assert word(lambda: buy(organization, provider, idempotency_key=key)) == "completed"

    assert seen == [("purchase_in_progress", 0)]
    assert len(orders_sent(sandbox)) == 1


@pytest.mark.parametrize(
    ("state", "expected"), [("ordering", "purchase_in_progress"), ("uncertain", "outcome_unknown")]
)
def test_another_request_for_a_number_in_doubt_is_told_of_the_doubt(
    state, expected, organization, sandbox
):
    assert word(lambda: buy(organization, "twilio", LOST)) == "outcome_unknown"
    Purchase.objects.update(state=state)
    sandbox.clear_requests()

    assert word(lambda: buy(organization, "twilio", LOST, friendly_name="Sales")) == expected

    assert sandbox.requests() == []
    assert Purchase.objects.count() == 1


@both
@with_and_without_key
def test_a_repeat_of_an_uncertain_purchase_is_uncertain_until_it_is_settled(
    key, provider, organization, sandbox
):
    def request() -> str:
        return word(lambda: buy(organization, provider, LOST, idempotency_key=key))

    assert request() == "outcome_unknown"
    purchase = Purchase.objects.get()
    sandbox.clear_requests()

    assert request() == "outcome_unknown"
    assert sandbox.requests() == []

    settle(purchase)
    grow_older(purchase, first_empty_look_at=timedelta(minutes=5))
    settle(purchase)
    sandbox.clear_requests()
    if key:  # for the key, the refusal is the answer
        assert request() == "provider_error"
        assert sandbox.requests() == []
    assert Purchase.objects.count() == 1


@with_and_without_key
def test_a_repeat_of_a_pending_purchase_tells_its_present_state(key, organization, sandbox):
    request = {"phone_number": WAITS, "idempotency_key": key}
    assert word(lambda: buy(organization, "telnyx", **request)) == "pending"
    sandbox.clear_requests()

    again = buy(organization, "telnyx", **request)

    assert (again.replayed, again.purchase.state) == (True, "pending")
    assert sandbox.requests() == []


def test_a_request_for_a_number_that_is_being_released_is_refused(organization, sandbox):
    buy(organization)
    PhoneNumber.objects.update(status="releasing")
    sandbox.clear_requests()

    assert word(lambda: buy(organization)) == "number_already_owned"
    assert sandbox.requests() == []


@both
@pytest.mark.parametrize("state", ["active", "claimed"])
@with_and_without_key
def test_a_number_of_another_organization_is_unavailable_and_nothing_is_asked(
    key, state, provider, organization, other_organization, sandbox
):
    buy(other_organization, provider)
    PhoneNumber.objects.update(status=state)
    sandbox.clear_requests()

    with pytest.raises(PurchaseRefused) as caught:
        buy(organization, provider, idempotency_key=key)

    assert caught.value.code == "number_unavailable"
    assert sandbox.requests() == []
    refused = Purchase.objects.get(organization=organization)
    assert caught.value.purchase == refused
    assert (refused.state, refused.evidence, refused.account) == ("refused", "not_sent", None)
    assert PhoneNumber.objects.filter(organization=organization).count() == 0
    told = f"{caught.value.detail} {caught.value.facts}"
    assert "Globex" not in told and "globex" not in told


@both
def test_the_answer_about_a_strangers_number_is_the_provider_s_own_no(
    provider, organization, other_organization, client, sandbox
):
    buy(other_organization, provider)

    held = post(client, PURCHASE, {"provider": provider, "phone_number": NUMBERS[provider]})
    gone = post(client, PURCHASE, {"provider": provider, "phone_number": GONE})

    assert (held.status_code, gone.status_code) == (500, 500)
    told = ("detail", "code", "charged", "retryable", "hint")
    assert [held.json()[name] for name in told] == [gone.json()[name] for name in told]
    assert set(held.json()) == set(gone.json())


def test_a_key_belongs_to_its_organization(organization, other_organization, sandbox):
    first = buy(organization, idempotency_key="api:k")

    second = buy(other_organization, "twilio", "+14155551235", idempotency_key="api:k")

    assert (second.replayed, second.purchase.state) == (False, "completed")
    assert second.purchase != first.purchase


def test_what_is_refused_before_the_claim_by_our_own_rules_is_not_remembered(organization, sandbox):
    organization.number_limit = 0
    organization.save()
    request = {"idempotency_key": "api:k"}
    assert word(lambda: buy(organization, **request)) == "spending_limit_exceeded"
    assert Purchase.objects.count() == 0
    organization.number_limit = 1
    organization.save()

    assert word(lambda: buy(organization, **request)) == "completed"
