"""The organization's page: admins rename, owners also set limits; a limit takes nothing away."""

from decimal import Decimal

import pytest

from burki.testing import make_browser
from numbers.tests.test_ui_lists import make_numbers
from organizations.models import AuditEvent, Organization

pytestmark = pytest.mark.django_db

PAGE = "/settings/organization"


def text(response) -> str:
    return response.content.decode()


def state() -> list[tuple]:
    rows = Organization.objects.order_by("pk")
    return list(rows.values_list("name", "monthly_limit", "number_limit", "limit_currency"))


def test_an_owner_changes_name_and_limits(organization):
    browser = make_browser(organization, "owner")
    given = {"name": "Acme Dental", "monthly_limit": "75.50", "number_limit": "20"}

    done = browser.post(PAGE, given, follow=True)

    assert done.redirect_chain == [(PAGE, 303)]
    assert state() == [("Acme Dental", Decimal("75.50"), 20, "USD")]
    assert '$0.00</span> of <span class="money">$75.50' in text(done)
    (event,) = AuditEvent.objects.filter(action="organization.changed")
    assert (event.user, event.data["monthly_limit"]) == (browser.user, "75.50")
    browser.post(PAGE, given | {"monthly_limit": "", "number_limit": ""})
    assert state() == [("Acme Dental", None, None, "USD")]


def test_a_lower_limit_only_stops_new_purchases_and_says_so(organization):
    make_numbers(organization, 3)
    browser = make_browser(organization, "owner")
    given = {"name": "Acme", "monthly_limit": "2", "number_limit": "1"}

    told = text(browser.post(PAGE, given, follow=True))

    assert "$3.45 are committed this month already, more than $2.00." in told
    assert "There are 3 numbers already, more than 1." in told
    assert told.count("Nothing is released; only new purchases are refused.") == 2
    assert organization.phone_numbers.filter(status="active").count() == 3


def test_an_admin_renames_and_leaves_the_limits_as_they_are(organization):
    Organization.objects.update(monthly_limit=Decimal(50), number_limit=5)
    browser = make_browser(organization, "admin")

    assert "Limits are changed by owners." in text(browser.get(PAGE))
    browser.post(PAGE, {"name": "Acme Two"})

    assert state() == [("Acme Two", Decimal(50), 5, "USD")]


@pytest.mark.parametrize("limit", [{"monthly_limit": "9999"}, {"number_limit": ""}])
def test_a_limit_that_an_admin_adds_to_the_form_changes_nothing(organization, limit):
    Organization.objects.update(monthly_limit=Decimal(50), number_limit=5)
    browser = make_browser(organization, "admin")

    answer = browser.post(PAGE, {"name": "Acme Two"} | limit)

    assert answer.status_code == 403
    assert "Manage members and limits" in text(answer)
    assert state() == [("Acme", Decimal(50), 5, "USD")]


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a\nb\0"},
        {"monthly_limit": "-1"},
        {"monthly_limit": "NaN"},
        {"monthly_limit": "1e20"},
        {"number_limit": "1.5"},
        {"number_limit": "1000001"},
    ],
)
def test_what_makes_no_sense_is_not_stored(organization, wrong):
    browser = make_browser(organization, "owner")

    answer = browser.post(PAGE, {"name": "New", "monthly_limit": "", "number_limit": ""} | wrong)

    assert answer.status_code == 400
    assert 'class="wrong"' in text(answer)
    assert state() == [("Acme", None, None, "USD")]


def test_what_is_posted_beside_the_form_changes_nothing(organization, other_organization):
    browser = make_browser(organization, "owner")

    browser.post(PAGE, {
        "name": "Acme", "slug": "x", "limit_currency": "EUR", "may_use_platform_accounts": "",
        "is_active": "", "organization": other_organization.pk, "pk": other_organization.pk,
    })  # fmt: skip

    assert state() == [("Acme", None, None, "USD"), ("Globex", None, None, "USD")]
    organization.refresh_from_db()
    assert (organization.slug, organization.may_use_platform_accounts) == ("acme", True)


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_lower_roles_neither_see_nor_change_it(organization, role):
    browser = make_browser(organization, role)

    assert browser.get(PAGE).status_code == 403
    assert browser.post(PAGE, {"name": "Mine"}).status_code == 403
    assert PAGE not in text(browser.get("/"))
    assert state() == [("Acme", None, None, "USD")]
