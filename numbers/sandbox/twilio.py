"""Twilio's twin: the part of its REST API and its price list that sells phone numbers.

The functions stand in the same order as in `telnyx`. `handle` is called with the state's lock
held; it changes the state or raises `ScenarioFault` before it has changed anything.
"""

import base64
import binascii
import re
import time
from collections.abc import Callable

from . import inventory, twilio_extras
from .faults import obey
from .messages import E164, Answer, Refused, Request
from .scenarios import scenario_of
from .state import Record, State
from .twilio_shapes import (
    KINDS,
    ROOT,
    SETTINGS,
    error,
    is_true,
    page_of,
    paging,
    to_available,
    to_number,
)

__all__ = ["account_of", "error", "handle"]

_AC = re.compile(r"\AAC[0-9a-fA-F]{32}\Z")
_PARAMETERS = {"".join(w.capitalize() for w in key.split("_")): key for key in SETTINGS}


def handle(state: State, request: Request) -> Answer:
    """Answer one request to api.twilio.com or pricing.twilio.com."""
    try:
        _authenticate(state, request)
        for method, pattern, function in _ROUTES:
            match = pattern.fullmatch(request.path) if method == request.method else None
            if match:
                return function(state, request, *match.groups())
        raise Refused(404, 20404, f"The requested resource {request.path} was not found")
    except Refused as refused:
        return error(refused.status, refused.code, refused.detail)


def account_of(path: str, headers: dict[str, str]) -> str:
    """The account that the request is about, for the log; "" when it names none."""
    in_path = path.removeprefix(ROOT).split("/")[0].removesuffix(".json")
    return in_path if path.startswith(ROOT) else _credentials(headers)[0]


def search(state: State, request: Request, _ac: str, country: str, kind: str) -> Answer:
    if KINDS[kind] not in inventory.kinds_of(country):
        raise Refused(404, 20404)
    area = request.arg("AreaCode")
    if area and not (len(area) == 3 and area.isdecimal()):
        raise Refused(400, 21451)
    asked = ("voice", "sms", "mms", "fax")
    contains = request.arg("Contains")
    wanted = inventory.Wanted(
        country=country,
        kind=KINDS[kind],
        lines=inventory.TWILIO_LINES,
        area=area,
        locality=request.arg("InLocality"),
        region=request.arg("InRegion"),
        rate_center=request.arg("InRateCenter"),
        postal_code=request.arg("InPostalCode"),
        lata=request.arg("InLata"),
        near=_near(request),
        features=frozenset(f for f in asked if is_true(request.arg(f"{f.capitalize()}Enabled"))),
        pattern=_pattern(contains),
        digits=inventory.literal(re.split(r"[*%]", contains)[-1]),
    )
    size, page = paging(request)
    found = inventory.search(wanted, state.taken, limit=size, skip=size * page)
    excluded = ("All", "Local", "Foreign")
    if any(is_true(request.arg(f"Exclude{which}AddressRequired")) for which in excluded):
        found = [f for f in found if scenario_of(f.phone_number).address_requirements == "none"]
    numbers = [to_available(one, country) for one in found]
    return Answer(200, {"available_phone_numbers": numbers, "uri": request.path})


def buy(state: State, request: Request, ac: str) -> Answer:
    fields = _form(request)
    settings = _settings(fields)
    number = fields.get("PhoneNumber") or _pick(state, fields.get("AreaCode", ""))
    if not E164.match(number):
        raise Refused(400, 21421, f"{number or 'PhoneNumber'} is not a valid number")
    scenario = scenario_of(number)
    if scenario.already_owned:
        _find_already_owned(state, ac, number)
    owned = state.numbers.get(number)
    if owned and (owned["provider"], owned["account"]) == ("twilio", ac):
        # Twilio takes a second purchase for an update: same number, same sid, new settings.
        return _update(state, owned, settings, 201)
    if state.taken(number):
        raise Refused(400, 21422, f"{number} is not available")
    obey(scenario.purchase.get("twilio"), request)
    if any(value for key, value in settings.items() if key.startswith("sms_")):
        once = scenario.sms_refused_once and state.first_time(f"21407 {ac} {number}")
        if once or "sms" not in inventory.features_of(number):
            raise Refused(400, 21407)
    if state.account(ac)["type"] == "Trial" and state.listed("twilio", ac):
        raise Refused(400, 21404)
    price = inventory.TWILIO_PRICES[inventory.kind_of(number)]
    if not state.can_pay(ac, price):
        raise Refused(403, 20005)
    state.charge(ac, price)
    if scenario.lookups_refused_for:
        until = state.soon(scenario.lookups_refused_for)
        state.account(ac)["lookups_refused_until"] = until
    visible_from = state.soon(scenario.listed_after) if scenario.listed_after else 0.0
    record = state.add_number("twilio", ac, number, visible_from, settings)
    return Answer(201, to_number(record))


