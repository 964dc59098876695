"""Comparing what a provider account has with our rows: what is found, and what is not."""

import time
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from burki.testing import in_threads
from numbers.models import Finding, PhoneNumber
from numbers.tests.inventories import LISTS, ORPHAN, account_of, bought, changes_sent, compared, own
from organizations.models import AuditEvent

BOTH = pytest.mark.parametrize("provider", ["twilio", "telnyx"])

pytestmark = pytest.mark.django_db


@BOTH
def test_an_account_that_agrees_has_no_findings(organization, sandbox, provider):
    bought(organization, provider)

    report = compared(account_of(organization, provider))

    assert (report.listed, report.matched, report.findings) == (1, 1, [])
    assert Finding.objects.count() == 0
    assert AuditEvent.objects.filter(action="inventory.compared").count() == 0


@BOTH
def test_a_number_that_only_the_provider_knows_is_an_orphan(organization, sandbox, provider):
    account = account_of(organization, provider)
    there = own(sandbox, account)

    report = compared(account)

    (finding,) = Finding.objects.all()
    assert report.counts == {"orphan": 1, "ghost": 0, "drift": 0}
    assert (finding.kind, finding.phone_number, finding.number) == ("orphan", ORPHAN, None)
    assert (finding.organization, finding.account) == (organization, account)
    assert finding.details["number_id"] == there["id"]
    assert (finding.confirmed_at, finding.resolved_at) == (None, None)
    event = AuditEvent.objects.get(action="inventory.compared")
    assert event.data == {"listed": 1, "new": 1, "confirmed": 0, "resolved": 0}
    assert (event.organization, event.actor_label) == (organization, "test")


@pytest.mark.parametrize("status", ["claimed", "pending", "active", "releasing"])
def test_a_number_with_any_live_row_of_anybody_is_no_orphan(
    organization, other_organization, sandbox, status
):
    account = account_of(organization, "twilio")
    own(sandbox, account)
    row = PhoneNumber.objects.create(
        organization=other_organization,
        account=account_of(other_organization, "twilio"),
        provider="twilio",
        phone_number=ORPHAN,
        status=status,
    )

    assert compared(account).counts == {"orphan": 0, "ghost": 0, "drift": 0}
    PhoneNumber.objects.filter(pk=row.pk).update(status="released")
    assert compared(account).counts == {"orphan": 1, "ghost": 0, "drift": 0}


def test_a_number_that_was_released_a_moment_ago_is_no_orphan(organization, sandbox):
    """Lists lag behind: adopting it would bring back what somebody has just given up."""
    number = bought(organization, "twilio")
    rows = PhoneNumber.objects.filter(pk=number.pk)

    rows.update(status="released", released_at=Now() - timedelta(seconds=0.5))
    assert compared(account_of(organization, "twilio")).findings == []
    rows.update(released_at=Now() - timedelta(seconds=3))  # "ten minutes" are 2.4 s in tests
    assert compared(account_of(organization, "twilio")).counts["orphan"] == 1


def test_a_number_that_telnyx_does_not_have_yet_is_no_orphan(organization, sandbox):
    account = account_of(organization, "telnyx")
    own(sandbox, account, status="purchase-pending")

    report = compared(account)

    assert (report.listed, report.findings) == (1, [])


@BOTH
def test_an_active_row_that_the_provider_does_not_list_is_a_ghost(organization, sandbox, provider):
    number = bought(organization, provider)
    sandbox.disown(number.phone_number)

    report = compared(account_of(organization, provider))

    (finding,) = report.findings
    assert (finding.kind, finding.number, finding.confirmed_at) == ("ghost", number, None)
    assert finding.details == {"number_id": number.provider_number_id}
    number.refresh_from_db()
    assert number.status == "active"


