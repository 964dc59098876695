"""The fields of a purchase and of a search, each in every wrong shape: a 400 with one sentence
before any provider hears of it. And what may look odd, but is right."""

import json
from decimal import Decimal

import pytest

from assistants.models import Assistant
from burki.testing import TELNYX_NUMBER, TWILIO_NUMBER, make_assistant, orders_sent, post
from numbers.models import PhoneNumber, Purchase

pytestmark = pytest.mark.django_db

PURCHASE, SEARCH = "/phone-numbers/purchase", "/api/v1/phone-numbers/search"
GOOD = {"phone_number": TWILIO_NUMBER, "provider": "twilio"}
MISSING = object()

E164 = "Phone number must be in E.164 format (e.g., +1234567890)"
PROVIDER = "Provider must be 'twilio' or 'telnyx'"
ASSISTANT = "assistant_id must be a positive integer (e.g., 123)"
NAME = "Friendly name must be text of at most 64 characters, without control characters"


def send(client, path, body):
    """As raw JSON: a test client's own encoder takes no lone surrogates."""
    return client.post(path, json.dumps(body), content_type="application/json")


def refused(client, sandbox, field, value, path=PURCHASE):
    """The 400's sentence; nothing was sent and nothing is left."""
    body = GOOD | {field: value} if path == PURCHASE else {field: value}
    body = {name: given for name, given in body.items() if given is not MISSING}

    response = send(client, path, body)

    assert response.status_code == 400, (value, response.json())
    answer = response.json()
    assert answer["code"] == "invalid_request"
    assert isinstance(answer["detail"], str)
    assert sandbox.requests() == []
    assert not Purchase.objects.exists()
    assert not PhoneNumber.objects.exists()
    return answer["detail"]


def each(table):
    """A test for every row of the table, which may hold many values."""
    return pytest.mark.parametrize("values", table.values(), ids=list(table))


OTHER_TYPES = [1, 0, -1, 1.5, True, False, [], {}, [TWILIO_NUMBER], {"a": 1}]
FORBIDDEN_TEXT = [
    "\ud800",
    "Desk \udfff",
    "\x00",
    "De\x00sk",
    "De\nsk",
    "De\x1bsk",
    "De\x7fsk",
    "De\x85sk",
]


@each(
    {
        "missing": [MISSING, None, "", " "],
        "other types": [*OTHER_TYPES, 14155551234],
        "forbidden text": FORBIDDEN_TEXT,
        "without +": ["14155551234", "4155551234", "0014155551234", "tel:+14155551234"],
        "begins with 0": ["+0", "+04155551234"],
        "too short": ["+", "+1", "+123456"],
        "too long": ["+1234567890123456", "+" + "1" * 1_000],
        "punctuation": ["++14155551234", "+1 415 555 1234", "+1-415-555-1234", "+1(415)5551234"],
        "letters": ["+1415555123a", "+1415555CALL"],
        "two": ["+14155551234,+14155551235"],
        "blanks": [" +14155551234", "+14155551234 ", "\t+14155551234"],
        "newline": ["+14155551234\n", "\n+14155551234"],
        "spoiled": ["+14155551234\x00", "+1415555\ud8001234"],
        # Arabic-Indic and full-width digits, a full-width plus, a superscript
        "foreign digits": ["+١٤١٥٥٥٥١٢٣٤", "+1415555１２３４", "＋14155551234", "+1415555123⁴"],
    }
)
def test_a_phone_number_that_is_not_e164_is_refused(client, sandbox, values):
    for value in values:
        assert refused(client, sandbox, "phone_number", value) == E164


@pytest.mark.parametrize("number", ["+1234567", "+123456789012345"])
def test_seven_to_fifteen_digits_are_e164(client, sandbox, number):
    response = post(client, PURCHASE, GOOD | {"phone_number": number})

    assert response.status_code != 400
    assert Purchase.objects.get().phone_number == number


@each(
    {
        "missing": [MISSING, None, "", " "],
        "other types": OTHER_TYPES,
        "forbidden text": FORBIDDEN_TEXT,
        "others": ["vonage", "all", "twilio,telnyx"],
        "blanks": ["twilio ", " telnyx", "twilio\n"],
        "foreign letters": ["twılıo", "ＴＷＩＬＩＯ"],
    }
)
def test_a_provider_that_is_neither_is_refused(client, sandbox, values):
    for value in values:
        assert refused(client, sandbox, "provider", value) == PROVIDER


@pytest.mark.parametrize(
    ("given", "number"),
    [
        ("TWILIO", TWILIO_NUMBER),
        ("Twilio", TWILIO_NUMBER),
        ("TELNYX", TELNYX_NUMBER),
        ("tElNyX", TELNYX_NUMBER),
    ],
)
def test_a_provider_in_capitals_is_answered_in_small_letters(client, sandbox, given, number):
    response = post(client, PURCHASE, {"provider": given, "phone_number": number})

    assert response.status_code == 200
    answer = response.json()
    assert answer["provider"] == given.lower()
    assert answer["message"] == (
        f"Successfully purchased phone number {number} from {given.lower()}"
    )
    assert PhoneNumber.objects.get().provider == given.lower()
    again = post(client, PURCHASE, {"provider": given.lower(), "phone_number": number})
    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")


@each(
    {
        "strings": ["1", "", "abc", "null", "١", "\ud800", "\x00"],
        "not positive": [0, -1, -(2**63)],
        "booleans": [True, False],
        "fractions": [0.5, 1.0, 1.5, 1e300],
        "containers": [[], [1], {}, {"id": 1}],
    }
)
def test_an_assistant_id_that_is_no_positive_integer_is_refused(client, sandbox, values):
    for value in values:
        assert refused(client, sandbox, "assistant_id", value) == ASSISTANT


