"""Every route, asked by everybody: who may, may; nobody else learns or changes anything."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admindocs.views import simplify_regex
from django.db import models
from django.http import HttpResponse
from django.urls import URLPattern, get_resolver, include, path
from rest_framework.test import APIClient
from rest_framework.views import APIView

from burki.api import no_such_address
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
from organizations.models import Membership, Organization
from organizations.permissions import ANY, ROLE_SCOPES, SCOPES

# What asking leaves behind beside what was asked for: when a key was last used.
TOUCHED = {"organizations.ApiKey": {"last_used_at"}}
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


def views_of_the_api(patterns, prefix: str = "") -> Iterator[tuple[str, Callable]]:
    """Every view at an address of the REST API, below either prefix, with its address."""
    for pattern in patterns:
        address = f"{prefix}{pattern.pattern}"
        if not isinstance(pattern, URLPattern):
            yield from views_of_the_api(pattern.url_patterns, address)
        elif re.search(r"\bapi/|phone-numbers", address):
            yield simplify_regex(address), pattern.callback


def routes_of_the_api(patterns) -> set[str]:
    """`METHOD /path` of every view; those under both prefixes once. A view that is no set of
    actions names no methods and no scopes: it is `any method`, which no table has."""
    found = set()
    for address, view in views_of_the_api(patterns):
        if view is no_such_address:
            continue
        methods = getattr(view, "actions", None) or {"any method": None}
        found.update(f"{m.upper()} {address}" for m in methods if m != "head")
    names = {re.sub(r"<\w+:", "<", name) for name in found}  # without what converts them
    return {name.replace("/api/v1/phone-numbers", "/phone-numbers") for name in names}


def test_the_table_has_every_route():
    patterns = get_resolver().url_patterns

    assert sorted(routes_of_the_api(patterns)) == sorted(route.name for route in ROUTES)


class Open(APIView):
    """A view that asks for no scope."""


@pytest.mark.parametrize("view", [Open.as_view(), lambda request: HttpResponse()])
@pytest.mark.parametrize("address", ["api/v1/open", "phone-numbers/open", "phone-numbers/<pk>"])
def test_a_view_that_is_no_set_of_actions_is_a_route_that_the_table_lacks(view, address):
    patterns = [path(address, view), path("", include([path(f"x/{address}", view)]))]

    assert len(routes_of_the_api(patterns)) == 2
    assert not routes_of_the_api(patterns) & {route.name for route in ROUTES}


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


Rows = dict[str, dict[Any, dict[str, Any]]]  # by model and primary key


def everything() -> Rows:
    """All rows of all tables, but for what `TOUCHED` names."""
    return {
        model._meta.label: {
            row[model._meta.pk.attname]: {
                name: value
                for name, value in row.items()
                if name not in TOUCHED.get(model._meta.label, ())
            }
            for row in model.objects.values()
        }
        for model in apps.get_models()
    }


def of_others(rows: Rows, organization: Organization) -> Rows:
    """Those that are not plainly the organization's own."""

    def is_its_own(label: str, row: dict[str, Any]) -> bool:
        name = "id" if label == "organizations.Organization" else "organization_id"
        return row.get(name) == organization.pk

    return {
        label: {pk: row for pk, row in found.items() if not is_its_own(label, row)}
        for label, found in rows.items()
    }


def pointing_at(targets: Rows, rows: Rows) -> list[tuple[str, Any]]:
    """Which rows have a foreign key to one of the targets."""
    return [
        (label, pk)
        for label, found in rows.items()
        for field in apps.get_model(label)._meta.concrete_fields
        if isinstance(field, models.ForeignKey)
        for pk, row in found.items()
        if row.get(field.attname) in targets.get(field.related_model._meta.label, ())
    ]


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


@pytest.mark.walk  # some 900 of them
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
        after, others = everything(), of_others(before, other_organization)
        for label, rows in others.items():
            assert {pk: after[label].get(pk) for pk in rows} == rows, label
        new = {
            label: {pk: row for pk, row in rows.items() if pk not in before[label]}
            for label, rows in after.items()
        }
        assert pointing_at(others, new) == []
    elif not allowed:
        assert set(response.json()) >= {"detail", "code"}
        assert everything() == before
        assert sandbox.requests() == []
    assert allowed or TWILIO_NUMBER not in str(orders_sent(sandbox))
