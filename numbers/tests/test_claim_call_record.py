"""Before the order leaves: what is committed, what is not held, and what stops it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from burki.testing import SYSTEM, TWILIO_NUMBER, make_client, orders_sent, post
from numbers import clocks
from numbers.api import views
from numbers.clocks import Deadline
from numbers.models import PhoneNumber, Purchase
from numbers.providers.registry import driver_for
from numbers.services.accounts import credentials_of
from numbers.services.search import clean_criteria, search_numbers
from numbers.services.spending import committed
from numbers.tests.money import (
    NUMBERS,
    ORDERS,
    at_event,
    buy,
    failing_writes,
    grow_older,
    held_connections,
    history,
    inside,
    settle,
    settle_jobs,
    suspend,
    word,
)
from organizations.models import AuditEvent, ProviderAccount

PURCHASE = "/phone-numbers/purchase"
PRICE = {"twilio": Decimal("1.15"), "telnyx": Decimal("1.00")}

pytestmark = pytest.mark.django_db
transactional = pytest.mark.django_db(transaction=True)
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])


@pytest.fixture(autouse=True)
def _settling_takes_as_long_as_in_production(settings):
    """Tests move the past instead."""
    settings.SETTLE_CLOCK_SCALE = 1


@transactional
@both
def test_the_claim_is_committed_before_the_provider_receives_the_order(
    provider, organization, assistant, sandbox, monkeypatch
):
    organization.monthly_limit = 100  # so that the price of a Twilio number is known as well
    organization.save()

    def look():
        purchase, number = Purchase.objects.get(), PhoneNumber.objects.get()
        (job,) = settle_jobs(purchase)
        return {
            "purchase": (purchase.state, purchase.number_id == number.pk),
            "number": (number.status, number.phone_number, number.assistant_id),
            "look": (purchase.next_look_at - purchase.claimed_at).total_seconds(),
            "job": (job.queue_name, job.status),
            "job late": abs((job.scheduled_at - purchase.next_look_at).total_seconds()) < 0.5,
            "audit": history(purchase),
            "reserved": committed(organization),
        }

    seen = inside(monkeypatch, sandbox, look, path=ORDERS[provider])

    bought = buy(organization, provider, assistant_id=assistant.pk)

    assert bought.purchase.state == "completed"
    assert seen == [
        {
            "purchase": ("ordering", True),
            "number": ("claimed", NUMBERS[provider], assistant.pk),
            "look": 120,
            "job": ("settle", "todo"),
            "job late": True,
            "audit": ["purchase.claimed"],
            "reserved": PRICE[provider],
        }
    ]


@transactional
@both
def test_no_connection_and_no_transaction_is_held_while_the_provider_is_asked(
    provider, organization, sandbox, monkeypatch
):
    def look():
        held = held_connections() - others
        with connection.cursor() as cursor:  # borrows one, after the count
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
                " AND datname = current_database()"
                " AND pid <> pg_backend_pid() AND (xact_start IS NOT NULL OR state <> 'idle')"
            )
            (busy,) = cursor.fetchone()
        return held, busy

    connection.close()
    others = held_connections()
    asked = inside(monkeypatch, sandbox, look, method="GET", times=50)
    ordered = inside(monkeypatch, sandbox, look, path=ORDERS[provider])

    buy(organization, provider)

    assert ordered == [(0, 0)]
    assert asked == [(0, 0)] * len(asked)
    assert len(asked) >= 1


@transactional
@both
def test_a_purchase_by_the_api_has_a_turn_but_not_while_the_provider_is_asked(
    provider, organization, sandbox, monkeypatch
):
    turns = views._PURCHASES
    client = make_client(organization)
    connection.close()
    others = held_connections()
    asked = inside(monkeypatch, sandbox, lambda: turns.free, method="GET", times=50)
    ordered = inside(monkeypatch, sandbox, lambda: turns.free, path=ORDERS[provider])
    ours: list[int] = []

    with (
        at_event("purchase.claimed", lambda: ours.append(turns.free)),
        at_event("purchase.recorded", lambda: ours.append(turns.free)),
    ):
        body = {"provider": provider, "phone_number": NUMBERS[provider]}
        assert post(client, PURCHASE, body).status_code == 200

    assert ours == [0, 0]
    assert ordered == [1]
    assert asked == [1] * len(asked) and len(asked) >= 1
    assert turns.free == 1
    assert held_connections() == others


@transactional
def test_a_search_for_another_number_holds_no_turn(organization, sandbox, monkeypatch):
    turns = views._PURCHASES
    asked = inside(monkeypatch, sandbox, lambda: turns.free, method="GET", times=50)
    body = {
        "provider": "twilio",
        "phone_number": "+14155550001",  # somebody else has bought it
        "fallback": {"same_area_code": True},
    }

    bought = post(make_client(organization), PURCHASE, body, HTTP_IDEMPOTENCY_KEY="k")

    assert bought.status_code == 200
    assert asked == [1] * len(asked) and len(asked) >= 2


@transactional
def test_no_connection_is_held_while_a_search_waits_for_a_provider(
    organization, sandbox, monkeypatch
):
    def look():
        return held_connections() - others

    connection.close()
    others = held_connections()
    seen = inside(monkeypatch, sandbox, look, method="GET", path="/available_phone_numbers")

    search_numbers(
        actor=SYSTEM, organization=organization, provider="telnyx", criteria=clean_criteria()
    )

    assert seen == [0]


def test_a_driver_refuses_to_be_used_inside_a_transaction(organization, sandbox):
    account = ProviderAccount.objects.get(organization=organization, provider="twilio")
    driver = driver_for(credentials_of(account), Deadline.after(clocks.REQUEST))

    with pytest.raises(RuntimeError, match="inside a database transaction"), transaction.atomic():
        driver.find_number(TWILIO_NUMBER)

    assert sandbox.requests() == []


def test_a_purchase_inside_a_transaction_is_refused_by_the_claim(organization, sandbox):
    search_numbers(
        actor=SYSTEM,
        organization=organization,
        provider="twilio",
        criteria=clean_criteria(contains=TWILIO_NUMBER),
    )

    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        buy(organization)

    assert orders_sent(sandbox) == []
    assert Purchase.objects.count() == PhoneNumber.objects.count() == 0


@transactional
@pytest.mark.parametrize(
    ("table", "operation"),
    [
        ("numbers_phonenumber", "INSERT"),
        ("numbers_purchase", "INSERT"),
        ("procrastinate_jobs", "INSERT"),
        ("organizations_auditevent", "INSERT"),
    ],
)
def test_a_claim_that_is_not_committed_whole_sends_nothing(
    table, operation, organization, client, sandbox
):
    body = {"provider": "twilio", "phone_number": TWILIO_NUMBER}

    with failing_writes(table, operation, times=1):
        response = post(client, PURCHASE, body)

    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert response.json()["code"] == "unavailable"
    assert response.json().get("charged", "not told") is False
    assert orders_sent(sandbox) == []
    assert Purchase.objects.count() == PhoneNumber.objects.count() == 0
    assert AuditEvent.objects.filter(action__startswith="purchase.").count() == 0


@both
def test_an_order_is_not_sent_more_than_ten_seconds_after_the_claim(
    provider, organization, sandbox, monkeypatch
):
    body = {"provider": provider, "phone_number": NUMBERS[provider]}
    client = make_client(organization)

    with at_event("purchase.claimed", lambda: suspend(monkeypatch, 10.1)):
        response = post(client, PURCHASE, body)

    assert response.status_code == 503
    answer = response.json()
    assert (answer["code"], answer["charged"], answer["retryable"]) == ("unavailable", False, True)
    assert orders_sent(sandbox) == []
    purchase = Purchase.objects.get()
    assert (purchase.state, purchase.refusal_code) == ("refused", "unavailable")
    assert purchase.evidence == "not_sent"
    assert PhoneNumber.objects.count() == 0
    assert committed(organization) == 0
    assert response.get("Retry-After") == "5"
    assert "new Idempotency-Key" in answer["hint"]


def test_an_order_is_sent_less_than_ten_seconds_after_the_claim(organization, sandbox, monkeypatch):
    with at_event("purchase.claimed", lambda: suspend(monkeypatch, 8)):
        bought = buy(organization)

    assert bought.purchase.state == "completed"
    assert len(orders_sent(sandbox)) == 1


def test_the_second_order_that_a_refusal_allows_is_not_sent_late_either(
    organization, sandbox, monkeypatch
):
    number = "+14155550042"  # the first order is refused with 85000
    inside(monkeypatch, sandbox, lambda: suspend(monkeypatch, 10.1), path=ORDERS["telnyx"])

    assert word(lambda: buy(organization, "telnyx", number)) == "unavailable"

    assert len(orders_sent(sandbox)) == 1
    assert Purchase.objects.get().state == "refused"
    assert sandbox.owned() == []


@both
@pytest.mark.parametrize(("event", "orders"), [("purchase.claimed", 0), ("purchase.answered", 1)])
def test_a_process_that_dies_leaves_a_claim_that_is_settled_without_another_order(
    provider, event, orders, organization, sandbox
):
    def die():
        raise SystemExit

    with at_event(event, die), pytest.raises(SystemExit):
        buy(organization, provider)

    purchase = Purchase.objects.get()
    assert (purchase.state, PhoneNumber.objects.get().status) == ("ordering", "claimed")
    assert len(settle_jobs(purchase)) == 1
    assert len(orders_sent(sandbox)) == orders

    # Too early: the process might still be at work.
    assert settle(purchase).state == "ordering"
    grow_older(purchase, claimed_at=timedelta(seconds=120))
    settled = settle(purchase)

    assert settled.state == ("completed" if orders else "uncertain")
    assert PhoneNumber.objects.get().status == ("active" if orders else "claimed")
    assert len(orders_sent(sandbox)) == orders
