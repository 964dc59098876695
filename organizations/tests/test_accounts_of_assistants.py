"""Accounts that only assistants use are not the organization's level."""

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from burki.testing import SYSTEM, make_organization, make_user
from organizations.credentials import change_account, store_credentials
from organizations.models import ProviderAccount

SID, OTHER_SID = "AC" + "1" * 32, "AC" + "2" * 32

pytestmark = pytest.mark.django_db


@pytest.fixture
def globex():
    return make_organization("Globex", accounts=False)


def store(organization, sid: str = SID, secret: str = "token-of-globex", **over) -> ProviderAccount:
    return store_credentials(
        actor=SYSTEM,
        organization=organization,
        provider="twilio",
        account_sid=sid,
        secret=secret,
        **over,
    )


def rows() -> list[tuple[str, bool, bool]]:
    return [
        (row.account_sid, row.is_default, row.only_for_assistants)
        for row in ProviderAccount.objects.order_by("pk")
    ]


def test_such_an_account_is_not_the_default_and_the_first_of_the_others_is(globex):
    store(globex, only_for_assistants=True)
    store(globex, OTHER_SID)

    assert rows() == [(SID, False, True), (OTHER_SID, True, False)]


def test_it_becomes_the_organizations_when_it_is_entered_there(globex):
    store(globex, only_for_assistants=True)

    store(globex)

    assert rows() == [(SID, True, False)]


def test_it_becomes_the_organizations_beside_its_default(globex):
    store(globex, only_for_assistants=True)
    store(globex, OTHER_SID)

    store(globex)

    assert rows() == [(SID, False, False), (OTHER_SID, True, False)]


def test_the_organizations_account_stays_it_when_an_assistant_names_it(globex):
    store(globex)

    store(globex, only_for_assistants=True)

    assert rows() == [(SID, True, False)]


@pytest.mark.parametrize("how", ["new", "store", "change"])
def test_what_is_made_the_default_is_for_all(globex, how):
    if how != "new":
        account = store(globex, only_for_assistants=True)

    if how in ("new", "store"):
        store(globex, only_for_assistants=True, make_default=True)
    else:
        change_account(actor=SYSTEM, account=account, is_default=True)

    assert rows() == [(SID, True, False)]


def test_the_database_and_the_admin_refuse_a_default_that_is_only_for_assistants(globex):
    account = store(globex, only_for_assistants=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        ProviderAccount.objects.update(is_default=True)
    staff = Client()
    staff.force_login(make_user(None, "", "root@x.test", is_staff=True, is_superuser=True))
    change = reverse("admin:organizations_provideraccount_change", args=[account.pk])
    form = {"make_default": "on", "only_for_assistants": "on", "is_active": "on"}

    response = staff.post(change, form)

    assert response.status_code == 200
    assert "The default account cannot be only for assistants." in response.content.decode()
    assert rows() == [(SID, False, True)]
