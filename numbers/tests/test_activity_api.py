"""The calls and messages of a number, through the API and the admin."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.testing import make_assistant, make_user
from numbers.models import Call, Message, SigningSecret, WebhookDelivery
from numbers.services.inbound.events import Unreadable
from numbers.services.inbound.inbox import purge_deliveries
from numbers.services.inbound.signing import signing_secrets
from numbers.tests.inbound import CALLER, call_form, from_twilio, owned, text_form, work
from numbers.tests.pages import make_message, make_try
from organizations.models import AuditEvent, ProviderAccount

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(organization):
    return owned(organization, "twilio", assistant=make_assistant(organization, greeting="Hi"))


def happened(desk, calls: int = 1, messages: int = 0) -> None:
    for n in range(calls):
        from_twilio(call_form(desk, CallSid=f"CA{n}"))
    for n in range(messages):
        from_twilio(text_form(desk, MessageSid=f"SM{n}"))
    work(most=1000)


def test_a_numbers_calls_are_listed(client, desk):
    happened(desk)

    (call,) = client.get("/phone-numbers/+14155551234/calls").json()["items"]

    received = WebhookDelivery.objects.get().received_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert call == {
        "id": Call.objects.get().pk,
        "call_id": "CA0",
        "provider": "twilio",
        "direction": "inbound",
        "from": CALLER,
        "to": "+14155551234",
        "assistant_id": desk.assistant_id,
        "answered_with": "greeting",
        "status": "answered",
        "started_at": received,
        "answered_at": received,
        "ended_at": None,
        "duration_seconds": None,
    }


def test_a_numbers_messages_are_listed(client, desk):
    happened(desk, calls=0, messages=1)

    (message,) = client.get("/api/v1/phone-numbers/%2B14155551234/messages").json()["items"]

    received = WebhookDelivery.objects.get().received_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert message == {
        "id": Message.objects.get().pk,
        "message_id": "SM0",
        "provider": "twilio",
        "direction": "inbound",
        "from": CALLER,
        "to": "+14155551234",
        "assistant_id": desk.assistant_id,
        "status": "unhandled",
        "media_count": 0,
        "received_at": received,
        "handed_over_at": None,
        "tries": 0,
        "last_status": None,
        "last_error": None,
        "next_attempt_at": None,
    }


def test_a_message_tells_what_became_of_handing_it_over(client, desk, settings):
    settings.SETTLE_CLOCK_SCALE = 1
    began = datetime(2026, 3, 1, 12, tzinfo=UTC)
    reset = "ConnectionResetError at acme.example."
    fresh, failing, given_up, done = (
        make_message(desk, n, began, status=status)
        for n, status in enumerate(("received", "received", "failed", "handed_over"))
    )
    make_try(failing, at=began)
    make_try(failing, at=began + timedelta(seconds=9), status_code=None, error=reset)
    for _ in range(8):
        make_try(given_up, status_code=500)
    make_try(done, status_code=None, error=reset)
    make_try(done, status_code=204)

    listed = client.get("/phone-numbers/+14155551234/messages").json()["items"]

    names = ("tries", "last_status", "last_error", "next_attempt_at")
    assert {one["id"]: tuple(one[name] for name in names) for one in listed} == {
        fresh.pk: (0, None, None, "2026-03-01T12:00:00Z"),
        failing.pk: (2, None, reset, "2026-03-01T12:00:39Z"),  # thirty seconds after the second
        given_up.pk: (8, 500, None, None),
        done.pk: (2, 204, None, None),
    }


@pytest.mark.parametrize("what", ["calls", "messages"])
def test_the_lists_are_paged_with_a_constant_number_of_queries(
    client, desk, what, django_assert_num_queries
):
    happened(desk, calls=7, messages=7)
    for message in Message.objects.all():
        make_try(message)
    client.get(f"/phone-numbers/+14155551234/{what}?limit=2")  # the key's last use is noted
    with django_assert_num_queries(3 + (what == "messages")) as few:  # key, number, page, tries
        first = client.get(f"/phone-numbers/+14155551234/{what}?limit=2").json()
    with django_assert_num_queries(len(few)):
        assert len(client.get(f"/phone-numbers/+14155551234/{what}").json()["items"]) == 7

    seen = [row["id"] for row in first["items"]]
    page = first
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [row["id"] for row in page["items"]]
    assert seen == sorted(seen, reverse=True) and len(set(seen)) == 7


def test_only_the_calls_of_the_live_row_are_its_calls(client, desk, other_organization):
    happened(desk)
    desk.__class__.objects.update(status="released")
    assert len(client.get("/phone-numbers/+14155551234/calls").json()["items"]) == 1

    owned(desk.organization, "twilio")

    assert client.get("/phone-numbers/+14155551234/calls").json()["items"] == []
    assert client.get("/phone-numbers/+14155550000/calls").status_code == 404
    assert client.get("/phone-numbers/%00/calls").status_code == 404


def test_a_number_tells_when_it_was_last_in_use(client, desk):
    assert client.get("/phone-numbers/+14155551234").json()["last_activity_at"] is None

    happened(desk)

    received = WebhookDelivery.objects.get().received_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert client.get("/phone-numbers/+14155551234").json()["last_activity_at"] == received


# --- The inbox -----------------------------------------------------------------------------------


@pytest.fixture
def staff(db):
    browser = Client()
    browser.force_login(make_user(None, "boss", is_staff=True, is_superuser=True))
    return browser


def reprocess(browser: Client, *deliveries: WebhookDelivery):
    return browser.post(
        "/admin/numbers/webhookdelivery/",
        {"action": "reprocess", "_selected_action": [d.pk for d in deliveries]},
        follow=True,
    )


def test_a_failed_event_is_processed_again_from_the_admin(desk, staff):
    from_twilio(call_form(desk))
    delivery = WebhookDelivery.objects.get()
    right = bytes(delivery.body)
    WebhookDelivery.objects.update(body=b"%FF&no=call")
    with pytest.raises(Unreadable):
        work()
    delivery.refresh_from_db()
    assert (delivery.attempts, delivery.processed_at) == (1, None)
    assert delivery.error == "Unreadable: neither a call nor a message"
    assert Call.objects.count() == 0

    WebhookDelivery.objects.update(body=right)
    page = reprocess(staff, delivery)
    work()

    assert "1 queued." in page.content.decode()
    delivery.refresh_from_db()
    assert (delivery.processed_at is not None, delivery.error) == (True, "")
    assert Call.objects.count() == 1
    assert AuditEvent.objects.get(action="webhook.reprocessed").actor_label == "boss@example.com"


def test_what_is_processed_is_left_alone(desk, staff):
    happened(desk)

    page = reprocess(staff, WebhookDelivery.objects.get())

    assert "0 queued. 1 had been processed already." in page.content.decode()
    assert work() == []


def test_processing_again_needs_its_own_permission(desk):
    from django.contrib.auth.models import Permission

    looker = make_user(None, "looker", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_webhookdelivery"))
    browser = Client()
    browser.force_login(looker)
    from_twilio(call_form(desk))
    before = ProcrastinateJob.objects.count()

    reprocess(browser, WebhookDelivery.objects.get())

    assert ProcrastinateJob.objects.count() == before


@pytest.mark.parametrize("model", ["webhookdelivery", "call", "message"])
def test_the_lists_of_the_admin_only_show(desk, staff, model):
    happened(desk, calls=1, messages=1)
    row = {"webhookdelivery": WebhookDelivery, "call": Call, "message": Message}[model]
    pk = row.objects.first().pk

    assert staff.get(f"/admin/numbers/{model}/").status_code == 200
    page = staff.get(f"/admin/numbers/{model}/{pk}/change/")
    assert page.status_code == 200 and b'name="_save"' not in page.content
    assert staff.post(f"/admin/numbers/{model}/{pk}/delete/").status_code == 403
    assert staff.get(f"/admin/numbers/{model}/add/").status_code == 403


def test_old_deliveries_are_purged_and_what_was_made_of_them_stays(desk, settings):
    happened(desk, calls=2, messages=1)
    old = timezone.now() - timedelta(days=settings.WEBHOOK_RETENTION_DAYS, seconds=1)
    WebhookDelivery.objects.exclude(event_key="voice:CA1").update(received_at=old)

    assert purge_deliveries() == 2

    assert [d.event_key for d in WebhookDelivery.objects.all()] == ["voice:CA1"]
    assert (Call.objects.count(), Message.objects.count()) == (2, 1)
    assert Message.objects.get().delivery is None


def test_an_event_that_was_purged_before_it_was_processed_is_no_error(desk):
    from_twilio(call_form(desk))
    WebhookDelivery.objects.all().delete()

    assert work() == ["numbers.tasks.process_delivery"]


# --- Keys ----------------------------------------------------------------------------------------


def test_a_new_key_reencrypts_previous_secrets_and_signing_secrets(organization, settings, capsys):
    from cryptography.fernet import Fernet

    account = ProviderAccount.objects.get(organization=organization, provider="twilio")
    account.secret = "the-next-twilio-token"
    account.save()
    assistant = make_assistant(organization)
    before = signing_secrets(assistant)
    new = Fernet.generate_key().decode()
    settings.CREDENTIALS_KEYS = [new, *settings.CREDENTIALS_KEYS]

    call_command("rotate_credentials")
    settings.CREDENTIALS_KEYS = [new]

    assert capsys.readouterr().out == "3 re-encrypted.\n"
    account.refresh_from_db()
    assert account.recent_secrets == ["the-next-twilio-token", "twilio-token-of-acme-7f3a"]
    assert signing_secrets(assistant) == before
    assert SigningSecret.objects.count() == 1
