"""Every route, asked by everybody: who may, may; nobody else learns or changes anything."""

import json
import re

import pytest
from django.apps import apps
from django.contrib.admindocs.views import simplify_regex
from django.urls import URLPattern, get_resolver
from rest_framework.test import APIClient

from burki.testing import (
    SYSTEM,
    TWILIO_NUMBER,
    make_assistant,
    make_client,
    make_user,
    orders_sent,
)
from burki.tests.routes import ROUTES, Route
from numbers.models import PhoneNumber
from organizations.events.endpoints import create_endpoint
from organizations.models import Membership
from organizations.permissions import ANY, ROLE_SCOPES, SCOPES

OURS = ("organizations", "assistants", "numbers")
SECRET = "Only Acme knows this"
CALLERS = [
    "no key",
    "wrong key",
    "other tenant's key",
    "key without the scope",
    "key whose creator lost the role",
    "key with the scope alone",
    "viewer",
    "member",
    "admin",
    "owner",
]


def routes_of_the_api() -> set[str]:
    """`METHOD /path` of every view of the REST API; those under both prefixes once."""
    found = set()

    def walk(patterns, prefix: str) -> None:
        for pattern in patterns:
            path = f"{prefix}{pattern.pattern}"
            if isinstance(pattern, URLPattern):
                actions = getattr(pattern.callback, "actions", None)
                found.update(
                    f"{m.upper()} {simplify_regex(path)}" for m in actions or () if m != "head"
                )
            else:
                walk(pattern.url_patterns, path)

    walk(get_resolver().url_patterns, "")
    names = {re.sub(r"<\w+:", "<", name) for name in found}  # without what converts them
    return {name.replace("/api/v1/phone-numbers", "/phone-numbers") for name in names}


def test_the_table_has_every_route():
    assert sorted(routes_of_the_api()) == sorted(route.name for route in ROUTES)


@pytest.fixture
def world(organization, other_organization, sandbox):
    """The objects that paths name."""
    assistant = make_assistant(organization, SECRET)
    number = "+14155550199"
    client = make_client(organization)
    endpoint, _ = create_endpoint(
        actor=SYSTEM,
        organization=organization,
        url="https://hooks.example.com/acme",
        description=SECRET,
    )
    bought = client.post(
        "/phone-numbers/purchase",
        {
            "provider": "twilio",
            "phone_number": number,
            "assistant_id": assistant.pk,
            "friendly_name": SECRET,
        },
        format="json",
    )
    assert bought.status_code == 200
    many = client.post(
        "/phone-numbers/bulk-purchases",
        {"provider": "twilio", "quantity": 1, "criteria": {}, "friendly_name": SECRET},
        headers={"Idempotency-Key": "many"},
        format="json",
    )
    assert many.status_code == 202
    sandbox.clear_requests()
    return {
        "number": number,
        "purchase": bought["Purchase-Id"],
        "assistant": assistant.pk,
        "account": organization.provider_accounts.get(provider="telnyx").pk,
        "key": organization.api_keys.get().pk,
        "number_id": PhoneNumber.objects.get(phone_number=number).pk,
        "bulk": many.json()["id"],
        "endpoint": endpoint.pk,
        "event": organization.events.get(type="purchase.completed").public_id,
    }


def caller(kind: str, route: Route, organization, other_organization) -> APIClient:
    client = APIClient()
    others = [scope for scope in SCOPES if scope != route.scope]
    match kind:
        case "no key":
            pass
        case "wrong key":
            client.credentials(HTTP_AUTHORIZATION="Bearer burki_" + "0" * 32)
        case "other tenant's key":
            client = make_client(other_organization)
        case "key without the scope":
            client = make_client(organization, others)
        case "key with the scope alone":
            alone = [route.scope] if route.scope in SCOPES else ["assistants:read"]
            client = make_client(organization, alone)
        case "key whose creator lost the role":
            creator = make_user(organization, "owner")
            client = make_client(organization, created_by=creator)
            Membership.objects.filter(user=creator).delete()
        case role:
            client.force_login(make_user(organization, role))
    return client


def expected(kind: str, route: Route) -> int:
    if route.scope is None:
        return route.status
    match kind:
        case "no key" | "wrong key":
            return 401
        case "other tenant's key":
            return route.foreign
        case "key whose creator lost the role":
            return 403
        case _ if route.scope == ANY:
            return route.status
        case "key without the scope":
            return 403
        case "key with the scope alone":
            return route.status if route.scope in SCOPES else 403
        case role:
            return route.status if route.scope in ROLE_SCOPES[role] else 403


def everything() -> dict[str, list]:
    """All rows of our tables, but for when a key was last used."""
    return {
        model._meta.label: [
            {name: value for name, value in row.items() if name != "last_used_at"}
            for row in model.objects.order_by("pk").values()
        ]
        for app in OURS
        for model in apps.get_app_config(app).get_models()
    }


def filled(value, names: dict):
    """The body with `{names}` put in; a name alone becomes the object's own id."""
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, names) for item in value]
    if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
        return names[value[1:-1]]
    return value


def ask(client: APIClient, route: Route, names: dict):
    url = (route.url or route.path).format(**names)
    body = None if route.body is None else json.dumps(filled(route.body, names))
    if body is None:
        return client.generic(route.method, url, headers=route.headers)
    kind = "application/json"
    return client.generic(route.method, url, body, content_type=kind, headers=route.headers)


@pytest.mark.slow  # some 700 of them
@pytest.mark.parametrize("kind", CALLERS)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_a_route_answers_who_may_and_refuses_all_others(
    world, organization, other_organization, sandbox, route, kind
):
    client = caller(kind, route, organization, other_organization)
    before = everything()

    response = ask(client, route, world)

    content = response.getvalue().decode()
    assert response.status_code == expected(kind, route), content
    allowed = response.status_code == route.status and kind != "other tenant's key"
    if kind == "other tenant's key":
        assert SECRET not in content
        mine = organization.pk
        for label, rows in everything().items():
            unchanged = [row for row in before[label] if row.get("organization_id") == mine]
            assert [row for row in rows if row.get("organization_id") == mine] == unchanged
    elif not allowed:
        assert set(response.json()) >= {"detail", "code"}
        assert everything() == before
        assert sandbox.requests() == []
    assert allowed or TWILIO_NUMBER not in str(orders_sent(sandbox))
