"""States of a purchase move along one table, by compare-and-swap; late truth beats inference."""

from datetime import timedelta

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.testing import make_organization, orders_sent
from numbers.exceptions import LostRace, PurchaseRefused
from numbers.models import PhoneNumber, Purchase
from numbers.services.requests import Fallback
from numbers.services.spending import committed
from numbers.tests.money import ORDERS, buy, grow_older, history, settle, settle_jobs, word
from organizations.models import AuditEvent

STATES = ("ordering", "completed", "pending", "refused", "uncertain")
ALLOWED = {
    ("ordering", "completed"),
    ("ordering", "pending"),
    ("ordering", "refused"),
    ("ordering", "uncertain"),
    ("pending", "completed"),
    ("pending", "refused"),
    ("uncertain", "completed"),
    ("uncertain", "pending"),
    ("uncertain", "refused"),
    ("refused", "completed"),  # only when the refusal was inferred
    ("refused", "pending"),
}
# Never reaches the provider: the connection is closed without an answer.
LOST = "+14155550011"

pytestmark = pytest.mark.django_db
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])


@pytest.fixture(autouse=True)
def _settling_takes_as_long_as_in_production(settings):
    """Tests move the past instead."""
    settings.SETTLE_CLOCK_SCALE = 1


def make_purchase(organization, state: str, evidence: str = "", **over) -> Purchase:
    fields = {"provider": "twilio", "phone_number": LOST, "actor_label": "test"}
    return Purchase.objects.create(
        organization=organization, state=state, evidence=evidence, **(fields | over)
    )


def inferred_refusal(organization, provider: str, number: str = LOST, **over) -> Purchase:
    """A purchase whose answer was lost, and that three looks over five minutes did not find."""
    assert word(lambda: buy(organization, provider, number, **over)) == "outcome_unknown"
    purchase = Purchase.objects.get(phone_number=number, organization=organization)
    settle(purchase)
    grow_older(purchase, first_empty_look_at=timedelta(minutes=5))
    purchase = settle(purchase)
    assert (purchase.state, purchase.evidence) == ("refused", "not_found")
    return purchase


def arrive_late(sandbox, purchase: Purchase) -> None:
    """The order was carried out after all."""
    tag = f"https://burki.test/twilio-status?purchase={purchase.pk}"
    twilio = {"status_callback": tag, "sms_url": "https://burki.test/twiml"}
    telnyx = {"customer_reference": str(purchase.pk)}
    asked = sandbox.requests(method="POST", provider=purchase.provider)
    sandbox.own(
        provider=purchase.provider,
        account=asked[-1].account,
        phone_number=purchase.phone_number,
        **(twilio if purchase.provider == "twilio" else telnyx),
    )


@pytest.mark.parametrize("new", STATES)
@pytest.mark.parametrize("old", STATES)
def test_a_purchase_moves_along_the_table_and_no_other_way(old, new, organization):
    evidence = "not_found" if old == "refused" else ""
    purchase = make_purchase(organization, old, evidence)

    if (old, new) in ALLOWED:
        purchase.move_to(new, provider_status="word")
    else:
        with pytest.raises(ValueError, match=f"never goes from {old} to {new}"):
            purchase.move_to(new, provider_status="word")

    stored = Purchase.objects.get()
    moved = (old, new) in ALLOWED
    assert stored.state == purchase.state == (new if moved else old)
    assert stored.provider_status == ("word" if moved else "")
    assert (stored.recorded_at is not None) is moved


@pytest.mark.parametrize("new", ["completed", "pending"])
@pytest.mark.parametrize("evidence", ["provider_said_no", "not_sent", ""])
def test_only_an_inferred_refusal_can_turn_out_to_be_a_purchase(evidence, new, organization):
    purchase = make_purchase(organization, "refused", evidence)

    with pytest.raises(LostRace):
        purchase.move_to(new)

    assert Purchase.objects.get().state == "refused"


def test_a_move_from_a_state_that_is_gone_changes_nothing(organization):
    purchase = make_purchase(organization, "ordering")
    faster = Purchase.objects.get()
    faster.move_to("refused", refusal_code="number_unavailable")

    with pytest.raises(LostRace):
        purchase.move_to("completed", refusal_code="")

    stored = Purchase.objects.get()
    assert (stored.state, stored.refusal_code) == ("refused", "number_unavailable")


