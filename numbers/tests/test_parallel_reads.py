"""Many readers of everything at once, while others buy, rename, assign, release, and write
assistants: over HTTP."""

from collections import Counter
from functools import partial
from itertools import count
from threading import Event

import pytest
import requests

from burki.testing import in_threads
from burki.tests.processes import PROVIDERS, running_world
from burki.tests.routes import ASSISTANTS, ENDPOINTS, NUMBERS, ROUTES
from burki.tests.test_lists import LISTS, MORE_LISTS

pytestmark = pytest.mark.slow

READERS, WRITERS = 32, 3
READS = 25  # of each reader, at least, and until the writers are done
WRITES = 6  # of each writer, at each provider
# Everything that can be read, whether it is a list or one thing.
PATHS = [
    *((route.url or route.path, LISTS.get(route.path, "")) for route in ROUTES
      if route.method == "GET"),
    *MORE_LISTS,
    (NUMBERS, "limit=5"),
    (ASSISTANTS, "limit=10"),
    ("/readyz", ""),
    ("/healthz", ""),
]  # fmt: skip


@pytest.mark.parametrize(("limit", "statuses"), [("1000000/min", {200}), ("300/min", {200, 429})])
def test_parallel_reads_during_writes_get_answers_or_are_told_to_slow_down(limit, statuses):
    throttles = {"THROTTLE_DEFAULT": limit, "THROTTLE_DEFAULT_ORGANIZATION": limit}
    with running_world(clock_scale=1.0) as world:
        key = world.make_tenants(Acme={})["Acme"]
        with (
            world.worker("settle", "default", "calls", "bulk"),
            world.web(2, **throttles) as web,
        ):
            session = session_of(key)
            names = things(session, web.url, world)
            paths = [f"{path.format(**names)}?{query}" for path, query in PATHS]
            done = Event()

            def writing() -> list[Counter]:
                try:
                    return in_threads(*[partial(write, world, web.url, key)] * WRITERS)
                finally:
                    done.set()

            readers = [partial(read, web.url, key, paths, n, done) for n in range(READERS)]
            written, *seen = in_threads(writing, *readers)

    written, seen = sum(written, Counter()), sum(seen, Counter())
    unforeseen = {asked: n for asked, n in seen.items() if asked[1] not in statuses}
    assert unforeseen == {}
    assert {path for path, status in seen if status == 200} == set(paths)
    assert {status for _, status in seen} == statuses
    assert seen.total() >= READERS * READS
    assert written.keys() <= {200, 201} | statuses
    if 429 not in statuses:
        assert written == {200: WRITERS * WRITES * len(PROVIDERS) * 6, 201: WRITERS * WRITES * 2}


def session_of(key: str) -> requests.Session:
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {key}"
    return session


def things(session: requests.Session, url: str, world) -> dict[str, str]:
    """One of everything that a path names."""

    def post(path: str, body: dict, **headers: str) -> requests.Response:
        answer = session.post(f"{url}{path}", json=body, headers=headers, timeout=60)
        assert answer.ok, answer.text
        return answer

    def first(path: str) -> dict:
        told = session.get(f"{url}{path}", timeout=60).json()
        return (told if isinstance(told, list) else told["items"])[0]

    endpoint = post(ENDPOINTS, {"url": "http://127.0.0.1:9/nobody"}).json()["endpoint"]
    assistant = post(ASSISTANTS, {"name": "Desk"}).json()
    attempt = world.attempt("twilio")
    bought = post(f"{NUMBERS}/purchase", attempt.body | {"assistant_id": assistant["id"]})
    elsewhere = {"area_code": "212"}  # not among the numbers that are wanted one by one
    many = {"provider": "twilio", "quantity": 2, "criteria": elsewhere}
    bulk = post(f"{NUMBERS}/bulk-purchases", many, **{"Idempotency-Key": "many"}).json()
    return {
        "number": attempt.phone_number,
        "purchase": bought.headers["Purchase-Id"],
        "assistant": assistant["id"],
        "bulk": bulk["id"],
        "endpoint": endpoint["id"],
        "event": first("/api/v1/events")["id"],
        "account": first("/api/v1/organization/provider-accounts")["id"],
    }


def read(url: str, key: str, paths: list[str], start: int, done: Event) -> Counter:
    """How many answers each path gave of each status; every one that is JSON is whole."""
    statuses = Counter()
    with session_of(key) as session:
        for n in count(start):
            if n >= start + READS and done.is_set():
                break
            path = paths[n % len(paths)]
            answer = session.get(f"{url}{path}", timeout=60)
            if answer.headers["Content-Type"].startswith("application/json"):
                answer.json()
            if answer.status_code == 429:
                assert answer.headers["Retry-After"].isdecimal()
            statuses[path, answer.status_code] += 1
    return statuses


def write(world, url: str, key: str) -> Counter:
    """Numbers of both providers that are bought, renamed, assigned and released, and the
    assistants that have them meanwhile."""
    statuses = Counter()
    with session_of(key) as session:

        def send(method: str, path: str, body: dict | None = None) -> requests.Response:
            answer = session.request(method, f"{url}{path}", json=body, timeout=60)
            statuses[answer.status_code] += 1
            return answer

        for _ in range(WRITES):
            for provider in PROVIDERS:
                made = send("POST", ASSISTANTS, {"name": "Busy"})
                attempt = world.attempt(provider)
                bought = send("POST", f"{NUMBERS}/purchase", attempt.body)
                if not made.ok or not bought.ok:  # told to slow down
                    continue
                number, assistant = attempt.phone_number, made.json()["id"]
                send("PATCH", f"{NUMBERS}/{number}", {"friendly_name": "Busy"})
                assign = f"{ASSISTANTS}/{assistant}/phone-numbers/assign-by-number"
                send("POST", assign, {"phone_number": number})
                send("PATCH", f"{ASSISTANTS}/{assistant}", {"greeting": "Hello"})
                send("DELETE", f"{ASSISTANTS}/{assistant}")
                send("POST", f"{NUMBERS}/release", {"phone_number": number, "provider": provider})
    return statuses
