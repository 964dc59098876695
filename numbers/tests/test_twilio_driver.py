"""Twilio's driver: exactly what it sends, and what is particular to Twilio."""

from decimal import Decimal

import pytest

from burki.testing import ACME_SID, TWILIO_NUMBER, orders_sent
from numbers.exceptions import ProviderRefused, UnsupportedCriteria
from numbers.providers.base import (
    Order,
    OrderState,
    OwnedNumber,
    Price,
    Routing,
    SearchCriteria,
    Sighting,
    Standing,
)
from numbers.tests.driving import ROUTING, STATUS_CALLBACK, TAG, bought, driver_of, order, sent

TWIML = "https://burki.test/twiml"
FORM = {
    "PhoneNumber": TWILIO_NUMBER,
    "FriendlyName": "Support line",
    "VoiceUrl": TWIML,
    "VoiceMethod": "POST",
    "SmsUrl": TWIML,
    "SmsMethod": "POST",
    "StatusCallback": STATUS_CALLBACK,
    "StatusCallbackMethod": "POST",
}
FORM_WITHOUT_SMS = {key: FORM[key] for key in FORM if not key.startswith("Sms")}
VOICE_ROUTING = Routing(voice_url=TWIML, status_callback=STATUS_CALLBACK)


@pytest.fixture
def twilio(sandbox):
    return driver_of("twilio")


# --- Searching -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("criteria", "path", "query"),
    [
        ({}, "US/Local", {"PageSize": ["10"]}),
        (
            {
                "area_code": "415",
                "contains": "123",
                "locality": "San Francisco",
                "region": "CA",
                "limit": 3,
            },
            "US/Local",
            {
                "AreaCode": ["415"],
                "Contains": ["123"],
                "InLocality": ["San Francisco"],
                "InRegion": ["CA"],
                "PageSize": ["3"],
            },
        ),
        (
            {"number_type": "toll_free", "contains": "+18005551000"},
            "US/TollFree",
            {"Contains": ["+18005551000"], "PageSize": ["10"]},
        ),
        (
            {"country_code": "GB", "number_type": "mobile", "contains": "44"},
            "GB/Mobile",
            {"Contains": ["44"], "PageSize": ["10"]},
        ),
    ],
)
def test_a_search_asks_for_what_was_asked_and_for_nothing_else(
    twilio, sandbox, criteria, path, query
):
    twilio.search(SearchCriteria(**criteria))

    request = sandbox.requests(provider="twilio")[0]
    assert request.method == "GET"
    assert request.path == f"/2010-04-01/Accounts/{ACME_SID}/AvailablePhoneNumbers/{path}.json"
    assert request.query == query


@pytest.mark.parametrize("criterion", [{"area_code": "20"}, {"region": "England"}])
def test_criteria_that_twilio_knows_in_north_america_only_are_not_dropped_elsewhere(
    twilio, sandbox, criterion
):
    with pytest.raises(UnsupportedCriteria) as caught:
        twilio.search(SearchCriteria(country_code="GB", **criterion))

    assert caught.value.code == "invalid_request"
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    "reported",
    [
        {"voice": True, "SMS": True, "MMS": False},
        {"voice": True, "sms": True, "mms": False, "fax": False},
        {"Voice": True, "SMS": True, "MMS": None},
    ],
)
def test_capabilities_are_read_in_capitals_and_in_small_letters(twilio, sandbox, reported):
    offer = {"phone_number": TWILIO_NUMBER, "iso_country": "US", "capabilities": reported}
    page = {"available_phone_numbers": [offer], "uri": "/"}
    sandbox.add_fault(path="AvailablePhoneNumbers", body=page)

    (number,) = twilio.search(SearchCriteria())

    assert number.capabilities == {"voice": True, "sms": True, "mms": False, "fax": False}


