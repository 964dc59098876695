"""Many readers at once, while others buy, rename, assign and release: over HTTP."""

from collections import Counter
from functools import partial
from itertools import count
from threading import Event

import pytest
import requests

from burki.testing import in_threads
from burki.tests.processes import running_world
from burki.tests.routes import ASSISTANTS, INVENTORY, NUMBERS

pytestmark = pytest.mark.slow

READERS, WRITERS = 32, 3
READS = 25  # of each reader, at least, and until the writers are done
WRITES = 12  # of each writer
PATHS = [
    NUMBERS,
    f"{NUMBERS}?limit=5",
    f"{NUMBERS}/purchases",
    INVENTORY,
    f"{INVENTORY}/available",
    f"{ASSISTANTS}?limit=10",
    f"{ASSISTANTS}/count",
    f"{NUMBERS}/countries",
    "/readyz",
    "/healthz",
]


@pytest.mark.parametrize(("limit", "statuses"), [("1000000/min", {200}), ("900/min", {200, 429})])
def test_parallel_reads_during_writes_get_answers_or_are_told_to_slow_down(limit, statuses):
    throttles = {"THROTTLE_DEFAULT": limit, "THROTTLE_DEFAULT_ORGANIZATION": limit}
    with running_world(clock_scale=1.0) as world:
        key = world.make_tenants(Acme={})["Acme"]
        with world.worker("settle", "default", "calls"), world.web(2, **throttles) as web:
            done = Event()

            def writing() -> list[Counter]:
                try:
                    return in_threads(*[partial(write, world, web, key)] * WRITERS)
                finally:
                    done.set()

            readers = [partial(read, web.url, key, n, done) for n in range(READERS)]
            written, *seen = in_threads(writing, *readers)

    written, seen = sum(written, Counter()), sum(seen, Counter())
    assert written.keys() | seen.keys() == statuses
    assert written.total() == WRITERS * WRITES * 3
    assert seen.total() >= READERS * READS


def read(url: str, key: str, start: int, done: Event) -> Counter:
    """How many answers there were of each status; every one that is JSON is whole."""
    statuses = Counter()
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {key}"
        for n in count(start):
            if n >= start + READS and done.is_set():
                break
            answer = session.get(f"{url}{PATHS[n % len(PATHS)]}", timeout=60)
            if answer.headers["Content-Type"].startswith("application/json"):
                answer.json()
            if answer.status_code == 429:
                assert answer.headers["Retry-After"].isdecimal()
            statuses[answer.status_code] += 1
    return statuses


def write(world, web, key: str) -> Counter:
    """Numbers that are bought, renamed and released."""
    statuses = Counter()
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {key}"
        for _ in range(WRITES):
            attempt = world.attempt("twilio")
            number = {"phone_number": attempt.phone_number}
            for send, path, body in (
                (session.post, "/purchase", attempt.body),
                (session.patch, f"/{attempt.phone_number}", {"friendly_name": "Busy"}),
                (session.post, "/release", number | {"provider": "twilio"}),
            ):
                answer = send(f"{web.url}{NUMBERS}{path}", json=body, timeout=60)
                statuses[answer.status_code] += 1
    return statuses
