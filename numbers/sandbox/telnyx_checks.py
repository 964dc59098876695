"""Who may do what in Telnyx's twin: keys, accounts, and what an order needs."""

import time

from .messages import Refused, Request
from .scenarios import scenario_of
from .state import Record, State


def key_of(headers: dict[str, str]) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def authenticate(state: State, request: Request) -> None:
    key = key_of(request.headers)
    if not request.account or "wrong" in key or "invalid" in key:
        raise Refused(401, 10009)
    if not state.account(request.account)["active"]:
        raise Refused(403, 20012)


def check_lookups(state: State, account: str) -> None:
    if state.account(account)["lookups_refused_until"] > time.time():
        raise Refused(401, 10009)


def check_may_order(state: State, account: str) -> None:
    if state.account(account).get("restricted"):
        raise Refused(403, 10038)


def check_settings(state: State, account: str, given: Record, *, of_order: bool = True) -> None:
    """Connection and profile must be the account's own, where they are given at all."""
    connection = given.get("connection_id") if of_order else None
    if connection and not state.knows_connection(account, str(connection)):
        raise Refused(422, 85004, pointer="/connection_id")
    profile = given.get("messaging_profile_id")
    if profile and profile not in state.account(account)["messaging_profiles"]:
        raise Refused(422, 85005, pointer="/messaging_profile_id")


def check_available(state: State, account: str, number: str, pointer: str) -> None:
    scenario = scenario_of(number)
    if scenario.already_owned:
        find_already_owned(state, account, number)
    gone = number in state.numbers or number in state.held or not scenario.offered
    if gone or state.reserved_by(number) not in (None, account):
        raise Refused(422, 85001, pointer=pointer)
    if not state.was_searched(account, number):
        raise Refused(422, 85000, pointer=pointer)
    if scenario.search_again and state.first_time(f"85000 {account} {number}"):
        state.forget_search(account, number)
        raise Refused(422, 85000, pointer=pointer)


def find_already_owned(state: State, account: str, number: str) -> None:
    if not state.taken(number) and state.first_time(f"owned {account} {number}"):
        state.add_number("telnyx", account, number, 0.0, {"bought_at": time.time() - 86_400 * 30})


def owned(state: State, account: str, number_id: str) -> Record:
    record = state.find_number("telnyx", account, number_id)
    if record is None:
        raise Refused(404, 10005)
    return record


def touched(state: State, record: Record) -> Record:
    record["updated_at"] = time.time()
    state.changed()
    return record
