"""A client of the sandbox as a provider's customer would write it: plain HTTP, nothing of ours."""

import base64
import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from numbers.sandbox import SandboxServer

AC, OTHER_AC = "AC" + "a" * 32, "AC" + "b" * 32
KEY, OTHER_KEY = "KEYacme.v1-s3cret", "KEYother.v1-s3cret"
MAIN_APPLICATION = "1234567890123456789"
PLAIN_CONNECTION = "9999999999999999999"
MAIN_PROFILE = "40017000-0000-4000-8000-000000000001"
SCALE = 0.002
PATIENCE = 0.25  # seconds after which a client takes it for silence


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def outcome(self) -> Any:
        """(status, error code or None), as the scenario table has it."""
        try:
            body = self.json if self.raw else {}
        except ValueError:
            return self.status, self.raw[:8].decode()
        return self.status, body.get("code") or body.get("errors", [{}])[0].get("code")


def send(
    server: SandboxServer, method: str, path: str, *, timeout: float = 5, **given: Any
) -> Reply:
    """One request on a connection of its own. `given`: query, form, json, headers."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=timeout)
    headers, body = dict(given.get("headers", {})), None
    if "form" in given:
        body = urlencode(given["form"])
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    if "json" in given:
        body, headers["Content-Type"] = json.dumps(given["json"]), "application/json"
    if given.get("query"):
        path += "?" + urlencode(given["query"], doseq=True)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        raw = answer.read()
    finally:
        connection.close()
    return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, raw)


def twilio(server: SandboxServer, method: str, path: str, ac: str = AC, **given: Any) -> Reply:
    token = base64.b64encode(f"{ac}:{given.pop('token', 't0ken')}".encode()).decode()
    path = path if path.startswith("/v1") else f"/2010-04-01/Accounts/{ac}{path}"
    return send(server, method, path, headers={"Authorization": f"Basic {token}"}, **given)


def telnyx(server: SandboxServer, method: str, path: str, key: str = KEY, **given: Any) -> Reply:
    return send(server, method, f"/v2/{path}", headers={"Authorization": f"Bearer {key}"}, **given)


def twilio_search(server: SandboxServer, where: str = "US/Local", **query: Any) -> list[str]:
    reply = twilio(server, "GET", f"/AvailablePhoneNumbers/{where}.json", query=query)
    assert reply.status == 200
    return [one["phone_number"] for one in reply.json["available_phone_numbers"]]


def telnyx_search(server: SandboxServer, key: str = KEY, **filters: Any) -> list[dict[str, Any]]:
    given = {"country_code": "US", **filters}
    query = {f"filter[{name.replace('__', '][')}]": value for name, value in given.items()}
    reply = telnyx(server, "GET", "available_phone_numbers", key, query=query)
    assert reply.status == 200
    return reply.json["data"]


def twilio_buy(server: SandboxServer, number: str, ac: str = AC, **given: Any) -> Reply:
    form = {"PhoneNumber": number, "VoiceUrl": "https://us.example/twiml", **given.pop("form", {})}
    return twilio(server, "POST", "/IncomingPhoneNumbers.json", ac, form=form, **given)


def telnyx_buy(
    server: SandboxServer, number: str, key: str = KEY, *, searched: bool = True, **given: Any
) -> Reply:
    if searched:
        telnyx_search(server, key, phone_number__contains=number)
    timeout = {"timeout": given.pop("timeout")} if "timeout" in given else {}
    body = {"phone_numbers": [{"phone_number": number}], **given}
    return telnyx(server, "POST", "number_orders", key, json=body, **timeout)


def telnyx_bought(server: SandboxServer, number: str, **given: Any) -> dict[str, Any]:
    """Order a number, wait for it, and return it as /phone_numbers lists it."""
    assert telnyx_buy(server, number, **given).status == 200
    time.sleep(0.05 * SCALE)
    listed = telnyx(server, "GET", "phone_numbers", query={"filter[phone_number]": number[1:]})
    return listed.json["data"][0]


def control(server: SandboxServer, method: str, path: str, **given: Any) -> Reply:
    return send(server, method, f"/_sandbox/{path}", **given)


LOST, SILENCE, CUT = "lost", "silence", "cut"


def outcome_of(call: Any) -> Any:
    try:
        return call().outcome
    except http.client.IncompleteRead:
        return CUT
    except http.client.RemoteDisconnected:
        return LOST
    except TimeoutError:
        return SILENCE


def eventually(look: Callable[[], Any], expected: Any) -> Any:
    """What `look` sees as soon as it is what is expected, or after five seconds: a client that has
    hung up does not know when the sandbox carries out what it asked for."""
    ends = time.monotonic() + 5
    while (seen := look()) != expected and time.monotonic() < ends:
        time.sleep(0.005)
    return seen
