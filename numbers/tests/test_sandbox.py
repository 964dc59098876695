"""The sandbox, seen from a client's side of the socket."""

import base64
import http.client
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from numbers.sandbox import SCENARIOS, SandboxServer

AC, OTHER_AC = "AC" + "a" * 32, "AC" + "b" * 32
KEY, OTHER_KEY = "KEYacme.v1-s3cret", "KEYother.v1-s3cret"
MAIN_APPLICATION = "1234567890123456789"
PLAIN_CONNECTION = "9999999999999999999"
MAIN_PROFILE = "40017000-0000-4000-8000-000000000001"
SCALE = 0.002


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


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(time_scale=SCALE) as server:
        yield server


@pytest.fixture
def sandbox(server: SandboxServer) -> SandboxServer:
    server.reset()
    server.order_seconds = 0.05
    server.search_memory_seconds = 1800.0
    return server


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


# Search


def test_twilio_offers_the_same_numbers_every_time_and_none_that_telnyx_offers(sandbox):
    first = twilio_search(sandbox, PageSize=1000)
    others = [one["phone_number"] for one in telnyx_search(sandbox, limit=1000)]

    assert first[0] == "+14155551000"
    assert len(first) == 1000
    assert first == twilio_search(sandbox, PageSize=1000)
    assert others[0] == "+14155555000"
    assert not set(first) & set(others)


@pytest.mark.parametrize(
    ("where", "query", "expected"),
    [
        ("US/Local", {"AreaCode": "212"}, "+12125551000"),
        ("US/Local", {"AreaCode": "970"}, "+19705551000"),
        ("US/Local", {"AreaCode": "416"}, None),
        ("CA/Local", {}, "+14165551000"),
        ("US/Local", {"InLocality": "Chicago"}, "+13125551000"),
        ("US/Local", {"InRegion": "TX"}, "+15125551000"),
        ("US/Local", {"InLocality": "Atlantis"}, None),
        ("US/Local", {"NearNumber": "+12065551111"}, "+12065551000"),
        ("US/Local", {"Contains": "0001"}, "+14155550001"),
        ("US/Local", {"Contains": "4242"}, "+14155554242"),
        ("US/Local", {"Contains": "+1305"}, "+13055551000"),
        ("US/Local", {"Contains": "+14155557000"}, "+14155557000"),
        ("US/Local", {"Contains": "2125550123"}, "+12125550123"),
        ("US/Local", {"Contains": "+14155550009"}, None),
        ("US/Local", {"Contains": "+14155550040", "SmsEnabled": "true"}, None),
        ("US/Local", {"FaxEnabled": "true"}, None),
        ("US/TollFree", {}, "+18005551000"),
        ("US/TollFree", {"AreaCode": "888"}, "+18885551000"),
        ("GB/Mobile", {}, "+447700901000"),
        ("GB/Local", {"SmsEnabled": "true"}, None),
        ("FR/Local", {}, "+33199001000"),
    ],
)
def test_twilio_search_honours_every_filter(sandbox, where, query, expected):
    found = twilio_search(sandbox, where, PageSize=1, **query)
    assert found == ([expected] if expected else [])


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"national_destination_code": "212"}, "+12125555000"),
        ({"locality": "seattle"}, "+12065555000"),
        ({"administrative_area": "FL"}, "+13055555000"),
        ({"phone_number__contains": "0053"}, "+14155550053"),
        ({"phone_number__contains": "+14155551234"}, "+14155551234"),
        ({"phone_number__starts_with": "617"}, "+16175555000"),
        ({"phone_number__ends_with": "7777"}, "+14155557777"),
        ({"phone_number__starts_with": "+1512", "phone_number__ends_with": "42"}, "+15125555042"),
        ({"phone_number_type": "toll_free", "quickship": "true"}, "+18005555000"),
        ({"country_code": "DE", "phone_number_type": "mobile"}, "+4915228815000"),
        ({"country_code": "GB", "features": "sms"}, None),
        ({"locality": "Atlantis"}, None),
        ({"locality": "Atlantis", "best_effort": "true"}, "+14155555000"),
    ],
)
def test_telnyx_search_honours_every_filter(sandbox, filters, expected):
    found = [one["phone_number"] for one in telnyx_search(sandbox, limit=1, **filters)]
    assert found == ([expected] if expected else [])


def test_countries_that_are_not_covered_are_refused(sandbox):
    search = twilio(sandbox, "GET", "/AvailablePhoneNumbers/BR/Local.json")
    query = {"filter[country_code]": "BR"}

    assert search.outcome == (404, 20404)
    assert twilio(sandbox, "GET", "/AvailablePhoneNumbers/US/Mobile.json").outcome == (404, 20404)
    assert telnyx(sandbox, "GET", "available_phone_numbers", query=query).outcome == (422, "10027")


def test_owned_and_ordered_numbers_are_not_offered_by_either_provider(sandbox):
    sandbox.own(provider="telnyx", account="KEYx", phone_number="+14155551000")
    telnyx_buy(sandbox, "+14155550052")

    assert twilio_search(sandbox, PageSize=1) == ["+14155551001"]
    assert twilio_search(sandbox, Contains="+14155550052") == []


