"""Purchases one at a time and many at once, and searches."""

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from burki.bench.bare import Bare
from burki.bench.load import Drivers, Run, drive, drive_for, request
from burki.bench.site import TENANTS, Watch, fresh_numbers, offered
from burki.bench.table import Table, spread
from burki.tests.processes import Web, World

CLIENTS = 64
LATENCY = 0.2
PROBING, EVERY = 3.0, 0.02  # for so many seconds, and how often
MORE = 15.0  # milliseconds that we may add to a provider's own time
BUY, SEARCH, HEALTH = "/phone-numbers/purchase", "/phone-numbers/search", request("GET", "/healthz")


def order(key: str, provider: str, number: str) -> bytes:
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": number}
    return request("POST", BUY, {"provider": provider, "phone_number": number}, headers)


@dataclass(frozen=True)
class Burst:
    run: Run
    watch: Watch
    probe: Run


def burst(
    world: World, web: Web, drivers: Drivers, purchases: int, probe: Sequence[bytes] = (HEALTH,)
) -> Burst:
    """So many purchases by 64 clients of 8 tenants, while somebody else asks something else."""
    orders = [order(key, "twilio", number) for key, number in offered(world, purchases)]
    with Watch(world, web) as watch:
        buying = drivers.start(drive, web.url, orders, CLIENTS)
        probing = drivers.start(drive_for, web.url, probe, 1, PROBING, EVERY)
        run, probed = buying.result(), probing.result()
    run.require(200)
    return Burst(run, watch, probed)


