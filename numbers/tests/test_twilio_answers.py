"""What Twilio is answered, and what becomes of it: calls, text messages, repeats."""

import itertools
import xml.etree.ElementTree as ET
from datetime import UTC, datetime

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.testing import make_assistant
from numbers.models import Call, Message, WebhookDelivery
from numbers.tests.inbound import (
    CALLER,
    call_form,
    from_twilio,
    owned,
    text_form,
    work,
)

STATUS = "/twilio-status?purchase=0197a000-0000-7000-8000-00000000cafe"
XML = b'<?xml version="1.0" encoding="UTF-8"?>'
REJECTED = XML + b'<Response><Reject reason="rejected" /></Response>'
EMPTY = XML + b"<Response />"

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(organization):
    """A number whose assistant has a media stream and takes messages."""
    assistant = make_assistant(
        organization,
        media_stream_url="wss://voice.example.com/streams",
        greeting="Acme, good morning.",
        sms_webhook_url="https://desk.example/sms",
    )
    return owned(organization, "twilio", assistant=assistant)


# --- Calls ---------------------------------------------------------------------------------------


def test_a_call_is_connected_to_the_assistants_stream(desk):
    answer = from_twilio(call_form(desk))

    assert answer["Content-Type"] == "text/xml; charset=utf-8"
    stream = ET.fromstring(answer.content).find("Connect/Stream")
    assert stream.get("url") == "wss://voice.example.com/streams"
    assert {p.get("name"): p.get("value") for p in stream} == {
        "assistant_id": str(desk.assistant_id),
        "from": CALLER,
        "to": desk.phone_number,
        "call_id": "CA" + "1" * 32,
    }


def test_without_a_stream_the_greeting_is_said_in_its_language(desk):
    desk.assistant.media_stream_url, desk.assistant.language = "", "de-DE"
    desk.assistant.save()

    answer = from_twilio(call_form(desk))

    assert answer.content == (
        b'<?xml version="1.0" encoding="UTF-8"?><Response>'
        b'<Say language="de-DE">Acme, good morning.</Say><Hangup /></Response>'
    )


@pytest.mark.parametrize(
    "make_it",
    [
        lambda number: number.__class__.objects.update(assistant=None),
        lambda number: number.assistant.__class__.objects.update(is_active=False),
        lambda number: number.organization.__class__.objects.update(is_active=False),
        lambda number: number.assistant.__class__.objects.update(media_stream_url="", greeting=" "),
        lambda number: number.__class__.objects.update(status="releasing"),
    ],
    ids=["no assistant", "inactive", "inactive organization", "speechless", "being released"],
)
def test_nobody_there_to_answer_is_a_polite_refusal(desk, make_it):
    make_it(desk)

    answer = from_twilio(call_form(desk))
    work()

    assert (answer.status_code, answer.content) == (200, REJECTED)
    assert Call.objects.get().status == "refused"


def test_a_number_that_nobody_has_is_refused_politely_and_has_no_record(desk):
    desk.__class__.objects.update(status="released")

    answer = from_twilio(call_form(desk))

    assert (answer.status_code, answer.content) == (200, REJECTED)
    assert WebhookDelivery.objects.get().processed_at is not None
    assert (work(), Call.objects.count()) == ([], 0)


def test_a_number_whose_purchase_is_in_doubt_answers(desk):
    """That it was called shows that it was bought. Its row may still go: the call outlives it."""
    desk.__class__.objects.update(status="claimed")

    answer = from_twilio(call_form(desk))
    work()
    desk.refresh_from_db()
    desk.drop_claim()

    assert b"<Connect>" in answer.content
    assert Call.objects.get().number is None


def test_the_worker_makes_the_call_of_it(desk):
    from_twilio(call_form(desk))
    assert Call.objects.count() == 0

    assert work() == ["numbers.tasks.process_delivery"]

    call = Call.objects.get()
    assert (call.number, call.assistant, call.organization) == (
        desk, desk.assistant, desk.organization,
    )  # fmt: skip
    assert (call.from_number, call.to_number, call.direction) == (
        CALLER, desk.phone_number, "inbound",
    )  # fmt: skip
    assert (call.status, call.answered_with) == ("answered", "stream")
    desk.refresh_from_db()
    assert desk.last_activity_at == WebhookDelivery.objects.get().received_at


def test_the_end_of_a_call_is_its_duration(desk):
    from_twilio(call_form(desk))
    answer = from_twilio(
        call_form(desk, CallStatus="completed", CallDuration="17"),
        STATUS,
    )
    work()

    call = Call.objects.get()
    assert (answer.status_code, answer.content) == (204, b"")
    assert (call.status, call.duration_seconds, call.ended_because) == (
        "completed",
        17,
        "completed",
    )