def test_prices_are_offered_in_each_providers_way(sandbox):
    twilio_prices = twilio(sandbox, "GET", "/v1/PhoneNumbers/Countries/GB").json
    price = telnyx_search(sandbox, limit=1)[0]["cost_information"]

    assert twilio_prices["price_unit"] == "USD"
    assert [p["current_price"] for p in twilio_prices["phone_number_prices"]] == [
        "1.15",
        "2.15",
        "3.00",
    ]
    assert price == {"currency": "USD", "monthly_cost": "1.00000", "upfront_cost": "0.00000"}
    assert "cost_information" not in telnyx_search(sandbox, phone_number__contains="0060")[0]


# Buying, listing, changing, releasing


def test_a_number_bought_at_twilio_can_be_found_changed_and_released(sandbox):
    bought = twilio_buy(sandbox, "+14155551000", form={"StatusCallback": "https://us.example/s"})
    path = f"/IncomingPhoneNumbers/{bought.json['sid']}.json"
    listed = twilio(
        sandbox, "GET", "/IncomingPhoneNumbers.json", query={"PhoneNumber": "+14155551000"}
    )
    changed = twilio(sandbox, "POST", path, form={"FriendlyName": "Reception"})
    balance = twilio(sandbox, "GET", "/Balance.json")

    assert bought.status == 201
    assert bought.json["friendly_name"] == "(415) 555-1000"
    assert listed.json["incoming_phone_numbers"] == [bought.json]
    assert (changed.status, changed.json["friendly_name"]) == (200, "Reception")
    assert changed.json["status_callback"] == "https://us.example/s"
    assert balance.json["balance"] == "98.85"
    assert twilio(sandbox, "DELETE", path).status == 204
    assert twilio(sandbox, "DELETE", path).outcome == (404, 20404)
    assert sandbox.owned() == []


def test_a_number_ordered_at_telnyx_can_be_found_changed_and_released(sandbox):
    number = telnyx_bought(
        sandbox,
        "+14155555000",
        connection_id=MAIN_APPLICATION,
        messaging_profile_id=MAIN_PROFILE,
        customer_reference="purchase-1",
    )
    found = telnyx(
        sandbox, "GET", "number_orders", query={"filter[customer_reference]": "purchase-1"}
    ).json["data"]
    order = telnyx(sandbox, "GET", f"number_orders/{found[0]['id']}").json["data"]
    path = f"phone_numbers/{number['id']}"
    changed = telnyx(sandbox, "PATCH", path, json={"connection_id": PLAIN_CONNECTION})
    unassigned = telnyx(sandbox, "PATCH", f"{path}/messaging", json={"messaging_profile_id": ""})
    released = telnyx(sandbox, "DELETE", path)

    assert number["connection_id"] == MAIN_APPLICATION
    assert number["messaging_profile_id"] == MAIN_PROFILE
    assert number["customer_reference"] == "purchase-1"
    assert len(number["id"]) == 19 and number["id"] != order["phone_numbers"][0]["id"]
    assert set(found[0]["phone_numbers"][0]) == {"id", "phone_number"}
    assert order["status"] == order["phone_numbers"][0]["status"] == "success"
    assert changed.json["data"]["connection_id"] == PLAIN_CONNECTION
    assert "messaging_profile_id" not in unassigned.json["data"]
    assert (released.status, released.json["data"]["status"]) == (200, "deleted")
    assert telnyx(sandbox, "GET", path).outcome == (404, "10005")
    assert telnyx(sandbox, "GET", "balance").json["data"]["available_credit"] == "99.00"


def test_buying_again_in_the_same_twilio_account_is_an_update_with_the_same_sid(sandbox):
    first = twilio_buy(sandbox, "+14155551000")
    again = twilio_buy(sandbox, "+14155551000", form={"VoiceUrl": "https://them.example/"})

    assert (again.status, again.json["sid"]) == (201, first.json["sid"])
    assert again.json["voice_url"] == "https://them.example/"
    assert twilio_buy(sandbox, "+14155551000", OTHER_AC).outcome == (400, 21422)
    assert len(sandbox.owned()) == 1
    assert twilio(sandbox, "GET", "/Balance.json").json["balance"] == "98.85"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"PhoneNumber": "4155551000"}, (400, 21421)),
        ({"PhoneNumber": ""}, (400, 21421)),
        ({"FriendlyName": "x" * 65}, (400, 20002)),
        ({"VoiceUrl": "ftp://us.example"}, (400, 21402)),
        ({"PhoneNumber": "+14155550040", "SmsUrl": "https://us.example"}, (400, 21407)),
        ({"PhoneNumber": "", "AreaCode": "5"}, (400, 21451)),
        ({"PhoneNumber": "", "AreaCode": "212"}, (201, None)),
    ],
)
def test_twilio_checks_what_a_purchase_asks_for(sandbox, form, expected):
    assert twilio_buy(sandbox, "+14155551000", form=form).outcome == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"phone_numbers": []}, (422, "10004")),
        ({"phone_numbers": [{"phone_number": "14155555000"}]}, (422, "10016")),
        ({"connection_id": "1"}, (422, "85004")),
        ({"messaging_profile_id": "nobody's"}, (422, "85005")),
        ({"connection_id": PLAIN_CONNECTION}, (200, None)),
    ],
)
def test_telnyx_checks_what_an_order_asks_for(sandbox, body, expected):
    assert telnyx_buy(sandbox, "+14155555000", **body).outcome == expected


