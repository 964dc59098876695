"""The overview: what there is, what it costs, what needs somebody, and the way to each."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from burki.testing import make_assistant, make_browser, make_organization
from numbers.models import PhoneNumber
from numbers.tests.pages import shown
from numbers.tests.test_ui_buying import text, words
from numbers.tests.test_ui_lists import make_numbers, make_purchases
from numbers.tests.test_ui_many import make_bulk, make_items

pytestmark = pytest.mark.django_db

LONG_AGO = timezone.now() - timedelta(days=31)


@pytest.fixture
def browser(organization):
    return make_browser(organization, "viewer")


def tiles(page) -> dict[str, str]:
    """Address and figure of each."""
    found = re.findall(
        r'<a class="card tile[^"]*" href="([^"]+)">.*?class="figure">(.*?)</span> ?(?=<span)',
        text(page),
    )
    return {a.replace("&amp;", "&"): re.sub("<[^>]+>", "", figure) for a, figure in found}


def limited(organization, amount: str) -> None:
    organization.monthly_limit = Decimal(amount)
    organization.save()


def known_since_they_were_bought() -> None:
    PhoneNumber.objects.update(created_at=F("purchased_at"))


# --- Worth a look ---------------------------------------------------------------------------------


def test_everything_that_needs_somebody_has_a_tile_that_leads_to_it(
    browser, organization, assistant
):
    make_numbers(organization, 4, assistant=assistant)
    make_numbers(organization, 2, start=4)
    make_numbers(organization, 3, start=6, assistant=assistant, webhook_verdict="drifted")
    make_numbers(organization, 5, start=9, assistant=assistant, purchased_at=LONG_AGO)
    known_since_they_were_bought()
    make_purchases(organization, 1, start=20, state="uncertain")
    make_purchases(organization, 2, start=21, needs_attention_at=timezone.now())
    account = organization.provider_accounts.get(provider="twilio")
    account.low_balance_threshold, account.last_check = Decimal(20), {"balance": "12.50"}
    account.save()

    page = browser.get("/")

    assert tiles(page) == {
        "/purchases?attention=yes": "2",
        "/settings/credentials": "1",
        "/purchases?state=uncertain": "1",
        "/numbers?verdict=drifted": "3",
        "/numbers?status=active&assistant=none": "2",
        "/numbers/unused": "5",
        "/numbers?status=active": "14",
        "/numbers?status=pending": "0",
        "/numbers?status=releasing": "0",
        "/spending": "$16.10",
    }
    assert "12.50 left" in words(page)


def test_where_all_is_well_nothing_is_worth_a_look(browser, organization, assistant):
    make_numbers(organization, 3, assistant=assistant, webhook_verdict="verified")

    page = words(browser.get("/"))

    assert "Worth a look" not in page
    assert "Being bought now" not in page


@pytest.mark.parametrize(
    ("over", "unused"),
    [
        ({"purchased_at": LONG_AGO}, True),
        ({"purchased_at": LONG_AGO, "last_activity_at": LONG_AGO}, True),
        ({"purchased_at": LONG_AGO, "last_activity_at": timezone.now()}, False),
        ({"purchased_at": timezone.now()}, False),
        ({"purchased_at": LONG_AGO, "status": "pending"}, False),
        ({"purchased_at": LONG_AGO, "status": "released"}, False),
    ],
)
def test_unused_is_an_active_number_that_nobody_reached_for_30_days(
    browser, organization, assistant, over, unused
):
    make_numbers(organization, 1, assistant=assistant, **over)
    known_since_they_were_bought()

    assert ("/numbers/unused" in tiles(browser.get("/"))) == unused


def test_running_bulk_purchases_are_shown_with_how_far_they_are(browser, organization):
    make_numbers(organization, 1)
    bulk = make_bulk(organization, quantity=40)
    make_items(bulk, 3, lane=0)
    make_bulk(organization, state="completed", quantity=7)

    page = browser.get("/")

    assert "40 local numbers in US, area code 415" in words(page)
    assert "Buying: 0 of 40 bought" in words(page)
    assert f'href="/buy/many/{bulk.pk}"' in text(page)
    assert "7 local numbers" not in words(page)


# --- Money ----------------------------------------------------------------------------------------


def test_the_cost_by_provider_is_a_chart_and_a_table(browser, organization, assistant):
    make_numbers(organization, 4, assistant=assistant)
    telnyx = organization.provider_accounts.get(provider="telnyx")
    over = {"provider": "telnyx", "account": telnyx, "assistant": assistant}
    make_numbers(organization, 2, start=4, monthly_cost=Decimal("1.00"), **over)
    make_numbers(organization, 1, start=6, monthly_cost=None, **over)
    make_numbers(organization, 5, start=7, status="released", assistant=assistant)

    page = browser.get("/")
    chart = text(page)[text(page).index("<svg width") :]

    assert '<title id="cost-title">Monthly cost by provider</title>' in chart
    assert "<desc" in chart and "Show as table" in chart
    assert re.findall(r'width="([\d.]+)%" height="10" rx="5" class="bar', chart) == ["43.48", "100"]
    assert chart.count("$4.60 a month") == chart.count("$2.00 a month") == 2
    assert "Telnyx, 3 numbers" in words(page)
    assert "The price of 1 number is not known." in words(page)
    assert "style=" not in text(page)


def test_the_cards_about_money_lead_to_the_lists_behind_them(browser, organization, assistant):
    make_numbers(organization, 4, assistant=assistant)
    telnyx = organization.provider_accounts.get(provider="telnyx")
    over = {"provider": "telnyx", "account": telnyx, "assistant": assistant}
    make_numbers(organization, 2, start=4, monthly_cost=Decimal("1.00"), **over)
    make_numbers(organization, 3, start=6, monthly_cost=None, **over)
    limited(organization, "100")

    page = text(browser.get("/"))
    card = page[page.index('aria-labelledby="costs"') :]
    lists = dict(re.findall(r'<a href="(/[^"]*)">([^<]+)</a>', card))

    assert lists == {
        "/numbers?sort=dearest": "Numbers, dearest first",
        "/numbers?provider=twilio": "Twilio, 4 numbers",
        "/numbers?provider=telnyx": "Telnyx, 5 numbers",
        "/numbers?price=unknown": "The price of 3 numbers",
        "/spending": "Spending by month",
    }
    counts = {address: len(shown(browser.get(address))) for address in lists if "?" in address}
    assert counts == {
        "/numbers?sort=dearest": 9,
        "/numbers?provider=twilio": 4,
        "/numbers?provider=telnyx": 5,
        "/numbers?price=unknown": 3,
    }


@pytest.mark.parametrize(
    ("limit", "percent", "tone", "sentence"),
    [
        ("100", 46, "green", "Purchases that would exceed it are refused"),
        ("57.50", 80, "amber", "Most of the limit is used."),
        ("57.51", 79, "green", ""),
        ("46", 100, "red", "The limit is reached: nothing more is bought this month."),
        ("40", 115, "red", "more than the limit of $40.00"),
        ("0", 100, "red", "The limit is reached"),
    ],
)
def test_spending_warns_at_80_per_cent_and_is_red_at_100(
    browser, organization, assistant, limit, percent, tone, sentence
):
    make_numbers(organization, 40, assistant=assistant)
    limited(organization, limit)

    page = browser.get("/")

    assert f"{percent} % of" in words(page)
    assert sentence in words(page)
    meter = re.search(r'role="meter".*?class="(green|amber|red)"', text(page))
    assert meter[1] == tone
    assert f"committed, {percent} %" in text(page)


def test_without_a_limit_there_is_no_meter(browser, organization):
    make_numbers(organization, 1)

    assert 'role="meter"' not in text(browser.get("/"))
    assert "no monthly limit" in words(browser.get("/"))


# --- Who, and how much work -----------------------------------------------------------------------


def test_nothing_of_another_organization_is_counted(browser, organization, other_organization):
    make_numbers(organization, 1)
    make_numbers(other_organization, 7, start=100, webhook_verdict="drifted")
    make_purchases(other_organization, 3, start=200, needs_attention_at=timezone.now())
    make_bulk(other_organization)

    page = browser.get("/")

    assert tiles(page)["/numbers?status=active"] == "1"
    assert "/numbers?verdict=drifted" not in tiles(page)
    assert "/purchases?attention=yes" not in tiles(page)
    assert "Being bought now" not in words(page)


@pytest.mark.parametrize("role", ["viewer", "member", "admin"])
def test_the_first_steps_lead_to_pages_that_the_role_may_open(role):
    fresh = make_organization("Fresh", accounts=False, may_use_platform_accounts=False)
    browser = make_browser(fresh, role)

    page = text(browser.get("/"))

    assert "Three steps to the first number" in page
    assert ('href="/settings/credentials"' in page) == (role == "admin")
    assert ('href="/assistants/new"' in page) == (role != "viewer")
    assert ('href="/buy"' in page) == (role != "viewer")
    assert "/admin/" not in page


def test_an_organization_that_once_had_a_number_is_not_new(browser, organization):
    make_numbers(organization, 1, status="released")

    assert "Three steps" not in words(browser.get("/"))


def test_two_hundred_of_everything_cost_as_many_queries_as_ten(browser, organization):
    def grow(count: int, start: int) -> None:
        make_numbers(organization, count, start=start, purchased_at=LONG_AGO)
        make_purchases(organization, count, start=start, state="uncertain")
        for n in range(count):
            make_items(make_bulk(organization), 1, start=n)

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get("/").status_code == 200
        return len(caught)

    grow(10, 0)
    make_assistant(organization)
    few = queries()
    grow(190, 10)

    assert queries() == few
    assert few <= 14
    assert PhoneNumber.objects.count() == 200
