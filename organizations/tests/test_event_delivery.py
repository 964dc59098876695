"""Bringing events to endpoints: signed, at least once, tried again, every try on record."""

import json
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.testing import SYSTEM, in_threads, make_user
from organizations import tasks
from organizations.crypto import encrypt
from organizations.events import delivering
from organizations.events.announcing import News, announce
from organizations.events.endpoints import (
    change_endpoint,
    delete_endpoint,
    rotate_secret,
    send_again,
    send_test,
)
from organizations.models import AuditEvent, Event, EventAttempt, EventDelivery, EventEndpoint
from organizations.tests.customers import listen, signature, signatures, work_off

pytestmark = pytest.mark.django_db

RELEASED = News(type="number.released", data={"phone_number": "+14155550100"}, url="https://x.test")


def tell(organization, *news: News) -> list[Event]:
    announce(organization, *(news or (RELEASED,)))
    return list(Event.objects.order_by("pk"))


def due_now() -> None:
    """As if the wait were over."""
    EventDelivery.objects.filter(state="pending").update(next_attempt_at=timezone.now())


def fail_times(endpoint, times: int) -> None:
    for _ in range(times):
        due_now()
        delivering.deliver_next(endpoint.pk)


# --- Sending --------------------------------------------------------------------------------------


def test_an_event_is_sent_signed_with_what_happened(organization, customer):
    endpoint, secret = listen(organization, customer.url)
    (event,) = tell(organization)
    work_off()

    ((headers, body),) = customer.got
    assert json.loads(body) == {
        "id": event.public_id,
        "type": "number.released",
        "version": 1,
        "timestamp": event.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "organization_id": organization.pk,
        "data": {"phone_number": "+14155550100"},
        "url": "https://x.test",
    }
    assert headers["webhook-id"] == event.public_id == f"evt_{event.pk.hex}"
    assert signatures(headers) == [signature(headers, body, secret)]
    assert headers["content-type"] == "application/json"
    delivery = EventDelivery.objects.get()
    assert (delivery.state, delivery.tries, delivery.last_status) == ("delivered", 1, 200)
    attempt = EventAttempt.objects.get()
    assert (attempt.status_code, attempt.error, attempt.answer) == (200, "", "thanks")


def test_without_an_active_endpoint_nothing_is_written(
    organization, customer, django_assert_num_queries
):
    endpoint, _ = listen(organization, customer.url)
    change_endpoint(
        actor=SYSTEM, organization=organization, endpoint_id=endpoint.pk, is_active=False
    )
    ProcrastinateJob.objects.filter(task_name__contains="mail")._raw_delete("default")

    nobody_listens = type(organization).objects.get()
    with django_assert_num_queries(1):
        announce(nobody_listens, RELEASED)

    assert Event.objects.count() == ProcrastinateJob.objects.count() == 0


def test_an_endpoint_gets_the_types_that_it_wants(organization, customer):
    listen(organization, customer.url, "purchase.completed")
    everything, _ = listen(organization, customer.url)
    tell(organization)
    work_off()

    assert [d.endpoint for d in EventDelivery.objects.all()] == [everything]
    assert len(customer.got) == 1


def test_a_follow_up_that_runs_twice_makes_one_delivery(organization, customer):
    listen(organization, customer.url)
    (event,) = tell(organization)

    for _ in range(2):
        tasks.spread_events(event_ids=[str(event.pk)])

    assert EventDelivery.objects.count() == 1


