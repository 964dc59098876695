"""The preview tells what the purchase would do, and does nothing."""

from decimal import Decimal

import pytest

from burki.testing import (
    CONNECTION,
    PROFILE,
    SYSTEM,
    TELNYX_NUMBER,
    TWILIO_NUMBER,
    make_assistant,
    make_client,
    make_organization,
    make_telnyx_account,
    orders_sent,
    post,
)
from numbers.models import PhoneNumber, ProviderSetup, Purchase
from numbers.services.purchase import purchase_number

PREVIEW = "/phone-numbers/purchase/preview"

pytestmark = pytest.mark.django_db


def writes(sandbox) -> list[str]:
    return [f"{r.method} {r.path}" for r in sandbox.requests() if r.method != "GET"]


def test_a_twilio_preview_tells_price_limit_account_and_webhooks(client, organization, sandbox):
    organization.monthly_limit = Decimal("10")
    organization.save()
    assistant = make_assistant(organization, greeting="Hello")
    body = {"phone_number": TWILIO_NUMBER, "provider": "twilio", "assistant_id": assistant.pk}

    answer = post(client, PREVIEW, body).json()

    account = organization.provider_accounts.get(provider="twilio")
    assert answer == {
        "success": True,
        "phone_number": TWILIO_NUMBER,
        "provider": "twilio",
        "allowed": True,
        "problem": None,
        "price": {
            "due_now": "1.15",
            "monthly_cost": "1.15",
            "setup_cost": "0.00",
            "currency": "USD",
        },
        "limit": {
            "monthly_limit": "10.00",
            "committed": "0.00",
            "left_after": "8.85",
            "currency": "USD",
            "number_limit": None,
            "numbers_after": 1,
        },
        "provider_account": {
            "id": account.pk,
            "label": str(account),
            "level": "organization",
        },
        "webhooks": {
            "voice_url": "https://burki.test/twiml",
            "sms_url": "https://burki.test/twiml",
            "connection_id": None,
            "messaging_profile_id": None,
        },
        "assistant": {"id": assistant.pk, "name": "Support", "ready": True},
        "warnings": [],
    }


def test_a_telnyx_preview_names_the_connection_and_changes_nothing(client, sandbox):
    answer = post(client, PREVIEW, {"phone_number": TELNYX_NUMBER, "provider": "telnyx"}).json()

    assert answer["webhooks"]["connection_id"] == CONNECTION
    assert answer["webhooks"]["messaging_profile_id"] == PROFILE
    assert answer["price"]["due_now"] == "1.00"
    assert writes(sandbox) == []
    assert (Purchase.objects.count(), PhoneNumber.objects.count()) == (0, 0)


def test_a_connection_that_does_not_exist_yet_is_announced_and_not_made(sandbox):
    organization = make_organization("Initech", accounts=False)
    make_telnyx_account(organization, connection_id="", messaging_profile_id="")
    body = {"phone_number": TELNYX_NUMBER, "provider": "telnyx"}
    answer = post(make_client(organization), PREVIEW, body).json()

    assert answer["webhooks"]["connection_id"] is None
    assert "A Telnyx connection will be made for this organization." in answer["warnings"]
    assert writes(sandbox) == []
    assert ProviderSetup.objects.count() == 0


def test_a_limit_that_would_be_exceeded_is_the_problem(client, organization, sandbox):
    organization.monthly_limit = Decimal("1")
    organization.save()

    answer = post(client, PREVIEW, {"phone_number": TWILIO_NUMBER, "provider": "twilio"}).json()

    assert answer["allowed"] is False
    assert answer["problem"]["code"] == "spending_limit_exceeded"
    assert answer["limit"]["left_after"] == "-0.15"


def test_a_lower_price_lock_is_the_problem(client, sandbox):
    body = {"phone_number": TWILIO_NUMBER, "provider": "twilio", "max_monthly_cost": "1.00"}

    answer = post(client, PREVIEW, body).json()

    assert answer["problem"]["code"] == "price_changed"


def test_an_assistant_that_would_not_answer_is_warned_about(client, organization, sandbox):
    assistant = make_assistant(organization, name="Mute", is_active=False)
    body = {"phone_number": "+14155550040", "provider": "telnyx", "assistant_id": assistant.pk}

    answer = post(client, PREVIEW, body).json()

    assert answer["assistant"]["ready"] is False
    assert answer["warnings"] == [
        "Assistant Mute is not active: it will not answer.",
        "Assistant Mute has neither a media stream nor a greeting: callers would hear nothing.",
        "This number cannot receive SMS.",
    ]


def test_a_limit_nearly_spent_is_warned_about(client, organization, sandbox):
    organization.monthly_limit = Decimal("1.20")
    organization.save()

    answer = post(client, PREVIEW, {"phone_number": TWILIO_NUMBER, "provider": "twilio"}).json()

    assert "96 % of the monthly limit will be committed." in answer["warnings"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"provider": "acme"}, 400, "invalid_request"),
        ({"provider": "twilio", "assistant_id": 9**9}, 404, "not_found"),
        ({"provider": "telnyx", "phone_number": "+14155550009"}, 500, "number_unavailable"),
    ],
)
def test_what_the_purchase_would_refuse_the_preview_refuses(client, sandbox, body, status, code):
    response = post(client, PREVIEW, {"phone_number": TWILIO_NUMBER} | body)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert orders_sent(sandbox) == []
    assert Purchase.objects.count() == 0


def test_a_number_that_is_owned_already_is_told(client, organization, sandbox):
    purchase_number(
        actor=SYSTEM, organization=organization, provider="twilio", phone_number=TWILIO_NUMBER,
        assistant_id=None, friendly_name="", idempotency_key=None,
    )  # fmt: skip

    response = post(client, PREVIEW, {"phone_number": TWILIO_NUMBER, "provider": "twilio"})

    assert (response.status_code, response.json()["code"]) == (409, "number_already_owned")


def test_a_purchase_after_its_preview_is_one_order_and_nothing_else_at_telnyx(client, sandbox):
    body = {"phone_number": TELNYX_NUMBER, "provider": "telnyx"}
    post(client, PREVIEW, body)
    before = len(sandbox.requests(path_contains="available_phone_numbers"))

    assert post(client, "/phone-numbers/purchase", body).status_code == 200

    assert len(sandbox.requests(path_contains="available_phone_numbers")) == before == 1
    assert len(orders_sent(sandbox)) == 1
