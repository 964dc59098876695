"""Every scenario of the sandbox, bought through the service at both providers: what is sent, what
is said and recorded, and that it agrees with what the provider has; then, that what stayed open is
settled without another order.
"""

import time
from dataclasses import dataclass, replace

import pytest

from burki.testing import HURRIED, SANDBOX_SCALE, SETTLE_CLOCK_SCALE, SYSTEM, orders_sent
from numbers import clocks
from numbers.exceptions import (
    NumberAlreadyInAccount,
    PurchaseError,
    PurchaseRefused,
    PurchaseUncertain,
)
from numbers.models import PhoneNumber, Purchase
from numbers.reconcile import settle_purchase
from numbers.sandbox import SCENARIOS
from numbers.services.finishing import finish_number
from numbers.services.purchase import purchase_number
from numbers.tests.driving import PROVIDERS

pytestmark = [pytest.mark.django_db, pytest.mark.walk]


@dataclass(frozen=True, kw_only=True)
class Ends:
    """How a purchase ends: at first, and `at_last` if that was not the end."""

    state: str = "completed"
    posts: int = 1
    code: str = ""  # of the refusal
    provider_code: str = ""
    evidence: str = ""
    at_last: str = ""


BOUGHT = Ends()
BOUGHT_BY_THE_SECOND_POST = Ends(posts=2)
# Pending or at its end already: the machine's speed decides which.
FOLLOWED = Ends(state="pending", at_last="completed")
FOUND_LATER = Ends(state="uncertain", at_last="completed")
NEVER_FOUND = Ends(state="uncertain", at_last="refused")
PENDING_FOR_EVER = Ends(state="pending", at_last="pending")
FAILED = Ends(state="refused", code="provider_error", evidence="provider_said_no")
FAILED_LATER = replace(FAILED, state="pending", at_last="refused")
IN_THE_ACCOUNT = Ends(state="", posts=0)


def refused(code: str, provider_code: int) -> Ends:
    return replace(FAILED, code=code, provider_code=str(provider_code))


NEVER_OFFERED = Ends(state="refused", posts=0, code="number_unavailable", evidence="not_sent")
WITHOUT_DOCUMENTS = replace(FAILED, code="regulatory_requirement")

SLOW = ("0013", "0014", "0015")  # a purchase waits until its deadline
SHOWN_LATE = ("0030", "0032")  # the first look comes too early
# What becomes of it at Twilio and at Telnyx.
TABLE = {
    "0001": (refused("number_unavailable", 21422), refused("number_unavailable", 85001)),
    "0002": (refused("invalid_number", 21421), refused("invalid_number", 10002)),
    "0003": (refused("insufficient_balance", 20005), refused("insufficient_balance", 20100)),
    "0004": (refused("invalid_credentials", 20003), refused("invalid_credentials", 10009)),
    "0005": (refused("regulatory_requirement", 21649), WITHOUT_DOCUMENTS),
    "0006": (refused("rate_limited", 20429), refused("rate_limited", 10011)),
    "0007": (refused("account_restricted", 21404), refused("account_restricted", 10038)),
    "0008": (refused("regulatory_requirement", 21631), refused("regulatory_requirement", 20200)),
    "0009": (refused("number_unavailable", 21422), NEVER_OFFERED),
    "0010": (BOUGHT, BOUGHT),
    "0011": (NEVER_FOUND, NEVER_FOUND),
    "0012": (BOUGHT, BOUGHT),
    "0013": (BOUGHT, BOUGHT),
    "0014": (NEVER_FOUND, NEVER_FOUND),
    "0015": (BOUGHT, BOUGHT),
    "0016": (NEVER_FOUND, NEVER_FOUND),
    "0017": (BOUGHT, BOUGHT),
    "0020": (NEVER_FOUND, NEVER_FOUND),
    "0021": (BOUGHT, BOUGHT),
    "0022": (BOUGHT, BOUGHT),
    "0023": (NEVER_FOUND, NEVER_FOUND),
    "0024": (BOUGHT, BOUGHT),
    "0025": (NEVER_FOUND, NEVER_FOUND),
    "0026": (NEVER_FOUND, NEVER_FOUND),
    "0027": (NEVER_FOUND, NEVER_FOUND),
    "0030": (FOUND_LATER, FOUND_LATER),
    "0031": (IN_THE_ACCOUNT, IN_THE_ACCOUNT),
    "0032": (FOUND_LATER, FOUND_LATER),
    "0040": (BOUGHT_BY_THE_SECOND_POST, BOUGHT),
    "0041": (BOUGHT_BY_THE_SECOND_POST, BOUGHT),
    "0042": (BOUGHT, BOUGHT_BY_THE_SECOND_POST),
    "0050": (BOUGHT, FOLLOWED),
    "0051": (BOUGHT, FAILED_LATER),
    "0052": (BOUGHT, PENDING_FOR_EVER),
    "0053": (BOUGHT, FAILED),
    "0054": (BOUGHT, FAILED_LATER),
    "0055": (BOUGHT, BOUGHT),
    "0056": (BOUGHT, FOLLOWED),
    "0057": (BOUGHT, BOUGHT),
    "0060": (BOUGHT, BOUGHT),
    "0061": (BOUGHT, BOUGHT),
    "0062": (BOUGHT, BOUGHT),
    "0070": (BOUGHT, BOUGHT),
    "0071": (BOUGHT, BOUGHT),
    "0072": (BOUGHT, BOUGHT),
}
ROWS = [
    pytest.param(provider, digits, ends, id=f"{provider}-{digits}")
    for digits, both in TABLE.items()
    for provider, ends in zip(PROVIDERS, both, strict=True)
]
ROW_STATUS = {"completed": "active", "pending": "pending", "uncertain": "claimed"}
# Found or ended only after a while: the longest of these scenarios takes 10 seconds.
LATER = [row for row in ROWS if row.values[2].at_last and row.values[2] != NEVER_FOUND]


