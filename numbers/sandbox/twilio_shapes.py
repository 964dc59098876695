"""The formats of Twilio's answers: errors, pages, and one mapper for each kind of record."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlencode

from . import inventory
from .messages import Answer, Refused, Request
from .scenarios import scenario_of
from .state import Record, friendly

ROOT = "/2010-04-01/Accounts/"
KINDS = {"Local": "local", "TollFree": "toll_free", "Mobile": "mobile"}
_PRICE_NAMES = {"local": "local", "toll_free": "toll free", "mobile": "mobile"}
# What a purchase and an update may set, with the value of a number that nobody has set up.
SETTINGS = {
    "friendly_name": "",
    "voice_url": "",
    "voice_method": "POST",
    "voice_fallback_url": "",
    "voice_fallback_method": "POST",
    "voice_application_sid": "",
    "voice_caller_id_lookup": False,
    "voice_receive_mode": "voice",
    "sms_url": "",
    "sms_method": "POST",
    "sms_fallback_url": "",
    "sms_fallback_method": "POST",
    "sms_application_sid": "",
    "status_callback": "",
    "status_callback_method": "POST",
    "trunk_sid": None,
    "address_sid": None,
    "bundle_sid": None,
    "identity_sid": None,
    "emergency_status": "Inactive",
    "emergency_address_sid": None,
    "api_version": "2010-04-01",
}
_CODES = {
    401: 20003,
    403: 20403,
    404: 20404,
    409: 20409,
    429: 20429,
    500: 20500,
    503: 20503,
}
_MESSAGES = {
    20001: "Unknown parameter",
    20002: "Invalid FriendlyName: at most 64 characters",
    20003: "Authenticate",
    20005: "Account not active",
    20404: "The requested resource was not found",
    20409: "The resource is in a state that conflicts with the request",
    20429: "Too many concurrent requests",
    20500: "An internal server error has occurred",
    20503: "Service unavailable",
    21402: "Url is not a valid URL",
    21403: "Method is not a valid HTTP method",
    21404: "Trial accounts are allowed only one Twilio number",
    21405: "A voice fallback URL needs a voice URL",
    21406: "An SMS fallback URL needs an SMS URL",
    21407: "This phone number does not support SMS",
    21421: "PhoneNumber is invalid",
    21422: "PhoneNumber is not available",
    21450: "Phone number already validated",
    21451: "AreaCode is invalid",
    21452: "No phone numbers found in the area code",
    21473: "AccountSid has no relationship to this account",
    21631: "An AddressSid is required for this phone number",
    21649: "Bundle required and not provided for this country and number type",
}


def error(status: int, code: int | None = None, detail: str = "") -> Answer:
    """An error in Twilio's format; statuses that no code belongs to have none."""
    code = code or _CODES.get(status)
    body: Record = {
        "message": detail or _MESSAGES.get(code or 0, "Error"),
        "status": status,
    }
    if code:
        body |= {
            "code": code,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
        }
    return Answer(status, body)


def is_true(value: str) -> bool:
    return value.lower() == "true"


def paging(request: Request) -> tuple[int, int]:
    size, page = request.arg("PageSize") or "50", request.arg("Page") or "0"
    if not (size.isdecimal() and page.isdecimal()):
        raise Refused(400, 20001, "PageSize and Page must be numbers")
    return max(1, min(int(size), 1000)), int(page)


def page_of(
    request: Request,
    key: str,
    records: list[Record],
    mapper: Callable[[Record], Record],
) -> Answer:
    size, page = paging(request)
    kept = {k: v for k, v in request.query.items() if k not in ("PageSize", "Page", "PageToken")}

    def uri(number: int) -> str:
        query = urlencode({**kept, "PageSize": size, "Page": number}, doseq=True)
        return f"{request.path}?{query}"

    shown = records[size * page : size * (page + 1)]
    return Answer(
        200,
        {
            key: [mapper(record) for record in shown],
            "first_page_uri": uri(0),
            "previous_page_uri": uri(page - 1) if page else None,
            "next_page_uri": uri(page + 1) if len(records) > size * (page + 1) else None,
            "uri": uri(page),
            "page": page,
            "page_size": size,
            "start": size * page,
            "end": size * page + max(len(shown) - 1, 0),
        },
    )


def date(epoch: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(epoch), UTC))


def _capabilities(features: list[str] | frozenset[str]) -> Record:
    return {name: name in features for name in ("voice", "sms", "mms", "fax")}


def to_available(found: inventory.Found, country: str) -> Record:
    place = found.place
    return {
        "friendly_name": friendly(found.phone_number),
        "phone_number": found.phone_number,
        "lata": (place.lata or None) if place else None,
        "locality": place.locality if place else None,
        "rate_center": place.locality.upper() if place else None,
        "latitude": f"{place.latitude:.6f}" if place else None,
        "longitude": f"{place.longitude:.6f}" if place else None,
        "region": place.region if place else None,
        "postal_code": place.postal_code if place else None,
        "iso_country": country,
        "address_requirements": scenario_of(found.phone_number).address_requirements,
        "beta": False,
        "capabilities": _capabilities(inventory.features_of(found.phone_number)),
    }


def to_country(ac: str, code: str) -> Record:
    base = f"{ROOT}{ac}/AvailablePhoneNumbers/{code}"
    paths = {kind: path for path, kind in KINDS.items()}
    return {
        "country_code": code,
        "country": inventory.COUNTRIES[code].name,
        "uri": f"{base}.json",
        "beta": False,
        "subresource_uris": {
            kind: f"{base}/{paths[kind]}.json" for kind in inventory.kinds_of(code)
        },
    }


def to_number(record: Record) -> Record:
    ac, sid, number = record["account"], record["id"], record["phone_number"]
    return {
        "sid": sid,
        "account_sid": ac,
        "phone_number": number,
        "capabilities": _capabilities(record["features"]),
        "status": "in-use",
        "type": record["kind"].replace("_", "-"),
        "origin": "twilio",
        "beta": False,
        "address_requirements": scenario_of(number).address_requirements,
        "emergency_address_status": "unregistered",
        "date_created": date(record["bought_at"]),
        "date_updated": date(record["updated_at"]),
        "uri": f"{ROOT}{ac}/IncomingPhoneNumbers/{sid}.json",
        **{key: record.get(key, unset) for key, unset in SETTINGS.items()},
    }


def to_caller_id(record: Record) -> Record:
    ac, sid = record["account"], record["id"]
    return {
        "sid": sid,
        "account_sid": ac,
        "phone_number": record["phone_number"],
        "friendly_name": record["friendly_name"],
        "date_created": date(record["bought_at"]),
        "date_updated": date(record["updated_at"]),
        "uri": f"{ROOT}{ac}/OutgoingCallerIds/{sid}.json",
    }


def to_prices(code: str, *, short: bool = False) -> Record:
    url = f"https://pricing.twilio.com/v1/PhoneNumbers/Countries/{code}"
    named = {"country": inventory.COUNTRIES[code].name, "iso_country": code, "url": url}
    prices = [
        {
            "number_type": _PRICE_NAMES[kind],
            "base_price": inventory.TWILIO_PRICES[kind],
            "current_price": inventory.TWILIO_PRICES[kind],
        }
        for kind in inventory.kinds_of(code)
    ]
    return named if short else {**named, "price_unit": "USD", "phone_number_prices": prices}
