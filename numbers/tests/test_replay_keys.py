"""A key that was answered from another request's purchase or release names it from then on: when
the number is free again, the key neither buys nor releases it once more."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from burki.testing import SYSTEM, TELNYX_NUMBER, TWILIO_NUMBER, in_threads, orders_sent
from numbers.clocks import Deadline
from numbers.exceptions import (
    IdempotencyKeyReused,
    NumberWasBoughtAgain,
    ReleaseRefused,
    ReleaseUncertain,
)
from numbers.models import (
    PhoneNumber,
    Purchase,
    PurchaseReplayKey,
    Release,
    ReleaseReplayKey,
)
from numbers.services.fallback import buy_one_of_several
from numbers.services.purchase import _attempt
from numbers.services.release import release_number
from numbers.services.requests import Fallback, clean_request
from numbers.tests.money import NUMBERS, ORDERS, buy, deletes, grow_older, inside, settle, word

LOST = "+14155550011"  # the connection is closed without an answer; nothing is bought
NOT_RELEASED = "+14155550071"  # DELETE closes the connection and releases nothing
TAKEN = "+14155550001"  # offered by search, refused at purchase
OTHER = "+14155551235"
LOOKS = {"twilio": "/IncomingPhoneNumbers.json", "telnyx": "/available_phone_numbers"}

pytestmark = pytest.mark.django_db
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])
after_a_key_or_none = pytest.mark.parametrize("first", ["api:first", None])


def release(organization, phone_number: str = TWILIO_NUMBER, key: str | None = None):
    return release_number(
        actor=SYSTEM,
        organization=organization,
        phone_number=phone_number,
        provider=None,
        idempotency_key=key,
    )


def names(key: str) -> list[tuple[str, str]]:
    """What a key means for a purchase: how it came to that, and the number."""
    own = Purchase.objects.filter(idempotency_key=key)
    later = PurchaseReplayKey.objects.filter(idempotency_key=key)
    return [("own", p.phone_number) for p in own] + [
        ("replay", k.purchase.phone_number) for k in later
    ]


# --- Purchases ------------------------------------------------------------------------------------


@both
@after_a_key_or_none
def test_a_new_key_that_was_answered_with_a_purchase_never_buys_that_number(
    first, provider, organization, sandbox
):
    purchase = buy(organization, provider, idempotency_key=first).purchase
    assert word(lambda: buy(organization, provider, idempotency_key="api:second")) == "replayed"
    release(organization, NUMBERS[provider])
    sandbox.clear_requests()

    again = buy(organization, provider, idempotency_key="api:second")

    assert (again.replayed, again.purchase) == (True, purchase)
    assert sandbox.requests() == []
    assert Purchase.objects.count() == 1


def test_a_second_answer_from_the_same_key_writes_nothing(organization, sandbox):
    buy(organization)
    for _ in range(3):
        buy(organization, idempotency_key="api:second")

    with CaptureQueriesContext(connection) as captured:
        buy(organization, idempotency_key="api:second")

    assert len(captured) == 2  # what does the key name, and what became of that
    assert PurchaseReplayKey.objects.count() == 1


def test_such_a_key_with_another_request_is_refused(organization, sandbox):
    purchase = buy(organization).purchase
    buy(organization, idempotency_key="api:second")
    sandbox.clear_requests()

    for other in ({"phone_number": OTHER}, {"friendly_name": "Desk"}):
        with pytest.raises(IdempotencyKeyReused) as caught:
            buy(organization, idempotency_key="api:second", **other)
        assert caught.value.purchase == purchase

    assert sandbox.requests() == []
    assert names("api:second") == [("replay", TWILIO_NUMBER)]


@both
@after_a_key_or_none
def test_a_new_key_that_was_told_of_the_doubt_gets_what_became_of_it(
    first, provider, organization, sandbox
):
    def request(key: str | None) -> str:
        return word(lambda: buy(organization, provider, LOST, idempotency_key=key))

    assert request(first) == "outcome_unknown"
    purchase = Purchase.objects.get()
    assert request("api:second") == "outcome_unknown"
    settle(purchase)
    grow_older(purchase, first_empty_look_at=timedelta(minutes=5))
    assert settle(purchase).state == "refused"
    sandbox.clear_requests()

    assert request("api:second") == "provider_error"

    assert sandbox.requests() == []
    assert Purchase.objects.count() == 1


def test_a_key_that_was_refused_by_our_own_rules_is_not_remembered(organization, sandbox):
    buy(organization)
    renamed = {"friendly_name": "Desk", "idempotency_key": "api:second"}
    assert word(lambda: buy(organization, **renamed)) == "number_already_owned"
    assert names("api:second") == []

    became = word(lambda: buy(organization, "twilio", OTHER, idempotency_key="api:second"))

    assert became == "completed"
    assert names("api:second") == [("own", OTHER)]


@pytest.mark.django_db(transaction=True)
def test_a_key_that_was_told_to_wait_is_not_remembered(organization, sandbox, monkeypatch):
    seen = inside(
        monkeypatch,
        sandbox,
        lambda: word(lambda: buy(organization, idempotency_key="api:second")),
        path=ORDERS["twilio"],
    )

    assert word(lambda: buy(organization, idempotency_key="api:first")) == "completed"

    assert seen == ["purchase_in_progress"]
    assert names("api:second") == []


def test_a_replay_key_belongs_to_its_organization(organization, other_organization, sandbox):
    buy(organization)
    buy(organization, idempotency_key="api:second")

    became = word(lambda: buy(other_organization, "twilio", OTHER, idempotency_key="api:second"))

    assert became == "completed"


@pytest.mark.django_db(transaction=True)
@both
def test_a_key_that_is_answered_while_it_is_about_to_buy_another_number_does_not_buy(
    provider, organization, sandbox, monkeypatch
):
    """The key is free when the request looks, and names the first purchase when it claims."""
    buy(organization, provider)
    sandbox.clear_requests()
    seen = inside(
        monkeypatch,
        sandbox,
        lambda: word(lambda: buy(organization, provider, idempotency_key="api:k")),
        method="GET",
        path=LOOKS[provider],
    )

    became = word(lambda: buy(organization, provider, OTHER, idempotency_key="api:k"))

    assert (seen, became) == (["replayed"], "idempotency_key_reused")
    assert orders_sent(sandbox) == []
    assert names("api:k") == [("replay", NUMBERS[provider])]
    assert PhoneNumber.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_refused_while_it_is_answered_means_one_of_both(
    organization, other_organization, sandbox, settings
):
    """Somebody else's number is refused without a claim; that is remembered for the key, too."""
    settings.CLOCK_SCALE = 1
    buy(organization)
    buy(other_organization, "twilio", OTHER)

    for n in range(5):
        key = f"api:k{n}"
        calls = [lambda key=key: buy(organization, idempotency_key=key)] * 4
        calls += [lambda key=key: buy(organization, "twilio", OTHER, idempotency_key=key)] * 4
        became = list(map(word, in_threads(*calls)))

        ((_, number),) = names(key)
        expected = ["replayed", "idempotency_key_reused"]
        if number == OTHER:
            expected = ["idempotency_key_reused", "number_unavailable"]
        assert became == [expected[0]] * 4 + [expected[1]] * 4