@both
def test_an_absence_becomes_a_refusal_only_after_three_looks_over_five_minutes(
    provider, organization, sandbox
):
    assert word(lambda: buy(organization, provider, LOST)) == "outcome_unknown"
    purchase = Purchase.objects.get()
    assert (purchase.state, purchase.empty_looks) == ("uncertain", 1)

    # Five minutes with two looks, then three looks in less than five minutes: both too little.
    grow_older(purchase, first_empty_look_at=timedelta(seconds=300))
    assert (settle(purchase).state, settle_count(purchase)) == ("uncertain", 2)
    grow_older(purchase, first_empty_look_at=-timedelta(seconds=10))
    assert (settle(purchase).state, settle_count(purchase)) == ("uncertain", 3)
    assert PhoneNumber.objects.get().status == "claimed"

    grow_older(purchase, first_empty_look_at=timedelta(seconds=10))
    purchase = settle(purchase)

    assert (purchase.state, purchase.evidence) == ("refused", "not_found")
    assert (purchase.retryable, purchase.number) == (True, None)
    assert PhoneNumber.objects.count() == 0
    assert (purchase.next_look_at - purchase.recorded_at).total_seconds() == 86_400
    assert len(orders_sent(sandbox)) == 1


def settle_count(purchase: Purchase) -> int:
    return Purchase.objects.get(pk=purchase.pk).empty_looks


@both
def test_a_late_success_inserts_the_number_again(provider, organization, assistant, sandbox):
    purchase = inferred_refusal(
        organization, provider, assistant_id=assistant.pk, friendly_name="Front desk"
    )
    assert PhoneNumber.objects.count() == 0
    arrive_late(sandbox, purchase)

    settled = settle(purchase)

    (owned,) = sandbox.owned()
    number = PhoneNumber.objects.get()
    assert (settled.state, settled.number, settled.charged) == ("completed", number, True)
    assert (settled.refusal_code, settled.evidence, settled.hint) == ("", "", "")
    assert (number.status, number.phone_number, number.organization) == (
        "active",
        LOST,
        organization,
    )
    assert (number.provider_number_id, number.account) == (owned["id"], purchase.account)
    assert (number.friendly_name, number.assistant) == ("Front desk", assistant)
    assert number.status_callback == owned.get("status_callback", "")
    assert settled.needs_attention_at is None
    assert Purchase.objects.get().number == number
    assert history(purchase) == [
        "purchase.claimed",
        "purchase.uncertain",
        "purchase.refused",
        "purchase.completed",
    ]
    assert len(orders_sent(sandbox)) == 1


def test_a_late_success_counts_for_the_spending_limit_again(organization, sandbox):
    organization.monthly_limit = 100
    organization.save()
    purchase = inferred_refusal(organization, "telnyx")
    assert committed(organization) == 0
    arrive_late(sandbox, purchase)

    settle(purchase)

    assert committed(organization) == 1


@both
def test_a_late_success_is_finished_like_any_other(provider, organization, sandbox):
    """What the purchase could not find out, such as the price, is found out later."""
    number = "+14155550060"  # Telnyx offers it without a price
    sandbox.add_fault(method="POST", path=ORDERS[provider], action="drop")
    purchase = inferred_refusal(organization, provider, number)
    arrive_late(sandbox, purchase)

    settle(purchase)

    row = PhoneNumber.objects.get()
    assert row.monthly_cost is None
    (job,) = ProcrastinateJob.objects.filter(
        task_name="numbers.tasks.finish_number", args={"phone_number_id": row.pk}
    )
    assert job.status == "todo"


@both
@pytest.mark.parametrize("whose", ["organization", "environment"])
@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({}, "replayed"),
        (
            {"idempotency_key": "api:new", "fallback": Fallback(same_area_code=True)},
            "number_already_owned",
        ),
    ],
)
def test_a_late_success_is_noticed_when_the_number_is_wanted_again(
    over, expected, whose, provider, sandbox, settings
):
    """It is neither a stranger's nor bought by hand, and no reason to buy another."""
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC" + "e" * 32, "env-token"
    settings.TELNYX_API_KEY = "KEYenvironment.first"
    organization = make_organization("Acme", accounts=whose == "organization")
    purchase = inferred_refusal(organization, provider)
    arrive_late(sandbox, purchase)
    sandbox.clear_requests()

    assert word(lambda: buy(organization, provider, LOST, **over)) == expected

    assert orders_sent(sandbox) == []
    assert Purchase.objects.get().state == "completed"
    assert PhoneNumber.objects.get().status == "active"


