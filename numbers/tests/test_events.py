"""What happens to numbers, purchases and money is told to customers' systems: exactly once, in the
transaction of its cause, and at no cost to those who do not listen."""

from copy import copy
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.errors import BurkiError
from burki.testing import SYSTEM, make_client, make_user, post
from numbers.exceptions import LostRace
from numbers.models import Finding, PhoneNumber, Purchase
from numbers.services import findings, recording
from numbers.services.checking import check_account
from numbers.services.repairing import repair_number
from numbers.services.spool import Observation, Spool
from numbers.tests.inbound import owned
from numbers.tests.money import buy, settle
from organizations.credentials import change_account
from organizations.models import Event, Organization
from organizations.tests.customers import listen, work_off

pytestmark = pytest.mark.django_db
API = "https://burki.test/api/v1"
# Nobody asks it: nothing is delivered here.
HOOK = "https://hooks.example.com/burki"
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])


def told(*types: str) -> list[dict]:
    events = Event.objects.filter(type__in=types) if types else Event.objects.all()
    return [event.data for event in events.order_by("pk")]


def types() -> list[str]:
    return list(Event.objects.order_by("created_at").values_list("type", flat=True))


def facts(purchase: Purchase, **over) -> dict:
    return {
        "purchase_id": str(purchase.pk),
        "state": purchase.state,
        "provider": purchase.provider,
        "phone_number": purchase.phone_number,
        "number_id": purchase.number_id,
        "assistant_id": None,
        "charged": True,
        "monthly_cost": {"twilio": None, "telnyx": "1.00"}[purchase.provider],  # not searched for
        "setup_cost": {"twilio": None, "telnyx": "0.00"}[purchase.provider],
        "currency": {"twilio": None, "telnyx": "USD"}[purchase.provider],
        "code": None,
        "retryable": None,
        "hint": None,
    } | over


# --- Purchases ------------------------------------------------------------------------------------


@both
def test_a_bought_number_is_told_once(provider, organization, assistant, sandbox):
    listen(organization, HOOK)

    bought = buy(organization, provider, assistant_id=assistant.pk).purchase

    assert types() == ["purchase.completed"]
    assert told() == [facts(bought, assistant_id=assistant.pk)]
    assert Event.objects.get().url == f"{API}/phone-numbers/purchases/{bought.pk}"
    spread = ProcrastinateJob.objects.filter(task_name="organizations.tasks.spread_events")
    assert spread.count() == 1


def test_one_that_is_refused_is_told_with_the_reason(organization, sandbox):
    listen(organization, HOOK)

    with pytest.raises(BurkiError):
        buy(organization, "twilio", "+14155550001")

    purchase = Purchase.objects.get()
    assert types() == ["purchase.refused"]
    assert told() == [
        facts(
            purchase,
            number_id=None,
            charged=False,
            code="number_unavailable",
            retryable=False,
            hint=purchase.hint,
        )
    ]
    assert purchase.hint


def test_one_that_never_left_is_told_as_refused(organization, other_organization, sandbox):
    buy(other_organization)
    listen(organization, HOOK)

    with pytest.raises(BurkiError):
        buy(organization)

    assert types() == ["purchase.refused"]
    assert told()[0]["code"] == "number_unavailable"
    assert told()[0]["monthly_cost"] is None


def in_doubt(organization, sandbox, number: str = "+14155550020") -> Purchase:
    """The answer was lost, and the number is not listed yet."""
    with pytest.raises(BurkiError):
        buy(organization, "twilio", number)
    return Purchase.objects.get()


def test_doubt_itself_is_no_event_and_its_end_is_two(organization, sandbox):
    listen(organization, HOOK)
    purchase = in_doubt(organization, sandbox)
    assert (purchase.state, types()) == ("uncertain", [])

    recording.record_refusal(
        purchase,
        code="provider_error",
        evidence=Purchase.Evidence.NOT_FOUND,
        hint="It did not reach the provider.",
        retryable=True,
        actor=SYSTEM,
    )

    purchase.refresh_from_db()
    refused = facts(
        purchase,
        number_id=None,
        charged=False,
        code="provider_error",
        retryable=True,
        hint="It did not reach the provider.",
    )
    assert told("purchase.refused") == [refused]
    assert told("purchase.settled") == [refused | {"before": "uncertain", "how": "not_found"}]
    assert Event.objects.count() == 2


