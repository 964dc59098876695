"""The server itself: its socket, its file, and many clients at once."""

import http.client
import json
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from numbers.sandbox import SandboxServer
from numbers.tests.sandbox.client import (
    Reply,
    control,
    outcome_of,
    telnyx,
    telnyx_buy,
    telnyx_search,
    twilio,
    twilio_buy,
)


def test_it_listens_on_the_loopback_address_only():
    with pytest.raises(ValueError):
        SandboxServer(host="0.0.0.0")


def test_connections_are_kept_alive_and_closed_by_stop():
    sandbox = SandboxServer().start()
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=5)
    for _ in range(3):
        connection.request("POST", "/v2/elsewhere", body=b"x" * 100_000)
        answer = connection.getresponse()
        assert int(answer.headers["Content-Length"]) == len(answer.read())
    kept = connection.sock
    sandbox.add_fault(action="hang")
    hanging = threading.Thread(
        target=lambda: outcome_of(lambda: telnyx(sandbox, "GET", "balance", timeout=30))
    )
    hanging.start()
    while len(sandbox.requests()) < 4:
        time.sleep(0.001)
    started = time.monotonic()
    sandbox.stop()

    assert time.monotonic() - started < 1.5  # it gives up waiting for clients after 2
    assert kept is not None and kept.recv(1) == b""
    connection.close()
    hanging.join(5)
    assert not hanging.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(sandbox.url).port), timeout=1)


def test_latency_delays_provider_answers_but_not_control_calls():
    with SandboxServer(latency=0.5) as sandbox:
        started = time.monotonic()
        control(sandbox, "GET", "health")
        between = time.monotonic()
        telnyx(sandbox, "GET", "balance")

        assert between - started < 0.5 <= time.monotonic() - between


def test_what_was_bought_outlives_the_process(tmp_path: Path):
    file = tmp_path / "data" / "sandbox.json"
    with SandboxServer(state_file=file) as sandbox:
        sandbox.order_seconds = 0.0
        bought = twilio_buy(sandbox, "+14155551000").json
        telnyx_buy(sandbox, "+14155555000", customer_reference="purchase-1")
        waiting = telnyx_buy(sandbox, "+14155550052").json["data"]["id"]

    with SandboxServer(state_file=file) as sandbox:
        listed = twilio(sandbox, "GET", "/IncomingPhoneNumbers.json").json
        assert listed["incoming_phone_numbers"] == [bought]
        numbers = telnyx(sandbox, "GET", "phone_numbers").json["data"]
        assert [one["customer_reference"] for one in numbers] == ["purchase-1"]
        order = telnyx(sandbox, "GET", f"number_orders/{waiting}").json["data"]
        assert order["status"] == "pending"
        assert telnyx_buy(sandbox, "+14155550052").outcome == (422, "85001")
        assert twilio(sandbox, "GET", "/Balance.json").json["balance"] == "98.85"
        path = f"/IncomingPhoneNumbers/{bought['sid']}.json"
        assert twilio(sandbox, "DELETE", path).status == 204
        sandbox.reset()

    with SandboxServer(state_file=file) as sandbox:
        assert sandbox.owned() == sandbox.orders() == []
    assert [one.name for one in file.parent.iterdir()] == ["sandbox.json"]


@pytest.mark.parametrize("broken", ["{", "[]", '{"accounts": {}}'])
def test_a_broken_state_file_is_moved_aside(tmp_path: Path, capfd, broken):
    file = tmp_path / "sandbox.json"
    file.write_text(broken)
    with SandboxServer(state_file=file) as sandbox:
        assert twilio_buy(sandbox, "+14155551000").status == 201

    aside = [one for one in tmp_path.iterdir() if one != file]
    assert [one.read_text() for one in aside] == [broken]
    assert aside[0].name in capfd.readouterr().err
    assert json.loads(file.read_text())["numbers"].keys() == {"+14155551000"}


def at_once(count: int, call: Any) -> list[Any]:
    """The outcomes of `call(0)`, `call(1)`, … started together."""
    barrier = threading.Barrier(count)
    outcomes: list[Any] = [None] * count

    def run(index: int) -> None:
        barrier.wait()
        outcomes[index] = call(index).outcome

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads change places wherever they can, not every 5 ms
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
    return outcomes


def test_of_twenty_orders_at_once_telnyx_accepts_one(sandbox):
    for index in range(20):
        telnyx_search(sandbox, f"KEY{index}", limit=5)

    for number in [f"+1415555{line}" for line in range(5000, 5005)]:

        def order(index: int, number: str = number) -> Reply:
            return telnyx_buy(sandbox, number, f"KEY{index}", searched=False)

        assert sorted(at_once(20, order), key=str) == [(200, None)] + [(422, "85001")] * 19

    assert len(sandbox.orders()) == 5


def test_of_twenty_purchases_at_once_twilio_accepts_one(sandbox):
    outcomes = at_once(20, lambda i: twilio_buy(sandbox, "+14155551000", f"AC{i:032x}"))

    assert sorted(outcomes) == [(201, None)] + [(400, 21422)] * 19
    assert len(sandbox.owned()) == 1
