"""Closing ghosts and repairing numbers: each looks at the provider again before it acts."""

import pytest

from burki.errors import NotFound, PermissionDenied
from burki.testing import (
    SYSTEM,
    make_user,
)
from numbers.exceptions import InventoryConflict, NumberNotFound, ProviderError
from numbers.models import Finding, PhoneNumber
from numbers.services.inventory_actions import close_ghost
from numbers.services.release import release_number
from numbers.services.repairing import repair_number
from numbers.tests.inventories import (
    account_of,
    bought,
    changes_sent,
    compared,
    finding_of,
    minutes_pass,
    own,
)
from organizations.actors import Actor
from organizations.models import AuditEvent

BOTH = pytest.mark.parametrize("provider", ["twilio", "telnyx"])

pytestmark = pytest.mark.django_db


def confirmed_ghost(sandbox, organization, provider: str = "twilio") -> Finding:
    number = bought(organization, provider)
    sandbox.disown(number.phone_number)
    compared(account_of(organization, provider))
    minutes_pass()
    return finding_of(account_of(organization, provider), "ghost")


# --- Closing --------------------------------------------------------------------------------------


@BOTH
def test_closing_a_confirmed_ghost_releases_its_row(organization, sandbox, provider):
    finding = confirmed_ghost(sandbox, organization, provider)
    sandbox.clear_requests()

    number = close_ghost(actor=SYSTEM, organization=organization, finding=finding)

    assert (number.status, number.released_at is not None) == ("released", True)
    assert changes_sent(sandbox) == []
    assert len(sandbox.requests(path_contains=number.provider_number_id)) == 1
    finding.refresh_from_db()
    assert finding.resolution == "closed"
    event = AuditEvent.objects.get(action="number.closed")
    assert event.data["provider_number_id"] == number.provider_number_id
    assert compared(account_of(organization, provider)).findings == []


def test_a_closed_number_has_nothing_left_to_release_and_can_be_bought_again(organization, sandbox):
    finding = confirmed_ghost(sandbox, organization)
    number = close_ghost(actor=SYSTEM, organization=organization, finding=finding)

    with pytest.raises(NumberNotFound):
        release_number(
            actor=SYSTEM,
            organization=organization,
            phone_number=number.phone_number,
            provider=None,
            idempotency_key=None,
        )
    assert bought(organization, "twilio").status == "active"


def test_a_ghost_that_was_missed_only_lately_is_not_closed(organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.disown(number.phone_number)
    finding = finding_of(account_of(organization, "twilio"), "ghost")
    sandbox.clear_requests()

    with pytest.raises(InventoryConflict, match="missed only lately"):
        close_ghost(actor=SYSTEM, organization=organization, finding=finding)

    number.refresh_from_db()
    assert (number.status, sandbox.requests()) == ("active", [])


@BOTH
def test_a_ghost_that_is_there_again_is_not_closed(organization, sandbox, provider):
    finding = confirmed_ghost(sandbox, organization, provider)
    number = finding.number
    own(
        sandbox,
        account_of(organization, provider),
        number.phone_number,
        id=number.provider_number_id,
        visible=False,  # not listed, but found by its id
    )

    with pytest.raises(InventoryConflict, match="still in the account"):
        close_ghost(actor=SYSTEM, organization=organization, finding=finding)

    number.refresh_from_db()
    assert number.status == "active"


def test_a_ghost_is_not_closed_while_the_provider_cannot_tell(organization, sandbox):
    finding = confirmed_ghost(sandbox, organization)
    sandbox.add_fault(method="GET", status=500, times=None)

    with pytest.raises(ProviderError):
        close_ghost(actor=SYSTEM, organization=organization, finding=finding)

    assert PhoneNumber.objects.get().status == "active"


def test_a_ghost_is_not_closed_with_a_key_of_another_account(organization, sandbox):
    finding = confirmed_ghost(sandbox, organization, "telnyx")
    account = account_of(organization, "telnyx")
    account.secret = "KEYsomebody.first-0123456789abcd"
    account.save()

    with pytest.raises(InventoryConflict, match="Nothing shows"):
        close_ghost(actor=SYSTEM, organization=organization, finding=finding)

    assert PhoneNumber.objects.get().status == "active"


def test_a_ghost_whose_release_is_under_way_is_not_closed(organization, sandbox):
    finding = confirmed_ghost(sandbox, organization)
    PhoneNumber.objects.update(status="releasing")

    with pytest.raises(InventoryConflict, match="no longer active"):
        close_ghost(actor=SYSTEM, organization=organization, finding=finding)

    assert PhoneNumber.objects.get().status == "releasing"


def test_closing_needs_an_administrator_of_that_organization(
    organization, other_organization, sandbox
):
    finding = confirmed_ghost(sandbox, organization)
    member = Actor.for_user(make_user(organization, "member"))

    with pytest.raises(PermissionDenied):
        close_ghost(actor=member, organization=organization, finding=finding)
    with pytest.raises(NotFound):
        close_ghost(actor=SYSTEM, organization=other_organization, finding=finding)

    assert PhoneNumber.objects.get().status == "active"


# --- Repairing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "spoilt"),
    [
        ("twilio", {"voice_url": "https://a.test/", "sms_url": "", "trunk_sid": "TK" + "1" * 32}),
        ("telnyx", {"connection_id": "9999999999999999999", "messaging_profile_id": None}),
    ],
)
def test_repairing_sets_what_the_row_says_and_keeps_what_was_there(
    organization, sandbox, provider, spoilt
):
    number = bought(organization, provider)
    account = account_of(organization, provider)
    (before,) = sandbox.owned()
    sandbox.alter(number.phone_number, **spoilt)
    drift = finding_of(account, "drift")
    assert set(drift.details) == set(spoilt)

    repaired = repair_number(actor=SYSTEM, organization=organization, number=number)

    assert repaired.agrees
    (after,) = sandbox.owned()
    assert {k: after[k] or None for k in spoilt} == {k: before.get(k) or None for k in spoilt}
    drift.refresh_from_db()
    assert drift.resolution == "repaired"
    assert compared(account).findings == []
    events = AuditEvent.objects.filter(action__startswith="number.repair").order_by("pk")
    assert [e.action for e in events] == ["number.repairing", "number.repaired"]
    was = {name: value for name, value in spoilt.items() if value}
    assert events[0].data["before"].items() >= was.items()
    assert set(events[0].data["differences"]) == set(spoilt)
    assert events[1].data == {"differences": {}}