def test_the_price_list_is_asked_once_for_an_account_and_country(twilio, sandbox):
    for number_type in ("local", "local", "toll_free"):
        twilio.search(SearchCriteria(number_type=number_type))
    assert [one.path for one in sandbox.requests(provider="pricing")] == [
        "/v1/PhoneNumbers/Countries/US"
    ]

    twilio.search(SearchCriteria(country_code="CA"))

    assert len(sandbox.requests(provider="pricing")) == 2


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 401}, {"body": {}}])
def test_numbers_are_found_without_a_price_list_and_it_is_asked_for_again(twilio, sandbox, fault):
    sandbox.add_fault(path="/v1/PhoneNumbers", **fault)

    (unpriced,) = twilio.search(SearchCriteria(limit=1))
    (priced,) = twilio.search(SearchCriteria(limit=1))

    assert unpriced.price == Price()
    assert priced.price.monthly == Decimal("1.15")


def test_only_a_price_list_that_is_at_hand_is_read_without_asking(twilio, sandbox):
    assert twilio.price("US", "local", ask=False) == Price()
    assert sandbox.requests() == []
    twilio.price("US", "local")
    sandbox.clear_requests()

    assert twilio.price("US", "toll_free", ask=False).monthly == Decimal("2.15")
    assert sandbox.requests() == []


def test_a_price_that_the_list_does_not_have_is_unknown(twilio):
    assert twilio.price("US", "mobile") == Price()
    assert twilio.price("JP", "local") == Price()


def test_before_an_unsearched_number_is_bought_the_account_is_looked_at_once(twilio, sandbox):
    assert twilio.inspect(TWILIO_NUMBER) == Standing()

    (request,) = sandbox.requests()
    assert sent(sandbox) == [("GET", "/IncomingPhoneNumbers.json")]
    assert request.query == {"PhoneNumber": [TWILIO_NUMBER], "PageSize": ["100"]}


# --- Buying --------------------------------------------------------------------------------------


def test_one_post_buys_and_sets_every_address(sandbox):
    order = bought("twilio")

    assert sent(sandbox) == [("POST", "/IncomingPhoneNumbers.json")]
    (request,) = sandbox.requests()
    assert request.body == FORM
    assert request.query == {}
    (owned,) = sandbox.owned()
    assert order.order_id == order.number.number_id == owned["sid"]
    assert order.number == OwnedNumber(
        number_id=owned["sid"],
        phone_number=TWILIO_NUMBER,
        friendly_name="Support line",
        capabilities={"voice": True, "sms": True, "mms": True, "fax": False},
        routing=ROUTING["twilio"],
        reference=TAG,
        created_at=order.created_at,
    )


def test_a_number_that_cannot_do_sms_is_bought_without_its_fields(sandbox):
    bought("twilio", "+14155550040", routing=VOICE_ROUTING)

    (request,) = sandbox.requests()
    assert request.body == FORM_WITHOUT_SMS | {"PhoneNumber": "+14155550040"}
    assert sandbox.owned()[0]["sms_url"] == ""


@pytest.mark.parametrize("digits", ["0040", "0041"])
def test_sms_refused_is_ordered_once_more_without_sms(sandbox, digits):
    number = f"+1415555{digits}"

    result = bought("twilio", number)

    assert [request.body for request in orders_sent(sandbox)] == [
        FORM | {"PhoneNumber": number},
        FORM_WITHOUT_SMS | {"PhoneNumber": number},
    ]
    assert result.state == OrderState.COMPLETED
    assert result.number.routing == VOICE_ROUTING
    assert len(sandbox.owned()) == 1


def test_sms_refused_twice_is_a_refusal(sandbox):
    sandbox.add_fault(method="POST", status=400, code=21407, times=None)

    with pytest.raises(ProviderRefused) as caught:
        order("twilio")

    assert (caught.value.code, caught.value.provider_code) == ("sms_not_supported", "21407")
    assert len(orders_sent(sandbox)) == 2


def test_sms_refused_where_none_was_asked_for_is_a_refusal(sandbox):
    sandbox.add_fault(method="POST", status=400, code=21407)

    with pytest.raises(ProviderRefused):
        order("twilio", routing=VOICE_ROUTING)

    assert len(orders_sent(sandbox)) == 1
    assert sandbox.owned() == []


