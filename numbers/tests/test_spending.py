"""Limits of money and of count: reserved by the claim, freed with a refusal, told truthfully."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.utils import timezone as django_timezone

from burki.testing import SYSTEM, TWILIO_NUMBER, make_organization, orders_sent, post
from numbers.exceptions import PriceChanged, PriceUnknown, SpendingLimitExceeded
from numbers.models import PhoneNumber, Purchase
from numbers.services.spending import committed, month_start
from numbers.tests.money import buy, grow_older, settle, word
from organizations.models import AuditEvent, Organization
from organizations.services import create_organization

PURCHASE = "/phone-numbers/purchase"
CHEAP = "+14155555670"  # at Telnyx 1.00 a month
WITH_FEE = "+14155555677"  # at Telnyx 1.00 a month and 1.00 once
DEAR = "+14155550061"  # at Telnyx 25.00 a month and 5.00 once
UNPRICED = "+14155550060"  # Telnyx offers it without a price
IN_EUROS = "+14155550062"  # at Telnyx 1.00 EUR a month
GONE = "+14155550001"  # refused by the provider
LOST = "+14155550011"  # the answer is lost; it was not bought

pytestmark = pytest.mark.django_db


def limit(organization, amount=None, **over) -> None:
    organization.monthly_limit = amount and Decimal(amount)
    for field, value in over.items():
        setattr(organization, field, value)
    organization.save()


def refused(sandbox, organization, error, *request, **over) -> dict:
    """The purchase is refused by our own rules, and nothing is left of it, here or there."""
    before = (Purchase.objects.count(), PhoneNumber.objects.count(), AuditEvent.objects.count())
    orders, owned = len(orders_sent(sandbox)), len(sandbox.owned())
    spent = committed(organization)
    with pytest.raises(error) as caught:
        buy(organization, *request, **over)
    after = (Purchase.objects.count(), PhoneNumber.objects.count(), AuditEvent.objects.count())
    assert after == before
    assert (len(orders_sent(sandbox)), len(sandbox.owned())) == (orders, owned)
    assert committed(organization) == spent
    assert caught.value.facts["charged"] is False
    return caught.value.facts


@pytest.mark.parametrize(
    ("provider", "number", "cost"),
    [
        ("telnyx", CHEAP, "1.00"),
        ("telnyx", WITH_FEE, "2.00"),
        ("telnyx", DEAR, "30.00"),
        ("twilio", TWILIO_NUMBER, "1.15"),
        ("twilio", "+18005551234", "2.15"),
    ],
)
def test_a_purchase_may_reach_the_monthly_limit_but_not_exceed_it(
    provider, number, cost, organization, sandbox
):
    limit(organization, Decimal(cost) - Decimal("0.01"))
    refused(sandbox, organization, SpendingLimitExceeded, provider, number)

    limit(organization, cost)
    assert word(lambda: buy(organization, provider, number)) == "completed"

    assert committed(organization) == Decimal(cost)
    assert len(orders_sent(sandbox)) == 1


def test_the_numbers_of_both_providers_count_together(organization, sandbox):
    limit(organization, "3.29")
    buy(organization, "twilio", "+14155551230")
    buy(organization, "telnyx", CHEAP)
    assert committed(organization) == Decimal("2.15")

    refused(sandbox, organization, SpendingLimitExceeded, "twilio", "+14155551231")
    refused(sandbox, organization, SpendingLimitExceeded, "telnyx", WITH_FEE)
    assert word(lambda: buy(organization, "telnyx", "+14155555671")) == "completed"


def test_the_spending_of_another_organization_does_not_count(
    organization, other_organization, sandbox
):
    limit(organization, "1.00")
    buy(other_organization, "telnyx", CHEAP)

    assert word(lambda: buy(organization, "telnyx", "+14155555671")) == "completed"


def test_the_answer_of_the_api_is_402(organization, client, sandbox):
    limit(organization, "0.99")

    response = post(client, PURCHASE, {"provider": "telnyx", "phone_number": CHEAP})

    assert (response.status_code, response.json()["code"]) == (402, "spending_limit_exceeded")
    assert response.json()["charged"] is False
    assert orders_sent(sandbox) == []


@pytest.mark.parametrize("status", ["claimed", "pending", "active", "releasing"])
def test_the_count_limit_counts_every_number_that_is_not_released(status, organization, sandbox):
    limit(organization, number_limit=1)
    buy(organization, "telnyx", CHEAP)
    PhoneNumber.objects.update(status=status)

    refused(sandbox, organization, SpendingLimitExceeded, "telnyx", "+14155555671")

    PhoneNumber.objects.update(status="released", released_at=django_timezone.now())
    assert word(lambda: buy(organization, "telnyx", "+14155555671")) == "completed"


def test_a_limit_of_no_numbers_sells_none(organization, sandbox):
    limit(organization, number_limit=0)

    refused(sandbox, organization, SpendingLimitExceeded)


@pytest.mark.parametrize(
    ("most", "error"),
    [
        ({"max_monthly_cost": "24.99"}, PriceChanged),
        ({"max_setup_cost": "4.99"}, PriceChanged),
        ({"max_monthly_cost": "25.00", "max_setup_cost": "0"}, PriceChanged),
        ({"max_monthly_cost": "25.00"}, None),
        ({"max_setup_cost": "5.00"}, None),
        ({"max_monthly_cost": "25.00", "max_setup_cost": "5.00"}, None),
    ],
)
def test_a_number_that_costs_more_than_allowed_is_not_bought(most, error, organization, sandbox):
    most = {name: Decimal(amount) for name, amount in most.items()}

    if error is None:
        assert word(lambda: buy(organization, "telnyx", DEAR, **most)) == "completed"
    else:
        facts = refused(sandbox, organization, error, "telnyx", DEAR, **most)
        told = (facts["monthly_cost"], facts["setup_cost"], facts["currency"])
        assert told == ("25.00", "5.00", "USD")


def test_a_changed_price_and_an_unknown_one_are_409(client, sandbox):
    dear = {"provider": "telnyx", "phone_number": DEAR, "max_monthly_cost": "24.99"}
    unpriced = {"provider": "telnyx", "phone_number": UNPRICED, "max_setup_cost": "24.99"}

    changed, unknown = post(client, PURCHASE, dear), post(client, PURCHASE, unpriced)

    assert (changed.status_code, changed.json()["code"]) == (409, "price_changed")
    assert (unknown.status_code, unknown.json()["code"]) == (409, "price_unknown")
    assert orders_sent(sandbox) == []


@pytest.mark.parametrize("most", ["max_monthly_cost", "max_setup_cost"])
def test_a_price_that_must_be_known_and_is_not_buys_nothing(most, organization, sandbox):
    allowed = {most: Decimal("100")}

    refused(sandbox, organization, PriceUnknown, "telnyx", UNPRICED, **allowed)
    sandbox.add_fault(path="/v1/PhoneNumbers", status=503, times=None)
    refused(sandbox, organization, PriceUnknown, "twilio", TWILIO_NUMBER, **allowed)


@pytest.mark.parametrize("number", [UNPRICED, IN_EUROS])
def test_with_a_limit_a_price_that_is_unknown_or_in_another_currency_buys_nothing(
    number, organization, sandbox
):
    limit(organization, "1000")

    refused(sandbox, organization, PriceUnknown, "telnyx", number)

    limit(organization, None)
    assert word(lambda: buy(organization, "telnyx", number)) == "completed"


def test_a_limit_in_the_currency_of_the_price_counts(organization, sandbox):
    limit(organization, "0.99", limit_currency="EUR")
    refused(sandbox, organization, SpendingLimitExceeded, "telnyx", IN_EUROS)
    refused(sandbox, organization, PriceUnknown, "telnyx", CHEAP)

    limit(organization, "1.00", limit_currency="EUR")
    assert word(lambda: buy(organization, "telnyx", IN_EUROS)) == "completed"


def test_a_price_list_that_cannot_be_read_is_asked_again_next_time(organization, sandbox):
    limit(organization, "1000")
    sandbox.add_fault(path="/v1/PhoneNumbers", status=500)
    refused(sandbox, organization, PriceUnknown)

    assert word(lambda: buy(organization)) == "completed"
    assert committed(organization) == Decimal("1.15")


def last_month() -> timedelta:
    return django_timezone.now() - month_start(django_timezone.now()) + timedelta(seconds=1)


def test_a_number_released_this_month_still_counts_and_one_of_last_month_does_not(
    organization, sandbox
):
    limit(organization, "1.99")
    number = buy(organization, "telnyx", CHEAP).purchase.number
    now = django_timezone.now()
    PhoneNumber.objects.update(status="released", released_at=month_start(now))
    assert committed(organization) == 1
    refused(sandbox, organization, SpendingLimitExceeded, "telnyx", "+14155555671")

    PhoneNumber.objects.update(released_at=now - last_month())

    assert committed(organization) == 0
    assert word(lambda: buy(organization, "telnyx", "+14155555671")) == "completed"
    assert number.monthly_cost == 1


def test_a_number_of_last_month_costs_its_month_but_not_its_set_up_fee_again(organization, sandbox):
    purchase = buy(organization, "telnyx", DEAR).purchase
    assert committed(organization) == 30

    grow_older(purchase, claimed_at=last_month())

    assert committed(organization) == 25
    limit(organization, "26.00")
    assert word(lambda: buy(organization, "telnyx", CHEAP)) == "completed"


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_a_refusal_frees_what_it_reserved(provider, organization, sandbox):
    limit(organization, "1.15")
    assert word(lambda: buy(organization, provider, GONE)) == "number_unavailable"
    assert committed(organization) == 0

    assert word(lambda: buy(organization, provider)) == "completed"


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_a_purchase_in_doubt_stays_reserved_until_it_is_refused(provider, organization, sandbox):
    limit(organization, "1.15")
    assert word(lambda: buy(organization, provider, LOST)) == "outcome_unknown"
    assert committed(organization) == {"twilio": Decimal("1.15"), "telnyx": 1}[provider]
    refused(sandbox, organization, SpendingLimitExceeded, provider)

    purchase = Purchase.objects.get()
    settle(purchase)
    grow_older(purchase, first_empty_look_at=timedelta(minutes=5))
    assert settle(purchase).state == "refused"

    assert committed(organization) == 0
    assert word(lambda: buy(organization, provider)) == "completed"


def test_a_refused_set_up_fee_does_not_count(organization, sandbox):
    sandbox.add_fault(method="POST", path="/number_orders", status=429)
    assert word(lambda: buy(organization, "telnyx", DEAR)) == "rate_limited"
    assert Purchase.objects.get().setup_cost == 5

    assert committed(organization) == 0


def test_a_set_up_fee_in_doubt_is_reserved_as_well(organization, sandbox):
    sandbox.add_fault(method="POST", path="/number_orders", action="drop")
    assert word(lambda: buy(organization, "telnyx", DEAR)) == "outcome_unknown"

    assert committed(organization) == 30


def test_a_lowered_limit_only_stops_new_claims(organization, sandbox):
    limit(organization, "1.00")
    buy(organization, "telnyx", CHEAP, idempotency_key="api:k")
    limit(organization, "0.10", number_limit=0)

    repeat = word(lambda: buy(organization, "telnyx", CHEAP, idempotency_key="api:k"))
    assert repeat == word(lambda: buy(organization, "telnyx", CHEAP)) == "replayed"
    refused(sandbox, organization, SpendingLimitExceeded, "telnyx", "+14155555671")


def test_a_new_organization_gets_the_default_limit_and_an_old_one_keeps_its_own(sandbox, settings):
    settings.DEFAULT_MONTHLY_LIMIT = None
    unlimited = make_organization("Before")
    settings.DEFAULT_MONTHLY_LIMIT = Decimal("0.50")
    limited = make_organization("After")
    call_command("create_organization", "By command")

    refused(sandbox, limited, SpendingLimitExceeded)
    assert limited.monthly_limit == Decimal("0.50")
    assert Organization.objects.get(name="By command").monthly_limit == Decimal("0.50")
    assert create_organization(actor=SYSTEM, name="Third").monthly_limit == Decimal("0.50")
    assert unlimited.monthly_limit is None
    assert word(lambda: buy(unlimited)) == "completed"


def test_a_month_is_a_calendar_month_in_utc():
    new_year_in_sydney = datetime(2027, 1, 1, 9, tzinfo=timezone(timedelta(hours=11)))

    assert month_start(new_year_in_sydney) == datetime(2026, 12, 1, tzinfo=UTC)
    assert month_start(datetime(2027, 1, 1, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)
