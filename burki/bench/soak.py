"""Ten minutes of everything at once, at providers that fail now and then."""

import random
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import psutil
import requests

from burki.bench.load import Drivers
from burki.bench.site import fresh_numbers, memory
from burki.bench.table import Table
from burki.tests.processes import Web, World

SEED = 20_261_124
NUMBERS = "/phone-numbers"
READS = [
    NUMBERS,
    f"{NUMBERS}/purchases",
    f"{NUMBERS}?status=active",
    "/api/v1/assistants",
    "/readyz",
]
# What a request may be answered: the status, and the word of what is no success.
REFUSALS = {
    "number_unavailable", "invalid_number", "insufficient_balance", "invalid_credentials",
    "regulatory_requirement", "account_restricted", "sms_not_supported", "rate_limited",
    "provider_error", "provider_unreachable",
}  # fmt: skip
ALLOWED = {
    200: {""},
    409: {"purchase_in_progress", "release_in_progress", "number_already_owned",
          "number_already_in_account"},
    500: REFUSALS,
    504: {"outcome_unknown"},
}  # fmt: skip
FAULTS = [
    {"status": 500}, {"status": 503}, {"status": 429}, {"status": 401}, {"action": "drop"},
    {"action": "drop", "apply": True}, {"action": "garbage"}, {"action": "redirect"},
    {"status": 500, "apply": True}, {"action": "truncate"}, {"delay": 2.0},
    {"delay": 4.0, "apply": True, "status": 502},
]  # fmt: skip
FAULT_EVERY = 0.5
MEMORY_EVERY = 5.0
MAY_GROW = 1.10


@dataclass
class Soak:
    world: World
    web: Web
    ends: float
    answers: Counter = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)
    owned: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def going(self) -> bool:
        return time.monotonic() < self.ends

    def ask(self, session: requests.Session, key: str, method: str, path: str, body: Any) -> Any:
        headers = {"Authorization": f"Bearer {key}", "X-Forwarded-Proto": "https"}
        answer = session.request(
            method, f"{self.web.url}{path}", json=body, headers=headers, timeout=60
        )
        told = answer.json()
        code = told.get("code", "") if isinstance(told, dict) and answer.status_code != 200 else ""
        with self.lock:
            self.answers[method, path.partition("?")[0], answer.status_code, code] += 1
            if code not in ALLOWED.get(answer.status_code, ()):
                self.strange.append(f"{method} {path} {answer.status_code} {answer.text[:300]}")
        return told if answer.status_code == 200 else None

    def buy(self, chance: random.Random) -> None:
        with requests.Session() as session:
            while self.going():
                key = chance.choice(self.world.keys)
                provider = chance.choice(["twilio", "telnyx"])
                with self.lock:
                    number = next(fresh_numbers(self.world))
                body = {"provider": provider, "phone_number": number}
                if self.ask(session, key, "POST", f"{NUMBERS}/purchase", body):
                    with self.lock:
                        self.owned.append((key, number))

    def release(self, chance: random.Random) -> None:
        with requests.Session() as session:
            while self.going():
                with self.lock:
                    key, number = self.owned.pop(0) if len(self.owned) > 20 else ("", "")
                if number:
                    self.ask(session, key, "POST", f"{NUMBERS}/release", {"phone_number": number})
                time.sleep(0.2)

    def read(self, chance: random.Random) -> None:
        with requests.Session() as session:
            while self.going():
                self.ask(session, chance.choice(self.world.keys), "GET", chance.choice(READS), None)
                time.sleep(0.02)

    def search(self, chance: random.Random) -> None:
        with requests.Session() as session:
            while self.going():
                body = {"provider": "all", "area_code": chance.choice(["415", "212", "312"])}
                key = chance.choice(self.world.keys)
                self.ask(session, key, "POST", f"{NUMBERS}/search", body)
                time.sleep(0.5)

    def disturb(self, chance: random.Random) -> None:
        while self.going():
            method = chance.choice(["POST", "POST", "GET", "DELETE"])
            self.world.sandbox.add_fault(method=method, **chance.choice(FAULTS))
            time.sleep(FAULT_EVERY)
        self.world.sandbox.clear_faults()


def soaking(world: World, drivers: Drivers, table: Table, minutes: float = 10.0) -> None:
    world.sandbox.latency = 0.05
    world.environment["SETTLE_CLOCK_SCALE"] = "0.05"  # else what is in doubt takes five minutes
    with world.worker("settle", "default", "calls", "bulk") as worker, world.web(2) as web:
        soak = Soak(world, web, time.monotonic() + 60 * minutes)
        parts = [*[soak.buy] * 4, *[soak.read] * 4, soak.release, soak.search, soak.disturb]
        threads = [
            threading.Thread(target=part, args=(random.Random(SEED + n),))
            for n, part in enumerate(parts)
        ]
        for thread in threads:
            thread.start()
        processes = {"web": psutil.Process(web.process.pid), "worker": psutil.Process(worker.pid)}
        held: dict[str, list[float]] = {name: [] for name in processes}
        while soak.going():
            for name, process in processes.items():
                held[name].append(memory(process))
            time.sleep(MEMORY_EVERY)
        for thread in threads:
            thread.join()
        settled = _settled(world)
    asked = soak.answers.total()
    bought = sum(n for (_, path, status, _), n in soak.answers.items()
                 if path.endswith("/purchase") and status == 200)  # fmt: skip
    doubtful = sum(n for (*_, status, _), n in soak.answers.items() if status == 504)
    table.add(
        f"Soak of {minutes:g} minutes: answers that the fault table does not allow",
        f"{len(soak.strange)} of {asked}" + "".join(f"; {one}" for one in soak.strange[:3]),
        f"{bought} bought, {doubtful} in doubt at first, a fault every {FAULT_EVERY} s",
        "0", kept=not soak.strange,
    )  # fmt: skip
    for name, samples in held.items():
        third = len(samples) // 3
        early, late = (
            statistics.median(samples[third : 2 * third]),
            statistics.median(samples[-third:]),
        )
        table.add(
            f"Memory of the {name} processes", f"{late:.0f} MB in the last third",
            f"{early:.0f} MB in the one before", f"≤ {MAY_GROW}: {late / early:.2f}",
            kept=late <= MAY_GROW * early,
        )  # fmt: skip
    world.assert_inventories_agree()
    table.add(
        "Books after the soak", f"{len(world.sandbox.owned())} numbers there and here",
        "", "the same", kept=settled,
    )  # fmt: skip
    world.sandbox.latency = 0.0


def _settled(world: World, seconds: float = 240) -> bool:
    """Until nothing is in doubt any more."""
    query = """SELECT (SELECT count(*) FROM numbers_purchase
                       WHERE state IN ('ordering', 'uncertain', 'pending'))
                    + (SELECT count(*) FROM numbers_phonenumber WHERE status = 'releasing') AS n"""
    ends = time.monotonic() + seconds
    while world.postgres.rows(query)[0]["n"]:
        if time.monotonic() > ends:
            return False
        time.sleep(1)
    return True
