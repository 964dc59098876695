"""Ten minutes of everything at once, at providers that fail now and then."""

import random
import statistics
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psutil
import requests

from burki.bench.load import Drivers
from burki.bench.site import PRODUCTION, fresh_numbers, memory, signed_in
from burki.bench.table import Table
from burki.testing import TWILIO_TOKEN
from burki.tests.processes import Web, World
from numbers.sandbox.signing import twilio_form

SEED = 20_261_124
NUMBERS, BULK = "/phone-numbers", "/phone-numbers/bulk-purchases"
ASSISTANTS, TWIML, CALLBACK = "/api/v1/assistants", "/twiml", "/twilio-status"
READS = [NUMBERS, f"{NUMBERS}/purchases", f"{NUMBERS}?status=active", ASSISTANTS, "/readyz", BULK]
PAGES = ["/", "/numbers", "/purchases", "/calls", "/spending", "/assistants"]
REFUSALS = {
    "number_unavailable", "invalid_number", "insufficient_balance", "invalid_credentials",
    "regulatory_requirement", "account_restricted", "sms_not_supported", "rate_limited",
    "provider_error", "provider_unreachable",
}  # fmt: skip
FINE = {(200, "")}
REFUSED = {(500, code) for code in REFUSALS} | {(504, "outcome_unknown")}
# What a request may be answered: the status, and the word of what is no success. What is not here
# may only be answered 200.
ALLOWED = {
    ("POST", f"{NUMBERS}/purchase"): FINE | REFUSED | {
        (409, code) for code in ("purchase_in_progress", "number_already_owned",
                                 "number_already_in_account")
    },
    ("POST", f"{NUMBERS}/release"): FINE | REFUSED | {(409, "release_in_progress")},
    ("POST", f"{NUMBERS}/search"): FINE | REFUSED,
    ("POST", BULK): {(202, "")},
    ("POST", ASSISTANTS): {(201, "")},
    ("POST", CALLBACK): {(204, "")},
}  # fmt: skip
FAULTS = [
    {"status": 500}, {"status": 503}, {"status": 429}, {"status": 401}, {"action": "drop"},
    {"action": "drop", "apply": True}, {"action": "garbage"}, {"action": "redirect"},
    {"status": 500, "apply": True}, {"action": "truncate"}, {"delay": 2.0},
    {"delay": 4.0, "apply": True, "status": 502},
]  # fmt: skip
FAULT_EVERY = 0.5
BULK_EVERY = 30.0
MEMORY_EVERY = 5.0
MAY_GROW = 1.10


@dataclass(frozen=True)
class Owned:
    key: str
    provider: str
    number: str


@dataclass
class Soak:
    world: World
    web: Web
    ends: float
    cookie: str  # of somebody who is signed in at the first tenant
    accounts: dict[str, str]  # Twilio's SID, by API key
    assistants: dict[str, int] = field(default_factory=dict)  # by API key
    answers: Counter = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)
    owned: list[Owned] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def going(self) -> bool:
        return time.monotonic() < self.ends

    def ask(self, session: requests.Session, key: str, method: str, path: str, body: Any) -> Any:
        """What an API's client gets: JSON, or None instead of a refusal."""
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": uuid.uuid4().hex}
        answer = self.send(session, method, path, headers, json=body)
        told = answer.json()
        code = told.get("code", "") if isinstance(told, dict) and not answer.ok else ""
        self.note(method, path, answer, code)
        return told if answer.ok else None

    def send(
        self, session: requests.Session, method: str, path: str, headers: dict, **body: Any
    ) -> requests.Response:
        headers = {"X-Forwarded-Proto": "https"} | headers
        url = f"{self.web.url}{path}"
        return session.request(
            method, url, headers=headers, timeout=60, allow_redirects=False, **body
        )

    def note(self, method: str, path: str, answer: requests.Response, code: str = "") -> None:
        route = path.partition("?")[0]
        got = (answer.status_code, code)
        with self.lock:
            self.answers[method, route if method == "POST" else "", *got] += 1
            if got not in ALLOWED.get((method, route), FINE):
                self.strange.append(f"{method} {path} {answer.status_code} {answer.text[:300]}")

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
                        self.owned.append(Owned(key, provider, number))

    def release(self, chance: random.Random) -> None:
        with requests.Session() as session:
            while self.going():
                with self.lock:
                    gone = self.owned.pop(0) if len(self.owned) > 40 else None
                if gone:
                    body = {"phone_number": gone.number}
                    self.ask(session, gone.key, "POST", f"{NUMBERS}/release", body)
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

    def newest(self, chance: random.Random, provider: str) -> Owned | None:
        """A number that will not be released at once."""
        with self.lock:
            some = [one for one in self.owned[-20:] if one.provider == provider]
        return chance.choice(some) if some else None

    def assign(self, chance: random.Random) -> None:
        with requests.Session() as session:
            for key in self.world.keys:
                made = self.ask(session, key, "POST", ASSISTANTS, {"name": "Desk"})
                self.assistants[key] = made["id"]
            while self.going():
                if one := self.newest(chance, chance.choice(["twilio", "telnyx"])):
                    body = {"assistant_id": chance.choice([self.assistants[one.key], 0])}
                    self.ask(session, one.key, "PATCH", f"{NUMBERS}/{one.number}", body)
                time.sleep(0.2)

    def ring(self, chance: random.Random) -> None:
        """Calls to Twilio's numbers and their ends, and text messages."""
        with requests.Session() as session:
            while self.going():
                one = self.newest(chance, "twilio")
                time.sleep(0.05)
                if one is None:
                    continue
                form = {
                    "AccountSid": self.accounts[one.key],
                    "From": "+14155550199",
                    "To": one.number,
                    "ApiVersion": "2010-04-01",
                }
                sid = uuid.uuid4().hex
                call = form | {"CallSid": f"CA{sid}", "Direction": "inbound"}
                self.tell(session, TWIML, call | {"CallStatus": "ringing"})
                ended = {"CallStatus": "completed", "CallDuration": "12"}
                self.tell(session, CALLBACK, call | ended)
                self.tell(session, TWIML, form | {"MessageSid": f"SM{sid}", "Body": "Hello"})

    def tell(self, session: requests.Session, path: str, form: dict[str, str]) -> None:
        signed = twilio_form(f"{PRODUCTION['PUBLIC_BASE_URL']}{path}", form, TWILIO_TOKEN)
        self.note("POST", path, self.send(session, "POST", path, signed.headers, data=signed.body))

    def look(self, chance: random.Random) -> None:
        """At the staff pages."""
        with requests.Session() as session:
            headers = {"Cookie": f"sessionid={self.cookie}"}
            while self.going():
                path = chance.choice(PAGES)
                self.note("GET", path, self.send(session, "GET", path, headers))
                time.sleep(0.3)

    def buy_many(self, chance: random.Random) -> None:
        with requests.Session() as session:
            while self.going():
                body = {
                    "provider": chance.choice(["twilio", "telnyx"]),
                    "quantity": 5,
                    "criteria": {"area_code": chance.choice(["907", "808", "406"])},
                }
                self.ask(session, chance.choice(self.world.keys), "POST", BULK, body)
                time.sleep(min(BULK_EVERY, max(0.0, self.ends - time.monotonic())))

    def disturb(self, chance: random.Random) -> None:
        while self.going():
            method = chance.choice(["POST", "POST", "GET", "DELETE"])
            self.world.sandbox.add_fault(method=method, **chance.choice(FAULTS))
            time.sleep(FAULT_EVERY)
        self.world.sandbox.clear_faults()


