"""Calls and messages of the organization's numbers, as one list."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from burki.testing import make_assistant, make_browser
from numbers.tests.pages import links, make_call, make_message, make_try, text, words
from numbers.tests.rows import NOON, make_number

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(organization):
    return make_browser(organization, "viewer")


def listed(page) -> list[str]:
    """Kind and last four digits of who called, in order."""
    found = re.findall(r"(Call|Message) (?:from|to) [+0-9 -]*-(\d{4})", text(page))
    return [f"{kind} {digits}" for kind, digits in found]


def test_calls_and_messages_are_one_list_newest_first(browser, organization):
    number = make_number(organization, 1, assistant=make_assistant(organization))
    make_call(number, 1, NOON, from_number="+12025550001", duration_seconds=7)
    make_message(number, 1, NOON + timedelta(minutes=1), from_number="+12025550002")
    make_call(
        number,
        2,
        NOON + timedelta(minutes=2),
        direction="outbound",
        from_number=number.phone_number,
        to_number="+12025550003",
        status="failed",
    )

    page = browser.get("/calls")

    assert listed(page) == ["Call 0003", "Message 0002", "Call 0001"]
    assert "Call to +1 202-555-0003 +1 415-555-0001 Failed Support" in words(page)
    assert "Call from +1 202-555-0001 +1 415-555-0001 Ended 7 s Support" in words(page)
    assert f'href="/numbers/{number.pk}"' in text(page)
    assert 'aria-current="page"' in text(page)


def test_a_message_that_is_not_handed_over_says_why_and_when_it_is_tried_again(
    browser, organization, settings
):
    settings.SETTLE_CLOCK_SCALE = 1
    number = make_number(organization, 1)
    waiting = make_message(number, 1, status="received")
    make_try(waiting)
    make_try(waiting, status_code=None, error="acme.example has no address.")
    lost = make_message(number, 2, status="failed", media_count=1)
    make_try(lost, status_code=None, error="10.0.0.1 is not a public address.")
    make_try(make_message(number, 3, status="handed_over"), status_code=200)

    for page in (browser.get("/calls"), browser.get(f"/numbers/{number.pk}")):
        told = words(page)
        assert re.search(
            r"Tried 2 times: acme.example has no address, next try in (29|30) seconds", told
        )
        assert told.count("Tried once: 10.0.0.1 is not a public address ") == 1
        assert "1 attachment" in told
        assert told.count("Tried") == 2


def test_they_are_filtered_by_what_the_address_says(browser, organization):
    desk = make_assistant(organization, "Front desk")
    first, second = make_number(organization, 1, assistant=desk), make_number(organization, 2)
    make_call(first, 1, NOON, from_number="+12025550001")
    make_message(first, 1, NOON, from_number="+12025550002")
    make_call(second, 1, NOON + timedelta(days=1), from_number="+12025550003")
    make_message(
        second, 1, NOON - timedelta(days=1), direction="outbound", to_number="+12025550004",
        from_number=second.phone_number,
    )  # fmt: skip

    def found(**filters) -> set[str]:
        return set(listed(browser.get("/calls", filters)))

    assert len(found()) == 4
    assert found(kind="call") == {"Call 0001", "Call 0003"}
    assert found(kind="message") == {"Message 0002", "Message 0004"}
    assert found(direction="outbound") == {"Message 0004"}
    assert found(assistant=desk.pk) == {"Call 0001", "Message 0002"}
    assert found(assistant="none") == {"Call 0003", "Message 0004"}
    assert found(day="2026-03-01") == {"Call 0001", "Message 0002"}
    assert found(day="2026-03-02", kind="call") == {"Call 0003"}
    assert found(number=first.phone_number) == {"Call 0001", "Message 0002"}
    assert found(number=f" {first.phone_number[1:]}") == {"Call 0001", "Message 0002"}
    assert found(number="(202) 555-0004") == {"Message 0004"}
    assert found(number="+12025550001") == {"Call 0001"}
    assert found(number="zebra") == set()


def test_a_day_is_one_of_utc(browser, organization):
    number = make_number(organization, 1)
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    for n, at in enumerate((-1, 0, 86_399_999_999, 86_400_000_000)):
        make_call(number, n, midnight + timedelta(microseconds=at), from_number=f"+1202555000{n}")

    assert listed(browser.get("/calls", {"day": "2026-03-01"})) == ["Call 0002", "Call 0001"]


def test_pages_lead_to_each_other_and_keep_the_filters(browser, organization):
    """Calls and messages of one moment are told apart, also where a page ends among them."""
    number = make_number(organization, 1)
    for n in range(60):
        at = NOON + timedelta(seconds=n // 20)
        make_call(number, n, at, from_number=f"+1202555{n:04}")
        make_message(number, n, at, from_number=f"+1202555{n:04}")

    first = browser.get("/calls", {"direction": "inbound"})
    second = browser.get(f"/calls{links(first)['next']}")
    third = browser.get(f"/calls{links(second)['next']}")
    back = browser.get(f"/calls{links(third)['prev']}")
    begin = browser.get(f"/calls{links(back)['prev']}")

    pages = [listed(page) for page in (first, second, third)]
    assert [len(one) for one in pages] == [50, 50, 20]
    assert len({line for one in pages for line in one}) == 120
    assert (listed(back), listed(begin)) == (pages[1], pages[0])
    assert set(links(third)) == set(links(begin)) ^ {"next", "prev"} == {"prev"}
    assert "direction=inbound" in links(second)["next"]


def test_what_comes_meanwhile_shifts_nothing(browser, organization):
    number = make_number(organization, 1)
    for n in range(60):
        make_call(number, n, NOON + timedelta(minutes=n), from_number=f"+1202555{n:04}")
    first = browser.get("/calls")
    make_message(number, 1, NOON + timedelta(hours=2))

    second = browser.get(f"/calls{links(first)['next']}")

    assert listed(second) == [f"Call {n:04}" for n in reversed(range(10))]


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "fax"},
        {"direction": "up"},
        {"assistant": "x"},
        {"day": "yesterday"},
        {"day": "9999-12-31"},
        {"number": "x" * 65},
        {"number": "a\0b"},
    ],
)
def test_a_filter_that_makes_no_sense_is_told(browser, organization, wrong):
    make_call(make_number(organization, 1))

    page = browser.get("/calls", wrong)

    assert "The list cannot be filtered like this" in words(page)
    assert listed(page) == []


@pytest.mark.parametrize("place", ["x", "1", "2026-03-01T12:00:00+00:00~fax~1", "now~call~1"])
def test_a_page_that_makes_no_sense_says_so(browser, organization, place):
    for name in ("before", "after"):
        response = browser.get("/calls", {name: place})
        assert response.status_code == 400
        assert "This address does not name a page of the list." in words(response)


def test_an_empty_list_says_what_it_is_for(browser, organization):
    assert "No calls and no messages yet" in words(browser.get("/calls"))
    make_call(make_number(organization, 1))

    assert "Nothing fits" in words(browser.get("/calls", {"kind": "message"}))


def test_the_own_organization_alone_is_shown(other_organization, organization):
    number = make_number(organization, 1, assistant=make_assistant(organization, "Ours"))
    make_call(number)
    stranger = make_browser(other_organization, "owner")

    for query in ({}, {"number": number.pk}, {"number": number.phone_number}):
        page = words(stranger.get("/calls", query))
        assert "202-555-0123" not in page and "Ours" not in page
    assert "cannot be filtered" in words(stranger.get("/calls", {"assistant": number.assistant_id}))


def test_two_hundred_rows_cost_as_many_queries_as_ten(browser, organization, assistant):
    number = make_number(organization, 1, assistant=assistant)

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get("/calls").status_code == 200
        return len(caught)

    for n in range(5):
        make_call(number, n)
        make_try(make_message(number, n))
    few = queries()
    for n in range(5, 100):
        make_call(number, n)
        make_try(make_message(number, n))

    assert queries() == few <= 10
