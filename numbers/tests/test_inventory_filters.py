"""The filters of inventory and purchases: each finds its own, and nonsense is an error."""

import pytest

from burki.testing import make_assistant
from numbers.tests.rows import LIST, NOON, PURCHASES, listed, make_number, make_purchase

pytestmark = pytest.mark.django_db


@pytest.fixture
def some_numbers(organization, assistant):
    other = make_assistant(organization, "Sales")
    make_number(organization, 1, assistant=assistant, country="US", friendly_name="Front desk")
    make_number(organization, 2, provider="telnyx", country="CA", status="pending")
    make_number(organization, 3, assistant=other, country="GB", status="releasing")
    make_number(organization, 4, provider="telnyx", country="US", status="released")


def test_the_inventory_is_filtered(client, some_numbers):
    for query, found in (
        ({}, ["0003", "0002", "0001"]),
        ({"provider": "telnyx"}, ["0002"]),
        ({"provider": "twilio"}, ["0003", "0001"]),
        ({"status": "pending"}, ["0002"]),
        ({"status": ["pending", "releasing"]}, ["0003", "0002"]),
        ({"status": "released", "provider": "telnyx"}, ["0004"]),
        ({"assigned": "true"}, ["0003", "0001"]),
        ({"assigned": "false"}, ["0002"]),
        ({"country_code": "US"}, ["0001"]),
        ({"country_code": "gb"}, ["0003"]),
        ({"country_code": "FR"}, []),
        ({"search": "front"}, ["0001"]),
        ({"search": "5550002"}, ["0002"]),
        ({"search": "+1415555000"}, ["0003", "0002", "0001"]),
        ({"search": "%"}, []),
        ({"search": "_"}, []),
        ({"unknown": "x", "format": "xml"}, ["0003", "0002", "0001"]),
        ({"provider": "", "assigned": "", "search": ""}, ["0003", "0002", "0001"]),
    ):
        assert listed(client, **query) == found, query


def test_the_inventory_of_one_assistant(client, some_numbers, assistant):
    assert listed(client, assistant_id=assistant.pk) == ["0001"]
    assert listed(client, assistant_id=2**63 - 1) == []


@pytest.fixture
def some_purchases(organization):
    make_purchase(organization, 1)
    make_purchase(organization, 2, provider="telnyx", state="pending")
    make_purchase(
        organization,
        3,
        state="refused",
        refusal_code="number_unavailable",
        evidence="provider_said_no",
    )
    make_purchase(organization, 4, state="uncertain", needs_attention_at=NOON)


def test_purchases_are_filtered(client, some_purchases):
    for query, found in (
        ({}, ["0004", "0003", "0002", "0001"]),
        ({"provider": "telnyx"}, ["0002"]),
        ({"state": "refused"}, ["0003"]),
        ({"state": ["refused", "uncertain"]}, ["0004", "0003"]),
        ({"phone_number": "+14155550001"}, ["0001"]),
        ({"phone_number": "+14155559999"}, []),
        ({"needs_attention": "true"}, ["0004"]),
        ({"needs_attention": "false"}, ["0003", "0002", "0001"]),
    ):
        assert listed(client, PURCHASES, **query) == found, query


@pytest.mark.parametrize("plus", ["+", "%2B"])
def test_a_plus_in_a_filter_may_be_written_as_people_write_it(client, some_purchases, plus):
    response = client.get(f"{PURCHASES}?phone_number={plus}14155550001")

    assert [item["phone_number"] for item in response.json()["items"]] == ["+14155550001"]


@pytest.mark.parametrize(
    ("path", "name", "values"),
    [
        (LIST, "provider", ["vonage", "all", "\x00"]),
        (LIST, "status", ["lost", "claimed", "active,pending", "ACTIVE!", "\x00"]),
        (LIST, "assistant_id", ["x", "0", "-1", "1.5", "NaN", "1e400", "9" * 30, "true"]),
        (LIST, "assigned", ["maybe", "2", "yes please", "null", "\x00"]),
        (LIST, "country_code", ["USA", "U", "Germany", "12", "\x00"]),
        (LIST, "search", ["\x00", "a\x00b"]),
        (PURCHASES, "provider", ["vonage", "all"]),
        (PURCHASES, "state", ["lost", "claimed", "\x00"]),
        (PURCHASES, "phone_number", ["x", "4155550001", "+1", "+1415555000x", "\x00"]),
        (PURCHASES, "needs_attention", ["maybe", "2"]),
    ],
)
def test_a_filter_that_makes_no_sense_is_a_400_not_an_empty_list(
    client, some_numbers, some_purchases, path, name, values
):
    client.raise_request_exception = False
    for value in values:
        response = client.get(path, {name: value})

        assert response.status_code == 400, (value, response.json())
        answer = response.json()
        assert answer["code"] == "invalid_request"
        assert answer["detail"].startswith(name)


def test_another_tenants_assistant_filters_nothing_in(client, organization, other_organization):
    foreign = make_assistant(other_organization)
    make_number(other_organization, 1, assistant=foreign)

    assert listed(client, assistant_id=foreign.pk) == []
