"""Callers, senders and tenants may write anything: what we answer stays well-formed, what we store
is what it claims to be, and nothing breaks."""

import json
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from burki.testing import make_assistant
from numbers.models import Call, Message, WebhookDelivery
from numbers.services.inbound.answering import AnsweredWith, Plan, sayable
from numbers.services.inbound.events import InboundEvent, Kind
from numbers.services.inbound.messages import payload_of
from numbers.services.inbound.twiml import voice
from numbers.tests.inbound import (
    call_form,
    call_payload,
    event_of,
    from_telnyx,
    from_twilio,
    owned,
    text_form,
    text_payload,
    work,
)

HOSTILE = [
    '"/><Hangup/><Say>pwned</Say>',
    "]]><Dial>+19005550100</Dial>",
    "<!--", "&amp;&lt;&#0;&#x1F;", "<![CDATA[x]]>", "%0a%0d", '\\", "admin": true, "x": "',
    "NUL\0inside", "line\nbreak\r\n", "\x1b[31mred\x07", "\ufffe\uffff\ud7ff\ue000",
    "\N{RIGHT-TO-LEFT OVERRIDE}evil", "🧨" * 2000, "'; DROP TABLE numbers_call; --",
    "{{ 7*7 }}${7*7}", " ", "x" * 70_000,
]  # fmt: skip

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("text", HOSTILE)
def test_twiml_stays_well_formed_whoever_calls(organization, text):
    assistant = make_assistant(organization, media_stream_url="wss://voice.example.com/s")
    number = owned(organization, "twilio", assistant=assistant)

    answer = from_twilio(call_form(number, From=text, CallerName=text, CallSid=text[:40]))
    if answer.status_code == 403:  # no call without an id
        assert text.strip() == ""
        return
    work()

    root = ET.fromstring(answer.content)
    assert [e.tag for e in root.iter()] == ["Response", "Connect", "Stream"] + ["Parameter"] * 4
    call = Call.objects.get()
    assert (
        call.from_number.isprintable() or "\N{RIGHT-TO-LEFT OVERRIDE}" in text or "\ufffe" in text
    )
    assert len(call.from_number) <= 128


@pytest.mark.parametrize("text", HOSTILE)
def test_a_greeting_is_said_and_nothing_else(organization, text):
    assistant = make_assistant(organization)
    assistant.greeting = "Hello " + text.replace("\0", "")  # PostgreSQL's text takes no NUL
    assistant.save()
    number = owned(organization, "twilio", assistant=assistant)

    root = ET.fromstring(from_twilio(call_form(number)).content)

    assert [element.tag for element in root.iter()] == ["Response", "Say", "Hangup"]
    assert root.find("Say").text.startswith("Hello")
    assert len(root.find("Say").text) <= 4096


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_message_is_handed_over_as_it_was_written(organization, text):
    number = owned(organization, "twilio")
    answer = from_twilio(text_form(number, Body=text, From=text))
    work()

    assert ET.fromstring(answer.content).tag == "Response"
    sent = json.loads(json.dumps(payload_of(Message.objects.get())))
    assert sent["data"]["body"] == text
    assert set(sent["data"]) == {"message_id", "from", "to", "body", "media_urls", "provider"}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_greeting_is_spoken_at_telnyx_and_nothing_else_is_told_there(organization, sandbox, text):
    greeting = "Hello " + text.replace("\0", "")
    assistant = make_assistant(organization, language=text[:10].replace("\0", ""))
    assistant.greeting = greeting
    assistant.save()
    number = owned(organization, "telnyx", assistant=assistant)

    for event in ("call.initiated", "call.answered"):
        assert from_telnyx(event_of(event, call_payload(number))).status_code == 200
        work()

    answered, spoken = sandbox.calls()
    assert (answered["action"], spoken["action"]) == ("answer", "speak")
    assert {command["call_control_id"] for command in (answered, spoken)} == {"v3:call-1"}
    body = spoken["body"]
    assert len(body.pop("command_id")) == 36
    said = body.pop("payload")
    assert said == sayable(greeting).strip()[:3000]
    ET.fromstring(f"<Say>{escape(said)}</Say>")  # no character that no text may have
    assert body == {
        "payload_type": "text",  # never SSML
        "service_level": "basic",
        "voice": "female",
        "language": "en-US",
    }
    assert WebhookDelivery.objects.filter(processed_at=None).count() == 0


@pytest.mark.parametrize("text", [*HOSTILE, "\ud800 alone"])
def test_a_telnyx_event_may_hold_anything(organization, sandbox, text):
    assistant = make_assistant(
        organization,
        greeting=f"Hello {text[:500]}".replace("\0", "").encode("utf-8", "ignore").decode(),
    )
    number = owned(organization, "telnyx", assistant=assistant)

    call = event_of("call.initiated", call_payload(number, caller_id_name=text) | {"from": text})
    message = event_of(
        "message.received",
        text_payload(number, text=text) | {"from": {"phone_number": text}},
    )
    assert from_telnyx(call).status_code == 200
    assert from_telnyx(message).status_code == 200
    work()

    assert WebhookDelivery.objects.filter(processed_at=None).count() == 0
    assert [command["action"] for command in sandbox.calls()] == ["answer"]
    assert payload_of(Message.objects.get())["data"]["body"] == text
    assert len(Call.objects.get().from_number) <= 128


@pytest.mark.parametrize(
    "payload",
    [
        None, [], "text", 7, {"to": None}, {"to": {}}, {"to": [[]]}, {"to": [None]},
        {"to": 14155555678}, {"to": True, "from": 1.5}, {"call_control_id": {}}, {"media": {}},
        {"media": [1, None, {"url": 5}]}, {"text": 5}, {"direction": []},
        {"customer_reference": "x" * 100_000}, {"id": None}, {"connection_id": ["a"]},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize(
    "event_type", ["call.initiated", "call.hangup", "message.received", "number_order.complete"]
)
def test_a_signed_event_of_any_shape_is_acknowledged_or_refused(
    organization, sandbox, event_type, payload
):
    """Only a number, a connection or a reference leads to a key: without any it is refused."""
    number = owned(organization, "telnyx")
    whole = payload
    if isinstance(payload, dict):
        whole = {"connection_id": number.account.connection_id} | payload

    answer = from_telnyx(event_of(event_type, whole))
    work()

    assert answer.status_code in (200, 401)
    assert WebhookDelivery.objects.filter(processed_at=None).count() == 0
    assert WebhookDelivery.objects.count() == (answer.status_code == 200)


@given(st.text(), st.text(), st.text(), st.text(max_size=20), st.sampled_from(AnsweredWith.values))
@seed(1)
@settings(max_examples=50, deadline=None)
def test_any_text_makes_twiml_that_can_be_parsed(caller, greeting, stream, language, how):
    event = InboundEvent(
        kind=Kind.CALL, type="voice", key="voice:1", call_id=caller, from_number=caller
    )
    plan = Plan(
        answered_with=how, assistant_id=1, greeting=sayable(greeting), stream_url=stream,
        language=sayable(language),
    )  # fmt: skip

    root = ET.fromstring(voice(plan, event).encode())

    assert root.tag == "Response" and len(root) >= 1