def test_one_that_was_killed_in_the_middle_is_done_again(organization, customer, monkeypatch):
    listen(organization, customer.url)
    (event,) = tell(organization)
    with monkeypatch.context() as patch:
        patch.setattr("organizations.jobs.deliver_later", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tasks.spread_events(event_ids=[str(event.pk)])
    assert EventDelivery.objects.count() == 0

    tasks.spread_events(event_ids=[str(event.pk)])

    assert EventDelivery.objects.count() == 1


def test_the_sweep_finds_what_lost_its_job(organization, customer):
    listen(organization, customer.url)
    tell(organization)
    ProcrastinateJob.objects.all()._raw_delete("default")
    tasks.sweep_events(timestamp=0)
    assert work_off() == 0  # not yet: its own job may be at work
    Event.objects.update(created_at=timezone.now() - timedelta(minutes=1))

    tasks.sweep_events(timestamp=0)
    work_off()
    assert len(customer.got) == 1

    delivery = EventDelivery.objects.get()
    EventDelivery.objects.update(
        state="pending", next_attempt_at=timezone.now() - timedelta(minutes=1)
    )
    tasks.sweep_events(timestamp=0)
    work_off()
    assert len(customer.got) == 2
    delivery.refresh_from_db()
    assert delivery.state == "delivered"


def test_a_killed_worker_s_delivery_is_sent_again_when_its_lease_is_over(organization, customer):
    endpoint, _ = listen(organization, customer.url)
    (event,) = tell(organization)
    tasks.spread_events(event_ids=[str(event.pk)])
    EventDelivery.objects.update(leased_until=timezone.now() + timedelta(seconds=60))
    delivering.deliver_next(endpoint.pk)
    assert customer.got == []

    EventDelivery.objects.update(leased_until=timezone.now())
    delivering.deliver_next(endpoint.pk)
    assert len(customer.got) == 1


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_send_each_event_once_and_two_at_a_time(organization, customer):
    endpoint, _ = listen(organization, customer.url)
    tell(organization, *[RELEASED] * 4)
    tasks.spread_events(event_ids=[str(e.pk) for e in Event.objects.all()])

    in_threads(*[lambda: delivering.deliver_next(endpoint.pk)] * 2)
    ids = [headers["webhook-id"] for headers, _ in customer.got]
    assert len(ids) == len(set(ids)) == 2

    rows = EventDelivery.objects.filter(state="pending")
    rows.update(leased_until=timezone.now() + timedelta(seconds=60))
    delivering.deliver_next(endpoint.pk)
    assert len(customer.got) == 2


def test_an_endpoint_that_fails_gets_one_at_a_time(organization, customer):
    endpoint, _ = listen(organization, customer.url)
    tell(organization, RELEASED, RELEASED)
    EventEndpoint.objects.update(failing_since=timezone.now())
    tasks.spread_events(event_ids=[str(e.pk) for e in Event.objects.all()])
    first = EventDelivery.objects.first()
    first.leased_until = timezone.now() + timedelta(seconds=60)
    first.save()

    delivering.deliver_next(endpoint.pk)

    assert customer.got == []


# --- Failing --------------------------------------------------------------------------------------


def test_back_off_grows_over_a_day_and_a_half_and_ends(organization, customer, settings):
    settings.SETTLE_CLOCK_SCALE = 1
    customer.status = 500
    endpoint, _ = listen(organization, customer.url)
    (event,) = tell(organization)
    tasks.spread_events(event_ids=[str(event.pk)])

    waits = []
    for _ in range(8):
        due_now()
        delivering.deliver_next(endpoint.pk)
        delivery = EventDelivery.objects.get()
        if delivery.next_attempt_at:
            waits.append(round((delivery.next_attempt_at - timezone.now()).total_seconds()))

    assert waits == [5, 30, 300, 1800, 7200, 28_800, 86_400]
    assert (delivery.state, delivery.tries, delivery.last_status) == ("failed", 8, 500)
    assert len({headers["webhook-id"] for headers, _ in customer.got}) == 1
    assert EventAttempt.objects.count() == 8
    delivering.deliver_next(endpoint.pk)
    assert len(customer.got) == 8
    later = ProcrastinateJob.objects.exclude(scheduled_at=None)
    assert later.count() == 7


def test_a_success_ends_the_failing(organization, customer):
    customer.status = 503
    endpoint, _ = listen(organization, customer.url)
    (event,) = tell(organization)
    tasks.spread_events(event_ids=[str(event.pk)])
    fail_times(endpoint, 1)
    endpoint.refresh_from_db()
    assert endpoint.state == "failing"

    customer.status = 204
    fail_times(endpoint, 1)

    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.failing_since) == ("active", None)


def test_a_redirect_is_a_failure_and_is_not_followed(organization, customer):
    customer.status = 302
    endpoint, _ = listen(organization, customer.url)
    tell(organization)
    work_off()

    delivery = EventDelivery.objects.get()
    assert (delivery.state, delivery.last_status) == ("pending", 302)
    assert len(customer.got) == 1


def test_five_days_of_nothing_but_failures_disable_and_are_mailed(organization, customer):
    make_user(organization, "admin", "ada@acme.example")
    make_user(organization, "member", "max@acme.example")
    customer.status = 500
    endpoint, _ = listen(organization, customer.url)
    tell(organization, RELEASED, RELEASED)
    tasks.spread_events(event_ids=[str(e.pk) for e in Event.objects.all()])
    fail_times(endpoint, 1)
    EventEndpoint.objects.update(failing_since=timezone.now() - timedelta(days=5))

    fail_times(endpoint, 1)
    work_off()

    endpoint.refresh_from_db()
    assert endpoint.state == "disabled"
    assert endpoint.disabled_because.startswith("Nothing but failures since 20")
    assert set(EventDelivery.objects.values_list("state", flat=True)) == {"abandoned"}
    assert len(customer.got) == 2
    audit = AuditEvent.objects.get(action="event_endpoint.disabled")
    assert audit.data == {"because": endpoint.disabled_because}
    (message,) = mail.outbox
    assert message.to == ["ada@acme.example"]
    assert message.subject == "Acme: An event endpoint was disabled"
    assert "your endpoint at 127.0.0.1.\nNothing but failures since" in message.body


