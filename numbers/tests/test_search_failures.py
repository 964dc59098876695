"""Searches that go wrong: a failure is never an empty success, one provider's trouble does not
hide the other's numbers, and criteria are never widened."""

import re
import threading

import pytest
from django.core.cache import cache

from burki.testing import HURRIED, make_client, make_organization, make_telnyx_account, post
from numbers.models import Offer

pytestmark = pytest.mark.django_db

SEARCH = "/phone-numbers/search"
# Where each provider is asked for numbers, as the sandbox's faults want it.
PATH = {"twilio": "/AvailablePhoneNumbers/", "telnyx": "^/v2/available_phone_numbers"}
BOTH = ("twilio", "telnyx")
OTHER = {"twilio": "telnyx", "telnyx": "twilio"}

STRANGE = {
    "phone_number": "+14155555000",
    "features": ["sms"],
    "region_information": [None],
    "capabilities": ["sms"],
}
FAILURES = {
    "no key": ({"status": 401}, "invalid_credentials", False),
    "too many requests": ({"status": 429}, "rate_limited", True),
    "broken": ({"status": 500}, "provider_unreachable", True),
    "gateway": ({"status": 502, "body": "<html>"}, "provider_unreachable", True),
    "hung up": ({"action": "drop"}, "provider_unreachable", True),
    "silent": ({"action": "hang"}, "provider_unreachable", True),
    "cut off": ({"action": "truncate"}, "provider_unreachable", True),
    "garbage": ({"action": "garbage"}, "provider_unreachable", True),
    "elsewhere": ({"action": "redirect"}, "provider_unreachable", True),
    "not an object": ({"status": 200, "body": "[]"}, "provider_unreachable", True),
    "without numbers": ({"status": 200, "body": {}}, "provider_unreachable", True),
    "no list": ({"answer": 1}, "provider_unreachable", True),
    "no numbers": ({"answer": [1]}, "provider_unreachable", True),
    "strange numbers": ({"answer": [STRANGE]}, "provider_unreachable", True),
}
each_failure = pytest.mark.parametrize(
    ("fault", "code", "retryable"), FAILURES.values(), ids=list(FAILURES)
)


def spoil(sandbox, provider, *, answer=None, **fault):
    """Let every search at the provider go wrong; `answer` is a list of numbers, or is none."""
    if answer is not None:
        fault["body"] = {"telnyx": {"data": answer}, "twilio": {"available_phone_numbers": answer}}[
            provider
        ]
    sandbox.add_fault(path=PATH[provider], times=None, **fault)


@each_failure
@pytest.mark.parametrize("failing", BOTH)
def test_a_failure_is_an_error_never_an_empty_success_and_hides_nobody_else(
    client, sandbox, settings, failing, fault, code, retryable
):
    if fault.get("action") == "hang":
        settings.CLOCK_SCALE = HURRIED
    spoil(sandbox, failing, **fault)
    client.raise_request_exception = False

    alone = post(client, SEARCH, {"provider": failing})
    both = post(client, SEARCH, {"provider": "all", "limit": 10})

    assert alone.status_code == 500
    answer = alone.json()
    assert answer["detail"] == f"Failed to search phone numbers at {failing}"
    assert (answer["code"], answer["retryable"]) == (code, retryable)
    assert answer["hint"]
    assert both.status_code == 200, both.json()
    answer, other = both.json(), OTHER[failing]
    assert answer["success"] is True
    assert {item["provider"] for item in answer["numbers"]} == {other}
    assert answer["total_found"] == 10
    assert answer["providers"][other] == {"success": True, "count": 10}
    told = answer["providers"][failing]
    assert (told["success"], told["code"], told["retryable"]) == (False, code, retryable)
    assert told["detail"] and told["hint"]
    assert set(Offer.objects.values_list("provider", flat=True)) == {other}


def test_both_failing_is_an_error_that_tells_both_reasons(client, sandbox):
    spoil(sandbox, "twilio", status=401)
    spoil(sandbox, "telnyx", status=429)

    response = post(client, SEARCH, {"provider": "all"})

    assert response.status_code == 500
    answer = response.json()
    assert answer["detail"] == "Failed to search phone numbers at twilio and telnyx"
    assert (answer["code"], answer["retryable"]) == ("provider_error", True)
    assert answer["hint"].startswith("telnyx: Too many requests at Telnyx")
    assert "; twilio: Check the Twilio account SID" in answer["hint"]


@pytest.mark.parametrize("provider", BOTH)
def test_a_provider_that_nobody_configured_is_an_error(db, sandbox, provider):
    client = make_client(make_organization("Bare", accounts=False))

    response = post(client, SEARCH, {"provider": provider})

    assert response.status_code == 500
    assert response.json()["code"] == "not_configured"
    assert response.json()["hint"] == (
        f"Enter {provider.title()} credentials for the organization."
    )
    assert sandbox.requests() == []


