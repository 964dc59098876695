"""Telnyx's driver: exactly what it sends, how an order is followed, and how it is found again."""

import time

import pytest

from burki.testing import (
    CLOCK_SCALE,
    CONNECTION,
    PROFILE,
    SANDBOX_SCALE,
    TELNYX_NUMBER,
    orders_sent,
)
from numbers.exceptions import (
    NotConfigured,
    ProviderRefused,
    ProviderUnreachable,
)
from numbers.providers.base import OrderState, Routing, Sighting
from numbers.tests.driving import ACCOUNTS, ROUTING, TAG, bought, driver_of, order, sent

ACCOUNT = ACCOUNTS["telnyx"]
BODY = {
    "phone_numbers": [{"phone_number": TELNYX_NUMBER}],
    "connection_id": CONNECTION,
    "messaging_profile_id": PROFILE,
    "customer_reference": TAG,
}
USE_CONNECTION, USE_PROFILE = {"connection_id": CONNECTION}, {"messaging_profile_id": PROFILE}
SEARCH, ORDERS = "/available_phone_numbers", "/number_orders"


# --- Buying --------------------------------------------------------------------------------------


def test_one_post_orders_with_connection_profile_and_our_tag(sandbox):
    placed = order("telnyx")

    assert sent(sandbox) == [("GET", SEARCH), ("POST", ORDERS)]
    (request,) = orders_sent(sandbox)
    assert request.body == BODY
    (kept,) = sandbox.orders()
    assert (placed.state, placed.status) == (OrderState.PENDING, "pending")
    assert placed.order_id == kept["id"]
    assert placed.sub_order_ids == tuple(kept["sub_number_orders_ids"])
    assert (placed.number, placed.blocked) == (None, False)


def test_what_is_not_routed_is_left_out_of_the_order(sandbox):
    order("telnyx", routing=Routing(connection_id=CONNECTION))
    order("telnyx", "+14155555679", routing=Routing())

    bodies = [request.body for request in orders_sent(sandbox)]
    assert [sorted(body) for body in bodies] == [
        ["connection_id", "customer_reference", "phone_numbers"],
        ["customer_reference", "phone_numbers"],
    ]


def test_the_numbers_own_id_is_not_the_orders(sandbox):
    done = bought("telnyx")

    (owned,), (kept,) = sandbox.owned(), sandbox.orders()
    assert done.state == OrderState.COMPLETED
    assert done.order_id == kept["id"]
    assert done.number.number_id == owned["id"]
    assert len({done.number.number_id, done.order_id, kept["phone_numbers"][0]["id"]}) == 3


def test_an_unsearched_number_is_searched_and_ordered_once_more(sandbox):
    order("telnyx", search=False)

    assert sent(sandbox) == [("POST", ORDERS), ("GET", SEARCH), ("POST", ORDERS)]
    assert [request.body for request in orders_sent(sandbox)] == [BODY, BODY]
    assert len(sandbox.orders()) == 1


def test_leave_to_send_is_asked_for_the_second_order_as_well(sandbox):
    answers = [True, False]

    with pytest.raises(ProviderRefused):
        order("telnyx", "+14155550042", may_send=lambda: answers.pop(0))

    assert answers == []
    assert len(orders_sent(sandbox)) == 1
    assert sandbox.orders() == []


# --- Following -----------------------------------------------------------------------------------


def test_an_order_that_does_not_end_is_followed_until_the_deadline(sandbox):
    placed = order("telnyx", "+14155550052")
    began = time.monotonic()

    followed = driver_of("telnyx", seconds=5).follow(placed, "+14155550052")

    assert time.monotonic() - began < 5 * CLOCK_SCALE + 0.05
    assert (followed.state, followed.order_id) == (OrderState.PENDING, placed.order_id)
    assert len(sandbox.requests(method="GET", path_contains=placed.order_id)) >= 2


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 401}, {"action": "drop"}])
def test_trouble_while_following_leaves_what_is_known(sandbox, fault):
    placed = order("telnyx")
    sandbox.add_fault(method="GET", times=None, **fault)

    assert driver_of("telnyx").follow(placed, TELNYX_NUMBER) == placed


@pytest.mark.parametrize(
    ("digits", "word"), [("0051", "failure"), ("0053", "failure"), ("0054", "cancelled")]
)
def test_an_order_that_failed_is_refused_by_the_word_of_its_item(sandbox, digits, word):
    failed = bought("telnyx", f"+1415555{digits}")

    assert (failed.state, failed.status) == (OrderState.REFUSED, word)
    assert failed.refusal_code == "provider_error"
    assert failed.hint.startswith("Telnyx gave no reason.")
    assert sandbox.owned() == []


def test_an_order_without_its_documents_is_cancelled_and_then_refused(sandbox):
    number = "+14155550005"
    placed = order("telnyx", number)
    assert (placed.state, placed.blocked) == (OrderState.PENDING, True)
    sandbox.clear_requests()

    ended = driver_of("telnyx").follow(placed, number)

    (sub_order,) = placed.sub_order_ids
    assert sent(sandbox)[0] == ("PATCH", f"/sub_number_orders/{sub_order}/cancel")
    assert (ended.state, ended.status) == (OrderState.REFUSED, "cancelled")
    assert ended.refusal_code == "regulatory_requirement"
    assert "documents" in ended.hint
    assert sandbox.orders()[0]["status"] == "cancelled"


def test_an_order_whose_cancel_is_not_confirmed_stays_pending(sandbox):
    number = "+14155550005"
    placed = order("telnyx", number)
    sandbox.add_fault(method="PATCH", status=422)

    ended = driver_of("telnyx").follow(placed, number)

    assert (ended.state, ended.blocked) == (OrderState.PENDING, True)
    assert sandbox.orders()[0]["status"] == "pending"


