"""Telnyx's error codes that are a definite "no" to a purchase: our category and one next step.

A closed list, from https://developers.telnyx.com/api/errors. To add one: a row here and a row in
the test of the mapping. Left out on purpose because they say nothing definite about a purchase:
10007 (unexpected), 10008 (timeout), 10035 (locked), 10036 (being processed), 10037 (unavailable).
"""

from numbers.providers.http import Refusal

_CHECK_KEY = "Check the Telnyx API key: it is wrong, expired or revoked."
_VERIFY = "Raise the verification level of the Telnyx account in its portal."
_ADDRESS = "Correct the address on file at Telnyx."
_NOT_PERMITTED = "This Telnyx account may not order such numbers: ask Telnyx support."
_NOT_THERE = "Telnyx does not have this: check the ids in the settings."
_MALFORMED = "Telnyx did not accept the request: report it with the code."

CODES: dict[str, Refusal] = {
    # Credentials and the account
    "10009": Refusal("invalid_credentials", _CHECK_KEY),
    "10010": Refusal("invalid_credentials", "This Telnyx API key may not order: enter another."),
    "20001": Refusal("invalid_credentials", _CHECK_KEY),
    "20002": Refusal("invalid_credentials", _CHECK_KEY),
    "20003": Refusal("invalid_credentials", _CHECK_KEY),
    "20006": Refusal("invalid_credentials", _CHECK_KEY),
    "20008": Refusal("invalid_credentials", _CHECK_KEY),
    "20013": Refusal("invalid_credentials", "The Telnyx account is blocked: ask Telnyx support."),
    "20012": Refusal(
        "insufficient_balance",
        "The Telnyx account is inactive, maybe out of funds: add funds.",
    ),
    "20100": Refusal("insufficient_balance", "Add funds to the Telnyx account, then buy again."),
    "10038": Refusal("account_restricted", _NOT_PERMITTED),
    "10039": Refusal("account_restricted", "The Telnyx account reached a limit: ask its support."),
    "20014": Refusal("account_restricted", _VERIFY),
    "20015": Refusal("account_restricted", _NOT_PERMITTED),
    "20016": Refusal("account_restricted", _VERIFY),
    "20017": Refusal("account_restricted", _VERIFY),
    "10011": Refusal(
        "rate_limited",
        "Too many requests at Telnyx: wait a moment, then use a new key.",
        True,
    ),
    "85007": Refusal(
        "rate_limited", "Too many reservations at Telnyx: wait for some to end.", True
    ),
    "85008": Refusal("rate_limited", "The reservation cannot be extended: search again.", True),
    # The number
    "85000": Refusal("number_unavailable", "Telnyx sells only what a search just found: search."),
    "85001": Refusal("number_unavailable", "Somebody else has it: search and choose another."),
    "85006": Refusal("number_unavailable", "Somebody else reserved it: search and choose another."),
    "10002": Refusal("invalid_number", "Telnyx does not know this number: take one from a search."),
    "10016": Refusal("invalid_number", "Telnyx does not know this number: take one from a search."),
    # Our own request
    "10004": Refusal("provider_error", _MALFORMED),
    "10005": Refusal("provider_error", _NOT_THERE),
    "10006": Refusal("provider_error", _NOT_THERE),
    "10015": Refusal("provider_error", _MALFORMED),
    "10023": Refusal("provider_error", _MALFORMED),
    "10026": Refusal("provider_error", _MALFORMED),
    "10027": Refusal(
        "provider_error", "Telnyx sells no such numbers there: check country and kind."
    ),
    "10029": Refusal("provider_error", _MALFORMED),
    "10031": Refusal("provider_error", _MALFORMED),
    "10032": Refusal("provider_error", _MALFORMED),
    "10033": Refusal("provider_error", _MALFORMED),
    "85002": Refusal("provider_error", _MALFORMED),
    "85003": Refusal("provider_error", _MALFORMED),
    "85004": Refusal(
        "provider_error",
        "Telnyx does not know the connection id: correct it in the settings.",
        unknown_setting="connection_id",
    ),
    "85005": Refusal(
        "provider_error",
        "Telnyx does not know the messaging profile: correct it in the settings.",
        unknown_setting="messaging_profile_id",
    ),
    # Regulation
    **{str(code): Refusal("regulatory_requirement", _ADDRESS) for code in range(20200, 20210)},
}
