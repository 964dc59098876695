"""Where a number sends its calls and messages, as its provider says now."""

import pytest

from burki.testing import CONNECTION, PROFILE, make_client
from numbers.models import PhoneNumber
from numbers.tests.inventories import NUMBERS, bought
from numbers.tests.sdk import parsed

pytestmark = pytest.mark.django_db

PROVIDERS = ("twilio", "telnyx")
TWIML = "https://burki.test/twiml"
TELNYX = "https://burki.test/telnyx-webhook"


def read(client, number, **query):
    return client.get(f"/api/v1/phone-numbers/{number}/webhooks", query)


def test_twilio_has_the_addresses_on_the_number(client, organization, sandbox):
    number = bought(organization, "twilio")

    answer = read(client, number).json()

    assert answer == {
        "success": True,
        "phone_number": number.phone_number,
        "provider": "twilio",
        "voice_webhook_url": TWIML,
        "sms_webhook_url": TWIML,
        "configuration": {
            "voice_webhook_url": TWIML,
            "sms_webhook_url": TWIML,
            "voice_method": "POST",
            "sms_method": "POST",
            "status_callback_url": number.status_callback,
            "status_callback_method": "POST",
            "phone_number_sid": number.provider_number_id,
            "friendly_name": number.phone_number,
        },
    }
    assert parsed("WebhookConfig", answer).voice_webhook_url == TWIML


def test_telnyx_has_them_on_a_connection_and_a_profile(client, organization, sandbox):
    number = bought(organization, "telnyx")

    answer = read(client, number).json()

    assert answer["configuration"] == {
        "voice_webhook_url": TELNYX,
        "sms_webhook_url": TELNYX,
        "voice_webhook_failover_url": None,
        "sms_webhook_failover_url": None,
        "connection_id": CONNECTION,
        "messaging_profile_id": PROFILE,
        "phone_number_id": number.provider_number_id,
        "status": "active",
        "features": ["voice", "sms", "mms"],
    }
    assert parsed("WebhookConfig", answer).sms_webhook_url == TELNYX


def test_what_is_told_is_live_and_holds_no_password(client, organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.alter(
        number.phone_number,
        voice_url="https://user:hunter2@else.example/a",
        sms_url="",
        trunk_sid="TK" + "2" * 32,
    )

    answer = read(client, number).json()

    assert answer["voice_webhook_url"] == "https://user:***@else.example/a"
    assert answer["sms_webhook_url"] is None
    assert answer["configuration"]["trunk_sid"] == "TK" + "2" * 32
    assert "hunter2" not in str(answer)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_provider_may_be_named_and_must_be_the_numbers(client, organization, sandbox, provider):
    number = bought(organization, provider)
    other = next(name for name in PROVIDERS if name != provider)
    sandbox.clear_requests()

    assert read(client, number, provider=provider.upper()).status_code == 200
    sent = len(sandbox.requests())
    for given, sentence in (
        (other, f"Phone number {number} is at {provider}"),
        ("vonage", "Provider must be 'twilio' or 'telnyx'"),
    ):
        response = read(client, number, provider=given)
        assert (response.status_code, response.json()["detail"]) == (400, sentence)
    assert len(sandbox.requests()) == sent


@pytest.mark.parametrize("what", ["webhooks", "diagnose"])
@pytest.mark.parametrize(
    "number", ["4155551234", "+1", "+abc", "+1415555123%00", "%2B" + "1" * 400]
)
def test_what_is_no_number_is_told(client, sandbox, what, number):
    response = client.get(f"/phone-numbers/{number}/{what}")

    assert (response.status_code, response.json()["detail"]) == (
        400,
        "Phone number must be in E.164 format (e.g., +1234567890)",
    )


@pytest.mark.parametrize("what", ["webhooks", "diagnose"])
@pytest.mark.parametrize("prefix", ["", "/api/v1"])
@pytest.mark.parametrize("plus", ["+", "%2B"])
def test_both_prefixes_and_both_ways_to_write_a_plus(
    client, organization, sandbox, what, prefix, plus
):
    number = bought(organization, "twilio")

    response = client.get(f"{prefix}/phone-numbers/{plus}{number.phone_number[1:]}/{what}")

    assert response.json()["phone_number"] == number.phone_number


@pytest.mark.parametrize("what", ["webhooks", "diagnose"])
def test_nobody_elses_number_and_none_that_is_gone_or_only_being_bought(
    client, organization, other_organization, sandbox, what
):
    number = bought(organization, "twilio")
    sandbox.clear_requests()
    told = (404, f"Phone number {number} not found in database")

    stranger = make_client(other_organization).get(f"/phone-numbers/{number}/{what}")
    assert (stranger.status_code, stranger.json()["detail"]) == told
    for status in ("released", "claimed"):
        PhoneNumber.objects.filter(pk=number.pk).update(status=status)
        response = client.get(f"/phone-numbers/{number}/{what}")
        assert (response.status_code, response.json()["detail"]) == told
    assert sandbox.requests() == []


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 401}, "invalid_credentials"),
        ({"status": 500}, "provider_unreachable"),
        ({"action": "drop"}, "provider_unreachable"),
        ({"action": "garbage"}, "provider_unreachable"),
    ],
    ids=str,
)
def test_a_failure_is_a_500(client, organization, sandbox, provider, fault, code):
    number = bought(organization, provider)
    sandbox.add_fault(path="umber", **fault)

    response = read(client, number)

    assert (response.status_code, response.json()["code"]) == (500, code)
    assert response.json()["detail"] == f"Could not retrieve webhook configuration for {number}"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_number_that_the_provider_does_not_have_is_a_404(client, organization, sandbox, provider):
    number = bought(organization, provider)
    sandbox.disown(NUMBERS[provider])

    response = read(client, number)

    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert response.json()["detail"] == f"Could not retrieve webhook configuration for {number}"


def test_a_number_at_both_providers_needs_the_provider(client, organization, sandbox):
    number = bought(organization, "twilio")
    PhoneNumber.objects.create(
        organization=organization,
        account=organization.provider_accounts.get(provider="telnyx"),
        provider="telnyx",
        phone_number=number.phone_number,
        friendly_name="Twin",
        status="active",
    )

    assert read(client, number, provider="twilio").status_code == 200
    response = read(client, number)
    assert (response.status_code, response.json()["detail"]) == (
        400,
        f"Phone number {number} is at both providers: say which",
    )