def test_telnyx_sells_only_what_the_account_has_searched_lately(sandbox):
    number = "+14155555000"
    assert telnyx_buy(sandbox, number, searched=False).outcome == (422, "85000")

    telnyx_search(sandbox, OTHER_KEY, limit=1)
    assert telnyx_buy(sandbox, number, searched=False).outcome == (422, "85000")

    telnyx_search(sandbox, limit=1)
    sandbox.search_memory_seconds = 0.0
    assert telnyx_buy(sandbox, number, searched=False).outcome == (422, "85000")

    sandbox.search_memory_seconds = 1800.0
    assert telnyx_buy(sandbox, number, searched=False).status == 200
    assert telnyx_buy(sandbox, number, OTHER_KEY).outcome == (422, "85001")


def test_a_new_key_of_a_telnyx_account_is_the_same_account(sandbox):
    telnyx_bought(sandbox, "+14155555000")
    rotated = telnyx(sandbox, "GET", "phone_numbers", "KEYacme.v2-other")

    assert rotated.json["meta"]["total_results"] == 1
    assert telnyx(sandbox, "GET", "phone_numbers", OTHER_KEY).json["data"] == []


@pytest.mark.parametrize("token", ["", "wrong-token", "invalid"])
def test_bad_credentials_are_401(sandbox, token):
    assert twilio(sandbox, "GET", "/Balance.json", token=token).outcome == (401, 20003)
    assert telnyx(sandbox, "GET", "balance", token).outcome == (401, "10009")


def test_credentials_of_another_account_are_401(sandbox):
    headers = {"Authorization": "Basic " + base64.b64encode(f"{OTHER_AC}:t".encode()).decode()}
    path = f"/2010-04-01/Accounts/{AC}/Balance.json"
    assert send(sandbox, "GET", path, headers=headers).outcome == (401, 20003)


def test_suspended_and_poor_accounts_cannot_buy(sandbox):
    sandbox.set_account(AC, balance="1.14")
    sandbox.set_account("KEYacme", balance="0.99")
    assert twilio_buy(sandbox, "+14155551000").outcome == (403, 20005)
    assert telnyx_buy(sandbox, "+14155555000").outcome == (403, "20100")

    sandbox.set_account(AC, balance="50.00", active=False)
    sandbox.set_account("KEYacme", active=False)
    assert twilio_buy(sandbox, "+14155551000").outcome == (403, 20005)
    assert twilio(sandbox, "GET", ".json").json["status"] == "suspended"
    assert telnyx(sandbox, "GET", "balance").outcome == (403, "20012")
    assert sandbox.owned() == []


def test_lists_come_in_pages(sandbox):
    for line in range(23):
        sandbox.own(provider="twilio", account=AC, phone_number=f"+1415555{1000 + line}")
        sandbox.own(provider="telnyx", account="KEYacme", phone_number=f"+1415555{5000 + line}")

    first = telnyx(sandbox, "GET", "phone_numbers").json
    second = telnyx(sandbox, "GET", "phone_numbers", query={"page[number]": 2}).json
    assert (len(first["data"]), len(second["data"])) == (20, 3)
    assert second["meta"] == {
        "page_number": 2,
        "page_size": 20,
        "total_pages": 2,
        "total_results": 23,
    }

    sizes, uri = [], "/IncomingPhoneNumbers.json?PageSize=10"
    while uri:
        page = twilio(sandbox, "GET", uri.split(AC)[-1]).json
        sizes.append(len(page["incoming_phone_numbers"]))
        uri = page["next_page_uri"]
    assert sizes == [10, 10, 3]


def test_telnyx_finds_numbers_by_digits_only_and_refuses_misspelt_filters(sandbox):
    sandbox.own(provider="telnyx", account="KEYacme", phone_number="+14155555000", tags=["vip"])

    def found(**query: str) -> int:
        return len(telnyx(sandbox, "GET", "phone_numbers", query=query).json["data"])

    assert found(**{"filter[phone_number]": "5555000"}) == 1
    assert found(**{"filter[phone_number]": "+14155555000"}) == 0
    assert found(**{"filter[tag]": "vip"}) == 1
    assert found(**{"filter[status]": "deleted"}) == 0
    query = {"filter[custmer_reference]": "x"}
    assert telnyx(sandbox, "GET", "number_orders", query=query).outcome == (400, "10031")


def test_applications_and_profiles_are_the_accounts_own(sandbox):
    fields = {"application_name": "Burki", "webhook_event_url": "https://us.example/telnyx"}
    made = telnyx(sandbox, "POST", "call_control_applications", json=fields)
    new = made.json["data"]["id"]
    query = {"filter[application_name][contains]": "burk"}
    found = telnyx(sandbox, "GET", "call_control_applications", query=query).json["data"]
    profile = telnyx(
        sandbox,
        "POST",
        "messaging_profiles",
        json={"name": "Burki", "whitelisted_destinations": ["US"]},
    )

    assert (made.status, made.json["data"]["webhook_api_version"], len(new)) == (201, "1", 19)
    assert [one["id"] for one in found] == [new]
    assert profile.status == 200
    assert telnyx_buy(sandbox, "+14155555000", connection_id=new).status == 200
    assert telnyx_buy(sandbox, "+14155555001", OTHER_KEY, connection_id=new).status == 422
    plain = telnyx(sandbox, "GET", f"call_control_applications/{PLAIN_CONNECTION}")
    main = telnyx(sandbox, "GET", f"call_control_applications/{MAIN_APPLICATION}").json["data"]
    assert plain.outcome == (404, "10005")
    assert (main["application_name"], main["webhook_event_url"]) == ("Main", "")

    sandbox.set_account("KEYother", connections=["777", {"id": "888", "plain": True}])
    known = [
        telnyx(sandbox, "GET", f"call_control_applications/{one}", OTHER_KEY).status
        for one in ("777", "888")
    ]
    assert known == [200, 404]
    assert telnyx_buy(sandbox, "+14155555001", OTHER_KEY, connection_id="888").status == 200


