"""What happens to a number, by its last four digits: the one table.

The sentences are for people (a README table is made of them); everything else is data that the
twins read. A number that is not in the table behaves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from .faults import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPlan:
    """How a Telnyx order ends: after so many seconds (None: the usual delay, inf: never)."""

    after: float | None = None
    order: str = "success"
    item: str = "success"
    applies_settings: bool = True
    requirements_met: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What Telnyx asks; not `shown` means that the offer does not say."""

    monthly: str
    upfront: str = "0.00000"
    currency: str = "USD"
    shown: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One row. `purchase` and `release` are faults of that call, by provider name.

    Seconds are multiplied by the sandbox's `time_scale`.
    """

    digits: str
    name: str
    twilio: str = "Bought normally."
    telnyx: str = "Bought normally."
    purchase: Mapping[str, Fault] = field(default_factory=dict)
    release: Fault | None = None
    offered: bool = True
    sms: bool = True
    address_requirements: str = "none"
    already_owned: bool = False
    sms_refused_once: bool = False
    search_again: bool = False
    listed_after: float = 0.0
    lookups_refused_for: float = 0.0
    plan: OrderPlan = OrderPlan()
    price: Price | None = None


def _each(twilio: tuple[int, int], telnyx: tuple[int, int]) -> dict[str, Fault]:
    return {
        "twilio": Fault(status=twilio[0], code=twilio[1]),
        "telnyx": Fault(status=telnyx[0], code=telnyx[1]),
    }


def _both(fault: Fault) -> dict[str, Fault]:
    return {"twilio": fault, "telnyx": fault}


_LOST = Fault(action="drop", apply=True)
_BAD_GATEWAY = "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"

_TABLE = (
    Scenario(
        digits="0001",
        name="unavailable",
        twilio="Offered by search, refused at purchase: 400, code 21422.",
        telnyx="Offered by search, refused at purchase: 422, code 85001.",
        purchase=_each((400, 21422), (422, 85001)),
    ),
    Scenario(
        digits="0002",
        name="invalid number",
        twilio="Refused: 400, code 21421.",
        telnyx="Refused: 422, code 10002.",
        purchase=_each((400, 21421), (422, 10002)),
    ),
    Scenario(
        digits="0003",
        name="insufficient funds",
        twilio="Refused: 403, code 20005.",
        telnyx="Refused: 403, code 20100.",
        purchase=_each((403, 20005), (403, 20100)),
    ),
    Scenario(
        digits="0004",
        name="bad credentials at purchase",
        twilio="Refused: 401, code 20003; every other call works.",
        telnyx="Refused: 401, code 10009; every other call works.",
        purchase=_both(Fault(status=401)),
    ),
    Scenario(
        digits="0005",
        name="regulatory requirement",
        twilio="Refused: 400, code 21649 (a bundle is required).",
        telnyx="Ordered, but pending for ever with requirements_met false, until its sub-order "
        "is cancelled.",
        purchase={"twilio": Fault(status=400, code=21649)},
        plan=OrderPlan(after=inf, requirements_met=False),
    ),
    Scenario(
        digits="0006",
        name="rate limited",
        twilio="Refused: 429, code 20429.",
        telnyx="Refused: 429, code 10011, with x-ratelimit headers.",
        purchase=_both(Fault(status=429)),
    ),
    Scenario(
        digits="0007",
        name="account restricted",
        twilio="Refused: 400, code 21404 (trial account).",
        telnyx="Refused: 403, code 10038.",
        purchase=_each((400, 21404), (403, 10038)),
    ),
    Scenario(
        digits="0008",
        name="address needed",
        twilio="Refused: 400, code 21631.",
        telnyx="Refused: 422, code 20200.",
        purchase=_each((400, 21631), (422, 20200)),
        address_requirements="any",
    ),
    Scenario(
        digits="0009",
        name="never offered",
        twilio="No search offers it; refused at purchase: 400, code 21422.",
        telnyx="No search offers it; refused at purchase: 422, code 85001.",
        purchase=_each((400, 21422), (422, 85001)),
        offered=False,
    ),
    Scenario(
        digits="0010",
        name="bought, answer lost",
        twilio="Bought, then the connection is closed without an answer.",
        telnyx="Ordered, then the connection is closed without an answer.",
        purchase=_both(_LOST),
    ),
    Scenario(
        digits="0011",
        name="dropped before buying",
        twilio="The connection is closed without an answer; nothing is bought.",
        telnyx="The connection is closed without an answer; nothing is ordered.",
        purchase=_both(Fault(action="drop")),
    ),
    Scenario(
        digits="0012",
        name="slow",
        twilio="Bought after 2 seconds, with a normal answer.",
        telnyx="Ordered after 2 seconds, with a normal answer.",
        purchase=_both(Fault(delay=2.0)),
    ),
    Scenario(
        digits="0013",
        name="bought, then no answer",
        twilio="Bought, then silence until the client goes away.",
        telnyx="Ordered, then silence until the client goes away.",
        purchase=_both(Fault(action="hang", apply=True)),
    ),
    Scenario(
        digits="0014",
        name="no answer, not bought",
        twilio="Silence until the client goes away; nothing is bought.",
        telnyx="Silence until the client goes away; nothing is ordered.",
        purchase=_both(Fault(action="hang")),
    ),
    Scenario(
        digits="0015",
        name="bought, answer drips",
        twilio="Bought; the answer comes one byte each 0.2 seconds.",
        telnyx="Ordered; the answer comes one byte each 0.2 seconds.",
        purchase=_both(Fault(action="drip", apply=True)),
    ),
    Scenario(
        digits="0016",
        name="redirect",
        twilio="Answers 307; bought only by a client that follows it.",
        telnyx="Answers 307; ordered only by a client that follows it.",
        purchase=_both(Fault(action="redirect")),
    ),
    Scenario(
        digits="0017",
        name="bought, answer cut off",
        twilio="Bought; the answer ends in the middle of its JSON.",
        telnyx="Ordered; the answer ends in the middle of its JSON.",
        purchase=_both(Fault(action="truncate", apply=True)),
    ),
    Scenario(
        digits="0020",
        name="500 before buying",
        twilio="Answers 500, code 20500; nothing is bought.",
        telnyx="Answers 500, code 10007; nothing is ordered.",
        purchase=_both(Fault(status=500)),
    ),
    Scenario(
        digits="0021",
        name="500 after buying",
        twilio="Bought, yet answers 500, code 20500.",
        telnyx="Ordered, yet answers 500, code 10007.",
        purchase=_both(Fault(status=500, apply=True)),
    ),
    Scenario(
        digits="0022",
        name="bought, garbage answer",
        twilio="Bought; answers 200 with something that is not JSON.",
        telnyx="Ordered; answers 200 with something that is not JSON.",
        purchase=_both(Fault(action="garbage", apply=True)),
    ),
    Scenario(
        digits="0023",
        name="HTML 502 before buying",
        twilio="A gateway answers 502 with an HTML page; nothing is bought.",
        telnyx="A gateway answers 502 with an HTML page; nothing is ordered.",
        purchase=_both(Fault(status=502, body=_BAD_GATEWAY)),
    ),
    Scenario(
        digits="0024",
        name="another number in the answer",
        twilio="Bought, but the answer names another number (…9999).",
        telnyx="Ordered, but the answer names another number (…9999).",
        purchase=_both(Fault(action="misname", apply=True)),
    ),
    Scenario(
        digits="0025",
        name="408, not bought",
        twilio="Answers 408 without a code; nothing is bought.",
        telnyx="Answers 408, code 10008; nothing is ordered.",
        purchase=_both(Fault(status=408)),
    ),
    Scenario(
        digits="0026",
        name="409, not bought",
        twilio="Answers 409, code 20409; nothing is bought.",
        telnyx="Answers 409, code 10036; nothing is ordered.",
        purchase=_both(Fault(status=409)),
    ),
    Scenario(
        digits="0027",
        name="unknown error code",
        twilio="Refused: 400 with a code that nobody knows, 29999.",
        telnyx="Refused: 400 with a code that nobody knows, 99999.",
        purchase=_each((400, 29999), (400, 99999)),
    ),
    Scenario(
        digits="0030",
        name="answer lost, listed late",
        twilio="Bought, answer lost; lists show it only 10 seconds later.",
        telnyx="Ordered, answer lost; lists show order and number only 10 seconds later.",
        purchase=_both(_LOST),
        listed_after=10.0,
    ),
    Scenario(
        digits="0031",
        name="already in the account",
        twilio="The account has had it for long, without any tag: listed with an empty "
        "status_callback; buying it answers 201 and overwrites its URLs.",
        telnyx="The account has had it for long, without any tag: listed; an order is refused "
        "with 422, code 85001.",
        already_owned=True,
        offered=False,
    ),
    Scenario(
        digits="0032",
        name="answer lost, look-ups refused",
        twilio="Bought, answer lost; for 10 seconds look-ups answer 401, code 20003.",
        telnyx="Ordered, answer lost; for 10 seconds look-ups answer 401, code 10009.",
        purchase=_both(_LOST),
        lookups_refused_for=10.0,
    ),
    Scenario(
        digits="0040",
        name="voice only",
        twilio="Bought normally; without SMS, and search says so. SMS fields: 400, code 21407.",
        telnyx="Bought normally; without SMS, and search says so.",
        sms=False,
    ),
    Scenario(
        digits="0041",
        name="SMS refused once",
        twilio="Search says SMS, but the first purchase with SMS fields gets 400, code 21407.",
        sms_refused_once=True,
    ),
    Scenario(
        digits="0042",
        name="search once more",
        telnyx="The first order is refused with 422, code 85000; after one more search it works.",
        search_again=True,
    ),
    Scenario(
        digits="0050",
        name="pending, then success",
        telnyx="Pending, success after 3 seconds.",
        plan=OrderPlan(after=3.0),
    ),
    Scenario(
        digits="0051",
        name="pending, then failure",
        telnyx="Pending, failure after 3 seconds.",
        plan=OrderPlan(after=3.0, order="failure", item="failure"),
    ),
    Scenario(
        digits="0052",
        name="pending for ever",
        telnyx="Pending for ever.",
        plan=OrderPlan(after=inf),
    ),
    Scenario(
        digits="0053",
        name="order success, item failure",
        telnyx="The order says success, its item failure; nothing is bought.",
        plan=OrderPlan(item="failure"),
    ),
    Scenario(
        digits="0054",
        name="pending, then cancelled",
        telnyx="Pending, cancelled after 3 seconds.",
        plan=OrderPlan(after=3.0, order="cancelled", item="cancelled"),
    ),
    Scenario(
        digits="0055",
        name="settings not applied",
        telnyx="Success, but the number has neither the connection nor the messaging profile.",
        plan=OrderPlan(applies_settings=False),
    ),
    Scenario(
        digits="0056",
        name="answer lost, success later",
        telnyx="Ordered, answer lost; success after 3 seconds.",
        purchase={"telnyx": _LOST},
        plan=OrderPlan(after=3.0),
    ),
    Scenario(
        digits="0057",
        name="success at once",
        telnyx="The answer to the order already says success.",
        plan=OrderPlan(after=0.0),
    ),
    Scenario(
        digits="0060",
        name="price unknown",
        telnyx="Offered without cost_information; costs 1.00 a month.",
        price=Price(monthly="1.00000", shown=False),
    ),
    Scenario(
        digits="0061",
        name="expensive",
        telnyx="Costs 25.00 a month and 5.00 once.",
        price=Price(monthly="25.00000", upfront="5.00000"),
    ),
    Scenario(
        digits="0062",
        name="price in another currency",
        telnyx="Costs 1.00 EUR a month.",
        price=Price(monthly="1.00000", currency="EUR"),
    ),
    Scenario(
        digits="0070",
        name="released, yet 500",
        twilio="Bought normally; DELETE releases it, yet answers 500.",
        telnyx="Bought normally; DELETE releases it, yet answers 500.",
        release=Fault(status=500, apply=True),
    ),
    Scenario(
        digits="0071",
        name="release dropped",
        twilio="Bought normally; DELETE closes the connection and releases nothing.",
        telnyx="Bought normally; DELETE closes the connection and releases nothing.",
        release=Fault(action="drop"),
    ),
    Scenario(
        digits="0072",
        name="release says 404",
        twilio="Bought normally; DELETE answers 404 although the number is still there.",
        telnyx="Bought normally; DELETE answers 404 although the number is still there.",
        release=Fault(status=404),
    ),
)

SCENARIOS: dict[str, Scenario] = {scenario.digits: scenario for scenario in _TABLE}

_ORDINARY = Scenario(digits="", name="ordinary")


def scenario_of(phone_number: str) -> Scenario:
    """The scenario of a number; an ordinary one when its digits are not in the table."""
    return SCENARIOS.get(phone_number[-4:], _ORDINARY)
