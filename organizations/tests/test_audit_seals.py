"""The chain over the audit: what it covers, what it finds out, and what it waits for."""

import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django import app

from burki.testing import SYSTEM, in_threads, make_organization, make_user
from organizations import audit
from organizations.models import AppendOnlyError, AuditEvent, AuditSeal
from organizations.sealing import GENESIS, event_hash, seal_events, verify
from organizations.tasks import seal_audit

pytestmark = pytest.mark.django_db


def happen(organization, *actions: str) -> list[AuditEvent]:
    about = organization or make_user(None, "nobody")
    return [
        audit.record(SYSTEM, action, about, organization=organization, note="é", n=1.5)
        for action in actions
    ]


@pytest.fixture
def sealed(organization) -> list[AuditEvent]:
    """Five events in two links, after what making the organization wrote."""
    happen(organization, "a.one")
    seal_events()
    events = happen(organization, "a.two", "a.three", "a.four", "a.five")
    seal_events()
    return events


def tamper(sql: str, *parameters) -> None:
    """As somebody does who may do everything in the database."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no trigger fires
        cursor.execute(sql, parameters)
        cursor.execute("SET session_replication_role = origin")


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("verify_audit", *arguments, stdout=out)
    return out.getvalue()


# --- Sealing --------------------------------------------------------------------------------------


def test_every_event_is_sealed_once_in_order_after_the_one_before(organization, sealed):
    seals = list(AuditSeal.objects.filter(organization=organization).order_by("pk"))
    events = list(AuditEvent.objects.filter(organization=organization).order_by("pk"))

    assert [pk for seal in seals for pk in seal.event_ids] == [event.pk for event in events]
    previous = GENESIS
    for event, told in zip(events, [h for seal in seals for h in seal.hashes], strict=True):
        previous = event_hash(event, previous)
        assert told == previous
    assert seals[0].previous == GENESIS
    assert seals[1].previous == seals[0].hash
    assert (seals[1].first_id, seals[1].last_id) == (sealed[0].pk, sealed[-1].pk)
    assert seals[1].last_at == AuditEvent.objects.get(pk=sealed[-1].pk).created_at
    assert seal_events() == 0


def test_each_organization_has_a_chain_of_its_own_and_so_has_nobody(
    organization, other_organization
):
    happen(organization, "a.one"), happen(other_organization, "b.one"), happen(None, "c.one")
    happen(organization, "a.two")

    count = seal_events()

    assert count == AuditEvent.objects.count()
    for owner in (organization, other_organization, None):
        (seal,) = AuditSeal.objects.filter(organization=owner)
        mine = AuditEvent.objects.filter(organization=owner).order_by("pk")
        assert seal.event_ids == [event.pk for event in mine]
        assert verify(owner).broken is None


def test_a_long_backlog_is_sealed_link_by_link(organization, monkeypatch):
    monkeypatch.setattr("organizations.sealing._BATCH", 3)
    happen(organization, *(f"a.{n}" for n in range(10)))

    assert seal_events() == AuditEvent.objects.count()

    assert max(len(seal.event_ids) for seal in AuditSeal.objects.all()) == 3
    assert (
        verify(organization).events == AuditEvent.objects.filter(organization=organization).count()
    )


def test_the_task_seals(organization):
    happen(organization, "a.one")

    seal_audit(timestamp=0)

    assert ("organizations.tasks.seal_audit", "") in app.periodic_registry.periodic_tasks
    assert AuditSeal.objects.filter(organization=organization).count() == 1


@pytest.mark.parametrize("change", ["UPDATE organizations_auditseal SET hash = 'x'",
                                    "DELETE FROM organizations_auditseal"])  # fmt: skip
def test_the_database_itself_keeps_seals(sealed, change):
    with (
        pytest.raises(IntegrityError, match="are never"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(change)

    for forbidden in (AuditSeal.objects.all().delete, AuditSeal.objects.first().save):
        with pytest.raises(AppendOnlyError):
            forbidden()


def test_no_two_links_follow_the_same_one(organization, sealed):
    seal = AuditSeal.objects.filter(organization=organization).latest("pk")
    seal.pk, seal._state.adding = None, True

    with pytest.raises(IntegrityError, match="audit_seal_one_follows"), transaction.atomic():
        seal.save()


@pytest.mark.django_db(transaction=True)
def test_an_event_that_is_committed_late_gets_its_place(organization):
    """It drew its id before the one that is there already: sealing waits for it."""
    wrote, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        try:
            with transaction.atomic():
                happen(organization, "a.slow")
                wrote.set()
                go_on.wait(10)
        finally:
            connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert wrote.wait(10)
    (later,) = happen(organization, "a.later")
    impatient = seal_events(patience=0)
    threading.Timer(0.1, go_on.set).start()
    patient = seal_events(patience=10)
    thread.join()

    assert impatient == 0
    (seal,) = AuditSeal.objects.filter(organization=organization)
    slow_one = AuditEvent.objects.get(action="a.slow")
    assert slow_one.pk < later.pk
    assert seal.event_ids[-2:] == [slow_one.pk, later.pk]
    assert patient == AuditEvent.objects.count()


@pytest.mark.django_db(transaction=True)
def test_two_who_seal_at_once_make_one_chain(organization):
    happen(organization, *(f"a.{n}" for n in range(20)))

    counts = in_threads(*[seal_events] * 4)

    assert sum(counts) == AuditEvent.objects.count()
    assert verify(organization).broken is None
    assert (
        verify(organization).events == AuditEvent.objects.filter(organization=organization).count()
    )


def test_who_only_reads_is_not_waited_for(organization):
    happen(organization, "a.one")

    assert seal_events(patience=0) == AuditEvent.objects.count()


# --- Verifying ------------------------------------------------------------------------------------


def test_an_untouched_audit_is_in_order(organization, sealed):
    head = verify(organization).head

    lines = said().splitlines()

    count = AuditEvent.objects.filter(organization=organization).count()
    (line,) = [line for line in lines if line.startswith("acme: ")]
    assert line.startswith(f"acme: {count} events in order, sealed until 20")
    assert line.endswith(head)
    assert lines[-1] == f"(no organization): 0 events in order, {GENESIS}"


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("UPDATE organizations_auditevent SET actor_label = 'nobody' WHERE id = %s", "changed"),
        ("UPDATE organizations_auditevent SET data = '{\"n\": 2}' WHERE id = %s", "changed"),
        (
            "UPDATE organizations_auditevent SET created_at = created_at + interval '1 us' "
            "WHERE id = %s",
            "changed",
        ),
        ("DELETE FROM organizations_auditevent WHERE id = %s", "deleted"),
        ("UPDATE organizations_auditevent SET organization_id = NULL WHERE id = %s", "deleted"),
    ],
)
def test_what_was_done_to_an_event_is_found(organization, sealed, sql, kind):
    victim = sealed[1]
    tamper(sql, victim.pk)

    with pytest.raises(CommandError) as failed:
        said("--organization", "acme")

    assert str(failed.value) == f"acme: Event {victim.pk} was {kind} after it was sealed."
    assert failed.value.returncode == 1


def test_an_event_that_was_slipped_in_is_found(organization, sealed):
    victim, place = sealed[2], sealed[2].pk + 1000
    columns = ", ".join(field.column for field in AuditEvent._meta.fields if field.column != "id")
    copy = f"INSERT INTO organizations_auditevent (id, {columns}) OVERRIDING SYSTEM VALUE "
    tamper(f"DELETE FROM organizations_auditseal WHERE last_id = {sealed[-1].pk}")
    tamper(f"{copy} SELECT %s, {columns} FROM organizations_auditevent WHERE id = %s",
           place, victim.pk)  # fmt: skip
    seal_events()
    assert verify(organization).broken is None  # at the end, and sealed: so it is simply there
    tamper(f"{copy} SELECT %s, {columns} FROM organizations_auditevent WHERE id = %s",
           place - 500, victim.pk)  # fmt: skip

    with pytest.raises(CommandError, match=f"Event {place - 500} was inserted after"):
        said("--organization", "acme")


def test_an_event_after_the_last_seal_but_below_what_was_sealed_is_found(
    organization, other_organization, sealed
):
    place = AuditEvent.objects.latest("pk").pk
    happen(other_organization, "b.one", "b.two", "b.three")
    seal_events()
    tamper("UPDATE organizations_auditevent SET organization_id = %s WHERE id = %s",
           organization.pk, place + 2)  # fmt: skip

    assert str(verify(organization).broken) == (
        f"Event {place + 2} was inserted after it was sealed."
    )
    assert verify(other_organization).broken.kind == "deleted"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE organizations_auditseal SET hash = repeat('0', 64) WHERE id = %s",
        "UPDATE organizations_auditseal SET previous = repeat('1', 64) WHERE id = %s",
        "UPDATE organizations_auditseal SET event_ids = event_ids || 9::bigint WHERE id = %s",
        "UPDATE organizations_auditseal SET last_id = last_id + 5 WHERE id = %s",
    ],
)
def test_what_was_done_to_a_seal_is_found(organization, sealed, sql):
    first = AuditSeal.objects.filter(organization=organization).earliest("pk")
    tamper(sql, first.pk)

    broken = verify(organization).broken

    assert (broken.kind, broken.id) == ("seal", first.pk)


def test_a_seal_that_is_gone_is_missed_by_the_one_after_it(organization, sealed):
    first, second = AuditSeal.objects.filter(organization=organization).order_by("pk")
    tamper("DELETE FROM organizations_auditseal WHERE id = %s", first.pk)

    assert verify(organization).broken.id == second.pk


def test_the_first_of_several_breaks_is_reported_and_the_others_chains_are_told(
    organization, other_organization, sealed
):
    for victim in (sealed[3], sealed[0]):
        tamper("DELETE FROM organizations_auditevent WHERE id = %s", victim.pk)

    with pytest.raises(CommandError) as failed:
        said()

    assert str(failed.value) == f"acme: Event {sealed[0].pk} was deleted after it was sealed."
    assert said("--organization", "globex").startswith("globex: ")


def test_a_hash_that_was_written_down_shows_that_the_end_was_cut_off(organization, sealed):
    """Whoever removes the last events together with their seal leaves a chain that holds."""
    known = verify(organization).head
    assert known in said("--organization", "acme", "--known", known)
    last = AuditSeal.objects.filter(organization=organization).latest("pk")
    tamper("DELETE FROM organizations_auditseal WHERE id = %s", last.pk)
    tamper("DELETE FROM organizations_auditevent WHERE id >= %s", last.first_id)

    assert verify(organization).broken is None
    with pytest.raises(CommandError, match=f"the hash {known} is not in the chain any more"):
        said("--organization", "acme", "--known", known)


def test_wrong_arguments_are_one_sentence(organization):
    with pytest.raises(CommandError, match="There is no organization 'nobody'."):
        said("--organization", "nobody")
    with pytest.raises(CommandError, match="--known needs --organization."):
        said("--known", GENESIS)


def test_sealing_costs_the_same_queries_for_any_number_of_organizations(
    organization, django_assert_num_queries
):
    def grow(start: int, end: int) -> None:
        for n in range(start, end):
            happen(make_organization(f"Tenant {n}", accounts=False), "a.one")

    grow(0, 2)
    with CaptureQueriesContext(connection) as few:
        seal_events()
    grow(2, 30)

    with django_assert_num_queries(len(few)):
        seal_events()
