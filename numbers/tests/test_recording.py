"""After the order left: number, purchase and audit are written together, or it is not known yet."""

from datetime import timedelta
from decimal import Decimal

import pytest

from burki.testing import TELNYX_NUMBER, TWILIO_NUMBER, orders_sent, post
from numbers.models import PhoneNumber, Purchase
from numbers.services.spending import committed
from numbers.tests.money import (
    ORDERS,
    at_event,
    buy,
    failing_writes,
    grow_older,
    history,
    inside,
    settle,
    settle_jobs,
    suspend,
    word,
)
from organizations.models import AuditEvent

PURCHASE = "/phone-numbers/purchase"
# Every row that the record of a bought number writes.
RECORDED = [
    ("numbers_purchase", "UPDATE", "TRUE"),
    ("numbers_phonenumber", "UPDATE", "TRUE"),
    ("organizations_auditevent", "INSERT", "NEW.action = 'purchase.completed'"),
]

pytestmark = pytest.mark.django_db
transactional = pytest.mark.django_db(transaction=True)
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])


@both
def test_a_bought_number_is_recorded_in_number_purchase_and_audit(
    provider, organization, assistant, sandbox
):
    buy(organization, provider, assistant_id=assistant.pk, friendly_name="Front desk")

    (owned,) = sandbox.owned()
    purchase, number = Purchase.objects.get(), PhoneNumber.objects.get()
    assert (purchase.state, purchase.number) == ("completed", number)
    assert (purchase.next_look_at, purchase.refusal_code, purchase.evidence) == (None, "", "")
    assert purchase.provider_number_id == number.provider_number_id == owned["id"]
    assert (number.status, number.assistant) == ("active", assistant)
    assert (number.friendly_name, number.purchased_at) == ("Front desk", purchase.claimed_at)
    assert history(purchase) == ["purchase.claimed", "purchase.completed"]


@transactional
@pytest.mark.parametrize(("table", "operation", "when"), RECORDED)
def test_a_record_that_fails_is_not_known_yet_and_leaves_a_settle_job(
    table, operation, when, organization, client, sandbox, monkeypatch
):
    """It tries until the request's time is over, of which not much is left."""
    nearly_over = at_event("purchase.answered", lambda: suspend(monkeypatch, 23))
    with failing_writes(table, operation, times=1000, when=when), nearly_over:
        response = post(client, PURCHASE, {"provider": "twilio", "phone_number": TWILIO_NUMBER})

    assert response.status_code == 504
    assert (response.json()["code"], response.json()["charged"]) == ("outcome_unknown", None)
    purchase, number = Purchase.objects.get(), PhoneNumber.objects.get()
    assert (purchase.state, purchase.provider_number_id) == ("ordering", "")
    assert (number.status, number.provider_number_id) == ("claimed", "")
    assert history(purchase) == ["purchase.claimed"]
    assert len(settle_jobs(purchase)) == 1
    assert len(orders_sent(sandbox)) == 1

    grow_older(purchase, claimed_at=timedelta(minutes=2))
    assert settle(purchase).state == "completed"
    assert PhoneNumber.objects.get().status == "active"
    assert len(orders_sent(sandbox)) == 1


@transactional
@pytest.mark.parametrize(("table", "operation", "when"), RECORDED)
def test_a_record_is_tried_again_while_the_database_fails(
    table, operation, when, organization, sandbox
):
    with failing_writes(table, operation, times=2, when=when):
        bought = buy(organization, "telnyx")

    assert (bought.purchase.state, bought.replayed) == ("completed", False)
    purchase = Purchase.objects.get()
    assert (purchase.state, PhoneNumber.objects.get().status) == ("completed", "active")
    assert history(purchase) == ["purchase.claimed", "purchase.completed"]
    assert len(orders_sent(sandbox)) == 1


@transactional
@pytest.mark.parametrize(
    ("table", "operation", "when"),
    [
        ("numbers_purchase", "UPDATE", "TRUE"),
        ("organizations_auditevent", "INSERT", "NEW.action = 'purchase.refused'"),
    ],
)
def test_a_refusal_is_recorded_although_the_database_failed_at_first(
    table, operation, when, organization, sandbox
):
    with failing_writes(table, operation, times=2, when=when):
        became = word(lambda: buy(organization, "twilio", "+14155550001"))

    assert became == "number_unavailable"
    assert Purchase.objects.get().state == "refused"
    assert PhoneNumber.objects.count() == 0
    assert len(orders_sent(sandbox)) == 1


@transactional
def test_a_doubt_is_recorded_although_the_database_failed_at_first(organization, sandbox):
    when = "NEW.action = 'purchase.uncertain'"

    with failing_writes("organizations_auditevent", "INSERT", times=2, when=when):
        became = word(lambda: buy(organization, "twilio", "+14155550011"))

    assert became == "outcome_unknown"
    purchase = Purchase.objects.get()
    assert (purchase.state, len(purchase.looks)) == ("uncertain", 1)
    assert history(purchase) == ["purchase.claimed", "purchase.uncertain"]
    assert len(orders_sent(sandbox)) == 1


