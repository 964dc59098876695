"""Trouble at a provider, or with credentials, makes no findings and confirms none."""

import pytest

from burki.testing import NOWHERE, SYSTEM, TELNYX_NUMBER
from numbers.inventory import accounts_to_compare, compare_account
from numbers.models import Comparison, Finding, Purchase
from numbers.providers import http as provider_http
from numbers.tests.inventories import LISTS, ORPHAN, account_of, bought, compared, minutes_pass, own

BOTH = pytest.mark.parametrize("provider", ["twilio", "telnyx"])

pytestmark = pytest.mark.django_db


# --- A key of another account ---------------------------------------------------------------------


def test_ghosts_are_not_confirmed_with_a_key_of_another_telnyx_account(organization, sandbox):
    numbers = [bought(organization, "telnyx", n) for n in (TELNYX_NUMBER, "+14155556001")]
    account = account_of(organization, "telnyx")
    account.secret = "KEYsomebody.first-0123456789abcd"
    account.save()

    compared(account)
    minutes_pass()
    wrong = compared(account)
    account.secret = "KEYacme.second-0123456789abcd"
    account.save()
    right = compared(account)

    assert [(f.number, f.confirmed_at) for f in wrong.findings] == [(n, None) for n in numbers]
    assert (right.findings, right.resolved) == ([], 2)


@pytest.mark.parametrize("by", ["another number", "an order"])
def test_a_new_key_of_the_same_account_proves_itself(organization, sandbox, by):
    """By another number of ours that is there, or by an order of ours that it can read."""
    number = bought(organization, "telnyx")
    if by == "another number":
        bought(organization, "telnyx", "+14155556001")
        Purchase.objects.update(order_id="")
    account = account_of(organization, "telnyx")
    account.secret = "KEYacme.second-0123456789abcd"
    account.save()
    sandbox.disown(number.phone_number)

    compared(account)
    minutes_pass()
    (finding,) = compared(account).findings

    assert (finding.number, finding.confirmed_at is not None) == (number, True)


# --- Failures -------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 401}, {"action": "truncate"}, {"body": {}}], ids=str
)
def test_a_provider_that_fails_in_the_middle_records_nothing(
    organization, sandbox, monkeypatch, provider, fault
):
    room = {"twilio": "twilio", "telnyx": "telnyx_client"}[provider]
    monkeypatch.setattr(f"numbers.providers.{room}._PAGE", 1)
    number = bought(organization, provider)
    account = account_of(organization, provider)
    own(sandbox, account, "+14155552000")
    own(sandbox, account, ORPHAN)
    sandbox.disown(number.phone_number)
    sandbox.add_fault(method="GET", path=LISTS[provider], headers={"X-Good": "1"})
    sandbox.add_fault(method="GET", path=LISTS[provider], **fault)

    report = compare_account(account, actor=SYSTEM, dry_run=False)

    assert report.failure.code in ("provider_unreachable", "invalid_credentials")
    assert (report.findings, report.listed) == ([], 0)
    assert (Finding.objects.count(), Comparison.objects.count()) == (0, 0)
    assert compared(account).counts == {"orphan": 2, "ghost": 1, "drift": 0}


def test_a_failure_while_a_ghost_is_asked_for_records_nothing(organization, sandbox):
    number = bought(organization, "twilio")
    account = account_of(organization, "twilio")
    sandbox.disown(number.phone_number)
    compared(account)
    minutes_pass()
    before = Finding.objects.values().get()
    sandbox.add_fault(method="GET", path=number.provider_number_id, status=503)

    report = compare_account(account, actor=SYSTEM, dry_run=False)

    assert report.failure.code == "provider_unreachable"
    assert Finding.objects.values().get() == before


def test_a_failure_closes_nothing(organization, sandbox, settings):
    account = account_of(organization, "twilio")
    own(sandbox, account)
    compared(account)
    settings.TWILIO_API_BASE_URL = NOWHERE
    provider_http._sessions.clear()

    report = compare_account(account, actor=SYSTEM, dry_run=False)

    assert report.failure.code == "provider_unreachable"
    assert Finding.objects.get().resolved_at is None


def test_a_disabled_account_is_a_failure_and_is_not_among_those_to_compare(organization, sandbox):
    account = account_of(organization, "twilio")
    account.is_active = False
    account.save()

    report = compare_account(account, actor=SYSTEM, dry_run=False)

    assert report.failure.code == "not_configured"
    assert accounts_to_compare(organization) == [account_of(organization, "telnyx")]
    assert sandbox.requests() == []
