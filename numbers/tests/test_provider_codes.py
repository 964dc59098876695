"""What a provider's error code means: the two closed lists, row by row.

The tables here are written out from the providers' documentation, not derived from the code.
"""

import re

import pytest

from numbers.providers import telnyx_codes, twilio_codes

TWILIO = {
    "10001": "insufficient_balance",
    "10002": "account_restricted",
    "13227": "account_restricted",
    "20001": "provider_error",
    "20002": "provider_error",
    "20003": "invalid_credentials",
    "20005": "insufficient_balance",
    "20006": "invalid_credentials",
    "20008": "invalid_credentials",
    "20010": "invalid_credentials",
    "20403": "invalid_credentials",
    "20404": "provider_error",
    "20429": "rate_limited",
    "21215": "account_restricted",
    "21401": "invalid_number",
    "21402": "provider_error",
    "21403": "provider_error",
    "21404": "account_restricted",
    "21405": "provider_error",
    "21406": "provider_error",
    "21407": "sms_not_supported",
    "21408": "account_restricted",
    "21409": "provider_error",
    "21420": "provider_error",
    "21421": "invalid_number",
    "21422": "number_unavailable",
    "21451": "invalid_number",
    "21452": "number_unavailable",
    "21457": "invalid_number",
    "21458": "invalid_number",
    "21470": "invalid_credentials",
    "21471": "invalid_credentials",
    "21472": "invalid_credentials",
    "21473": "invalid_credentials",
    "21613": "regulatory_requirement",
    "21615": "regulatory_requirement",
    "21628": "regulatory_requirement",
    "21629": "regulatory_requirement",
    "21631": "regulatory_requirement",
    "21649": "regulatory_requirement",
    "21650": "regulatory_requirement",
    "21651": "regulatory_requirement",
    "22300": "account_restricted",
}
TELNYX = {
    "10002": "invalid_number",
    "10004": "provider_error",
    "10005": "provider_error",
    "10006": "provider_error",
    "10009": "invalid_credentials",
    "10010": "invalid_credentials",
    "10011": "rate_limited",
    "10015": "provider_error",
    "10016": "invalid_number",
    "10023": "provider_error",
    "10026": "provider_error",
    "10027": "provider_error",
    "10029": "provider_error",
    "10031": "provider_error",
    "10032": "provider_error",
    "10033": "provider_error",
    "10038": "account_restricted",
    "10039": "account_restricted",
    "20001": "invalid_credentials",
    "20002": "invalid_credentials",
    "20003": "invalid_credentials",
    "20006": "invalid_credentials",
    "20008": "invalid_credentials",
    "20012": "insufficient_balance",
    "20013": "invalid_credentials",
    "20014": "account_restricted",
    "20015": "account_restricted",
    "20016": "account_restricted",
    "20017": "account_restricted",
    "20100": "insufficient_balance",
    "20200": "regulatory_requirement",
    "20201": "regulatory_requirement",
    "20202": "regulatory_requirement",
    "20203": "regulatory_requirement",
    "20204": "regulatory_requirement",
    "20205": "regulatory_requirement",
    "20206": "regulatory_requirement",
    "20207": "regulatory_requirement",
    "20208": "regulatory_requirement",
    "20209": "regulatory_requirement",
    "85000": "number_unavailable",
    "85001": "number_unavailable",
    "85002": "provider_error",
    "85003": "provider_error",
    "85004": "provider_error",
    "85005": "provider_error",
    "85006": "number_unavailable",
    "85007": "rate_limited",
    "85008": "rate_limited",
}
TABLES = {
    "twilio": (twilio_codes.CODES, TWILIO),
    "telnyx": (telnyx_codes.CODES, TELNYX),
}
ROWS = [(provider, code) for provider, (_, table) in TABLES.items() for code in table]
# Conflict, own trouble, timeout, locked, being processed: the purchase may have worked all the
# same. And codes of calls, which no purchase gets.
SAY_NOTHING = {
    "twilio": {"20409", "20500", "20503"},
    "telnyx": {"10007", "10008", "10035", "10036", "10037", "90015", "90018", "90034"},
}
REASONS = {
    "number_unavailable",
    "invalid_number",
    "insufficient_balance",
    "invalid_credentials",
    "regulatory_requirement",
    "account_restricted",
    "sms_not_supported",
    "rate_limited",
    "provider_error",
}
# A hint names the one next step: it has a verb that tells somebody to do something.
STEPS = re.compile(
    r"(?i)\b(add|allow|ask|check|choose|correct|create|enter|raise|report|search|set|take|upgrade"
    r"|upload|use|wait)\b"
)


@pytest.mark.parametrize(("provider", "code"), ROWS)
def test_a_listed_code_means_what_the_providers_documentation_says(provider, code):
    codes, table = TABLES[provider]

    assert codes[code].code == table[code]


@pytest.mark.parametrize("provider", TABLES)
def test_the_list_is_closed(provider):
    codes, table = TABLES[provider]

    assert set(codes) == set(table)
    assert {refusal.code for refusal in codes.values()} <= REASONS


@pytest.mark.parametrize("provider", TABLES)
def test_a_code_that_leaves_the_outcome_open_is_not_listed(provider):
    codes, _ = TABLES[provider]

    assert not SAY_NOTHING[provider] & set(codes)


@pytest.mark.parametrize("provider", TABLES)
def test_only_a_busy_provider_is_worth_the_same_request_again(provider):
    codes, _ = TABLES[provider]

    retryable = {code for code, refusal in codes.items() if refusal.retryable}

    assert retryable == {code for code, r in codes.items() if r.code == "rate_limited"}


@pytest.mark.parametrize(("provider", "code"), ROWS)
def test_a_hint_is_one_sentence_that_names_the_next_step(provider, code):
    hint = TABLES[provider][0][code].hint

    assert hint == hint.strip() and hint[0].isupper() and hint.endswith(".")
    assert not re.search(r"[.!?]\s", hint), "more than one sentence"
    assert len(hint) <= 120
    assert STEPS.search(hint), f"says nothing to do: {hint}"


@pytest.mark.parametrize("provider", TABLES)
def test_two_reasons_never_share_a_hint(provider):
    reasons: dict[str, set[str]] = {}
    for refusal in TABLES[provider][0].values():
        reasons.setdefault(refusal.hint, set()).add(refusal.code)

    assert {hint: codes for hint, codes in reasons.items() if len(codes) > 1} == {}
