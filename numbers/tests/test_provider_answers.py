"""What an HTTP answer means, to a request that spends money and to one that reads: refused, not
reached, or not known. Asked of both drivers; only HTTP is faked.
"""

import json
import re
from typing import Any

import pytest
import requests
import responses

from burki.testing import TWILIO_NUMBER, TWILIO_TOKEN
from numbers.exceptions import (
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    ProviderUnreachable,
)
from numbers.providers.base import Order, OrderState
from numbers.tests.driving import PROVIDERS, driver_of, order

NUMBER = TWILIO_NUMBER
ANYWHERE = re.compile("http://127.0.0.1:9/.*")
# A code that is in the provider's table, one that nobody knows, and what the first one means.
LISTED = {"twilio": 21422, "telnyx": 85001}
UNLISTED = {"twilio": 29999, "telnyx": 99999}
HTML = "<html><title>Sorry</title></html>"
NOT_OWN_FORMAT = (HTML, "", "{}", "null", '{"error": "no"}', '{"errors": []}', '{"code": "no"}')
GARBAGE = ("", "not json", HTML, "null", "[]", "7", '"x"', '{"data": ', "[" * 100_000)


def error_body(provider: str, code: int, text: str = "No.") -> str:
    if provider == "twilio":
        return json.dumps({"code": code, "message": text, "more_info": "…", "status": 400})
    return json.dumps({"errors": [{"code": str(code), "title": "Error", "detail": text}]})


def spend(provider: str) -> Order:
    return order(provider, NUMBER, search=False)


def read(provider: str) -> Any:
    return driver_of(provider).find_number(NUMBER)


def error_of(provider: str, spends: bool, status: int, body: Any, **given: Any) -> ProviderError:
    """What one answer raises; proves that nothing was sent a second time."""
    with responses.RequestsMock() as network:
        method = network.post if spends else network.get
        method(ANYWHERE, status=status, body=body, **given)
        with pytest.raises(ProviderError) as caught:
            (spend if spends else read)(provider)
        assert len(network.calls) == 1
    return caught.value


both = pytest.mark.parametrize("provider", PROVIDERS)
spending_or_reading = pytest.mark.parametrize("spends", [True, False], ids=["spends", "reads"])


def assert_no_usable_answer(error: ProviderError, spends: bool) -> None:
    assert type(error) is (OutcomeUnknown if spends else ProviderUnreachable)
    assert error.code == ("outcome_unknown" if spends else "provider_unreachable")


# --- Refused -------------------------------------------------------------------------------------


@both
@spending_or_reading
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 409, 410, 422, 429, 451])
def test_a_listed_code_with_any_4xx_is_a_definite_no(provider, spends, status):
    body = error_body(provider, LISTED[provider])

    error = error_of(provider, spends, status, body)

    assert type(error) is ProviderRefused
    assert (error.code, error.retryable) == ("number_unavailable", False)
    assert error.provider_code == str(LISTED[provider])
    assert error.status == status
    assert error.hint == "Somebody else has it: search and choose another."


@both
@spending_or_reading
@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (401, "invalid_credentials", False),
        (403, "account_restricted", False),
        (404, "provider_error", False),
        (422, "provider_error", False),
        (429, "rate_limited", True),
    ],
)
def test_five_statuses_are_a_definite_no_whatever_the_providers_code(
    provider, spends, status, code, retryable
):
    error = error_of(provider, spends, status, error_body(provider, UNLISTED[provider]))

    assert type(error) is ProviderRefused
    assert (error.code, error.retryable) == (code, retryable)
    assert (error.provider_code, error.status) == (str(UNLISTED[provider]), status)
    assert error.hint.endswith(".")


@both
@pytest.mark.parametrize("status", [400, 402, 405, 409, 410, 413, 418, 451])
def test_a_read_refused_for_an_unknown_reason_is_refused(provider, status):
    error = error_of(provider, False, status, error_body(provider, UNLISTED[provider]))

    assert type(error) is ProviderRefused
    assert (error.code, error.status) == ("provider_error", status)


# --- Not known -----------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("status", [400, 402, 405, 409, 410, 413, 418, 451])
def test_an_unlisted_code_leaves_it_open_whether_the_purchase_worked(provider, status):
    error = error_of(provider, True, status, error_body(provider, UNLISTED[provider]))

    assert_no_usable_answer(error, spends=True)
    assert (error.provider_code, error.status) == (str(UNLISTED[provider]), status)


