"""A customer's own server, and what tests do with endpoints and events."""

import base64
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.testing import SYSTEM
from organizations.events.endpoints import create_endpoint
from organizations.models import EventEndpoint, Organization


class Customer(ThreadingHTTPServer):
    """Keeps what it gets, answers with `status`."""

    daemon_threads = True

    def __init__(self):
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status, self.answer = 200, b"thanks"
        super().__init__(("127.0.0.1", 0), _Answering)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/events"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


class _Answering(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(({n.lower(): v for n, v in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *args):
        pass


def listen(organization: Organization, url: str, *types: str) -> tuple[EventEndpoint, str]:
    return create_endpoint(actor=SYSTEM, organization=organization, url=url, event_types=types)


def work_off() -> int:
    """Do the jobs of events that are due, as the worker would, until none is left."""
    done = 0
    while True:
        jobs = ProcrastinateJob.objects.filter(
            task_name__startswith="organizations.tasks.", scheduled_at=None
        ).order_by("-priority", "id")
        job = jobs.first()
        if job is None:
            return done
        take(job)
        app.tasks[job.task_name](**job.args)
        done += 1


def take(job: ProcrastinateJob) -> None:
    """Out of the queue; the row is not ours to delete by the model, which is read-only."""
    ProcrastinateJob.objects.filter(pk=job.pk)._raw_delete("default")


def signatures(headers: dict[str, str]) -> list[str]:
    return [part.removeprefix("v1,") for part in headers["webhook-signature"].split()]


def signature(headers: dict[str, str], body: bytes, secret: str) -> str:
    """As the Standard Webhooks specification has it, by hand."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
