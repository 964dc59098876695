"""The formats of Telnyx's answers: errors, pages, and one mapper for each kind of record."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from . import inventory
from .messages import Answer, Refused, Request
from .state import Record, State

_CODES = {
    400: 10015,
    401: 10009,
    403: 10010,
    404: 10005,
    408: 10008,
    409: 10036,
    422: 10027,
    429: 10011,
    500: 10007,
    503: 10037,
}
_TITLES = {
    10002: "Invalid phone number",
    10004: "Missing required parameter",
    10005: "Resource not found",
    10007: "Unexpected error",
    10008: "Request timeout",
    10009: "Authentication failed",
    10010: "Authorization failed",
    10011: "Too many requests",
    10015: "Bad Request",
    10016: "Phone number must be in +E.164 format",
    10023: "Invalid JSON",
    10026: "Invalid parameter type",
    10027: "Unprocessable Entity",
    10031: "Invalid request filter",
    10035: "Resource locked",
    10036: "Resource is being processed",
    10037: "Service unavailable",
    10038: "Feature not permitted",
    20012: "Account inactive",
    20100: "Insufficient Funds",
    20200: "Invalid address",
    85000: "Must search for a number before ordering it",
    85001: "Numbers no longer available",
    85003: "Requirements already satisfied",
    85004: "Invalid connection id",
    85005: "Invalid messaging profile id",
    85006: "Number already reserved",
    90018: "Call has already ended",
    90034: "Call not answered yet",
}
_DETAILS = {20100: "You do not have enough funds to perform this action."}
_RATE_LIMITED = {
    "x-ratelimit-limit": "10",
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset": "1",
}


def error(status: int, code: int | None = None, detail: str = "", pointer: str = "") -> Answer:
    """An error in Telnyx's format; a pointer without a slash names a parameter."""
    code = code or _CODES.get(status, 10007)
    title = _TITLES.get(code, "Error")
    body: Record = {
        "code": str(code),
        "title": title,
        "detail": detail or _DETAILS.get(code, f"{title}."),
        "meta": {"url": f"https://developers.telnyx.com/docs/overview/errors/{code}"},
    }
    if pointer:
        body["source"] = {"pointer" if pointer.startswith("/") else "parameter": pointer}
    return Answer(status, {"errors": [body]}, _RATE_LIMITED if status == 429 else {})


def is_true(value: str) -> bool:
    return value.lower() == "true"


def json_of(request: Request) -> Record:
    """The body, which must be a JSON object; no body is an empty one."""
    if isinstance(request.body, dict) and "json" in request.headers.get("content-type", ""):
        return request.body
    if request.body:
        raise Refused(400, 10023)
    return {}


def check_filters(request: Request, known: Iterable[str]) -> None:
    """Refuse filters that do not exist: a misspelt one would silently match everything."""
    allowed = {f"filter[{name}]" for name in known}
    for name in request.query:
        if name.startswith("filter") and name not in allowed:
            raise Refused(400, 10031, f"The request filter {name} is invalid.", name)


