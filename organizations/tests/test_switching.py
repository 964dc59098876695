"""The list of a person's organizations when they are many: by name, page by page, searched."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from burki.testing import make_browser
from organizations.models import Membership, Organization

pytestmark = pytest.mark.django_db

PAGE = "/organizations/switch"


@pytest.fixture
def browser(organization):
    return make_browser(organization, "viewer")


def join(browser, count: int, role: str = "admin", start: int = 0) -> None:
    made = Organization.objects.bulk_create(
        Organization(name=f"Tenant {n:04}", slug=f"tenant-{n}") for n in range(start, count)
    )
    Membership.objects.bulk_create(
        Membership(user=browser.user, organization=one, role=role) for one in made
    )


def text(response) -> str:
    return response.content.decode().replace("&amp;", "&")


def names(response) -> list[str]:
    return re.findall(r"<li><span><strong>([^<]+)", text(response))


def link(response, rel: str) -> str:
    return PAGE + re.search(rf'href="([^"]+)" rel="{rel}"', text(response))[1]


def test_many_organizations_come_page_by_page_and_each_can_be_opened(browser, organization):
    join(browser, 120)
    everything = ["Acme", *(f"Tenant {n:04}" for n in range(120))]

    first = browser.get(PAGE)
    second = browser.get(link(first, "next"))
    third = browser.get(link(second, "next"))

    assert names(first) + names(second) + names(third) == everything
    assert names(browser.get(link(second, "prev"))) == names(first)
    assert len(first.content) < 50_000
    last = Organization.objects.get(name="Tenant 0119")
    assert browser.post(link(second, "next"), {"organization": last.pk}).url == "/"
    assert "<h1>Tenant 0119</h1>" in text(browser.get("/"))


def test_one_of_many_is_found_by_a_part_of_its_name(browser, organization, other_organization):
    join(browser, 60)

    found = browser.get(PAGE, {"search": "tenant 005"})
    nothing = browser.get(PAGE, {"search": "Globex"})

    assert names(found) == [f"Tenant {n:04}" for n in range(50, 60)]
    assert 'value="tenant 005"' in text(found)
    assert names(nothing) == [] and "None of your organizations is called" in text(nothing)


def test_each_is_told_with_the_persons_own_role(browser, organization):
    stranger = make_browser(organization, "owner")
    join(browser, 1, "member")
    join(stranger, 3, "owner", start=1)
    shared = Organization.objects.get(name="Tenant 0000")
    Membership.objects.create(user=stranger.user, organization=shared, role="owner")

    roles = re.findall(r"<strong>([^<]+)</strong><span class=\"sub\">You are (\w+)",
                       text(browser.get(PAGE)))  # fmt: skip

    assert roles == [("Acme", "viewer"), ("Tenant 0000", "member")]


@pytest.mark.parametrize("place", ["x", "\0~1", "Acme~-1", "Acme~x"])
def test_a_place_that_is_none_leads_to_the_beginning(browser, place):
    answer = browser.get(PAGE, {"before": place})

    assert (answer.status_code, answer.url) == (302, PAGE)


def test_few_need_no_search(browser):
    join(browser, 3)

    assert 'type="search"' not in text(browser.get(PAGE))


def test_two_hundred_cost_as_many_queries_as_ten(browser):
    def queries() -> int:
        with CaptureQueriesContext(connection) as asked:
            browser.get(PAGE)
        return len(asked)

    join(browser, 10)
    few = queries()
    join(browser, 200, start=10)

    assert queries() == few