_DAY = "Fri, 02 Jan 2026"
STORY = [
    ("ringing", "/twiml", {}),
    ("in-progress", STATUS, {"Timestamp": f"{_DAY} 03:04:07 +0000"}),
    ("completed", STATUS, {"Timestamp": f"{_DAY} 03:04:24 +0000", "CallDuration": "17"}),
]


@pytest.mark.parametrize(
    ("asked_at", "started_at"), [(5, 5), (31, 7)], ids=["usual", "clock ahead"]
)
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_call_in_any_order_and_doubled_is_the_same_call(desk, order, asked_at, started_at):
    """Also when our clock, which timed the request for an answer, is ahead of Twilio's."""
    minute = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    told = []
    for position in [*order, *order]:
        status, path, over = STORY[position]
        assert from_twilio(call_form(desk, CallStatus=status, **over), path).status_code < 300
        WebhookDelivery.objects.update(received_at=minute.replace(second=asked_at))
        work()
        told.append(Call.objects.values().get())

    assert told[2] == told[5]
    assert WebhookDelivery.objects.filter(processed_at=None).count() == 0
    call = Call.objects.get()
    assert (call.started_at, call.answered_at, call.ended_at) == (
        minute.replace(second=started_at),
        minute.replace(second=min(asked_at, 7)),
        minute.replace(second=24),
    )
    assert (call.status, call.duration_seconds, call.ended_because, call.answered_with) == (
        "completed", 17, "completed", "stream",
    )  # fmt: skip
    assert (call.number, call.assistant) == (desk, desk.assistant)


@pytest.mark.parametrize("when", ["", "yesterday", "Fri, 02 Jan 2026 03:04:24", "Fri, 99 Jan"])
def test_no_call_is_answered_after_its_end(desk, when):
    """Whatever is processed first, and whether Twilio says when it was or not."""
    from_twilio(call_form(desk, CallStatus="completed", CallDuration="17", Timestamp=when), STATUS)
    work()
    from_twilio(call_form(desk))
    work()

    call = Call.objects.get()
    ended = WebhookDelivery.objects.get(kind="call_ended")
    assert call.started_at == call.answered_at == call.ended_at == ended.received_at


def test_a_busy_number_is_not_written_for_every_call(desk):
    from_twilio(call_form(desk))
    work()
    first = desk.__class__.objects.get().last_activity_at
    from_twilio(call_form(desk, CallSid="CA2"))
    work()

    assert desk.__class__.objects.get().last_activity_at == first
    assert Call.objects.count() == 2


# --- Messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/twiml", "/twilio-sms-webhook"])
def test_a_message_is_answered_with_nothing_and_handed_over_later(desk, path):
    answer = from_twilio(text_form(desk), path)

    assert (answer.status_code, answer.content) == (200, EMPTY)
    job = ProcrastinateJob.objects.get()
    assert (job.task_name, job.queue_name) == ("numbers.tasks.process_delivery", "default")


def test_a_message_without_anybody_to_take_it_is_recorded(desk):
    desk.__class__.objects.update(assistant=None)

    from_twilio(text_form(desk, NumMedia="1", MediaUrl0="https://api.twilio.com/m/1"))

    assert work() == ["numbers.tasks.process_delivery"]
    message = Message.objects.get()
    assert (message.status, message.media_count, message.number) == ("unhandled", 1, desk)


# --- Repeats, statements -------------------------------------------------------------------------


@pytest.mark.parametrize("form_of", [call_form, text_form], ids=["call", "message"])
def test_the_same_again_is_answered_alike_and_does_nothing(desk, form_of):
    first = from_twilio(form_of(desk))
    desk.assistant.media_stream_url = ""
    desk.assistant.save()

    again = [from_twilio(form_of(desk)) for _ in range(3)]

    assert {answer.content for answer in again} == {first.content}
    delivery = WebhookDelivery.objects.get()
    assert (delivery.deliveries, ProcrastinateJob.objects.count()) == (4, 1)
    work()
    assert Call.objects.count() + Message.objects.count() == 1


def statements(queries) -> list[str]:
    """Without those that only begin and end transactions."""
    outside = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    return [q["sql"].split()[0] for q in queries if not q["sql"].startswith(outside)]


def test_a_call_costs_three_statements(desk, django_assert_num_queries):
    with django_assert_num_queries(5) as first:  # two of them begin and end the transaction
        from_twilio(call_form(desk))
    with django_assert_num_queries(4) as again:
        from_twilio(call_form(desk))
    with django_assert_num_queries(5) as message:
        from_twilio(text_form(desk))
    desk.__class__.objects.update(status="released")
    with django_assert_num_queries(5) as unknown:
        from_twilio(call_form(desk, CallSid="CA2"))

    assert statements(first) == ["SELECT", "INSERT", "SELECT"]  # whose, inbox, job
    assert statements(again) == ["SELECT", "INSERT"]
    assert statements(message) == ["SELECT", "INSERT", "SELECT"]
    assert statements(unknown) == ["SELECT", "SELECT", "INSERT"]
