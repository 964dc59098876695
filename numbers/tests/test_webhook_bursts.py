"""A thousand webhooks of each provider at once, each delivered twice: none lost, none doubled."""

import base64
import json
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
import requests
from twilio.request_validator import RequestValidator

from burki.testing import TELNYX_NUMBER, TWILIO_NUMBER, TWILIO_TOKEN
from burki.tests.processes import running_world, wait_until
from numbers.tests.inbound import CALLER, event_of, key_of

pytestmark = pytest.mark.slow

EVENTS = 1_000  # of each provider: half calls, half text messages
THREADS = 32
BASE = "http://127.0.0.1:8000"  # where the server believes to be

SETUP = """
import json
from burki.testing import make_assistant, make_organization
from numbers.tests.inbound import owned
acme = make_organization("Acme")
desk = make_assistant(acme, media_stream_url="wss://voice.example.com/s")
numbers = [owned(acme, provider, assistant=desk) for provider in ("twilio", "telnyx")]
print(json.dumps([number.account.account_sid for number in numbers]))
"""


def from_twilio(sid: str, n: int) -> tuple[str, dict[str, str], bytes]:
    form = {"AccountSid": sid, "From": CALLER, "To": TWILIO_NUMBER}
    if n % 2:
        form |= {"CallSid": f"CA{n}", "CallStatus": "ringing", "Direction": "inbound"}
    else:
        form |= {"MessageSid": f"SM{n}", "Body": f"hello {n}", "NumMedia": "0"}
    signature = RequestValidator(TWILIO_TOKEN).compute_signature(f"{BASE}/twiml", form)
    headers = {
        "X-Twilio-Signature": signature,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return "/twiml", headers, urlencode(form).encode()


def from_telnyx(n: int) -> tuple[str, dict[str, str], bytes]:
    if n % 2:
        payload = {"call_control_id": f"v3:{n}", "direction": "incoming", "from": CALLER,
                   "to": TELNYX_NUMBER}  # fmt: skip
        body = event_of("call.initiated", payload, f"event-{n}")
    else:
        payload = {"id": f"m-{n}", "direction": "inbound", "from": {"phone_number": CALLER},
                   "to": [{"phone_number": TELNYX_NUMBER}], "text": f"hello {n}"}  # fmt: skip
        body = event_of("message.received", payload, f"event-{n}")
    stamp = str(int(time.time()))
    signature = key_of("KEYacme").sign(stamp.encode() + b"|" + body)
    headers = {
        "telnyx-timestamp": stamp,
        "telnyx-signature-ed25519": base64.b64encode(signature).decode(),
        "Content-Type": "application/json",
    }
    return "/telnyx-webhook", headers, body


def test_a_burst_of_webhooks_loses_none_and_doubles_none():
    with (
        running_world() as world,
        world.web(2, WEB_THREADS="16") as web,
    ):
        sid, _ = json.loads(world.manage("shell", "--no-imports", "-c", SETUP).splitlines()[-1])
        events = [from_twilio(sid, n) for n in range(EVENTS)]
        events += [from_telnyx(n) for n in range(EVENTS)]
        burst = events * 2
        random.Random(1).shuffle(burst)

        def send(event) -> int:
            path, headers, body = event
            return requests.post(f"{web.url}{path}", body, headers=headers, timeout=30).status_code

        with ThreadPoolExecutor(THREADS) as pool:
            answers = Counter(pool.map(send, burst))

        def count(what: str) -> int:
            return world.postgres.rows(f"SELECT count(*) AS n FROM {what}")[0]["n"]

        assert answers == {200: 4 * EVENTS}
        assert count("numbers_webhookdelivery") == 2 * EVENTS
        assert count("numbers_webhookdelivery WHERE deliveries <> 2") == 0
        with world.worker("calls"), world.worker("default"):
            wait_until(
                lambda: count("numbers_webhookdelivery WHERE processed_at IS NULL") == 0,
                "all are processed",
                seconds=180,
            )
        assert count("numbers_call") == count("numbers_message") == EVENTS
        assert count("procrastinate_jobs WHERE status = 'failed'") == 0
        commanded = Counter(call["call_control_id"] for call in world.sandbox.calls())
        assert commanded == {f"v3:{n}": 1 for n in range(1, EVENTS, 2)}
        assert len(world.sandbox.requests(path_contains="/actions/answer")) == EVENTS // 2