@both
@spending_or_reading
@pytest.mark.parametrize("body", NOT_OWN_FORMAT)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429])
def test_a_4xx_that_the_provider_did_not_write_is_no_answer(provider, spends, status, body):
    error = error_of(provider, spends, status, body)

    assert_no_usable_answer(error, spends)
    assert (error.provider_code, error.status) == ("", status)
    assert error.provider_message == f"HTTP {status}"


@both
@spending_or_reading
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 408, 425, 500, 502, 503, 504, 599])
def test_these_statuses_are_never_definite_even_with_a_listed_code(provider, spends, status):
    body = error_body(provider, LISTED[provider])

    error = error_of(provider, spends, status, body, headers={"Location": "http://127.0.0.1:9/x"})

    assert_no_usable_answer(error, spends)
    assert error.status == status


@both
@spending_or_reading
@pytest.mark.parametrize("garbage", GARBAGE, ids=[text[:9] or "empty" for text in GARBAGE])
@pytest.mark.parametrize("status", [200, 201, 202])
def test_a_success_that_cannot_be_read_is_no_answer(provider, spends, status, garbage):
    error = error_of(provider, spends, status, garbage)

    assert_no_usable_answer(error, spends)


@both
@pytest.mark.parametrize(
    "body", ["{}", '{"message": "ok", "ok": true}', '{"data": {}}', '{"data": null}']
)
def test_a_list_without_a_list_is_not_an_empty_list(provider, body):
    error = error_of(provider, False, 200, body)

    assert_no_usable_answer(error, spends=False)


@both
def test_a_list_that_is_not_an_ordinary_200_proves_nothing(provider):
    whole = {
        "twilio": {"incoming_phone_numbers": [], "next_page_uri": None},
        "telnyx": {"data": []},  # and does not say how many pages there are
    }

    error = error_of(provider, False, 202, json.dumps(whole[provider]))

    assert_no_usable_answer(error, spends=False)


@pytest.mark.parametrize(
    "sold",
    [
        {"sid": "PN" + "1" * 32, "phone_number": "+14155559999"},
        {"sid": "PN123", "phone_number": NUMBER},
        {"sid": "AC" + "1" * 32, "phone_number": NUMBER},
        {"sid": None, "phone_number": NUMBER},
        {"sid": "PN" + "1" * 32, "phone_number": None},
        {"sid": "PN" + "1" * 32},
        {},
    ],
)
def test_a_twilio_201_that_does_not_name_what_was_bought_is_not_a_purchase(sold):
    error = error_of("twilio", True, 201, json.dumps(sold))

    assert_no_usable_answer(error, spends=True)


ITEM = {"phone_number": NUMBER, "status": "pending"}


@pytest.mark.parametrize(
    "ordered",
    [
        {"id": "o1", "phone_numbers": [ITEM | {"phone_number": "+14155559999"}]},
        {"id": "o1", "phone_numbers": []},
        {"id": "o1", "phone_numbers": None},
        {"id": "o1", "phone_numbers": [None]},
        {"id": "o1"},
        {"phone_numbers": [ITEM]},
        {"id": None, "phone_numbers": [ITEM]},
        {"id": "", "phone_numbers": [ITEM]},
        None,
        [],
    ],
)
def test_a_telnyx_200_that_does_not_name_order_and_number_is_not_an_order(ordered):
    error = error_of("telnyx", True, 200, json.dumps({"data": ordered}))

    assert_no_usable_answer(error, spends=True)


# --- The providers' formats ----------------------------------------------------------------------


def test_twilios_newer_error_format_is_understood_as_well():
    problem = {
        "type": "https://www.twilio.com/docs/api/errors/21422",
        "title": "PhoneNumber is not available",
        "status": 400,
        "code": 21422,
        "detail": "Taken.",
        "errors": [],
    }

    error = error_of(
        "twilio", True, 400, json.dumps(problem), content_type="application/problem+json"
    )

    assert type(error) is ProviderRefused
    assert (error.code, error.provider_code) == ("number_unavailable", "21422")
    assert error.provider_message == "PhoneNumber is not available"


def telnyx_errors(*errors: dict[str, Any]) -> str:
    return json.dumps({"errors": list(errors)})


def test_a_bad_request_that_points_at_the_number_means_the_number():
    pointing = {"code": "10015", "title": "Bad", "source": {"pointer": "/phone_numbers/0"}}

    error = error_of("telnyx", True, 422, telnyx_errors(pointing))

    assert type(error) is ProviderRefused
    assert (error.code, error.provider_code) == ("invalid_number", "10015")
    assert error.hint == "Telnyx does not know this number: take one from a search."