def test_an_assistant_that_nobody_has_is_a_404_however_large_its_id(client, sandbox):
    for number in (1, 123, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, 10**4_000):
        response = send(client, PURCHASE, GOOD | {"assistant_id": number})

        assert response.status_code == 404
        assert response.json() == {
            "detail": f"Assistant with ID {number} not found",
            "code": "not_found",
        }
    assert sandbox.requests() == []
    assert not Purchase.objects.exists()


def test_another_tenants_assistant_is_not_found_like_nobodys(client, other_organization, sandbox):
    foreign = make_assistant(other_organization)

    response = post(client, PURCHASE, GOOD | {"assistant_id": foreign.pk})

    assert response.status_code == 404
    assert response.json() == {
        "detail": f"Assistant with ID {foreign.pk} not found",
        "code": "not_found",
    }
    assert sandbox.requests() == []
    assert not Purchase.objects.exists()
    assert Assistant.objects.count() == 1


@pytest.mark.parametrize("over", [{}, {"assistant_id": None}])
def test_without_an_assistant_the_number_is_unassigned(client, assistant, sandbox, over):
    response = post(client, PURCHASE, GOOD | over)

    assert response.status_code == 200
    assert PhoneNumber.objects.get().assistant is None


@each(
    {
        "other types": OTHER_TYPES,
        "forbidden text": FORBIDDEN_TEXT,
        "too long": ["x" * 65, "x" * 1_000, "é" * 65, "📞" * 65],
    }
)
def test_a_friendly_name_that_is_none_is_refused_before_buying(client, sandbox, values):
    for value in values:
        assert refused(client, sandbox, "friendly_name", value) == NAME


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("x", "x"),
        ("x" * 64, "x" * 64),
        ("é" * 64, "é" * 64),
        ("📞 Support 👩‍💻 🇩🇪 ❤️", "📞 Support 👩‍💻 🇩🇪 ❤️"),
        ("می‌خواهم", "می‌خواهم"),
        ("Desk\u00a0one", "Desk\u00a0one"),
        ("  Front desk ", "Front desk"),
        ("  " + "x" * 64 + "  ", "x" * 64),
        ("<b>'; DROP TABLE x; --", "<b>'; DROP TABLE x; --"),
        ("", TWILIO_NUMBER),
        ("   ", TWILIO_NUMBER),
        (None, TWILIO_NUMBER),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_friendly_name_is_kept_here_and_at_twilio(client, sandbox, given, kept):
    response = post(client, PURCHASE, GOOD | {"friendly_name": given})

    assert response.status_code == 200
    assert response.json()["purchase_details"]["friendly_name"] == kept
    assert PhoneNumber.objects.get().friendly_name == kept
    (owned,) = sandbox.owned()
    assert owned["friendly_name"] == kept


@pytest.mark.parametrize("field", ["max_monthly_cost", "max_setup_cost"])
@each(
    {
        "empty": ["", " "],
        "words": ["abc", "$1.00", "1,50", "1.50 USD", "0x10", "\ud800", "1\x00"],
        "no numbers": ["NaN", "sNaN", "Infinity", "-Infinity"],
        "negative": ["-0.01", -1, -0.01],
        "too large": ["12345678", "9" * 2_000, 1e300],
        "too exact": ["1.000001", 0.0000001],
        "python's own": ["1_000", "١", " 1.15", "1.15\n"],
        "booleans": [True, False],
        "containers": [[], ["1"], {}, {"amount": 1}],
    }
)
def test_a_price_that_is_no_amount_is_refused(client, sandbox, field, values):
    for value in values:
        sentence = f"{field} must be an amount of money (e.g., 1.50)"
        assert refused(client, sandbox, field, value) == sentence


@pytest.mark.parametrize("value", ["1.15", 1.15, "1.15000", "1.16", 2, "2", "9999999.99999", None])
def test_a_price_that_suffices_buys(client, sandbox, value):
    response = post(client, PURCHASE, GOOD | {"max_monthly_cost": value, "max_setup_cost": 0})

    assert response.status_code == 200
    assert PhoneNumber.objects.get().monthly_cost == Decimal("1.15")


def test_a_price_that_does_not_suffice_buys_nothing(client, sandbox):
    for value in (0, "0", "0.00", 1.14999, "1.14"):
        response = post(client, PURCHASE, GOOD | {"max_monthly_cost": value})

        assert (response.status_code, response.json()["code"]) == (409, "price_changed")
    assert orders_sent(sandbox) == []


TEXTS = ("country_code", "area_code", "contains", "locality", "region", "number_type")


@pytest.mark.parametrize("field", [*TEXTS, "provider"])
def test_a_search_for_something_that_is_no_text_is_refused(client, sandbox, field):
    for value in [415, 1.5, True, [], {}, ["US"], "\ud800", "\x00", "a\nb"]:
        assert refused(client, sandbox, field, value, path=SEARCH) != ""


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("country_code", ["XX", "USA", "U", "+1"]),
        ("area_code", ["41a", "4155551", "٤١٥"]),
        ("contains", ["1", "12345678901234567", "41*", "٤١٥"]),
        ("locality", ["x" * 101]),
        ("region", ["x" * 101]),
        ("number_type", ["national", "LOCAL!"]),
        ("provider", ["vonage", "twilio,telnyx"]),
        ("limit", [0, 51, -1, "10", 10.0, 1.5, True, [10], 10**30]),
    ],
)
def test_a_search_for_something_that_cannot_be_is_refused(client, sandbox, field, values):
    for value in values:
        detail = refused(client, sandbox, field, value, path=SEARCH)

        assert field in detail.lower()
