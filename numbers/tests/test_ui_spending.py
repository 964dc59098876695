"""The staff pages on spending and on unused numbers: their figures, filters, files and forms."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from burki.templatetags.columns import Column, Columns, columns
from burki.testing import make_assistant, make_browser
from numbers.services.spending import month_start
from numbers.tests.test_costs import offered, owned, paid, quiet
from numbers.tests.test_ui_buying import words
from numbers.tests.test_ui_lists import links, rows, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(organization):
    return make_browser(organization, "viewer")


def table(response) -> list[list[str]]:
    """The cells of the table of months, newest first."""
    body = text(response).split('<table class="list">')[1].split("</table>")[0]
    return [
        [re.sub(r"\s+", " ", re.sub("<[^>]+>", "", cell)).strip() for cell in cells]
        for row in body.split("<tbody>")[1].split("</tr>")
        if (cells := re.findall("<td[^>]*>(.*?)</td>", row, re.S))
    ]


def name_of(month) -> str:
    return f"{month:%B %Y}"


def this_month():
    return month_start(timezone.now())


# --- Spending -----------------------------------------------------------------------------------


def test_months_are_told_by_provider_with_a_forecast(browser, organization):
    last = this_month() - timedelta(seconds=1)
    following = month_start(this_month() + timedelta(days=40))
    owned(organization, 1, last, monthly="1.15")
    owned(organization, 2, this_month(), monthly="1.00", provider="telnyx")
    number = owned(organization, 3, last, last, monthly="5.00", provider="telnyx")
    paid(organization, 3, last, "2.00", number=number, provider="telnyx")

    page, now = browser.get("/spending", {"months": 3}), name_of(this_month())

    assert table(page)[:3] == [
        [f"{name_of(following)} forecast", "$1.15", "$1.00", "$0.00", "2", "$2.15"],
        [
            f"{now} so far, and at its end",
            "$1.15",
            "$1.00",
            "$0.00",
            "2",
            "$2.15",
        ],
        [name_of(last), "$1.15", "$7.00", "$2.00", "2", "$8.15"],
    ]
    assert len(table(page)) == 4
    assert f"Forecast for {following:%B}" in words(page)
    assert f"Forecast for {this_month():%B} $2.15 at its end" in words(page)


def test_this_month_is_told_by_assistant_the_dearest_first_with_a_file_of_all(
    browser, organization, assistant
):
    owned(organization, 1, timezone.now(), monthly="1.00")
    owned(organization, 2, timezone.now(), monthly="2.00", assistant=assistant)
    for line in range(3, 13):
        owned(organization, line, timezone.now(), monthly="0.50",
              assistant=make_assistant(organization, f"A{line:02}"))  # fmt: skip

    page = text(browser.get("/spending", {"months": 6, "provider": "twilio"}))
    card = page.split('aria-labelledby="whose-USD"')[1].split("</section>")[0]

    assert f"{this_month():%B} by assistant, in USD" in card
    found = re.findall(r'href="/numbers\?assistant=(\w+)">([^<]+)<', card)
    assert found[:2] == [(str(assistant.pk), "Support"), ("none", "Nobody")]
    assert [name for _, name in found[2:]] == [f"A{line:02}" for line in range(3, 11)]
    assert "The dearest 10. The file has all of them." in card
    file = re.search(r'href="(/phone-numbers/reports/spending[^"]+)"', card)[1]
    assert file.replace("&amp;", "&").endswith("spending.csv?months=1&provider=twilio")
    rows = browser.get(file.replace("&amp;", "&")).content.decode()
    assert rows.count(f"{this_month():%Y-%m},false,") == 12


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (None, "no monthly limit"),
        ("10.00", "$8.85 left of $10.00"),
        ("1.15", "$0.00 left of $1.15"),
        ("1.00", "the limit of $1.00 is exceeded: nothing more can be bought"),
    ],
)
def test_what_is_committed_is_told_with_the_limit(browser, organization, limit, told):
    owned(organization, 1, timezone.now(), monthly="1.15")
    organization.monthly_limit = limit and Decimal(limit)
    organization.save()

    page = browser.get("/spending")

    assert told in words(page)
    assert ("<meter" in text(page)) == (limit is not None)
    assert ("tile warn" in text(page)) == (limit in ("1.15", "1.00"))
    assert ("Monthly limit" in words(page)) == (limit in ("1.15", "1.00"))  # drawn


def test_each_currency_has_its_own_table_that_of_the_limit_first(browser, organization):
    owned(organization, 1, timezone.now(), monthly="1.15")
    owned(organization, 2, timezone.now(), monthly="2.00", currency="EUR")
    owned(organization, 3, timezone.now(), monthly=None)

    page = browser.get("/spending")

    assert re.findall("By month, in ([A-Z]+)", text(page)) == ["USD", "EUR"]
    assert "€2.00" in words(page)
    assert "The price of 1 number is not known" in words(page)


def test_filters_narrow_the_report_and_its_file(browser, organization, assistant):
    owned(organization, 1, timezone.now(), monthly="1.00", assistant=assistant)
    owned(organization, 2, timezone.now(), monthly="2.00", provider="telnyx")

    def told(**filters) -> tuple[str, str]:
        page = browser.get("/spending", filters)
        file = re.search(r'href="(/phone-numbers/reports/spending\.csv[^"]*)"', text(page))
        return table(page)[0][-1], file[1].replace("&amp;", "&").partition("?")[2]

    assert told() == ("$3.00", "")
    assert told(provider="telnyx", months="3") == ("$2.00", "provider=telnyx&months=3")
    assert told(assistant=assistant.pk) == ("$1.00", f"assistant_id={assistant.pk}")
    assert told(assistant="none") == ("$2.00", "assigned=false")


def test_the_file_opens_for_whoever_sees_the_page(browser, organization):
    owned(organization, 1, timezone.now(), monthly="1.15")

    file = browser.get("/phone-numbers/reports/spending.csv", {"months": 3})

    assert file["Content-Type"] == "text/csv; charset=utf-8"
    assert file.content.decode().count("1.15") == 6  # two rows: a month, its total, its forecast


@pytest.mark.parametrize(
    "wrong", [{"provider": "vonage"}, {"assistant": "9" * 30}, {"months": "7"}, {"months": "x"}]
)
def test_a_filter_that_makes_no_sense_is_told(browser, wrong):
    page = browser.get("/spending", wrong)

    assert page.status_code == 200
    assert "The report cannot be filtered like this" in words(page)
    assert 'aria-invalid="true"' in text(page)


def test_nothing_spent_yet_says_what_will_be_here(browser, organization):
    page = browser.get("/spending")

    assert "Nothing was spent yet" in words(page)
    assert "Nothing to compare yet" in words(page)
    assert "every number is in use" in words(page)


def test_prices_of_both_providers_are_side_by_side(browser, organization):
    offered(organization, "+14155550001", "1.15")
    offered(organization, "+14155550002", "1.00", provider="telnyx", setup="1.00")
    offered(organization, "+13125550002", "1.00", provider="telnyx", region="IL")

    page = browser.get("/spending")

    assert "415, CA, US" in words(page) and "312, IL, US" in words(page)
    assert words(page).count("Cheaper") == 1
    assert "lowest $1.15 , median $1.15 , 1 offer, 1 day ago" in words(page)
    assert "not seen" in words(page)
    assert 'href="/buy' not in text(page)
    member = text(make_browser(organization, "member").get("/spending"))
    assert 'href="/buy?country_code=US&amp;area_code=415&amp;number_type=local"' in member


def test_nothing_of_another_organization_is_shown(browser, other_organization):
    quiet(other_organization, 1, 90, assistant=make_assistant(other_organization, "Theirs"))
    offered(other_organization, "+14155550001", "1.15")

    assert "Nothing was spent yet" in words(browser.get("/spending"))
    assert "Nothing to compare yet" in words(browser.get("/spending"))
    assert "No number is unused" in words(browser.get("/numbers/unused"))
    for address in ("/spending", "/numbers/unused"):
        assert "Theirs" not in text(browser.get(address))


# --- The chart ----------------------------------------------------------------------------------


def drawn(*totals: tuple[str, ...], line=None) -> dict:
    """The chart's geometry for columns of these amounts."""
    return columns(
        Columns(
            key="k",
            title="Spending",
            description="By month",
            currency="USD",
            series=["Twilio", "Telnyx"],
            columns=[
                Column(label=f"{n}", name=f"Month {n}", amounts=[Decimal(one) for one in amounts])
                for n, amounts in enumerate(totals)
            ],
            line=line and Decimal(line),
        )
    )