def test_a_call_command_with_the_same_id_counts_once(sandbox):
    for _ in range(2):
        body = {"command_id": "c1", "client_state": "eA=="}
        answer = telnyx(sandbox, "POST", "calls/v3:abc/actions/answer", json=body)
        assert answer.json == {"data": {"result": "ok"}}
    telnyx(sandbox, "POST", "calls/v3:abc/actions/hangup", json={})

    assert [call["action"] for call in sandbox.calls("v3:abc")] == ["answer", "hangup"]


def test_a_reserved_number_is_its_accounts_alone(sandbox):
    telnyx_search(sandbox, limit=1)
    telnyx_search(sandbox, OTHER_KEY, limit=1)
    body = {"phone_numbers": [{"phone_number": "+14155555000"}]}
    assert telnyx(sandbox, "POST", "number_reservations", json=body).status == 200
    again = telnyx(sandbox, "POST", "number_reservations", OTHER_KEY, json=body)

    assert again.outcome == (422, "85006")
    assert telnyx_search(sandbox, limit=1)[0]["phone_number"] == "+14155555001"
    other = telnyx_buy(sandbox, "+14155555000", OTHER_KEY, searched=False)
    assert other.outcome == (422, "85001")
    assert telnyx_buy(sandbox, "+14155555000", searched=False).status == 200


def test_unknown_paths_are_404_in_the_providers_own_format(sandbox):
    assert twilio(sandbox, "GET", "/Messages.json").outcome == (404, 20404)
    assert telnyx(sandbox, "GET", "messages").outcome == (404, "10005")
    assert send(sandbox, "GET", "/elsewhere").status == 404


# Scenarios

LOST, SILENCE, CUT = "lost", "silence", "cut"
OK = (201, None), (200, None)
# What a first purchase gets, from Twilio and from Telnyx, and who has bought it then.
FIRST_ANSWERS = {
    "0001": ((400, 21422), (422, "85001"), ""),
    "0002": ((400, 21421), (422, "10002"), ""),
    "0003": ((403, 20005), (403, "20100"), ""),
    "0004": ((401, 20003), (401, "10009"), ""),
    "0005": ((400, 21649), (200, None), "telnyx"),
    "0006": ((429, 20429), (429, "10011"), ""),
    "0007": ((400, 21404), (403, "10038"), ""),
    "0008": ((400, 21631), (422, "20200"), ""),
    "0009": ((400, 21422), (422, "85001"), ""),
    "0010": (LOST, LOST, "both"),
    "0011": (LOST, LOST, ""),
    "0012": (*OK, "both"),
    "0013": (SILENCE, SILENCE, "both"),
    "0014": (SILENCE, SILENCE, ""),
    "0015": (*OK, "both"),
    "0016": ((307, None), (307, None), ""),
    "0017": (CUT, CUT, "both"),
    "0020": ((500, 20500), (500, "10007"), ""),
    "0021": ((500, 20500), (500, "10007"), "both"),
    "0022": ((200, "not json"), (200, "not json"), "both"),
    "0023": ((502, "<html><h"), (502, "<html><h"), ""),
    "0024": (*OK, "both"),
    "0025": ((408, None), (408, "10008"), ""),
    "0026": ((409, 20409), (409, "10036"), ""),
    "0027": ((400, 29999), (400, "99999"), ""),
    "0030": (LOST, LOST, "both"),
    "0031": ((201, None), (422, "85001"), "both"),
    "0032": (LOST, LOST, "both"),
    "0040": ((400, 21407), (200, None), "telnyx"),
    "0041": ((400, 21407), (200, None), "telnyx"),
    "0042": ((201, None), (422, "85000"), "twilio"),
    "0050": (*OK, "both"),
    "0051": (*OK, "both"),
    "0052": (*OK, "both"),
    "0053": (*OK, "both"),
    "0054": (*OK, "both"),
    "0055": (*OK, "both"),
    "0056": ((201, None), LOST, "both"),
    "0057": (*OK, "both"),
    "0060": (*OK, "both"),
    "0061": (*OK, "both"),
    "0062": (*OK, "both"),
    "0070": (*OK, "both"),
    "0071": (*OK, "both"),
    "0072": (*OK, "both"),
}


def outcome_of(call: Any) -> Any:
    try:
        return call().outcome
    except http.client.IncompleteRead:
        return CUT
    except http.client.RemoteDisconnected:
        return LOST
    except TimeoutError:
        return SILENCE


def test_every_scenario_has_an_expected_first_answer():
    assert list(FIRST_ANSWERS) == list(SCENARIOS)