@pytest.mark.parametrize("event", ["purchase.claimed", "purchase.sending", "purchase.answered"])
@both
def test_an_assistant_deleted_meanwhile_leaves_a_bought_unassigned_number(
    event, provider, organization, assistant, sandbox
):
    with at_event(event, assistant.delete):
        bought = buy(organization, provider, assistant_id=assistant.pk)

    assert bought.purchase.state == "completed"
    number = PhoneNumber.objects.get()
    assert (number.status, number.assistant) == ("active", None)
    note = AuditEvent.objects.get(action="purchase.completed").data["note"]
    assert note == "the assistant was deleted meanwhile: the number is unassigned"


def test_text_from_twilio_is_cleaned_and_cut_before_it_is_recorded(organization, sandbox):
    spoilt = "Sup\0port" + "x" * 5000
    answer = {
        "sid": "PN" + "0" * 32,
        "phone_number": TWILIO_NUMBER,
        "friendly_name": spoilt,
        "status": spoilt,
        "voice_url": "https://burki.test/" + spoilt,
        "sms_url": "https://burki.test/" + spoilt,
        "capabilities": {"voice": True, "SMS": True, spoilt: True},
    }
    sandbox.add_fault(method="POST", path="IncomingPhoneNumbers", body=answer, status=201)

    bought = buy(organization)

    assert bought.purchase.state == "completed"
    purchase, number = Purchase.objects.get(), PhoneNumber.objects.get()
    assert (purchase.provider_number_id, number.provider_number_id) == (answer["sid"],) * 2
    assert number.capabilities == {"voice": True, "sms": True, "mms": False, "fax": False}
    told = [purchase.provider_status, *purchase.details.values()]
    assert not [text for text in told if "\0" in str(text)]
    assert max(len(str(text)) for text in told) <= 500


def test_text_from_telnyx_is_cleaned_and_cut_before_it_is_recorded(organization, sandbox):
    spoilt = "odd\0word" + "x" * 5000
    order = {
        "id": "0f9c2d30-0000-4000-8000-000000000000",
        "status": spoilt,
        "phone_numbers": [{"phone_number": TELNYX_NUMBER, "status": spoilt}],
    }
    sandbox.add_fault(path="number_orders", body={"data": order}, times=None)

    bought = buy(organization, "telnyx")

    assert bought.purchase.state == "pending"  # an unknown word
    purchase = Purchase.objects.get()
    assert purchase.order_id == order["id"]
    assert (len(purchase.provider_status), "\0" in purchase.provider_status) == (64, False)


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("twilio", {"code": 20404, "message": "No\0 such" + "x" * 5000}),
        ("telnyx", {"errors": [{"code": "9\0" + "9" * 5000, "detail": "No\0 such" * 999}]}),
    ],
)
def test_a_refusal_in_spoilt_text_is_a_recorded_refusal(provider, body, organization, sandbox):
    sandbox.add_fault(method="POST", path=ORDERS[provider], status=404, body=body)

    assert word(lambda: buy(organization, provider)) == "provider_error"

    purchase = Purchase.objects.get()
    assert (purchase.state, purchase.evidence) == ("refused", "provider_said_no")
    assert "\0" not in purchase.provider_message + purchase.provider_code
    assert len(purchase.provider_message) <= 500
    assert len(purchase.provider_code) <= 40
    assert PhoneNumber.objects.count() == 0


@transactional
@both
def test_losing_the_race_to_a_settling_answers_what_it_recorded(
    provider, organization, sandbox, monkeypatch
):

    def settle_first():
        purchase = Purchase.objects.get()
        grow_older(purchase, claimed_at=timedelta(minutes=2))
        return settle(purchase).state

    seen = inside(monkeypatch, sandbox, settle_first, path=ORDERS[provider], after=True)

    bought = buy(organization, provider)

    assert seen == ["completed"]
    assert bought.purchase.state == "completed"
    purchase = Purchase.objects.get()
    assert history(purchase) == ["purchase.claimed", "purchase.uncertain", "purchase.completed"]
    assert PhoneNumber.objects.get().status == "active"
    assert len(orders_sent(sandbox)) == 1


@transactional
def test_losing_the_race_to_a_doubt_answers_that_it_is_not_known_yet(
    organization, sandbox, monkeypatch
):
    def doubt():
        purchase = Purchase.objects.get()
        grow_older(purchase, claimed_at=timedelta(minutes=2))
        return settle(purchase).state

    seen = inside(monkeypatch, sandbox, doubt, path=ORDERS["twilio"])

    became = word(lambda: buy(organization))

    assert (seen, became) == (["uncertain"], "outcome_unknown")
    assert Purchase.objects.get().state == "uncertain"
    assert settle(Purchase.objects.get()).state == "completed"
    assert len(orders_sent(sandbox)) == 1


@both
def test_a_refusal_frees_the_number_and_the_money_and_keeps_the_story(
    provider, organization, sandbox
):
    number = "+14155550003"

    assert word(lambda: buy(organization, provider, number)) == "insufficient_balance"

    purchase = Purchase.objects.get()
    assert (purchase.state, purchase.number, purchase.evidence) == (
        "refused",
        None,
        "provider_said_no",
    )
    assert (purchase.provider_code, purchase.charged) == (
        {"twilio": "20005", "telnyx": "20100"}[provider],
        False,
    )
    assert purchase.provider_message != ""
    assert history(purchase) == ["purchase.claimed", "purchase.refused"]
    assert PhoneNumber.objects.count() == 0
    assert committed(organization) == Decimal(0)
    assert len(orders_sent(sandbox)) == 1
