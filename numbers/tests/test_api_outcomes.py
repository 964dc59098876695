"""What a purchase answers once a provider was asked: no (500), not known yet (504), not now (503),
and under way (200). Nobody is charged when it says so, and nothing is ordered twice."""

import pytest

from burki.testing import (
    HURRIED,
    NOWHERE,
    TELNYX_NUMBER,
    TWILIO_NUMBER,
    make_client,
    make_organization,
    orders_sent,
    post,
)
from numbers.models import PhoneNumber, Purchase
from numbers.sandbox.scenarios import SCENARIOS
from numbers.tests.money import at_event, suspend
from organizations.crypto import encrypt
from organizations.models import ProviderAccount

pytestmark = pytest.mark.django_db

PREFIXES = ("/phone-numbers", "/api/v1/phone-numbers")
BOTH = ("twilio", "telnyx")


def buy(client, provider, number, base="/phone-numbers", **headers):
    """`number` may be the last four digits of a scenario."""
    if number in SCENARIOS:
        number = f"+1415555{number}"
    body = {"phone_number": number, "provider": provider}
    return post(client, f"{base}/purchase", body, **headers)


# --- 500: the provider said no, could not be reached, or is not configured ------------------------

REFUSALS = [
    # provider, scenario, code, the provider's own code, worth trying again
    ("twilio", "0001", "number_unavailable", "21422", False),
    ("twilio", "0002", "invalid_number", "21421", False),
    ("twilio", "0003", "insufficient_balance", "20005", False),
    ("twilio", "0004", "invalid_credentials", "20003", False),
    ("twilio", "0005", "regulatory_requirement", "21649", False),
    ("twilio", "0006", "rate_limited", "20429", True),
    ("twilio", "0007", "account_restricted", "21404", False),
    ("twilio", "0008", "regulatory_requirement", "21631", False),
    ("twilio", "0009", "number_unavailable", "21422", False),
    ("telnyx", "0001", "number_unavailable", "85001", False),
    ("telnyx", "0002", "invalid_number", "10002", False),
    ("telnyx", "0003", "insufficient_balance", "20100", False),
    ("telnyx", "0004", "invalid_credentials", "10009", False),
    ("telnyx", "0005", "regulatory_requirement", None, False),
    ("telnyx", "0006", "rate_limited", "10011", True),
    ("telnyx", "0007", "account_restricted", "10038", False),
    ("telnyx", "0008", "regulatory_requirement", "20200", False),
    ("telnyx", "0053", "provider_error", None, False),
]


@pytest.mark.parametrize(
    ("provider", "digits", "code", "provider_code", "retryable"),
    REFUSALS,
    ids=[f"{row[0]}-{row[1]}-{row[2]}" for row in REFUSALS],
)
def test_a_refusal_is_a_500_with_its_reason_and_nothing_charged(
    client, sandbox, provider, digits, code, provider_code, retryable
):
    for base in PREFIXES:
        sandbox.clear_requests()

        response = buy(client, provider, digits, base)

        assert response.status_code == 500
        purchase = Purchase.objects.latest("claimed_at")
        answer = response.json()
        assert answer.pop("hint")
        assert answer == {
            "detail": f"Failed to purchase phone number from {provider}",
            "code": code,
            "charged": False,
            "retryable": retryable,
            "provider_code": provider_code,
            "purchase_id": str(purchase.pk),
            "status_url": f"http://testserver{base}/purchases/{purchase.pk}",
        }
        assert (purchase.state, purchase.evidence) == ("refused", "provider_said_no")
        assert not PhoneNumber.objects.exists()
        assert sandbox.owned() == []
        assert len(orders_sent(sandbox)) == 1


def test_a_number_that_telnyx_does_not_offer_is_not_even_ordered(client, base, sandbox):
    response = buy(client, "telnyx", "0009", base)

    assert response.status_code == 500
    assert (response.json()["code"], response.json()["charged"]) == ("number_unavailable", False)
    assert orders_sent(sandbox) == []
    assert not PhoneNumber.objects.exists()


@pytest.mark.parametrize("provider", BOTH)
def test_a_provider_that_nobody_configured_is_a_500(base, sandbox, provider, db):
    client = make_client(make_organization("Bare", accounts=False))

    response = buy(client, provider, TWILIO_NUMBER, base)

    assert response.status_code == 500
    answer = response.json()
    assert answer["detail"] == f"Failed to purchase phone number from {provider}"
    assert (answer["code"], answer["charged"]) == ("not_configured", False)
    assert answer["hint"] == f"Enter {provider.title()} credentials for the organization."
    assert sandbox.requests() == []
    assert not PhoneNumber.objects.exists()


