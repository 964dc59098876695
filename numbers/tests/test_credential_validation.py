"""Trying credentials through the API without storing them."""

import pytest

from burki.testing import (
    post,
)
from numbers.tests.driving import UNREADABLE
from organizations.models import AuditEvent, Organization, ProviderAccount

PATH = "/api/v1/organization"
VALIDATE = {p: f"{PATH}/{p}/validate" for p in ("twilio", "telnyx")}
SID, NEW_SID = "AC" + "1" * 32, "AC" + "2" * 32
KEY = "KEYnew.first-0123abcd"
TRIED = {
    "twilio": {"account_sid": NEW_SID, "auth_token": "new-token-0123-9f9f"},
    "telnyx": {"api_key": KEY},
}

pytestmark = pytest.mark.django_db
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])


def put(client, body, **more):
    return client.put(PATH, body, format="json", **more)


def state(organization) -> tuple:
    """All that a PUT could change."""
    return (
        Organization.objects.filter(pk=organization.pk).values().get(),
        list(ProviderAccount.objects.order_by("pk").values()),
        AuditEvent.objects.count(),
    )


@both
def test_credentials_that_work_are_valid_and_are_not_stored(
    provider, organization, client, sandbox
):
    before = state(organization)

    answer = post(client, VALIDATE[provider], TRIED[provider])

    assert answer.status_code == 200
    assert answer.json() == {
        "valid": True,
        "error": None,
        "friendly_name": "Sandbox" if provider == "twilio" else None,
        "warning": None,
    }
    assert len(sandbox.requests()) >= 2
    assert state(organization) == before


@both
@pytest.mark.parametrize("status", [401, 403])
def test_credentials_that_are_refused_are_not_valid(provider, status, client, sandbox):
    sandbox.add_fault(method="GET", status=status)

    answer = post(client, VALIDATE[provider], TRIED[provider])

    assert answer.status_code == 200
    assert answer.json()["valid"] is False
    assert answer.json()["friendly_name"] is None
    assert answer.json()["error"].startswith(f"{provider.capitalize()} refused these credentials.")
    assert len(sandbox.requests()) == 1


@both
@pytest.mark.parametrize("fault", UNREADABLE, ids=str)
def test_a_provider_that_cannot_tell_makes_nothing_valid_or_invalid(
    provider, fault, client, sandbox
):
    sandbox.add_fault(method="GET", **fault)

    answer = post(client, VALIDATE[provider], TRIED[provider])

    assert (answer.status_code, answer.json()["code"]) == (500, "provider_unreachable")
    assert "valid" not in answer.json()


@both
def test_a_suspended_account_is_valid_with_a_warning(provider, client, sandbox):
    account = {"twilio": NEW_SID, "telnyx": "KEYnew"}[provider]
    sandbox.set_account(account, active=False)

    body = post(client, VALIDATE[provider], TRIED[provider]).json()

    assert (body["valid"], body["error"]) == (True, None)
    assert "add funds" in body["warning"]


@pytest.mark.parametrize(
    ("provider", "body", "words"),
    [
        ("twilio", {"account_sid": "AC1", "auth_token": "12345678"}, "32 hexadecimal digits"),
        ("twilio", {"account_sid": SID, "auth_token": "…7f3a"}, "auth token is 8 to 256"),
        ("telnyx", {"api_key": ""}, "API key is 8 to 256"),
        ("telnyx", {"api_key": KEY, "connection_id": "../x"}, "connection id is at most"),
    ],
)
def test_what_cannot_be_credentials_is_invalid_without_asking(
    provider, body, words, client, sandbox
):
    answer = post(client, VALIDATE[provider], body)

    assert (answer.status_code, answer.json()["valid"]) == (200, False)
    assert words in answer.json()["error"]
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        ("twilio", {}),
        ("twilio", {"account_sid": SID}),
        ("twilio", {"account_sid": SID, "auth_token": 12345678}),
        ("telnyx", {"api_key": None}),
        ("telnyx", {"api_key": "KEY\0\0\0\0\0\0"}),
    ],
)
def test_what_is_no_text_is_a_wrong_request(provider, body, client, sandbox):
    assert post(client, VALIDATE[provider], body).status_code == 400
    assert sandbox.requests() == []


def test_a_connection_is_validated_with_the_key(client, sandbox):
    answer = post(client, VALIDATE["telnyx"], TRIED["telnyx"] | {"connection_id": "4711"})

    assert answer.json()["valid"] is False
    assert "4711 is not a Call Control application" in answer.json()["error"]
