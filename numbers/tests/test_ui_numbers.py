"""The list of numbers: sorting, filters, and editing in place."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from burki.testing import make_assistant, make_browser
from numbers.models import PhoneNumber
from numbers.tests.pages import links, shown, text, words
from numbers.tests.rows import make_number
from numbers.tests.test_ui_lists import make_numbers

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def browser(organization):
    return make_browser(organization, "admin")


def lines_of(numbers) -> list[int]:
    return [int(number[-4:]) for number in numbers]


# --- Sorting --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", [5, 4, 3, 2, 1, 0]),
        ("number", [0, 1, 2, 3, 4, 5]),
        ("dearest", [5, 2, 4, 0, 3, 1]),
        ("cheapest", [0, 4, 2, 5, 1, 3]),
        ("used", [3, 1, 5, 0, 4, 2]),
        ("idle", [0, 5, 1, 3, 2, 4]),
    ],
)
def test_a_list_is_sorted_and_what_has_nothing_to_sort_by_comes_last(
    browser, organization, sort, expected
):
    now = timezone.now()
    costs = [1, None, 2, None, 1, 2]
    hours = [9, 2, None, 1, None, 5]
    for line, (cost, ago) in enumerate(zip(costs, hours, strict=True)):
        used = ago and now - timedelta(hours=ago)
        make_number(organization, line, monthly_cost=cost, last_activity_at=used)

    page = browser.get("/numbers", {"sort": sort})

    assert lines_of(shown(page)) == expected


@pytest.mark.parametrize("sort", ["", "number", "dearest", "cheapest", "used", "idle"])
def test_pages_of_every_order_lead_to_each_other_and_back(browser, organization, sort):
    """Many are equal, many have nothing, so that pages begin amid both."""
    now = timezone.now()
    for line in range(130):
        cost = None if line % 3 == 0 else Decimal(line % 2 + 1)
        used = None if line % 4 == 0 else now - timedelta(hours=line % 5)
        make_number(organization, line, monthly_cost=cost, last_activity_at=used)

    pages, address = [], f"?sort={sort}"
    while address:
        page = browser.get(f"/numbers{address}")
        pages.append(page)
        address = links(page).get("next")
    forth = [shown(page) for page in pages]
    back, page = [forth[-1]], pages[-1]
    while "prev" in links(page):
        page = browser.get(f"/numbers{links(page)['prev']}")
        back.insert(0, shown(page))

    assert [len(one) for one in forth] == [50, 50, 30]
    assert len({number for one in forth for number in one}) == 130
    assert back == forth
    assert ("Older" in words(pages[0]), "Next" in words(pages[0])) == (not sort, bool(sort))


def test_a_number_that_is_used_meanwhile_shifts_no_page(browser, organization):
    now = timezone.now()
    for line in range(60):
        make_number(organization, line, last_activity_at=now - timedelta(hours=line + 1))
    first = browser.get("/numbers", {"sort": "used"})
    PhoneNumber.objects.filter(phone_number=shown(first)[-1]).update(last_activity_at=now)

    assert lines_of(shown(browser.get(f"/numbers{links(first)['next']}"))) == list(range(50, 60))


@pytest.mark.parametrize("sort", ["number", "dearest", "used"])
@pytest.mark.parametrize(
    "place",
    ["x", "1", "~", "~x", "x~1", "nan~1", "inf~1", "1e999~1", "\0~1", "1~-1", "2026-01-01~1"],
)
def test_a_place_that_makes_no_sense_in_an_order_says_so(browser, organization, sort, place):
    for name in ("before", "after"):
        response = browser.get("/numbers", {"sort": sort, name: place})
        assert response.status_code == 400
        assert "This address does not name a page of the list." in words(response)


# --- Filters --------------------------------------------------------------------------------------


def test_numbers_are_filtered_by_verdict_use_and_cost(browser, organization):
    now, old = timezone.now(), timezone.now() - timedelta(days=100)
    make_number(organization, 1, webhook_verdict="verified", monthly_cost=1, purchased_at=now)
    make_number(organization, 2, webhook_verdict="drifted", monthly_cost=2, purchased_at=old)
    make_number(organization, 3, webhook_verdict="unreachable", last_activity_at=now)
    make_number(organization, 4, monthly_cost=3, last_activity_at=old)
    make_number(organization, 5, status="pending", purchased_at=now, monthly_cost=5)
    make_number(organization, 6, purchased_at=old)  # bought elsewhere, and adopted only now
    PhoneNumber.objects.exclude(phone_number__endswith="6").update(created_at=old)

    def found(**filters) -> list[int]:
        return lines_of(shown(browser.get("/numbers", filters)))

    assert found(verdict="verified") == [1]
    assert found(verdict="drifted") == [2]
    assert found(verdict="unreachable") == [3]
    assert found(verdict="unchecked") == [6, 4]
    assert found(unused=30) == [4, 2]
    assert found(unused=101) == []
    assert found(price="unknown") == [6, 3]
    assert found(price="known") == [5, 4, 2, 1]
    assert found(cost_from=2) == [5, 4, 2]
    assert found(cost_from="2", cost_to="3.00") == [4, 2]
    assert found(cost_to="1.50") == [1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"sort": "colour"},
        {"verdict": "fine"},
        {"unused": "0"},
        {"unused": "1.5"},
        {"unused": "9" * 20},
        {"cost_from": "-1"},
        {"cost_from": "nan"},
        {"cost_to": "1e99"},
        {"cost_to": "0.0000001"},
    ],
)
def test_a_filter_that_makes_no_sense_is_told_and_exports_nothing(browser, organization, wrong):
    make_number(organization, 1)

    page, exported = browser.get("/numbers", wrong), browser.get("/numbers/export", wrong)

    assert "The list cannot be filtered like this" in words(page)
    assert shown(page) == []
    assert exported.status_code == 400
    assert "Nothing was exported." in words(exported)


def test_seldom_filters_are_folded_away_until_one_is_used(browser):
    assert "<details open>" not in text(browser.get("/numbers", {"search": "x"}))
    assert "<details open>" in text(browser.get("/numbers", {"unused": "x"}))


# --- Editing in place -----------------------------------------------------------------------------


def test_a_row_is_edited_in_place_and_shows_what_it_became(browser, organization, assistant):
    number = make_number(organization, 1, provider="telnyx")
    address = f"/numbers/{number.pk}"

    editing = text(browser.get(f"{address}/row?edit=1", headers=HTMX))
    assert f'hx-post="{address}/name"' in editing and f'hx-post="{address}/assistant"' in editing
    assert "<html" not in editing
    named = browser.post(f"{address}/name", {"friendly_name": "Front desk"}, headers=HTMX)
    given = browser.post(f"{address}/assistant", {"assistant": assistant.pk}, headers=HTMX)

    number.refresh_from_db()
    assert (number.friendly_name, number.assistant) == ("Front desk", assistant)
    for row in (named, given):
        assert text(row).lstrip().startswith("<tr>") and "Front desk" in words(row)
    assert "Support answers +1 415-555-0001 now." in words(given)


def test_what_makes_no_sense_is_told_in_the_row(browser, organization, other_organization):
    number = make_number(organization, 1)
    theirs = make_assistant(other_organization, "Theirs")

    wrong = browser.post(f"/numbers/{number.pk}/assistant", {"assistant": theirs.pk}, headers=HTMX)
    refused = browser.post(
        f"/numbers/{number.pk}/name", {"friendly_name": "Front desk"}, headers=HTMX
    )

    assert "Choose an assistant of this organization." in words(wrong)
    assert 'class="editing"' in text(wrong)
    assert "Nothing was changed. Failed to rename" in words(refused)
    number.refresh_from_db()
    assert (number.friendly_name, number.assistant) == ("Line 1", None)


def test_without_a_script_a_row_is_edited_on_the_numbers_page(browser, organization):
    number = make_number(organization, 1)

    assert f'href="/numbers/{number.pk}#settings"' in text(browser.get("/numbers"))
    assert browser.get(f"/numbers/{number.pk}/row?edit=1").url == f"/numbers/{number.pk}"


def test_two_hundred_rows_cost_as_many_queries_as_ten(browser, organization, assistant):
    addresses = [f"/numbers?sort={s}" for s in ("", "number", "dearest", "used")]
    addresses.append("/numbers/export")

    def queries() -> list[int]:
        counts = []
        for address in addresses:
            with CaptureQueriesContext(connection) as caught:
                assert b"".join(browser.get(address))
            counts.append(len(caught))
        return counts

    def selections() -> int:
        ids = list(PhoneNumber.objects.values_list("pk", flat=True)[:50])
        with CaptureQueriesContext(connection) as caught:
            for action in ("assign", "release"):
                assert browser.get(f"/numbers/{action}", {"number": ids}).status_code == 200
        return len(caught)

    make_numbers(organization, 10, assistant=assistant)
    few = queries(), selections()
    make_numbers(organization, 190, start=10, assistant=assistant)

    many = queries(), selections()
    # A list that ends asks for the rows without a price or use as well.
    assert many[1] == few[1] and all(n in (m, m + 1) for n, m in zip(few[0], many[0], strict=True))
    assert max(few[0]) <= 9


def test_a_full_page_stays_small(browser, organization, assistant):
    make_numbers(
        organization, 60, assistant=assistant, friendly_name="A long name of a number " * 2
    )

    page = text(browser.get("/numbers"))

    assert len(page) < 150_000
    assert len(re.findall('name="number"', page)) == 50