def test_a_late_order_that_is_pending_becomes_a_pending_number(organization, sandbox):
    pending = "+14155550056"  # the answer is lost, and it succeeds 3 s later
    sandbox.add_fault(method="POST", path="/number_orders", action="drop")
    purchase = inferred_refusal(organization, "telnyx", pending)
    order = {"phone_number": pending, "status": "pending"}
    listed = {"id": "order-1", "customer_reference": str(purchase.pk), "phone_numbers": [order]}
    sandbox.add_fault(path="/number_orders$", body={"data": [listed], "meta": {"total_pages": 1}})
    sandbox.add_fault(path="/number_orders/order-1$", body={"data": listed})

    settled = settle(purchase)

    assert (settled.state, settled.order_id) == ("pending", "order-1")
    assert PhoneNumber.objects.get().status == "pending"
    assert len(settle_jobs(purchase)) >= 2


@both
def test_when_somebody_else_holds_the_number_by_then_both_purchases_need_a_person(
    provider, organization, other_organization, sandbox
):
    late = inferred_refusal(organization, provider)
    holder = PhoneNumber.objects.create(
        organization=other_organization,
        account=other_organization.provider_accounts.get(provider=provider),
        provider=provider,
        phone_number=LOST,
        friendly_name=LOST,
        status="active",
    )
    rival = make_purchase(other_organization, "completed", provider=provider, number=holder)
    arrive_late(sandbox, late)

    settled = settle(late)

    rival.refresh_from_db()
    assert (settled.state, settled.number) == ("completed", None)
    assert settled.needs_attention_at is not None
    assert settled.attention_reason == (
        "This number was bought after all, but somebody else holds it by now."
    )
    assert (rival.state, rival.number) == ("completed", holder)
    assert rival.needs_attention_at is not None
    assert rival.attention_reason == "Another purchase bought this number as well."
    assert list(PhoneNumber.objects.all()) == [holder]
    flagged = AuditEvent.objects.filter(action="purchase.needs_attention")
    assert {event.object_id for event in flagged} == {str(late.pk), str(rival.pk)}


def test_a_refusal_that_the_provider_said_is_not_looked_for_again(organization, sandbox):
    with pytest.raises(PurchaseRefused):
        buy(organization, "twilio", "+14155550001")
    purchase = Purchase.objects.get()
    sandbox.clear_requests()

    settled = settle(purchase)

    assert (settled.state, settled.next_look_at) == ("refused", None)
    assert sandbox.requests() == []


@both
def test_an_inferred_refusal_is_looked_for_three_more_times_and_then_never(
    provider, organization, sandbox
):
    purchase = inferred_refusal(organization, provider)

    for left in (2, 1, 0):
        purchase = settle(purchase)
        assert (purchase.state, purchase.next_look_at is not None) == ("refused", left > 0)

    assert len(orders_sent(sandbox)) == 1


def test_a_number_that_is_listed_before_it_is_in_service_is_pending_until_then(
    organization, sandbox
):
    """Telnyx lists it with our tag, and does not show the order."""
    assert word(lambda: buy(organization, "telnyx", LOST)) == "outcome_unknown"
    purchase = Purchase.objects.get()
    listed = {"account": "KEYacme", "phone_number": LOST, "customer_reference": str(purchase.pk)}
    owned = sandbox.own(provider="telnyx", status="purchase-pending", **listed)

    settled = settle(purchase)

    assert (settled.state, settled.provider_status) == ("pending", "purchase-pending")
    number = PhoneNumber.objects.get()
    assert (number.status, number.provider_number_id) == ("pending", owned["id"])
    assert settle(purchase).state == "pending"

    sandbox._state.numbers[LOST]["status"] = "active"

    assert settle(purchase).state == "completed"
    number.refresh_from_db()
    assert number.status == "active"
    assert len(orders_sent(sandbox)) == 1