def test_columns_are_stacked_from_the_ground_up_and_never_higher_than_the_axis():
    chart = drawn(("50", "25"), ("0", "0"), ("0", "100"))

    parts = [[(p["series"], p["y"], p["height"]) for p in bar["parts"]] for bar in chart["bars"]]
    assert (chart["top"], chart["half"]) == ("$100", "$50")
    assert parts == [
        [(0, "50.00", "50.00"), (1, "25.00", "25.00")],
        [],
        [(1, "0.00", "100.00")],
    ]


@pytest.mark.parametrize(
    ("highest", "top"),
    [("0", "$1"), ("0.15", "$0.15"), ("0.99", "$1"), ("1.01", "$1.20"), ("82.5", "$100"),
     ("1234.56", "$1500"), ("100", "$100")],
)  # fmt: skip
def test_the_axis_ends_with_a_round_amount(highest, top):
    assert drawn((highest, "0"))["top"] == top


def test_the_limit_is_drawn_where_it_does_not_flatten_the_columns():
    assert drawn(("60", "0"), line="120")["line"] == "0.00"
    assert drawn(("60", "0"), line="121")["line"] is None
    assert drawn(("0", "0"), line="10")["line"] is None
    assert drawn(("60", "0"))["line"] is None


def test_labels_thin_out_when_there_are_many_months():
    labels = drawn(*[("1", "0")] * 37)["labels"]

    assert [label for label in labels if label] == [str(n) for n in range(0, 37, 3)]


