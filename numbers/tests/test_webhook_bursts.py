"""A thousand webhooks of each provider at once, each delivered twice: none lost, none doubled, and
what several of them tell of one call is one call. And callers while a provider hangs."""

import base64
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from twilio.request_validator import RequestValidator

from burki.testing import TELNYX_NUMBER, TWILIO_NUMBER, TWILIO_TOKEN, orders_sent
from burki.tests.processes import running_world, wait_until
from numbers.tests.inbound import CALLER, event_of, key_of

pytestmark = pytest.mark.slow

# Of each provider; of a whole call there are three events.
WHOLE_CALLS, BEGUN_CALLS, MESSAGES = 200, 100, 300
CALLS = WHOLE_CALLS + BEGUN_CALLS
EVENTS = 3 * WHOLE_CALLS + BEGUN_CALLS + MESSAGES
DAY = "2026-01-02"
BEGINS, ANSWERED, ENDED = (f"{DAY}T03:04:{second}.000000Z" for second in ("05", "07", "24"))
THREADS = 32
BASE = "http://127.0.0.1:8000"  # where the server believes to be

Event = tuple[str, dict[str, str], bytes]

SETUP = """
import json
from burki.testing import make_assistant, make_organization
from numbers.tests.inbound import owned
acme = make_organization("Acme")
desk = make_assistant(acme, media_stream_url="wss://voice.example.com/s")
numbers = [owned(acme, provider, assistant=desk) for provider in ("twilio", "telnyx")]
print(json.dumps([number.account.account_sid for number in numbers]))
"""


