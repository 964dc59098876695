"""The whole description against a live server, with requests that nobody here thought of."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from burki.openapi_schema import V1
from burki.tests.contract import contract
from burki.tests.processes import Attempt, Web, World, running_world
from numbers.api.examples import NUMBER

pytestmark = pytest.mark.slow

# Operations that change keys or credentials: last, and with a key of their own, because they may
# take it away.
LAST = re.compile(rf"{V1}/(organization|users/me/api-keys)\b")
# A 5xx is checked with the others: its status and its code must be those that are described.
CHECKS = (
    "status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,ignored_auth,unsupported_method,allow_header_conformance,"
    "negative_data_rejection"
)
FREELY = {
    f"THROTTLE_{kind}": "1000000/min"
    for kind in (
        "SEARCH",
        "DEFAULT",
        "PURCHASE_ORGANIZATION",
        "SEARCH_ORGANIZATION",
        "DEFAULT_ORGANIZATION",
        "FAILED_AUTHENTICATION",
    )
}
_LOGGED = re.compile(r"burki\.requests [A-Z]+ (.*) ([0-9]{3}) [0-9]+ms")
# One telephone rings once a minute, whatever the throttles allow.
_RINGS = "/add-verified-caller-id"


@dataclass(frozen=True)
class Site:
    world: World
    web: Web
    keys: dict[str, str]
    description: Path

    def explore(
        self, *options: str, tenant: str | None, prefix: str = "", thoroughly: bool = True
    ) -> Counter:
        """Run schemathesis, as the tenant or as nobody; how often each status was answered, but for
        calls to telephones that had just been called."""
        phases, most = ("examples,coverage,fuzzing", 25) if thoroughly else ("examples,fuzzing", 10)
        log = self.world.folder / "0.log"
        before = log.stat().st_size
        key = ["-H", f"Authorization: Bearer {self.keys[tenant]}"] if tenant else []
        done = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"),
                *("run", self.description, "--url", f"{self.web.url}{prefix}", *key, *options),
                *("--phases", phases, "--max-examples", str(most), "--seed", "1"),
                *("--checks", CHECKS, "--workers", "2", "--no-color"),
                # A machine that is busy with other things is no defect of ours.
                *("--request-timeout", "60", "--suppress-health-check", "too_slow"),
            ],
            cwd=self.world.folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        with log.open() as lines:
            lines.seek(before)
            found = _LOGGED.findall(lines.read())
        return Counter(
            int(status) for path, status in found if not (path.endswith(_RINGS) and status == "429")
        )


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with running_world() as world:
        keys = world.make_tenants(Acme={}, Locksmith={})
        with world.web(processes=2, **FREELY) as web:
            pending = "+14155550052"  # for ever: a purchase that can be looked for and decided
            for number in (NUMBER, pending):
                wanted = Attempt("telnyx", number, "").body
                bought = web.post("/phone-numbers/purchase", wanted, api_key=keys["Acme"])
            known = {"phone_number": NUMBER, "purchase_id": bought.headers["Purchase-Id"]}
            yield Site(world, web, keys, described_with(known, world.folder / "openapi.json"))


def described_with(known: dict[str, str], file: Path) -> Path:
    """The description with ids that exist as the examples of its paths' parameters."""
    document = json.loads(json.dumps(contract.document))
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("servers", None)  # we say where it is
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path" and parameter["name"] in known:
                    parameter["example"] = known[parameter["name"]]
                if parameter["in"] == "header":
                    parameter.pop("example", None)  # one key for everything would only be reused
    file.write_text(json.dumps(document))
    return file


def test_a_key_that_may_do_everything(site):
    statuses = site.explore("--exclude-path-regex", LAST.pattern, tenant="Acme")

    assert statuses[200] > 100 and statuses[400] > 100 and statuses[404] > 20
    assert statuses[401] > 20  # it tries without the key as well
    assert statuses[503] == statuses[429] == 0  # described, but nothing was wrong with us


def test_the_other_prefix(site):
    doubled = ("--include-path-regex", "^/phone-numbers")

    statuses = site.explore(*doubled, tenant="Acme", prefix=V1, thoroughly=False)

    assert statuses[200] > 20 and statuses[503] == statuses[429] == 0


def test_nobody(site):
    statuses = site.explore(tenant=None, thoroughly=False)

    # 404: nothing has such an address; 200: the one endpoint that is public
    assert set(statuses) <= {200, 401, 404, 405}
    assert statuses[200] < 20
    assert statuses[401] > 10 * statuses[404]


def test_what_may_take_the_key_away(site):
    paths = [path for path in contract.document["paths"] if LAST.match(path)]
    if not paths:
        return  # none is described yet

    statuses = site.explore("--include-path-regex", LAST.pattern, tenant="Locksmith")

    assert statuses[200] > 20 and statuses[503] == statuses[429] == 0
