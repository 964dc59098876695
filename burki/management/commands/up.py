"""Everything on this machine, in one command: `make run`."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

_TERM_WHEN_PARENT_DIES = 1  # prctl's PR_SET_PDEATHSIG


class Command(BaseCommand):
    help = (
        "Run the database, the sandbox, the workers and the web server with demo data until "
        "Ctrl-C. Started by `make run`, which sets DEBUG and SANDBOX."
    )

    def handle(self, **options):
        if not settings.SANDBOX:
            raise CommandError("`up` is for trying things out and needs SANDBOX=true.")
        port = int(os.environ.get("PORT", "8000"))
        sandbox_port = int(os.environ.get("SANDBOX_PORT", "8100"))
        for name, taken in (("PORT", port), ("SANDBOX_PORT", sandbox_port)):
            refuse_taken_port(name, taken)
        self.children: list[subprocess.Popen] = []
        os.environ["PUBLIC_BASE_URL"] = os.environ.get(
            "PUBLIC_BASE_URL", f"http://127.0.0.1:{port}"
        )
        sandbox = f"http://127.0.0.1:{sandbox_port}"
        os.environ |= {
            "TWILIO_API_BASE_URL": sandbox,
            "TWILIO_PRICING_BASE_URL": sandbox,
            "TELNYX_API_BASE_URL": f"{sandbox}/v2",
        }
        # Set, not inherited: a shell's background job would ignore Ctrl-C.
        signal.signal(signal.SIGINT, self.interrupt)
        signal.signal(signal.SIGTERM, self.interrupt)
        signal.signal(signal.SIGHUP, self.hang_up)
        try:
            self.start_all(port, sandbox_port)
        except KeyboardInterrupt:
            self.stdout.write("\nstopping")
        finally:
            self.stop_all()

    def start_all(self, port: int, sandbox_port: int) -> None:
        call_command("migrate", verbosity=0)
        connection.close()
        connection.close_pool()  # the children have their own
        data, key_file = settings.DATA_DIR, settings.DATA_DIR / "demo.json"
        state = str(data / "sandbox.json")
        self.start("manage.py", "run_sandbox", "--port", str(sandbox_port), "--state", state)
        wait_for(f"http://127.0.0.1:{sandbox_port}/_sandbox/health", self.ensure_alive)
        manage = [sys.executable, "manage.py", "seed_demo", "--key-file", str(key_file)]
        quiet = os.environ | {"LOG_LEVEL": "WARNING"}
        subprocess.run(manage, cwd=settings.BASE_DIR, env=quiet, check=True)
        for queues in (["calls"], ["settle"], ["default", "bulk"]):
            most = "16" if queues == ["calls"] else "4"
            self.start("manage.py", "run_worker", "--queues", *queues, "--concurrency", most)
        self.start(
            "-m", "gunicorn", "burki.wsgi", "-c", "python:burki.gunicorn_conf",
            "-b", f"127.0.0.1:{port}", "--threads", "8",
        )  # fmt: skip
        wait_for(f"http://127.0.0.1:{port}/healthz", self.ensure_alive)
        self.stdout.write(welcome(f"http://127.0.0.1:{port}", key_file))
        self.stdout.flush()
        while True:
            self.ensure_alive()
            time.sleep(0.5)

    def start(self, *arguments: str) -> None:
        child = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            start_new_session=True,  # Ctrl-C reaches only us; we stop them in order
            preexec_fn=die_with_parent,
        )
        self.children.append(child)

    def ensure_alive(self) -> None:
        for child in self.children:
            if child.poll() is not None:
                raise CommandError(f"{' '.join(child.args[1:3])} ended with {child.returncode}.")

    def stop_all(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half running
        for child in reversed(self.children):
            child.terminate()
        ends = time.monotonic() + 10
        for child in self.children:
            try:
                child.wait(max(0.1, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def interrupt(self, *args) -> None:
        raise KeyboardInterrupt

    def hang_up(self, *args) -> None:
        """The terminal was closed: nobody reads any more."""
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        raise KeyboardInterrupt


def die_with_parent() -> None:
    """Linux: end this child when the supervisor is killed, which cannot stop it any more."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_TERM_WHEN_PARENT_DIES, signal.SIGTERM)


def refuse_taken_port(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise CommandError(
                f"Port {port} is in use. Is it running already? Choose another: {name}={port + 1}"
            ) from None


def wait_for(url: str, check: Callable[[], None]) -> None:
    for _ in range(300):
        check()
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise CommandError(f"{url} did not answer within 30 seconds.")


def welcome(base: str, key_file: Path) -> str:
    facts = json.loads(key_file.read_text())
    body = {
        "phone_number": facts["number"],
        "provider": "telnyx",
        "assistant_id": facts["assistant_id"],
        "friendly_name": "My first number",
    }
    return f"""
Burki Numbers runs at {base}  (sandbox: no real number is bought; Ctrl-C stops everything)

  Staff    {base}/         {facts["email"]} / {facts["password"]}
  Admin    {base}/admin/   the same login
  API key  {facts["key"]}
  API      {base}/docs   (or {base}/redoc, {base}/openapi.yaml)

Buy a number:

  curl -s -X POST {base}/phone-numbers/purchase \\
    -H "Authorization: Bearer {facts["key"]}" \\
    -H "Content-Type: application/json" \\
    -d '{json.dumps(body)}'

"""
