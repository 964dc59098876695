"""Adopting what an organization's own account has and its inventory lacks."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from burki.errors import NotFound, PermissionDenied
from burki.testing import (
    CONNECTION,
    PROFILE,
    SYSTEM,
    in_threads,
    make_user,
    orders_sent,
)
from numbers.exceptions import InventoryConflict
from numbers.inventory import accounts_to_compare
from numbers.models import Finding, Offer, PhoneNumber, Purchase
from numbers.services.inventory_actions import adopt_orphan
from numbers.services.purchase import purchase_number
from numbers.services.repairing import repair_number
from numbers.tests.inventories import (
    ORPHAN,
    account_of,
    changes_sent,
    compared,
    finding_of,
    own,
)
from organizations.actors import Actor
from organizations.models import AuditEvent

BOTH = pytest.mark.parametrize("provider", ["twilio", "telnyx"])

pytestmark = pytest.mark.django_db


def adopt(organization, finding: Finding, actor: Actor = SYSTEM) -> PhoneNumber:
    return adopt_orphan(actor=actor, organization=organization, finding=finding)


def test_adopting_at_twilio_takes_over_what_twilio_reports(organization, sandbox):
    account = account_of(organization, "twilio")
    bought_at = datetime(2024, 5, 1, tzinfo=UTC)
    there = own(
        sandbox, account, friendly_name="Old desk\0", bought_at=bought_at.timestamp(), sms_url=""
    )
    finding = finding_of(account, "orphan")
    sandbox.clear_requests()

    number = adopt(organization, finding)

    number.refresh_from_db()
    assert (number.organization, number.account, number.status) == (organization, account, "active")
    assert (number.phone_number, number.provider_number_id) == (ORPHAN, there["id"])
    assert (number.friendly_name, number.country, number.number_type) == (
        "Old desk",
        "US",
        "local",
    )
    assert number.capabilities == {"voice": True, "sms": True, "mms": True, "fax": False}
    assert (number.monthly_cost, number.currency) == (Decimal("1.15"), "USD")
    assert number.purchased_at == bought_at
    assert number.voice_url == number.sms_url == "https://burki.test/twiml"
    assert number.status_callback == "https://burki.test/twilio-status"
    assert changes_sent(sandbox) == []
    finding.refresh_from_db()
    assert finding.resolution == "adopted"
    event = AuditEvent.objects.get(action="number.adopted")
    assert (event.organization, event.actor_label) == (organization, "test")
    assert event.data["found"]["number_id"] == there["id"]
    assert Purchase.objects.count() == 0


def test_adopting_at_telnyx_takes_price_and_capabilities_from_the_latest_offer(
    organization, sandbox
):
    account = account_of(organization, "telnyx")
    for monthly in ("9.00", "1.50"):
        Offer.objects.create(
            account=account,
            provider="telnyx",
            phone_number=ORPHAN,
            monthly_cost=monthly,
            currency="USD",
            capabilities={"voice": True, "sms": True},
            locality="San Francisco",
        )
    there = own(sandbox, account, connection_id="9999999999999999999")

    number = adopt(organization, finding_of(account, "orphan"))

    assert (number.provider_number_id, number.friendly_name) == (there["id"], ORPHAN)
    assert (number.monthly_cost, number.currency) == (Decimal("1.50"), "USD")
    assert (number.capabilities, number.locality) == ({"voice": True, "sms": True}, "San Francisco")
    assert (number.connection_id, number.messaging_profile_id) == (CONNECTION, PROFILE)


@BOTH
def test_an_adopted_number_whose_calls_do_not_come_here_is_drift_until_it_is_repaired(
    organization, sandbox, provider
):
    account = account_of(organization, provider)
    own(sandbox, account)

    number = adopt(organization, finding_of(account, "orphan"))

    (drift,) = Finding.objects.open()
    assert (drift.kind, drift.number) == ("drift", number)
    assert compared(account).findings == [drift]
    repair_number(actor=SYSTEM, organization=organization, number=number)
    assert compared(account).findings == []


def test_a_number_with_our_own_callback_keeps_it(organization, sandbox):
    account = account_of(organization, "twilio")
    tagged = "https://burki.test/twilio-status?purchase=0190"
    own(sandbox, account, status_callback=tagged)

    assert adopt(organization, finding_of(account, "orphan")).status_callback == tagged


@BOTH
def test_an_orphan_that_is_gone_by_now_is_not_adopted(organization, sandbox, provider):
    account = account_of(organization, provider)
    own(sandbox, account)
    finding = finding_of(account, "orphan")
    sandbox.disown(ORPHAN)

    with pytest.raises(InventoryConflict, match="no longer in the account"):
        adopt(organization, finding)

    assert PhoneNumber.objects.count() == 0


def test_an_orphan_that_somebody_holds_by_now_is_not_adopted(
    organization, other_organization, sandbox
):
    account = account_of(organization, "twilio")
    own(sandbox, account)
    finding = finding_of(account, "orphan")
    PhoneNumber.objects.create(
        organization=other_organization,
        account=account_of(other_organization, "twilio"),
        provider="twilio",
        phone_number=ORPHAN,
        status="claimed",
    )

    with pytest.raises(InventoryConflict) as refused:
        adopt(organization, finding)

    assert refused.value.detail == f"{ORPHAN} is held by somebody here, or just being bought."
    assert PhoneNumber.objects.count() == 1
    assert AuditEvent.objects.filter(action="number.adopted").count() == 0


@pytest.mark.django_db(transaction=True)
def test_adopting_twice_at_the_same_time_makes_one_row(organization, sandbox):
    account = account_of(organization, "twilio")
    own(sandbox, account)
    finding = finding_of(account, "orphan")

    results = in_threads(*[lambda: adopt(organization, finding)] * 4)

    assert sorted(type(result).__name__ for result in results) == [
        "InventoryConflict",
        "InventoryConflict",
        "InventoryConflict",
        "PhoneNumber",
    ]
    assert PhoneNumber.objects.get().status == "active"
    assert AuditEvent.objects.filter(action="number.adopted").count() == 1


def test_the_orphan_of_another_organization_is_not_found(organization, other_organization, sandbox):
    account = account_of(organization, "twilio")
    own(sandbox, account)
    finding = finding_of(account, "orphan")

    with pytest.raises(NotFound):
        adopt(other_organization, finding)

    assert PhoneNumber.objects.count() == 0


def test_the_orphan_of_the_platforms_account_cannot_be_adopted_by_anybody(
    organization, sandbox, settings
):
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC" + "e" * 32, "platform-token"
    (platform,) = (a for a in accounts_to_compare() if a.organization is None)
    own(sandbox, platform)
    finding = finding_of(platform, "orphan")

    with pytest.raises(NotFound):
        adopt(organization, finding)
    Finding.objects.update(organization=organization)  # even if it were shown
    with pytest.raises(InventoryConflict, match="belong to nobody"):
        adopt(organization, finding)

    assert PhoneNumber.objects.count() == 0


def test_adopting_needs_the_right_to_write_numbers(organization, sandbox):
    account = account_of(organization, "twilio")
    own(sandbox, account)
    finding = finding_of(account, "orphan")
    viewer = Actor.for_user(make_user(organization, "viewer"))
    member = Actor.for_user(make_user(organization, "member"))

    with pytest.raises(PermissionDenied):
        adopt(organization, finding, viewer)

    assert adopt(organization, finding, member).status == "active"


@BOTH
def test_the_number_of_an_order_that_was_thought_lost_becomes_that_purchases(
    organization, assistant, sandbox, provider
):
    """Refused because nothing was found; then it is listed, with our tag. Positive evidence beats
    an inference: the purchase has its number, its name and its assistant after all."""
    purchase = purchase_number(
        actor=SYSTEM,
        organization=organization,
        provider=provider,
        phone_number=ORPHAN,
        assistant_id=assistant.pk,
        friendly_name="Front desk",
        idempotency_key=None,
    ).purchase
    Purchase.objects.filter(pk=purchase.pk).update(
        state="refused", evidence="not_found", number=None
    )
    PhoneNumber.objects.filter(pk=purchase.number_id).update(status="claimed")
    PhoneNumber.objects.get().drop_claim()
    finding = finding_of(account_of(organization, provider), "orphan")
    assert finding.details["reference"] == str(purchase.pk)

    number = adopt(organization, finding)

    purchase.refresh_from_db()
    assert (purchase.state, purchase.number) == ("completed", number)
    assert (number.friendly_name, number.assistant) == ("Front desk", assistant)
    assert Finding.objects.open().count() == 0
    assert len(orders_sent(sandbox)) == 1
