"""What Telnyx is told to do with a call: once, in time, and never from inside the webhook."""

import base64
import itertools
import json
import random
import threading
import time

import pytest
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.testing import make_assistant
from numbers import tasks
from numbers.exceptions import ProviderUnreachable
from numbers.models import Call, Message, WebhookDelivery
from numbers.services.inbound import inbox
from numbers.tests.inbound import (
    call_payload,
    event_of,
    from_telnyx,
    owned,
    run_worker,
    text_payload,
    work,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(organization, sandbox):
    assistant = make_assistant(
        organization,
        media_stream_url="wss://voice.example.com/streams",
        greeting="Acme, good morning.",
    )
    return owned(organization, "telnyx", assistant=assistant)


@pytest.fixture
def greeter(desk):
    desk.assistant.media_stream_url = ""
    desk.assistant.save()
    return desk


def happens(number, event_type: str, event_id: str = "", at: str = "03:04:05", **over) -> None:
    body = event_of(
        event_type,
        call_payload(number, **over),
        event_id,
        occurred_at=f"2026-01-02T{at}.000000Z",
    )
    assert from_telnyx(body).status_code == 200


def commands(sandbox) -> list[str]:
    return [call["action"] for call in sandbox.calls("v3:call-1")]


def test_a_call_is_answered_with_the_assistants_stream(desk, sandbox):
    happens(desk, "call.initiated")
    assert sandbox.requests() == []

    assert work() == ["numbers.tasks.command_call"]

    (command,) = sandbox.calls()
    assert (command["call_control_id"], command["action"]) == ("v3:call-1", "answer")
    body = command["body"]
    state = json.loads(base64.b64decode(body.pop("client_state")))
    assert state == {"assistant_id": desk.assistant_id}
    assert len(body.pop("command_id")) == 36
    assert body == {
        "stream_url": "wss://voice.example.com/streams",
        "stream_track": "both_tracks",
        "stream_bidirectional_mode": "rtp",
        "stream_bidirectional_codec": "PCMU",
    }
    call = Call.objects.get()
    assert (call.status, call.answered_with, call.assistant) == (
        "ringing",
        "stream",
        desk.assistant,
    )
    assert WebhookDelivery.objects.get().processed_at is not None


def test_without_a_stream_it_is_answered_greeted_and_hung_up(greeter, sandbox):
    greeter.assistant.language = "de-AT"
    greeter.assistant.save()

    happens(greeter, "call.initiated")
    work()
    assert commands(sandbox) == ["answer"]
    happens(greeter, "call.answered", at="03:04:07")
    work()
    assert commands(sandbox) == ["answer", "speak"]
    happens(greeter, "call.speak.ended", at="03:04:10")
    work()
    happens(greeter, "call.hangup", at="03:04:11", hangup_cause="normal_clearing")
    work()

    assert commands(sandbox) == ["answer", "speak", "hangup"]
    spoken = sandbox.calls()[1]["body"]
    assert (spoken["payload"], spoken["language"]) == ("Acme, good morning.", "de-DE")
    assert "stream_url" not in sandbox.calls()[0]["body"]
    call = Call.objects.get()
    assert (call.status, call.duration_seconds) == ("completed", 4)


def test_nobody_there_to_answer_is_a_rejection(desk, sandbox):
    desk.__class__.objects.update(assistant=None)

    happens(desk, "call.initiated")
    work()

    assert commands(sandbox) == ["reject"]
    assert sandbox.calls()[0]["body"]["cause"] == "CALL_REJECTED"
    assert Call.objects.get().status == "refused"


def test_a_number_that_nobody_has_is_rejected_and_has_no_record(desk, sandbox):
    desk.__class__.objects.update(status="released")

    happens(desk, "call.initiated")
    work()

    assert (commands(sandbox), Call.objects.count()) == (["reject"], 0)


def test_a_caller_who_hung_up_is_not_answered(desk, sandbox):
    happens(desk, "call.hangup", hangup_cause="originator_cancel")
    work()
    happens(desk, "call.initiated")
    work()

    assert sandbox.calls() == []
    assert Call.objects.get().status == "failed"


def test_that_a_call_is_over_is_not_an_error(desk, sandbox):
    sandbox.add_fault(
        path="/actions/answer", status=422, body={"errors": [{"code": "90018", "title": "Ended"}]}
    )
    happens(desk, "call.initiated")

    work()

    delivery = WebhookDelivery.objects.get()
    assert (delivery.processed_at is not None, delivery.error) == (True, "")


# --- Once ----------------------------------------------------------------------------------------


def test_a_command_that_is_sent_twice_is_carried_out_once(desk, sandbox):
    """As when a worker was killed after sending it: the id is the same."""
    happens(desk, "call.initiated")
    work()
    WebhookDelivery.objects.update(processed_at=None)

    tasks.command_call(delivery_id=WebhookDelivery.objects.get().pk)

    assert len(sandbox.requests(path_contains="/actions/answer")) == 2
    assert commands(sandbox) == ["answer"]


STORY = [
    ("call.initiated", "03:04:05", {}),
    ("call.answered", "03:04:07", {"direction": None}),
    ("call.speak.ended", "03:04:10", {"direction": None}),
    ("call.hangup", "03:04:11", {"direction": None, "hangup_cause": "normal_clearing"}),
]


def outcome() -> tuple:
    call = Call.objects.get()
    return (
        call.status, call.answered_with, str(call.started_at), str(call.answered_at),
        str(call.ended_at), call.duration_seconds, call.number_id, call.assistant_id,
        call.direction,
    )  # fmt: skip


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_events_in_any_order_and_doubled_tell_the_same_story(greeter, sandbox, order):
    for position in [*order, *order]:
        event_type, at, over = STORY[position]
        happens(greeter, event_type, at=at, **over)
        work()
    told = outcome()
    WebhookDelivery.objects.update(processed_at=None)
    for delivery in WebhookDelivery.objects.order_by("?"):
        inbox.process_delivery(delivery.pk)

    assert told == outcome()
    day = "2026-01-02 03:04:"
    times = (f"{day}05+00:00", f"{day}07+00:00", f"{day}11+00:00")
    assert told == (
        "completed", "greeting", *times, 4, greeter.pk, greeter.assistant_id, "inbound",
    )  # fmt: skip
    assert (Call.objects.count(), WebhookDelivery.objects.count()) == (1, 4)
    sent = commands(sandbox)
    assert sorted(sent) == sorted(set(sent))


def test_a_shuffled_heap_of_doubled_deliveries_changes_nothing_twice(greeter, sandbox):
    shuffled = random.Random(1)
    heap = []
    for n in range(12):
        for event_type, at, over in STORY:
            body = event_of(
                event_type,
                call_payload(greeter, call_control_id=f"v3:call-{n}", **over),
                f"{n}-{event_type}",
                occurred_at=f"2026-01-02T{at}.000000Z",
            )
            heap += [body] * shuffled.choice((1, 2, 3))
        heap += [event_of("message.received", text_payload(greeter, id=f"m{n}"), f"t{n}")] * 2
    shuffled.shuffle(heap)

    for body in heap:
        assert from_telnyx(body).status_code == 200
        if shuffled.random() < 0.3:
            work(most=3)
    work(most=1000)

    assert WebhookDelivery.objects.count() == 12 * 5
    assert WebhookDelivery.objects.filter(processed_at=None).count() == 0
    assert list(Call.objects.values_list("status", flat=True)) == ["completed"] * 12
    assert Message.objects.count() == 12
    for n in range(12):
        sent = [call["action"] for call in sandbox.calls(f"v3:call-{n}")]
        assert len(sent) == len(set(sent))


# --- In time -------------------------------------------------------------------------------------


def test_while_telnyx_hangs_the_webhook_has_answered_long_ago(desk, sandbox):
    sandbox.add_fault(path="/actions/", action="hang", times=None)
    began = time.monotonic()
    happens(desk, "call.initiated")
    answered = time.monotonic() - began

    with pytest.raises(ProviderUnreachable):
        tasks.command_call(delivery_id=WebhookDelivery.objects.get().pk)

    assert len(sandbox.requests(path_contains="/actions/answer")) == 1
    assert answered < time.monotonic() - began - answered
    delivery = WebhookDelivery.objects.get()
    assert (delivery.processed_at, delivery.attempts) == (None, 1)
    assert delivery.error.startswith("ProviderUnreachable: ReadTimeout at telnyx")


def test_a_command_that_failed_is_tried_again(desk, sandbox):
    sandbox.add_fault(path="/actions/", status=500, times=1)
    happens(desk, "call.initiated")
    pk = WebhookDelivery.objects.get().pk

    with pytest.raises(ProviderUnreachable):
        tasks.command_call(delivery_id=pk)
    strategy = app.tasks["numbers.tasks.command_call"].retry_strategy
    tasks.command_call(delivery_id=pk)

    assert (strategy.max_attempts, strategy.linear_wait) == (4, 1)
    assert commands(sandbox) == ["answer"]
    delivery = WebhookDelivery.objects.get()
    assert (delivery.processed_at is not None, delivery.error, delivery.attempts) == (True, "", 1)


@pytest.mark.parametrize("queues", [("calls",), ()], ids=["its own worker", "one for everything"])
def test_with_500_bulk_jobs_waiting_a_call_is_answered_first(queue, desk, sandbox, queues):
    desk.__class__.objects.update(last_activity_at=None)
    order = []
    lock = threading.Lock()

    def note(name):
        with lock:
            order.append(name)

    app.task(name="tests.bulk", queue="bulk")(lambda n: note("bulk"))
    try:
        app.configure_task("tests.bulk", queue="bulk").batch_defer(*({"n": n} for n in range(500)))
        happens(desk, "call.initiated")
        sandbox.clear_requests()
        watch(sandbox, note)
        run_worker(*queues)
    finally:
        del app.tasks["tests.bulk"]

    assert commands(sandbox) == ["answer"]
    assert order[:1] == ["answered"]
    waiting = ProcrastinateJob.objects.filter(queue_name="bulk", status="todo").count()
    assert waiting == (500 if queues else 0)


def watch(sandbox, note) -> None:
    """Note when the sandbox has been told to answer, in the order with everything else."""
    original = sandbox._state.record_call

    def record(call):
        original(call)
        note("answered")
        sandbox._state.record_call = original

    sandbox._state.record_call = record