def test_leave_to_send_is_asked_for_the_second_post_as_well(sandbox):
    answers = [True, False]

    with pytest.raises(ProviderRefused):
        order("twilio", "+14155550041", may_send=lambda: answers.pop(0))

    assert answers == []
    assert len(orders_sent(sandbox)) == 1
    assert sandbox.owned() == []


def test_twilios_answer_is_final_and_nothing_needs_to_be_followed_or_cancelled(twilio, sandbox):
    done = order("twilio")
    sandbox.clear_requests()

    assert twilio.follow(done, TWILIO_NUMBER) is done
    twilio.cancel_order(done)

    assert sandbox.requests() == []


# --- Looking and setting -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "callback",
    [
        "",
        "https://burki.test/twilio-status",
        "https://burki.test/twilio-status?purchase=",
        f"https://burki.test/twilio-status?purchase={TAG}0",
        f"https://burki.test/twilio-status?call={TAG}",
        f"https://burki.test/twilio-status/{TAG}",
    ],
)
def test_only_our_tag_in_the_status_callback_makes_a_number_ours(twilio, sandbox, callback):
    sandbox.own(
        provider="twilio",
        account=ACME_SID,
        phone_number=TWILIO_NUMBER,
        status_callback=callback,
        friendly_name=TAG,
    )

    seen = twilio.look_for(reference=TAG, phone_number=TWILIO_NUMBER, order_id="")

    assert (seen.sighting, seen.order) == (Sighting.FOREIGN, None)


def test_the_users_name_for_a_number_does_not_hide_our_tag(twilio, sandbox):
    owned = sandbox.own(
        provider="twilio",
        account=ACME_SID,
        phone_number=TWILIO_NUMBER,
        status_callback=f"https://burki.test/twilio-status?x=1&purchase={TAG}#rc=2",
        friendly_name="Renamed",
    )

    seen = twilio.look_for(reference=TAG, phone_number=TWILIO_NUMBER, order_id="")

    assert seen.sighting == Sighting.FOUND
    assert (seen.order.state, seen.order.order_id) == (OrderState.COMPLETED, owned["sid"])
    assert seen.summary() == {
        "saw": "found",
        "order": owned["sid"],
        "status": "in-use",
        "number_id": owned["sid"],
    }


@pytest.mark.parametrize(
    ("routing", "name", "form"),
    [
        (
            ROUTING["twilio"],
            "New name",
            {
                "FriendlyName": "New name",
                "VoiceUrl": TWIML,
                "VoiceMethod": "POST",
                "SmsUrl": TWIML,
                "SmsMethod": "POST",
                "StatusCallback": STATUS_CALLBACK,
                "StatusCallbackMethod": "POST",
            },
        ),
        (Routing(voice_url=TWIML), "", {"VoiceUrl": TWIML, "VoiceMethod": "POST"}),
        (Routing(), "Only a name", {"FriendlyName": "Only a name"}),
    ],
)
def test_setting_up_a_number_sends_what_is_given_and_leaves_the_rest(
    twilio, sandbox, routing, name, form
):
    before = order("twilio", routing=VOICE_ROUTING).number
    sandbox.clear_requests()

    twilio.configure(before.number_id, routing, name)

    (request,) = sandbox.requests()
    assert sent(sandbox) == [("POST", f"/IncomingPhoneNumbers/{before.number_id}.json")]
    assert request.body == form
    after = twilio.find_number(TWILIO_NUMBER)
    assert after.friendly_name == (name or "Support line")
    assert after.routing.status_callback == STATUS_CALLBACK


def test_twilio_needs_no_connections(twilio, sandbox):
    twilio.check_routing(Routing(connection_id="1"), webhook_url=TWIML)

    assert twilio.make_routing(name="Burki", webhook_url=TWIML) == Routing()
    assert sandbox.requests() == []


def test_an_order_keeps_the_words_of_twilio(sandbox):
    done = order("twilio")

    assert isinstance(done, Order)
    assert (done.status, done.blocked, done.sub_order_ids) == ("in-use", False, ())
    assert (done.refusal_code, done.hint) == ("", "")
