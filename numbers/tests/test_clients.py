"""The examples in docs/clients, run as they stand against a live server."""

import os
import shutil
import subprocess
import sys

import pytest
from django.conf import settings

from burki.tests.processes import PROVIDERS, running_world

pytestmark = pytest.mark.slow

FOLDER = settings.BASE_DIR / "docs/clients"
# -I: "burki" is then the package from PyPI, not this project, which has the same name.
COMMANDS = {
    "buy_number.sh": ["sh"],
    "buy_number.py": [sys.executable, "-I"],
    "buy_number_sdk.py": [sys.executable, "-I"],
    "buy_number.mjs": ["node"],
    "buy_number.php": ["php"],
}
ORDERS = {"twilio": r"/IncomingPhoneNumbers\.json$", "telnyx": r"/number_orders$"}
TAKEN = {
    "twilio": {"status": 400, "code": 21422},
    "telnyx": {"status": 422, "code": 85001},
}
POOR = {"twilio": {"status": 400, "code": 20005}, "telnyx": {"status": 402, "code": 20100}}


@pytest.fixture(scope="module")
def site():
    with running_world() as world:
        keys = world.make_tenants(Acme={})
        assistant = world.manage("create_assistant", "--organization", "acme", "Support").strip()
        world.sandbox.order_seconds = 0  # what is pending yet cannot be released
        with world.web(processes=2) as web:
            yield world, {"BURKI_URL": web.url, "BURKI_API_KEY": keys["Acme"]}, assistant


@pytest.fixture
def run(site):
    """Runs an example; gives its exit status and its lines, each in words."""
    world, environment, assistant = site
    world.sandbox.clear_faults()

    def run(example: str, provider: str) -> tuple[int, list[list[str]]]:
        command, *options = COMMANDS[example]
        program = shutil.which(command)
        assert program, f"{command} is not installed: `make test-all` would install it"
        done = subprocess.run(
            [program, *options, example, provider, "415", assistant],
            cwd=FOLDER,
            env={"PATH": os.environ["PATH"]} | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        lines = (done.stdout + done.stderr).splitlines()
        return done.returncode, [line.split() for line in lines]

    return run


def fault(site, provider: str, **fields) -> None:
    site[0].sandbox.add_fault(method="POST", path=ORDERS[provider], **fields)


def test_every_example_is_run():
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted([*COMMANDS, "README.md"])


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("example", COMMANDS)
def test_an_example_searches_buys_assigns_and_releases(site, run, example, provider):
    status, lines = run(example, provider)

    number = lines[0][1]
    assert (status, lines) == (
        0,
        [["bought", number, "completed"], ["assigned", number], ["released", number]],
    )
    row = site[0].postgres.rows(
        "SELECT * FROM numbers_phonenumber WHERE phone_number = %s ORDER BY id DESC", number
    )[0]
    assert row["status"] == "released"


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("example", COMMANDS)
def test_an_example_takes_the_next_number_when_one_is_gone(site, run, example, provider):
    fault(site, provider, times=1, **TAKEN[provider])

    status, lines = run(example, provider)

    assert status == 0
    assert [line[0] for line in lines] == ["taken", "bought", "assigned", "released"]
    assert lines[0][1] != lines[1][1]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("example", COMMANDS)
def test_an_example_asks_again_when_an_answer_is_lost_and_buys_once(site, run, example, provider):
    fault(site, provider, times=1, action="drop", apply=True)
    fault(site, provider, times=1, status=500)  # would catch a second order

    status, lines = run(example, provider)

    assert (status, [line[0] for line in lines]) == (0, ["bought", "assigned", "released"]), lines


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("example", COMMANDS)
def test_an_example_stops_and_tells_why_when_another_number_would_not_help(
    site, run, example, provider
):
    fault(site, provider, times=1, **POOR[provider])

    status, lines = run(example, provider)

    assert status == 1
    told = " ".join(" ".join(line) for line in lines)
    assert lines[0][0] == "refused"
    assert "insufficient_balance" in told