def number_of(digits: str) -> str:
    return f"+1415555{digits}"


def buy(organization, provider: str, digits: str) -> PurchaseError | None:
    """One purchase through the service; the error that it ended with, if any."""
    try:
        purchase_number(
            actor=SYSTEM,
            organization=organization,
            provider=provider,
            phone_number=number_of(digits),
            assistant_id=None,
            friendly_name="",
            idempotency_key=None,
        )
    except PurchaseError as error:
        return error
    return None


def purchase_of(digits: str) -> Purchase:
    return Purchase.objects.get(phone_number=number_of(digits))


def assert_all_agree(sandbox, digits: str) -> None:
    """Our record of a purchase, our row of the number, and what the provider has."""
    purchase, number = purchase_of(digits), number_of(digits)
    row = PhoneNumber.objects.filter(phone_number=number).first()
    assert (row and row.status) == ROW_STATUS.get(purchase.state)
    assert purchase.number_id == (row and row.pk)
    owned = [one for one in sandbox.owned() if one["phone_number"] == number]
    if purchase.state == "completed":
        assert [one["id"] for one in owned] == [row.provider_number_id]
    if purchase.state in ("refused", "pending"):
        assert owned == []


def assert_ended(sandbox, digits: str, ends: Ends) -> None:
    """What stands at the end; for a purchase that ended at once, right after it."""
    purchase = purchase_of(digits)
    assert purchase.state == (ends.at_last or ends.state)
    evidence = "not_found" if ends == NEVER_FOUND else ends.evidence
    code = "provider_error" if ends == NEVER_FOUND else ends.code
    was_refused = purchase.state == "refused"
    assert purchase.refusal_code == (code if was_refused else "")
    assert purchase.evidence == (evidence if was_refused else "")
    assert purchase.provider_code == ("" if ends == NEVER_FOUND else ends.provider_code)
    assert purchase.charged is not was_refused
    assert_all_agree(sandbox, digits)
    assert len(orders_sent(sandbox)) == ends.posts


def days_pass(purchase: Purchase) -> None:
    days = clocks.after(clocks.PENDING_NEEDS_A_PERSON_AFTER)
    Purchase.objects.filter(pk=purchase.pk).update(claimed_at=purchase.claimed_at - days)


def test_every_scenario_has_its_row():
    assert list(TABLE) == list(SCENARIOS)


