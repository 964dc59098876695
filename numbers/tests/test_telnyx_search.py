"""Telnyx's searches: exactly what they ask for, and how offers and prices are read."""

from decimal import Decimal

import pytest

from burki.testing import TELNYX_NUMBER
from numbers.exceptions import ProviderUnreachable, UnsupportedCriteria
from numbers.providers.base import Price, SearchCriteria
from numbers.tests.driving import sent

SEARCH = "/available_phone_numbers"


@pytest.mark.parametrize(
    ("criteria", "filters"),
    [
        ({}, {"country_code": "US", "phone_number_type": "local", "limit": "10"}),
        (
            {
                "area_code": "415",
                "contains": "567",
                "locality": "San Francisco",
                "region": "CA",
                "limit": 3,
            },
            {
                "country_code": "US",
                "phone_number_type": "local",
                "national_destination_code": "415",
                "phone_number][contains": "567",
                "locality": "San Francisco",
                "administrative_area": "CA",
                "limit": "3",
            },
        ),
        (
            {"country_code": "GB", "area_code": "161"},
            {
                "country_code": "GB",
                "phone_number_type": "local",
                "national_destination_code": "161",
                "limit": "10",
            },
        ),
        (
            {"number_type": "toll_free"},
            {"country_code": "US", "phone_number_type": "toll_free", "limit": "10"},
        ),
    ],
)
def test_a_search_asks_for_what_was_asked_and_for_nothing_near_it(
    telnyx, sandbox, criteria, filters
):
    telnyx.search(SearchCriteria(**criteria))

    (request,) = sandbox.requests()
    assert sent(sandbox) == [("GET", SEARCH)]
    wanted = filters | {"best_effort": "false"}
    assert request.query == {f"filter[{name}]": [value] for name, value in wanted.items()}


@pytest.mark.parametrize(
    ("country", "number", "digits"),
    [("US", TELNYX_NUMBER, "4155555678"), ("GB", "+442079460123", "2079460123")],
)
def test_a_whole_number_is_searched_without_its_country_code(
    telnyx, sandbox, country, number, digits
):
    found = telnyx.search(SearchCriteria(country_code=country, contains=number))

    assert [one.phone_number for one in found] == [number]
    (request,) = sandbox.requests()
    assert request.query["filter[phone_number][starts_with]"] == [digits]
    assert "filter[phone_number][contains]" not in request.query


def test_a_region_that_telnyx_knows_in_north_america_only_is_not_sent_elsewhere(telnyx, sandbox):
    with pytest.raises(UnsupportedCriteria):
        telnyx.search(SearchCriteria(country_code="GB", region="England"))

    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("number", "price"),
    [
        ("+14155555077", Price(monthly=Decimal("1"), setup=Decimal("1"), currency="USD")),
        ("+14155550060", Price()),
        ("+14155550061", Price(monthly=Decimal("25"), setup=Decimal("5"), currency="USD")),
        ("+14155550062", Price(monthly=Decimal("1"), setup=Decimal("0"), currency="EUR")),
    ],
)
def test_each_offer_carries_its_own_price(telnyx, number, price):
    (offer,) = telnyx.search(SearchCriteria(contains=number))

    assert offer.price == price


@pytest.mark.parametrize(
    "cost",
    [
        {},
        None,
        {"monthly_cost": None, "currency": "USD"},
        {"monthly_cost": "free", "currency": "USD"},
        {"monthly_cost": "1.00", "currency": None},
    ],
)
def test_a_price_that_cannot_be_read_is_unknown(telnyx, sandbox, cost):
    item = {"phone_number": TELNYX_NUMBER, "cost_information": cost}
    sandbox.add_fault(path=SEARCH, body={"data": [item]})

    (offer,) = telnyx.search(SearchCriteria())

    assert offer.price == Price()


@pytest.mark.parametrize(
    "part", [{"features": ["sms"]}, {"features": {}, "region_information": ["US"]}]
)
def test_an_offer_that_cannot_be_read_is_no_answer(telnyx, sandbox, part):
    sandbox.add_fault(path=SEARCH, body={"data": [{"phone_number": TELNYX_NUMBER} | part]})

    with pytest.raises(ProviderUnreachable):
        telnyx.search(SearchCriteria())


def test_more_than_was_asked_for_is_cut_off(telnyx, sandbox):
    items = [{"phone_number": f"+1415555500{last}"} for last in range(3)]
    sandbox.add_fault(path=SEARCH, body={"data": items})

    found = telnyx.search(SearchCriteria(limit=2))

    assert [one.phone_number for one in found] == ["+14155555000", "+14155555001"]


def test_before_an_unsearched_number_is_bought_exactly_that_number_is_searched(telnyx, sandbox):
    standing = telnyx.inspect(TELNYX_NUMBER)

    assert standing.owned is None
    assert standing.offer.phone_number == TELNYX_NUMBER
    assert standing.offer.price.monthly == Decimal("1")
    (request,) = sandbox.requests()
    assert request.query == {
        "filter[country_code]": ["US"],
        "filter[phone_number][starts_with]": ["4155555678"],
        "filter[best_effort]": ["false"],
        "filter[limit]": ["5"],
    }
