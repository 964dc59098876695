"""The list of assistants: a bare array, newest first, in pages that cost the same."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from assistants.models import Assistant
from assistants.tests.helpers import ASSISTANTS, give_number, one, parsed
from burki.testing import make_assistant, make_client, make_user, post
from numbers.models import Call, PhoneNumber

pytestmark = pytest.mark.django_db


def make_many(organization, count: int) -> list[int]:
    """Their ids, newest first."""
    account = organization.provider_accounts.get(provider="twilio")
    rows = Assistant.objects.bulk_create(
        Assistant(organization=organization, name=f"Bot {n}", twilio_account=account)
        for n in range(count)
    )
    return [row.pk for row in rows][::-1]


def make_calls(assistant, *durations: int | None) -> None:
    account = assistant.organization.provider_accounts.get(provider="twilio")
    start = Call.objects.count()
    Call.objects.bulk_create(
        Call(
            account=account,
            provider="twilio",
            organization=assistant.organization,
            assistant=assistant,
            call_id=f"CA{n}",
            started_at=timezone.now(),
            duration_seconds=seconds,
        )
        for n, seconds in enumerate(durations, start=start)
    )


def told_calls(item: dict) -> tuple:
    return item["call_count"], item["total_duration"]


def test_calls_are_counted_where_one_asks_for_it(client, organization):
    busy, idle = make_assistant(organization, "Busy"), make_assistant(organization, "Idle")
    give_number(organization, busy, "+14155551234")
    make_calls(busy, 30, None, 12)

    plain = client.get(ASSISTANTS).json()
    counted = client.get(f"{ASSISTANTS}?include_stats=true").json()

    assert [told_calls(item) for item in plain] == [(None, None)] * 2
    assert [told_calls(item) for item in counted] == [(0, 0), (3, 42)]
    for path in (one(busy.pk), f"{ASSISTANTS}/by-phone/+14155551234"):
        assert told_calls(client.get(path).json()) == (3, 42)
    assert told_calls(client.get(one(idle.pk)).json()) == (0, 0)


@pytest.mark.parametrize("query", ["", "&include_stats=true"])
def test_counting_costs_one_query_for_ten_or_two_hundred(client, organization, query):
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert client.get(f"{ASSISTANTS}?limit=200{query}").status_code == 200
        return len(caught)

    make_many(organization, 10)
    client.get(ASSISTANTS)  # notes when the key was last used
    few = queries()
    make_many(organization, 190)
    make_calls(Assistant.objects.earliest("pk"), *range(50))

    assert queries() == few


def ids(response) -> list[int]:
    assert response.status_code == 200, response.content
    return [item["id"] for item in response.json()]


def following(response) -> str | None:
    link = response.get("Link")
    return link and re.fullmatch(r'<http://testserver(.+)>; rel="next"', link)[1]


def test_the_list_is_a_bare_array_newest_first_and_a_hundred_long(client, organization):
    made = make_many(organization, 105)

    response = client.get(ASSISTANTS)

    assert ids(response) == made[:100]
    assert ids(client.get(following(response))) == made[100:]
    assert all(parsed(item).id for item in response.json())


def test_no_assistants_are_an_empty_array(client):
    assert client.get(ASSISTANTS).json() == []
    assert client.get(f"{ASSISTANTS}?skip=10").json() == []


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("skip=0&limit=2", slice(0, 2)),
        ("skip=2&limit=2", slice(2, 4)),
        ("skip=3", slice(3, 5)),
        ("limit=1000", slice(0, 5)),
        ("skip=5", slice(5, 5)),
        ("skip=1000000000&limit=1", slice(5, 5)),
        ("limit=5", slice(0, 5)),
    ],
)
def test_skip_and_limit_cut_a_part_out(client, organization, query, part):
    made = make_many(organization, 5)

    assert ids(client.get(f"{ASSISTANTS}?{query}")) == made[part]


@pytest.mark.parametrize(
    "wrong",
    [
        "limit=0", "limit=1001", "limit=-1", "limit=x", "limit=1e2", "limit=", "limit=" + "9" * 40,
        "skip=-1", "skip=x", "skip=1000000001", "skip=" + "9" * 40, "skip=%00", "skip=",
        "cursor=x", "cursor=bz0x", "active_only=maybe", "my_assistants_only=2", "include_stats=no",
        "active_only=%00",
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_an_error(client, organization, wrong):
    make_many(organization, 1)

    response = client.get(f"{ASSISTANTS}?{wrong}")

    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


def test_following_the_links_gives_every_assistant_once_while_others_come_and_go(
    client, organization
):
    made = make_many(organization, 7)
    response = client.get(f"{ASSISTANTS}?limit=2&skip=1")
    seen = ids(response)
    pages = 1

    while (path := following(response)) is not None:
        make_many(organization, 1)
        Assistant.objects.filter(pk=made[0]).delete()
        response = client.get(path)
        seen += ids(response)
        pages += 1

    assert seen == made[1:]
    assert pages == 3


def test_active_only_is_what_it_says(client, organization):
    on, off = make_assistant(organization), make_assistant(organization, is_active=False)

    assert ids(client.get(f"{ASSISTANTS}?active_only=true")) == [on.pk]
    assert ids(client.get(f"{ASSISTANTS}?active_only=false")) == [off.pk, on.pk]


def test_my_assistants_are_those_that_the_same_person_made_with_whatever_key(organization):
    ann, bob = (make_user(organization, "member", f"{n}@acme.test") for n in ("ann", "bob"))
    browser = APIClient()
    browser.force_login(ann)
    first, second = (make_client(organization, created_by=ann) for _ in range(2))
    bobs, nobodys = make_client(organization, created_by=bob), make_client(organization)
    made = [
        post(client, ASSISTANTS, {"name": "Bot"}).json()
        for client in (first, bobs, nobodys, browser)
    ]

    def mine(client) -> list[int]:
        return ids(client.get(f"{ASSISTANTS}?my_assistants_only=true"))

    assert mine(first) == mine(second) == mine(browser) == [made[3]["id"], made[0]["id"]]
    assert mine(bobs) == [made[1]["id"]]
    assert mine(nobodys) == [made[2]["id"]]
    assert mine(make_client(organization)) == []
    assert len(ids(nobodys.get(f"{ASSISTANTS}?my_assistants_only=false"))) == 4
    assert [assistant["user_id"] for assistant in made] == [ann.pk, bob.pk, None, ann.pk]


@pytest.mark.parametrize(
    "path",
    [
        f"{ASSISTANTS}?limit=1000",
        f"{ASSISTANTS}?limit=1000&active_only=true&my_assistants_only=false&include_stats=true",
        f"{ASSISTANTS}/export",
        f"{ASSISTANTS}/export?format=json",
        f"{ASSISTANTS}/count",
    ],
)
def test_the_number_of_queries_does_not_depend_on_the_number_of_rows(client, organization, path):
    client.get(path)  # the key's first use of all is written down

    def asked(count: int) -> int:
        for pk in make_many(organization, count):
            for n in range(2):
                give_number(organization, Assistant(pk=pk), f"+1415{pk:06}{n}")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            response = client.get(path)
        assert response.status_code == 200
        return len(queries)

    few = asked(10)

    assert asked(190) == few <= 5


def test_numbers_in_answers_are_sorted_strings(client, organization, assistant):
    for number in ("+14155550002", "+14155550001"):
        give_number(organization, assistant, number)

    (told,) = client.get(f"{ASSISTANTS}?include_stats=true").json()

    assert told["phone_numbers"] == ["+14155550001", "+14155550002"]
    assert client.get(one(assistant.pk)).json() == told


def test_of_very_many_numbers_an_assistant_tells_the_newest_hundred(client, organization):
    assistant = make_assistant(organization, "Desk")
    account = organization.provider_accounts.get(provider="twilio")
    PhoneNumber.objects.bulk_create(
        PhoneNumber(
            organization=organization,
            account=account,
            provider="twilio",
            phone_number=f"+1415555{line:04}",
            assistant=assistant,
            status="active",
        )
        for line in range(130)
    )

    told = client.get(f"/api/v1/assistants/{assistant.pk}").json()["phone_numbers"]

    assert told == [f"+1415555{line:04}" for line in range(30, 130)]
