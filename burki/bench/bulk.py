"""A bulk purchase by four workers, one of which is killed on the way."""

import contextlib
import json
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from burki.bench.bare import Bare
from burki.bench.buying import LATENCY
from burki.bench.load import Drivers, request
from burki.bench.site import fresh_numbers
from burki.bench.table import Table
from burki.testing import orders_sent
from burki.tests.processes import World
from numbers.services.bulk import LANES

WORKERS = 4
PATH = "/phone-numbers/bulk-purchases"
COUNTED = ("bought", "pending", "uncertain", "buying")  # against the quantity
PATIENCE = 1200  # seconds


def buying_many(world: World, drivers: Drivers, table: Table, quantity: int = 1000) -> None:
    """The few items that were in flight at the kill are settled later, at the pace of production;
    the time ends when all but those are bought."""
    world.sandbox.latency = LATENCY
    few = quantity // 5
    numbers = list(islice(fresh_numbers(world), few))
    began = time.perf_counter()
    bare_orders(world, numbers)
    bare = few / (time.perf_counter() - began)
    world.sandbox.clear_requests()

    headers = {"Authorization": f"Bearer {world.keys[0]}", "Idempotency-Key": "bench"}
    body = {"provider": "twilio", "quantity": quantity, "criteria": {"area_code": "907"}}
    with world.web(processes=1) as web, contextlib.ExitStack() as workers:

        def ask(method: str, path: str, body: Any = None) -> dict[str, Any]:
            run = drivers.run(web.url, [request(method, path, body, headers)], 1)
            run.require(200, 202)
            return json.loads(run.answers[0].body)

        def wait(bought: int) -> float:
            """Seconds since the workers began, when so many are bought."""
            while True:
                told = ask("GET", f"{PATH}/{bulk}")
                done = told["progress"]
                assert sum(done[name] for name in COUNTED) <= quantity, told
                if done["bought"] >= bought:
                    return time.perf_counter() - began
                assert told["state"] == "running", told
                assert time.perf_counter() - began < PATIENCE, told
                time.sleep(0.2)

        bulk = ask("POST", PATH, body)["id"]
        began = time.perf_counter()
        mortal = workers.enter_context(world.worker("bulk"))
        (its,) = world.wait_until(
            lambda: world.postgres.rows("SELECT id FROM procrastinate_workers"), "a worker works"
        )
        for _ in range(WORKERS - 1):
            workers.enter_context(world.worker("bulk"))
        workers.enter_context(world.worker("settle", "default"))
        wait(quantity // 3)
        world.wait_until(
            lambda: world.postgres.rows(
                "SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id = %s",
                its["id"],
            ),
            "it is buying",
        )
        mortal.send_signal(signal.SIGKILL)
        workers.enter_context(world.worker("bulk"))
        taken = wait(quantity - LANES)
        wait(quantity)
    world.sandbox.latency = 0.0
    orders = Counter(str(sent.body["PhoneNumber"]) for sent in orders_sent(world.sandbox))
    twice = {number for number, count in orders.items() if count > 1}
    assert not twice, [
        sent for sent in orders_sent(world.sandbox) if str(sent.body["PhoneNumber"]) in twice
    ]
    bought = [one for one in world.sandbox.owned() if one["phone_number"][2:5] == "907"]
    assert len(bought) == quantity, len(bought)
    pace = (quantity - LANES) / taken
    table.add(
        f"Bulk purchase of {quantity} numbers, {WORKERS} workers, one killed on the way",
        f"{pace:.1f}/s, none twice, none too many",
        f"{bare:.1f}/s by the bare client, {LANES} at a time",
        f"≥ 0.7: {pace / bare:.2f}",
        kept=pace >= 0.7 * bare,
    )


def bare_orders(world: World, numbers: list[str]) -> None:
    clients = [Bare(world.sandbox.url) for _ in range(LANES)]

    def lane(n: int) -> None:
        for number in numbers[n::LANES]:
            clients[n].order("twilio", number)

    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(lane, range(LANES)))
