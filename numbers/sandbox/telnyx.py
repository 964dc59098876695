"""Telnyx's twin: the part of its API v2 that sells phone numbers.

The functions stand in the same order as in `twilio`. `handle` is called with the state's lock
held; it changes the state or raises `ScenarioFault` before it has changed anything.
"""

import re
from collections.abc import Callable
from decimal import Decimal

from . import inventory, orders, telnyx_extras, telnyx_orders
from .faults import obey
from .messages import E164, Answer, Refused, Request
from .scenarios import scenario_of
from .state import Record, State
from .telnyx_checks import (
    authenticate,
    check_available,
    check_lookups,
    check_may_order,
    check_settings,
    find_already_owned,
    key_of,
    owned,
    touched,
)
from .telnyx_shapes import (
    check_filters,
    connection_name,
    error,
    is_true,
    json_of,
    page_of,
    to_available,
    to_deleted_number,
    to_number,
    to_order,
)

__all__ = ["account_of", "error", "handle"]

_SEARCH_FILTERS = [
    "country_code",
    "phone_number_type",
    "national_destination_code",
    "locality",
    "administrative_area",
    "rate_center",
    "features",
    "features][",
    "phone_number][contains",
    "phone_number][starts_with",
    "phone_number][ends_with",
    "limit",
    "best_effort",
    "quickship",
    "reservable",
    "exclude_held_numbers",
]
_NUMBER_FILTERS = {
    "customer_reference": "customer_reference",
    "connection_id": "connection_id",
    "status": "status",
    "billing_group_id": "billing_group_id",
    "emergency_address_id": "emergency_address_id",
    "country_iso_alpha2": "country",
    "number_type][eq": "kind",
    "source": "source",
    "voice.usage_payment_method": "usage_payment_method",
}
_NAME_TESTS: dict[str, Callable[[str, str], bool]] = {
    "eq": str.__eq__,
    "contains": str.__contains__,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}
_UPDATES = [
    "connection_id",
    "customer_reference",
    "tags",
    "billing_group_id",
    "external_pin",
    "hd_voice_enabled",
    "address_id",
]
_ORDER_SETTINGS = [
    "connection_id",
    "messaging_profile_id",
    "billing_group_id",
    "customer_reference",
]


def handle(state: State, request: Request) -> Answer:
    """Answer one request to api.telnyx.com."""
    try:
        authenticate(state, request)
        for method, pattern, function in _ROUTES:
            match = pattern.fullmatch(request.path) if method == request.method else None
            if match:
                return function(state, request, *match.groups())
        raise Refused(404, 10005)
    except Refused as refused:
        return error(refused.status, refused.code, refused.detail, refused.pointer)


def account_of(_path: str, headers: dict[str, str]) -> str:
    """The account that a key belongs to: what stands before the key's first full stop."""
    return key_of(headers).split(".")[0]


def search(state: State, request: Request) -> Answer:
    check_may_order(state, request.account)
    check_filters(request, _SEARCH_FILTERS)
    country = request.arg("filter[country_code]").upper()
    kind = request.arg("filter[phone_number_type]")
    if not country:
        raise Refused(400, 10004, pointer="filter[country_code]")
    kinds = inventory.kinds_of(country)
    if not kinds or (kind and kind not in kinds):
        raise Refused(422, 10027, "No coverage in this region", "filter[country_code]")
    pattern, digits = _pattern(request, country)
    wanted = inventory.Wanted(
        country=country,
        kind=kind,
        lines=inventory.TELNYX_LINES,
        area=request.arg("filter[national_destination_code]"),
        locality=request.arg("filter[locality]"),
        region=request.arg("filter[administrative_area]"),
        rate_center=request.arg("filter[rate_center]"),
        features=_features(request),
        pattern=pattern,
        digits=digits,
    )
    limit = request.arg("filter[limit]") or "100"
    if not limit.isdecimal():
        raise Refused(400, 10026, pointer="filter[limit]")
    size = min(int(limit), 1000)

    def taken(number: str) -> bool:
        return state.taken(number) or not _ships(request, number)

    found = inventory.search(wanted, taken, limit=size)
    best_effort = not found and is_true(request.arg("filter[best_effort]"))
    if best_effort and country in ("US", "CA"):
        nearby = inventory.Wanted(
            country=country, kind=kind, lines=wanted.lines, features=wanted.features
        )
        found = inventory.search(nearby, taken, limit=size)
    state.remember_search(request.account, [one.phone_number for one in found])
    meta = {
        "total_results": len(found),
        "best_effort_results": len(found) if best_effort else 0,
    }
    data = [to_available(one, country, best_effort) for one in found]
    return Answer(200, {"data": data, "meta": meta, "metadata": meta})


def buy(state: State, request: Request) -> Answer:
    body = json_of(request)
    account = request.account
    check_may_order(state, account)
    items = body.get("phone_numbers")
    if not isinstance(items, list) or not items:
        raise Refused(422, 10004, pointer="/phone_numbers")
    numbers = [item.get("phone_number") if isinstance(item, dict) else None for item in items]
    for index, number in enumerate(numbers):
        if not isinstance(number, str) or not E164.match(number):
            raise Refused(422, 10016, pointer=f"/phone_numbers/{index}/phone_number")
    settings = {key: str(body[key]) for key in _ORDER_SETTINGS if body.get(key)}
    check_settings(state, account, settings)
    for index, number in enumerate(numbers):
        check_available(state, account, number, f"/phone_numbers/{index}")
        if number in numbers[:index]:
            raise Refused(422, 85001, pointer=f"/phone_numbers/{index}")
    for number in numbers:
        obey(scenario_of(number).purchase.get("telnyx"), request)
    if not state.can_pay(account, orders.cost_of(numbers)):
        raise Refused(403, 20100)
    return Answer(200, {"data": to_order(orders.place(state, account, numbers, settings))})


