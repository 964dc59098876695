"""The verdict on a number: what the provider was last seen to have for it, field by field."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.errors import BurkiError, PermissionDenied
from burki.testing import CLOCK_SCALE, CONNECTION, PROFILE, SYSTEM, make_user
from numbers import tasks
from numbers.exceptions import InventoryConflict
from numbers.inventory import compare_account
from numbers.models import Finding, PhoneNumber, Purchase
from numbers.services.proof import Seen, keep_all, verify_number
from numbers.services.settling import database_now
from numbers.tests.inventories import (
    APPLICATION,
    ELSEWHERE,
    TRUNK,
    TWIML,
    WEBHOOK,
    account_of,
    bought,
    changes_sent,
    connection_is,
    own,
    profile_is,
)
from numbers.tests.money import buy, inside
from organizations.actors import Actor

BOTH = pytest.mark.parametrize("provider", ["twilio", "telnyx"])
LOOK = pytest.mark.parametrize("look", ["verify", "compare"])
READS = {"twilio": 1, "telnyx": 4}  # of one look; Telnyx has connection, profile and key

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("patience")]


def looked_at(number: PhoneNumber, look: str = "verify") -> PhoneNumber:
    if look == "verify":
        return verify_number(actor=SYSTEM, number=number)
    compare_account(number.account, actor=SYSTEM, dry_run=False)
    return PhoneNumber.objects.get(pk=number.pk)


def verdict_of(number: PhoneNumber) -> str:
    number.refresh_from_db()
    return number.webhook_verdict


def verify_jobs() -> list[ProcrastinateJob]:
    return list(
        ProcrastinateJob.objects.filter(task_name="numbers.tasks.verify_numbers").order_by("id")
    )


# --- Verified -------------------------------------------------------------------------------------


@BOTH
@LOOK
def test_a_number_that_is_set_as_it_should_be_is_verified(organization, sandbox, provider, look):
    number = bought(organization, provider)
    assert (number.webhook_verdict, number.webhook_checked_at) == ("", None)
    sandbox.clear_requests()

    number = looked_at(number, look)

    assert number.webhook_verdict == "verified"
    assert (number.webhook_differences, number.webhook_detail) == ({}, "")
    assert number.webhook_checked_at == number.webhook_verified_at is not None
    assert timezone.now() - number.webhook_checked_at < timedelta(seconds=30)
    assert number.webhook_base_url == "https://burki.test"
    assert changes_sent(sandbox) == []
    assert len(sandbox.requests()) == READS[provider]
    assert Finding.objects.count() == 0


# --- Drifted --------------------------------------------------------------------------------------


@LOOK
@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        ("voice_url", ELSEWHERE, TWIML),
        ("voice_url", "", TWIML),
        ("sms_url", ELSEWHERE, TWIML),
        ("status_callback", ELSEWHERE, "https://burki.test/twilio-status?purchase="),
        ("voice_method", "GET", "POST"),
        ("sms_method", "GET", "POST"),
        ("status_callback_method", "GET", "POST"),
        ("voice_application_sid", APPLICATION, ""),
        ("sms_application_sid", APPLICATION, ""),
        ("trunk_sid", TRUNK, ""),
    ],
)
def test_each_setting_of_a_twilio_number_is_compared(
    organization, sandbox, name, theirs, ours, look
):
    number = looked_at(bought(organization, "twilio"))
    sandbox.alter(number.phone_number, **{name: theirs})
    drifts(number, sandbox, look, name, theirs, ours)


@LOOK
@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        ("connection_id", "9999999999999999999", CONNECTION),
        ("messaging_profile_id", None, PROFILE),
    ],
)
def test_each_setting_of_a_telnyx_number_is_compared(
    organization, sandbox, name, theirs, ours, look
):
    number = looked_at(bought(organization, "telnyx"))
    sandbox.alter(number.phone_number, **{name: theirs})
    drifts(number, sandbox, look, name, theirs or "", ours)


@LOOK
@pytest.mark.parametrize(
    ("there", "name", "theirs", "ours"),
    [
        ({"webhook_event_url": ELSEWHERE}, "connection_webhook_url", ELSEWHERE, WEBHOOK),
        ({"webhook_event_url": ""}, "connection_webhook_url", "", WEBHOOK),
        ({"webhook_api_version": "1"}, "connection_api_version", "1", "2"),
        ({"active": False}, "connection_active", "no", "yes"),
    ],
)
def test_what_a_connection_reports_is_compared(
    organization, sandbox, there, name, theirs, ours, look
):
    number = looked_at(bought(organization, "telnyx"))
    connection_is(sandbox, **there)
    drifts(number, sandbox, look, name, theirs, ours)


@LOOK
@pytest.mark.parametrize(
    ("there", "name", "theirs", "ours"),
    [
        ({"webhook_url": ELSEWHERE}, "profile_webhook_url", ELSEWHERE, WEBHOOK),
        ({"webhook_api_version": "1"}, "profile_api_version", "1", "2"),
        ({"enabled": False}, "profile_active", "no", "yes"),
    ],
)
def test_what_a_messaging_profile_reports_is_compared(
    organization, sandbox, there, name, theirs, ours, look
):
    number = looked_at(bought(organization, "telnyx"))
    profile_is(sandbox, **there)
    drifts(number, sandbox, look, name, theirs, ours)


def drifts(number, sandbox, look: str, name: str, theirs: str, ours: str) -> None:
    """A look sees exactly this difference, tells it, and changes nothing at the provider."""
    verified = number.webhook_verified_at
    sandbox.clear_requests()

    number = looked_at(number, look)

    assert number.webhook_verdict == "drifted"
    assert set(number.webhook_differences) == {name}
    seen = number.webhook_differences[name]
    assert seen["theirs"] == theirs
    assert seen["ours"].startswith(ours) and bool(ours) == bool(seen["ours"])
    assert f"is {theirs or 'not set'}, not {ours or 'empty'}" in number.webhook_detail
    assert (number.webhook_verified_at, number.webhook_checked_at > verified) == (verified, True)
    assert changes_sent(sandbox) == []
    finding = Finding.objects.open().get()
    assert (finding.kind, finding.details) == ("drift", number.webhook_differences)


@LOOK
def test_a_connection_that_is_gone_reports_nowhere(organization, sandbox, look):
    number = bought(organization, "telnyx")
    gone = "1888888888888888888"
    PhoneNumber.objects.update(connection_id=gone)
    sandbox.alter(number.phone_number, connection_id=gone)
    number.refresh_from_db()

    number = looked_at(number, look)

    assert number.webhook_differences == {"connection_webhook_url": {"ours": WEBHOOK, "theirs": ""}}


def test_what_the_row_leaves_empty_is_the_providers_own_business(organization, sandbox):
    number = bought(organization, "twilio")
    PhoneNumber.objects.update(sms_url="")
    sandbox.alter(
        number.phone_number, sms_url=ELSEWHERE, sms_method="GET", sms_application_sid=APPLICATION
    )
    number.refresh_from_db()

    assert looked_at(number).webhook_verdict == "verified"


def test_an_address_that_we_did_not_choose_stays_what_should_be(organization, sandbox, settings):
    """Only our own addresses follow PUBLIC_BASE_URL; also one that looks like ours stays."""
    number = bought(organization, "twilio")
    chosen = {"voice_url": "https://desk.example/twiml", "sms_url": ELSEWHERE}
    PhoneNumber.objects.update(**chosen)
    sandbox.alter(number.phone_number, **chosen)
    number.refresh_from_db()

    assert looked_at(number).webhook_verdict == "verified"
    settings.PUBLIC_BASE_URL = "https://new.test"

    assert list(looked_at(number).webhook_differences) == ["status_callback"]


@BOTH
def test_a_look_that_finds_all_well_again_closes_the_finding(organization, sandbox, provider):
    number = bought(organization, provider)
    spoilt = {"twilio": "voice_url", "telnyx": "connection_id"}[provider]
    right = sandbox.owned()[0][spoilt]
    sandbox.alter(number.phone_number, **{spoilt: "9999999999999999999"})
    looked_at(number)
    looked_at(number)  # the same drift is one finding
    sandbox.alter(number.phone_number, **{spoilt: right})

    number = looked_at(number)

    assert (number.webhook_verdict, number.webhook_differences) == ("verified", {})
    finding = Finding.objects.get()
    assert (finding.kind, finding.resolution) == ("drift", "not_seen")


@LOOK
def test_another_number_under_the_same_digits_is_not_ours(organization, sandbox, look):
    number = bought(organization, "twilio")
    sandbox.disown(number.phone_number)
    again = own(sandbox, number.account, number.phone_number)

    number = looked_at(number, look)

    pair = {"ours": number.provider_number_id, "theirs": again["id"]}
    assert (number.webhook_verdict, number.webhook_differences) == ("drifted", {"number": pair})
    assert Finding.objects.filter(kind="drift").count() == 0  # comparisons call it a ghost


def test_a_password_in_their_address_is_not_kept(organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, voice_url="https://me:hunter2@elsewhere.test/")

    number = looked_at(number)

    assert number.webhook_differences["voice_url"]["theirs"] == "https://me:***@elsewhere.test/"
    assert "hunter2" not in number.webhook_detail


# --- Unreachable is not drift ---------------------------------------------------------------------


@BOTH
@LOOK
@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 401}, {"status": 429},
                                   {"action": "garbage"}, {"action": "drop"}])  # fmt: skip
def test_a_provider_that_does_not_tell_is_no_drift(organization, sandbox, provider, look, fault):
    number = looked_at(bought(organization, provider))
    verified = number.webhook_verified_at
    sandbox.alter(number.phone_number, voice_url="", connection_id="")
    sandbox.add_fault(method="GET", times=None, **fault)

    number = looked_at(number, look)

    assert (number.webhook_verdict, number.webhook_differences) == ("unreachable", {})
    assert number.webhook_detail != ""
    assert (number.webhook_verified_at, number.webhook_base_url) == (verified, "https://burki.test")
    assert number.webhook_checked_at > verified
    assert Finding.objects.count() == 0


@LOOK
@pytest.mark.parametrize("part", ["/phone_numbers", "/call_control_app", "/messaging_profiles"])
def test_each_part_of_telnyxs_answer_is_needed(organization, sandbox, part, look):
    number = bought(organization, "telnyx")
    sandbox.add_fault(method="GET", path=part, status=503)

    assert looked_at(number, look).webhook_verdict == "unreachable"


def test_telnyx_is_asked_for_the_profile_rather_than_for_an_answer_without_it(
    organization, sandbox
):
    number = bought(organization, "telnyx")
    sandbox.clear_requests()

    looked_at(number)

    assert "handle_messaging_profile_error" not in str(sandbox.requests()[0].query)


def test_an_account_that_cannot_be_used_is_no_drift(organization, sandbox):
    number = bought(organization, "twilio")
    organization.provider_accounts.update(is_active=False)
    number = PhoneNumber.objects.get(pk=number.pk)
    sandbox.clear_requests()

    number = looked_at(number)

    assert number.webhook_verdict == "unreachable"
    assert "is disabled: enable it." in number.webhook_detail
    assert sandbox.requests() == []


@BOTH
@LOOK
def test_a_new_number_that_is_not_listed_yet_is_no_drift(
    organization, sandbox, settings, provider, look
):
    settings.SETTLE_CLOCK_SCALE = 1
    number = bought(organization, provider)
    sandbox.alter(number.phone_number, visible=False)

    assert looked_at(number, look).webhook_verdict == "unreachable"

    settings.SETTLE_CLOCK_SCALE = 0.000001  # as if ten minutes had passed
    number = looked_at(number, look)
    assert number.webhook_verdict == "drifted"
    ours = number.provider_number_id
    assert number.webhook_differences == {"number": {"ours": ours, "theirs": ""}}


# --- What the customer chose ----------------------------------------------------------------------


@LOOK
def test_what_the_customer_chose_is_what_should_be(client, organization, sandbox, look):
    for provider in ("twilio", "telnyx"):
        number = bought(organization, provider)
        body = {"phone_number": str(number), "voice_webhook_url": ELSEWHERE, "disable_sms": True}
        assert client.put("/phone-numbers/webhooks", body, format="json").status_code == 200
        number.refresh_from_db()

        number = looked_at(number, look)

        assert number.webhook_verdict == "verified", number.webhook_detail


@LOOK
def test_messages_that_the_customer_switched_off_stay_off(client, organization, sandbox, look):
    number = bought(organization, "telnyx")
    body = {"phone_number": str(number), "disable_sms": True}
    assert client.put("/phone-numbers/webhooks", body, format="json").status_code == 200
    sandbox.alter(number.phone_number, messaging_profile_id=PROFILE)
    number.refresh_from_db()

    number = looked_at(number, look)

    pair = {"ours": "", "theirs": PROFILE}
    assert number.webhook_differences == {"messaging_profile_id": pair}


# --- Who may, and when ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["pending", "releasing", "released"])
def test_a_number_that_is_not_active_is_not_looked_at(organization, sandbox, status):
    number = bought(organization, "twilio")
    PhoneNumber.objects.update(status=status)
    number.refresh_from_db()
    sandbox.clear_requests()

    with pytest.raises(InventoryConflict, match="is not active"):
        verify_number(actor=SYSTEM, number=number)
    compare_account(number.account, actor=SYSTEM, dry_run=False)

    assert verdict_of(number) == ""
    assert [r.path for r in sandbox.requests() if number.provider_number_id in r.path] == []


def test_verifying_needs_the_right_to_write_numbers(organization, other_organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.clear_requests()

    for somebody in (make_user(organization, "viewer"), make_user(other_organization, "owner")):
        with pytest.raises(PermissionDenied):
            verify_number(actor=Actor.for_user(somebody), number=number)

    assert (verdict_of(number), sandbox.requests()) == ("", [])


def test_a_dry_run_writes_no_verdict(organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, voice_url="")

    report = compare_account(number.account, actor=SYSTEM, dry_run=True)
    assert [finding.kind for finding in report.findings] == ["drift"]
    sandbox.add_fault(method="GET", status=500)
    compare_account(number.account, actor=SYSTEM, dry_run=True)

    assert verdict_of(number) == ""


# --- Races ----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "change",
    [
        {"status": "releasing"},
        {"voice_url": ELSEWHERE},
        {"connection_id": "1"},
        {"voice_webhook_url": "https://a.test/"},
    ],
)
@LOOK
def test_a_row_that_changed_during_the_look_is_not_judged(
    organization, sandbox, monkeypatch, change, look
):
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, sms_url="")
    rows = PhoneNumber.objects.filter(pk=number.pk)
    done = inside(monkeypatch, sandbox, lambda: rows.update(**change), method="GET")

    if look == "compare" or "status" not in change:
        looked_at(number, look)
    else:
        with pytest.raises(InventoryConflict, match="no longer active"):
            looked_at(number)

    assert done == [1]
    assert verdict_of(number) == ""
    assert Finding.objects.count() == 0


def test_an_older_look_does_not_overwrite_a_newer_one(organization, sandbox):
    number = bought(organization, "twilio")
    began = database_now()
    number = looked_at(number)
    late = Seen(number=number, differences={"voice_url": {"ours": TWIML, "theirs": ""}})

    assert keep_all([late], at=began) == 0
    assert verdict_of(number) == "verified"
    assert keep_all([late], at=database_now()) == 1
    assert verdict_of(number) == "drifted"


# --- After a change -------------------------------------------------------------------------------


@BOTH
def test_a_purchase_leaves_a_job_that_verifies_the_number(organization, sandbox, provider):
    began = timezone.now()
    number = bought(organization, provider)

    (job,) = verify_jobs()
    assert job.args == {"phone_number_ids": [number.pk], "tries": 0}
    assert (job.queue_name, job.scheduled_at > began) == ("default", True)
    tasks.verify_numbers(**job.args)

    assert verdict_of(number) == "verified"
    assert len(verify_jobs()) == 1


def test_a_pending_order_is_verified_once_it_is_complete(organization, sandbox):
    sandbox.add_fault(method="GET", path="/number_orders", status=500, times=None)
    purchase = buy(organization, "telnyx").purchase
    assert (purchase.state, verify_jobs()) == ("pending", [])

    sandbox.clear_faults()
    tasks.settle_purchase(purchase_id=str(purchase.pk))

    purchase.refresh_from_db()
    assert purchase.state == "completed"
    assert [job.args["phone_number_ids"] for job in verify_jobs()] == [[purchase.number_id]]


@pytest.mark.parametrize("digits", ["0001", "0014"])
def test_what_was_not_bought_or_is_in_doubt_is_not_verified(
    organization, sandbox, settings, digits
):
    settings.CLOCK_SCALE = CLOCK_SCALE
    with pytest.raises(BurkiError):
        buy(organization, "twilio", f"+1415555{digits}")

    assert Purchase.objects.get().state == {"0001": "refused", "0014": "uncertain"}[digits]
    assert verify_jobs() == []


@pytest.mark.django_db(transaction=True)
@BOTH
def test_the_job_costs_a_purchase_one_statement_and_no_commit(
    organization, sandbox, monkeypatch, provider
):
    statements = []
    for number in ("+14155551235", "+14155551236"):
        bought(organization, provider, number)  # warm
        with CaptureQueriesContext(connection) as captured:
            bought(organization, provider, f"{number[:-1]}9" if statements else f"{number[:-1]}8")
        statements.append([query["sql"] for query in captured])
        monkeypatch.setattr("numbers.jobs.verify_numbers_later", lambda *a, **k: None)
    with_job, without = statements

    assert len(with_job) == len(without) + 1
    commits = {"twilio": 2, "telnyx": 3}[provider]  # claim and record; Telnyx's search, its offer
    assert with_job.count("COMMIT") == without.count("COMMIT") == commits
    deferred = [sql for sql in with_job if "numbers.tasks.verify_numbers" in sql]
    assert len(deferred) == 1


def test_the_job_looks_again_while_the_provider_does_not_show_it(organization, sandbox):
    number = bought(organization, "twilio")
    ProcrastinateJob.objects.all().delete()
    sandbox.alter(number.phone_number, voice_url="")

    for tries in range(3):
        tasks.verify_numbers(phone_number_ids=[number.pk], tries=tries)

    assert verdict_of(number) == "drifted"
    assert [job.args["tries"] for job in verify_jobs()] == [1, 2]
    waits = [job.scheduled_at for job in verify_jobs()]
    assert waits[1] > waits[0]


def test_a_job_looks_again_only_at_those_that_are_not_as_they_should_be(organization, sandbox):
    numbers = [bought(organization, "twilio"), bought(organization, "twilio", "+14155551777")]
    ProcrastinateJob.objects.all().delete()
    sandbox.alter(numbers[1].phone_number, voice_url="")

    tasks.verify_numbers(phone_number_ids=[number.pk for number in numbers], tries=0)

    (again,) = verify_jobs()
    assert again.args == {"phone_number_ids": [numbers[1].pk], "tries": 1}


def test_every_change_of_a_number_is_followed_by_a_look(client, organization, assistant, sandbox):
    numbers = [bought(organization, "telnyx"), bought(organization, "twilio")]
    first, second = numbers
    assistant.sms_webhook_url = "https://desk.example/sms"
    assistant.save()
    base = f"/api/v1/assistants/{assistant.pk}"
    changes = [
        ("post", f"{base}/phone-numbers/{first.pk}/assign", {}, [first.pk]),
        ("post", f"{base}/phone-numbers/{first.pk}/unassign", {}, [first.pk]),
        ("post", f"{base}/phone-numbers/bulk-assign",
         [n.pk for n in numbers], [n.pk for n in numbers]),
        ("put", "/phone-numbers/webhooks",
         {"phone_number": str(second), "voice_webhook_url": ELSEWHERE}, [second.pk]),
        ("put", "/phone-numbers/webhooks",
         {"phone_number": str(first), "disable_sms": True}, [first.pk]),
        ("put", "/phone-numbers/webhooks",
         {"phone_number": str(first), "voice_webhook_url": ELSEWHERE}, [first.pk]),
    ]  # fmt: skip
    for method, path, body, changed in changes:
        ProcrastinateJob.objects.all().delete()

        response = getattr(client, method)(path, body, format="json")

        assert response.status_code == 200, response.content
        assert [job.args for job in verify_jobs()] == [{"phone_number_ids": changed, "tries": 0}]
        tasks.verify_numbers(**verify_jobs()[0].args)
        assert {verdict_of(number) for number in numbers} <= {"verified", ""}
    assert {verdict_of(number) for number in numbers} == {"verified"}


def test_the_job_leaves_a_number_alone_that_is_gone(organization, sandbox):
    number = bought(organization, "twilio")
    PhoneNumber.objects.update(status="released")
    ProcrastinateJob.objects.all().delete()
    sandbox.clear_requests()

    tasks.verify_numbers(phone_number_ids=[number.pk, 0], tries=0)

    assert (sandbox.requests(), verify_jobs()) == ([], [])


# --- All numbers, gently --------------------------------------------------------------------------


@pytest.mark.parametrize(("provider", "reads"), [("twilio", 1), ("telnyx", 6)])
def test_all_numbers_of_an_account_are_proven_with_a_request_for_each_page(
    organization, sandbox, provider, reads
):
    """Telnyx lists a hundred at a time, its connections and profiles; and its key is asked once."""
    first = bought(organization, provider)
    account = account_of(organization, provider)
    routing = {n: getattr(first, n) for n in ("voice_url", "sms_url", "status_callback",
                                              "connection_id", "messaging_profile_id")}  # fmt: skip
    rows = [
        PhoneNumber(
            organization=organization, account=account, provider=provider, status="active",
            phone_number=f"+1415666{n:04}", friendly_name="x",
            provider_number_id=f"PN{n:032}" if provider == "twilio" else f"{7 * 10**18 + n}",
            **routing,
        )
        for n in range(249)
    ]  # fmt: skip
    PhoneNumber.objects.bulk_create(rows)
    for row in rows:
        own(sandbox, account, row.phone_number, id=row.provider_number_id,
            **{k: v for k, v in routing.items() if v})  # fmt: skip
    sandbox.alter(rows[7].phone_number, voice_url="", connection_id="")
    sandbox.clear_requests()

    with CaptureQueriesContext(connection) as captured:
        compare_account(account, actor=SYSTEM, dry_run=False)

    assert len(sandbox.requests()) == reads
    verdicts = PhoneNumber.objects.values_list("webhook_verdict", flat=True)
    assert sorted(set(verdicts)) == ["drifted", "verified"]
    assert [row.pk for row in PhoneNumber.objects.filter(webhook_verdict="drifted")] == [rows[7].pk]
    written = [q["sql"] for q in captured if q["sql"].startswith('UPDATE "numbers_phonenumber"')]
    assert len(written) == 2  # all that agree, and those that do not


def test_accounts_take_their_turns_over_the_hour_the_oldest_first(
    organization, other_organization, sandbox, settings
):
    settings.SETTLE_CLOCK_SCALE = 1
    order = [
        account_of(organization, "telnyx"),
        account_of(other_organization, "twilio"),
        account_of(other_organization, "telnyx"),
        account_of(organization, "twilio"),
    ]
    for account in order[2:]:
        compare_account(account, actor=SYSTEM, dry_run=False)
    began = timezone.now()

    tasks.compare_inventories(0)

    jobs = ProcrastinateJob.objects.filter(task_name="numbers.tasks.compare_account")
    jobs = list(jobs.order_by("scheduled_at"))
    asked = [job.args["account_id"] for job in jobs]
    never = sorted(account.pk for account in order[:2])
    assert asked == [*never, *(account.pk for account in order[2:])]
    waits = [round((job.scheduled_at - began).total_seconds()) for job in jobs]
    assert waits == [0, 750, 1500, 2250]


# --- When the customer moves ----------------------------------------------------------------------


@BOTH
@LOOK
def test_a_changed_public_address_is_drift_everywhere(
    organization, sandbox, settings, provider, look
):
    number = looked_at(bought(organization, provider))
    settings.PUBLIC_BASE_URL = "https://new.test"

    number = looked_at(number, look)

    assert number.webhook_verdict == "drifted"
    wanted = {
        "twilio": {"voice_url": "/twiml", "sms_url": "/twiml",
                   "status_callback": number.status_callback.removeprefix("https://burki.test")},
        "telnyx": {"connection_webhook_url": "/telnyx-webhook",
                   "profile_webhook_url": "/telnyx-webhook"},
    }[provider]  # fmt: skip
    assert number.webhook_differences == {
        name: {"ours": f"https://new.test{path}", "theirs": f"https://burki.test{path}"}
        for name, path in wanted.items()
    }