# --- Looking -------------------------------------------------------------------------------------


def look(number: str = TELNYX_NUMBER, order_id: str = ""):
    return driver_of("telnyx").look_for(reference=TAG, phone_number=number, order_id=order_id)


def test_a_look_by_order_id_reads_that_order_and_one_without_searches_by_our_tag(sandbox):
    done = bought("telnyx")
    sandbox.clear_requests()

    look(order_id=done.order_id)
    look()

    one = ("GET", f"{ORDERS}/{done.order_id}")
    assert sent(sandbox) == [
        one,
        ("GET", "/phone_numbers"),
        ("GET", ORDERS),
        one,
        ("GET", "/phone_numbers"),
    ]
    listed = sandbox.requests(path_contains="number_orders")[1]
    assert listed.query == {
        "filter[customer_reference]": [TAG],
        "page[number]": ["1"],
        "page[size]": ["100"],
    }


def test_numbers_are_looked_up_by_digits_alone(telnyx, sandbox):
    telnyx.find_number(TELNYX_NUMBER)

    (request,) = sandbox.requests()
    assert request.query == {
        "filter[phone_number]": ["14155555678"],
        "handle_messaging_profile_error": ["true"],
        "page[number]": ["1"],
        "page[size]": ["100"],
    }


def test_an_order_id_that_telnyx_has_forgotten_is_searched_by_our_tag(sandbox):
    done = bought("telnyx")

    seen = look(order_id="00000000-0000-4000-8000-000000000000")

    assert (seen.sighting, seen.order.order_id) == (Sighting.FOUND, done.order_id)


def test_an_order_that_is_listed_but_cannot_be_read_is_not_absent(sandbox):
    placed = order("telnyx", "+14155550052")
    sandbox.add_fault(method="GET", path=f"{placed.order_id}$", status=404)

    with pytest.raises(ProviderUnreachable):
        look("+14155550052")


def test_an_order_with_another_tag_is_not_ours_even_if_the_list_shows_it(sandbox):
    other = order("telnyx", "+14155550052", reference="another")
    row = {"id": other.order_id, "customer_reference": "another"}
    page = {"data": [row], "meta": {"total_pages": 1}}
    sandbox.add_fault(method="GET", path=f"{ORDERS}$", body=page)

    assert look("+14155550052").sighting == Sighting.ABSENT


def test_a_number_with_our_tag_is_ours_even_when_no_order_is_listed(sandbox):
    owned = sandbox.own(
        provider="telnyx", account=ACCOUNT, phone_number=TELNYX_NUMBER, customer_reference=TAG
    )

    seen = look()

    assert seen.sighting == Sighting.FOUND
    assert (seen.order.state, seen.order.order_id) == (OrderState.COMPLETED, "")
    assert seen.order.number.number_id == seen.number.number_id == owned["id"]


def test_a_number_with_our_tag_that_is_not_in_service_yet_is_pending(sandbox):
    owned = sandbox.own(
        provider="telnyx",
        account=ACCOUNT,
        phone_number=TELNYX_NUMBER,
        customer_reference=TAG,
        status="purchase-pending",
    )

    seen = look()

    assert seen.sighting == Sighting.FOUND
    assert (seen.order.state, seen.order.status) == (OrderState.PENDING, "purchase-pending")
    assert seen.order.number.number_id == owned["id"]


def test_a_withdrawn_order_is_no_refusal_while_the_account_has_the_number(sandbox):
    number = "+14155550054"
    order("telnyx", number)
    time.sleep(3.5 * SANDBOX_SCALE)
    assert look(number).order.state == OrderState.REFUSED
    sandbox.own(provider="telnyx", account=ACCOUNT, phone_number=number)

    seen = look(number)

    assert (seen.order.state, seen.order.status) == (OrderState.PENDING, "cancelled")


def test_a_number_that_telnyx_has_deleted_is_not_there(telnyx, sandbox):
    sandbox.own(provider="telnyx", account=ACCOUNT, phone_number=TELNYX_NUMBER, status="deleted")

    assert telnyx.find_number(TELNYX_NUMBER) is None


# --- Setting -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("routing", "sends"),
    [
        (ROUTING["telnyx"], [("", USE_CONNECTION), ("/messaging", USE_PROFILE)]),
        (Routing(connection_id=CONNECTION), [("", USE_CONNECTION)]),
        (Routing(messaging_profile_id=PROFILE), [("/messaging", USE_PROFILE)]),
        (Routing(), []),
    ],
)
def test_setting_up_a_number_sends_what_is_given_and_leaves_the_rest(
    telnyx, sandbox, routing, sends
):
    number_id = bought("telnyx", "+14155550055").number.number_id
    sandbox.clear_requests()

    telnyx.configure(number_id, routing, "A name")

    assert [(r.method, r.path, r.body) for r in sandbox.requests()] == [
        ("PATCH", f"/v2/phone_numbers/{number_id}{end}", body) for end, body in sends
    ]
    assert telnyx.find_number("+14155550055").routing == routing


def test_a_number_without_the_settings_of_its_order_shows_it(sandbox):
    done = bought("telnyx", "+14155550055")

    assert done.state == OrderState.COMPLETED
    assert done.number.routing == Routing()
    assert done.number.reference == TAG


def test_an_unknown_connection_is_refused_by_the_order(sandbox):
    with pytest.raises(ProviderRefused) as caught:
        order("telnyx", routing=Routing(connection_id="404"))

    assert (caught.value.code, caught.value.provider_code) == ("provider_error", "85004")
    assert len(orders_sent(sandbox)) == 1
    assert not isinstance(caught.value, NotConfigured)
