"""The reports of the API, as JSON and as files: who sees what, in which shape, to the cent."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from burki import moments
from burki.spreadsheet import cell
from burki.testing import make_assistant, make_client
from numbers.api.report_answers import UNUSED_COLUMNS
from numbers.models import PhoneNumber
from numbers.services.spending import month_start
from numbers.tests.rows import make_number
from numbers.tests.test_costs import offered, owned, paid, quiet

pytestmark = pytest.mark.django_db

REPORTS = ("spending", "unused", "price-comparison")


def report(client, name, status=200, **query):
    response = client.get(f"/phone-numbers/reports/{name}", query)
    assert response.status_code == status, response.content
    return response.json()


def rows(client, name, **query) -> list[dict[str, str]]:
    response = client.get(f"/phone-numbers/reports/{name}.csv", query)
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(response.getvalue().decode())))


def this_month(offset=0) -> str:
    month = month_start(timezone.now())
    for _ in range(abs(offset)):
        step = timedelta(days=40) if offset > 0 else -timedelta(days=1)
        month = month_start(month + step)
    return f"{month:%Y-%m}"


# --- Spending -----------------------------------------------------------------------------------


def test_spending_tells_months_items_forecast_and_limit(client, organization, assistant):
    start = month_start(timezone.now())
    number = owned(organization, 1, start, monthly="1.15", assistant=assistant)
    paid(organization, 1, start, "2.00", number=number)
    owned(organization, 2, start - timedelta(seconds=1), monthly=None, provider="telnyx")
    organization.monthly_limit = Decimal("10")
    organization.save()

    found = report(client, "spending", months=2)

    assert (found["from_month"], found["to_month"]) == (this_month(-1), this_month())
    assert [(one["month"], one["currency"], one["total"]) for one in found["totals"]] == [
        (this_month(-1), "USD", "0.00"),
        (this_month(-1), None, None),
        (this_month(), "USD", "3.15"),
        (this_month(), None, None),
    ]
    assert found["items"][-1] == {
        "month": this_month(),
        "provider": "twilio",
        "assistant_id": assistant.pk,
        "assistant_name": "Support",
        "currency": "USD",
        "numbers": 1,
        "monthly_cost": "1.15",
        "setup_cost": "2.00",
        "total": "3.15",
        "forecast_total": "3.15",
    }
    assert [(one["month"], one["total"]) for one in found["forecast"]] == [
        (this_month(1), "1.15"),
        (this_month(1), None),
    ]
    assert [one["forecast_total"] for one in found["totals"]] == [None, None, "3.15", None]
    assert [one["forecast_total"] for one in found["forecast"]] == ["1.15", None]
    assert found["limit"] == {
        "currency": "USD",
        "monthly_limit": "10.00",
        "committed": "3.15",
        "left": "6.85",
    }


def test_an_organization_without_numbers_has_spent_nothing(client, organization):
    found = report(client, "spending")

    assert (found["totals"], found["items"], found["forecast"]) == ([], [], [])
    assert found["from_month"] == this_month(-11)
    assert found["limit"] == {
        "currency": "USD",
        "monthly_limit": None,
        "committed": "0.00",
        "left": None,
    }


def test_spending_is_narrowed_by_provider_and_assistant(client, organization, assistant):
    start = month_start(timezone.now())
    owned(organization, 1, start, monthly="1.00", assistant=assistant)
    owned(organization, 2, start, monthly="2.00", provider="telnyx")

    def total(**query) -> str:
        found = report(client, "spending", months=1, **query)["totals"]
        return found[0]["total"] if found else ""

    assert total() == "3.00"
    assert total(provider="telnyx") == "2.00"
    assert total(assistant_id=assistant.pk) == "1.00"
    assert total(assigned="false") == "2.00"
    assert total(assistant_id=10**9) == ""
    assert report(client, "spending", provider="telnyx")["limit"]["committed"] == "3.00"


def test_the_file_of_spending_has_a_row_for_each_item_and_the_forecast(
    client, organization, assistant
):
    owned(organization, 1, timezone.now(), monthly="1.15", assistant=assistant)

    assert rows(client, "spending", months=1) == [
        {
            "month": month,
            "forecast": forecast,
            "provider": "twilio",
            "assistant_id": str(assistant.pk),
            "assistant_name": "Support",
            "currency": "USD",
            "numbers": "1",
            "monthly_cost": "1.15",
            "setup_cost": "0.00",
            "total": "1.15",
            "forecast_total": "1.15",
        }
        for month, forecast in ((this_month(), "false"), (this_month(1), "true"))
    ]


# --- Unused numbers -----------------------------------------------------------------------------


def test_an_unused_number_tells_what_it_costs_and_since_when(client, organization, assistant):
    number = quiet(organization, 1, 90, used=45, monthly="1.15", assistant=assistant)
    quiet(organization, 2, 29)

    found = report(client, "unused")

    assert found["totals"] == [{"currency": "USD", "numbers": 1, "monthly_cost": "1.15"}]
    (item,) = found["items"]
    assert item["reclaim"].pop("detail").startswith("Twilio may take back numbers")
    when = f"{number.last_activity_at:%Y-%m-%dT%H:%M:%SZ}"
    assert item == {
        "id": number.pk,
        "phone_number": number.phone_number,
        "friendly_name": "Line 1",
        "provider": "twilio",
        "assistant_id": assistant.pk,
        "assistant_name": "Support",
        "unused_since": when,
        "days_unused": 45,
        "last_activity_at": when,
        "purchased_at": f"{number.purchased_at:%Y-%m-%dT%H:%M:%SZ}",
        "monthly_cost": "1.15",
        "currency": "USD",
        "reclaim": {
            "possible": True,
            "source": "https://www.twilio.com/docs/phone-numbers/best-practices",
        },
    }


def test_unused_numbers_are_narrowed(client, organization, assistant):
    quiet(organization, 1, 90, assistant=assistant)
    quiet(organization, 2, 60, provider="telnyx")
    quiet(organization, 3, 10)

    def shown(**query) -> list[str]:
        return [item["phone_number"][-1] for item in report(client, "unused", **query)["items"]]

    assert shown() == ["1", "2"]
    assert shown(days=5) == shown(days=0) == ["1", "2", "3"]
    assert shown(days=61) == ["1"]
    assert shown(provider="telnyx") == ["2"]
    assert shown(assigned="true") == shown(assistant_id=assistant.pk) == ["1"]
    assert report(client, "unused", provider="telnyx")["totals"][0]["numbers"] == 1


def test_pages_lead_to_each_other_longest_unused_first_also_when_moments_are_the_same(
    client, organization
):
    for line in range(25):
        quiet(organization, line, 90)
    moment = timezone.now() - timedelta(days=60)
    same = PhoneNumber.objects.filter(phone_number__gte="+14155550010")
    same.update(last_activity_at=moment)
    first_ten = [f"{line:02}" for line in range(10)]
    expected = first_ten + [f"{line:02}" for line in range(10, 25)]

    def walk(direction: str, url: str) -> list[list[str]]:
        pages = []
        while url:
            answer = client.get(url).json()
            pages.append([item["phone_number"][-2:] for item in answer["items"]])
            url, last = answer[direction], url
        walk.last = last
        return pages

    forward = walk("next", "/phone-numbers/reports/unused?limit=7&provider=twilio")
    assert [len(page) for page in forward] == [7, 7, 7, 4]
    assert [line for page in forward for line in page] == expected
    assert "provider=twilio" in walk.last
    backward = walk("previous", walk.last)
    assert list(reversed(backward)) == forward


def test_a_number_that_was_used_meanwhile_shifts_nothing(client, organization):
    for line in range(6):
        quiet(organization, line, 90 - line)
    first = report(client, "unused", limit=3)
    PhoneNumber.objects.filter(phone_number__endswith="0001").update(
        last_activity_at=timezone.now()
    )

    second = client.get(first["next"]).json()

    assert [item["phone_number"][-1] for item in second["items"]] == ["3", "4", "5"]
    assert second["next"] is None


def test_the_file_has_every_unused_number(client, organization):
    for line in range(60):
        quiet(organization, line, 90 - line % 7)

    found = rows(client, "unused", days=30)

    assert len(found) == 60
    assert found[0]["phone_number"] == "+14155550000"
    assert (found[0]["reclaim_possible"], found[0]["monthly_cost"]) == ("true", "1.00")


NAMES = (
    *("=1+1", "+1+1", "-1", "@x", "+14155550001 +14155550002", "+1415", "'=1", "", " =1"),
    *('say "yes", or; no', "\t=1", "\n=1", "\r=1", "two\nlines", "\\.", "%s {}", "\u202e=1"),
    *("Zürich ☎️", "\u2028", "NULL", "a" * 64),
)
PRICES = ("0", "1.15", "1.15500", "1.00001", "123456.7", "1000", None)
_DAY, _LEAST = timedelta(days=1), timedelta(microseconds=1)
SPANS = (
    *(-2 * _DAY, timedelta(), _LEAST, timedelta(seconds=59.999999), 25 * _DAY / 24, 4000 * _DAY),
    *(days * _DAY + some * _LEAST for days in (1, 30) for some in (-1, 0, 1)),
)


def test_the_file_says_to_the_byte_what_the_pages_say(client, organization, monkeypatch):
    """Its times are written by PostgreSQL, theirs by Python."""
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    monkeypatch.setattr(moments, "AT_A_TIME", 7)
    for line in range(84):
        number = quiet(
            organization,
            line,
            90,
            provider=("twilio", "telnyx")[line % 2],
            monthly=PRICES[line % len(PRICES)],
            friendly_name=NAMES[line % len(NAMES)],
            assistant=make_assistant(organization, NAMES[-line % len(NAMES)] or "-")
            if line % 5
            else None,
        )
        moment = now - SPANS[line % len(SPANS)]
        used = {} if line % 4 == 1 else {"last_activity_at": moment}
        adopted = {"purchased_at": None, "created_at": moment} if line % 4 == 1 else {}
        PhoneNumber.objects.filter(pk=number.pk).update(**used | adopted)

    items = report(client, "unused", days=0, limit=200)["items"]
    file = client.get("/phone-numbers/reports/unused.csv", {"days": 0}).getvalue()

    expected = io.StringIO()
    writer = csv.writer(expected)
    writer.writerow(UNUSED_COLUMNS)
    for item in items:
        told = item["reclaim"]
        reclaim = {"reclaim_possible": told["possible"], "reclaim_detail": told["detail"]}
        writer.writerow([cell((item | reclaim)[name]) for name in UNUSED_COLUMNS])
    assert len(items) > 70
    assert file == expected.getvalue().encode()


def test_the_file_is_read_and_sent_in_parts(client, organization, monkeypatch):
    monkeypatch.setattr(moments, "AT_A_TIME", 2)
    for line in range(5):  # at the same moment, but for the first
        quiet(organization, line, 91 if line == 0 else 90)

    with CaptureQueriesContext(connection) as queries:
        found = rows(client, "unused")

    assert [row["phone_number"][-1] for row in found] == ["0", "1", "2", "3", "4"]
    parts = [query["sql"] for query in queries if "LIMIT 2" in query["sql"]]
    assert len(parts) == 3


# --- Prices compared ----------------------------------------------------------------------------


def test_prices_are_compared_by_place(client, organization):
    offered(organization, "+14155550001", "1.15")
    offered(organization, "+14155550002", "1.00", provider="telnyx", setup="1.00")

    (place,) = report(client, "price-comparison")["items"]

    telnyx, twilio = place["providers"]
    assert (place["country_code"], place["area_code"], place["cheapest"]) == ("US", "415", "telnyx")
    assert (telnyx["first_year_cost"], twilio["first_year_cost"]) == ("13.00", "13.80")
    assert (telnyx["monthly_cost"], telnyx["setup_cost"], telnyx["offers"]) == ("1.00", "1.00", 1)
    found = rows(client, "price-comparison")
    assert [(row["provider"], row["cheapest"]) for row in found] == [
        ("telnyx", "telnyx"),
        ("twilio", "telnyx"),
    ]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 2),
        ({"country_code": "us"}, 1),
        ({"country_code": "US", "area_code": "415"}, 1),
        ({"area_code": "212"}, 0),
        ({"number_type": "mobile"}, 1),
        ({"provider": "telnyx"}, 0),
    ],
)
def test_places_are_narrowed(client, organization, query, count):
    offered(organization, "+14155550001", "1.15")
    offered(organization, "+447700900001", "1.15", country="GB", region="", number_type="mobile")

    assert len(report(client, "price-comparison", **query)["items"]) == count


# --- All of them --------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", ".csv"])
@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("spending", {"months": "0"}),
        ("spending", {"months": "37"}),
        ("spending", {"months": "x"}),
        ("spending", {"provider": "vonage"}),
        ("spending", {"assistant_id": "0"}),
        ("spending", {"assigned": "perhaps"}),
        ("unused", {"days": "-1"}),
        ("unused", {"days": "3651"}),
        ("unused", {"days": "1.5"}),
        ("unused", {"provider": "vonage"}),
        ("unused", {"assistant_id": "9" * 30}),
        ("price-comparison", {"country_code": "USA"}),
        ("price-comparison", {"area_code": "115"}),
        ("price-comparison", {"number_type": "national"}),
        ("price-comparison", {"provider": "a\0b"}),
    ],
)
def test_a_filter_that_makes_no_sense_is_told(client, name, query, ending):
    found = report(client, f"{name}{ending}", 400, **query)

    assert found["code"] == "invalid_request"
    assert list(found["errors"]) == list(query)
    assert found["detail"].startswith(f"{next(iter(query))}: ")


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"cursor": "x"},
        {"cursor": "a-1"},
        {"cursor": "c-1-1"},
        {"cursor": "a-1-1-1"},
        {"cursor": f"a-{'9' * 17}-1"},
        {"cursor": "a-1-²"},
        {"cursor": "-"},
    ],
)
def test_a_page_that_makes_no_sense_is_told(client, query):
    assert report(client, "unused", 400, **query)["code"] == "invalid_request"


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
@pytest.mark.parametrize("name", REPORTS)
def test_reports_need_the_right_to_read_numbers_and_are_no_number(organization, prefix, name):
    reader, other = (
        make_client(organization, [scope]) for scope in ("numbers:read", "assistants:read")
    )
    for ending in ("", ".csv"):
        address = f"{prefix}/phone-numbers/reports/{name}{ending}"
        assert reader.get(address).status_code == 200
        refused = other.get(address)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
        assert refused["Content-Type"] == "application/json"
        assert reader.post(address).status_code in (403, 405)


@pytest.mark.parametrize("name", REPORTS)
def test_files_are_asked_for_by_their_address(client, name):
    address = f"/phone-numbers/reports/{name}.csv"

    for accept in ("text/csv", "*/*", "text/html,application/xhtml+xml,*/*;q=0.8"):
        response = client.get(address, headers={"Accept": accept})
        assert (response.status_code, response["Content-Type"]) == (200, "text/csv; charset=utf-8")
        assert ".csv" in response["Content-Disposition"]
    assert client.get(address, headers={"Accept": "application/json"}).status_code == 406


def test_nothing_of_another_organization_is_told(client, other_organization):
    theirs = make_assistant(other_organization, "Theirs")
    quiet(other_organization, 1, 90, assistant=theirs)
    paid(other_organization, 1, timezone.now())
    offered(other_organization, "+14155550001", "1.15")

    assert report(client, "spending")["items"] == []
    assert report(client, "spending", assistant_id=theirs.pk)["items"] == []
    assert report(client, "unused")["items"] == report(client, "unused")["totals"] == []
    assert report(client, "price-comparison")["items"] == []
    assert [rows(client, name) for name in REPORTS] == [[], [], []]


def test_two_hundred_rows_cost_as_many_queries_as_ten(client, organization):
    reports = [f"/phone-numbers/reports/{name}{end}" for name in REPORTS for end in ("", ".csv")]
    client.get(reports[0])  # the key's first use is noted

    def queries(first: int, count: int) -> dict[str, int]:
        for line in range(first, first + count):
            assistant = make_assistant(organization, f"Assistant {line}")
            number = quiet(organization, line, 90, assistant=assistant)
            paid(organization, line + 1, timezone.now(), number=number)
            offered(organization, f"+1{200 + line}5550001", "1.15")
        asked = {}
        for address in reports:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(address).status_code == 200
            asked[address] = len(captured)
        return asked

    few, many = queries(0, 10), queries(10, 190)

    assert many == few
    assert max(many.values()) <= 6


@pytest.mark.parametrize("formula", ["=1+1", "@SUM(A1)", "-1+1", "+1+1", "\t=1", "+1415555\n=1"])
def test_no_cell_is_a_formula(client, organization, formula):
    name = formula.strip()
    quiet(organization, 1, 90, friendly_name=name, assistant=make_assistant(organization, name))

    (row,) = rows(client, "unused")

    assert cell(formula) == f"'{formula}"
    assert row["phone_number"] == "+14155550001"
    assert row["friendly_name"] == row["assistant_name"] == f"'{name}"


def test_what_cannot_be_run_stays_as_it_is():
    assert [cell(value) for value in ("+14155550001", "Front desk", 5, True, None, "a=b")] == [
        "+14155550001",
        "Front desk",
        5,
        "true",
        None,
        "a=b",
    ]
    assert cell(["+14155550001", "+14155550002"]) == "+14155550001 +14155550002"


def test_a_price_that_is_not_known_is_null_and_never_zero(client, organization):
    make_number(organization, 1, purchased_at=timezone.now())

    (item,) = report(client, "unused", days=0)["items"]
    (cost,) = report(client, "spending", months=1)["items"]

    assert (item["monthly_cost"], item["currency"]) == (None, None)
    assert (cost["total"], cost["currency"], cost["numbers"]) == (None, None, 1)