def soaking(world: World, drivers: Drivers, table: Table, minutes: float = 10.0) -> None:
    world.sandbox.latency = 0.05
    world.environment["SETTLE_CLOCK_SCALE"] = "0.05"  # else what is in doubt takes five minutes
    accounts = world.postgres.rows(
        """SELECT account_sid FROM organizations_provideraccount account
           JOIN organizations_organization tenant ON tenant.id = organization_id
           WHERE provider = 'twilio' ORDER BY tenant.name"""
    )
    sids = [row["account_sid"] for row in accounts]
    with world.worker("settle", "default", "calls", "bulk") as worker, world.web(2) as web:
        soak = Soak(
            world,
            web,
            time.monotonic() + 60 * minutes,
            cookie=signed_in(world, "Tenant 0"),
            accounts=dict(zip(world.keys, sids, strict=True)),
        )
        parts = [
            *[soak.buy] * 4, *[soak.read] * 4, soak.release, soak.search, soak.assign, soak.ring,
            soak.look, soak.buy_many, soak.disturb,
        ]  # fmt: skip
        with ThreadPoolExecutor(len(parts)) as pool:
            running = [pool.submit(part, random.Random(SEED + n)) for n, part in enumerate(parts)]
            processes = {
                "web": psutil.Process(web.process.pid),
                "worker": psutil.Process(worker.pid),
            }
            held: dict[str, list[float]] = {name: [] for name in processes}
            while soak.going():
                for name, process in processes.items():
                    held[name].append(memory(process))
                time.sleep(min(MEMORY_EVERY, 60 * minutes / 12))
            for part in running:
                part.result()
        settled = _settled(world)
    asked = soak.answers.total()
    bought = sum(n for (_, path, status, _), n in soak.answers.items()
                 if path.endswith("/purchase") and status == 200)  # fmt: skip
    doubtful = sum(n for (*_, status, _), n in soak.answers.items() if status == 504)
    rung = sum(n for (_, path, *_), n in soak.answers.items() if path == TWIML)
    table.add(
        f"Soak of {minutes:g} minutes: answers that the fault table does not allow",
        f"{len(soak.strange)} of {asked}" + "".join(f"; {one}" for one in soak.strange[:3]),
        f"{bought} bought, {doubtful} in doubt at first, {rung} calls and messages, a fault every "
        f"{FAULT_EVERY} s",
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
    theirs, ours = world.inventories()
    table.add(
        "Books after the soak",
        f"{len(ours)} numbers here, {len(set(ours) ^ set(theirs))} not the same; "
        f"{'nothing' if settled else 'something'} in doubt",
        f"{len(theirs)} there",
        "the same",
        kept=settled and ours == theirs,
    )
    world.sandbox.latency = 0.0


def _settled(world: World, seconds: float = 240) -> bool:
    """Until nothing is in doubt any more."""
    query = """SELECT (SELECT count(*) FROM numbers_purchase
                       WHERE state IN ('ordering', 'uncertain', 'pending'))
                    + (SELECT count(*) FROM numbers_phonenumber WHERE status = 'releasing')
                    + (SELECT count(*) FROM numbers_bulkpurchase WHERE state = 'running') AS n"""
    ends = time.monotonic() + seconds
    while world.postgres.rows(query)[0]["n"]:
        if time.monotonic() > ends:
            return False
        time.sleep(1)
    return True
