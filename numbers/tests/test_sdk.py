"""Burki's own Python package, unmodified, against a live server (`sdk_walk.py` calls it)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from burki.tests.processes import PROVIDERS, running_world

pytestmark = pytest.mark.slow

WALK = Path(__file__).with_name("sdk_walk.py")
TYPES = {
    "assistants": {
        "create": "Assistant",
        "get": "Assistant",
        "list": "list",
        "update": "Assistant",
        "update_status": "Assistant",
        "get_count": "int",
        "get_providers": "dict",
        "get_organization_info": "dict",
        "get_cloned_voices": "list",
        "export": "list",  # the package parses every answer as JSON, and calls it bytes
        "get_by_phone": "Assistant",
        "delete": "bool",
        "missing": [],
    },
    "phone_numbers": {
        "get_countries": "CountryCodesResponse",
        "search": "SearchPhoneNumbersResponse",
        "purchase": "PurchasePhoneNumberResponse",
        "diagnose": "dict",
        "get_webhooks": "WebhookConfig",
        "update_webhooks": "dict",
        "sync_verified_caller_ids": "dict",
        "add_verified_caller_id": "dict",
        "release": "ReleasePhoneNumberResponse",
        "missing": [],
    },
}


@pytest.fixture(scope="module")
def site():
    with running_world() as world:
        keys = world.make_tenants(Acme={}, Poor={"monthly_limit": "0.01"})
        key = ("create_api_key", "--organization", "acme", "--name")
        environment = {
            "BURKI_API_KEY": keys["Acme"],
            "POOR_KEY": keys["Poor"],
            "READ_ONLY_KEY": world.manage(*key, "reader", "--scope", "numbers:read").strip(),
            "EAGER_KEY": world.manage(*key, "eager").strip(),
        }
        with world.web(processes=1, THROTTLE_SEARCH="15/min") as web:
            yield world, web, environment | {"BURKI_URL": web.url}


def run(environment: dict[str, str], *arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-I", WALK, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_method_returns_its_type(site, provider, way):
    world, _, environment = site
    number, caller_id = (world.attempt(provider).phone_number for _ in range(2))

    assert run(environment | {"PROVIDER": provider}, way, number, caller_id) == TYPES


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_mistake_raises_its_class(site, provider):
    world, web, environment = site
    owned = world.attempt(provider)
    assert web.post("/phone-numbers/purchase", owned.body, api_key=environment["BURKI_API_KEY"]).ok
    free = world.attempt(provider).phone_number

    told = run(
        environment
        | {
            "PROVIDER": provider,
            "OWNED_NUMBER": owned.phone_number,
            "FREE_NUMBER": free,
            "REFUSED_NUMBER": world.attempt(provider, "0001").phone_number,
            "LOST_NUMBER": (lost := world.attempt(provider, "0011").phone_number),
        },
        "errors",
    )

    wait = told["429"].pop()
    assert isinstance(wait, int) and 1 <= wait <= 60
    assert told == {
        "401": [
            "AuthenticationError",
            401,
            "Authentication required. Provide a valid API key or login session.",
        ],
        "404": ["NotFoundError", 404, "Assistant with ID 987654321 not found"],
        "404 number": ["NotFoundError", 404, "Phone number +14155550000 not found in database"],
        "400": ["ValidationError", 400, "Provider must be 'twilio', 'telnyx' or 'all'"],
        "400 number": [
            "ValidationError",
            400,
            "Phone number must be in E.164 format (e.g., +1234567890)",
        ],
        "402": ["BurkiError", 402, told["402"][2]],
        "403": ["BurkiError", 403, "This API key lacks the scope 'numbers:purchase'."],
        "409": ["BurkiError", 409, told["409"][2]],
        "500": ["ServerError", 500, f"Failed to purchase phone number from {provider}"],
        "504": ["ServerError", 504, f"Purchase of {lost} is being confirmed with {provider}"],
        "429": ["RateLimitError", 429],
    }