@pytest.mark.parametrize("digits", FIRST_ANSWERS)
def test_the_first_purchase_at_twilio_goes_as_the_scenario_says(sandbox, digits):
    expected, _, buyers = FIRST_ANSWERS[digits]
    number, form = f"+1415555{digits}", {"SmsUrl": "https://us.example/twiml"}
    timeout = 0.08 if expected == SILENCE else 5

    got = outcome_of(lambda: twilio_buy(sandbox, number, form=form, timeout=timeout))

    assert got == expected
    owned = [record["phone_number"] for record in sandbox.owned(provider="twilio", account=AC)]
    assert owned == ([number] if buyers in ("twilio", "both") else [])


@pytest.mark.parametrize("digits", FIRST_ANSWERS)
def test_the_first_order_at_telnyx_goes_as_the_scenario_says(sandbox, digits):
    _, expected, buyers = FIRST_ANSWERS[digits]
    number = f"+1415555{digits}"
    timeout = 0.08 if expected == SILENCE else 5

    got = outcome_of(lambda: telnyx_buy(sandbox, number, timeout=timeout))

    assert got == expected
    ordered = [order["phone_numbers"][0]["phone_number"] for order in sandbox.orders("KEYacme")]
    owned = [record["phone_number"] for record in sandbox.owned(account="KEYacme")]
    assert number in ordered + owned if buyers in ("telnyx", "both") else not ordered + owned


def order_status(server: SandboxServer) -> tuple[str, str]:
    """What GET one says of the only order and of its item."""
    order = telnyx(server, "GET", f"number_orders/{server.orders()[0]['id']}").json["data"]
    return order["status"], order["phone_numbers"][0]["status"]


@pytest.mark.parametrize(
    ("digits", "first", "last", "owned"),
    [
        ("0050", "pending", ("success", "success"), 1),
        ("0051", "pending", ("failure", "failure"), 0),
        ("0052", "pending", ("pending", "pending"), 0),
        ("0053", "pending", ("success", "failure"), 0),
        ("0054", "pending", ("cancelled", "cancelled"), 0),
        ("0057", "success", ("success", "success"), 1),
    ],
)
def test_orders_end_as_their_scenario_says(sandbox, digits, first, last, owned):
    answer = telnyx_buy(sandbox, f"+1415555{digits}")
    time.sleep(3.2 * SCALE)

    assert answer.json["data"]["status"] == first
    assert order_status(sandbox) == last
    assert len(sandbox.owned()) == owned
    left = telnyx(sandbox, "GET", "balance").json["data"]["balance"]
    assert left == ("100.00" if last[1] in ("failure", "cancelled") else "99.00")


def test_an_order_is_pending_until_its_time_has_come(sandbox):
    sandbox.order_seconds = 0.3 / SCALE
    telnyx_buy(sandbox, "+14155555000")

    assert order_status(sandbox) == ("pending", "pending")
    assert telnyx(sandbox, "GET", "phone_numbers").json["data"] == []
    time.sleep(0.3)
    assert order_status(sandbox) == ("success", "success")


def test_an_order_that_lacks_requirements_can_be_cancelled_but_a_finished_one_cannot(sandbox):
    order = telnyx_buy(sandbox, "+14155550005").json["data"]
    path = f"sub_number_orders/{order['sub_number_orders_ids'][0]}"
    item = order["phone_numbers"][0]
    assert (order["requirements_met"], item["requirements_met"]) == (False, False)
    assert item["requirements_status"] == "requirement-info-pending"

    assert telnyx(sandbox, "PATCH", f"{path}/cancel", OTHER_KEY).status == 404
    assert telnyx(sandbox, "PATCH", f"{path}/cancel").json["data"]["status"] == "cancelled"
    assert order_status(sandbox) == ("cancelled", "cancelled")
    assert telnyx(sandbox, "GET", path).json["data"]["order_request_id"] == order["id"]

    bought = telnyx_buy(sandbox, "+14155550057").json["data"]
    path = f"sub_number_orders/{bought['sub_number_orders_ids'][0]}/cancel"
    assert telnyx(sandbox, "PATCH", path).outcome == (422, "10027")


def test_0024_names_another_number_though_ours_is_bought(sandbox):
    assert twilio_buy(sandbox, "+14155550024").json["phone_number"] == "+14155559999"
    order = telnyx_buy(sandbox, "+12125550024").json["data"]
    assert order["phone_numbers"][0]["phone_number"] == "+12125559999"
    time.sleep(0.05 * SCALE)
    owned = [record["phone_number"] for record in sandbox.owned()]
    assert owned == ["+14155550024", "+12125550024"]


def test_0012_is_bought_two_seconds_later():
    with SandboxServer(time_scale=0.1) as sandbox:
        started = time.monotonic()
        answer = twilio_buy(sandbox, "+14155550012")

        assert answer.status == 201
        assert 0.2 <= time.monotonic() - started < 1


def test_0016_buys_only_for_a_client_that_follows_the_redirect(sandbox):
    answer = twilio_buy(sandbox, "+14155550016")
    location = answer.headers["location"]
    assert location == f"/2010-04-01/Accounts/{AC}/IncomingPhoneNumbers.json?moved=1"
    assert sandbox.owned() == []

    form = {"PhoneNumber": "+14155550016"}
    assert twilio(sandbox, "POST", location.split(AC)[1], form=form).status == 201
    assert sandbox.requests("POST")[-1].query == {"moved": ["1"]}


