"""Searching for numbers: what is asked of each provider, what is answered, what it costs, and that
it spends nothing."""

from decimal import Decimal

import pytest

from burki.testing import make_client, orders_sent, post
from numbers.models import Offer, PhoneNumber, Purchase

pytestmark = pytest.mark.django_db

SEARCH = "/phone-numbers/search"
TWILIO, TELNYX, PRICES = "/AvailablePhoneNumbers/", "/available_phone_numbers", "/v1/PhoneNumbers/"


def search(client, path=SEARCH, **criteria):
    response = post(client, path, criteria)
    assert response.status_code == 200, response.json()
    return response.json()


def asked(sandbox, what):
    return sandbox.requests(method="GET", path_contains=what)


def found(answer):
    return [item["phone_number"] for item in answer["numbers"]]


# --- What is asked --------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [{}, {"limit": None, "provider": None, "area_code": ""}])
def test_an_empty_search_is_for_ten_local_american_numbers_at_telnyx(client, base, sandbox, body):
    answer = search(client, f"{base}/search", **body)

    assert answer["success"] is True
    assert answer["provider"] == "telnyx"
    assert answer["total_found"] == len(answer["numbers"]) == 10
    assert set(answer) == {"success", "numbers", "total_found", "provider"}
    (request,) = sandbox.requests()
    assert request.path == "/v2/available_phone_numbers"
    assert request.query == {
        "filter[country_code]": ["US"],
        "filter[phone_number_type]": ["local"],
        "filter[best_effort]": ["false"],
        "filter[limit]": ["10"],
    }


CRITERIA = [
    ({"country_code": "CA"}, "CA/Local", {}, {"filter[country_code]": "CA"}),
    ({"country_code": "gb"}, "GB/Local", {}, {"filter[country_code]": "GB"}),
    (
        {"area_code": "212"},
        "US/Local",
        {"AreaCode": "212"},
        {"filter[national_destination_code]": "212"},
    ),
    (
        {"contains": "5551"},
        "US/Local",
        {"Contains": "5551"},
        {"filter[phone_number][contains]": "5551"},
    ),
    (
        {"contains": "BurkI"},  # the letters of a telephone's keypad
        "US/Local",
        {"Contains": "28754"},
        {"filter[phone_number][contains]": "28754"},
    ),
    (
        {"locality": "New York"},
        "US/Local",
        {"InLocality": "New York"},
        {"filter[locality]": "New York"},
    ),
    ({"region": "NY"}, "US/Local", {"InRegion": "NY"}, {"filter[administrative_area]": "NY"}),
    ({"number_type": "toll_free"}, "US/TollFree", {}, {"filter[phone_number_type]": "toll_free"}),
    (
        {"number_type": "mobile", "country_code": "GB"},
        "GB/Mobile",
        {},
        {"filter[phone_number_type]": "mobile", "filter[country_code]": "GB"},
    ),
    ({"limit": 50}, "US/Local", {"PageSize": "50"}, {"filter[limit]": "50"}),
    ({"limit": 1}, "US/Local", {"PageSize": "1"}, {"filter[limit]": "1"}),
    (
        {"area_code": "415", "contains": "12", "locality": "San Francisco", "region": "CA"},
        "US/Local",
        {"AreaCode": "415", "Contains": "12", "InLocality": "San Francisco", "InRegion": "CA"},
        {
            "filter[national_destination_code]": "415",
            "filter[phone_number][contains]": "12",
            "filter[locality]": "San Francisco",
            "filter[administrative_area]": "CA",
        },
    ),
]


@pytest.mark.parametrize(
    ("criteria", "path", "parameters", "filters"), CRITERIA, ids=[str(c[0]) for c in CRITERIA]
)
def test_each_criterion_reaches_each_provider(client, sandbox, criteria, path, parameters, filters):
    search(client, provider="all", **criteria)

    (at_twilio,), (at_telnyx,) = asked(sandbox, TWILIO), asked(sandbox, TELNYX)
    assert at_twilio.path.endswith(f"/AvailablePhoneNumbers/{path}.json")
    sent = {name: values[0] for name, values in at_twilio.query.items()}
    assert sent == {"PageSize": "10"} | parameters
    sent = {name: values[0] for name, values in at_telnyx.query.items()}
    assert (
        sent
        == {
            "filter[country_code]": "US",
            "filter[phone_number_type]": "local",
            "filter[best_effort]": "false",
            "filter[limit]": "10",
        }
        | filters
    )


