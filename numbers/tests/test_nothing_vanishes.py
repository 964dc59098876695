"""What has a history cannot be deleted or rewritten: not by the ORM, not in bulk, not by SQL."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from burki.testing import SYSTEM, TWILIO_NUMBER
from numbers.models import PhoneNumber, Purchase
from numbers.services.purchase import purchase_number
from organizations.models import AppendOnlyError, AuditEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def purchase(organization, sandbox, assistant) -> Purchase:
    return purchase_number(
        actor=SYSTEM,
        organization=organization,
        provider="twilio",
        phone_number=TWILIO_NUMBER,
        assistant_id=assistant.pk,
        friendly_name="Desk",
        idempotency_key=None,
    ).purchase


def refused_by_the_database(statement: str) -> bool:
    with pytest.raises(IntegrityError, match="rows are never"), transaction.atomic():
        connection.cursor().execute(statement)
    return True


def test_an_organization_and_an_account_with_numbers_cannot_be_deleted(purchase):
    with pytest.raises(ProtectedError):
        purchase.organization.delete()
    with pytest.raises(ProtectedError):
        purchase.account.delete()


def test_numbers_purchases_and_audit_refuse_deletion_by_the_orm(purchase):
    for row in (purchase, purchase.number, AuditEvent.objects.first()):
        with pytest.raises(AppendOnlyError):
            row.delete()
        with pytest.raises(AppendOnlyError):
            type(row).objects.filter(pk=row.pk).delete()


def test_audit_refuses_changes_by_the_orm(purchase):
    event = AuditEvent.objects.first()
    event.action = "something.else"

    with pytest.raises(AppendOnlyError):
        event.save()
    with pytest.raises(AppendOnlyError):
        AuditEvent.objects.update(action="something.else")
    with pytest.raises(AppendOnlyError):
        AuditEvent.objects.bulk_update([event], ["action"])


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM numbers_purchase",
        "DELETE FROM numbers_phonenumber",
        "DELETE FROM organizations_auditevent",
        "UPDATE organizations_auditevent SET action = 'x'",
        "UPDATE numbers_phonenumber SET phone_number = '+14155550000'",
        "UPDATE numbers_phonenumber SET provider = 'telnyx'",
        "UPDATE numbers_phonenumber SET account_id = account_id + 1",
        "UPDATE numbers_phonenumber SET organization_id = organization_id + 1",
        "UPDATE numbers_phonenumber SET provider_number_id = 'PN0'",
        "UPDATE numbers_purchase SET phone_number = '+14155550000'",
        "UPDATE numbers_purchase SET request = '{}'",
        "UPDATE numbers_purchase SET idempotency_key = 'other'",
        "UPDATE numbers_purchase SET account_id = NULL",
    ],
)
def test_the_database_refuses_it_too(purchase, statement):
    assert refused_by_the_database(statement)


def test_a_claim_can_be_dropped_and_an_owned_number_cannot(purchase):
    purchase.number.drop_claim()  # it is active: nothing happens

    assert PhoneNumber.objects.filter(pk=purchase.number_id).exists()


def test_deleting_an_assistant_unassigns_its_numbers(purchase, assistant):
    assistant.delete()

    number = PhoneNumber.objects.get(pk=purchase.number_id)
    assert number.assistant is None
    assert number.status == PhoneNumber.Status.ACTIVE


def test_every_purchase_leaves_its_story_in_the_audit(purchase):
    told = AuditEvent.objects.filter(object_id=str(purchase.pk)).order_by("pk")

    assert [(e.action, e.actor_label) for e in told] == [
        ("purchase.claimed", "test"),
        ("purchase.completed", "test"),
    ]
    assert told[1].data["from"] == "ordering"
