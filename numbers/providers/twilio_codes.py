"""Twilio's error codes that are a definite "no" to a purchase: our category and one next step.

A closed list, from https://www.twilio.com/docs/api/errors. To add one: a row here and a row in
the test of the mapping. Left out on purpose because they say nothing definite about a purchase:
20409 (conflict), 20500 and 20503 (Twilio's own trouble).
"""

from numbers.providers.http import Refusal

_FIX_ADDRESS = "Add a valid address for this country to the Twilio account, then buy again."
_CORRECT_ADDRESS = "Correct the address on file: Twilio cannot validate it."
_CHECK_SID = "Check the Twilio account SID: it is not valid."
_OUR_BUG = "This is a fault of this system, not yours: report it with the code."

CODES: dict[str, Refusal] = {
    # Credentials and the account
    "20003": Refusal(
        "invalid_credentials",
        "Check the Twilio account SID and auth token; a suspended account answers this as well.",
    ),
    "20006": Refusal(
        "invalid_credentials", "These Twilio credentials may not do this: enter others."
    ),
    "20008": Refusal(
        "invalid_credentials", "These are Twilio test credentials: enter the live ones."
    ),
    "20010": Refusal("invalid_credentials", "Twilio disabled this action: ask its support."),
    "20403": Refusal(
        "invalid_credentials",
        "The Twilio account is suspended or closed: ask Twilio support.",
    ),
    "21470": Refusal("invalid_credentials", _CHECK_SID),
    "21471": Refusal("invalid_credentials", "The Twilio account is not active: ask its support."),
    "21472": Refusal("invalid_credentials", _CHECK_SID),
    "21473": Refusal(
        "invalid_credentials", "The two Twilio accounts are not related: check the SID."
    ),
    "10001": Refusal(
        "insufficient_balance",
        "The Twilio account is not active, mostly for lack of funds: add funds in its console.",
    ),
    "20005": Refusal(
        "insufficient_balance",
        "The Twilio account is not active, mostly for lack of funds: add funds in its console.",
    ),
    "10002": Refusal("account_restricted", "Upgrade the Twilio trial account to buy numbers."),
    "21404": Refusal("account_restricted", "Upgrade the Twilio trial account to buy numbers."),
    "22300": Refusal(
        "account_restricted",
        "Twilio does not let this account buy such numbers: ask its support.",
    ),
    "21408": Refusal("account_restricted", "Allow this country in Twilio's geo permissions."),
    "21215": Refusal("account_restricted", "Allow this country in Twilio's geo permissions."),
    "13227": Refusal("account_restricted", "Allow this country in Twilio's geo permissions."),
    "20429": Refusal(
        "rate_limited",
        "Too many requests at Twilio: wait a moment, then use a new key.",
        True,
    ),
    # The number
    "21422": Refusal("number_unavailable", "Somebody else has it: search and choose another."),
    "21452": Refusal("number_unavailable", "No numbers in this area code: search another one."),
    "21401": Refusal("invalid_number", "Twilio does not know this number: take one from a search."),
    "21421": Refusal("invalid_number", "Twilio does not know this number: take one from a search."),
    "21451": Refusal("invalid_number", "Twilio does not know this area code: search another one."),
    "21457": Refusal("invalid_number", "The area code is of another kind: search another one."),
    "21458": Refusal("invalid_number", "The number is of another kind: take one from a search."),
    # Our own request
    "20001": Refusal("provider_error", _OUR_BUG),
    "20002": Refusal("provider_error", "Choose another friendly name: Twilio refuses this one."),
    "21402": Refusal(
        "provider_error",
        "Twilio refuses our webhook address: set PUBLIC_BASE_URL correctly.",
    ),
    "21403": Refusal("provider_error", _OUR_BUG),
    "21405": Refusal("provider_error", _OUR_BUG),
    "21406": Refusal("provider_error", _OUR_BUG),
    "21407": Refusal("sms_not_supported", "This number cannot do SMS: choose another."),
    "21409": Refusal("provider_error", _OUR_BUG),
    "21420": Refusal("provider_error", _OUR_BUG),
    # Regulation
    "21613": Refusal("regulatory_requirement", _FIX_ADDRESS),
    "21615": Refusal(
        "regulatory_requirement",
        "Add a local address for this number to the Twilio account.",
    ),
    "21628": Refusal("regulatory_requirement", _CORRECT_ADDRESS),
    "21629": Refusal("regulatory_requirement", _CORRECT_ADDRESS),
    "21631": Refusal("regulatory_requirement", _FIX_ADDRESS),
    "21649": Refusal(
        "regulatory_requirement",
        "Create a regulatory bundle for this country and number type in Twilio's console.",
    ),
    "21650": Refusal("regulatory_requirement", "Twilio needs an identity document: upload one."),
    "21651": Refusal(
        "regulatory_requirement",
        "Correct the document or address on file: it does not satisfy the rules.",
    ),
    # Reads
    "20404": Refusal("provider_error", "Twilio does not have this: check country and kind."),
}
