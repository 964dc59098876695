"""How the scenarios go on after their first answer."""

import time
from typing import Any

import pytest

from numbers.sandbox import SandboxServer
from numbers.tests.sandbox.client import (
    AC,
    LOST,
    MAIN_APPLICATION,
    MAIN_PROFILE,
    OTHER_AC,
    OTHER_KEY,
    SCALE,
    outcome_of,
    telnyx,
    telnyx_bought,
    telnyx_buy,
    telnyx_search,
    twilio,
    twilio_buy,
    twilio_search,
)


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


def test_an_order_is_pending_until_its_time_has_come(sandbox, later):
    sandbox.order_seconds = 60 / SCALE
    telnyx_buy(sandbox, "+14155555000")

    assert order_status(sandbox) == ("pending", "pending")
    assert telnyx(sandbox, "GET", "phone_numbers").json["data"] == []
    later(60)
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
        assert 0.2 <= time.monotonic() - started < 2  # scaled


def test_0016_buys_only_for_a_client_that_follows_the_redirect(sandbox):
    answer = twilio_buy(sandbox, "+14155550016")
    location = answer.headers["location"]
    assert location == f"/2010-04-01/Accounts/{AC}/IncomingPhoneNumbers.json?moved=1"
    assert sandbox.owned() == []

    form = {"PhoneNumber": "+14155550016"}
    assert twilio(sandbox, "POST", location.split(AC)[1], form=form).status == 201
    assert sandbox.requests("POST")[-1].query == {"moved": ["1"]}


def test_0030_is_listed_late_but_owned_at_once(later):
    with SandboxServer(time_scale=100) as sandbox:
        sandbox.order_seconds = 0.0
        for buy in (twilio_buy, telnyx_buy):
            number = "+14155550030" if buy is twilio_buy else "+12125550030"
            assert outcome_of(lambda b=buy, n=number: b(sandbox, n)) == LOST

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
        later(1000)
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


def test_0032_refuses_look_ups_for_a_while(later):
    with SandboxServer(time_scale=100) as sandbox:
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
        later(1000)
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
