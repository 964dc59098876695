"""The rest of Twilio's twin: countries, the account, caller ids and the price list."""

import time
import uuid

from . import inventory
from .messages import E164, Answer, Refused, Request
from .state import State, friendly
from .twilio_shapes import date, page_of, paging, to_caller_id, to_country, to_prices


def countries(_state: State, request: Request, ac: str) -> Answer:
    listed = [to_country(ac, code) for code in inventory.COUNTRIES]
    return Answer(200, {"countries": listed, "uri": request.path})


def country(_state: State, _request: Request, ac: str, code: str) -> Answer:
    if code not in inventory.COUNTRIES:
        raise Refused(404, 20404)
    return Answer(200, to_country(ac, code))


def get_account(state: State, request: Request, ac: str) -> Answer:
    account = state.account(ac)
    return Answer(
        200,
        {
            "sid": ac,
            "friendly_name": account["friendly_name"],
            "status": "active" if account["active"] else account.get("status", "suspended"),
            "type": account["type"],
            "date_created": date(account["created_at"]),
            "date_updated": date(account["created_at"]),
            "owner_account_sid": account.get("owner_account_sid", ac),
            "uri": request.path,
        },
    )


def list_caller_ids(state: State, request: Request, ac: str) -> Answer:
    asked, name = request.arg("PhoneNumber"), request.arg("FriendlyName")
    records = [
        record
        for record in state.caller_ids.values()
        if record["account"] == ac
        and asked in ("", record["phone_number"])
        and name in ("", record["friendly_name"])
    ]
    return page_of(request, "outgoing_caller_ids", records, to_caller_id)


def add_caller_id(state: State, request: Request, ac: str) -> Answer:
    """Start a verification; here the person always answers, and types the right code."""
    number = request.phone_number
    if not E164.match(number):
        raise Refused(400, 21401, f"{number or 'PhoneNumber'} is not a valid number")
    if any((r["account"], r["phone_number"]) == (ac, number) for r in state.caller_ids.values()):
        raise Refused(400, 21450)
    record = {
        "id": f"PN{uuid.uuid4().hex}",
        "account": ac,
        "phone_number": number,
        "friendly_name": request.fields.get("FriendlyName") or friendly(number),
        "bought_at": time.time(),
        "updated_at": time.time(),
    }
    state.caller_ids[record["id"]] = record
    state.changed()
    return Answer(
        200,
        {
            "account_sid": ac,
            "phone_number": number,
            "friendly_name": record["friendly_name"],
            "call_sid": f"CA{uuid.uuid4().hex}",
            "validation_code": f"{int(uuid.uuid4().hex[:8], 16) % 1_000_000:06d}",
        },
    )


def one_caller_id(state: State, request: Request, ac: str, sid: str) -> Answer:
    record = state.caller_ids.get(sid)
    if record is None or record["account"] != ac:
        raise Refused(404, 20404)
    if request.method == "DELETE":
        del state.caller_ids[sid]
        state.changed()
        return Answer(204)
    if request.method == "POST":
        record["friendly_name"] = request.fields.get("FriendlyName", record["friendly_name"])
        state.changed()
    return Answer(200, to_caller_id(record))


def price_countries(_state: State, request: Request) -> Answer:
    size, page = paging(request)
    codes = list(inventory.COUNTRIES)
    base = f"https://pricing.twilio.com{request.path}?PageSize={size}&Page="
    listed = [to_prices(code, short=True) for code in codes[size * page : size * (page + 1)]]
    meta = {
        "page": page,
        "page_size": size,
        "first_page_url": f"{base}0",
        "previous_page_url": f"{base}{page - 1}" if page else None,
        "url": f"{base}{page}",
        "next_page_url": f"{base}{page + 1}" if size * (page + 1) < len(codes) else None,
        "key": "countries",
    }
    return Answer(200, {"countries": listed, "meta": meta})


def price_country(_state: State, _request: Request, code: str) -> Answer:
    if code not in inventory.COUNTRIES:
        raise Refused(404, 20404)
    return Answer(200, to_prices(code))