def test_an_order_that_is_pending_is_told_and_so_is_its_end(organization, sandbox):
    listen(organization, HOOK)
    purchase = buy(organization, "telnyx", "+14155550052").purchase
    assert (purchase.state, types()) == ("pending", ["purchase.pending"])
    assert told() == [facts(purchase)]
    recording.record_look(purchase, saw={"saw": "it"}, actor=SYSTEM)

    def refuse(row: Purchase) -> Purchase:
        words = {"code": "provider_error", "evidence": "provider_said_no"}
        return recording.record_refusal(row, actor=SYSTEM, **words)

    late = copy(purchase)
    refuse(purchase)
    with pytest.raises(LostRace):
        refuse(late)

    assert types() == ["purchase.pending", "purchase.refused", "purchase.settled"]
    (settled,) = told("purchase.settled")
    assert (settled["before"], settled["how"]) == ("pending", "provider_said_no")
    assert (settled["state"], settled["charged"]) == ("refused", False)


def test_a_lost_answer_that_is_found_is_told_as_bought_and_as_settled(organization, sandbox):
    listen(organization, HOOK)

    bought = buy(organization, "twilio", "+14155550010").purchase

    assert bought.state == "completed"
    assert told("purchase.completed") == [facts(bought)]
    assert told("purchase.settled") == [facts(bought, before="uncertain", how="found_at_provider")]
    settle(bought)
    assert Event.objects.count() == 2


def test_what_needs_a_person_is_told_once_for_a_reason(organization, sandbox):
    listen(organization, HOOK)
    purchase = in_doubt(organization, sandbox)

    for _ in range(2):
        recording.record_look(
            purchase, saw={"saw": "it"}, actor=SYSTEM, attention="Look at it, somebody."
        )

    (needs,) = told("purchase.needs_person")
    assert needs["reason"] == "Look at it, somebody."
    assert needs["purchase_id"] == str(purchase.pk)
    assert (needs["state"], needs["charged"]) == ("uncertain", None)


@pytest.mark.django_db(transaction=True)
@both
def test_listening_costs_a_purchase_two_statements_and_not_listening_none(
    provider, organization, sandbox, monkeypatch
):
    def statements(last: str) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            buy(organization, provider, f"+1415555123{last}")
        return [query["sql"] for query in captured]

    statements("0")  # warm
    quiet = statements("1")
    with monkeypatch.context() as patch:
        patch.setattr("numbers.services.announcing.purchase_moved", lambda *a: None)
        without = statements("2")
    listen(organization, HOOK)
    heard = statements("3")

    assert len(quiet) == len(without)
    assert len(heard) == len(quiet) + 2
    assert [sql for sql in quiet if sql.startswith("SELECT EXISTS")] == []
    assert heard.count("COMMIT") == quiet.count("COMMIT")
    assert sum('INSERT INTO "organizations_event"' in sql for sql in heard) == 1


