"""The doors of the inventory: the sync endpoint, the command, the hourly task."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.errors import PermissionDenied
from burki.testing import NOWHERE, make_client, make_organization, make_user, post
from numbers import tasks
from numbers.inventory import accounts_to_compare, sync_organization
from numbers.models import Finding, PhoneNumber
from numbers.providers import http as provider_http
from numbers.tests.inventories import (
    LISTS,
    ORPHAN,
    account_of,
    bought,
    changes_sent,
    compared,
    minutes_pass,
    own,
)
from organizations.actors import Actor
from organizations.models import AuditEvent, Organization, ProviderAccount

SYNC = "/api/v1/assistants/organization/phone-numbers/sync"

pytestmark = pytest.mark.django_db


def own_three(sandbox, organization: Organization) -> None:
    """One number at Twilio and two at Telnyx that we do not know."""
    own(sandbox, account_of(organization, "twilio"), ORPHAN)
    own(sandbox, account_of(organization, "telnyx"), "+14155552002")
    own(sandbox, account_of(organization, "telnyx"), "+14155552003")


# --- The endpoint ---------------------------------------------------------------------------------


def test_syncing_adopts_what_the_organizations_own_accounts_have(client, organization, sandbox):
    own_three(sandbox, organization)

    response = client.post(SYNC)

    assert (response.status_code, response.json()) == (
        200,
        {
            "success": True,
            "message": "Successfully synced 3 phone numbers: Twilio: 1, Telnyx: 2",
            "synced_count": 3,
            "adopted_count": 3,
            # They are ours now, and do not ring here yet.
            "findings": {"orphan": 0, "ghost": 0, "drift": 3},
        },
    )
    rows = PhoneNumber.objects.order_by("phone_number")
    assert [(n.phone_number, n.organization, n.status) for n in rows] == [
        (number, organization, "active") for number in (ORPHAN, "+14155552002", "+14155552003")
    ]
    assert changes_sent(sandbox) == []
    event = AuditEvent.objects.filter(action="number.adopted").first()
    assert event.actor_kind == "api_key"


def test_syncing_again_counts_the_same_numbers_and_adopts_none(client, organization, sandbox):
    bought(organization, "twilio")
    own_three(sandbox, organization)
    client.post(SYNC)

    again = post(client, SYNC, {})

    assert again.json()["message"] == "Successfully synced 4 phone numbers: Twilio: 2, Telnyx: 2"
    assert (again.json()["synced_count"], again.json()["adopted_count"]) == (4, 0)
    assert PhoneNumber.objects.count() == 4


def test_syncing_an_empty_account_is_no_failure(client, sandbox):
    response = client.post(SYNC)

    assert response.status_code == 200
    assert response.json()["message"] == "Successfully synced 0 phone numbers: Twilio: 0, Telnyx: 0"


def test_syncing_records_ghosts_and_leaves_them_alone(client, organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.disown(number.phone_number)

    response = client.post(SYNC)

    assert response.json()["findings"] == {"orphan": 0, "ghost": 1, "drift": 0}
    assert response.json()["synced_count"] == 0
    number.refresh_from_db()
    assert number.status == "active"


def test_syncing_never_touches_the_platforms_account(sandbox, settings):
    organization = make_organization("Bare", accounts=False)
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC" + "e" * 32, "platform-token"
    (platform,) = accounts_to_compare()
    own(sandbox, platform)

    response = make_client(organization).post(SYNC)

    assert (response.status_code, response.json()) == (
        500,
        {
            "detail": "Provider credentials not configured for this organization",
            "code": "not_configured",
            "hint": "Enter Twilio or Telnyx credentials for the organization.",
            "retryable": False,
            "provider_code": None,
        },
    )
    assert sandbox.requests() == []
    assert PhoneNumber.objects.count() == 0


def test_a_number_of_another_organization_is_neither_adopted_nor_counted(
    client, organization, other_organization, sandbox
):
    shared = account_of(other_organization, "twilio")
    ProviderAccount.objects.filter(pk=shared.pk).update(
        account_sid=account_of(organization, "twilio").account_sid
    )
    number = bought(other_organization, "twilio")

    response = client.post(SYNC)

    assert response.json()["synced_count"] == 0
    assert response.json()["findings"] == {"orphan": 0, "ghost": 0, "drift": 0}
    assert PhoneNumber.objects.get() == number


def test_one_provider_that_fails_does_not_hide_the_other(client, organization, sandbox):
    own_three(sandbox, organization)
    sandbox.add_fault(method="GET", path=LISTS["telnyx"], status=401)

    response = client.post(SYNC)

    body = response.json()
    assert response.status_code == 200
    assert body["message"] == "Successfully synced 1 phone numbers: Twilio: 1"
    assert body["failures"]["telnyx"]["code"] == "invalid_credentials"
    assert PhoneNumber.objects.count() == 1


def test_when_every_provider_fails_nothing_is_synced(client, organization, sandbox, settings):
    own_three(sandbox, organization)
    settings.TWILIO_API_BASE_URL, settings.TELNYX_API_BASE_URL = NOWHERE, f"{NOWHERE}/v2"
    provider_http._sessions.clear()

    response = client.post(SYNC)

    assert response.status_code == 500
    assert response.json()["detail"] == "Failed to sync phone numbers from twilio and telnyx"
    assert response.json()["code"] == "provider_unreachable"
    assert (PhoneNumber.objects.count(), Finding.objects.count()) == (0, 0)


def test_what_is_no_telephone_number_is_left_where_it_is(client, organization, sandbox):
    own(sandbox, account_of(organization, "telnyx"), ORPHAN)
    account = account_of(organization, "telnyx")
    body = {
        "data": [{"id": "1", "phone_number": "12345", "status": "active"}],
        "meta": {"total_pages": 1},
    }
    sandbox.add_fault(method="GET", path=LISTS["telnyx"], body=body)

    response = client.post(SYNC)

    assert response.json()["findings"] == {"orphan": 1, "ghost": 0, "drift": 0}
    assert Finding.objects.get(account=account).phone_number == "12345"
    assert PhoneNumber.objects.count() == 0


def test_syncing_needs_the_right_to_write_numbers(organization, sandbox, anonymous):
    reader = make_client(organization, ["numbers:read", "numbers:purchase"])

    refused = reader.post(SYNC)

    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert refused.json()["detail"] == "This API key lacks the scope 'numbers:write'."
    assert anonymous.post(SYNC).status_code == 401
    viewer = Actor.for_user(make_user(organization, "viewer"))
    with pytest.raises(PermissionDenied):
        sync_organization(actor=viewer, organization=organization)
    assert make_client(organization, ["numbers:write"]).post(SYNC).status_code == 200


def test_the_endpoint_is_served_at_its_one_address(client, sandbox):
    assert client.get(SYNC).status_code == 405
    for elsewhere in (
        "/assistants/organization/phone-numbers/sync",
        "/api/v1/api/v1/assistants/organization/phone-numbers/sync",
        f"{SYNC}/",
    ):
        assert client.post(elsewhere).status_code == 404


# --- The command ----------------------------------------------------------------------------------


def reconcile_numbers(*arguments: str) -> tuple[list[str], list[str], bool]:
    """Lines of output, lines of errors, and whether it failed."""
    out, err, failed = StringIO(), StringIO(), False
    try:
        call_command("reconcile_numbers", *arguments, stdout=out, stderr=err)
    except CommandError:
        failed = True
    return out.getvalue().splitlines(), err.getvalue().splitlines(), failed


def test_the_command_prints_a_line_for_each_account_and_each_finding(organization, sandbox):
    twilio, telnyx = account_of(organization, "twilio"), account_of(organization, "telnyx")
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, voice_url="")
    own(sandbox, telnyx)
    compared(telnyx)
    minutes_pass()

    out, err, failed = reconcile_numbers()

    since = f"since {Finding.objects.get(kind='orphan').first_seen_at:%Y-%m-%d %H:%M} UTC"
    now = f"since {Finding.objects.get(kind='drift').first_seen_at:%Y-%m-%d %H:%M} UTC"
    assert (err, failed) == ([], False)
    assert out == [
        f"{twilio} of Acme: listed 1, orphan 0, ghost 0, drift 1, resolved 0",
        f"  drift {number.phone_number} voice_url, {now}",
        f"{telnyx} of Acme: listed 1, orphan 1, ghost 0, drift 0, resolved 0",
        f"  orphan {ORPHAN} confirmed, {since}",
    ]


def test_an_account_that_fails_is_told_and_does_not_stop_the_others(
    organization, other_organization, sandbox
):
    own(sandbox, account_of(other_organization, "twilio"))
    sandbox.add_fault(method="GET", path=LISTS["twilio"], status=401)
    ProviderAccount.objects.filter(
        pk=account_of(organization, "telnyx").pk
    ).update(encrypted_credentials="x")  # fmt: skip

    out, err, failed = reconcile_numbers()

    assert failed
    assert [line.split(": ")[0].partition(" of ")[2] for line in err] == ["Acme", "Acme"]
    assert "(invalid_credentials)" in err[0]
    assert len(out) == 3
    assert Finding.objects.get().organization == other_organization


def test_a_dry_run_of_the_command_writes_nothing(organization, sandbox):
    own(sandbox, account_of(organization, "twilio"))

    out, _, failed = reconcile_numbers("--dry-run")

    assert f"  orphan {ORPHAN} not confirmed yet" in out[1]
    assert (failed, Finding.objects.count()) == (False, 0)


def test_the_command_can_be_kept_to_one_organization(organization, other_organization, sandbox):
    out, _, failed = reconcile_numbers("--organization", "globex")

    assert (len(out), failed) == (2, False)
    assert all(" of Globex: " in line for line in out)
    _, _, failed = reconcile_numbers("--organization", "nobody")
    assert failed


# --- The task -------------------------------------------------------------------------------------


def test_every_hour_each_account_gets_a_job_of_its_own_and_never_two(
    organization, other_organization
):
    disabled = account_of(other_organization, "telnyx")
    ProviderAccount.objects.filter(pk=disabled.pk).update(is_active=False)
    with transaction.atomic():
        tasks.compare_inventories(0)
        tasks.compare_inventories(0)

    jobs = ProcrastinateJob.objects.filter(task_name="numbers.tasks.compare_account")
    assert sorted(job.args["account_id"] for job in jobs) == sorted(
        account.pk for account in ProviderAccount.objects.exclude(pk=disabled.pk)
    )
    assert {(job.queue_name, job.queueing_lock.split(":")[0]) for job in jobs} == {
        ("default", "compare_account")
    }


def test_the_job_compares_its_account_and_survives_a_failure(organization, sandbox):
    account = account_of(organization, "twilio")
    own(sandbox, account)
    sandbox.add_fault(method="GET", path=LISTS["twilio"], status=500)

    tasks.compare_account(account_id=account.pk)
    assert Finding.objects.count() == 0
    tasks.compare_account(account_id=account.pk)

    assert Finding.objects.get().account == account
    assert AuditEvent.objects.get(action="inventory.compared").actor_label == "compare"