@pytest.mark.parametrize("provider", ["twilio", "telnyx", "TWILIO", "Telnyx"])
def test_only_the_provider_named_is_asked(client, sandbox, provider):
    answer = search(client, provider=provider)

    assert answer["provider"] == provider.lower()
    assert {item["provider"] for item in answer["numbers"]} == {provider.lower()}
    assert {request.provider for request in sandbox.requests()} - {"pricing"} == {provider.lower()}


@pytest.mark.parametrize("limit", [1, 7, 50])
@pytest.mark.parametrize("provider", ["twilio", "telnyx", "all"])
def test_as_many_numbers_as_asked_for(client, sandbox, provider, limit):
    answer = search(client, provider=provider, limit=limit)

    assert answer["total_found"] == len(set(found(answer))) == limit


# --- What is answered -----------------------------------------------------------------------------


def test_a_telnyx_number_is_answered_for_both_readers(client, base, sandbox):
    answer = search(client, f"{base}/search", provider="telnyx", area_code="415", limit=1)

    assert answer == {
        "success": True,
        "numbers": [
            {
                "phone_number": "+14155555000",
                "friendly_name": "+14155555000",
                "locality": "San Francisco",
                "region": "CA",
                "country_code": "US",
                "iso_country": "US",
                "number_type": "local",
                "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
                "cost": "1.00",
                "monthly_cost": "1.00",
                "setup_cost": "0.00",
                "currency": "USD",
                "provider": "telnyx",
            }
        ],
        "total_found": 1,
        "provider": "telnyx",
    }


def test_a_twilio_number_is_answered_for_both_readers(client, base, sandbox):
    answer = search(client, f"{base}/search", provider="twilio", area_code="415", limit=1)

    assert answer["numbers"] == [
        {
            "phone_number": "+14155551000",
            "friendly_name": "+14155551000",
            "locality": "San Francisco",
            "region": "CA",
            "country_code": "US",
            "iso_country": "US",
            "number_type": "local",
            "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
            "cost": "1.15",
            "monthly_cost": "1.15",
            "setup_cost": "0.00",
            "currency": "USD",
            "provider": "twilio",
        }
    ]


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_what_a_number_cannot_do_is_told(client, sandbox, provider):
    (number,) = search(client, provider=provider, contains="4155550040")["numbers"]

    assert number["phone_number"] == "+14155550040"
    assert number["capabilities"] == {"voice": True, "sms": False, "mms": False, "fax": False}


def test_every_price_is_a_number_to_the_sdk(client, sandbox):
    answer = search(client, provider="all", limit=50)

    for item in answer["numbers"]:
        for field in ("cost", "monthly_cost", "setup_cost"):
            assert float(item[field]) >= 0
        assert item["iso_country"] == item["country_code"] == "US"
        assert set(item["capabilities"]) == {"voice", "sms", "mms", "fax"}


@pytest.mark.parametrize("provider", ["twilio", "telnyx", "all"])
def test_nothing_that_fits_is_an_empty_success(client, sandbox, provider):
    answer = search(client, provider=provider, area_code="415", contains="0009")

    assert (answer["success"], answer["numbers"], answer["total_found"]) == (True, [], 0)


def test_exactly_one_number_can_be_asked_for(client, sandbox):
    for provider in ("twilio", "telnyx"):
        answer = search(client, provider=provider, contains="+14155551234")

        assert found(answer) == ["+14155551234"]


# --- Order and both at once -----------------------------------------------------------------------


def first_year(item):
    if item["monthly_cost"] is None:
        return (True, 0)
    return (False, Decimal(item["setup_cost"]) + 12 * Decimal(item["monthly_cost"]))


def test_numbers_come_by_the_cost_of_their_first_year(client, sandbox):
    answer = search(client, provider="all", area_code="415", limit=50)

    costs = [first_year(item) for item in answer["numbers"]]
    assert costs == sorted(costs)
    assert {year for _, year in costs} == {Decimal("12.00"), Decimal("13.80")}


def test_a_set_up_fee_counts_into_the_first_year(client, sandbox):
    """Telnyx asks 1.00 once for numbers that end in 77."""
    answer = search(client, provider="telnyx", area_code="415", contains="77", limit=50)

    costs = [first_year(item) for item in answer["numbers"]]
    assert costs == sorted(costs)
    assert {year for _, year in costs} == {Decimal("12.00"), Decimal("13.00")}