@pytest.mark.parametrize(("provider", "digits", "ends"), ROWS)
def test_a_purchase_answers_and_records_what_happened(
    organization, sandbox, settings, request, provider, digits, ends
):
    if digits in SLOW:
        settings.CLOCK_SCALE = HURRIED
    sandbox.order_seconds = 0  # done by the time that we look, however fast we are
    if digits in SHOWN_LATE:
        request.getfixturevalue("no_time_passes")
    error = buy(organization, provider, digits)

    assert len(orders_sent(sandbox)) == ends.posts
    if ends is IN_THE_ACCOUNT:
        assert type(error) is NumberAlreadyInAccount
        assert error.facts["charged"] is False
        assert not Purchase.objects.exists() and not PhoneNumber.objects.exists()
        return
    purchase = purchase_of(digits)
    allowed = {ends.state, ends.at_last} if ends.state == "pending" else {ends.state}
    assert purchase.state in allowed
    match purchase.state:
        case "completed" | "pending":
            assert error is None
            assert purchase.charged is True
            assert (purchase.next_look_at is not None) is (purchase.state == "pending")
        case "refused":
            assert type(error) is PurchaseRefused
            assert error.facts["charged"] is purchase.charged is False
            assert error.code == purchase.refusal_code == ends.code
            assert error.facts["retryable"] is (ends.code == "rate_limited")
            assert error.facts["hint"].endswith(".")
        case "uncertain":
            assert type(error) is PurchaseUncertain
            assert error.facts["charged"] is purchase.charged is None
            assert error.code == "outcome_unknown"
            assert purchase.next_look_at is not None
    assert_all_agree(sandbox, digits)
    if not ends.at_last:
        assert_ended(sandbox, digits, ends)


@pytest.mark.parametrize(("provider", "digits", "ends"), LATER)
def test_what_stays_open_is_settled_by_looking(organization, sandbox, provider, digits, ends):
    buy(organization, provider, digits)
    patience = 12 * SANDBOX_SCALE if ends.at_last == "pending" else 10
    began = time.monotonic()

    while time.monotonic() - began < patience:
        settled = settle_purchase(purchase_of(digits).pk, actor=SYSTEM)
        if settled.state == ends.at_last != "pending":
            break
        assert settled.state in (ends.state, "pending")
        time.sleep(0.05)

    assert_ended(sandbox, digits, ends)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_account_that_does_not_answer_proves_nothing(
    organization, sandbox, no_time_passes, provider
):
    buy(organization, provider, "0032")
    for _ in range(3):
        purchase = settle_purchase(purchase_of("0032").pk, actor=SYSTEM)

    assert (purchase.state, purchase.empty_looks) == ("uncertain", 0)
    assert [(look["saw"], look["because"]) for look in purchase.looks] == [
        ("nothing", "invalid_credentials")
    ] * 4
    assert_all_agree(sandbox, "0032")


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_never_found_is_refused_after_three_empty_looks_and_five_minutes(
    organization, sandbox, provider
):
    lost = [d for d, both in TABLE.items() if both[PROVIDERS.index(provider)] is NEVER_FOUND]
    assert lost == ["0011", "0014", "0016", "0020", "0023", "0025", "0026", "0027"]
    for digits in lost:
        buy(organization, provider, digits)
        for _ in range(2):
            purchase = settle_purchase(purchase_of(digits).pk, actor=SYSTEM)
        assert (purchase.state, purchase.empty_looks) == ("uncertain", 3)
        assert_all_agree(sandbox, digits)

    time.sleep(clocks.ABSENT_FOR * SETTLE_CLOCK_SCALE)
    for digits in lost:
        purchase = settle_purchase(purchase_of(digits).pk, actor=SYSTEM)

        assert (purchase.state, purchase.empty_looks) == ("refused", 4)
        assert (purchase.refusal_code, purchase.evidence) == ("provider_error", "not_found")
        assert purchase.retryable is True
        assert_all_agree(sandbox, digits)
    assert len(orders_sent(sandbox)) == len(lost)
    assert not PhoneNumber.objects.exists()
    assert sandbox.owned() == []