@pytest.mark.parametrize("provider", BOTH)
def test_a_provider_that_cannot_be_reached_is_a_500_and_worth_trying_again(
    client, base, sandbox, settings, provider
):
    settings.TWILIO_API_BASE_URL = settings.TELNYX_API_BASE_URL = NOWHERE

    response = buy(client, provider, TWILIO_NUMBER, base)

    assert response.status_code == 500
    answer = response.json()
    assert answer["detail"] == f"Failed to purchase phone number from {provider}"
    assert (answer["code"], answer["charged"]) == ("provider_unreachable", False)
    assert answer["retryable"] is True
    assert not PhoneNumber.objects.exists()


@pytest.mark.parametrize(
    ("provider", "number"), [("twilio", TWILIO_NUMBER), ("telnyx", TELNYX_NUMBER)]
)
def test_another_tenants_number_looks_like_any_that_is_gone(
    client, base, other_organization, sandbox, provider, number
):
    owner = make_client(other_organization)
    assert buy(owner, provider, number).status_code == 200
    sandbox.clear_requests()

    response = buy(client, provider, number, base)

    assert response.status_code == 500
    answer = response.json()
    own = Purchase.objects.get(organization__slug="acme")
    assert answer == {
        "detail": f"Failed to purchase phone number from {provider}",
        "code": "number_unavailable",
        "charged": False,
        "retryable": False,
        "provider_code": None,
        "hint": "Somebody else has it: search and choose another.",
        "purchase_id": str(own.pk),
        "status_url": f"http://testserver{base}/purchases/{own.pk}",
    }
    assert sandbox.requests() == []
    assert PhoneNumber.objects.get().organization == other_organization


def test_a_number_of_the_platforms_account_is_not_to_be_adopted(base, sandbox, settings, db):
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC" + "b" * 32, "platform-token"
    client = make_client(make_organization("Tenant", accounts=False))

    response = buy(client, "twilio", "0031", base)

    assert response.status_code == 500
    assert response.json()["code"] == "number_unavailable"
    assert orders_sent(sandbox) == []


