"""Assigning while others assign, release, buy and delete: nothing is half done, nobody waits for
ever, and what is told is so."""

from collections import Counter

import pytest
from django.db import transaction

from burki.errors import NotFound
from burki.testing import SYSTEM, in_threads, make_assistant
from numbers.exceptions import NumberConflict
from numbers.models import PhoneNumber
from numbers.services.assigning import assign_number, bulk_assign, unassign_number
from numbers.services.release import release_number
from numbers.services.settling import lock_organization
from numbers.tests.inventories import bought
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db(transaction=True)


def assign(organization, assistant, number):
    return lambda: assign_number(
        actor=SYSTEM, organization=organization, assistant_id=assistant.pk, number_id=number.pk
    )


def delete(assistant):
    """As every deletion does it: with the organization's lock first."""
    with transaction.atomic():
        lock_organization(assistant.organization_id)
        assistant.delete()


def names(results):
    return Counter(type(one).__name__ for one in results)


def test_of_many_assignments_the_last_one_stays_and_each_is_on_record(organization, sandbox):
    number = bought(organization, "twilio")
    people = [make_assistant(organization, f"Desk {n}") for n in range(6)]

    results = in_threads(*(assign(organization, person, number) for person in people))

    assert names(results) == {"Assigned": 6}
    told = list(AuditEvent.objects.filter(action="number.assigned").order_by("pk"))
    number.refresh_from_db()
    assert number.assistant_id == told[-1].data["assistant_id"]
    # Each took it from the one before: none was lost.
    takers = [event.data["assistant_id"] for event in told]
    assert [event.data.get("from_assistant_id") for event in told] == [None, *takers[:-1]]


def test_the_same_assignment_many_times_is_one(organization, assistant, sandbox):
    number = bought(organization, "twilio")

    results = in_threads(*[assign(organization, assistant, number)] * 8)

    assert names(results) == {"Assigned": 8}
    assert AuditEvent.objects.filter(action="number.assigned").count() == 1


def test_many_at_once_in_different_orders_do_not_block_each_other(organization, sandbox):
    rows = [bought(organization, "twilio", f"+1415555120{n}") for n in range(4)]
    people = [make_assistant(organization, f"Desk {n}") for n in range(4)]
    ids = [row.pk for row in rows]

    def many(person, order):
        return lambda: bulk_assign(
            actor=SYSTEM, organization=organization, assistant_id=person.pk, number_ids=order
        )

    results = in_threads(
        *(many(person, ids if n % 2 else ids[::-1]) for n, person in enumerate(people))
    )

    assert names(results) == {"BulkAssigned": 4}
    assert len(set(PhoneNumber.objects.values_list("assistant_id", flat=True))) == 1


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_a_number_that_is_released_meanwhile(organization, assistant, sandbox, provider):
    for n in range(3):
        number = bought(organization, provider, f"+1415555130{n}")

        def release(number=number):
            return release_number(
                actor=SYSTEM,
                organization=organization,
                phone_number=str(number),
                provider=None,
                idempotency_key=None,
            )

        released, given = in_threads(release, assign(organization, assistant, number))

        assert type(released).__name__ == "Released", released
        number.refresh_from_db()
        assert number.status == "released"
        if isinstance(given, NumberConflict):
            assert number.assistant is None
        else:
            assert number.assistant == given.assistant == assistant


def test_an_assistant_that_is_deleted_meanwhile(organization, sandbox):
    """Whoever comes first, no number is left with an assistant that is gone, and nothing breaks."""
    for n in range(4):
        number = bought(organization, "twilio", f"+1415555140{n}")
        person = make_assistant(organization, f"Desk {n}")

        gone, given = in_threads(
            lambda person=person: delete(person),
            assign(organization, person, number),
        )

        assert not isinstance(gone, Exception), gone
        assert isinstance(given, NotFound) or type(given).__name__ == "Assigned", given
        number.refresh_from_db()
        assert number.assistant_id is None


def test_taking_away_and_giving_at_once(organization, assistant, sandbox):
    number = bought(organization, "twilio")
    other = make_assistant(organization, "Sales")
    assign(organization, assistant, number)()

    def take():
        return unassign_number(
            actor=SYSTEM,
            organization=organization,
            assistant_id=assistant.pk,
            number_id=number.pk,
        )

    taken, given = in_threads(take, assign(organization, other, number))

    assert type(given).__name__ == "Assigned"
    assert type(taken).__name__ in ("Assigned", "InvalidRequest")
    number.refresh_from_db()
    assert number.assistant == other
