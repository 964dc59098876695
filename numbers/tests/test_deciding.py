"""What needs a person: the provider is looked at first, and who decided what and why is kept."""

import pytest

from burki.testing import make_client, make_user, orders_sent, post
from numbers.models import PhoneNumber, Purchase
from organizations.models import AuditEvent

PURCHASE = "/phone-numbers/purchase"
NOT_BOUGHT = "+14155550011"  # dropped before buying

pytestmark = pytest.mark.django_db


@pytest.fixture
def in_doubt(client, sandbox) -> Purchase:
    """Uncertain, and nothing at the provider."""
    assert (
        post(client, PURCHASE, {"phone_number": NOT_BOUGHT, "provider": "twilio"}).status_code
        == 504
    )
    return Purchase.objects.get()


def settle(client, purchase, body=None):
    return post(client, f"/phone-numbers/purchases/{purchase.pk}/settle", body or {})


def test_looking_tells_what_the_provider_says_and_what_can_be_decided(client, in_doubt):
    answer = settle(client, in_doubt).json()

    assert answer["saw"] == "The provider has neither the order nor the number."
    assert answer["choices"] == ["not_bought"]
    assert answer["state"] == "uncertain"


def test_looking_settles_what_can_be_settled(client, in_doubt, sandbox):
    account = in_doubt.account
    sandbox.own(
        provider="twilio",
        account=account.account_sid,
        phone_number=NOT_BOUGHT,
        status_callback=f"https://burki.test/twilio-status?purchase={in_doubt.pk}",
    )

    answer = settle(client, in_doubt).json()

    assert (answer["saw"], answer["state"]) == ("It is completed now.", "completed")
    assert PhoneNumber.objects.get().status == "active"


def test_a_decision_is_recorded_with_who_and_why(client, in_doubt, sandbox):
    body = {"decision": "not_bought", "reason": "Twilio support says so, ticket 7"}

    answer = settle(client, in_doubt, body).json()

    assert (answer["state"], answer["charged"]) == ("refused", False)
    assert answer["refusal"]["evidence"] == "decided"
    assert PhoneNumber.objects.count() == 0
    event = AuditEvent.objects.get(action="purchase.decided")
    assert event.data == {
        "decision": "not_bought",
        "reason": "Twilio support says so, ticket 7",
        "saw": {"saw": "absent"},
    }
    assert event.actor_kind == "api_key"
    assert len(orders_sent(sandbox)) == 1


def test_a_number_without_our_tag_needs_a_person_who_may_take_it_as_bought(
    client, in_doubt, sandbox
):
    owned = sandbox.own(
        provider="twilio", account=in_doubt.account.account_sid, phone_number=NOT_BOUGHT
    )

    looked = settle(client, in_doubt).json()
    done = settle(client, in_doubt, {"decision": "bought", "reason": "It is ours"}).json()

    assert looked["choices"] == ["bought", "not_bought"]
    assert looked["needs_attention"].startswith("The number is in the account, but nothing")
    assert done["state"] == "completed"
    assert done["needs_attention"] is None
    number = PhoneNumber.objects.get()
    assert (number.status, number.provider_number_id) == ("active", owned["sid"])


def test_what_the_provider_says_for_sure_cannot_be_overruled(client, in_doubt, sandbox):
    response = settle(client, in_doubt, {"decision": "bought", "reason": "I feel so"})

    assert (response.status_code, response.json()["code"]) == (409, "not_decidable")
    assert Purchase.objects.get().state == "uncertain"


def test_a_settled_purchase_cannot_be_decided(client, sandbox):
    post(client, PURCHASE, {"phone_number": "+14155551234", "provider": "twilio"})

    response = settle(client, Purchase.objects.get(), {"decision": "not_bought", "reason": "no"})

    assert response.json()["detail"] == "This purchase is completed: there is nothing to decide."


@pytest.mark.parametrize("reason", [None, "", "   ", "a\0b", "x" * 301])
def test_a_decision_needs_a_reason(client, in_doubt, reason):
    response = settle(client, in_doubt, {"decision": "not_bought", "reason": reason})

    assert response.status_code == 400
    assert Purchase.objects.get().state == "uncertain"


def test_it_needs_an_admin_of_the_same_organization(in_doubt, organization, other_organization):
    buyer = make_client(organization, ["numbers:read", "numbers:purchase"])
    stranger = make_client(other_organization)

    assert settle(buyer, in_doubt).status_code == 403
    assert settle(stranger, in_doubt).status_code == 404


def test_staff_see_what_the_provider_says_and_decide_in_the_admin(in_doubt):
    from django.test import Client

    browser = Client()
    browser.force_login(make_user(None, "boss", is_staff=True, is_superuser=True))
    page = f"/admin/numbers/purchase/{in_doubt.pk}"

    assert "Look at the provider" in browser.get(f"{page}/change/").content.decode()
    shown = browser.get(f"{page}/settle/").content.decode()
    browser.post(f"{page}/settle/", {"decision": "not_bought", "reason": "checked by hand"})

    assert "The provider has neither the order nor the number." in shown
    assert "This purchase bought nothing" in shown
    assert Purchase.objects.get().state == "refused"
    assert AuditEvent.objects.get(action="purchase.decided").actor_label == "boss@example.com"


def test_a_pending_number_that_vanished_without_an_order_can_be_decided(
    client, organization, sandbox
):
    post(client, PURCHASE, {"phone_number": NOT_BOUGHT, "provider": "telnyx"})
    purchase = Purchase.objects.get()
    listed = {"account": "KEYacme", "phone_number": NOT_BOUGHT, "status": "purchase-pending"}
    sandbox.own(provider="telnyx", customer_reference=str(purchase.pk), **listed)
    assert settle(client, purchase).json()["state"] == "pending"
    sandbox._state.numbers[NOT_BOUGHT]["status"] = "purchase-failed"

    looked = settle(client, purchase).json()
    decided = settle(client, purchase, {"decision": "not_bought", "reason": "Telnyx failed"})

    assert (looked["state"], looked["choices"]) == ("pending", ["not_bought"])
    assert decided.json()["state"] == "refused"
    assert PhoneNumber.objects.count() == 0


def test_an_order_that_was_accepted_cannot_be_decided_even_if_telnyx_hides_it(client, sandbox):
    post(client, PURCHASE, {"phone_number": "+14155550052", "provider": "telnyx"})
    purchase = Purchase.objects.get()
    del sandbox._state.orders[purchase.order_id]

    looked = settle(client, purchase).json()
    response = settle(client, purchase, {"decision": "not_bought", "reason": "It takes too long"})

    assert looked["saw"] == "The provider has neither the order nor the number."
    assert (looked["state"], looked["choices"]) == ("pending", [])
    assert (response.status_code, response.json()["code"]) == (409, "not_decidable")
    assert Purchase.objects.get().state == "pending"
