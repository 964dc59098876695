"""Every staff page costs the same number of queries, however many rows there are."""

import pytest

from burki.testing import make_browser
from burki.tests.office import Office, queries_of
from numbers.models import PhoneNumber
from organizations.models import Membership, Organization

pytestmark = [pytest.mark.django_db, pytest.mark.walk]

# Not the file of all numbers: it is read in parts (`numbers/tests/test_ui_export.py`).
PAGES = [
    "/",
    "/numbers",
    "/numbers/unused",
    "/numbers/<number>",
    "/numbers/<number>/history",
    "/purchases",
    "/purchases/<purchase>",
    "/buy/many",
    "/buy/many/all",
    "/buy/many/<pk>",
    "/calls",
    "/spending",
    "/assistants",
    "/assistants/<assistant_id>",
    "/settings/credentials",
    "/settings/organization",
    "/settings/api-keys",
    "/settings/members",
    "/settings/events",
    "/settings/events/endpoints/<endpoint>",
    "/audit",
    "/audit.csv",
    "/organizations/switch",
    "/account",
]


def test_two_hundred_rows_cost_a_page_as_many_queries_as_ten(organization):
    office, browser = Office(organization), make_browser(organization, "owner")
    session = browser.session
    session["organization_id"] = organization.pk
    session.save()

    def grown(rows: int) -> dict[str, int]:
        """How many queries each page costs. Both confirmations show as many as can be selected."""
        office.grow(rows)
        while browser.user.memberships.count() < rows:
            n = browser.user.memberships.count()
            tenant = Organization.objects.create(name=f"Tenant {n}", slug=f"tenant-{n}")
            Membership.objects.create(organization=tenant, user=browser.user, role="viewer")
        numbers = PhoneNumber.objects.filter(phone_number__startswith="+1415555")
        chosen = "&".join(f"number={one.pk}" for one in numbers.order_by("pk")[: min(rows, 50)])
        selections = {f"/numbers/{action}": f"?{chosen}" for action in ("assign", "release")}
        urls = dict.fromkeys(PAGES, "") | selections
        return {page: queries_of(browser, office.url(page) + q).count for page, q in urls.items()}

    few, many = grown(10), grown(200)

    # Above two hundred assistants the number's own one is asked for alone.
    steps = {"/numbers/<number>": 1}
    assert {page: many[page] - few[page] for page in many if many[page] != few[page]} == steps
    assert max(many.values()) <= 21