def test_0030_is_listed_late_but_owned_at_once():
    with SandboxServer(time_scale=0.04) as sandbox:
        for buy in (twilio_buy, telnyx_buy):
            number = "+14155550030" if buy is twilio_buy else "+12125550030"
            assert outcome_of(lambda b=buy, n=number: b(sandbox, n)) == LOST
        time.sleep(0.01)

        def listed() -> tuple[int, int, int]:
            numbers = twilio(sandbox, "GET", "/IncomingPhoneNumbers.json").json
            orders = telnyx(sandbox, "GET", "number_orders").json
            others = telnyx(sandbox, "GET", "phone_numbers").json
            return (
                len(numbers["incoming_phone_numbers"]),
                len(orders["data"]),
                len(others["data"]),
            )

        assert [record["visible"] for record in sandbox.owned()] == [False, False]
        assert listed() == (0, 0, 0)
        time.sleep(0.4)
        assert [record["visible"] for record in sandbox.owned()] == [True, True]
        assert listed() == (1, 1, 1)


def test_0031_was_in_the_account_before_anybody_looked(sandbox):
    query = {"PhoneNumber": "+14155550031"}
    listed = twilio(sandbox, "GET", "/IncomingPhoneNumbers.json", query=query).json
    record = listed["incoming_phone_numbers"][0]
    path = f"/IncomingPhoneNumbers/{record['sid']}.json"
    query = {"filter[phone_number]": "12125550031"}
    number = telnyx(sandbox, "GET", "phone_numbers", query=query).json["data"][0]

    assert (record["phone_number"], record["status_callback"]) == ("+14155550031", "")
    assert "customer_reference" not in number and "connection_id" not in number
    assert twilio(sandbox, "DELETE", path).status == 204
    assert twilio_buy(sandbox, "+14155550031").json["sid"] != record["sid"]
    assert twilio_buy(sandbox, "+14155550031", OTHER_AC).outcome == (400, 21422)


def test_0032_refuses_look_ups_for_a_while():
    with SandboxServer(time_scale=0.04) as sandbox:
        outcome_of(lambda: twilio_buy(sandbox, "+14155550032"))
        outcome_of(lambda: telnyx_buy(sandbox, "+12125550032"))

        def look() -> list[Any]:
            return [
                twilio(sandbox, "GET", "/IncomingPhoneNumbers.json").outcome,
                telnyx(sandbox, "GET", "number_orders").outcome,
                telnyx(sandbox, "GET", "phone_numbers").outcome,
            ]

        assert look() == [(401, 20003), (401, "10009"), (401, "10009")]
        assert twilio(sandbox, "GET", "/Balance.json").status == 200
        time.sleep(0.4)
        assert look() == [(200, None)] * 3


def test_0041_is_bought_once_the_sms_fields_are_left_out(sandbox):
    form = {"SmsUrl": "https://us.example/twiml"}
    assert twilio_search(sandbox, Contains="+14155550041", SmsEnabled="true") == ["+14155550041"]
    assert twilio_buy(sandbox, "+14155550041", form=form).outcome == (400, 21407)
    assert twilio_buy(sandbox, "+14155550041").status == 201


def test_0042_is_sold_after_one_more_search(sandbox):
    assert telnyx_buy(sandbox, "+14155550042").outcome == (422, "85000")
    assert telnyx_buy(sandbox, "+14155550042", searched=False).outcome == (422, "85000")
    assert telnyx_buy(sandbox, "+14155550042").status == 200


def test_0055_has_neither_connection_nor_profile(sandbox):
    number = telnyx_bought(
        sandbox,
        "+14155550055",
        connection_id=MAIN_APPLICATION,
        messaging_profile_id=MAIN_PROFILE,
        customer_reference="purchase-1",
    )
    assert number["customer_reference"] == "purchase-1"
    assert not {"connection_id", "messaging_profile_id"} & set(number)


def test_0061_is_paid_in_full_and_0062_costs_euros(sandbox):
    euros = telnyx_search(sandbox, phone_number__contains="0062", limit=1)[0]
    telnyx_buy(sandbox, "+14155550061")

    assert euros["cost_information"]["currency"] == "EUR"
    assert telnyx(sandbox, "GET", "balance").json["data"]["balance"] == "70.00"


@pytest.mark.parametrize(
    ("digits", "expected", "kept"),
    [("0070", (500, 500), 0), ("0071", (LOST, LOST), 2), ("0072", (404, 404), 2)],
)
def test_releases_go_wrong_as_the_scenario_says(sandbox, digits, expected, kept):
    sid = twilio_buy(sandbox, f"+1415555{digits}").json["sid"]
    number = telnyx_bought(sandbox, f"+1212555{digits}")
    got = (
        outcome_of(lambda: twilio(sandbox, "DELETE", f"/IncomingPhoneNumbers/{sid}.json")),
        outcome_of(lambda: telnyx(sandbox, "DELETE", f"phone_numbers/{number['id']}")),
    )

    assert tuple(one if one == LOST else one[0] for one in got) == expected
    assert len(sandbox.owned()) == kept


# Faults