def test_one_configured_provider_answers_for_both(db, sandbox):
    organization = make_organization("Half", accounts=False)
    make_telnyx_account(organization)

    response = post(make_client(organization), SEARCH, {"provider": "all"})

    assert response.status_code == 200
    answer = response.json()
    assert answer["total_found"] == 10
    told = answer["providers"]["twilio"]
    assert (told["success"], told["code"]) == (False, "not_configured")
    assert told["hint"] == "Enter Twilio credentials for the organization."


# --- Never widened --------------------------------------------------------------------------------


@pytest.mark.parametrize("criterion", [{"area_code": "20"}, {"region": "England"}])
def test_what_twilio_cannot_filter_by_is_a_400_not_another_search(client, sandbox, criterion):
    response = post(client, SEARCH, {"provider": "twilio", "country_code": "GB"} | criterion)

    assert response.status_code == 400
    assert response.json() == {
        "detail": "Twilio searches by area_code and region in the US and Canada only: "
        "use contains or locality.",
        "code": "invalid_request",
    }
    assert sandbox.requests() == []


def test_what_twilio_cannot_filter_by_telnyx_may(client, sandbox):
    response = post(client, SEARCH, {"provider": "all", "country_code": "GB", "area_code": "20"})

    assert response.status_code == 200
    answer = response.json()
    assert answer["total_found"] == 10
    assert all(item["phone_number"].startswith("+4420") for item in answer["numbers"])
    told = answer["providers"]["twilio"]
    assert (told["success"], told["code"]) == (False, "invalid_request")
    assert "Twilio searches by area_code" in told["detail"]
    assert sandbox.requests(provider="twilio") == []


@pytest.mark.parametrize("provider", [*BOTH, "all"])
def test_no_number_outside_of_what_was_asked(client, sandbox, provider):
    criteria = {"provider": provider, "area_code": "212", "contains": "77", "limit": 50}

    answer = post(client, SEARCH, criteria).json()

    assert answer["total_found"] > 0
    for item in answer["numbers"]:
        assert item["phone_number"].startswith("+1212")
        assert "77" in item["phone_number"]
        assert item["region"] == "NY"


@pytest.mark.parametrize("provider", BOTH)
def test_more_numbers_than_asked_for_are_cut(client, sandbox, provider):
    numbers = [{"phone_number": f"+1415555{line}"} for line in range(5000, 5020)]
    spoil(sandbox, provider, answer=numbers)

    answer = post(client, SEARCH, {"provider": provider, "limit": 3}).json()

    assert answer["total_found"] == len(answer["numbers"]) == 3


@pytest.mark.parametrize("provider", BOTH)
def test_what_is_no_number_is_left_out(client, sandbox, provider):
    numbers = [{"phone_number": text} for text in (None, "", 5, "None", "x" * 50, "+1 415")]
    spoil(sandbox, provider, answer=[{}, *numbers, {"phone_number": "+14155555000"}])
    client.raise_request_exception = False

    response = post(client, SEARCH, {"provider": provider})

    assert response.status_code == 200
    assert [item["phone_number"] for item in response.json()["numbers"]] == ["+14155555000"]


NO_PRICES = ["NaN", "Infinity", "-1.00", "1e30", "a lot", "", None, True, [], {}]


def test_a_price_of_telnyx_that_is_none_is_unknown(client, sandbox):
    prices = [*NO_PRICES, "2.00", "1.00"]
    numbers = [
        {
            "phone_number": f"+1415555{line}",
            "cost_information": {"monthly_cost": price, "upfront_cost": "0", "currency": "USD"},
        }
        for line, price in enumerate(prices, start=5000)
    ]
    spoil(sandbox, "telnyx", answer=[*numbers, {"phone_number": "+14155556000"}])
    client.raise_request_exception = False

    response = post(client, SEARCH, {"provider": "telnyx", "limit": 20})

    assert response.status_code == 200
    costs = [item["cost"] for item in response.json()["numbers"]]
    assert costs == ["1.00", "2.00"] + [None] * (len(NO_PRICES) + 1)


def test_a_price_of_twilio_that_is_none_is_unknown(client, sandbox):
    client.raise_request_exception = False
    for price in NO_PRICES:
        cache.clear()  # the prices of the last turn
        prices = [{"number_type": "local", "base_price": "1.15", "current_price": price}]
        body = {"price_unit": "usd", "phone_number_prices": prices}
        sandbox.add_fault(path="^/v1/PhoneNumbers/", body=body)

        response = post(client, SEARCH, {"provider": "twilio", "limit": 1})

        assert response.status_code == 200, price
        assert [item["cost"] for item in response.json()["numbers"]] == [None], price


# --- Both at the same time ------------------------------------------------------------------------


def test_both_are_asked_at_the_same_time(client, sandbox, monkeypatch):
    """Each answers only when the other one has been asked, too."""
    asked = {provider: threading.Event() for provider in BOTH}
    met, answer = [], sandbox._answer

    def waiting(request):
        for provider in BOTH:
            if re.search(PATH[provider], request.path):
                asked[provider].set()
                met.append(asked[OTHER[provider]].wait(timeout=1))
        return answer(request)

    monkeypatch.setattr(sandbox, "_answer", waiting)

    found = post(client, SEARCH, {"provider": "all", "limit": 2}).json()

    assert met == [True, True]
    assert found["total_found"] == 2
