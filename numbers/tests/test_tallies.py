"""What tallies say of numbers is what counting the numbers says, at any moment."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Count, Q, Sum

from burki.testing import make_assistant
from numbers.models import CostTally, NumberTally, PhoneNumber
from numbers.services.tallies import fold, recount
from numbers.tests.rows import make_number
from organizations.models import Organization

pytestmark = pytest.mark.django_db

Status = PhoneNumber.Status
AUTUMN = datetime(2026, 9, 30, 23, 59, tzinfo=UTC)


def told(model: type[NumberTally] | type[CostTally]) -> dict:
    """The sums of each kind, without those that are nothing."""
    groups = model.objects.order_by().values(*model.KIND).annotate(
        **{f"all_{name}": Sum(name) for name in model.SUMS}
    )  # fmt: skip
    sums = {
        tuple(group[name] for name in model.KIND): tuple(group[f"all_{n}"] for n in model.SUMS)
        for group in groups
    }
    return {kind: found for kind, found in sums.items() if any(found)}


def counted() -> tuple[dict, dict]:
    """The same, of a fresh count of the numbers; what was tallied so far is gone."""
    recount()
    return told(NumberTally), told(CostTally)


def make(organization: Organization, count: int, *, first: int, **over) -> list[PhoneNumber]:
    fields = {"monthly_cost": "1.15", "currency": "USD"} | over
    return [make_number(organization, first + n, **fields) for n in range(count)]


def change_everything(organization: Organization, first: int) -> None:
    """Each way in which a number changes that a tally tells of."""
    desk, sales = make_assistant(organization, "Desk"), make_assistant(organization, "Sales")
    made = make(organization, 12, first=first, assistant=desk)
    of = PhoneNumber.objects.filter
    of(pk=made[0].pk).update(assistant=sales)
    of(pk=made[1].pk).update(assistant=None)
    of(pk=made[2].pk).update(webhook_verdict="drifted")
    of(pk=made[3].pk).update(monthly_cost=None, currency="")
    of(pk=made[4].pk).update(monthly_cost="7.50", currency="EUR")
    of(pk=made[5].pk).update(purchased_at=AUTUMN)
    of(pk=made[6].pk).update(purchased_at=AUTUMN + timedelta(minutes=2))
    of(pk=made[7].pk).update(status=Status.RELEASING)
    of(pk=made[8].pk).update(status=Status.RELEASED, released_at=AUTUMN)
    of(pk=made[9].pk).update(status=Status.RELEASED)  # nobody knows when
    of(pk=made[10].pk).update(status=Status.PENDING, friendly_name="No other kind")
    make(organization, 1, first=first + 20, status=Status.CLAIMED)[0].drop_claim()
    make(organization, 1, first=first + 21, status=Status.CLAIMED, monthly_cost=None, currency="")
    desk.delete()


def test_tallies_are_what_counting_the_numbers_says(organization, other_organization):
    for first, tenant in ((100, organization), (200, other_organization)):
        change_everything(tenant, first)
        kept = told(NumberTally), told(CostTally)
        fold()
        folded = told(NumberTally), told(CostTally)

        assert kept == folded == counted()
    assert sum(sums[0] for sums in kept[0].values()) == 26


def test_folding_leaves_one_row_of_each_kind_and_none_of_nothing(organization):
    change_everything(organization, 100)
    kinds = len(told(NumberTally)), len(told(CostTally))

    assert fold() > 0 and fold() == 0
    assert (NumberTally.objects.count(), CostTally.objects.count()) == kinds

    PhoneNumber.objects.filter(status=Status.ACTIVE).update(status=Status.RELEASING)
    before = told(NumberTally)
    fold(most=1)  # in parts as well
    assert told(NumberTally) == before
    fold()
    assert told(NumberTally) == before == counted()[0]


def test_a_change_that_no_tally_tells_of_costs_none(organization):
    number = make_number(organization, 1)
    rows = NumberTally.objects.count(), CostTally.objects.count()

    PhoneNumber.objects.filter(pk=number.pk).update(
        friendly_name="Another", last_activity_at=AUTUMN, webhook_checked_at=AUTUMN
    )

    assert (NumberTally.objects.count(), CostTally.objects.count()) == rows


def test_what_is_rolled_back_was_never_tallied(organization):
    before = told(NumberTally)
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT here")
        make(organization, 3, first=1)
        cursor.execute("ROLLBACK TO here")

    assert told(NumberTally) == before


def test_counts_of_what_is_owned_and_of_the_inventory(organization, other_organization):
    change_everything(organization, 100)
    change_everything(other_organization, 200)
    tallied = NumberTally.objects.filter(organization=organization)
    numbers = PhoneNumber.objects.filter(organization=organization)

    assert tallied.owned().total() == numbers.live().count() == 11
    assert tallied.inventory().total() == numbers.inventory().live().count() == 10
    assert tallied.filter(account_id=0).total() == 0
    by_status = numbers.aggregate(n=Count("pk", Q(status="active")))
    assert tallied.filter(status="active").total() == by_status["n"]