def many_at_once(
    world: World, drivers: Drivers, table: Table, purchases: int = 1000, rounds: int = 3
) -> None:
    """Bursts at a provider that answers at once and at one that takes its time, in turns."""
    idle: list[float] = []
    at_once: list[Burst] = []
    waiting: list[Burst] = []
    with world.web(processes=2) as web:
        burst(world, web, drivers, purchases // 5)  # the first ones open connections
        for _ in range(rounds):
            probe = drivers.start(drive_for, web.url, [HEALTH], 1, PROBING, EVERY).result()
            idle.append(probe.milliseconds(0.95))
            for latency, bursts in ((0.0, at_once), (LATENCY, waiting)):
                world.sandbox.latency = latency
                bursts.append(burst(world, web, drivers, purchases))
            world.sandbox.latency = 0.0

    quick, slow = [one.run.rate for one in at_once], [one.run.rate for one in waiting]
    table.add(
        f"Twilio purchases, {CLIENTS} clients, 2 processes, {TENANTS} tenants, provider at 0 ms",
        f"{spread(quick, '/s', 0)}, p95 {_p95(at_once)}",
    )
    most = min(statistics.median(quick), CLIENTS / LATENCY)
    share = statistics.median(slow) / most
    table.add(
        f"The same, provider at {1000 * LATENCY:.0f} ms",
        f"{spread(slow, '/s', 0)}, p95 {_p95(waiting)}",
        f"{most:.0f}/s: the smaller of the above and {CLIENTS}/{LATENCY} s",
        f"≥ 0.75: {share:.2f}",
        kept=share >= 0.75,
    )
    cpu = [1000 * one.watch.cpu / purchases for one in at_once]
    table.add(
        "CPU of the web processes for one purchase",
        spread(cpu),
        f"{cpu_of_a_bare_order(world):.1f} ms: the client library's order alone",
        "≤ 8 ms",
        kept=statistics.median(cpu) <= 8,
    )
    connections = max(one.watch.connections for one in (*at_once, *waiting))
    table.add(
        "PostgreSQL connections of the web processes",
        f"{connections} at most",
        f"{CLIENTS} purchases at a time",
        "≤ 10",
        kept=connections <= 10,
    )
    health = [one.probe.milliseconds(0.95) for one in waiting]
    ratio = statistics.median(health) / statistics.median(idle)
    table.add(
        "/healthz during the slower purchases, p95",
        spread(health),
        f"{spread(idle)} when idle",
        f"≤ 5: {ratio:.1f}",
        kept=ratio <= 5,
    )


def _p95(bursts: list[Burst]) -> str:
    return spread([one.run.milliseconds(0.95) for one in bursts], digits=0)


def cpu_of_a_bare_order(world: World, orders: int = 100) -> float:
    """Milliseconds of our own processor time."""
    bare, numbers = Bare(world.sandbox.url), fresh_numbers(world)
    bare.order("twilio", next(numbers))
    began = time.thread_time()
    for _ in range(orders):
        bare.order("twilio", next(numbers))
    return 1000 * (time.thread_time() - began) / orders


def one_by_one(world: World, drivers: Drivers, table: Table, times: int = 40) -> None:
    """Each of our purchases beside a bare order by the same client library."""
    key, bare = world.keys[0], Bare(world.sandbox.url)
    world.sandbox.order_seconds = LATENCY / 2  # done at the first look
    for provider, what in (("twilio", "the order"), ("telnyx", "order and one look")):
        alone, ours = [], []
        with world.web(processes=1) as web:
            mine = found_by_us(world, web, drivers, provider, times)
            theirs = bare.find_telnyx(times + 1) if provider == "telnyx" else mine[::-1]
            world.sandbox.latency = LATENCY
            for n in range(times + 1):
                began = time.perf_counter()
                bare.order(provider, theirs[n])
                taken = 1000 * (time.perf_counter() - began)
                run = drivers.run(web.url, [order(key, provider, mine[n])], 1)
                run.require(200)
                if n:  # the first ones open connections
                    alone.append(taken)
                    ours.append(run.milliseconds(0.5))
            world.sandbox.latency = 0.0
        more = statistics.median(ours) - statistics.median(alone)
        table.add(
            f"One {provider} purchase after a search, provider at {1000 * LATENCY:.0f} ms",
            spread(ours), f"{spread(alone)}: {what}, by the same client library",
            f"≤ +{MORE:.0f} ms: {more:+.1f} ms", kept=more <= MORE,
        )  # fmt: skip


def found_by_us(world: World, web: Web, drivers: Drivers, provider: str, times: int) -> list[str]:
    """Numbers that the first tenant has just found, twice as many as it is to buy."""
    if provider == "twilio":
        return [number for _, number in offered(world, TENANTS * 2 * (times + 1))][::TENANTS]
    headers = {"Authorization": f"Bearer {world.keys[0]}"}
    found: list[str] = []
    for area in ("415", "212", "312", "206"):
        body = {"provider": provider, "area_code": area, "limit": 30}
        run = drivers.run(web.url, [request("POST", SEARCH, body, headers)], 1)
        run.require(200)
        numbers = json.loads(run.answers[0].body)["numbers"]
        found += [number["phone_number"] for number in numbers]
    return found


def searching(world: World, drivers: Drivers, table: Table, times: int = 15) -> None:
    slow = {"twilio": 0.3, "telnyx": 0.5}
    paths = {"twilio": "/2010-04-01/", "telnyx": "/v2/"}
    for provider, seconds in slow.items():
        world.sandbox.add_fault(method="GET", path=paths[provider], times=None, delay=seconds)
    headers = {"Authorization": f"Bearer {world.keys[0]}"}
    took: dict[str, list[float]] = {"twilio": [], "telnyx": [], "all": []}
    with world.web(processes=2) as web:
        for n in range(times + 1):
            for provider, times_taken in took.items():
                body = {"provider": provider, "area_code": "415"}
                run = drivers.run(web.url, [request("POST", SEARCH, body, headers)], 1)
                run.require(200)
                if n:
                    times_taken.append(run.milliseconds(0.5))
    world.sandbox.clear_faults()
    both = statistics.median(took["all"])
    alone = max(statistics.median(took["twilio"]), statistics.median(took["telnyx"]))
    table.add(
        "Search at both providers (300 and 500 ms)", spread(took["all"]),
        f"{alone:.1f} ms, the slower alone", f"≤ 1.2: {both / alone:.2f}", kept=both <= 1.2 * alone,
    )  # fmt: skip


def keeping_alive(world: World, drivers: Drivers, table: Table, purchases: int = 100) -> None:
    threads = 8
    mine = [pair for pair in offered(world, TENANTS * purchases) if pair[0] == world.keys[0]]
    with world.web(processes=2, WEB_THREADS=str(threads // 2)) as web:
        before = world.sandbox.connections_opened
        run = drivers.run(web.url, [order(key, "twilio", number) for key, number in mine], threads)
        opened = world.sandbox.connections_opened - before
    run.require(200)
    table.add(
        f"Connections to the provider for {purchases} purchases", str(opened),
        f"{threads} threads", f"≤ {threads}", kept=opened <= threads,
    )  # fmt: skip
