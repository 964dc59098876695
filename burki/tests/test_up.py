"""`make run`, as a new user sees it: real processes, the printed curl line, Ctrl-C, and again."""

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest
import requests
from django.conf import settings

from burki.tests.processes import free_port

pytestmark = pytest.mark.slow


class Running:
    """`manage.py up` in a folder of its own."""

    def __init__(self, folder):
        self.port = free_port()
        self.log = folder / "up.log"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", str(folder)),
            "ENV_FILE": os.devnull,
            "DEBUG": "true",
            "SANDBOX": "true",
            "DATA_DIR": str(folder / "data"),
            "PORT": str(self.port),
            "SANDBOX_PORT": str(free_port()),
        }
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=settings.BASE_DIR,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.wait_for(lambda: "curl -s -X POST" in self.text or self.process.poll() is not None)

    @property
    def text(self) -> str:
        return self.log.read_text()

    def wait_for(self, condition) -> None:
        for _ in range(600):
            if condition():
                return
            time.sleep(0.1)
        raise AssertionError(self.text)

    def curl_line(self) -> tuple[str, dict[str, str], str]:
        """Address, headers and body of the printed line."""
        line = re.search(r"curl -s (-X POST .*?'\{.*?\}')", self.text, re.DOTALL)[1]
        words = shlex.split(line.replace("\\\n", " "))
        headers = dict(words[i + 1].split(": ", 1) for i, word in enumerate(words) if word == "-H")
        return words[2], headers, words[words.index("-d") + 1]

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def interrupt(self) -> list[psutil.Process]:
        """Ctrl-C; returns what is still alive afterwards."""
        started = self.processes()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        return [child for child in started if child.is_running()]


def test_make_run_comes_up_buys_stops_and_starts_again_from_the_kept_data(tmp_path):
    first = Running(tmp_path)
    try:
        url, headers, body = first.curl_line()

        bought = requests.post(url, headers=headers, data=body, timeout=30)
        again = requests.post(url, headers=headers, data=body, timeout=30)

        assert bought.status_code == 200, bought.text
        number = bought.json()["phone_number"]
        assert (
            bought.json()["message"] == f"Successfully purchased phone number {number} from telnyx"
        )
        assert again.json() == bought.json()
        assert again.headers["Idempotent-Replayed"] == "true"
        assert len(first.processes()) >= 7  # sandbox, three workers, gunicorn and its two
    finally:
        alive = first.interrupt()
    assert alive == []

    second = Running(tmp_path)
    try:
        url, headers, body = second.curl_line()
        kept = requests.get(
            f"http://127.0.0.1:{second.port}/phone-numbers/{number}", headers=headers, timeout=30
        )

        assert kept.json()["status"] == "active"
        assert number not in body
        assert requests.post(url, headers=headers, data=body, timeout=30).status_code == 200
    finally:
        alive = second.interrupt()
    assert alive == []


def test_a_taken_port_is_told_and_nothing_is_started(tmp_path):
    with contextlib.closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])

        done = subprocess.run(
            [sys.executable, "manage.py", "up"],
            cwd=settings.BASE_DIR,
            env=os.environ | {"DEBUG": "true", "SANDBOX": "true", "PORT": port},
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert done.returncode == 1
    assert f"Port {port} is in use" in done.stderr