def list_numbers(state: State, request: Request) -> Answer:
    account = request.account
    check_lookups(state, account)
    named = [f"voice.connection_name][{test}" for test in _NAME_TESTS]
    others = ["phone_number", "tag", "without_tags", *named]
    check_filters(request, [*_NUMBER_FILTERS, *others])
    digits = request.arg("filter[phone_number]")
    if digits.isdecimal() and scenario_of(digits).already_owned and E164.match(f"+{digits}"):
        find_already_owned(state, account, f"+{digits}")
    kept = [
        record
        for record in state.listed("telnyx", account)
        if _number_fits(state, request, record, digits)
    ]
    sort = request.arg("sort")
    key = {"purchased_at": "bought_at", "phone_number": "phone_number"}.get(sort.lstrip("-"))
    if key:
        kept.sort(key=lambda record: record[key], reverse=sort.startswith("-"))
    return page_of(request, kept, lambda record: to_number(state, record))


def get_number(state: State, request: Request, number_id: str) -> Answer:
    check_lookups(state, request.account)
    record = owned(state, request.account, number_id)
    return Answer(200, {"data": to_number(state, record)})


def update_number(state: State, request: Request, number_id: str) -> Answer:
    record = owned(state, request.account, number_id)
    body = json_of(request)
    check_settings(state, request.account, {"connection_id": body.get("connection_id")})
    for key in _UPDATES:
        if key in body:
            record[key] = None if body[key] == "" else body[key]
    return Answer(200, {"data": to_number(state, touched(state, record))})


def release_number(state: State, request: Request, number_id: str) -> Answer:
    record = owned(state, request.account, number_id)
    obey(scenario_of(record["phone_number"]).release, request)
    if record.get("deletion_lock_enabled"):
        raise Refused(422, 10035)
    state.remove_number(record)
    return Answer(200, {"data": to_deleted_number(state, record)})


def balance(state: State, request: Request) -> Answer:
    account = state.account(request.account)
    credit = account.get("credit_limit", "0.00")
    available = str(Decimal(account["balance"]) + Decimal(credit))
    amounts = {"balance": account["balance"], "available_credit": available}
    rest = {"credit_limit": credit, "pending": "0.00", "currency": account["currency"]}
    return Answer(200, {"data": {"record_type": "balance", **amounts, **rest}})


_ID = "([^/]+)"
_ROUTES: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
    (method, re.compile(f"/v2/{path}"), function)
    for method, path, function in (
        ("GET", "available_phone_numbers", search),
        ("POST", "number_orders", buy),
        *telnyx_orders.ROUTES,
        ("GET", "phone_numbers", list_numbers),
        ("GET", f"phone_numbers/{_ID}", get_number),
        ("PATCH", f"phone_numbers/{_ID}", update_number),
        ("DELETE", f"phone_numbers/{_ID}", release_number),
        ("GET", "balance", balance),
        *telnyx_extras.ROUTES,
    )
]


def _pattern(request: Request, country: str) -> tuple[str, str]:
    """The pattern filters as one expression, and the digits of the longest of them."""
    parts: list[str] = []
    longest = ""
    dial = inventory.COUNTRIES[country].dial
    for where in ("starts_with", "contains", "ends_with"):
        asked = request.arg(f"filter[phone_number][{where}]").strip()
        digits = inventory.literal(asked)
        if not digits:
            continue
        if where == "starts_with" and not digits.startswith(dial):
            digits = dial + digits
        begins = where == "starts_with" or (where == "contains" and asked.startswith("+"))
        ends = "$" if where == "ends_with" else ""
        parts.append(rf"(?=\+{digits})" if begins else f"(?=.*{digits}{ends})")
        longest = max(longest, digits, key=len)
    return "".join(parts), longest


def _features(request: Request) -> frozenset[str]:
    asked = request.query.get("filter[features]", []) + request.query.get("filter[features][]", [])
    return frozenset(word for value in asked for word in value.split(",") if word)


def _ships(request: Request, number: str) -> bool:
    """Whether the number is as quick as asked: toll free ones are, others have no such thing."""
    return not is_true(request.arg("filter[quickship]")) or inventory.kind_of(number) != "local"


def _number_fits(state: State, request: Request, record: Record, digits: str) -> bool:
    # Anything but three or more digits finds nothing, as at Telnyx: a + among them, too.
    if "filter[phone_number]" in request.query and not (
        digits.isdecimal() and len(digits) >= 3 and digits in record["phone_number"]
    ):
        return False
    for name, key in _NUMBER_FILTERS.items():
        value = "purchased" if key == "source" else ""
        if request.arg(f"filter[{name}]") not in ("", str(record.get(key) or value)):
            return False
    tag = request.arg("filter[tag]")
    if (tag and tag not in record["tags"]) or (
        is_true(request.arg("filter[without_tags]")) and record["tags"]
    ):
        return False
    name = connection_name(state, record)
    return all(
        test(name, request.arg(f"filter[voice.connection_name][{word}]"))
        for word, test in _NAME_TESTS.items()
        if f"filter[voice.connection_name][{word}]" in request.query
    )