@pytest.mark.parametrize(
    ("fault", "expected", "bought"),
    [
        ({"status": 503}, (503, 20503), 0),
        ({"status": 503, "apply": True}, (503, 20503), 1),
        ({"status": 400, "code": 12345}, (400, 12345), 0),
        ({"status": 403, "body": {"code": 7}}, (403, 7), 0),
        ({"status": 504, "body": "<p>late"}, (504, "<p>late"), 0),
        ({"action": "drop"}, LOST, 0),
        ({"action": "drop", "apply": True}, LOST, 1),
        ({"action": "hang"}, SILENCE, 0),
        ({"action": "hang", "apply": True}, SILENCE, 1),
        ({"action": "drip"}, (201, None), 1),
        ({"action": "truncate"}, CUT, 1),
        ({"action": "redirect"}, (307, None), 0),
        ({"action": "garbage"}, (200, "not json"), 0),
        ({"action": "garbage", "apply": True}, (200, "not json"), 1),
        ({"action": "misname"}, (201, None), 1),
        ({"delay": 1.0}, (201, None), 1),
        ({"path": "OutgoingCallerIds", "status": 500}, (201, None), 1),
        ({"method": "get", "status": 500}, (201, None), 1),
    ],
)
def test_a_fault_spoils_one_matching_request(sandbox, fault, expected, bought):
    sandbox.add_fault(**{"method": "POST", "path": r"/IncomingPhoneNumbers\.json$", **fault})
    timeout = 0.08 if expected == SILENCE else 5

    assert outcome_of(lambda: twilio_buy(sandbox, "+14155551000", timeout=timeout)) == expected
    assert len(sandbox.owned()) == bought
    assert twilio_buy(sandbox, "+14155551000").status == 201


def test_faults_repeat_as_often_as_asked_and_scale_their_delay(sandbox):
    sandbox.add_fault(times=2, status=429, headers={"Retry-After": "7"})
    sandbox.add_fault(times=None, delay=0.1 / SCALE, headers={"X-Late": "yes"})
    answers = [telnyx(sandbox, "GET", "balance") for _ in range(2)]
    started = time.monotonic()
    late = telnyx(sandbox, "GET", "balance")
    elapsed = time.monotonic() - started
    sandbox.clear_faults()

    assert [answer.outcome for answer in answers] == [(429, "10011")] * 2
    assert answers[0].headers["retry-after"] == "7"
    assert answers[0].headers["x-ratelimit-remaining"] == "0"
    assert (late.status, late.headers["x-late"]) == (200, "yes")
    assert 0.1 <= elapsed < 0.5
    assert "x-late" not in telnyx(sandbox, "GET", "balance").headers


@pytest.mark.parametrize("fault", [{"action": "explode"}, {"path": "("}, {"times": 0}])
def test_impossible_faults_are_refused(sandbox, fault):
    with pytest.raises(ValueError):
        sandbox.add_fault(**fault)
    assert control(sandbox, "POST", "faults", json=fault).status == 400


# The log and the control routes


def test_the_log_shows_every_provider_request_without_its_secrets(sandbox):
    twilio_buy(sandbox, "+14155551000", token="t0p-s3cret")
    telnyx(sandbox, "GET", "phone_numbers", query={"filter[tag]": "a"})
    sandbox.add_fault(action="drop")
    outcome_of(lambda: telnyx(sandbox, "GET", "balance"))
    control(sandbox, "GET", "health")
    bought, listed, dropped = sandbox.requests()

    assert (bought.provider, bought.account, bought.method) == ("twilio", AC, "POST")
    assert bought.path == f"/2010-04-01/Accounts/{AC}/IncomingPhoneNumbers.json"
    assert bought.body == {"PhoneNumber": "+14155551000", "VoiceUrl": "https://us.example/twiml"}
    assert (listed.account, listed.query) == ("KEYacme", {"filter[tag]": ["a"]})
    assert [record.status for record in (bought, listed, dropped)] == [201, 200, None]
    assert bought.number < listed.number < dropped.number and bought.at < listed.at
    assert bought.headers["authorization"] == "***"
    everything = repr([asdict(record) for record in sandbox.requests()])
    assert "s3cret" not in everything and "dDBwLXMzY3JldA" not in everything
    assert sandbox.requests(method="post", path_contains="Incoming", provider="twilio") == [bought]
    assert sandbox.requests(provider="pricing") == []


def test_a_request_is_in_the_log_while_it_hangs(sandbox):
    sandbox.add_fault(action="hang")
    outcome_of(lambda: twilio_buy(sandbox, "+14155551000", timeout=0.08))

    assert [(r.method, r.status) for r in sandbox.requests()] == [("POST", None)]


def test_other_processes_can_do_the_same_over_http(sandbox):
    number = {"provider": "twilio", "account": AC, "phone_number": "+14155550031"}
    owned = control(sandbox, "POST", "numbers", json={**number, "voice_url": "https://x.example"})
    assert (owned.status, owned.json["sid"][:2], owned.json["visible"]) == (201, "PN", True)
    assert control(sandbox, "POST", "numbers", json=number).status == 400
    assert control(sandbox, "GET", "numbers").json["numbers"] == [owned.json]

    control(sandbox, "POST", "accounts", json={"account": AC, "balance": "12.30"})
    assert twilio(sandbox, "GET", "/Balance.json").json["balance"] == "12.30"
    control(sandbox, "POST", "faults", json={"status": 500})
    assert twilio(sandbox, "GET", "/Balance.json").status == 500
    assert telnyx_buy(sandbox, "+14155555000").status == 200
    assert control(sandbox, "GET", "orders").json["orders"][0]["account"] == "KEYacme"
    posts = control(sandbox, "GET", "requests", query={"method": "POST"}).json["requests"]
    assert [(one["path"], one["status"]) for one in posts] == [("/v2/number_orders", 200)]
    assert control(sandbox, "DELETE", "requests").status == 204
    assert sandbox.requests() == []
    scenarios = control(sandbox, "GET", "scenarios").json["scenarios"]
    assert [one["digits"] for one in scenarios] == list(SCENARIOS)
    assert control(sandbox, "GET", "health").json == {"status": "ok", "url": sandbox.url}
    assert control(sandbox, "POST", "reset").status == 204
    assert sandbox.owned() == sandbox.orders() == []
    assert control(sandbox, "GET", "nothing").status == 404


