"""Where numbers can be bought, as each provider says."""

import pytest

from burki.testing import make_client, make_organization, make_telnyx_account
from numbers.tests.sdk import models, parsed

pytestmark = pytest.mark.django_db

OLD, NEW = "/phone-numbers/countries", "/api/v1/phone-numbers/countries"
CODES = ["AU", "CA", "DE", "FR", "GB", "US"]
LISTS = {"twilio": "AvailablePhoneNumbers.json", "telnyx": "country_coverage"}


@pytest.mark.parametrize("provider", LISTS)
def test_codes_are_strings_on_the_older_path(client, sandbox, provider):
    assert client.get(OLD, {"provider": provider}).json() == {
        "success": True,
        "country_codes": CODES,
        "provider": provider,
    }


@pytest.mark.parametrize("provider", LISTS)
def test_codes_are_objects_on_the_newer_path_and_the_sdk_reads_them(client, sandbox, provider):
    answer = client.get(NEW, {"provider": provider}).json()

    read = parsed("CountryCodesResponse", answer)
    countries = [models.CountryCode.model_validate(c) for c in read.country_codes]
    assert (countries[4].code, countries[4].phone_code) == ("GB", "+44")
    assert countries[4].name == "United Kingdom"
    assert [c.code for c in countries] == answer["codes"] == CODES


@pytest.mark.parametrize(
    ("path", "wanted", "objects"),
    [(OLD, "objects", True), (NEW, "codes", False), (NEW, "objects", True), (OLD, "codes", False)],
)
def test_the_caller_may_choose(client, sandbox, path, wanted, objects):
    (first, *_) = client.get(path, {"format": wanted}).json()["country_codes"]

    assert isinstance(first, dict) is objects


def test_telnyx_is_asked_without_a_provider_and_capitals_do_not_matter(client, sandbox):
    assert client.get(OLD).json()["provider"] == "telnyx"
    assert client.get(OLD, {"provider": "TWILIO"}).json()["provider"] == "twilio"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"provider": "vonage"}, "Provider must be 'twilio' or 'telnyx'"),
        ({"provider": ""}, "Provider must be 'twilio' or 'telnyx'"),
        ({"provider": "tw\0ilio"}, "Provider must be 'twilio' or 'telnyx'"),
        ({"format": "xml"}, "format must be 'codes' or 'objects'"),
    ],
)
def test_what_makes_no_sense_is_told_and_nobody_is_asked(client, sandbox, query, sentence):
    response = client.get(OLD, query)

    assert (response.status_code, response.json()["detail"]) == (400, sentence)
    assert sandbox.requests() == []


@pytest.mark.parametrize("provider", LISTS)
def test_the_list_is_kept_for_a_while_for_the_account_that_asked(
    client, other_organization, sandbox, provider
):
    for _ in range(3):
        client.get(OLD, {"provider": provider})
    assert len(sandbox.requests(path_contains=LISTS[provider])) == 1

    make_client(other_organization).get(OLD, {"provider": provider})
    assert len(sandbox.requests(path_contains=LISTS[provider])) == 2


def test_telnyx_tells_of_countries_without_numbers_which_are_left_out(client, sandbox):
    row = {"code": "US", "numbers": True}
    body = {"data": {"United States": row, "Nowhere": {"code": "NW", "numbers": False}}}
    sandbox.add_fault(path=LISTS["telnyx"], body=body, status=200)

    assert client.get(OLD).json()["country_codes"] == ["US"]


@pytest.mark.parametrize("provider", LISTS)
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 401}, "invalid_credentials"),
        ({"status": 429}, "rate_limited"),
        ({"status": 500}, "provider_unreachable"),
        ({"action": "drop"}, "provider_unreachable"),
        ({"action": "hang"}, "provider_unreachable"),
        ({"action": "garbage"}, "provider_unreachable"),
        ({"status": 200, "body": {}}, "provider_unreachable"),
        ({"status": 200, "body": {"data": None, "countries": None}}, "provider_unreachable"),
        ({"status": 200, "body": {"data": {"US": 1}, "countries": [1]}}, "provider_unreachable"),
        ({"status": 200, "body": {"data": {"US": {}}, "countries": [{}]}}, "provider_unreachable"),
    ],
    ids=str,
)
def test_a_failure_is_an_error_never_a_list_and_is_not_kept(client, sandbox, provider, fault, code):
    sandbox.add_fault(path=LISTS[provider], **fault)

    response = client.get(OLD, {"provider": provider})

    assert response.status_code == 500
    assert response.json()["detail"] == f"Failed to get country codes from {provider}"
    assert response.json()["code"] == code and "hint" in response.json()
    assert client.get(OLD, {"provider": provider}).json()["country_codes"] == CODES


def test_without_credentials_nobody_is_asked(sandbox):
    organization = make_organization("Poor", accounts=False)
    make_telnyx_account(organization, is_active=False)
    client = make_client(organization)

    for provider in LISTS:
        response = client.get(OLD, {"provider": provider})
        assert (response.status_code, response.json()["code"]) == (500, "not_configured")
    assert sandbox.requests() == []