def test_the_chart_says_the_same_as_a_table(browser, organization):
    owned(organization, 1, timezone.now(), monthly="1.15")

    page = text(browser.get("/spending", {"months": 3}))

    assert 'aria-labelledby="spending-usd-title" aria-describedby="spending-usd-desc"' in page
    figures = page.split('<table class="figures">')[1].split("</table>")[0]
    assert figures.count("<tr>") == 5  # head, three months, forecast
    assert figures.count("$1.15") == 4
    assert page.count('<rect class="s0"') == 2


# --- Unused numbers -----------------------------------------------------------------------------


def test_unused_numbers_are_told_with_what_they_cost(browser, organization, assistant):
    quiet(organization, 1, 90, used=45, monthly="1.15", assistant=assistant)
    quiet(organization, 2, 60, monthly="1.00", provider="telnyx")
    quiet(organization, 3, 10)

    page = browser.get("/numbers/unused")

    assert rows(page) == ["+14155550002", "+14155550001"]
    for part in (
        "Unused for 30 days 2 numbers",
        "Could be saved $2.15",
        "Never 60 days unused",
        "45 days unused",
        "May take it back",
        "No rule known",
        "Support",
    ):
        assert part in words(page), part


def test_unused_numbers_are_filtered_by_what_the_address_says(browser, organization, assistant):
    quiet(organization, 1, 90, assistant=assistant)
    quiet(organization, 2, 60, provider="telnyx")
    quiet(organization, 3, 10)

    def shown(**filters) -> list[str]:
        return [number[-1] for number in rows(browser.get("/numbers/unused", filters))]

    assert shown() == ["1", "2"]
    assert shown(days="5") == ["1", "2", "3"]
    assert shown(provider="telnyx") == ["2"]
    assert shown(assistant="none") == ["2"]
    assert shown(assistant=str(assistant.pk)) == ["1"]
    page = browser.get("/numbers/unused", {"days": "5", "assistant": "none"})
    assert 'href="/phone-numbers/reports/unused.csv?days=5&amp;assigned=false"' in text(page)


