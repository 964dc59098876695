"""The list of numbers as CSV."""

import csv
import io
from decimal import Decimal

import pytest

from burki.testing import make_assistant, make_browser
from numbers.tests.rows import make_number
from numbers.tests.test_ui_lists import make_numbers

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(organization):
    return make_browser(organization, "admin")


def exported(browser, **filters) -> list[dict[str, str]]:
    response = browser.get("/numbers/export", filters)
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    file = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(file)))


def test_the_export_has_all_rows_that_the_filters_leave_not_one_page(browser, organization):
    make_numbers(organization, 1200)
    telnyx = organization.provider_accounts.get(provider="telnyx")
    make_numbers(organization, 3, start=2000, provider="telnyx", account=telnyx)
    make_numbers(organization, 1, start=3000, status="released")

    everything = exported(browser, sort="number", before="+14155550500~1")

    assert len(everything) == 1203
    assert len({line["number"] for line in everything}) == 1203
    assert [line["number"] for line in exported(browser, provider="telnyx")] == [
        "+14155552002",
        "+14155552001",
        "+14155552000",
    ]


def test_a_line_tells_everything_and_the_number_as_it_is_dialled(browser, organization):
    number = make_number(
        organization,
        1,
        friendly_name='Größe "A", 1',
        assistant=make_assistant(organization),
        monthly_cost=Decimal("1.15"),
        currency="USD",
        webhook_verdict="drifted",
        locality="Bern",
    )

    (line,) = exported(browser)

    assert line == {
        "id": str(number.pk),
        "number": "+14155550001",
        "name": 'Größe "A", 1',
        "status": "active",
        "assistant": "Support",
        "provider": "twilio",
        "country": "US",
        "region": "",
        "locality": "Bern",
        "monthly_cost": "1.15",
        "setup_cost": "",
        "currency": "USD",
        "webhooks": "drifted",
        "webhooks_checked_at": "",
        "last_activity_at": "",
        "purchased_at": "2026-03-01T12:00:00Z",
        "released_at": "",
    }


@pytest.mark.parametrize(
    "name",
    ["=1+1", "+1+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0", "+1415555000a", "\t=1"],
)
def test_no_cell_is_a_formula(browser, organization, name):
    make_number(organization, 1, friendly_name=name, locality=name)

    (line,) = exported(browser)

    assert line["name"] == line["locality"] == f"'{name}"
    assert line["number"] == "+14155550001"


def test_the_export_shows_the_own_organization_alone(organization, other_organization):
    make_numbers(organization, 2)

    assert exported(make_browser(other_organization, "viewer")) == []
    assert len(exported(make_browser(organization, "viewer"))) == 2
