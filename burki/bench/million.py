"""A million numbers over a thousand organizations, a tenth of them in one: what its pages cost,
beside those of an organization that has a thousand."""

import json
import subprocess
import sys
import time
from base64 import b64encode
from dataclasses import dataclass

from django.conf import settings

from burki.bench.buying import order
from burki.bench.load import Drivers, Run, request
from burki.bench.site import offered
from burki.bench.table import Table
from burki.tests.processes import STAFF, Web, World

LARGE, SMALL, OTHERS = 10_000, 1_000, 20
TIMES = 20  # each page, of each tenant
RATIO = 3.0
REPORT_SECONDS = 2.0
# `{deep}` is the key of a row in the midst.
PAGES = {
    "numbers": "/phone-numbers",
    "numbers, deep": "/phone-numbers?cursor={cursor}",
    "numbers by status": "/phone-numbers?status=pending",
    "numbers by provider": "/phone-numbers?provider=telnyx",
    "numbers without assistant": "/phone-numbers?assigned=false",
    "numbers by text": "/phone-numbers?search=7777",
    "purchases": "/phone-numbers/purchases",
    "purchases, refused": "/phone-numbers/purchases?state=refused",
    "inventory": "/api/v1/assistants/organization/phone-numbers",
    "available": "/api/v1/assistants/organization/phone-numbers/available",
    "assistants": "/api/v1/assistants",
    "page: overview": "/",
    "page: numbers": "/numbers",
    "page: numbers, deep": "/numbers?before={deep}",
    "page: numbers by status": "/numbers?status=pending",
    "page: numbers without assistant": "/numbers?assistant=none",
    "page: purchases": "/purchases",
    "page: find": "/buy",
}
REPORTS: dict[str, str] = {}


@dataclass(frozen=True)
class Tenant:
    name: str
    key: str
    cookie: str
    deep: int

    def asks(self, path: str) -> bytes:
        """An API's request by key, a page's by the session."""
        cursor = b64encode(f"p={self.deep}".encode()).decode()
        path = path.format(deep=self.deep, cursor=cursor)
        if path.startswith(("/phone-numbers", "/api/")):
            return request("GET", path, None, {"Authorization": f"Bearer {self.key}"})
        return request("GET", path, None, {"Cookie": f"sessionid={self.cookie}"})


def reading(world: World, drivers: Drivers, table: Table) -> None:
    with world.web(processes=1) as web:
        grow(world, web, drivers)
        large, small = tenant(world, 0, LARGE), tenant(world, 1, SMALL)
        slowest: list[tuple[float, str]] = []
        for name, path in PAGES.items():
            theirs, ours = ask_both(drivers, web, path, small, large)
            ratio = ours.milliseconds(0.95) / theirs.milliseconds(0.95)
            slowest.append((ratio, name))
            table.add(
                f"{name}, {LARGE:,} numbers",
                f"p50 {ours.milliseconds(0.5):.0f} ms, p95 {ours.milliseconds(0.95):.0f} ms",
                f"p50 {theirs.milliseconds(0.5):.0f} ms, p95 {theirs.milliseconds(0.95):.0f} ms "
                f"with {SMALL:,}",
                f"≤ {RATIO:.0f}: {ratio:.1f}",
                kept=ratio <= RATIO,
            )
        for name, path in REPORTS.items():
            run = drivers.run(web.url, [large.asks(path)] * 5, 1)
            run.require(200)
            worst = max(answer.seconds for answer in run.answers)
            table.add(
                f"{name}, {LARGE:,} numbers", f"{worst:.2f} s at worst", "",
                f"≤ {REPORT_SECONDS:.0f} s", kept=worst <= REPORT_SECONDS,
            )  # fmt: skip
    scans = sequential_scans(world, [*PAGES.values(), *REPORTS.values()], large)
    table.add(
        "Sequential scans on the hot paths", "; ".join(scans) or "none",
        f"{len(PAGES) + len(REPORTS)} pages, a purchase, a call", "none", kept=not scans,
    )  # fmt: skip


def ask_both(
    drivers: Drivers, web: Web, path: str, small: Tenant, large: Tenant
) -> tuple[Run, Run]:
    """In turns, so that whatever else the machine does meets both."""
    runs: dict[str, list] = {small.name: [], large.name: []}
    for n in range(TIMES + 1):
        for one in (small, large):
            run = drivers.run(web.url, [one.asks(path)], 1)
            run.require(200)
            if n:
                runs[one.name] += run.answers
    return tuple(Run(answers, 1.0) for answers in runs.values())


def grow(world: World, web: Web, drivers: Drivers) -> None:
    """Copies of one purchase and its rows, as the real thing wrote them."""
    pairs = offered(world, 8)
    for key, number in pairs[:2]:
        drivers.run(web.url, [order(key, "twilio", number)], 1).require(200)
    began = time.perf_counter()
    world.manage("shell", "--no-imports", "-c", _GROW)
    print(f"grown in {time.perf_counter() - began:.0f} s")


_GROW = f"""
from burki.bench.growing import grow
grow(large={LARGE}, small={SMALL}, others={OTHERS})
"""


def tenant(world: World, n: int, rows: int) -> Tenant:
    """With an owner who is signed in."""
    code = f"""
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from organizations.models import Membership, Organization, User
user = User.objects.create_user("owner{n}@example.com", {STAFF[1]!r})
organization = Organization.objects.get(name="Tenant {n}")
Membership.objects.create(organization=organization, user=user, role="owner")
session = SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.save()
print(session.session_key)
"""
    cookie = world.manage("shell", "--no-imports", "-c", code).splitlines()[-1]
    middle = world.postgres.rows(
        """SELECT id FROM numbers_phonenumber WHERE organization_id =
               (SELECT id FROM organizations_organization WHERE name = %s)
           ORDER BY id DESC OFFSET %s LIMIT 1""",
        f"Tenant {n}", rows * 9 // 10,
    )  # fmt: skip
    return Tenant(f"Tenant {n}", world.keys[n], cookie, middle[0]["id"])


def sequential_scans(world: World, paths: list[str], large: Tenant) -> list[str]:
    """What PostgreSQL would read from beginning to end, of the tables that are large."""
    asked = [path.format(deep=large.deep, cursor=b64encode(f"p={large.deep}".encode()).decode())
             for path in paths]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "burki.bench.plans"],
        input=json.dumps({"key": large.key, "cookie": large.cookie, "paths": asked}),
        cwd=settings.BASE_DIR, env=world.environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
