"""Telnyx's twin, what happens to an order after it was placed."""

import time
from collections.abc import Callable
from datetime import datetime

from . import orders
from .messages import Answer, Refused, Request
from .state import Record, State
from .telnyx_checks import check_lookups
from .telnyx_shapes import (
    check_filters,
    json_of,
    page_of,
    to_order,
    to_order_summary,
    to_sub_order,
)

_ORDER_FILTERS = [
    "customer_reference",
    "status",
    "created_at][gt",
    "created_at][lt",
    "requirements_met",
    "phone_numbers_count",
]


def list_orders(state: State, request: Request) -> Answer:
    check_lookups(state, request.account)
    check_filters(request, _ORDER_FILTERS)
    now = time.time()
    kept = [
        order
        for order in state.orders.values()
        if order["account"] == request.account
        and order["visible_from"] <= now
        and _order_fits(request, order)
    ]
    return page_of(request, kept, to_order_summary)


def get_order(state: State, request: Request, order_id: str) -> Answer:
    check_lookups(state, request.account)
    return Answer(200, {"data": to_order(_order(state, request.account, order_id))})


def update_order(state: State, request: Request, order_id: str) -> Answer:
    order = _order(state, request.account, order_id)
    body = json_of(request)
    if body.get("customer_reference"):
        order["settings"]["customer_reference"] = str(body["customer_reference"])
    if body.get("regulatory_requirements"):
        missing = [item for item in order["items"] if not item["requirements_met"]]
        if not missing:
            raise Refused(422, 85003)
        for item in missing:
            item["requirements_status"] = "requirement-info-under-review"
    order["updated_at"] = time.time()
    state.changed()
    return Answer(200, {"data": to_order(order)})


def get_sub_order(state: State, request: Request, sub_id: str) -> Answer:
    check_lookups(state, request.account)
    found = orders.find_sub_order(state, request.account, sub_id)
    if found is None:
        raise Refused(404, 10005)
    return Answer(200, {"data": to_sub_order(*found)})


def cancel_sub_order(state: State, request: Request, sub_id: str) -> Answer:
    found = orders.find_sub_order(state, request.account, sub_id)
    if found is None:
        raise Refused(404, 10005)
    if found[1]["status"] not in ("pending", "cancelled"):
        raise Refused(422, 10027, "Only a pending order can be cancelled")
    if found[1]["status"] == "pending":
        orders.cancel(state, *found)
    return Answer(200, {"data": to_sub_order(*found)})


_ID = "([^/]+)"
ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", "number_orders", list_orders),
    ("GET", f"number_orders/{_ID}", get_order),
    ("PATCH", f"number_orders/{_ID}", update_order),
    ("GET", f"sub_number_orders/{_ID}", get_sub_order),
    ("PATCH", f"sub_number_orders/{_ID}/cancel", cancel_sub_order),
]


def _order(state: State, account: str, order_id: str) -> Record:
    order = state.orders.get(order_id)
    if order is None or order["account"] != account:
        raise Refused(404, 10005)
    return order


def _order_fits(request: Request, order: Record) -> bool:
    values = {
        "customer_reference": order["settings"].get("customer_reference", ""),
        "status": order["status"],
        "requirements_met": str(all(i["requirements_met"] for i in order["items"])).lower(),
        "phone_numbers_count": str(len(order["items"])),
    }
    for name, value in values.items():
        if request.arg(f"filter[{name}]") not in ("", value):
            return False
    try:
        after, before = (
            datetime.fromisoformat(asked).timestamp() if asked else None
            for asked in (request.arg(f"filter[created_at][{side}]") for side in ("gt", "lt"))
        )
    except ValueError as problem:
        raise Refused(400, 10031, pointer="filter[created_at]") from problem
    created = order["created_at"]
    return not (after and created <= after) and not (before and created >= before)