def test_the_database_refuses_a_key_that_names_another_purchase(organization, sandbox):
    purchase = buy(organization, idempotency_key="api:own").purchase
    purchase.replay_keys.create(organization=organization, idempotency_key="api:later")

    for rows, key in ((Purchase.objects, "api:later"), (purchase.replay_keys, "api:own")):
        with pytest.raises(IntegrityError, match="names another row"), transaction.atomic():
            rows.create(organization=organization, idempotency_key=key)


@pytest.mark.parametrize("what", ["UPDATE {} SET idempotency_key = 'x'", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["numbers_purchasereplaykey", "numbers_releasereplaykey"])
def test_the_database_keeps_replay_keys_as_they_are(table, what, organization, sandbox):
    buy(organization)
    buy(organization, idempotency_key="api:second")
    release(organization)
    release(organization, key="api:second")

    with pytest.raises(IntegrityError, match="rows are never"), transaction.atomic():
        connection.cursor().execute(what.format(table))


def test_a_key_costs_a_purchase_one_statement(organization, sandbox):
    counts = []
    for number, key in ((TWILIO_NUMBER, None), (OTHER, "api:k")):
        buy(organization, "twilio", f"{number[:-1]}9")  # what is asked once is asked
        with CaptureQueriesContext(connection) as captured:
            buy(organization, "twilio", number, idempotency_key=key)
        counts.append(len(captured))

    assert counts[1] == counts[0] + 1


# --- Purchases that may go on to other numbers ----------------------------------------------------


def test_a_new_key_of_a_purchase_with_fallback_names_that_purchase(organization, sandbox):
    request = {"provider": "telnyx", "fallback": Fallback(same_area_code=True)}
    purchase = buy(organization, idempotency_key="api:first", **request).purchase
    assert word(lambda: buy(organization, idempotency_key="api:second", **request)) == "replayed"
    release(organization, TELNYX_NUMBER)
    sandbox.clear_requests()

    again = buy(organization, idempotency_key="api:second", **request)

    assert (again.replayed, again.purchase) == (True, purchase)
    assert sandbox.requests() == []
    other = request | {"fallback": Fallback(same_region=True)}
    assert word(lambda: buy(organization, idempotency_key="api:second", **other)) == (
        "idempotency_key_reused"
    )


def test_a_number_that_another_request_just_bought_is_not_the_one_of_a_fallback(
    organization, sandbox
):
    """Else the key would be answered with it now, and buy another when it is repeated."""
    request = clean_request(
        organization=organization,
        provider="telnyx",
        phone_number=TAKEN,
        assistant_id=None,
        friendly_name="",
        idempotency_key="api:k",
        max_monthly_cost=Decimal("1.00"),
        max_setup_cost=None,
        fallback=Fallback(same_area_code=True),
    )
    rivals = []

    def attempt(request):
        if request.attempt == 2 and not rivals:
            rival = {"max_monthly_cost": request.max_monthly_cost}
            rivals.append(buy(organization, "telnyx", request.phone_number, **rival).purchase)
        return _attempt(request, SYSTEM, Deadline.after(25))

    bought = buy_one_of_several(request, attempt=attempt, actor=SYSTEM, deadline=Deadline.after(25))

    assert len(rivals) == 1
    assert bought.purchase.phone_number != rivals[0].phone_number
    assert (bought.replayed, bought.purchase.attempt) == (False, 2)
    again = buy_one_of_several(request, attempt=attempt, actor=SYSTEM, deadline=Deadline.after(25))
    assert (again.replayed, again.purchase) == (True, bought.purchase)


# --- Releases -------------------------------------------------------------------------------------


@after_a_key_or_none
def test_a_new_key_that_was_answered_with_a_release_never_releases_the_number_again(
    first, organization, sandbox
):
    buy(organization)
    done = release(organization, key=first).release
    again = release(organization, key="api:second")
    assert (again.replayed, again.release) == (True, done)
    buy(organization)

    with pytest.raises(NumberWasBoughtAgain) as caught:
        release(organization, key="api:second")

    assert caught.value.release == done
    assert deletes(sandbox) == 1
    assert len(sandbox.owned()) == 1


def test_a_new_key_of_a_release_in_doubt_gets_what_became_of_it(organization, sandbox):
    buy(organization, "twilio", NOT_RELEASED)
    for key in ("api:first", "api:second"):
        with pytest.raises(ReleaseUncertain):
            release(organization, NOT_RELEASED, key)
    Release.objects.update(state="refused", refusal_code="provider_error")
    PhoneNumber.objects.update(status="active")

    with pytest.raises(ReleaseRefused) as caught:
        release(organization, NOT_RELEASED, "api:second")

    assert (caught.value.code, caught.value.replayed) == ("provider_error", True)
    assert deletes(sandbox) == 1


def test_a_replay_key_of_a_release_cannot_name_another_number(organization, sandbox):
    buy(organization)
    buy(organization, "twilio", OTHER)
    release(organization)
    release(organization, key="api:second")

    with pytest.raises(IdempotencyKeyReused):
        release(organization, OTHER, "api:second")

    assert deletes(sandbox) == 1


@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_used_while_its_release_looks_for_the_number_is_not_used_twice(
    organization, sandbox, monkeypatch
):
    sandbox.add_fault(method="GET", path="/phone_numbers$", times=None, status=500)
    buy(organization, "telnyx")
    sandbox.clear_faults()
    assert PhoneNumber.objects.get().provider_number_id == ""  # so that it is looked for first
    buy(organization)
    release(organization)
    seen = inside(
        monkeypatch,
        sandbox,
        lambda: release(organization, key="api:k").replayed,
        method="GET",
        path="/phone_numbers",
    )

    with pytest.raises(IdempotencyKeyReused):
        release(organization, TELNYX_NUMBER, "api:k")

    assert seen == [True]
    assert deletes(sandbox) == 1
    assert ReleaseReplayKey.objects.get().release.number.phone_number == TWILIO_NUMBER
    assert PhoneNumber.objects.get(phone_number=TELNYX_NUMBER).status == "active"
