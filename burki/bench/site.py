"""What is measured: a world with the settings of production."""

import contextlib
import threading
import time
from collections.abc import Iterator

import psutil

from burki.tests.processes import Web, World, running_world

TENANTS = 8
# A number is bought once, so that every purchase needs another one. Far from the scenarios' digits.
_AREAS = range(200, 1000)
_LINES = range(1000, 5000)

PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "burki.settings",
    "DEBUG": "false",
    "SECRET_KEY": "only-for-the-benchmark-0123456789abcdefghijklmnopqrstuvwxyz",
    "CREDENTIALS_KEY": "b25seS1mb3ItdGhlLWJlbmNobWFyay0wMTIzNDU2Nzg=",
    "ALLOWED_HOSTS": "127.0.0.1",
    "PUBLIC_BASE_URL": "https://numbers.example",
    "BEHIND_TLS_PROXY": "true",
    "LOG_LEVEL": "INFO",
} | {
    f"THROTTLE_{what}{whose}": "10000000/min"
    for what in ("PURCHASE", "SEARCH", "DEFAULT")
    for whose in ("", "_ORGANIZATION")
}


@contextlib.contextmanager
def site() -> Iterator[World]:
    """Migrated, with tenants `Tenant 0` to `Tenant 7`; `world.keys` are their API keys."""
    with running_world(clock_scale=1.0, settle_clock_scale=1.0) as world:
        world.environment |= PRODUCTION
        world.manage("collectstatic", "--noinput", "--verbosity", "0")
        names = [f"Tenant {n}" for n in range(TENANTS)]
        world.keys = list(world.make_tenants(**{name: {} for name in names}).values())
        world.enrich()
        yield world


def signed_in(world: World, tenant: str) -> str:
    """The session of an owner who is signed in at the staff pages."""
    code = f"""
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from organizations.models import Membership, Organization, User
organization = Organization.objects.get(name={tenant!r})
user = User.objects.create_user(f"owner-{{organization.slug}}@example.com")
Membership.objects.create(organization=organization, user=user, role="owner")
session = SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.save()
print(session.session_key)
"""
    return world.manage("shell", "--no-imports", "-c", code).splitlines()[-1]


def fresh_numbers(world: World) -> Iterator[str]:
    """Numbers that nobody wanted yet."""
    if not hasattr(world, "numbers"):
        world.numbers = (f"+1{area}555{line}" for line in _LINES for area in _AREAS)
    return world.numbers


def offered(world: World, count: int) -> list[tuple[str, str]]:
    """So many pairs of (API key, Twilio number): each tenant has just searched for its own."""
    numbers = fresh_numbers(world)
    pairs = [(world.keys[n % TENANTS], next(numbers)) for n in range(count)]
    by_tenant = [[number for key, number in pairs if key == mine] for mine in world.keys]
    for n, theirs in enumerate(by_tenant):
        world.postgres.rows(
            """INSERT INTO numbers_offer (account_id, provider, phone_number, monthly_cost,
                   setup_cost, currency, capabilities, country, region, locality, number_type,
                   seen_at)
               SELECT account.id, 'twilio', number, 1.15, 0, 'USD',
                   '{"voice": true, "sms": true, "mms": true}', 'US', 'CA', 'San Francisco',
                   'local', now()
               FROM unnest(%s::text[]) AS number, organizations_provideraccount account
               JOIN organizations_organization tenant ON tenant.id = organization_id
               WHERE tenant.name = %s AND provider = 'twilio'""",
            theirs, f"Tenant {n}",
        )  # fmt: skip
    return pairs


class Watch:
    """While it is open: CPU seconds of a server's processes, and the most connections to
    PostgreSQL at any moment (of all but our own)."""

    def __init__(self, world: World, web: Web) -> None:
        self._world, self._web = world, web
        self.connections = 0
        self._done = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self._began = time.perf_counter()
        self._cpu = self._cpu_now()
        self._looking.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.cpu = self._cpu_now() - self._cpu
        self.seconds = time.perf_counter() - self._began
        self._done.set()
        self._looking.join()

    def _cpu_now(self) -> float:
        times = [process.cpu_times() for process in self._web.workers()]
        return sum(time.user + time.system for time in times)

    def _look(self) -> None:
        query = """SELECT count(*) AS n FROM pg_stat_activity
                   WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"""
        while not self._done.wait(0.1):
            self.connections = max(self.connections, self._world.postgres.rows(query)[0]["n"])


def memory(process: psutil.Process) -> float:
    """Megabytes that a process and its children hold for themselves."""
    family = [process, *process.children(recursive=True)]
    return sum(member.memory_info().rss for member in family) / 1e6
