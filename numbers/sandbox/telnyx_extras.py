"""The rest of Telnyx's twin: coverage, settings of a number, reservations, applications,
messaging profiles and call commands."""

import time
import uuid
from collections.abc import Callable

from . import inventory
from .messages import Answer, Refused, Request
from .signing import telnyx_public_key
from .state import Record, State
from .telnyx_checks import (
    check_available,
    check_lookups,
    check_settings,
    owned,
    touched,
)
from .telnyx_shapes import (
    check_filters,
    json_of,
    page_of,
    to_coverage,
    to_dated,
    to_messaging_settings,
    to_reservation,
    to_voice_settings,
)

_VOICE_UPDATES = [
    "tech_prefix_enabled",
    "translated_number",
    "caller_id_name_enabled",
    "call_forwarding",
    "cnam_listing",
    "usage_payment_method",
    "media_features",
    "call_recording",
    "inbound_call_screening",
]
_APPLICATION_FIELDS = [
    "application_name",
    "webhook_event_url",
    "webhook_event_failover_url",
    "webhook_api_version",
    "webhook_timeout_secs",
    "active",
    "anchorsite_override",
    "call_cost_in_webhooks",
    "dtmf_type",
    "first_command_timeout",
    "first_command_timeout_secs",
    "inbound",
    "outbound",
    "redact_dtmf_debug_logging",
    "tags",
]
_PROFILE_FIELDS = [
    "name",
    "webhook_url",
    "webhook_failover_url",
    "webhook_api_version",
    "enabled",
    "whitelisted_destinations",
    "number_pool_settings",
    "url_shortener_settings",
    "alpha_sender",
    "daily_spend_limit",
    "daily_spend_limit_enabled",
    "mms_fall_back_to_sms",
    "mms_transcoding",
    "mobile_only",
    "smart_encoding",
]
_RESERVED_SECONDS = 1800.0


def countries(_state: State, _request: Request) -> Answer:
    return Answer(
        200,
        {"data": {known.name: to_coverage(code) for code, known in inventory.COUNTRIES.items()}},
    )


def country(_state: State, _request: Request, code: str) -> Answer:
    if code not in inventory.COUNTRIES:
        raise Refused(404, 10005)
    return Answer(200, {"data": to_coverage(code)})


def messaging_settings(state: State, request: Request, number_id: str) -> Answer:
    record = owned(state, request.account, number_id)
    if request.method == "PATCH":
        body = json_of(request)
        check_settings(state, request.account, body, of_order=False)
        # "" takes the profile away, null and absence leave it alone.
        if body.get("messaging_profile_id") is not None:
            record["messaging_profile_id"] = body["messaging_profile_id"] or None
        if body.get("messaging_product"):
            record["messaging_product"] = body["messaging_product"]
        if isinstance(body.get("tags"), list):
            record["tags"] = body["tags"]
        touched(state, record)
    else:
        check_lookups(state, request.account)
    return Answer(200, {"data": to_messaging_settings(record)})


def voice_settings(state: State, request: Request, number_id: str) -> Answer:
    record = owned(state, request.account, number_id)
    if request.method == "PATCH":
        body = json_of(request)
        voice = record.setdefault("voice", {})
        voice.update({key: body[key] for key in _VOICE_UPDATES if key in body})
        record["usage_payment_method"] = voice.get("usage_payment_method", "pay-per-minute")
        touched(state, record)
    else:
        check_lookups(state, request.account)
    return Answer(200, {"data": to_voice_settings(record)})


def reserve(state: State, request: Request) -> Answer:
    body = json_of(request)
    items = body.get("phone_numbers")
    if not isinstance(items, list) or not items:
        raise Refused(422, 10004, pointer="/phone_numbers")
    numbers = [str(item.get("phone_number")) if isinstance(item, dict) else "" for item in items]
    for index, number in enumerate(numbers):
        pointer = f"/phone_numbers/{index}"
        if state.reserved_by(number):
            raise Refused(422, 85006, pointer=pointer)
        check_available(state, request.account, number, pointer)
    now = time.time()
    reservation = {
        "id": str(uuid.uuid4()),
        "account": request.account,
        "customer_reference": body.get("customer_reference"),
        "created_at": now,
        "items": [
            {
                "id": str(uuid.uuid4()),
                "phone_number": n,
                "expires_at": now + _RESERVED_SECONDS,
            }
            for n in numbers
        ],
    }
    state.reservations[reservation["id"]] = reservation
    return _reserved(state, reservation)


def list_reservations(state: State, request: Request) -> Answer:
    known = ["customer_reference", "status", "phone_numbers.phone_number"]
    check_filters(request, known)
    reference, status, number = (request.arg(f"filter[{name}]") for name in known)
    kept = [
        reservation
        for reservation in state.reservations.values()
        if reservation["account"] == request.account
        and reference in ("", reservation["customer_reference"])
        and status in ("", "success")
        and (not number or any(i["phone_number"] == number for i in reservation["items"]))
    ]
    return page_of(request, kept, to_reservation)


def get_reservation(state: State, request: Request, reservation_id: str) -> Answer:
    return Answer(200, {"data": to_reservation(_reservation(state, request, reservation_id))})


def extend_reservation(state: State, request: Request, reservation_id: str) -> Answer:
    reservation = _reservation(state, request, reservation_id)
    for item in reservation["items"]:
        item["expires_at"] += _RESERVED_SECONDS
    return _reserved(state, reservation)


def list_applications(state: State, request: Request) -> Answer:
    check_filters(request, ["application_name][contains"])
    part = request.arg("filter[application_name][contains]").lower()
    kept = [
        application
        for application in state.account(request.account)["applications"].values()
        if part in application["application_name"].lower()
    ]
    return page_of(request, kept, _application)


