"""A caller waits for nobody else, as it is in production: a web server, a worker for calls, and a
Telnyx that does not answer for one of them."""

import pytest
import requests

from burki.tests.processes import World, free_port, running_world, wait_until
from numbers.tests.inbound import event_of, signed_headers

pytestmark = pytest.mark.slow

NUMBER = "+14155555678"
DESK = f"""
from burki.testing import make_assistant, make_organization
from numbers.tests.inbound import owned
acme = make_organization("Acme")
desk = make_assistant(acme, greeting="Acme, good morning.")
owned(acme, "telnyx", phone_number="{NUMBER}", assistant=desk)
"""
NEVER = 100.0  # of the waiting times: a command is given up after 400 s, and the test after 60


@pytest.fixture
def world():
    with running_world(clock_scale=NEVER) as world:
        world.manage("shell", "--no-imports", "-c", DESK)
        yield world


def rings(url: str, call_id: str) -> int:
    """A call comes in; the status of our answer to Telnyx."""
    payload = {"call_control_id": call_id, "direction": "incoming", "from": "+12025550123"}
    body = event_of("call.initiated", payload | {"to": NUMBER}, f"event-{call_id}")
    headers = signed_headers(body) | {"Content-Type": "application/json"}
    return requests.post(f"{url}/telnyx-webhook", body, headers=headers, timeout=60).status_code


def test_a_call_is_answered_while_the_command_to_another_hangs(world):
    sandbox, port = world.sandbox, free_port()
    sandbox.add_fault(path="/calls/hangs/", action="hang", times=None)
    options = ("--metrics-port", str(port))
    with world.web() as web, world.worker("calls", options=options) as worker:
        assert rings(web.url, "hangs") == 200
        wait_until(lambda: sandbox.requests(path_contains="/calls/hangs/"), "its command is sent")

        assert rings(web.url, "second") == 200

        wait_until(lambda: sandbox.calls("second"), "the second caller is answered")
        (hanging,) = sandbox.requests(path_contains="/calls/hangs/")
        assert hanging.path.endswith("/actions/answer")
        assert [call["action"] for call in sandbox.calls()] == ["answer"]
        told = wait_until(lambda: answers(port), "the worker counts the second command")
        assert told == ['{method="POST",outcome="200",provider="telnyx"} 1.0']
        wait_until(lambda: "/calls/second/actions/answer: 200" in log_of(world), "it is logged")
        worker.kill()  # it would finish the command that hangs


def log_of(world: World) -> str:
    """The worker's lines that name their job."""
    written = [file.read_text() for file in world.folder.glob("*.log")]
    return "\n".join(line for line in "\n".join(written).splitlines() if "[job:" in line)


def answers(port: int) -> list[str]:
    """What the worker has counted of its provider's answers."""
    told = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    name = "burki_provider_requests_total"
    return [line.removeprefix(name) for line in told.splitlines() if line.startswith(name)]
