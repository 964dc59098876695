"""The inventory and the record of purchases: what they show, to whom, and how they are filtered."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from burki.testing import TWILIO_NUMBER, make_assistant, make_client, post
from numbers.models import PhoneNumber, Purchase
from numbers.tests.rows import LIST, NOON, PURCHASES, listed, make_number, make_purchase

pytestmark = pytest.mark.django_db


# --- What is shown --------------------------------------------------------------------------------


def test_a_number_is_shown_as_both_documentations_read_it(client, base, organization, assistant):
    number = make_number(
        organization,
        1,
        assistant=assistant,
        capabilities={"voice": True, "sms": True, "mms": False, "fax": False},
        region="CA",
        locality="San Francisco",
        monthly_cost="1.15",
        setup_cost="0",
        currency="USD",
        voice_url="https://burki.test/twiml",
        sms_url="https://burki.test/twiml",
    )

    (item,) = client.get(base).json()["items"]

    assert item.pop("created_at").endswith("Z") and item.pop("updated_at").endswith("Z")
    assert item == {
        "id": number.pk,
        "phone_number": "+14155550001",
        "friendly_name": "Line 1",
        "provider": "twilio",
        "status": "active",
        "is_active": True,
        "provider_number_id": f"PN{1:032}",
        "twilio_sid": f"PN{1:032}",
        "provider_account_id": number.account_id,
        "capabilities": {"voice": True, "sms": True, "mms": False, "fax": False},
        "country_code": "US",
        "region": "CA",
        "locality": "San Francisco",
        "number_type": "local",
        "monthly_cost": "1.15",
        "setup_cost": "0.00",
        "currency": "USD",
        "assistant": {"id": assistant.pk, "name": "Support", "is_active": True},
        "assistant_id": assistant.pk,
        "voice_url": "https://burki.test/twiml",
        "sms_url": "https://burki.test/twiml",
        "connection_id": None,
        "messaging_profile_id": None,
        "voice_webhook_url": None,
        "sms_enabled": True,
        "is_verified_caller_id": False,
        "webhook_check": {
            "verdict": None,
            "checked_at": None,
            "verified_at": None,
            "detail": None,
            "differences": {},
        },
        "sip_trunk_id": None,
        "allowed_country_codes": None,
        "flow": None,
        "assigned_at": "2026-03-01T12:00:00Z",
        "purchased_at": "2026-03-01T12:00:00Z",
        "released_at": None,
        "last_activity_at": None,
    }


def test_what_the_sdk_requires_is_there_also_when_nothing_is_known(client, organization):
    make_number(organization, 1, provider_number_id="", purchased_at=None, country="")

    (item,) = client.get(LIST).json()["items"]

    assert item["twilio_sid"] == ""
    assert item["capabilities"] == {}
    assert item["monthly_cost"] is None
    assert item["assistant"] is None
    assert item["country_code"] is None


def test_one_number_is_found_however_its_plus_is_written(client, base, organization):
    number = make_number(organization, 1)
    make_number(organization, 2)

    for written in ("+14155550001", "%2B14155550001", "%2b14155550001"):
        response = client.get(f"{base}/{written}")

        assert response.status_code == 200
        assert response.json()["id"] == number.pk
        assert response.json() == client.get(base).json()["items"][1]


def test_a_number_that_is_not_there_is_a_404(client, base, organization):
    make_number(organization, 1)

    for written in ("14155550001", "+1415555000", "+14155550002", "x", "0"):
        response = client.get(f"{base}/{written}")

        assert response.status_code == 404
        assert response.json() == {
            "detail": f"Phone number {written} not found in database",
            "code": "not_found",
        }
    assert client.get(f"{base}/+1415%005550001").status_code == 404


def test_numbers_come_newest_first(client, base, organization):
    for line in (3, 1, 2):
        make_number(organization, line)

    assert listed(client, base) == ["0002", "0001", "0003"]


def test_a_claim_is_no_inventory(client, base, organization):
    make_number(organization, 1, status="claimed", provider_number_id="")

    assert listed(client, base) == []
    assert client.get(f"{base}/+14155550001").status_code == 404
    assert client.get(base, {"status": "claimed"}).status_code == 400


def test_an_uncertain_purchase_is_listed_only_as_a_purchase(client, base, sandbox, no_time_passes):
    body = {"provider": "twilio", "phone_number": "+14155550030"}
    assert post(client, f"{base}/purchase", body).status_code == 504

    assert listed(client, base) == []
    (purchase,) = client.get(f"{base}/purchases").json()["items"]
    assert (purchase["state"], purchase["charged"]) == ("uncertain", None)
    assert purchase["next_look_at"] is not None


def test_released_numbers_are_listed_only_when_asked_for(client, base, organization):
    make_number(organization, 1, status="released", released_at=NOON)
    make_number(organization, 2)

    assert listed(client, base) == ["0002"]
    assert listed(client, base, status="released") == ["0001"]
    assert listed(client, base, status=["active", "released"]) == ["0002", "0001"]
    assert listed(client, base, search="+1415555000") == ["0002"]


def test_a_released_number_is_shown_until_something_newer_has_it(client, base, organization):
    older = make_number(organization, 1, status="released", released_at=NOON)
    url = f"{base}/+14155550001"
    assert client.get(url).json()["id"] == older.pk
    assert client.get(url).json()["released_at"] == "2026-03-01T12:00:00Z"

    newer = make_number(organization, 1, status="released", released_at=NOON)
    assert client.get(url).json()["id"] == newer.pk

    live = make_number(organization, 1)
    assert client.get(url).json()["id"] == live.pk

    PhoneNumber.objects.filter(pk=live.pk).update(status="released")
    assert client.get(url).json()["id"] == live.pk


# --- Tenants --------------------------------------------------------------------------------------


def test_nothing_of_another_tenant_is_visible_anywhere(
    client, base, organization, other_organization, sandbox
):
    foreign = make_number(other_organization, 1)
    released = make_number(other_organization, 2, status="released")
    purchase = make_purchase(other_organization, 3, number=foreign)

    assert client.get(base).json()["items"] == []
    assert client.get(base, {"status": ["active", "released"]}).json()["items"] == []
    assert client.get(base, {"search": "415"}).json()["items"] == []
    assert client.get(f"{base}/purchases").json()["items"] == []
    query = {"phone_number": purchase.phone_number}
    assert client.get(f"{base}/purchases", query).json()["items"] == []

    def gone(path):
        response = client.get(f"{base}/{path}")
        return response.status_code, response.json()["detail"].replace(path.split("/")[-1], "…")

    unknown = "018f0000-0000-7000-8000-000000000001"
    nowhere = (404, "Phone number … not found in database")
    assert gone("+14155559999") == gone(foreign.phone_number) == nowhere
    assert gone(released.phone_number) == nowhere
    assert gone(f"purchases/{purchase.pk}") == gone(f"purchases/{unknown}")
    assert gone(f"purchases/{unknown}") == (404, "Purchase … not found")
    owner = make_client(other_organization)
    assert listed(owner, base) == ["0001"]
    assert owner.get(f"{base}/purchases/{purchase.pk}").status_code == 200


# --- Purchases ------------------------------------------------------------------------------------


def test_every_attempt_to_buy_is_kept_refused_ones_too(client, base, assistant, sandbox):
    bought = {
        "provider": "twilio",
        "phone_number": TWILIO_NUMBER,
        "assistant_id": assistant.pk,
        "friendly_name": "Front desk",
    }
    done = post(client, f"{base}/purchase", bought)
    post(client, f"{base}/purchase", {"provider": "telnyx", "phone_number": "+14155550003"})

    refused, completed = client.get(f"{base}/purchases").json()["items"]

    assert client.get(f"{base}/purchases/{refused['id']}").json() == refused
    assert client.get(f"{base}/purchases/{completed['id']}").json() == completed
    for item in (refused, completed):
        assert item.pop("claimed_at").endswith("Z") and item.pop("recorded_at").endswith("Z")
        assert item.pop("made_by").startswith("test (burki_")
    assert completed == {
        "id": done["Purchase-Id"],
        "state": "completed",
        "charged": True,
        "phone_number": TWILIO_NUMBER,
        "provider": "twilio",
        "assistant_id": assistant.pk,
        "friendly_name": "Front desk",
        "monthly_cost": None,
        "setup_cost": None,
        "currency": None,
        "purchase_details": done.json()["purchase_details"],
        "refusal": None,
        "needs_attention": None,
        "next_look_at": None,
    }
    assert refused.pop("id") == str(Purchase.objects.get(state="refused").pk)
    assert refused["refusal"].pop("hint").startswith("Add funds")
    assert refused == {
        "state": "refused",
        "charged": False,
        "phone_number": "+14155550003",
        "provider": "telnyx",
        "assistant_id": None,
        "friendly_name": None,
        "monthly_cost": "1.00",
        "setup_cost": "0.00",
        "currency": "USD",
        "purchase_details": None,
        "refusal": {
            "code": "insufficient_balance",
            "evidence": "provider_said_no",
            "provider_code": "20100",
            "retryable": False,
        },
        "needs_attention": None,
        "next_look_at": None,
    }


def test_a_purchase_that_is_not_there_is_a_404(client, base):
    for written in ("1", "x", "018f0000-0000-7000-8000-00000000000", "..", "%20"):
        response = client.get(f"{base}/purchases/{written}")

        assert response.status_code == 404
        assert response.json()["code"] == "not_found"


# --- Cost -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [LIST, PURCHASES])
def test_twenty_rows_take_as_many_queries_as_one(client, organization, path):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path).status_code == 200
        return len(captured)

    def add(line):
        number = make_number(organization, line, assistant=make_assistant(organization, f"{line}"))
        make_purchase(organization, line, number=number, account=number.account)

    client.get(path)  # writes the key's last use
    add(1)
    with_one = queries()
    for line in range(2, 21):
        add(line)

    assert len(client.get(path).json()["items"]) == 20
    assert queries() == with_one
