"""Faults, the log of requests, and the control routes."""

import time
from dataclasses import asdict

import pytest

from numbers.sandbox import SCENARIOS
from numbers.tests.sandbox.client import (
    AC,
    CUT,
    LOST,
    PATIENCE,
    SCALE,
    SILENCE,
    control,
    eventually,
    outcome_of,
    telnyx,
    telnyx_buy,
    twilio,
    twilio_buy,
)


@pytest.mark.parametrize(
    ("fault", "expected", "bought"),
    [
        ({"status": 503}, (503, 20503), 0),
        ({"status": 503, "apply": True}, (503, 20503), 1),
        ({"status": 400, "code": 12345}, (400, 12345), 0),
        ({"status": 403, "body": {"code": 7}}, (403, 7), 0),
        ({"status": 504, "body": "<p>late"}, (504, "<p>late"), 0),
        ({"action": "drop"}, LOST, 0),
        ({"action": "drop", "apply": True}, LOST, 1),
        ({"action": "hang"}, SILENCE, 0),
        ({"action": "hang", "apply": True}, SILENCE, 1),
        ({"action": "drip"}, (201, None), 1),
        ({"action": "truncate"}, CUT, 1),
        ({"action": "redirect"}, (307, None), 0),
        ({"action": "garbage"}, (200, "not json"), 0),
        ({"action": "garbage", "apply": True}, (200, "not json"), 1),
        ({"action": "misname"}, (201, None), 1),
        ({"delay": 1.0}, (201, None), 1),
        ({"path": "OutgoingCallerIds", "status": 500}, (201, None), 1),
        ({"method": "get", "status": 500}, (201, None), 1),
    ],
)
def test_a_fault_spoils_one_matching_request(sandbox, silent, fault, expected, bought):
    sandbox, timeout = (silent, PATIENCE) if expected == SILENCE else (sandbox, 5)
    sandbox.add_fault(**{"method": "POST", "path": r"/IncomingPhoneNumbers\.json$", **fault})

    assert outcome_of(lambda: twilio_buy(sandbox, "+14155551000", timeout=timeout)) == expected
    assert eventually(lambda: len(sandbox.owned()), bought) == bought
    assert twilio_buy(sandbox, "+14155551000").status == 201


def test_faults_repeat_as_often_as_asked_and_scale_their_delay(sandbox):
    sandbox.add_fault(times=2, status=429, headers={"Retry-After": "7"})
    sandbox.add_fault(times=None, delay=0.1 / SCALE, headers={"X-Late": "yes"})
    answers = [telnyx(sandbox, "GET", "balance") for _ in range(2)]
    started = time.monotonic()
    late = telnyx(sandbox, "GET", "balance")
    elapsed = time.monotonic() - started
    sandbox.clear_faults()

    assert [answer.outcome for answer in answers] == [(429, "10011")] * 2
    assert answers[0].headers["retry-after"] == "7"
    assert answers[0].headers["x-ratelimit-remaining"] == "0"
    assert (late.status, late.headers["x-late"]) == (200, "yes")
    assert 0.1 <= elapsed < 5  # unscaled it would be 50
    assert "x-late" not in telnyx(sandbox, "GET", "balance").headers


@pytest.mark.parametrize("fault", [{"action": "explode"}, {"path": "("}, {"times": 0}])
def test_impossible_faults_are_refused(sandbox, fault):
    with pytest.raises(ValueError):
        sandbox.add_fault(**fault)
    assert control(sandbox, "POST", "faults", json=fault).status == 400


def test_the_log_shows_every_provider_request_without_its_secrets(sandbox):
    twilio_buy(sandbox, "+14155551000", token="t0p-s3cret")
    telnyx(sandbox, "GET", "phone_numbers", query={"filter[tag]": "a"})
    sandbox.add_fault(action="drop")
    outcome_of(lambda: telnyx(sandbox, "GET", "balance"))
    control(sandbox, "GET", "health")
    bought, listed, dropped = sandbox.requests()

    assert (bought.provider, bought.account, bought.method) == ("twilio", AC, "POST")
    assert bought.path == f"/2010-04-01/Accounts/{AC}/IncomingPhoneNumbers.json"
    assert bought.body == {"PhoneNumber": "+14155551000", "VoiceUrl": "https://us.example/twiml"}
    assert (listed.account, listed.query) == ("KEYacme", {"filter[tag]": ["a"]})
    assert [record.status for record in (bought, listed, dropped)] == [201, 200, None]
    assert bought.number < listed.number < dropped.number and bought.at < listed.at
    assert bought.headers["authorization"] == "***"
    everything = repr([asdict(record) for record in sandbox.requests()])
    assert "s3cret" not in everything and "dDBwLXMzY3JldA" not in everything
    assert sandbox.requests(method="post", path_contains="Incoming", provider="twilio") == [bought]
    assert sandbox.requests(provider="pricing") == []


def test_a_request_is_in_the_log_while_it_hangs(silent):
    silent.add_fault(action="hang")
    outcome_of(lambda: twilio_buy(silent, "+14155551000", timeout=PATIENCE))

    logged = eventually(lambda: [(r.method, r.status) for r in silent.requests()], [("POST", None)])
    assert logged == [("POST", None)]


def test_other_processes_can_do_the_same_over_http(sandbox):
    number = {"provider": "twilio", "account": AC, "phone_number": "+14155550031"}
    owned = control(sandbox, "POST", "numbers", json={**number, "voice_url": "https://x.example"})
    assert (owned.status, owned.json["sid"][:2], owned.json["visible"]) == (201, "PN", True)
    assert control(sandbox, "POST", "numbers", json=number).status == 400
    assert control(sandbox, "GET", "numbers").json["numbers"] == [owned.json]

    control(sandbox, "POST", "accounts", json={"account": AC, "balance": "12.30"})
    assert twilio(sandbox, "GET", "/Balance.json").json["balance"] == "12.30"
    control(sandbox, "POST", "faults", json={"status": 500})
    assert twilio(sandbox, "GET", "/Balance.json").status == 500
    assert telnyx_buy(sandbox, "+14155555000").status == 200
    assert control(sandbox, "GET", "orders").json["orders"][0]["account"] == "KEYacme"
    posts = control(sandbox, "GET", "requests", query={"method": "POST"}).json["requests"]
    assert [(one["path"], one["status"]) for one in posts] == [("/v2/number_orders", 200)]
    assert control(sandbox, "DELETE", "requests").status == 204
    assert sandbox.requests() == []
    scenarios = control(sandbox, "GET", "scenarios").json["scenarios"]
    assert [one["digits"] for one in scenarios] == list(SCENARIOS)
    assert control(sandbox, "GET", "health").json == {"status": "ok", "url": sandbox.url}
    assert control(sandbox, "POST", "reset").status == 204
    assert sandbox.owned() == sandbox.orders() == []
    assert control(sandbox, "GET", "nothing").status == 404