@pytest.mark.parametrize("status", ["claimed", "pending", "releasing", "released"])
def test_only_active_rows_can_be_ghosts(organization, sandbox, status):
    number = bought(organization, "twilio")
    sandbox.disown(number.phone_number)
    PhoneNumber.objects.filter(pk=number.pk).update(status=status)

    assert compared(account_of(organization, "twilio")).findings == []


def test_a_number_that_was_given_back_and_taken_again_outside_is_a_ghost(organization, sandbox):
    number = bought(organization, "twilio")
    account = account_of(organization, "twilio")
    sandbox.disown(number.phone_number)
    again = own(sandbox, account, number.phone_number)

    (finding,) = compared(account).findings

    assert finding.kind == "ghost"
    assert finding.details == {
        "number_id": number.provider_number_id,
        "there_is_now": again["id"],
    }


@pytest.mark.django_db(transaction=True)
def test_what_changes_here_while_the_list_is_read_is_not_judged(organization, sandbox):
    account = account_of(organization, "twilio")
    given_back = bought(organization, "twilio")
    drifted = bought(organization, "twilio", "+14155551777")
    sandbox.alter(drifted.phone_number, voice_url="https://other.test/")
    late = {"account": account, "provider": "twilio", "phone_number": "+14155551888"}
    sandbox.clear_requests()
    sandbox.add_fault(method="GET", path=LISTS["twilio"], delay=5)

    def meanwhile():
        while not sandbox.requests(path_contains=LISTS["twilio"]):
            time.sleep(0.002)
        rows = PhoneNumber.objects
        rows.filter(pk=given_back.pk).update(status="released", released_at=Now())
        rows.filter(pk=drifted.pk).update(voice_url="https://other.test/")
        rows.create(organization=organization, status="active", **late)

    first, _ = in_threads(lambda: compared(account), meanwhile)
    second = compared(account)

    # The number given back was still listed, the new one not yet.
    assert first.findings == []
    assert [(f.kind, f.phone_number) for f in second.findings] == [("ghost", "+14155551888")]


@pytest.mark.parametrize(
    ("provider", "setting", "value"),
    [
        ("twilio", "voice_url", "https://other.test/voice"),
        ("twilio", "sms_url", ""),
        ("twilio", "status_callback", "https://other.test/status"),
        ("twilio", "voice_application_sid", "AP" + "1" * 32),
        ("twilio", "trunk_sid", "TK" + "1" * 32),
        ("twilio", "sms_application_sid", "AP" + "1" * 32),
        ("twilio", "voice_method", "GET"),
        ("telnyx", "connection_id", "9999999999999999999"),
        ("telnyx", "messaging_profile_id", None),
    ],
)
def test_what_is_set_otherwise_there_is_drift(organization, sandbox, provider, setting, value):
    number = bought(organization, provider)
    sandbox.alter(number.phone_number, **{setting: value})
    sandbox.clear_requests()

    (finding,) = compared(account_of(organization, provider)).findings

    assert (finding.kind, finding.number) == ("drift", number)
    assert list(finding.details) == [setting]
    assert finding.details[setting]["theirs"] == (value or "")
    assert changes_sent(sandbox) == []


def test_what_we_never_set_is_no_drift(organization, sandbox):
    number = bought(organization, "twilio", "+14155550040")  # voice only: no SMS address is set
    sandbox.alter(
        number.phone_number, sms_application_sid="AP" + "1" * 32, sms_url="https://other.test/"
    )

    assert compared(account_of(organization, "twilio")).findings == []


def test_a_password_in_somebody_elses_address_is_not_kept(organization, sandbox):
    account = account_of(organization, "twilio")
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, voice_url="https://me:hunter2@other.test/?a=b")
    own(sandbox, account, sms_url="https://me:hunter2@other.test/")

    orphan, drift = compared(account).findings

    assert drift.details["voice_url"]["theirs"] == "https://me:***@other.test/?a=b"
    assert orphan.details["settings"] == {"sms_url": "https://me:***@other.test/"}
