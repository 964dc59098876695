"""The audit log on the staff pages."""

import csv
import io
import re
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from burki.testing import SYSTEM, make_browser
from organizations import audit
from organizations.models import AuditEvent
from organizations.sealing import seal_events

pytestmark = pytest.mark.django_db

PAGE, FILE = "/audit", "/audit.csv"


@pytest.fixture
def browser(organization):
    return make_browser(organization, "admin")


def text(response) -> str:
    content = response.content.decode()
    return " ".join(unescape(re.sub("<[^>]+>", " ", content)).split())


def rows(organization, count: int) -> None:
    AuditEvent.objects.bulk_create(
        AuditEvent(
            organization=organization,
            action="purchase.claimed",
            actor_kind="system",
            actor_label=f"worker {n}",
            object_label=f"+1415555{n:04} from twilio",
            data={"n": n},
        )
        for n in range(count)
    )


def test_it_tells_who_did_what_and_how_much_is_sealed(browser, organization):
    audit.record(SYSTEM, "number.adopted", organization, organization=organization, note="x <b>")
    seal_events()
    audit.record(SYSTEM, "number.verified", organization, organization=organization)

    page = browser.get(PAGE)

    told = text(page)
    assert "Number verified Acme test just now not sealed yet" in told
    assert re.search(r"Number adopted Acme test just now Show", told)
    assert re.search(r"sealed until \d\d \w+ \d{4}, \d\d:\d\d UTC", told)
    assert "x <b>" not in page.content.decode() and "x &lt;b&gt;" in page.content.decode()


def test_before_the_first_seal_it_promises_none(browser, organization):
    told = text(browser.get(PAGE))

    assert "sealed until" not in told
    assert "Events are never changed and never deleted." in told


def test_filters_narrow_the_list_and_the_file_and_stay_in_its_address(browser, organization):
    rows(organization, 3)

    page = browser.get(f"{PAGE}?actor=worker+2&action=purchase&before=")

    told = text(page)
    assert "+14155550002 from twilio" in told and "+14155550001" not in told
    link = unescape(re.search(r'href="(/audit\.csv[^"]*)"', page.content.decode()).group(1))
    assert link == f"{FILE}?actor=worker+2&action=purchase"
    found = browser.get(link)
    table = list(csv.DictReader(io.StringIO(found.getvalue().decode())))
    assert [row["object_label"] for row in table] == ["'+14155550002 from twilio"]


def test_a_filter_that_makes_no_sense_is_said_where_it_stands(browser, organization):
    told = text(browser.get(f"{PAGE}?from=yesterday"))

    assert "Must be a day (2026-01-31)" in told
    assert "The list cannot be filtered like this" in told
    assert browser.get(f"{FILE}?from=yesterday").status_code == 400


def test_nothing_that_fits_says_so(browser, organization):
    assert "No event fits" in text(browser.get(f"{PAGE}?actor=nobody"))


def test_pages_keep_the_filters(browser, organization):
    rows(organization, 60)

    first = browser.get(f"{PAGE}?action=purchase")
    older = unescape(re.search(r'href="([^"]+)" rel="next"', first.content.decode()).group(1))
    second = browser.get(f"{PAGE}{older}")

    assert "action=purchase" in older
    assert len(re.findall("<summary>Show", first.content.decode())) == 50
    assert len(re.findall("<summary>Show", second.content.decode())) == 10
    assert len(first.content) < 150_000


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_a_role_without_the_scope_sees_neither_page_nor_entry(organization, role):
    browser = make_browser(organization, role)

    assert 'href="/audit"' not in browser.get("/").content.decode()
    assert browser.get(PAGE).status_code == browser.get(FILE).status_code == 403


def test_what_others_did_is_not_there(browser, organization, other_organization):
    rows(other_organization, 3)

    assert "worker" not in text(browser.get(PAGE))
    assert "worker" not in browser.get(FILE).getvalue().decode()


def test_two_hundred_rows_cost_as_many_queries_as_ten(browser, organization):
    def asked(more: int) -> int:
        rows(organization, more)
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(PAGE).status_code == 200
        return len(queries)

    seal_events()
    few, many = asked(10), asked(190)

    assert many == few <= 8