def from_twilio(path: str, sid: str, **over: str) -> Event:
    form = {"AccountSid": sid, "From": CALLER, "To": TWILIO_NUMBER} | over
    signature = RequestValidator(TWILIO_TOKEN).compute_signature(BASE + path, form)
    headers = {
        "X-Twilio-Signature": signature,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return path, headers, urlencode(form).encode()


def from_telnyx(event_type: str, n: int, at: str, payload: dict[str, Any]) -> Event:
    body = event_of(event_type, payload, f"{event_type}-{n}", occurred_at=at)
    stamp = str(int(time.time()))
    signature = key_of("KEYacme").sign(stamp.encode() + b"|" + body)
    headers = {
        "telnyx-timestamp": stamp,
        "telnyx-signature-ed25519": base64.b64encode(signature).decode(),
        "Content-Type": "application/json",
    }
    return "/telnyx-webhook", headers, body


def of_twilio(sid: str) -> Iterator[list[Event]]:
    """The events of each call, of which the first are told to their end; and text messages."""
    reported = (
        ("in-progress", {"Timestamp": "Fri, 02 Jan 2026 03:04:07 +0000"}),
        ("completed", {"Timestamp": "Fri, 02 Jan 2026 03:04:24 +0000", "CallDuration": "17"}),
    )
    for n in range(CALLS):
        call = {"CallSid": f"CA{n}", "Direction": "inbound"}
        yield [
            from_twilio("/twiml", sid, CallStatus="ringing", **call),
            *(
                from_twilio("/twilio-status?purchase=1", sid, CallStatus=status, **call, **over)
                for status, over in (reported if n < WHOLE_CALLS else ())
            ),
        ]
    for n in range(MESSAGES):
        yield [from_twilio("/twiml", sid, MessageSid=f"SM{n}", Body=f"hello {n}", NumMedia="0")]


def of_telnyx() -> Iterator[list[Event]]:
    """The same."""
    for n in range(CALLS):
        call = {"call_control_id": f"v3:{n}", "from": CALLER, "to": TELNYX_NUMBER}
        told = [from_telnyx("call.initiated", n, BEGINS, call | {"direction": "incoming"})]
        if n < WHOLE_CALLS:
            over = call | {"hangup_cause": "normal_clearing"}
            told.append(from_telnyx("call.answered", n, ANSWERED, call))
            told.append(from_telnyx("call.hangup", n, ENDED, over))
        yield told
    for n in range(MESSAGES):
        payload = {"id": f"m-{n}", "direction": "inbound", "from": {"phone_number": CALLER},
                   "to": [{"phone_number": TELNYX_NUMBER}], "text": f"hello {n}"}  # fmt: skip
        yield [from_telnyx("message.received", n, BEGINS, payload)]


def test_a_burst_of_webhooks_loses_none_and_doubles_none():
    with (
        running_world() as world,
        world.web(2, WEB_THREADS="16") as web,
    ):
        sid, _ = json.loads(world.manage("shell", "--no-imports", "-c", SETUP).splitlines()[-1])
        mixed = random.Random(1)
        told = [*of_twilio(sid), *of_telnyx()] * 2
        mixed.shuffle(told)
        # What is told of one call comes at one time, in any order.
        burst = [event for events in told for event in mixed.sample(events, len(events))]

        def send(event) -> int:
            path, headers, body = event
            return requests.post(f"{web.url}{path}", body, headers=headers, timeout=30).status_code

        with ThreadPoolExecutor(THREADS) as pool:
            answers = Counter(pool.map(send, burst))

        def count(what: str) -> int:
            return world.postgres.rows(f"SELECT count(*) AS n FROM {what}")[0]["n"]

        reports = 2 * 2 * WHOLE_CALLS  # of a status, each twice; Twilio gets no content for them
        assert answers == {200: 4 * EVENTS - reports, 204: reports}
        assert count("numbers_webhookdelivery") == 2 * EVENTS
        assert count("numbers_webhookdelivery WHERE deliveries <> 2") == 0
        # Two that take the same jobs: what tells of one call is merged at the same time.
        with world.worker("calls"), world.worker("default"), world.worker("calls", "default"):
            wait_until(
                lambda: count("numbers_webhookdelivery WHERE processed_at IS NULL") == 0,
                "all are processed",
                seconds=180,
            )
        assert count("procrastinate_jobs WHERE status = 'failed'") == 0
        assert count("numbers_message") == 2 * MESSAGES
        for provider, begins in (("twilio", ANSWERED), ("telnyx", BEGINS)):
            calls = f"numbers_call WHERE provider = '{provider}'"
            whole = (
                f"status = 'completed' AND answered_with = 'stream' AND duration_seconds = 17 "
                f"AND started_at = '{begins}' AND answered_at = '{ANSWERED}' "
                f"AND ended_at = '{ENDED}'"
            )
            assert count(f"{calls} AND {whole}") == WHOLE_CALLS
            assert count(calls) == CALLS
        # A caller who is gone by then is not answered; nobody is answered twice.
        commanded = Counter(call["call_control_id"] for call in world.sandbox.calls())
        assert set(commanded.values()) == {1}
        assert commanded.keys() >= {f"v3:{n}" for n in range(WHOLE_CALLS, CALLS)}


def test_while_a_provider_hangs_and_many_buy_callers_are_answered():
    threads, kept = 8, 1
    with (
        running_world(clock_scale=1.0, settle_clock_scale=1.0) as world,
        world.web(1, WEB_THREADS=str(threads)) as web,
    ):
        sid, _ = json.loads(world.manage("shell", "--no-imports", "-c", SETUP).splitlines()[-1])
        key = world.manage("create_api_key", "--organization", "acme", "--name", "many").strip()
        world.sandbox.latency = 3.0
        bearer = {"Authorization": f"Bearer {key}"}

        def buy(n: int) -> requests.Response:
            body = {"provider": "twilio", "phone_number": f"+1415555{1000 + n}"}
            url = f"{web.url}/phone-numbers/purchase"
            return requests.post(url, json=body, headers=bearer, timeout=30)

        def insist(n: int) -> requests.Response:
            while (answer := buy(n)).status_code == 503:  # somebody was looking just then
                time.sleep(0.05)
            return answer

        def look() -> requests.Response:
            return requests.get(f"{web.url}/phone-numbers", headers=bearer, timeout=30)

        with ThreadPoolExecutor(threads) as pool:
            buying = [pool.submit(insist, n) for n in range(threads - kept)]
            wait_until(lambda: look().status_code == 503, "all threads but one wait")
            refused = buy(threads)
            path, headers, body = from_twilio("/twiml", sid, CallSid="CA1", CallStatus="ringing")
            call = requests.post(f"{web.url}{path}", body, headers=headers, timeout=30)
            health = requests.get(f"{web.url}/healthz", timeout=30)
            assert not any(one.done() for one in buying)
            bought = [one.result().status_code for one in buying]

        assert (call.status_code, health.status_code) == (200, 200)
        assert "wss://voice.example.com/s" in call.text
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert refused.json()["charged"] is False
        assert bought == [200] * (threads - kept)
        assert look().status_code == 200
        assert f"+1415555{1000 + threads}" not in {
            sent.body["PhoneNumber"] for sent in orders_sent(world.sandbox)
        }