@pytest.mark.parametrize(("provider", "digits"), [("twilio", "0001"), ("telnyx", "0009")])
def test_a_refusal_is_replayed_with_its_key_and_tried_anew_without(
    client, base, sandbox, provider, digits
):
    first = buy(client, provider, digits, base, HTTP_IDEMPOTENCY_KEY="k")
    sandbox.clear_requests()

    replayed = buy(client, provider, digits, base, HTTP_IDEMPOTENCY_KEY="k")

    assert (replayed.status_code, replayed.json()) == (500, first.json())
    assert replayed["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert sandbox.requests() == []
    anew = buy(client, provider, digits, base)
    assert anew.json()["purchase_id"] != first.json()["purchase_id"]
    assert Purchase.objects.count() == 2


# --- 504: the order left, and what became of it is not known yet ----------------------------------

UNKNOWN = ("0011", "0016", "0020", "0023", "0025", "0026", "0027", "0030", "0032")


@pytest.mark.parametrize(
    ("provider", "digits"),
    [("twilio", "0014"), *((provider, digits) for provider in BOTH for digits in UNKNOWN)],
)
def test_an_outcome_that_is_not_known_is_a_504_never_a_500(
    client, sandbox, settings, no_time_passes, provider, digits
):
    if digits == "0014":
        settings.CLOCK_SCALE = HURRIED
    number = f"+1415555{digits}"

    response = buy(client, provider, number)

    assert response.status_code == 504
    purchase = Purchase.objects.get()
    answer = response.json()
    assert answer.pop("hint").startswith("Do not buy again.")
    url = f"http://testserver/phone-numbers/purchases/{purchase.pk}"
    assert answer == {
        "detail": f"Purchase of {number} is being confirmed with {provider}",
        "code": "outcome_unknown",
        "charged": None,
        "retryable": False,
        "purchase_id": str(purchase.pk),
        "status_url": url,
    }
    assert int(response["Retry-After"]) == 15
    assert (response["Location"], response["Purchase-Id"]) == (url, str(purchase.pk))
    status = client.get(url).json()
    assert (status["state"], status["charged"]) == ("uncertain", None)
    assert PhoneNumber.objects.get().status == "claimed"
    assert len(orders_sent(sandbox)) == 1


@pytest.mark.parametrize("provider", BOTH)
def test_a_504_points_at_the_prefix_that_the_caller_uses(
    client, base, sandbox, no_time_passes, provider
):
    response = buy(client, provider, "0030", base)

    assert response.status_code == 504
    assert response["Location"].startswith(f"http://testserver{base}/purchases/")
    assert response.json()["status_url"] == response["Location"]


@pytest.mark.parametrize("headers", [{}, {"HTTP_IDEMPOTENCY_KEY": "k"}])
@pytest.mark.parametrize("provider", BOTH)
def test_a_repeat_of_an_uncertain_purchase_orders_nothing(client, sandbox, provider, headers):
    first = buy(client, provider, "0020", **headers)

    again = buy(client, provider, "0020", **headers)

    assert (first.status_code, again.status_code) == (504, 504)
    assert again.json() == first.json()
    assert int(again["Retry-After"]) == 15
    assert len(orders_sent(sandbox)) == 1
    assert Purchase.objects.count() == 1


@pytest.mark.parametrize("digits", ["0010", "0017", "0021", "0022", "0024"])
@pytest.mark.parametrize("provider", BOTH)
def test_a_lost_answer_whose_number_is_found_is_an_ordinary_success(
    client, sandbox, provider, digits
):
    response = buy(client, provider, digits)

    assert response.status_code == 200, response.json()
    assert response.json()["message"].startswith(
        (
            f"Successfully purchased phone number +1415555{digits}",
            f"Order for phone number +1415555{digits} accepted",  # Telnyx may need a moment
        )
    )
    assert len(orders_sent(sandbox)) == 1
    assert PhoneNumber.objects.get().status in ("active", "pending")


# --- 200, but not active yet ----------------------------------------------------------------------


def test_an_order_that_is_pending_is_accepted_not_refused(client, base, sandbox):
    response = buy(client, "telnyx", "0052", base)

    assert response.status_code == 200
    answer = response.json()
    assert answer["success"] is True
    assert answer["purchase_details"]["status"] == "pending"
    assert answer["message"] == (
        "Order for phone number +14155550052 accepted by telnyx, activation pending"
    )
    assert client.get(response["Location"]).json()["state"] == "pending"
    again = buy(client, "telnyx", "0052", base)
    assert (again.json(), again["Idempotent-Replayed"]) == (answer, "true")
    assert len(orders_sent(sandbox)) == 1


# --- 503: we failed before anything left ----------------------------------------------------------


@pytest.mark.parametrize("provider", BOTH)
def test_our_own_failure_before_the_order_is_a_503_and_nothing_is_sent(
    client, base, organization, sandbox, provider
):
    """Credentials that nobody foresaw: decrypted well, without the secret in them."""
    ProviderAccount.objects.filter(organization=organization).update(
        encrypted_credentials=encrypt({"unforeseen": "shape"})
    )

    response = buy(client, provider, TWILIO_NUMBER, base)

    assert response.status_code == 503
    assert int(response["Retry-After"]) == 5
    assert response.json() == {
        "detail": "The service is not available for a moment. Nothing was sent; try again.",
        "code": "unavailable",
        "charged": False,
    }
    assert sandbox.requests() == []
    assert not Purchase.objects.exists()
    assert not PhoneNumber.objects.exists()


@pytest.mark.parametrize("provider", BOTH)
def test_an_order_that_is_late_is_not_sent_and_that_is_a_503(
    client, sandbox, monkeypatch, provider
):
    """The process dawdles right before the order."""
    with at_event("purchase.sending", lambda: suspend(monkeypatch, 12)):
        response = buy(client, provider, TWILIO_NUMBER)

    assert response.status_code == 503
    answer = response.json()
    assert (answer["code"], answer["charged"]) == ("unavailable", False)
    assert answer["retryable"] is True
    assert int(response["Retry-After"]) >= 1
    assert orders_sent(sandbox) == []
    assert Purchase.objects.get().state == "refused"
    assert not PhoneNumber.objects.exists()


def test_a_failure_that_nobody_foresaw_is_a_json_object_as_well(
    client, base, organization, sandbox
):
    ProviderAccount.objects.filter(organization=organization).update(
        encrypted_credentials=encrypt({"unforeseen": "shape"})
    )
    client.raise_request_exception = False

    response = post(client, f"{base}/search", {})

    assert response.status_code == 500
    assert response.json() == {"detail": "Internal error.", "code": "internal_error"}
