"""The sandbox's own routes under /_sandbox/, for people with curl and tests in other processes."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from . import signing
from .messages import Answer
from .scenarios import SCENARIOS

if TYPE_CHECKING:
    from .server import SandboxServer

PREFIX = "/_sandbox/"


def handle(
    sandbox: "SandboxServer",
    method: str,
    path: str,
    query: dict[str, list[str]],
    body: bytes,
) -> Answer:
    """Answer one control request; a mistake of the caller is a 400 that says what it was."""
    given = {name: values[0] for name, values in query.items()}
    try:
        # Whatever the content type says: curl says "form" unless it is told otherwise.
        fields = json.loads(body or b"{}")
        if not isinstance(fields, dict):
            raise ValueError("the body must be a JSON object")
        match method, path.removeprefix(PREFIX):
            case "GET", "health":
                return Answer(200, {"status": "ok", "url": sandbox.url})
            case "GET", "scenarios":
                return Answer(200, {"scenarios": [_scenario(digits) for digits in SCENARIOS]})
            case "GET", "requests":
                records = sandbox.requests(**given)
                return Answer(200, {"requests": [asdict(record) for record in records]})
            case "DELETE", "requests":
                sandbox.clear_requests()
                return Answer(204)
            case "GET", "numbers":
                return Answer(200, {"numbers": sandbox.owned(**given)})
            case "POST", "numbers":
                return Answer(201, sandbox.own(**fields))
            case "GET", "orders":
                return Answer(200, {"orders": sandbox.orders(**given)})
            case "GET", "calls":
                return Answer(200, {"calls": sandbox.calls(**given)})
            case "POST", "calls":
                return Answer(200, sandbox.call(**fields))
            case "POST", "messages":
                return Answer(200, sandbox.text(**fields))
            case "POST", "inbox":
                sandbox.take(fields)
                return Answer(204)
            case "GET", "inbox":
                return Answer(200, {"received": sandbox.taken()})
            case "GET", "public-key":
                return Answer(200, {"public": signing.telnyx_public_key(**given)})
            case "POST", "faults":
                sandbox.add_fault(**fields)
                return Answer(204)
            case "DELETE", "faults":
                sandbox.clear_faults()
                return Answer(204)
            case "POST", "accounts":
                sandbox.set_account(**fields)
                return Answer(204)
            case "POST", "reset":
                sandbox.reset()
                return Answer(204)
    except (TypeError, ValueError) as problem:
        return Answer(400, {"error": str(problem)})
    return Answer(404, {"error": f"no control route {method} {path}"})


def _scenario(digits: str) -> dict[str, str]:
    scenario = SCENARIOS[digits]
    return {
        "digits": digits,
        "name": scenario.name,
        "twilio": scenario.twilio,
        "telnyx": scenario.telnyx,
    }