def test_repairing_what_agrees_sets_nothing_and_closes_the_finding(organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, voice_url="")
    drift = finding_of(account_of(organization, "twilio"), "drift")
    sandbox.alter(number.phone_number, voice_url=number.voice_url)
    sandbox.clear_requests()

    repaired = repair_number(actor=SYSTEM, organization=organization, number=number)

    assert (repaired.agrees, changes_sent(sandbox)) == (True, [])
    drift.refresh_from_db()
    assert drift.resolution == "repaired"


def test_a_finding_stays_open_until_the_provider_shows_what_was_set(organization, sandbox):
    number = bought(organization, "telnyx")
    sandbox.alter(number.phone_number, connection_id="9999999999999999999")
    drift = finding_of(account_of(organization, "telnyx"), "drift")
    # Telnyx accepts it and does nothing.
    sandbox.add_fault(method="PATCH", path="/phone_numbers/", status=200, body={"data": {}})

    repaired = repair_number(actor=SYSTEM, organization=organization, number=number)

    assert list(repaired.differences) == ["connection_id"]
    drift.refresh_from_db()
    assert drift.resolved_at is None


def test_a_repair_that_fails_is_told_and_leaves_the_finding_open(organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, voice_url="https://other.test/")
    drift = finding_of(account_of(organization, "twilio"), "drift")
    sandbox.clear_requests()
    sandbox.add_fault(method="POST", status=500)

    with pytest.raises(ProviderError):
        repair_number(actor=SYSTEM, organization=organization, number=number)

    drift.refresh_from_db()
    assert (drift.resolved_at, len(changes_sent(sandbox))) == (None, 1)
    events = AuditEvent.objects.filter(action__startswith="number.repair").order_by("pk")
    assert [e.action for e in events] == ["number.repairing", "number.repair_failed"]
    assert events[0].data["before"]["voice_url"] == "https://other.test/"


@pytest.mark.parametrize("status", ["releasing", "released"])
def test_a_number_that_is_not_active_is_not_repaired(organization, sandbox, status):
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, voice_url="")
    PhoneNumber.objects.update(status=status)
    sandbox.clear_requests()

    with pytest.raises(InventoryConflict, match="not active"):
        repair_number(actor=SYSTEM, organization=organization, number=number)

    assert changes_sent(sandbox) == []


def test_another_number_under_the_same_digits_is_not_repaired(organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.disown(number.phone_number)
    own(sandbox, account_of(organization, "twilio"), number.phone_number)
    sandbox.clear_requests()

    with pytest.raises(InventoryConflict, match="not in the account"):
        repair_number(actor=SYSTEM, organization=organization, number=number)

    assert changes_sent(sandbox) == []


def test_repairing_needs_the_right_and_the_number(organization, other_organization, sandbox):
    number = bought(organization, "twilio")
    viewer = Actor.for_user(make_user(organization, "viewer"))

    with pytest.raises(PermissionDenied):
        repair_number(actor=viewer, organization=organization, number=number)
    with pytest.raises(NotFound):
        repair_number(actor=SYSTEM, organization=other_organization, number=number)
