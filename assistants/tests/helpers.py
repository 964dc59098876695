"""Shared by the tests of the assistants' API."""

import json
from typing import Any

from burki.testing import sdk_models
from numbers.models import PhoneNumber

ASSISTANTS = "/api/v1/assistants"


def one(assistant_id: Any) -> str:
    return f"{ASSISTANTS}/{assistant_id}"


def send(client, method: str, path: str, body: Any):
    """JSON with everything escaped, so that it can hold lone surrogates."""
    return client.generic(method, path, json.dumps(body), content_type="application/json")


def post(client, path: str, body: Any):
    return send(client, "POST", path, body)


def put(client, path: str, body: Any):
    return send(client, "PUT", path, body)


def patch(client, path: str, body: Any):
    return send(client, "PATCH", path, body)


def parsed(body: Any):
    """As the official client reads it."""
    return sdk_models("assistant").Assistant.model_validate(body)


def give_number(organization, assistant, number: str, status: str = "active", **over: Any):
    return PhoneNumber.objects.create(
        organization=organization,
        account=organization.provider_accounts.get(provider="twilio"),
        assistant=assistant,
        provider="twilio",
        phone_number=number,
        friendly_name=number,
        status=status,
        **over,
    )