def create_application(state: State, request: Request) -> Answer:
    fields = _fields(request, _APPLICATION_FIELDS, ("application_name", "webhook_event_url"))
    fields.setdefault("webhook_api_version", "1")
    return Answer(201, {"data": _application(state.add_application(request.account, fields))})


def one_application(state: State, request: Request, application_id: str) -> Answer:
    kept = state.account(request.account)["applications"]
    return _one(state, request, kept, application_id, _APPLICATION_FIELDS, _application)


def list_profiles(state: State, request: Request) -> Answer:
    check_filters(request, ["name", "name][eq", "name][contains"])
    names = request.arg("filter[name]"), request.arg("filter[name][eq]")
    part = request.arg("filter[name][contains]").lower()
    kept = [
        profile
        for profile in state.account(request.account)["messaging_profiles"].values()
        if all(name in ("", profile["name"]) for name in names) and part in profile["name"].lower()
    ]
    return page_of(request, kept, _profile)


def create_profile(state: State, request: Request) -> Answer:
    fields = _fields(request, _PROFILE_FIELDS, ("name", "whitelisted_destinations"))
    return Answer(200, {"data": _profile(state.add_profile(request.account, fields))})


def one_profile(state: State, request: Request, profile_id: str) -> Answer:
    kept = state.account(request.account)["messaging_profiles"]
    return _one(state, request, kept, profile_id, _PROFILE_FIELDS, _profile)


def command_call(state: State, request: Request, call_control_id: str, action: str) -> Answer:
    """Calls that were placed here obey as at Telnyx; any other id is taken for a call as well."""
    body = json_of(request)
    line = state.lines.get(call_control_id)
    if line == "over":
        raise Refused(422, 90018)
    if line == "ringing" and action in ("speak", "streaming_start"):
        raise Refused(422, 90034)
    required = {"speak": ("payload", "voice"), "reject": ("cause",)}
    for name in required.get(action, ()):
        if not body.get(name):
            raise Refused(422, 10004, pointer=f"/{name}")
    if line is not None and action == "answer":
        state.lines[call_control_id] = "answered"
    if line is not None and action in ("hangup", "reject"):
        state.lines[call_control_id] = "over"
    state.record_call(
        {
            "account": request.account,
            "call_control_id": call_control_id,
            "action": action,
            "body": body,
            "at": time.time(),
        }
    )
    return Answer(200, {"data": {"result": "ok"}})


def public_key(_state: State, request: Request) -> Answer:
    key = telnyx_public_key(request.account)
    return Answer(200, {"data": {"public": key, "record_type": "public_key"}})


_ID = "([^/]+)"
_ACTIONS = "(answer|speak|streaming_start|reject|hangup)"
ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", "country_coverage", countries),
    ("GET", r"country_coverage/countries/(\w\w)", country),
    ("GET", f"phone_numbers/{_ID}/messaging", messaging_settings),
    ("PATCH", f"phone_numbers/{_ID}/messaging", messaging_settings),
    ("GET", f"phone_numbers/{_ID}/voice", voice_settings),
    ("PATCH", f"phone_numbers/{_ID}/voice", voice_settings),
    ("POST", "number_reservations", reserve),
    ("GET", "number_reservations", list_reservations),
    ("GET", f"number_reservations/{_ID}", get_reservation),
    ("POST", f"number_reservations/{_ID}/actions/extend", extend_reservation),
    ("GET", "call_control_applications", list_applications),
    ("POST", "call_control_applications", create_application),
    ("GET", f"call_control_applications/{_ID}", one_application),
    ("PATCH", f"call_control_applications/{_ID}", one_application),
    ("DELETE", f"call_control_applications/{_ID}", one_application),
    ("GET", "messaging_profiles", list_profiles),
    ("POST", "messaging_profiles", create_profile),
    ("GET", f"messaging_profiles/{_ID}", one_profile),
    ("PATCH", f"messaging_profiles/{_ID}", one_profile),
    ("DELETE", f"messaging_profiles/{_ID}", one_profile),
    ("POST", f"calls/{_ID}/actions/{_ACTIONS}", command_call),
    ("GET", "public_key", public_key),
]


def _reservation(state: State, request: Request, reservation_id: str) -> Record:
    reservation = state.reservations.get(reservation_id)
    if reservation is None or reservation["account"] != request.account:
        raise Refused(404, 10005)
    return reservation


def _reserved(state: State, reservation: Record) -> Answer:
    for item in reservation["items"]:
        state.reserved[item["phone_number"]] = (
            reservation["account"],
            item["expires_at"],
        )
    state.changed()
    return Answer(200, {"data": to_reservation(reservation)})


def _fields(request: Request, known: list[str], required: tuple[str, ...] = ()) -> Record:
    body = json_of(request)
    for name in required:
        if not body.get(name):
            raise Refused(422, 10004, pointer=f"/{name}")
    return {key: body[key] for key in known if key in body}


def _one(
    state: State,
    request: Request,
    kept: dict[str, Record],
    record_id: str,
    known: list[str],
    mapper: Callable[[Record], Record],
) -> Answer:
    record = kept.get(record_id)
    if record is None:
        raise Refused(404, 10005)
    if request.method == "PATCH":
        record.update(_fields(request, known))
        touched(state, record)
    if request.method == "DELETE":
        del kept[record_id]
        state.changed()
    return Answer(200, {"data": mapper(record)})


def _application(record: Record) -> Record:
    return {"active": True, **to_dated("call_control_application", record)}


def _profile(record: Record) -> Record:
    return to_dated("messaging_profile", record)
