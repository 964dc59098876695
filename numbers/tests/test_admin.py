"""The Django admin: what it shows, what it refuses, and the page that buys a number."""

import re

import pytest

from burki.testing import TWILIO_NUMBER, make_user, orders_sent
from numbers.models import Purchase
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db

PAGE = "/admin/numbers/phonenumber/purchase/"


@pytest.fixture
def superuser(db):
    return make_user(None, "boss", is_staff=True, is_superuser=True)


@pytest.fixture
def browser(client, superuser, settings):
    from django.test import Client

    browser = Client()
    browser.force_login(superuser)
    return browser


def form(organization, **over):
    return {
        "organization": organization.pk,
        "provider": "twilio",
        "phone_number": TWILIO_NUMBER,
        "assistant": "",
        "friendly_name": "Front desk",
        "key": "018f0000-0000-7000-8000-000000000001",
    } | over


def test_every_list_and_form_of_the_admin_opens(browser, organization, sandbox):
    browser.post(PAGE, form(organization, confirmed="yes"))
    index = browser.get("/admin/").content.decode()
    pattern = r'href="(/admin/(?:numbers|organizations|assistants)/\w+/)"'
    lists = sorted(set(re.findall(pattern, index)))

    assert len(lists) == 14
    for address in lists:
        assert browser.get(address).status_code == 200, address
        page = browser.get(address).content.decode()
        for row in re.findall(rf'href="({address}[^"/]+/change/)', page)[:1]:
            assert browser.get(row).status_code == 200, row


def test_the_first_page_mints_a_key_and_sends_nothing(browser, organization, sandbox):
    page = browser.get(PAGE).content.decode()

    assert re.search(r'name="key" value="[0-9a-f-]{36}"', page)
    assert sandbox.requests() == []


def test_continuing_shows_what_will_happen_and_orders_nothing(browser, organization, sandbox):
    response = browser.post(PAGE, form(organization))

    page = response.content.decode()
    assert f"Buy {TWILIO_NUMBER}" in page
    assert "It costs 1.15 USD a month." in page
    assert orders_sent(sandbox) == []
    assert Purchase.objects.count() == 0


def test_confirming_twice_buys_once_as_the_person_who_did_it(
    browser, organization, sandbox, superuser
):
    first = browser.post(PAGE, form(organization, confirmed="yes"))
    second = browser.post(PAGE, form(organization, confirmed="yes"))

    purchase = Purchase.objects.get()
    assert first.url == second.url == f"/admin/numbers/purchase/{purchase.pk}/change/"
    assert purchase.state == "completed"
    assert purchase.idempotency_key.startswith("admin:")
    assert len(orders_sent(sandbox)) == 1
    event = AuditEvent.objects.get(action="purchase.claimed")
    assert (event.user, event.actor_kind, event.ip) == (superuser, "user", "127.0.0.1")


def test_a_refusal_is_shown_with_what_to_do_next(browser, organization, sandbox):
    response = browser.post(
        PAGE, form(organization, confirmed="yes", phone_number="+14155550001"), follow=True
    )

    page = response.content.decode()
    assert "Failed to purchase phone number from twilio" in page
    assert "search and choose another" in page


def test_a_wrong_number_is_refused_before_anything_is_sent(browser, organization, sandbox):
    response = browser.post(PAGE, form(organization, confirmed="yes", phone_number="415"))

    assert "Phone number must be in E.164 format" in response.content.decode()
    assert sandbox.requests() == []


def test_an_assistant_of_another_organization_is_refused(
    browser, organization, other_organization, assistant, sandbox
):
    body = form(other_organization, confirmed="yes", assistant=assistant.pk)
    response = browser.post(PAGE, body)

    assert "Choose an assistant of Globex" in response.content.decode()
    assert sandbox.requests() == []


def test_buying_needs_its_own_permission(organization, sandbox):
    from django.test import Client

    staff = make_user(organization, "owner", is_staff=True)
    browser = Client()
    browser.force_login(staff)

    assert browser.get(PAGE).status_code == 403
    assert browser.post(PAGE, form(organization, confirmed="yes")).status_code == 403
    assert sandbox.requests() == []


def test_ledgers_can_only_be_read(browser, organization, sandbox):
    browser.post(PAGE, form(organization, confirmed="yes"))
    purchase = Purchase.objects.get()

    for address in (
        f"/admin/numbers/purchase/{purchase.pk}/",
        f"/admin/numbers/phonenumber/{purchase.number_id}/",
        f"/admin/organizations/auditevent/{AuditEvent.objects.first().pk}/",
    ):
        assert browser.post(f"{address}delete/", {"post": "yes"}).status_code == 403
        assert browser.post(f"{address}change/", {}).status_code == 403
    assert browser.get("/admin/numbers/phonenumber/add/").status_code == 403


def test_a_stored_secret_is_kept_when_its_field_is_left_empty(browser, organization):
    account = organization.provider_accounts.get(provider="twilio")
    body = {"label": "Main", "secret": "", "is_default": "on", "is_active": "on"}

    browser.post(f"/admin/organizations/provideraccount/{account.pk}/change/", body)

    account.refresh_from_db()
    assert account.label == "Main"
    assert account.secret == "twilio-token-of-acme-7f3a"