def page_of(request: Request, records: list[Record], mapper: Callable[[Record], Record]) -> Answer:
    """One page of a list, in the usual envelope."""
    number, size = request.arg("page[number]") or "1", request.arg("page[size]") or "20"
    if not (number.isdecimal() and size.isdecimal() and int(number) and 1 <= int(size) <= 250):
        raise Refused(400, 10015, "page[number] or page[size] is out of range", "page")
    start = (int(number) - 1) * int(size)
    meta = {
        "page_number": int(number),
        "page_size": int(size),
        "total_pages": -(-len(records) // int(size)),
        "total_results": len(records),
    }
    data = [mapper(record) for record in records[start : start + int(size)]]
    return Answer(200, {"data": data, "meta": meta})


def date(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_available(found: inventory.Found, country: str, best_effort: bool) -> Record:
    number, place = found.phone_number, found.place
    price = inventory.telnyx_price(number)
    regions = [("country_code", country)]
    if place:
        regions += [
            ("state", place.region),
            ("rate_center", place.locality.upper()),
            ("location", place.locality),
        ]
    record: Record = {
        "record_type": "available_phone_number",
        "phone_number": number,
        "vanity_format": "",
        "best_effort": best_effort,
        "quickship": found.kind == "toll_free",
        "reservable": True,
        "region_information": [{"region_type": t, "region_name": n} for t, n in regions],
        "features": [{"name": name} for name in sorted(inventory.features_of(number))],
    }
    if price.shown:
        record["cost_information"] = {
            "upfront_cost": price.upfront,
            "monthly_cost": price.monthly,
            "currency": price.currency,
        }
    return record


def to_order(order: Record) -> Record:
    return _order(order, [_to_item(item) for item in order["items"]])


def to_order_summary(order: Record) -> Record:
    """An order as lists show it: without the state of its numbers."""
    items = [{"id": item["id"], "phone_number": item["phone_number"]} for item in order["items"]]
    return _order(order, items)


def to_sub_order(order: Record, item: Record) -> Record:
    return {
        "id": item["sub_id"],
        "record_type": "sub_number_order",
        "order_request_id": order["id"],
        "country_code": item["country"],
        "phone_number_type": item["kind"],
        "phone_numbers_count": 1,
        "phone_numbers": [_to_item(item)],
        "regulatory_requirements": _requirements(item),
        "requirements_met": item["requirements_met"],
        "is_block_sub_number_order": False,
        "status": item["status"],
        "created_at": date(order["created_at"]),
        "updated_at": date(order["updated_at"]),
        **_present(customer_reference=order["settings"].get("customer_reference")),
    }


def connection_name(state: State, record: Record) -> str:
    """The name of the application behind a number's connection, "" when it has none."""
    applications = state.account(record["account"])["applications"]
    return applications.get(record.get("connection_id") or "", {}).get("application_name", "")


def to_number(state: State, record: Record) -> Record:
    country = {"country_iso_alpha2": record["country"]}
    return {**to_deleted_number(state, record), **country, "status": record["status"]}


def to_deleted_number(state: State, record: Record) -> Record:
    profiles = state.account(record["account"])["messaging_profiles"]
    profile = record.get("messaging_profile_id")
    return {
        "id": record["id"],
        "record_type": "phone_number",
        "phone_number": record["phone_number"],
        "phone_number_type": record["kind"],
        "status": "deleted",
        "tags": list(record["tags"]),
        "deletion_lock_enabled": bool(record.get("deletion_lock_enabled")),
        "call_forwarding_enabled": True,
        "call_recording_enabled": False,
        "caller_id_name_enabled": False,
        "cnam_listing_enabled": False,
        "emergency_enabled": False,
        "hd_voice_enabled": bool(record.get("hd_voice_enabled")),
        "t38_fax_gateway_enabled": False,
        "external_pin": record.get("external_pin") or "",
        "purchased_at": date(record["bought_at"]),
        "created_at": date(record["bought_at"]),
        "updated_at": date(record["updated_at"]),
        **_present(
            connection_id=record.get("connection_id"),
            connection_name=connection_name(state, record),
            messaging_profile_id=profile,
            messaging_profile_name=profiles.get(profile or "", {}).get("name"),
            billing_group_id=record.get("billing_group_id"),
            customer_reference=record.get("customer_reference"),
        ),
    }


def to_messaging_settings(record: Record) -> Record:
    sms = "sms" in record["features"]
    two_way = {
        "domestic_two_way": sms,
        "international_inbound": sms,
        "international_outbound": sms,
    }
    kinds = {"toll_free": "toll-free"}
    return {
        "id": record["id"],
        "record_type": "messaging_settings",
        "phone_number": record["phone_number"],
        "country_code": record["country"],
        "type": kinds.get(record["kind"], "long-code"),
        "messaging_product": record.get("messaging_product") or "A2P",
        "eligible_messaging_products": ["A2P"],
        "traffic_type": "A2P",
        "features": {"sms": two_way, "mms": dict(two_way)} if sms else {},
        "tags": list(record["tags"]),
        "created_at": date(record["bought_at"]),
        "updated_at": date(record["updated_at"]),
        **_present(messaging_profile_id=record.get("messaging_profile_id")),
    }


def to_voice_settings(record: Record) -> Record:
    return {
        "id": record["id"],
        "record_type": "voice_settings",
        "phone_number": record["phone_number"],
        "tech_prefix_enabled": False,
        "translated_number": "",
        "usage_payment_method": "pay-per-minute",
        "inbound_call_screening": "disabled",
        "call_forwarding": {"call_forwarding_enabled": True},
        "cnam_listing": {"cnam_listing_enabled": False},
        "call_recording": {"inbound_call_recording_enabled": False},
        "emergency": {"emergency_enabled": False, "emergency_status": "disabled"},
        "media_features": {"t38_fax_gateway_enabled": False},
        **record.get("voice", {}),
        **_present(
            connection_id=record.get("connection_id"),
            customer_reference=record.get("customer_reference"),
        ),
    }


def to_dated(record_type: str, record: Record) -> Record:
    """An application or a profile: kept as it is shown, but for the dates."""
    dates = {key: date(record[key]) for key in ("created_at", "updated_at")}
    shown = {key: value for key, value in record.items() if value is not None}
    return {"record_type": record_type, **shown, **dates}


def to_reservation(reservation: Record) -> Record:
    created = date(reservation["created_at"])
    return {
        "id": reservation["id"],
        "record_type": "number_reservation",
        "status": "success",
        "created_at": created,
        "updated_at": created,
        "phone_numbers": [
            {
                "id": item["id"],
                "record_type": "reserved_phone_number",
                "phone_number": item["phone_number"],
                "status": "success",
                "created_at": created,
                "updated_at": created,
                "expired_at": date(item["expires_at"]),
            }
            for item in reservation["items"]
        ],
        **_present(customer_reference=reservation.get("customer_reference")),
    }


def to_coverage(code: str) -> Record:
    kinds = inventory.kinds_of(code)
    features = ["mms", "sms", "voice"]
    one = {
        "features": features,
        "full_pstn_replacement": False,
        "international_sms": False,
        "p2p": False,
        "quickship": True,
        "reservable": True,
    }
    return {
        "code": code,
        "region": "AMER" if code in ("US", "CA") else "APAC" if code == "AU" else "EMEA",
        "numbers": True,
        "features": features,
        "phone_number_type": kinds,
        "reservable": True,
        "quickship": True,
        "inventory_coverage": True,
        "international_sms": False,
        "p2p": False,
        **{
            kind: one if kind in kinds else {}
            for kind in ("local", "toll_free", "mobile", "national", "shared_cost")
        },
    }


def _order(order: Record, items: list[Record]) -> Record:
    return {
        "id": order["id"],
        "record_type": "number_order",
        "status": order["status"],
        "phone_numbers_count": len(order["items"]),
        "phone_numbers": items,
        "sub_number_orders_ids": [item["sub_id"] for item in order["items"]],
        "requirements_met": all(item["requirements_met"] for item in order["items"]),
        "created_at": date(order["created_at"]),
        "updated_at": date(order["updated_at"]),
        **order["settings"],
    }


def _to_item(item: Record) -> Record:
    return {
        "id": item["id"],
        "record_type": "number_order_phone_number",
        "phone_number": item["phone_number"],
        "phone_number_type": item["kind"],
        "country_code": item["country"],
        "country_iso_alpha2": item["country"],
        "status": item["status"],
        "requirements_met": item["requirements_met"],
        "requirements_status": item["requirements_status"],
        "regulatory_requirements": _requirements(item),
    }


def _requirements(item: Record) -> list[Record]:
    if item["requirements_met"]:
        return []
    return [
        {
            "record_type": "phone_number_regulatory_requirement",
            "requirement_id": "8ffb3622-7c6b-4ccc-b65f-7a3dc0099576",
            "field_type": "address",
            "field_value": "",
        }
    ]


def _present(**values: Any) -> Record:
    """The values that there are: Telnyx's schemas know no null."""
    return {key: value for key, value in values.items() if value}
