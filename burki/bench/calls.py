"""What a provider waits for: our answer to a call."""

import contextlib
import itertools
import os
import statistics
from collections.abc import Iterator
from itertools import islice

from burki.bench.buying import CLIENTS as BUYERS
from burki.bench.buying import EVERY, HEALTH, LATENCY, PROBING, burst, order
from burki.bench.load import Drivers, drive_for, request
from burki.bench.site import PRODUCTION, Watch, offered
from burki.bench.table import Table, spread
from burki.testing import TWILIO_TOKEN
from burki.tests.processes import Web, World
from numbers.sandbox.signing import twilio_form

CLIENTS = 32
NUMBERS = 40
URL = f"{PRODUCTION['PUBLIC_BASE_URL']}/twiml"


@contextlib.contextmanager
def desk(world: World, drivers: Drivers) -> Iterator[tuple[Web, Iterator[bytes]]]:
    """A server, and signed requests for calls to numbers that have an assistant with a media
    stream; each is another call, so that each is written to the inbox with its job."""
    pairs = offered(world, NUMBERS)
    with world.web(processes=2) as web:
        orders = [order(key, "twilio", number) for key, number in pairs]
        drivers.run(web.url, orders, 8).require(200)
        world.postgres.rows(
            """WITH made AS (
                   INSERT INTO assistants_assistant (organization_id, name, description, greeting,
                       language, media_stream_url, sms_webhook_url, webhook_url,
                       messaging_service_sid, settings, telnyx_connection_id, is_active,
                       created_at, updated_at)
                   SELECT id, 'Desk', '', '', 'en', 'wss://stream.example/media', '', '', '',
                       '{}', '', true, now(), now()
                   FROM organizations_organization RETURNING id, organization_id)
               UPDATE numbers_phonenumber number SET assistant_id = made.id
               FROM made WHERE made.organization_id = number.organization_id"""
        )
        sids = {
            row["phone_number"]: row["account_sid"]
            for row in world.postgres.rows(
                """SELECT phone_number, account_sid FROM numbers_phonenumber number
                   JOIN organizations_provideraccount account ON account.id = account_id"""
            )
        }
        calls = itertools.count()
        yield web, (ringing(sids, pairs[n % NUMBERS][1], n) for n in calls)


def answering(
    world: World,
    drivers: Drivers,
    table: Table,
    calls: int = 6000,
    rounds: int = 3,
    purchases: int = 1000,
) -> None:
    """What an answer costs, how many there are in a second, and how long one takes beside a burst
    of purchases."""
    with desk(world, drivers) as (web, rings):
        drivers.run(web.url, list(islice(rings, calls // 10)), CLIENTS).require(200)
        with Watch(world, web) as resting:
            health = drivers.run(web.url, [HEALTH] * (calls // rounds), CLIENTS)
        runs, watches = [], []
        for _ in range(rounds):
            part = list(islice(rings, calls // rounds))
            with Watch(world, web) as watch:
                run = drivers.run(web.url, part, CLIENTS)
            run.require(200)
            runs.append(run)
            watches.append(watch)
        written = world.postgres.rows("SELECT count(*) AS n FROM numbers_webhookdelivery")[0]["n"]
        assert written == calls // 10 + sum(len(run.answers) for run in runs), written
        beside_purchases(world, web, drivers, table, rings, purchases, rounds)
    assert all(
        b"wss://stream.example/media" in answer.body for run in runs for answer in run.answers
    )
    cpu = [1000 * watch.cpu / len(run.answers) for run, watch in zip(runs, watches, strict=True)]
    table.add(
        "CPU of the web processes for one /twiml, the inbox written",
        spread(cpu, digits=2),
        f"{1000 * resting.cpu / len(health.answers):.2f} ms for one /healthz",
        "≤ 4 ms",
        kept=statistics.median(cpu) <= 4,
    )
    rates = [run.rate for run in runs]
    busy = statistics.median(watch.cpu / (watch.seconds * os.cpu_count()) for watch in watches)
    table.add(
        f"/twiml, {CLIENTS} clients, 2 processes",
        f"{spread(rates, '/s', 0)}, "
        f"p95 {spread([run.milliseconds(0.95) for run in runs], digits=0)}",
        f"{health.rate:.0f}/s of /healthz; the web processes have {100 * busy:.0f} % of all "
        "processor time, the rest is PostgreSQL's, the clients' and the machine's",
        "≥ 300/s",
        kept=statistics.median(rates) >= 300,
    )


def beside_purchases(
    world: World,
    web: Web,
    drivers: Drivers,
    table: Table,
    rings: Iterator[bytes],
    purchases: int,
    rounds: int,
) -> None:
    """A caller does not wait behind those who buy."""
    once = int(PROBING / EVERY)
    idle, beside = [], []
    for _ in range(rounds):
        alone = drivers.start(drive_for, web.url, list(islice(rings, once)), 1, PROBING, EVERY)
        idle.append(alone.result())
        world.sandbox.latency = LATENCY
        beside.append(burst(world, web, drivers, purchases, list(islice(rings, once))).probe)
        world.sandbox.latency = 0.0
    for run in (*idle, *beside):
        run.require(200)
    alone, ours = ([run.milliseconds(0.95) for run in runs] for runs in (idle, beside))
    ratio = statistics.median(ours) / statistics.median(alone)
    table.add(
        f"/twiml beside {BUYERS} clients that buy, p95",
        spread(ours),
        f"{spread(alone)} when idle",
        f"≤ 5: {ratio:.1f}",
        kept=ratio <= 5,
    )


def ringing(sids: dict[str, str], number: str, n: int) -> bytes:
    form = {
        "CallSid": f"CA{n:032x}",
        "AccountSid": sids[number],
        "From": "+14155550199",
        "To": number,
        "CallStatus": "ringing",
        "ApiVersion": "2010-04-01",
        "Direction": "inbound",
        "Caller": "+14155550199",
        "Called": number,
    }
    signed = twilio_form(URL, form, TWILIO_TOKEN)
    return request("POST", "/twiml", signed.body, signed.headers)