@pytest.mark.django_db(transaction=True)
def test_an_event_exists_if_and_only_if_its_cause_does(organization, sandbox, monkeypatch):
    listen(organization, HOOK)
    purchase = in_doubt(organization, sandbox)
    with monkeypatch.context() as patch:
        patch.setattr("organizations.jobs.spread_events_later", lambda ids: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            recording.record_refusal(
                purchase, code="provider_error", evidence="not_found", actor=SYSTEM
            )

    assert Purchase.objects.get().state == "uncertain"
    assert Event.objects.count() == 0


# --- Numbers --------------------------------------------------------------------------------------


def number_facts(number: PhoneNumber, **over) -> dict:
    return {
        "number_id": number.pk,
        "provider": number.provider,
        "phone_number": number.phone_number,
        "assistant_id": number.assistant_id,
        "friendly_name": number.friendly_name,
    } | over


@both
def test_a_released_number_is_told(provider, organization, sandbox):
    number = buy(organization, provider).purchase.number
    listen(organization, HOOK)

    gone = post(make_client(organization), "/phone-numbers/release", {"phone_number": str(number)})

    assert gone.status_code == 200
    assert types() == ["number.released"]
    assert told() == [number_facts(number, how="released")]
    assert Event.objects.get().url == f"{API}/phone-numbers/{number}"


def test_drift_is_told_once_until_it_is_gone_and_so_is_its_repair(organization, sandbox):
    number = buy(organization).purchase.number
    listen(organization, HOOK)
    sandbox.alter(number.phone_number, voice_url="https://evil.example/?password=1")
    seen = {"voice_url": {"ours": "https://burki.test/twiml", "theirs": "https://evil.example/?p"}}

    for _ in range(2):
        findings.note_drift(number, seen, seen_at=timezone.now())
    assert types() == ["number.drifted"]
    assert told() == [number_facts(number, settings=["voice_url"])]

    repaired = repair_number(actor=SYSTEM, organization=organization, number=number)
    assert repaired.agrees
    assert told("number.repaired") == [number_facts(number, settings=["voice_url"])]
    repair_number(actor=SYSTEM, organization=organization, number=number)
    assert types() == ["number.drifted", "number.repaired"]

    findings.note_drift(number, seen, seen_at=timezone.now())
    assert len(told("number.drifted")) == 2


def test_drift_that_a_comparison_finds_is_told_to_whom_each_number_belongs(
    organization, other_organization
):
    account = organization.provider_accounts.get(provider="twilio")
    ours = owned(organization, "twilio")
    theirs = owned(other_organization, "twilio", account=account, phone_number="+14155550777")
    for tenant in (organization, other_organization):
        listen(tenant, HOOK)
    with Spool() as seen:
        seen.note(
            Observation(
                kind=Finding.Kind.DRIFT,
                phone_number=number.phone_number,
                number_id=number.pk,
                was=findings.state_of(number),
                details={"sms_url": {"ours": "a", "theirs": "b"}},
            )
            for number in (ours, theirs)
        )
        for _ in range(2):
            findings.record(
                account,
                seen,
                began=timezone.now(),
                actor=SYSTEM,
                changes=findings.Changes(wants_findings=False),
            )

    found = [(e.organization_id, e.data["number_id"]) for e in Event.objects.all()]
    assert sorted(found) == [(organization.pk, ours.pk), (other_organization.pk, theirs.pk)]


# --- Money ----------------------------------------------------------------------------------------


def limited(organization: Organization, limit: str) -> None:
    Organization.objects.filter(pk=organization.pk).update(monthly_limit=Decimal(limit))


def test_each_threshold_of_spending_is_told_once_a_month_and_mailed(
    organization, sandbox, monkeypatch
):
    make_user(organization, "owner", "olga@acme.example")
    make_user(organization, "admin", "ada@acme.example")
    make_user(organization, "member", "max@acme.example")
    limited(organization, "4.00")  # four numbers

    for last in "123":
        buy(organization, "telnyx", f"+1415555123{last}")
    assert types() == []
    buy(organization, "telnyx", "+14155551234")
    assert types() == ["spending.80_percent", "spending.100_percent"]
    limited(organization, "10.00")
    for last in "56789":
        buy(organization, "telnyx", f"+1415555123{last}")
    assert len(types()) == 2

    month = f"{timezone.now():%Y-%m}"
    spent = {"month": month, "committed": "4.00", "limit": "4.00", "currency": "USD"}
    assert told() == [spent | {"purchase_refused": False}] * 2
    assert {event.url for event in Event.objects.all()} == {f"{API}/organization"}
    work_off()
    assert len(mail.outbox) == 4
    assert {address for message in mail.outbox for address in message.to} == {
        "olga@acme.example",
        "ada@acme.example",
    }
    assert mail.outbox[0].subject == "Acme: 80% of the monthly limit are committed"
    assert "4.00 of 4.00 USD are committed for" in mail.outbox[0].body

    next_month = timezone.now() + timedelta(days=32)
    monkeypatch.setattr("numbers.services.announcing.timezone.now", lambda: next_month)
    buy(organization, "telnyx", "+14155551240")
    assert len(types()) == 4


def test_a_limit_that_stops_a_purchase_is_used_up(organization, sandbox):
    limited(organization, "3.50")
    for last in "123":
        buy(organization, "telnyx", f"+1415555123{last}")
    assert types() == ["spending.80_percent"]

    for _ in range(2):
        with pytest.raises(BurkiError) as refused:
            buy(organization, "telnyx", "+14155551234")

    assert refused.value.code == "spending_limit_exceeded"
    assert types() == ["spending.80_percent", "spending.100_percent"]
    (full,) = told("spending.100_percent")
    assert (full["committed"], full["limit"], full["purchase_refused"]) == ("3.00", "3.50", True)


def test_a_number_that_costs_more_than_the_whole_limit_uses_nothing_up(organization, sandbox):
    limited(organization, "0.50")

    with pytest.raises(BurkiError):
        buy(organization, "telnyx")

    assert types() == []


def test_a_low_balance_is_told_once_for_each_fall_and_mailed(organization, sandbox):
    make_user(organization, "owner", "olga@acme.example")
    account = organization.provider_accounts.get(provider="twilio")
    change_account(actor=SYSTEM, account=account, low_balance_threshold=Decimal(20))

    def at(balance: str) -> int:
        sandbox.set_account(account.account_sid, balance=balance)
        account.refresh_from_db()
        check_account(actor=SYSTEM, account=account)
        return Event.objects.count()

    assert [at("20.00"), at("19.99"), at("5.00"), at("50.00"), at("3.00")] == [0, 1, 1, 1, 2]
    assert told()[0] == {
        "account_id": account.pk,
        "account": str(account),
        "provider": "twilio",
        "balance": "19.99",
        "currency": "USD",
        "threshold": "20.00",
    }
    assert Event.objects.first().url == f"{API}/organization/provider-accounts/{account.pk}"
    work_off()
    work_off()
    assert [message.to for message in mail.outbox] == [["olga@acme.example"]] * 2
    assert "19.99 USD are left" in mail.outbox[0].body