def list_numbers(state: State, request: Request, ac: str) -> Answer:
    _check_lookups(state, ac)
    asked = request.arg("PhoneNumber").strip()
    if E164.match(asked) and scenario_of(asked).already_owned:
        _find_already_owned(state, ac, asked)
    partial = re.compile(re.escape(asked).replace(r"\*", "."))
    name, origin = request.arg("FriendlyName"), request.arg("Origin")
    records = [
        record
        for record in state.listed("twilio", ac)
        if (not asked or partial.search(record["phone_number"]))
        and (not name or record["friendly_name"] == name)
        and (not origin or origin == "twilio")
    ]
    return page_of(request, "incoming_phone_numbers", records, to_number)


def get_number(state: State, _request: Request, ac: str, sid: str) -> Answer:
    _check_lookups(state, ac)
    return Answer(200, to_number(_owned(state, ac, sid)))


def update_number(state: State, request: Request, ac: str, sid: str) -> Answer:
    record = _owned(state, ac, sid)
    fields = _form(request)
    if fields.get("AccountSid", ac) != ac:
        raise Refused(400, 21473)
    settings = _settings(fields, record)
    if settings.get("sms_url") and "sms" not in record["features"]:
        raise Refused(400, 21407)
    return _update(state, record, settings, 200)


def release_number(state: State, request: Request, ac: str, sid: str) -> Answer:
    record = _owned(state, ac, sid)
    obey(scenario_of(record["phone_number"]).release, request)
    state.remove_number(record)
    return Answer(204)


def balance(state: State, _request: Request, ac: str) -> Answer:
    account = state.account(ac)
    if account.get("owner_account_sid", ac) != ac:
        raise Refused(404, 20404)  # a subaccount has no balance of its own
    values = {"balance": account["balance"], "currency": account["currency"]}
    return Answer(200, {"account_sid": ac, **values})


_SID = "([0-9A-Za-z]+)"
_ONE = rf"{ROOT}{_SID}"
_ROUTES: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
    (method, re.compile(path), function)
    for method, path, function in (
        (
            "GET",
            rf"{_ONE}/AvailablePhoneNumbers/(\w\w)/(Local|TollFree|Mobile)\.json",
            search,
        ),
        ("GET", rf"{_ONE}/AvailablePhoneNumbers\.json", twilio_extras.countries),
        ("GET", rf"{_ONE}/AvailablePhoneNumbers/(\w\w)\.json", twilio_extras.country),
        ("POST", rf"{_ONE}/IncomingPhoneNumbers\.json", buy),
        ("GET", rf"{_ONE}/IncomingPhoneNumbers\.json", list_numbers),
        ("GET", rf"{_ONE}/IncomingPhoneNumbers/{_SID}\.json", get_number),
        ("POST", rf"{_ONE}/IncomingPhoneNumbers/{_SID}\.json", update_number),
        ("DELETE", rf"{_ONE}/IncomingPhoneNumbers/{_SID}\.json", release_number),
        ("GET", rf"{_ONE}/Balance\.json", balance),
        ("GET", rf"{_ONE}\.json", twilio_extras.get_account),
        ("GET", rf"{_ONE}/OutgoingCallerIds\.json", twilio_extras.list_caller_ids),
        ("POST", rf"{_ONE}/OutgoingCallerIds\.json", twilio_extras.add_caller_id),
        ("GET", rf"{_ONE}/OutgoingCallerIds/{_SID}\.json", twilio_extras.one_caller_id),
        (
            "POST",
            rf"{_ONE}/OutgoingCallerIds/{_SID}\.json",
            twilio_extras.one_caller_id,
        ),
        (
            "DELETE",
            rf"{_ONE}/OutgoingCallerIds/{_SID}\.json",
            twilio_extras.one_caller_id,
        ),
        ("GET", "/v1/PhoneNumbers/Countries", twilio_extras.price_countries),
        ("GET", r"/v1/PhoneNumbers/Countries/(\w\w)", twilio_extras.price_country),
    )
]


