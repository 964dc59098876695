"""What is read and written past the ORM is what the ORM reads and writes."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import FieldDoesNotExist
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.rows import NOW, Columns, In, fetch, insert, update
from burki.testing import SYSTEM, make_assistant
from numbers import jobs
from numbers.models import Offer, PhoneNumber, Purchase
from numbers.services.search import clean_criteria, search_numbers
from numbers.tests.inventories import account_of, bought
from organizations.models import ApiKey, AuditEvent, Organization, ProviderAccount, User

pytestmark = pytest.mark.django_db

NAME = "50 % of %s {} 'quoted' \N{SNOWMAN}"
MADE_THERE = {"id", "created_at", "updated_at"}


def values_of(row, *, but: set[str] = frozenset()) -> dict:
    fields = [field.attname for field in row._meta.concrete_fields]
    return {name: getattr(row, name) for name in fields if name not in but}


def number(organization, phone_number: str, **values) -> PhoneNumber:
    given = {
        "organization": organization,
        "account": account_of(organization, "twilio"),
        "assistant": make_assistant(organization),
        "provider": "twilio",
        "phone_number": phone_number,
        "friendly_name": NAME,
        "status": PhoneNumber.Status.PENDING,
        "capabilities": {"voice": True, "sms": None, "n": [1, 2.5, NAME]},
        "monthly_cost": Decimal("1.15"),
        "purchased_at": datetime(2026, 11, 29, 12, 30, 1, 5, tzinfo=UTC),
    }
    return PhoneNumber(**given | values)


@pytest.mark.parametrize(
    "model", [Organization, ProviderAccount, ApiKey, User, Offer, PhoneNumber, Purchase, AuditEvent]
)
def test_what_is_read_is_what_the_orm_reads(organization, client, sandbox, model):
    User.objects.create_user("somebody@example.com")
    search_numbers(
        actor=SYSTEM, organization=organization, provider="telnyx", criteria=clean_criteria()
    )
    bought(organization, "twilio")
    columns = Columns(model)

    found = fetch(f"SELECT {columns.of('t')} FROM {model._meta.db_table} t ORDER BY id", [])

    rows, wanted = [columns.row(one) for one in found], list(model.objects.order_by("pk"))
    assert len(wanted) > 0
    assert [values_of(row) for row in rows] == [values_of(row) for row in wanted]
    assert not any(row._state.adding or row.get_deferred_fields() for row in rows)


def test_a_column_that_the_model_has_not_is_an_error_at_once():
    with pytest.raises(FieldDoesNotExist, match="has no is_activ"):
        Columns(Organization, "id", "is_activ")


def test_what_an_outer_join_does_not_find_is_no_row(organization):
    columns = Columns(User)
    nobody = f"""SELECT {columns.of("maker")} FROM organizations_organization
                 LEFT JOIN organizations_user maker ON false"""

    assert columns.row(fetch(nobody, [])[0]) is None


def test_what_is_inserted_is_what_the_orm_saves(organization):
    insert(number(organization, "+14155550100"))
    number(organization, "+14155550101").save()

    ours, djangos = PhoneNumber.objects.order_by("pk")
    told = MADE_THERE | {"phone_number", "assistant_id"}
    assert values_of(ours, but=told) == values_of(djangos, but=told)
    assert ours.friendly_name == NAME
    assert timedelta(0) <= djangos.created_at - ours.created_at < timedelta(minutes=1)


def test_an_inserted_row_knows_what_the_database_filled_in(organization):
    claim = number(organization, "+14155550100")
    insert(claim)
    purchase = Purchase(
        organization=organization,
        number=claim,
        provider="twilio",
        phone_number="+14155550100",
        next_look_at=In(timedelta(seconds=90)),
    )
    insert(purchase)

    assert values_of(claim) == values_of(PhoneNumber.objects.get())
    assert values_of(purchase) == values_of(Purchase.objects.get())
    assert purchase.next_look_at - purchase.claimed_at == timedelta(seconds=90)
    claim.friendly_name = "Lobby"
    claim.save()  # it is known to exist
    assert PhoneNumber.objects.get().friendly_name == "Lobby"


def test_several_rows_are_inserted_at_once_and_may_point_at_each_other(organization):
    claim = number(organization, "+14155550100", assistant=None)
    purchase = Purchase(
        organization=organization, number=claim, provider="twilio", phone_number="+14155550100"
    )

    with CaptureQueriesContext(connection) as queries:
        insert(claim, purchase)

    assert len(queries) == 1
    assert values_of(claim) == values_of(PhoneNumber.objects.get())
    assert values_of(purchase) == values_of(Purchase.objects.get())
    assert (purchase.number_id, purchase.number) == (claim.pk, claim)


def test_of_several_rows_none_is_inserted_when_one_is_refused(organization):
    insert(number(organization, "+14155550100"))

    with pytest.raises(IntegrityError, match="phone_number_one_owner"), transaction.atomic():
        insert(number(organization, "+14155550101"), number(organization, "+14155550100"))

    assert PhoneNumber.objects.count() == 1


def test_a_constraint_refuses_with_djangos_own_exception(organization):
    insert(number(organization, "+14155550100"))

    with pytest.raises(IntegrityError, match="phone_number_one_owner"), transaction.atomic():
        insert(number(organization, "+14155550100"))

    assert PhoneNumber.objects.count() == 1


def test_an_update_writes_where_all_is_as_expected_and_tells_of_those_rows(organization):
    ours = number(organization, "+14155550100")
    insert(ours)
    values = {"capabilities": {"voice": NAME}, "assistant": None, "released_at": NOW}
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (before,) = cursor.fetchone()

    where = {"id": ours.pk, "status": PhoneNumber.Status.ACTIVE}
    assert update(PhoneNumber, values, where=where) == []
    assert PhoneNumber.objects.get().assistant_id == ours.assistant_id

    where["status"] = PhoneNumber.Status.PENDING
    assert update(PhoneNumber, values, where=where) == [(ours.pk,)]
    assert update(PhoneNumber, values, where=where, returning="assistant_id") == [(None,)]
    stored = PhoneNumber.objects.get()
    assert (stored.capabilities, stored.assistant_id) == ({"voice": NAME}, None)
    assert timedelta(0) <= stored.released_at - before < timedelta(minutes=1)


@pytest.mark.django_db(transaction=True)
def test_a_column_that_a_migration_adds_disturbs_no_statement_that_is_prepared(organization):
    columns = Columns(Organization)
    query = f"SELECT {columns.of('t')} FROM organizations_organization t"
    before = fetch(query, [])
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement = %s", [query])
        assert cursor.fetchone() == (1,)
        cursor.execute("ALTER TABLE organizations_organization ADD COLUMN tried integer")
    try:
        assert fetch(query, []) == before
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE organizations_organization DROP COLUMN tried")


def test_the_jobs_of_a_purchase_are_those_that_the_library_would_defer(organization, sandbox):
    purchase = Purchase.objects.get(number=bought(organization, "twilio"))
    ProcrastinateJob.objects.all().delete()
    later = timedelta(minutes=2)

    jobs.settle_later(purchase, after=later)
    jobs.verify_numbers_later([purchase.number_id], after=later)
    for task, queue, arguments in (
        ("settle_purchase", "settle", {"purchase_id": str(purchase.pk)}),
        ("verify_numbers", "default", {"phone_number_ids": [purchase.number_id], "tries": 0}),
    ):
        wanted = app.configure_task(
            f"numbers.tasks.{task}", queue=queue, schedule_at=datetime.now(UTC) + later
        )
        wanted.defer(**arguments)

    made = ProcrastinateJob.objects.order_by("pk")
    ours, librarys = list(made[:2]), list(made[2:])
    but = {"id", "scheduled_at"}
    assert [values_of(job, but=but) for job in ours] == [
        values_of(job, but=but) for job in librarys
    ]
    for one, other in zip(ours, librarys, strict=True):
        assert timedelta(0) <= other.scheduled_at - one.scheduled_at < timedelta(minutes=1)
