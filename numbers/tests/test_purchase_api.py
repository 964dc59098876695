"""The purchase endpoint from outside: answers, to the letter, and what they leave behind."""

import pytest

from burki.testing import (
    CONNECTION,
    PROFILE,
    TELNYX_NUMBER,
    TWILIO_NUMBER,
    orders_sent,
    post,
)
from numbers.models import PhoneNumber, Purchase

PURCHASE = "/phone-numbers/purchase"

pytestmark = pytest.mark.django_db


def test_a_twilio_purchase_answers_exactly_what_the_specification_promises(
    client, sandbox, assistant
):
    body = {
        "phone_number": TWILIO_NUMBER,
        "provider": "twilio",
        "assistant_id": assistant.pk,
        "friendly_name": "Support line",
    }

    response = post(client, PURCHASE, body)

    assert response.status_code == 200, response.json()
    answer = response.json()
    details = answer.pop("purchase_details")
    assert answer == {
        "success": True,
        "phone_number": TWILIO_NUMBER,
        "provider": "twilio",
        "message": f"Successfully purchased phone number {TWILIO_NUMBER} from twilio",
    }
    (owned,) = sandbox.owned(provider="twilio")
    assert details.pop("date_created").endswith("Z")
    assert details == {
        "sid": owned["sid"],
        "friendly_name": "Support line",
        "voice_url": "https://burki.test/twiml",
        "sms_url": "https://burki.test/twiml",
        "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
    }


def test_a_telnyx_purchase_answers_exactly_what_the_specification_promises(
    client, sandbox, assistant
):
    body = {"phone_number": TELNYX_NUMBER, "provider": "telnyx", "assistant_id": assistant.pk}

    response = post(client, PURCHASE, body)

    assert response.status_code == 200, response.json()
    answer = response.json()
    details = answer.pop("purchase_details")
    assert answer == {
        "success": True,
        "phone_number": TELNYX_NUMBER,
        "provider": "telnyx",
        "message": f"Successfully purchased phone number {TELNYX_NUMBER} from telnyx",
    }
    (order,) = sandbox.orders()
    assert details.pop("date_created").endswith("Z")
    assert details == {
        "id": order["id"],
        "phone_number": TELNYX_NUMBER,
        "status": "completed",
        "connection_id": CONNECTION,
    }
    number = PhoneNumber.objects.get()
    assert number.status == "active"
    assert number.assistant == assistant
    (owned,) = sandbox.owned(provider="telnyx")
    assert number.provider_number_id == owned["id"] != order["id"]
    assert (owned["connection_id"], owned["messaging_profile_id"]) == (CONNECTION, PROFILE)
    assert owned["customer_reference"] == str(Purchase.objects.get().pk)
    assert len(orders_sent(sandbox)) == 1