def _credentials(headers: dict[str, str]) -> tuple[str, str]:
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _authenticate(state: State, request: Request) -> None:
    user, password = _credentials(request.headers)
    known = _AC.match(user) and password and "wrong" not in password and "invalid" not in password
    if not known or (request.provider == "twilio" and user != request.account):
        raise Refused(401, 20003)
    account = state.account(user)
    if account.get("auth_token") != password:  # what its webhooks are signed with
        account["auth_token"] = password
        state.changed()
    # The account itself can be read when it is suspended: its status is how one finds out.
    if not account["active"] and request.path != f"{ROOT}{user}.json":
        raise Refused(403, 20005)


def _check_lookups(state: State, ac: str) -> None:
    if state.account(ac)["lookups_refused_until"] > time.time():
        raise Refused(401, 20003)


def _find_already_owned(state: State, ac: str, number: str) -> None:
    if not state.taken(number) and state.first_time(f"owned {ac} {number}"):
        state.add_number("twilio", ac, number, 0.0, {"bought_at": time.time() - 86_400 * 30})


def _owned(state: State, ac: str, sid: str) -> Record:
    record = state.find_number("twilio", ac, sid)
    if record is None:
        raise Refused(404, 20404, f"The requested resource {sid} was not found")
    return record


def _pick(state: State, area: str) -> str:
    """The number that Twilio chooses when only an area code was given."""
    if not area:
        raise Refused(400, 21421, "PhoneNumber or AreaCode is required")
    if not (len(area) == 3 and area.isdecimal()):
        raise Refused(400, 21451)
    for code in ("US", "CA"):
        wanted = inventory.Wanted(
            country=code, kind="local", lines=inventory.TWILIO_LINES, area=area
        )
        found = inventory.search(wanted, state.taken, limit=1)
        if found:
            return found[0].phone_number
    raise Refused(400, 21452)


def _form(request: Request) -> dict[str, str]:
    """The form's fields; Twilio does not read JSON."""
    return {key: value for key, value in request.fields.items() if isinstance(value, str)}


def _settings(fields: dict[str, str], record: Record | None = None) -> Record:
    """The settings among the parameters, checked."""
    settings = {_PARAMETERS[key]: v for key, v in fields.items() if key in _PARAMETERS}
    if len(settings.get("friendly_name", "")) > 64:
        raise Refused(400, 20002)
    for key, value in settings.items():
        is_url = key.endswith(("_url", "_callback"))
        if is_url and value and not re.match(r"https?://[^/\s]", value):
            raise Refused(400, 21402, f"{value} is not a valid URL")
        if key.endswith("_method") and value not in ("GET", "POST"):
            raise Refused(400, 21403)
    both = {**(record or {}), **settings}
    for kind, code in (("voice", 21405), ("sms", 21406)):
        if settings.get(f"{kind}_fallback_url") and not both.get(f"{kind}_url"):
            raise Refused(400, code)
    if "voice_caller_id_lookup" in settings:
        settings["voice_caller_id_lookup"] = is_true(settings["voice_caller_id_lookup"])
    if not settings.get("friendly_name"):
        settings.pop("friendly_name", None)
    return settings


def _update(state: State, record: Record, settings: Record, status: int) -> Answer:
    record.update(settings, updated_at=time.time())
    state.changed()
    return Answer(status, to_number(record))


def _pattern(contains: str) -> str:
    """Twilio's Contains as a regular expression over the number with its +."""
    if not contains.strip():
        return ""
    # An unescaped + in a query arrives as a space.
    text = contains.strip() if contains.strip() == contains else f"+{contains.strip()}"
    anchored = text.startswith("+")
    body = "".join(
        {"*": ".", "%": ".*", "$": "$"}.get(c, inventory.literal(c)) for c in text.lstrip("+")
    )
    return rf"^\+{body}" if anchored else body


def _near(request: Request) -> tuple[float, float, float] | None:
    try:
        miles = float(request.arg("Distance") or 25)
        if request.arg("NearLatLong"):
            latitude, longitude = request.arg("NearLatLong").split(",")
            return float(latitude), float(longitude), miles
    except ValueError as problem:
        raise Refused(400, 20001, "NearLatLong and Distance must be numbers") from problem
    place = inventory.place_of(request.arg("NearNumber")) if request.arg("NearNumber") else None
    return (place.latitude, place.longitude, miles) if place else None