def test_gone_disables_at_once(organization, customer):
    customer.status = 410
    endpoint, _ = listen(organization, customer.url)
    tell(organization)
    work_off()

    endpoint.refresh_from_db()
    assert (endpoint.is_active, endpoint.disabled_because) == (False, "It answered 410 Gone.")
    assert EventDelivery.objects.get().state == "abandoned"
    assert EventAttempt.objects.get().status_code == 410
    tell(type(organization).objects.get())
    work_off()
    assert len(customer.got) == 1


def test_a_private_address_is_never_asked(organization, customer, settings):
    listen(organization, customer.url.replace("127.0.0.1", "localhost"))
    settings.ALLOW_PRIVATE_WEBHOOKS = False
    EventEndpoint.objects.update(url=f"https://localhost:{customer.server_address[1]}/events")
    tell(organization)
    work_off()

    attempt = EventAttempt.objects.get()
    assert (attempt.status_code, attempt.error) == (None, "localhost is not a public address.")
    assert customer.got == []


def test_an_answer_is_kept_to_its_first_characters(organization, customer):
    customer.answer = b"\x00no" * 1000
    listen(organization, customer.url)
    tell(organization)
    work_off()

    assert EventAttempt.objects.get().answer == ("no" * 500)[:500]


def test_a_secret_that_cannot_be_read_is_told_and_sends_nothing(organization, customer, settings):
    endpoint, _ = listen(organization, customer.url)
    EventEndpoint.objects.update(encrypted_secret="lost")
    tell(organization)
    work_off()

    assert EventAttempt.objects.get().error == "The signing secret cannot be read: rotate it."
    assert customer.got == []


def test_one_that_is_deleted_meanwhile_leaves_nothing(organization, customer):
    endpoint, _ = listen(organization, customer.url)
    (event,) = tell(organization)
    tasks.spread_events(event_ids=[str(event.pk)])
    delete_endpoint(actor=SYSTEM, organization=organization, endpoint_id=endpoint.pk)

    delivering.deliver_next(endpoint.pk)

    assert customer.got == []
    assert (Event.objects.count(), EventDelivery.objects.count()) == (1, 0)


# --- Rotation, tests, sending again ---------------------------------------------------------------


def test_after_a_rotation_both_secrets_sign_for_a_day(organization, customer):
    endpoint, old = listen(organization, customer.url)
    names = {"actor": SYSTEM, "organization": organization, "endpoint_id": endpoint.pk}
    _, new = rotate_secret(**names)
    send_test(**names)
    work_off()
    headers, body = customer.got[0]
    assert signatures(headers) == [signature(headers, body, key) for key in (new, old)]

    EventEndpoint.objects.update(secret_rotated_at=timezone.now() - timedelta(hours=24))
    send_test(**names)
    work_off()
    headers, body = customer.got[1]
    assert signatures(headers) == [signature(headers, body, new)]


def test_a_test_event_reaches_its_endpoint_alone_whatever_it_wants(organization, customer):
    listen(organization, customer.url)
    endpoint, _ = listen(organization, customer.url, "number.released")

    event = send_test(actor=SYSTEM, organization=organization, endpoint_id=endpoint.pk)
    work_off()

    assert [d.endpoint for d in EventDelivery.objects.all()] == [endpoint]
    (told,) = customer.events
    assert (told["type"], told["id"]) == ("endpoint.test", event.public_id)
    assert told["data"] == {"endpoint_id": endpoint.pk, "sent_by": "test"}


def test_sending_again_repeats_the_same_id_also_to_endpoints_that_are_new(organization, customer):
    first, _ = listen(organization, customer.url)
    (event,) = tell(organization)
    work_off()
    listen(organization, customer.url)

    send_again(actor=SYSTEM, organization=organization, public_id=event.public_id)
    work_off()

    assert [told["id"] for told in customer.events] == [event.public_id] * 3
    assert first.deliveries.get().attempts.count() == 2
    assert set(EventDelivery.objects.values_list("state", flat=True)) == {"delivered"}


def test_old_events_are_purged_with_their_history(organization, customer):
    listen(organization, customer.url)
    tell(organization, RELEASED, RELEASED)
    work_off()
    old = Event.objects.first()
    Event.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=31))

    tasks.purge_events(timestamp=0)

    assert Event.objects.count() == EventDelivery.objects.count() == EventAttempt.objects.count()
    assert Event.objects.count() == 1


def test_secrets_come_under_a_new_key_with_all_others(organization, customer):
    endpoint, secret = listen(organization, customer.url)
    before = endpoint.encrypted_secret

    assert endpoint.reencrypt() == ["encrypted_secret"]
    assert endpoint.encrypted_secret != before
    assert endpoint.secrets == [secret]
    assert encrypt({"secret": secret}) not in (before, endpoint.encrypted_secret)
