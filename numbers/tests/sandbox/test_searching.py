"""What each provider offers, and how searches filter it."""

import pytest

from numbers.tests.sandbox.client import telnyx, telnyx_buy, telnyx_search, twilio, twilio_search


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
