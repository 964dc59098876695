"""The organization's and the assistants' lists: what is in them, in pages, at constant cost."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from burki.testing import make_assistant, make_client
from numbers.models import PhoneNumber, VerifiedCallerId
from numbers.tests.sdk import parsed

pytestmark = pytest.mark.django_db

ORGANIZATION = "/api/v1/assistants/organization/phone-numbers"


@pytest.fixture
def make(organization):
    def numbers(count, first=0, **over):
        account = organization.provider_accounts.get(provider="twilio")
        fields = {"provider": "twilio", "account": account, "status": "active"} | over
        return PhoneNumber.objects.bulk_create(
            PhoneNumber(
                organization=organization,
                phone_number=f"+1415{n:07}",
                friendly_name=f"Line {n}",
                **fields,
            )
            for n in range(first, first + count)
        )

    return numbers


def lines(response):
    assert response.status_code == 200, response.json()
    return [item["friendly_name"] for item in response.json()]


def test_an_empty_inventory_is_an_empty_array(client, assistant):
    for path in paths(assistant):
        response = client.get(path)
        assert (response.status_code, response.json()) == (200, [])
        assert "Link" not in response


def paths(assistant):
    return [
        ORGANIZATION,
        f"{ORGANIZATION}?is_verified_caller_id=true",
        f"{ORGANIZATION}/available",
        f"/api/v1/assistants/{assistant.pk}/phone-numbers",
        f"/api/v1/assistants/{assistant.pk}/available-phone-numbers",
    ]


def test_what_each_list_holds(client, organization, assistant, make):
    make(1, 1)
    make(1, 2, assistant=assistant)
    make(1, 3, assistant=make_assistant(organization, "Other"))
    make(1, 4, status="pending", assistant=assistant)
    make(1, 5, status="releasing")
    make(1, 6, status="released")
    make(1, 7, status="claimed")

    own = f"/api/v1/assistants/{assistant.pk}"
    assert lines(client.get(ORGANIZATION)) == ["Line 3", "Line 2", "Line 1"]
    assert lines(client.get(f"{ORGANIZATION}/available")) == ["Line 1"]
    assert lines(client.get(f"{own}/available-phone-numbers")) == ["Line 1"]
    assert lines(client.get(f"{own}/phone-numbers")) == ["Line 4", "Line 2"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"include_assigned": "false"}, ["Line 1"]),
        ({"include_unassigned": "false"}, ["Line 2"]),
        ({"include_unassigned": "false", "include_assigned": "false"}, []),
        ({"include_inactive": "true"}, ["Line 3", "Line 2", "Line 1"]),
        ({"include_inactive": "false", "include_assigned": "true"}, ["Line 2", "Line 1"]),
        ({"is_verified_caller_id": "false"}, ["Line 2", "Line 1"]),
    ],
    ids=str,
)
def test_what_may_be_left_out_or_added(client, assistant, make, query, expected):
    make(1, 1)
    make(1, 2, assistant=assistant)
    make(1, 3, status="pending")
    make(1, 4, status="released")

    assert lines(client.get(ORGANIZATION, query)) == expected


@pytest.mark.parametrize(
    "query",
    [
        {"include_assigned": "maybe"},
        {"is_verified_caller_id": "x"},
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "abc"},
        {"skip": "-1"},
        {"skip": "9" * 30},
        {"cursor": "nonsense"},
    ],
    ids=str,
)
def test_a_query_that_makes_no_sense_is_told(client, query):
    response = client.get(ORGANIZATION, query)

    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


def test_an_item_has_what_existing_clients_require(client, assistant, make):
    make(1, assistant=assistant, provider_number_id="PN1", capabilities={"voice": True})

    (item,) = client.get(ORGANIZATION).json()

    assert item["twilio_sid"] == "PN1"
    assert item["assistant"] == {"id": assistant.pk, "name": "Support", "is_active": True}
    assert (item["is_active"], item["is_verified_caller_id"], item["flow"]) == (True, False, None)
    assert item["assigned_at"].endswith("Z")
    read = parsed("PhoneNumber", item)
    assert (read.id, read.assistant_id) == (item["id"], assistant.pk)


def test_a_page_leads_to_the_next_and_new_numbers_shift_nothing(client, make):
    make(7)
    first = client.get(ORGANIZATION, {"limit": 3})
    make(2, 100)

    link = first["Link"].removeprefix("<").removesuffix('>; rel="next"')
    second = client.get(link)

    assert lines(first) == ["Line 6", "Line 5", "Line 4"]
    assert lines(second) == ["Line 3", "Line 2", "Line 1"]
    assert lines(client.get(ORGANIZATION, {"skip": 8, "limit": 3})) == ["Line 0"]
    assert lines(client.get(ORGANIZATION, {"skip": 900})) == []


def test_the_last_page_has_no_next(client, make):
    make(100)

    assert "Link" not in client.get(ORGANIZATION)
    make(1, 100)
    answer = client.get(ORGANIZATION)
    assert len(answer.json()) == 100 and "Link" in answer
    assert len(client.get(ORGANIZATION, {"limit": 1000}).json()) == 101


def test_a_list_of_200_costs_as_many_queries_as_one_of_10(client, organization, assistant, make):
    """Each path lists all of them: half are the assistant's, and all are caller ids, too."""
    client.get(paths(assistant)[0])  # the key's first use is noted

    def queries(count, first):
        make(count, first, assistant=assistant)
        make(count, first + 5000)
        VerifiedCallerId.objects.bulk_create(
            VerifiedCallerId(
                organization=organization,
                account=organization.provider_accounts.get(provider="twilio"),
                phone_number=f"+1416{n:07}",
                provider_id="PN",
            )
            for n in range(first, first + count)
        )
        asked = {}
        for path in paths(assistant):
            with CaptureQueriesContext(connection) as captured:
                response = client.get(path, {"limit": "1000"})
            assert len(response.json()) >= count
            asked[path] = len(captured)
        return asked

    few, many = queries(10, 0), queries(190, 10)

    assert len(few) == 5 and many == few
    assert max(many.values()) <= 4


def test_another_tenants_assistant_and_numbers_are_not_found(
    client, assistant, make, other_organization
):
    make(3)
    stranger = make_client(other_organization)

    for end in ("phone-numbers", "available-phone-numbers"):
        for who, wanted in ((stranger, assistant.pk), (client, 10**30), (client, 0)):
            response = who.get(f"/api/v1/assistants/{wanted}/{end}")
            assert (response.status_code, response.json()["detail"]) == (
                404,
                f"Assistant with ID {wanted} not found in your organization",
            )
    assert stranger.get(ORGANIZATION).json() == []
    assert stranger.get(f"{ORGANIZATION}/available").json() == []


@pytest.mark.parametrize(
    "path",
    ["/calls/initiate", "/sms/send", "/sms/status/1", "/sms/1/status", "/api/v1/sms/send"],
)
def test_placing_calls_and_sending_messages_is_not_offered(client, anonymous, path, settings):
    settings.DEBUG = True
    for who in (client, anonymous):
        for method in ("get", "post"):
            response = getattr(who, method)(path)
            assert (response.status_code, response.json()) == (
                404,
                {"detail": "Not found.", "code": "not_found"},
            )
