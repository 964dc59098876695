"""Telnyx's number orders: placed at once, settled later. Callers hold the state's lock."""

import heapq
import time
import uuid
from decimal import Decimal
from math import isinf

from .inventory import country_of, kind_of, telnyx_price
from .scenarios import scenario_of
from .state import Record, State


def cost_of(phone_numbers: list[str]) -> Decimal:
    """What ordering these numbers takes from the balance."""
    prices = [telnyx_price(number) for number in phone_numbers]
    return sum(
        (Decimal(price.monthly) + Decimal(price.upfront) for price in prices),
        Decimal(0),
    )


def place(state: State, account: str, phone_numbers: list[str], settings: Record) -> Record:
    """Accept an order, charge for it, and settle at once what needs no waiting. What needs any is
    pending in the answer, however long it takes to make that.

    `settings` are the order's connection_id, messaging_profile_id and so on, those that it has.
    """
    now = time.time()
    listed_after = max(scenario_of(number).listed_after for number in phone_numbers)
    order: Record = {
        "id": str(uuid.uuid4()),
        "account": account,
        "status": "pending",
        "settings": settings,
        "created_at": now,
        "updated_at": now,
        "visible_from": state.soon(listed_after) if listed_after else now,
        "items": [_item(state, number) for number in phone_numbers],
    }
    state.charge(account, cost_of(phone_numbers))
    state.orders[order["id"]] = order
    for item in order["items"]:
        state.held[item["phone_number"]] = order["id"]
        if item["due"] is not None:
            heapq.heappush(state.due, (item["due"], order["id"]))
    refused_for = max(scenario_of(number).lookups_refused_for for number in phone_numbers)
    if refused_for:
        state.account(account)["lookups_refused_until"] = state.soon(refused_for)
    state.changed()
    settle(state, now)
    return order


def settle(state: State, now: float | None = None) -> None:
    """Let every order that has waited long enough come to its end."""
    now = time.time() if now is None else now
    while state.due and state.due[0][0] <= now:
        _, order_id = heapq.heappop(state.due)
        order = state.orders[order_id]
        for item in order["items"]:
            if item["status"] == "pending" and item["due"] is not None and item["due"] <= now:
                plan = scenario_of(item["phone_number"]).plan
                _finish(state, order, item, plan.item)


def cancel(state: State, order: Record, item: Record) -> None:
    """Call off an item that is still pending."""
    item["requirements_status"] = "cancelled"
    _finish(state, order, item, "cancelled")


def find_sub_order(state: State, account: str, sub_id: str) -> tuple[Record, Record] | None:
    """The order and the item behind a sub-order's id: here every item is a sub-order."""
    for order in state.orders.values():
        for item in order["items"]:
            if item["sub_id"] == sub_id and order["account"] == account:
                return order, item
    return None


def _item(state: State, phone_number: str) -> Record:
    plan = scenario_of(phone_number).plan
    after = state.order_seconds if plan.after is None else plan.after
    met = plan.requirements_met
    return {
        "id": str(uuid.uuid4()),
        "sub_id": str(uuid.uuid4()),
        "phone_number": phone_number,
        "country": country_of(phone_number),
        "kind": kind_of(phone_number),
        "status": "pending",
        "requirements_met": met,
        "requirements_status": "approved" if met else "requirement-info-pending",
        "due": _due(state, after),
    }


def _due(state: State, after: float) -> float | None:
    """When an item comes to its end: never, some time after now, or when it is placed."""
    if isinf(after):
        return None
    return state.soon(after) if after else 0.0


def _finish(state: State, order: Record, item: Record, status: str) -> None:
    now = time.time()
    number = item["phone_number"]
    item["status"] = status
    order["updated_at"] = now
    state.held.pop(number, None)
    state.reserved.pop(number, None)
    if status == "success":
        given = dict(order["settings"])
        if not scenario_of(number).plan.applies_settings:
            given.pop("connection_id", None)
            given.pop("messaging_profile_id", None)
        state.add_number("telnyx", order["account"], number, order["visible_from"], given)
    else:
        state.charge(order["account"], -cost_of([number]))
    order["status"] = _overall(order)
    state.changed()


def _overall(order: Record) -> str:
    words = {item["status"] for item in order["items"]}
    if "pending" in words:
        return "pending"
    if len(order["items"]) == 1:
        plan = scenario_of(order["items"][0]["phone_number"]).plan
        # An order may say something else than its item, unless somebody has cancelled it.
        return plan.order if words == {plan.item} else words.pop()
    return words.pop() if len(words) == 1 else "partial_success"