@pytest.mark.parametrize(
    "wrong", [{"days": "-1"}, {"days": "x"}, {"provider": "vonage"}, {"assistant": "9" * 30}]
)
def test_a_filter_of_unused_numbers_that_makes_no_sense_is_told(browser, wrong):
    page = browser.get("/numbers/unused", wrong)

    assert page.status_code == 200
    assert "The list cannot be filtered like this" in words(page)


def test_chosen_numbers_go_to_the_page_that_confirms_their_release(organization):
    number = quiet(organization, 1, 90)

    page = text(make_browser(organization, "admin").get("/numbers/unused"))

    form = re.search(r"<form[^>]*data-choose[^>]*>", page)[0]
    assert 'method="get"' in form and 'action="/numbers/release"' in form
    assert f'<input type="checkbox" name="number" value="{number.pk}"' in page
    assert "Release chosen numbers" in page


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_who_may_not_release_sees_nothing_to_choose(organization, role):
    quiet(organization, 1, 90)

    page = text(make_browser(organization, role).get("/numbers/unused"))

    assert "checkbox" not in page and "Release" not in page and "/numbers/release" not in page


def test_pages_of_unused_numbers_lead_to_each_other_and_keep_the_filters(browser, organization):
    for line in range(120):
        quiet(organization, line, 300 - line)
    expected = [f"+1415555{line:04}" for line in range(120)]

    first = browser.get("/numbers/unused", {"days": "40"})
    second = browser.get("/numbers/unused" + links(first)["next"])
    third = browser.get("/numbers/unused" + links(second)["next"])
    back = browser.get("/numbers/unused" + links(third)["prev"])

    assert [rows(page) for page in (first, second, third)] == [
        expected[:50],
        expected[50:100],
        expected[100:],
    ]
    assert rows(back) == expected[50:100]
    assert (set(links(first)), set(links(third))) == ({"next"}, {"prev"})
    assert "days=40" in links(second)["next"]
    assert "Longer unused" in words(third) and "Shorter unused" in words(first)


@pytest.mark.parametrize("place", ["x", "1", "1-", "-1", "1-2-3", "9" * 17 + "-1", "1-²", "\0"])
def test_a_page_that_makes_no_sense_says_so(browser, place):
    for name in ("before", "after"):
        response = browser.get("/numbers/unused", {name: place})
        assert response.status_code == 400
        assert "This address does not name a page of the list." in words(response)


def test_the_overview_leads_to_unused_numbers_and_to_spending(browser, organization):
    quiet(organization, 1, 90)

    page = text(browser.get("/"))

    assert 'href="/numbers/unused"' in page and 'href="/spending"' in page
    assert "active, and no call or message for 30 days" in words(browser.get("/"))


def test_two_hundred_rows_cost_as_many_queries_as_ten(organization):
    browser = make_browser(organization, "owner")

    def queries(first: int, count: int) -> dict[str, int]:
        for line in range(first, first + count):
            assistant = make_assistant(organization, f"Assistant {line}")
            number = quiet(organization, line, 90, assistant=assistant)
            paid(organization, line + 1, timezone.now(), number=number)
            offered(organization, f"+1{200 + line}5550001", "1.15")
        asked = {}
        for address in ("/spending", "/numbers/unused", "/numbers/unused?days=0"):
            with CaptureQueriesContext(connection) as captured:
                page = browser.get(address)
            assert len(page.content) < 150_000
            asked[address] = len(captured)
        return asked

    few, many = queries(0, 10), queries(10, 190)

    assert many == few
    assert max(many.values()) <= 14