@pytest.mark.parametrize(
    "source", [None, {}, {"pointer": None}, {"pointer": "/connection_id"}, {"parameter": "page"}]
)
def test_a_bad_request_that_points_elsewhere_is_no_bad_number(source):
    error = error_of("telnyx", True, 400, telnyx_errors({"code": "10015", "source": source}))

    assert type(error) is ProviderRefused
    assert (error.code, error.provider_code) == ("provider_error", "10015")


def test_of_several_errors_the_one_that_is_listed_counts():
    unknown, known = {"code": "99999", "detail": "Hm."}, {"code": "20100", "detail": "No funds."}

    error = error_of("telnyx", True, 403, telnyx_errors(unknown, known))

    assert type(error) is ProviderRefused
    assert (error.code, error.provider_code) == ("insufficient_balance", "20100")
    assert error.provider_message == "No funds."


def test_of_several_errors_that_nobody_knows_the_first_is_kept():
    error = error_of("telnyx", True, 409, telnyx_errors({"code": "99999"}, {"code": "99998"}))

    assert_no_usable_answer(error, spends=True)
    assert error.provider_code == "99999"


@pytest.mark.parametrize("body", ['{"errors": [{}]}', '{"errors": ["85001"]}', '{"errors": {}}'])
def test_errors_without_a_code_are_not_telnyxs_format(body):
    error = error_of("telnyx", True, 422, body)

    assert_no_usable_answer(error, spends=True)


@both
def test_the_providers_sentence_is_cleaned_masked_and_cut(provider):
    text = f"Sorry,\n{NUMBER}\x00 is gone; token=SG9wZWZ1bGx5 " + "x" * 500

    error = error_of(provider, True, 400, error_body(provider, LISTED[provider], text))

    message = error.provider_message
    assert message.startswith("Sorry, +1********34 is gone;")
    assert len(message) == 300
    assert "SG9wZWZ1" not in message and "\x00" not in message and "\n" not in message


@both
def test_trouble_on_the_way_never_shows_the_address_or_the_secret(provider):
    broken = requests.ConnectionError(f"https://user:{TWILIO_TOKEN}@host/?PhoneNumber={NUMBER}")

    error = error_of(provider, True, 200, broken)

    assert_no_usable_answer(error, spends=True)
    assert error.provider_message == f"ConnectionError at {provider}"


# --- The two refusals whose cause can be removed -------------------------------------------------


@pytest.mark.parametrize("status", [500, 408, 302])
def test_telnyx_is_not_asked_again_unless_it_said_no(status):
    error = error_of("telnyx", True, status, error_body("telnyx", 85000))

    assert_no_usable_answer(error, spends=True)


def test_the_order_that_follows_an_unsearched_number_is_the_last_one():
    with responses.RequestsMock() as network:
        network.post(ANYWHERE, status=422, body=error_body("telnyx", 85000))
        network.get(ANYWHERE, json={"data": []})
        with pytest.raises(ProviderRefused) as caught:
            spend("telnyx")
        sent = [call.request.method for call in network.calls]

    assert sent == ["POST", "GET", "POST"]
    assert (caught.value.code, caught.value.provider_code) == ("number_unavailable", "85000")


def test_without_the_search_there_is_no_second_order():
    with responses.RequestsMock() as network:
        network.post(ANYWHERE, status=422, body=error_body("telnyx", 85000))
        network.get(ANYWHERE, status=503, body=error_body("telnyx", 10037))
        with pytest.raises(ProviderRefused) as caught:
            spend("telnyx")
        sent = [call.request.method for call in network.calls]

    assert sent == ["POST", "GET"]
    assert (caught.value.code, caught.value.provider_code) == ("number_unavailable", "85000")


def test_telnyxs_own_word_decides_what_an_order_is():
    states = {}
    for word in ("success", "pending", "failure", "cancelled", "deleted", "on-hold", "", None):
        order = {"id": "o1", "status": "pending", "phone_numbers": [ITEM | {"status": word}]}
        with responses.RequestsMock() as network:
            network.post(ANYWHERE, json={"data": order})
            states[word] = spend("telnyx").state

    assert states == {
        "success": OrderState.COMPLETED,
        "failure": OrderState.REFUSED,
        "cancelled": OrderState.REFUSED,
        "deleted": OrderState.REFUSED,
        "pending": OrderState.PENDING,
        "on-hold": OrderState.PENDING,
        "": OrderState.PENDING,
        None: OrderState.PENDING,
    }
