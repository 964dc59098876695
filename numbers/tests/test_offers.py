"""What a search offered saves look-ups for a quarter of an hour, and only to the account that
searched; without it, one look tells whether the number is there already."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from burki.testing import (
    SYSTEM,
    make_organization,
    make_telnyx_account,
    make_twilio_account,
    orders_sent,
    post,
)
from numbers.exceptions import NumberAlreadyInAccount, PurchaseRefused
from numbers.models import Offer, PhoneNumber, Purchase
from numbers.services.offers import fresh_offer, purge_offers
from numbers.services.search import clean_criteria, search_numbers
from numbers.tests.money import NUMBERS, buy, grow_older, settle, word
from organizations.models import AuditEvent

PURCHASE = "/phone-numbers/purchase"
VOICE_ONLY = "+14155550040"
LOST = "+14155550011"  # the connection is closed without an answer; nothing is bought
OWNED = "+14155550031"  # in every account that is asked, for long
ENVIRONMENT_SID = "AC" + "e" * 32
STEPS = {
    "twilio": ["GET IncomingPhoneNumbers.json", "POST IncomingPhoneNumbers.json"],
    "telnyx": ["GET available_phone_numbers", "POST number_orders"],
}

pytestmark = pytest.mark.django_db
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])


def search(organization, provider: str, number: str = "") -> None:
    search_numbers(
        actor=SYSTEM,
        organization=organization,
        provider=provider,
        criteria=clean_criteria(contains=(number or NUMBERS[provider])),
    )


def steps(sandbox, *without: str) -> list[str]:
    """Method and last part of the path of every provider request, but for paths in `without`."""
    return [
        f"{request.method} {request.path.rsplit('/', 1)[-1]}"
        for request in sandbox.requests()
        if not any(part in request.path for part in without)
    ]


def warm_up(organization, sandbox) -> None:
    """The first Telnyx purchase of a while checks the connection and profile that it names."""
    buy(organization, "telnyx", "+14155555600")
    sandbox.clear_requests()


def test_after_a_search_a_twilio_purchase_is_exactly_one_request(organization, sandbox):
    organization.monthly_limit = 100  # the price is known, too
    organization.save()
    search(organization, "twilio")
    sandbox.clear_requests()

    assert word(lambda: buy(organization, max_monthly_cost=Decimal("1.15"))) == "completed"

    assert steps(sandbox) == ["POST IncomingPhoneNumbers.json"]


def test_after_a_search_a_telnyx_purchase_orders_and_then_only_follows_its_order(
    organization, sandbox
):
    warm_up(organization, sandbox)
    search(organization, "telnyx")
    sandbox.clear_requests()
    sandbox.order_seconds = 0.2
    sandbox.add_fault(method="GET", path="/v2/", times=2, delay=1)  # it is done by then

    assert word(lambda: buy(organization, "telnyx")) == "completed"

    first, *rest = steps(sandbox)
    order = sandbox.orders()[-1]["id"]
    assert first == "POST number_orders"
    assert sorted(rest) == sorted([f"GET {order}", "GET phone_numbers"])


def test_without_a_search_a_twilio_purchase_is_one_look_and_one_order(organization, sandbox):
    assert word(lambda: buy(organization)) == "completed"

    assert steps(sandbox) == STEPS["twilio"]
    assert sandbox.requests()[0].query["PhoneNumber"] == [NUMBERS["twilio"]]


def test_without_a_search_a_telnyx_purchase_is_one_exact_search_and_one_order(
    organization, sandbox
):
    warm_up(organization, sandbox)

    assert word(lambda: buy(organization, "telnyx")) == "completed"

    order = sandbox.orders()[-1]["id"]
    assert steps(sandbox, order, "/v2/phone_numbers") == STEPS["telnyx"]
    query = sandbox.requests(path_contains="available_phone_numbers")[0].query
    assert query["filter[phone_number][starts_with]"] == [NUMBERS["telnyx"][2:]]
    assert query["filter[country_code]"] == ["US"]


@both
def test_a_search_offers_price_place_and_abilities_to_the_purchase(provider, organization, sandbox):
    search(organization, provider)

    number = buy(organization, provider).purchase.number

    offer = Offer.objects.get(phone_number=NUMBERS[provider])
    assert (number.monthly_cost, number.setup_cost, number.currency) == (
        {"twilio": Decimal("1.15"), "telnyx": Decimal("1.00")}[provider],
        Decimal(0),
        "USD",
    )
    assert (number.country, number.region, number.locality) == ("US", "CA", offer.locality)
    assert number.locality != ""
    assert offer.account == number.account


@both
@pytest.mark.parametrize(
    ("age", "looks"), [(timedelta(minutes=14, seconds=50), 0), (timedelta(minutes=15), 1)]
)
def test_an_offer_is_relied_on_for_fifteen_minutes(age, looks, provider, organization, sandbox):
    warm_up(organization, sandbox)
    search(organization, provider)
    Offer.objects.update(seen_at=timezone.now() - age)
    sandbox.clear_requests()

    assert word(lambda: buy(organization, provider)) == "completed"

    look = STEPS[provider][0]
    assert steps(sandbox).count(look) == looks
    assert len(orders_sent(sandbox)) == 1


@both
def test_an_offer_from_before_an_attempt_is_not_relied_on(provider, organization, sandbox):
    """An attempt may have brought the number into the account."""
    warm_up(organization, sandbox)
    search(organization, provider)
    account = organization.provider_accounts.get(provider=provider)
    buy(organization, provider)
    PhoneNumber.objects.update(status="released")
    offers = Offer.objects.filter(phone_number=NUMBERS[provider])
    claimed_at = Purchase.objects.get(phone_number=NUMBERS[provider]).claimed_at

    offers.update(seen_at=claimed_at - timedelta(seconds=1))
    assert fresh_offer(account, NUMBERS[provider]) is None

    offers.update(seen_at=claimed_at + timedelta(seconds=1))
    assert fresh_offer(account, NUMBERS[provider]) is not None


@both
@pytest.mark.parametrize("status", ["claimed", "pending", "active", "releasing"])
def test_an_offer_of_a_number_that_somebody_has_is_not_relied_on(
    provider, status, organization, other_organization, sandbox
):
    """However fresh: what has the number may have been adopted, so that no purchase tells of it."""
    search(organization, provider)
    account = organization.provider_accounts.get(provider=provider)
    assert fresh_offer(account, NUMBERS[provider]) is not None

    PhoneNumber.objects.create(
        organization=other_organization,
        account=other_organization.provider_accounts.get(provider=provider),
        provider=provider,
        phone_number=NUMBERS[provider],
        friendly_name="Adopted",
        status=status,
    )

    assert fresh_offer(account, NUMBERS[provider]) is None


@both
def test_after_an_inferred_refusal_the_number_is_looked_for_again(provider, organization, sandbox):
    """It may have arrived after all: buying it again would succeed at Twilio, and overwrite the
    tag by which the first purchase is found."""
    warm_up(organization, sandbox)
    search(organization, provider, LOST)
    Offer.objects.update(seen_at=timezone.now() - timedelta(minutes=10))
    assert word(lambda: buy(organization, provider, LOST)) == "outcome_unknown"
    purchase = Purchase.objects.get(phone_number=LOST)
    grow_older(purchase, claimed_at=timedelta(minutes=9))
    settle(purchase)
    grow_older(purchase, first_empty_look_at=timedelta(minutes=5))
    assert settle(purchase).state == "refused"
    sandbox.clear_requests()

    word(lambda: buy(organization, provider, LOST))

    assert steps(sandbox)[0] == STEPS[provider][0]


@both
def test_after_the_provider_said_no_an_offer_is_still_relied_on(provider, organization, sandbox):
    warm_up(organization, sandbox)
    search(organization, provider)
    sandbox.add_fault(method="POST", status=429)
    assert word(lambda: buy(organization, provider)) == "rate_limited"
    sandbox.clear_requests()

    assert word(lambda: buy(organization, provider)) == "completed"

    assert steps(sandbox)[0] == STEPS[provider][1]


@both
def test_the_offers_of_one_organization_do_not_serve_another(
    provider, organization, other_organization, sandbox
):
    search(organization, provider)
    sandbox.clear_requests()

    assert word(lambda: buy(other_organization, provider)) == "completed"

    assert steps(sandbox)[0] == STEPS[provider][0]


@both
def test_the_offers_of_one_account_do_not_serve_another(provider, organization, sandbox):
    search(organization, provider)
    organization.provider_accounts.filter(provider=provider).update(is_default=False)
    if provider == "twilio":
        make_twilio_account(organization, account_sid="AC" + "5" * 32)
    else:
        make_telnyx_account(organization, secret="KEYsecond.1")
    sandbox.clear_requests()

    assert word(lambda: buy(organization, provider)) == "completed"

    assert steps(sandbox)[0] == STEPS[provider][0]


def test_a_voice_only_offer_orders_without_the_sms_fields(organization, sandbox):
    search(organization, "twilio", VOICE_ONLY)
    sandbox.clear_requests()

    assert word(lambda: buy(organization, "twilio", VOICE_ONLY)) == "completed"

    (request,) = sandbox.requests()
    assert [field for field in request.body if field.startswith("Sms")] == []
    assert PhoneNumber.objects.get().sms_url == ""


def nothing_was_bought(sandbox, account: str) -> None:
    assert orders_sent(sandbox) == []
    assert [n["phone_number"] for n in sandbox.owned(account=account)] == [OWNED]
    assert PhoneNumber.objects.count() == 0


@both
def test_a_number_in_the_organizations_own_account_is_not_bought(provider, organization, sandbox):
    sid = organization.provider_accounts.get(provider="twilio").account_sid
    account = {"twilio": sid, "telnyx": "KEYacme"}[provider]

    with pytest.raises(NumberAlreadyInAccount) as caught:
        buy(organization, provider, OWNED, idempotency_key="api:k")

    assert caught.value.code == "number_already_in_account"
    assert caught.value.facts["charged"] is False
    assert "adopt" in caught.value.facts["hint"]
    nothing_was_bought(sandbox, account)
    assert Purchase.objects.count() == 0
    assert AuditEvent.objects.filter(action__startswith="purchase.").count() == 0
    (owned,) = sandbox.owned()
    assert owned.get("voice_url", "") == ""  # nobody overwrote it


@both
def test_a_number_in_the_organizations_own_account_is_409(provider, client, sandbox):
    response = post(client, PURCHASE, {"provider": provider, "phone_number": OWNED})

    assert (response.status_code, response.json()["code"]) == (409, "number_already_in_account")
    assert orders_sent(sandbox) == []


@both
def test_a_number_in_the_platforms_account_is_unavailable(provider, sandbox, settings):
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = ENVIRONMENT_SID, "env-token"
    settings.TELNYX_API_KEY = "KEYenvironment.1"
    organization = make_organization("Guest", accounts=False)

    with pytest.raises(PurchaseRefused) as caught:
        buy(organization, provider, OWNED)

    assert caught.value.code == "number_unavailable"
    account = {"twilio": ENVIRONMENT_SID, "telnyx": "KEYenvironment"}[provider]
    nothing_was_bought(sandbox, account)
    purchase = Purchase.objects.get()
    assert (purchase.state, purchase.evidence) == ("refused", "not_sent")


@both
def test_offers_are_purged_after_ninety_days(provider, organization, sandbox):
    search(organization, provider, "+1415555")
    total = Offer.objects.count()
    assert total == 10
    old, young = Offer.objects.order_by("pk")[:2]
    now = timezone.now()
    Offer.objects.filter(pk=old.pk).update(seen_at=now - timedelta(days=90, seconds=1))
    Offer.objects.filter(pk=young.pk).update(seen_at=now - timedelta(days=89, hours=23))

    assert purge_offers() == 1

    assert Offer.objects.count() == total - 1
    assert not Offer.objects.filter(pk=old.pk).exists()


def test_every_search_writes_what_it_found(organization, sandbox):
    for _ in range(2):
        search(organization, "telnyx")

    first, second = Offer.objects.order_by("pk")
    assert (first.phone_number, first.monthly_cost) == (NUMBERS["telnyx"], Decimal("1.00"))
    assert second.seen_at > first.seen_at
