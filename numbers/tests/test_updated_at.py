"""Whoever follows the inventory by `updated_at` sees every change of a number."""

from datetime import UTC, datetime

import pytest

from burki.testing import SYSTEM
from numbers.exceptions import ReleaseRefused
from numbers.models import PhoneNumber
from numbers.services.finishing import finish_number
from numbers.services.release import release_number
from numbers.tests.money import buy, settle

OLD = datetime(2026, 1, 1, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def grown_old() -> PhoneNumber:
    PhoneNumber.objects.update(updated_at=OLD)
    return PhoneNumber.objects.get()


def moved(number: PhoneNumber) -> bool:
    number.refresh_from_db()
    return number.updated_at > OLD


def test_every_update_of_rows_moves_it(organization, assistant, sandbox):
    buy(organization, assistant_id=assistant.pk)

    for change in (
        lambda number: PhoneNumber.objects.update(friendly_name="Desk"),
        lambda number: assistant.phone_numbers.update(friendly_name="Desk"),
        lambda number: PhoneNumber.objects.bulk_update([number], ["friendly_name"]),
    ):
        number = grown_old()
        change(number)
        assert moved(number)


def test_an_update_that_says_when_is_left_alone(organization, sandbox):
    buy(organization)

    assert grown_old().updated_at == OLD


def test_completing_a_purchase_moves_it(organization, sandbox):
    sandbox.add_fault(method="GET", path="/number_orders/", times=None, status=500)
    purchase = buy(organization, "telnyx").purchase
    sandbox.clear_faults()
    number = grown_old()
    assert number.status == "pending"

    assert settle(purchase).state == "completed"

    assert moved(number)


def test_finishing_a_number_moves_it(organization, sandbox):
    sandbox.add_fault(method="GET", path="/phone_numbers$", times=None, status=500)
    buy(organization, "telnyx")
    sandbox.clear_faults()
    number = grown_old()

    assert finish_number(number.pk, actor=SYSTEM).provider_number_id != ""

    assert moved(number)


@pytest.mark.parametrize("status", [204, 429])
def test_a_release_moves_it_whatever_becomes_of_it(status, organization, sandbox):
    phone_number = buy(organization).purchase.phone_number
    number = grown_old()
    if status != 204:
        sandbox.add_fault(method="DELETE", status=status, code=20429)

    try:
        release_number(
            actor=SYSTEM,
            organization=organization,
            phone_number=phone_number,
            provider=None,
            idempotency_key=None,
        )
    except ReleaseRefused:
        assert status == 429

    assert moved(number)


def test_deleting_its_assistant_moves_it(organization, assistant, sandbox):
    buy(organization, assistant_id=assistant.pk)
    number = grown_old()

    assistant.delete()

    assert moved(number)
    assert number.assistant_id is None
