"""The Django admin: what it shows, and what it refuses."""

import re

import pytest

from burki.testing import make_user
from numbers.models import Purchase
from numbers.tests.money import buy
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db


@pytest.fixture
def superuser(db):
    return make_user(None, "boss", is_staff=True, is_superuser=True)


@pytest.fixture
def browser(client, superuser, settings):
    from django.test import Client

    browser = Client()
    browser.force_login(superuser)
    return browser


def test_every_list_and_form_of_the_admin_opens(browser, organization, sandbox):
    buy(organization)
    index = browser.get("/admin/").content.decode()
    pattern = r'href="(/admin/(?:numbers|organizations|assistants)/\w+/)"'
    lists = sorted(set(re.findall(pattern, index)))

    assert len(lists) == 14
    for address in lists:
        assert browser.get(address).status_code == 200, address
        page = browser.get(address).content.decode()
        for row in re.findall(rf'href="({address}[^"/]+/change/)', page)[:1]:
            assert browser.get(row).status_code == 200, row


def test_ledgers_can_only_be_read(browser, organization, sandbox):
    buy(organization)
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