def test_an_unknown_price_comes_last(client, sandbox):
    sandbox.add_fault(path="^/v1/PhoneNumbers/", status=500, times=None)

    answer = search(client, provider="all", limit=10)

    providers = [item["provider"] for item in answer["numbers"]]
    assert providers == ["telnyx"] * 5 + ["twilio"] * 5
    unknown = answer["numbers"][-1]
    names = ("cost", "monthly_cost", "setup_cost", "currency")
    assert [unknown[name] for name in names] == [None] * 4
    assert answer["providers"]["twilio"] == {"success": True, "count": 5}


def test_a_price_that_one_number_lacks_comes_after_all_that_are_known(client, sandbox):
    numbers = search(client, provider="telnyx", contains="0060", limit=50)["numbers"]

    assert [item["monthly_cost"] for item in numbers].count(None) == len(numbers) > 1
    both = search(client, provider="all", contains="0060", limit=50)["numbers"]
    known = [item["monthly_cost"] is not None for item in both]
    assert known == sorted(known, reverse=True)
    assert True in known and False in known


def test_neither_provider_crowds_out_the_other(client, sandbox):
    answer = search(client, provider="all", limit=10)

    assert answer["providers"] == {
        "twilio": {"success": True, "count": 5},
        "telnyx": {"success": True, "count": 5},
    }
    assert answer["provider"] == "all"


def test_what_one_provider_lacks_the_other_fills(client, sandbox):
    """Only Telnyx has lines from 5000 on."""
    answer = search(client, provider="all", area_code="415", contains="5555", limit=10)

    counts = {name: told["count"] for name, told in answer["providers"].items()}
    assert sum(counts.values()) == answer["total_found"] == 10


# --- Prices, offers, money ------------------------------------------------------------------------


def test_twilios_prices_are_asked_once_per_country_and_account(client, other_organization, sandbox):
    for _ in range(2):
        search(client, provider="twilio", area_code="415")
    search(client, provider="all", number_type="toll_free")
    assert [r.path for r in asked(sandbox, PRICES)] == ["/v1/PhoneNumbers/Countries/US"]

    search(client, provider="twilio", country_code="CA")
    assert len(asked(sandbox, PRICES)) == 2

    search(make_client(other_organization), provider="twilio")
    assert len(asked(sandbox, PRICES)) == 3


def test_each_kind_of_number_has_its_own_price(client, sandbox):
    local = search(client, provider="twilio", limit=1)["numbers"][0]
    free = search(client, provider="twilio", number_type="toll_free", limit=1)["numbers"][0]

    assert (local["cost"], free["cost"]) == ("1.15", "2.15")


def test_what_was_found_is_remembered_as_offered(client, organization, sandbox):
    answer = search(client, provider="all", limit=6)

    offers = {offer.phone_number: offer for offer in Offer.objects.select_related("account")}
    assert len(offers) == 12  # all that the two sent, also what the answer had no room for
    for item in answer["numbers"]:
        offer = offers[item["phone_number"]]
        assert (offer.provider, offer.account.organization) == (item["provider"], organization)
        assert offer.monthly_cost == Decimal(item["monthly_cost"])
        assert offer.setup_cost == Decimal(item["setup_cost"])
        assert (offer.currency, offer.country) == (item["currency"], "US")
        assert (offer.capabilities, offer.locality) == (item["capabilities"], item["locality"])


def test_a_search_spends_nothing(client, sandbox):
    search(client, provider="all", limit=50)

    assert orders_sent(sandbox) == []
    assert {request.method for request in sandbox.requests()} == {"GET"}
    assert sandbox.owned() == []
    assert not Purchase.objects.exists()
    assert not PhoneNumber.objects.exists()


def test_what_was_found_can_be_bought_with_one_request(client, base, sandbox):
    answer = search(client, f"{base}/search", provider="twilio", limit=1)
    sandbox.clear_requests()
    body = {"provider": "twilio", "phone_number": answer["numbers"][0]["phone_number"]}

    response = post(client, f"{base}/purchase", body)

    assert response.status_code == 200
    assert [request.method for request in sandbox.requests()] == ["POST"]
