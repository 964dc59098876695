"""A million numbers over a thousand organizations, a tenth of them in one: what its pages cost,
beside those of an organization that has a thousand."""

import json
import time
from collections.abc import Callable

from burki.bench.beside import run_beside
from burki.bench.buying import order
from burki.bench.comparing import comparing
from burki.bench.load import Drivers, Run, request
from burki.bench.pages import FILES, PAGES, REPORTS, Tenant
from burki.bench.site import offered, signed_in
from burki.bench.table import Table
from burki.tests.processes import Web, World

NUMBERS, ORGANIZATIONS = 1_000_000, 1_000
TIMES = 40  # each page, of each tenant
FEW = 2  # of what sends every row
PURCHASES = 40
RATIO = 3.0
REPORT_SECONDS = 2.0


def reading(world: World, drivers: Drivers, table: Table, numbers: int = NUMBERS) -> None:
    size = {"numbers": numbers, "organizations": min(ORGANIZATIONS, max(10, numbers // 1000))}
    with world.web(processes=1) as web:
        grow(world, web, drivers, table, size)
        small, large = (Tenant.of(world, n, signed_in(world, f"Tenant {n}")) for n in (1, 0))
        buying_with_a_limit(world, web, drivers, table)
        # Before the pages: it leaves numbers of others that are newer than all that they show, as a
        # tenant meets them that bought nothing lately.
        comparing(world, drivers, table, size["numbers"] // 10)
        explained(world, large, table)
        of_large = f"{_count(world, large):,} of {_count(world):,} numbers"
        of_small = f"with {_count(world, small):,}"
        for name, path in PAGES.items():
            theirs, ours = ask_both(drivers, web, path, small, large)
            ratio = ours.milliseconds(0.95) / theirs.milliseconds(0.95)
            promise, kept = f"≤ {RATIO:.0f}: {ratio:.1f}", ratio <= RATIO
            if name in REPORTS:
                promise += f", ≤ {REPORT_SECONDS:.0f} s"
                kept = kept and ours.milliseconds(0.95) <= 1000 * REPORT_SECONDS
            table.add(
                f"{name}, {of_large}", _times(ours), f"{_times(theirs)} {of_small}", promise,
                kept=kept,
            )  # fmt: skip
        for name, path in FILES.items():
            run = drivers.run(web.url, [asked(large, path)] * FEW, 1)
            run.require(200)
            seconds, lines = run.milliseconds(1) / 1000, run.answers[0].body.count(b"\n") - 1
            promised = name in REPORTS
            table.add(
                f"{name}, {of_large}", f"{seconds:.2f} s at most, {lines:,} rows", "",
                f"≤ {REPORT_SECONDS:.0f} s" if promised else "",
                kept=seconds <= REPORT_SECONDS if promised else None,
            )  # fmt: skip


def explained(world: World, large: Tenant, table: Table) -> None:
    paths = [large.path(path) for path in (PAGES | FILES).values()]
    asked = {"name": large.name, "key": large.key, "cookie": large.cookie, "paths": paths}
    told = json.loads(run_beside(world, "burki.bench.plans", asked).splitlines()[-1])
    table.add(
        f"Sequential scans on the hot paths: {len(paths)} pages, search, purchase with limits, "
        "calls, settling, events, release",
        "; ".join(told["found"]) or "none", f"{told['statements']:,} statements explained", "none",
        kept=not told["found"],
    )  # fmt: skip


def _times(run: Run) -> str:
    return f"p50 {run.milliseconds(0.5):.0f} ms, p95 {run.milliseconds(0.95):.0f} ms"


def asked(tenant: Tenant, path: str) -> bytes:
    return request("GET", tenant.path(path), None, tenant.headers(path))


def ask_both(
    drivers: Drivers, web: Web, path: str, small: Tenant, large: Tenant
) -> tuple[Run, Run]:
    """In turns, so that whatever else the machine does meets both."""
    return in_turns(drivers, web, [lambda n: asked(small, path), lambda n: asked(large, path)])


def in_turns(
    drivers: Drivers, web: Web, asking: list[Callable[[int], bytes]], times: int = TIMES
) -> tuple[Run, ...]:
    """Requests of several kinds, one of each after the other; the first of each is not counted."""
    requests = [ask(n) for n in range(times + 1) for ask in asking]
    run = drivers.run(web.url, requests, 1)
    run.require(200)
    kinds = len(asking)
    return tuple(Run(run.answers[kinds + kind :: kinds], 1.0) for kind in range(kinds))


def buying_with_a_limit(world: World, web: Web, drivers: Drivers, table: Table) -> None:
    """What is committed already is summed by each claim, under the organization's lock."""
    world.postgres.rows(
        """UPDATE organizations_organization SET monthly_limit = 10000000, number_limit = 10000000
           WHERE name IN ('Tenant 0', 'Tenant 1')"""
    )
    pairs = offered(world, 8 * (PURCHASES + 1))
    wanted = [iter([number for key, number in pairs if key == world.keys[n]]) for n in (1, 0)]
    theirs, ours = in_turns(
        drivers, web,
        [lambda n: order(world.keys[1], "twilio", next(wanted[0])),
         lambda n: order(world.keys[0], "twilio", next(wanted[1]))],
        PURCHASES,
    )  # fmt: skip
    ratio = ours.milliseconds(0.95) / theirs.milliseconds(0.95)
    table.add(
        "One purchase of the largest tenant, with limits of money and of count",
        _times(ours), f"{_times(theirs)} of the tenant with few numbers",
        f"≤ {RATIO:.0f}: {ratio:.1f}", kept=ratio <= RATIO,
    )  # fmt: skip


def _count(world: World, tenant: Tenant | None = None) -> int:
    """How many numbers there are that were not released."""
    query = "SELECT count(*) AS n FROM numbers_phonenumber WHERE status <> 'released'"
    if tenant is None:
        return world.postgres.rows(query)[0]["n"]
    query += " AND organization_id = (SELECT id FROM organizations_organization WHERE name = %s)"
    return world.postgres.rows(query, tenant.name)[0]["n"]


def grow(world: World, web: Web, drivers: Drivers, table: Table, size: dict[str, int]) -> None:
    """Copies of one purchase and its rows, as the real thing wrote them."""
    for key, number in offered(world, 8)[:2]:
        drivers.run(web.url, [order(key, "twilio", number)], 1).require(200)
    began = time.perf_counter()
    run_beside(world, "burki.bench.growing", size)
    took = time.perf_counter() - began
    (rows,) = world.postgres.rows(
        """SELECT pg_size_pretty(pg_database_size(current_database())) AS disk,
               sum(n_live_tup)::bigint AS n FROM pg_stat_user_tables"""
    )
    table.add(
        f"Writing {size['numbers']:,} numbers of {size['organizations']:,} organizations",
        f"{took:.0f} s, {rows['n']:,} rows, {rows['disk']}",
    )