# The server


def test_it_listens_on_the_loopback_address_only():
    with pytest.raises(ValueError):
        SandboxServer(host="0.0.0.0")


def test_connections_are_kept_alive_and_closed_by_stop():
    sandbox = SandboxServer().start()
    connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=5)
    for _ in range(3):
        connection.request("POST", "/v2/elsewhere", body=b"x" * 100_000)
        answer = connection.getresponse()
        assert int(answer.headers["Content-Length"]) == len(answer.read())
    kept = connection.sock
    sandbox.add_fault(action="hang")
    hanging = threading.Thread(
        target=lambda: outcome_of(lambda: telnyx(sandbox, "GET", "balance", timeout=30))
    )
    hanging.start()
    while len(sandbox.requests()) < 4:
        time.sleep(0.001)
    started = time.monotonic()
    sandbox.stop()

    assert time.monotonic() - started < 0.5
    assert kept is not None and kept.recv(1) == b""
    connection.close()
    hanging.join(1)
    assert not hanging.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(sandbox.url).port), timeout=1)


def test_latency_delays_provider_answers_but_not_control_calls():
    with SandboxServer(latency=0.15) as sandbox:
        started = time.monotonic()
        control(sandbox, "GET", "health")
        between = time.monotonic()
        telnyx(sandbox, "GET", "balance")

        assert between - started < 0.15 <= time.monotonic() - between


def test_what_was_bought_outlives_the_process(tmp_path: Path):
    file = tmp_path / "data" / "sandbox.json"
    with SandboxServer(state_file=file) as sandbox:
        sandbox.order_seconds = 0.0
        bought = twilio_buy(sandbox, "+14155551000").json
        telnyx_buy(sandbox, "+14155555000", customer_reference="purchase-1")
        waiting = telnyx_buy(sandbox, "+14155550052").json["data"]["id"]

    with SandboxServer(state_file=file) as sandbox:
        listed = twilio(sandbox, "GET", "/IncomingPhoneNumbers.json").json
        assert listed["incoming_phone_numbers"] == [bought]
        numbers = telnyx(sandbox, "GET", "phone_numbers").json["data"]
        assert [one["customer_reference"] for one in numbers] == ["purchase-1"]
        order = telnyx(sandbox, "GET", f"number_orders/{waiting}").json["data"]
        assert order["status"] == "pending"
        assert telnyx_buy(sandbox, "+14155550052").outcome == (422, "85001")
        assert twilio(sandbox, "GET", "/Balance.json").json["balance"] == "98.85"
        path = f"/IncomingPhoneNumbers/{bought['sid']}.json"
        assert twilio(sandbox, "DELETE", path).status == 204
        sandbox.reset()

    with SandboxServer(state_file=file) as sandbox:
        assert sandbox.owned() == sandbox.orders() == []
    assert [one.name for one in file.parent.iterdir()] == ["sandbox.json"]


@pytest.mark.parametrize("broken", ["{", "[]", '{"accounts": {}}'])
def test_a_broken_state_file_is_moved_aside(tmp_path: Path, capfd, broken):
    file = tmp_path / "sandbox.json"
    file.write_text(broken)
    with SandboxServer(state_file=file) as sandbox:
        assert twilio_buy(sandbox, "+14155551000").status == 201

    aside = [one for one in tmp_path.iterdir() if one != file]
    assert [one.read_text() for one in aside] == [broken]
    assert aside[0].name in capfd.readouterr().err
    assert json.loads(file.read_text())["numbers"].keys() == {"+14155551000"}


def at_once(count: int, call: Any) -> list[Any]:
    """The outcomes of `call(0)`, `call(1)`, … started together."""
    barrier = threading.Barrier(count)
    outcomes: list[Any] = [None] * count

    def run(index: int) -> None:
        barrier.wait()
        outcomes[index] = call(index).outcome

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads change places wherever they can, not every 5 ms
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
    return outcomes


def test_of_twenty_orders_at_once_telnyx_accepts_one(sandbox):
    for index in range(20):
        telnyx_search(sandbox, f"KEY{index}", limit=5)

    for number in [f"+1415555{line}" for line in range(5000, 5005)]:

        def order(index: int, number: str = number) -> Reply:
            return telnyx_buy(sandbox, number, f"KEY{index}", searched=False)

        assert sorted(at_once(20, order), key=str) == [(200, None)] + [(422, "85001")] * 19

    assert len(sandbox.orders()) == 5


def test_of_twenty_purchases_at_once_twilio_accepts_one(sandbox):
    outcomes = at_once(20, lambda i: twilio_buy(sandbox, "+14155551000", f"AC{i:032x}"))

    assert sorted(outcomes) == [(201, None)] + [(400, 21422)] * 19
    assert len(sandbox.owned()) == 1
