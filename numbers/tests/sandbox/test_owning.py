"""Buying, listing, changing and releasing, and what an account is."""

import base64

import pytest

from numbers.tests.sandbox.client import (
    AC,
    MAIN_APPLICATION,
    MAIN_PROFILE,
    OTHER_AC,
    OTHER_KEY,
    PLAIN_CONNECTION,
    send,
    telnyx,
    telnyx_bought,
    telnyx_buy,
    telnyx_search,
    twilio,
    twilio_buy,
)


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
