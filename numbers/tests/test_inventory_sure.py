"""What makes a finding sure, whose it is, and what a comparison never does."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from burki.testing import (
    CONNECTION,
    SYSTEM,
    in_threads,
    make_telnyx_account,
)
from numbers.inventory import accounts_to_compare, compare_account
from numbers.models import Comparison, Finding, PhoneNumber, Purchase
from numbers.tests.inventories import (
    ORPHAN,
    account_of,
    bought,
    changes_sent,
    compared,
    minutes_pass,
    own,
)
from organizations.models import AuditEvent, ProviderAccount

BOTH = pytest.mark.parametrize("provider", ["twilio", "telnyx"])

pytestmark = pytest.mark.django_db


# --- When it is sure ------------------------------------------------------------------------------


def test_an_orphan_is_confirmed_by_two_sightings_ten_minutes_apart(organization, sandbox, settings):
    settings.SETTLE_CLOCK_SCALE = 0.0005  # ten minutes are 0.3 seconds
    account = account_of(organization, "twilio")
    own(sandbox, account)

    first, second = compared(account), compared(account)
    time.sleep(0.31)
    third = compared(account)

    assert [report.findings[0].confirmed_at is not None for report in (first, second, third)] == [
        False,
        False,
        True,
    ]
    assert Finding.objects.get().confirmed_at is not None


@BOTH
def test_a_ghost_is_confirmed_only_when_its_id_is_asked_for_and_gone(
    organization, sandbox, provider
):
    number = bought(organization, provider)
    account = account_of(organization, provider)
    sandbox.disown(number.phone_number)

    first = compared(account)
    sandbox.clear_requests()
    soon = compared(account)
    assert sandbox.requests(path_contains=number.provider_number_id) == []
    minutes_pass()
    later = compared(account)

    assert [bool(r.findings[0].confirmed_at) for r in (first, soon, later)] == [False, False, True]
    assert len(sandbox.requests(path_contains=number.provider_number_id)) == 1


def test_a_number_that_is_only_missing_from_the_list_is_no_ghost_when_asked_for(
    organization, sandbox
):
    number = bought(organization, "twilio")
    account = account_of(organization, "twilio")
    sandbox.alter(number.phone_number, visible=False)

    assert compared(account).counts["ghost"] == 1
    minutes_pass()
    report = compared(account)

    assert (report.counts["ghost"], report.resolved) == (0, 1)
    assert Finding.objects.get().confirmed_at is None


def test_a_finding_that_is_no_longer_seen_is_closed_and_a_new_one_starts_afresh(
    organization, sandbox
):
    number = bought(organization, "telnyx")
    account = account_of(organization, "telnyx")
    sandbox.alter(number.phone_number, visible=False)
    compared(account)
    minutes_pass()
    sandbox.alter(number.phone_number, visible=True)
    report = compared(account)
    sandbox.disown(number.phone_number)
    again = compared(account)

    assert (report.findings, report.resolved) == ([], 1)
    old, new = Finding.objects.order_by("pk")
    assert (old.resolution, old.resolved_at is not None) == ("not_seen", True)
    assert (new.resolved_at, new.confirmed_at) == (None, None)
    assert new.first_seen_at > old.first_seen_at + timedelta(minutes=10)
    assert again.findings == [new]


def test_a_finding_is_one_open_row_however_often_it_is_seen(organization, sandbox):
    account = account_of(organization, "twilio")
    own(sandbox, account)

    for _ in range(3):
        compared(account)

    finding = Finding.objects.get()
    assert finding.last_seen_at > finding.first_seen_at
    finding.pk = None
    with pytest.raises(IntegrityError, match="finding_open_once"), transaction.atomic():
        finding.save()


def test_a_ghost_of_a_newer_row_is_another_finding(organization, sandbox):
    account = account_of(organization, "twilio")
    number = bought(organization, "twilio")
    sandbox.disown(number.phone_number)
    compared(account)
    minutes_pass()
    PhoneNumber.objects.filter(pk=number.pk).update(status="released")
    newer = bought(organization, "twilio")
    sandbox.disown(newer.phone_number)

    report = compared(account)

    (finding,) = report.findings
    assert (finding.number, finding.confirmed_at, report.resolved) == (newer, None, 1)


def test_a_comparison_that_comes_too_late_changes_nothing(organization, sandbox):
    account = account_of(organization, "twilio")
    own(sandbox, account)
    compared(account)
    Comparison.objects.update(began_at=Comparison.objects.get().began_at + timedelta(hours=1))
    sandbox.disown(ORPHAN)

    report = compared(account)

    assert (report.counts["orphan"], report.resolved, report.orphans) == (1, 0, [])
    assert Finding.objects.get().resolved_at is None


def test_what_was_found_while_a_comparison_was_under_way_is_not_for_it_to_close(
    organization, sandbox
):
    account = account_of(organization, "twilio")
    number = bought(organization, "twilio")
    later = number.created_at + timedelta(hours=1)
    Finding.objects.create(
        account=account,
        organization=organization,
        number=number,
        kind="drift",
        phone_number=number.phone_number,
        first_seen_at=later,
        last_seen_at=later,
    )

    report = compared(account)

    assert (report.counts["drift"], report.resolved) == (1, 0)


def test_ghosts_are_asked_for_a_few_at_a_time(organization, sandbox, monkeypatch):
    monkeypatch.setattr("numbers.inventory._CONFIRMED_AT_A_TIME", 1)
    for phone_number in ("+14155551234", "+14155551777"):
        sandbox.disown(bought(organization, "twilio", phone_number).phone_number)
    account = account_of(organization, "twilio")
    compared(account)
    minutes_pass()

    reports = compared(account), compared(account)

    assert [sum(bool(f.confirmed_at) for f in r.findings) for r in reports] == [1, 2]


# --- Whose findings they are ----------------------------------------------------------------------


def platform_account(settings, provider: str = "twilio") -> ProviderAccount:
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC" + "e" * 32, "platform-token"
    (account,) = accounts = [a for a in accounts_to_compare() if a.organization is None]
    assert accounts == [account]
    return account


def test_in_the_platforms_account_orphans_are_nobodys_and_the_rest_the_rows(
    organization, other_organization, sandbox, settings
):
    platform = platform_account(settings)
    organization.provider_accounts.update(is_active=False, is_default=False)
    other_organization.provider_accounts.all()._raw_delete("default")
    missing = bought(other_organization, "twilio")
    drifted = bought(other_organization, "twilio", "+14155551777")
    sandbox.disown(missing.phone_number)
    sandbox.alter(drifted.phone_number, voice_url="")
    own(sandbox, platform)

    compared(platform)

    found = {f.kind: f for f in Finding.objects.all()}
    assert {kind: f.organization for kind, f in found.items()} == {
        "orphan": None,
        "ghost": other_organization,
        "drift": other_organization,
    }
    assert Finding.objects.visible_to(organization).count() == 0
    assert Finding.objects.visible_to(other_organization).count() == 2


def test_two_organizations_that_share_an_account_do_not_see_each_others_numbers(
    organization, other_organization, sandbox
):
    """Nothing stops a person from entering one Twilio account for two organizations."""
    account = account_of(organization, "twilio")
    shared = account_of(other_organization, "twilio")
    ProviderAccount.objects.filter(pk=shared.pk).update(account_sid=account.account_sid)
    shared.refresh_from_db()
    bought(organization, "twilio")

    assert compared(account).findings == []
    report = compared(shared)

    assert (report.listed, report.matched, report.findings, report.orphans) == (1, 0, [], [])


def test_an_account_that_the_environment_no_longer_names_is_compared_while_it_has_numbers(
    organization, sandbox, settings
):
    platform = platform_account(settings)
    settings.TWILIO_ACCOUNT_SID = settings.TWILIO_AUTH_TOKEN = ""
    assert platform not in accounts_to_compare()

    PhoneNumber.objects.create(
        organization=organization,
        account=platform,
        provider="twilio",
        phone_number=ORPHAN,
        status="active",
    )

    assert platform in accounts_to_compare()


# --- What is never done ---------------------------------------------------------------------------


def rows_without_verdicts() -> list[dict]:
    rows = PhoneNumber.objects.order_by("pk").values()
    return [{k: v for k, v in row.items() if not k.startswith("webhook_")} for row in rows]


def test_a_comparison_changes_nothing_but_findings_and_verdicts(organization, sandbox):
    missing = bought(organization, "twilio")
    drifted = bought(organization, "twilio", "+14155551777")
    account = account_of(organization, "twilio")
    sandbox.disown(missing.phone_number)
    sandbox.alter(drifted.phone_number, voice_url="")
    own(sandbox, account)
    rows, there = rows_without_verdicts(), sandbox.owned()
    sandbox.clear_requests()

    for _ in range(3):
        compared(account)
        minutes_pass()

    assert rows_without_verdicts() == rows
    assert sandbox.owned() == there
    assert changes_sent(sandbox) == []
    assert Purchase.objects.count() == 2


def test_a_dry_run_writes_nothing_and_tells_the_same(organization, sandbox):
    account = account_of(organization, "twilio")
    own(sandbox, account)
    compared(account)
    minutes_pass()
    own(sandbox, account, "+14155552002")
    before = list(Finding.objects.values())

    report = compared(account, dry_run=True)

    assert [(f.phone_number, bool(f.confirmed_at)) for f in report.findings] == [
        (ORPHAN, True),
        ("+14155552002", False),
    ]
    assert list(Finding.objects.values()) == before
    assert AuditEvent.objects.filter(action="inventory.compared").count() == 1


@pytest.mark.django_db(transaction=True)
def test_comparisons_at_the_same_time_are_recorded_one_after_the_other(organization, sandbox):
    """The second waits for the first, and then sees that it comes too late."""
    account = account_of(organization, "twilio")
    own(sandbox, account)
    compared(account)
    Finding.objects.update(resolved_at=Now())
    waiting = threading.Event()

    def first():
        with transaction.atomic():
            row = Comparison.objects.select_for_update().get()
            waiting.set()
            time.sleep(0.3)
            row.began_at += timedelta(hours=1)
            row.save()

    def second():
        waiting.wait(5)
        return compared(account)

    _, report = in_threads(first, second)

    assert (report.findings, Finding.objects.open().count()) == ([], 0)


@pytest.mark.django_db(transaction=True)
def test_the_provider_is_asked_outside_of_any_transaction_and_recorded_in_one(
    organization, sandbox
):
    account = make_telnyx_account(organization, is_default=False, connection_id=CONNECTION)
    own(sandbox, account)

    assert compared(account).counts["orphan"] == 1
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a database transaction"):
        compare_account(account, actor=SYSTEM, dry_run=False)
