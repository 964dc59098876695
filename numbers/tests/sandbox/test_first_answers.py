"""What a first purchase gets from each provider in every scenario."""

import pytest

from numbers.sandbox import SCENARIOS
from numbers.tests.sandbox.client import (
    AC,
    CUT,
    LOST,
    PATIENCE,
    SILENCE,
    eventually,
    outcome_of,
    telnyx_buy,
    twilio_buy,
)

OK = (201, None), (200, None)
# What a first purchase gets, from Twilio and from Telnyx, and who has bought it then.
FIRST_ANSWERS = {
    "0001": ((400, 21422), (422, "85001"), ""),
    "0002": ((400, 21421), (422, "10002"), ""),
    "0003": ((403, 20005), (403, "20100"), ""),
    "0004": ((401, 20003), (401, "10009"), ""),
    "0005": ((400, 21649), (200, None), "telnyx"),
    "0006": ((429, 20429), (429, "10011"), ""),
    "0007": ((400, 21404), (403, "10038"), ""),
    "0008": ((400, 21631), (422, "20200"), ""),
    "0009": ((400, 21422), (422, "85001"), ""),
    "0010": (LOST, LOST, "both"),
    "0011": (LOST, LOST, ""),
    "0012": (*OK, "both"),
    "0013": (SILENCE, SILENCE, "both"),
    "0014": (SILENCE, SILENCE, ""),
    "0015": (*OK, "both"),
    "0016": ((307, None), (307, None), ""),
    "0017": (CUT, CUT, "both"),
    "0020": ((500, 20500), (500, "10007"), ""),
    "0021": ((500, 20500), (500, "10007"), "both"),
    "0022": ((200, "not json"), (200, "not json"), "both"),
    "0023": ((502, "<html><h"), (502, "<html><h"), ""),
    "0024": (*OK, "both"),
    "0025": ((408, None), (408, "10008"), ""),
    "0026": ((409, 20409), (409, "10036"), ""),
    "0027": ((400, 29999), (400, "99999"), ""),
    "0030": (LOST, LOST, "both"),
    "0031": ((201, None), (422, "85001"), "both"),
    "0032": (LOST, LOST, "both"),
    "0040": ((400, 21407), (200, None), "telnyx"),
    "0041": ((400, 21407), (200, None), "telnyx"),
    "0042": ((201, None), (422, "85000"), "twilio"),
    "0050": (*OK, "both"),
    "0051": (*OK, "both"),
    "0052": (*OK, "both"),
    "0053": (*OK, "both"),
    "0054": (*OK, "both"),
    "0055": (*OK, "both"),
    "0056": ((201, None), LOST, "both"),
    "0057": (*OK, "both"),
    "0060": (*OK, "both"),
    "0061": (*OK, "both"),
    "0062": (*OK, "both"),
    "0070": (*OK, "both"),
    "0071": (*OK, "both"),
    "0072": (*OK, "both"),
}


def test_every_scenario_has_an_expected_first_answer():
    assert list(FIRST_ANSWERS) == list(SCENARIOS)


@pytest.mark.parametrize("digits", FIRST_ANSWERS)
def test_the_first_purchase_at_twilio_goes_as_the_scenario_says(sandbox, silent, digits):
    expected, _, buyers = FIRST_ANSWERS[digits]
    sandbox, timeout = (silent, PATIENCE) if expected == SILENCE else (sandbox, 5)
    number, form = f"+1415555{digits}", {"SmsUrl": "https://us.example/twiml"}

    got = outcome_of(lambda: twilio_buy(sandbox, number, form=form, timeout=timeout))

    assert got == expected
    expected = [number] if buyers in ("twilio", "both") else []

    def owned() -> list[str]:
        return [one["phone_number"] for one in sandbox.owned(provider="twilio", account=AC)]

    assert eventually(owned, expected) == expected


@pytest.mark.parametrize("digits", FIRST_ANSWERS)
def test_the_first_order_at_telnyx_goes_as_the_scenario_says(sandbox, silent, digits):
    _, expected, buyers = FIRST_ANSWERS[digits]
    sandbox, timeout = (silent, PATIENCE) if expected == SILENCE else (sandbox, 5)
    number = f"+1415555{digits}"

    got = outcome_of(lambda: telnyx_buy(sandbox, number, timeout=timeout))

    assert got == expected
    expected = {number} if buyers in ("telnyx", "both") else set()

    def ordered_or_owned() -> set[str]:
        orders = sandbox.orders("KEYacme")
        ordered = {order["phone_numbers"][0]["phone_number"] for order in orders}
        return ordered | {one["phone_number"] for one in sandbox.owned(account="KEYacme")}

    assert eventually(ordered_or_owned, expected) == expected