def test_an_order_that_is_pending_for_days_needs_a_person_and_stays_pending(organization, sandbox):
    buy(organization, "telnyx", "0052")
    purchase = settle_purchase(purchase_of("0052").pk, actor=SYSTEM)
    assert purchase.needs_attention_at is None
    days_pass(purchase)

    purchase = settle_purchase(purchase.pk, actor=SYSTEM)

    assert purchase.state == "pending"
    assert purchase.needs_attention_at is not None
    assert purchase.attention_reason == "The provider has not completed the order for days."
    assert len(orders_sent(sandbox)) == 1


@pytest.mark.parametrize(
    ("provider", "digits", "state"),
    [
        ("telnyx", "0052", "pending"),
        ("twilio", "0011", "uncertain"),
        ("telnyx", "0011", "uncertain"),
    ],
)
def test_a_purchase_whose_account_does_not_answer_for_days_needs_a_person(
    organization, sandbox, provider, digits, state
):
    buy(organization, provider, digits)
    sandbox.add_fault(method="GET", status=401, times=None)
    purchase = settle_purchase(purchase_of(digits).pk, actor=SYSTEM)
    assert (purchase.state, purchase.needs_attention_at) == (state, None)
    days_pass(purchase)

    purchase = settle_purchase(purchase.pk, actor=SYSTEM)

    assert purchase.state == state
    assert purchase.needs_attention_at is not None


def test_an_order_that_telnyx_has_forgotten_needs_a_person(organization, sandbox):
    buy(organization, "telnyx", "0052")
    sandbox.reset()
    purchase = settle_purchase(purchase_of("0052").pk, actor=SYSTEM)
    assert (purchase.state, purchase.needs_attention_at) == ("pending", None)
    days_pass(purchase)

    purchase = settle_purchase(purchase.pk, actor=SYSTEM)

    assert purchase.state == "pending"
    assert purchase.needs_attention_at is not None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_found_after_all_beats_the_inference_that_it_was_not_bought(
    organization, sandbox, provider
):
    buy(organization, provider, "0011")
    five_minutes = clocks.after(clocks.ABSENT_FOR)
    for _ in range(2):
        purchase = settle_purchase(purchase_of("0011").pk, actor=SYSTEM)
    Purchase.objects.update(first_empty_look_at=purchase.first_empty_look_at - five_minutes)
    purchase = settle_purchase(purchase.pk, actor=SYSTEM)
    assert (purchase.state, purchase.evidence) == ("refused", "not_found")
    tag = {
        "twilio": {"status_callback": f"https://burki.test/twilio-status?purchase={purchase.pk}"},
        "telnyx": {"customer_reference": str(purchase.pk)},
    }[provider]
    account = sandbox.requests()[0].account
    sandbox.own(provider=provider, account=account, phone_number=number_of("0011"), **tag)

    purchase = settle_purchase(purchase.pk, actor=SYSTEM)

    assert (purchase.state, purchase.refusal_code, purchase.evidence) == ("completed", "", "")
    assert purchase.charged is True
    assert_all_agree(sandbox, "0011")
    assert len(orders_sent(sandbox)) == 1


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_number_that_is_there_without_our_tag_needs_a_person(organization, sandbox, provider):
    buy(organization, provider, "0011")
    account = sandbox.requests()[0].account
    sandbox.own(provider=provider, account=account, phone_number=number_of("0011"))

    for _ in range(4):
        purchase = settle_purchase(purchase_of("0011").pk, actor=SYSTEM)

    assert (purchase.state, purchase.empty_looks) == ("uncertain", 1)
    assert purchase.needs_attention_at is not None
    assert PhoneNumber.objects.get().status == "claimed"
    assert len(orders_sent(sandbox)) == 1


def test_settings_that_telnyx_did_not_apply_are_set_afterwards(organization, sandbox):
    buy(organization, "telnyx", "0055")
    number = PhoneNumber.objects.get()
    (bare,) = sandbox.owned()
    assert (bare["connection_id"], bare["messaging_profile_id"]) == (None, None)

    finish_number(number.pk, actor=SYSTEM)

    (owned,) = sandbox.owned()
    routed = (owned["connection_id"], owned["messaging_profile_id"])
    assert routed == (number.connection_id, number.messaging_profile_id)
    assert "" not in routed
