"""openapi.yaml, and the pages that show it."""

import io
import json

import pytest
from django.core.management import call_command
from django.test import Client

from burki.api import STATUS
from burki.docs import DESCRIPTION
from burki.openapi import JSON
from burki.tests.contract import contract
from organizations.permissions import SCOPES

OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in contract.document["paths"].items()
    for method, operation in operations.items()
}


def bodies_of(part: dict) -> list[tuple[dict, dict]]:
    """The schema and the value of each example of a request or an answer."""
    return [
        (content["schema"], example["value"])
        for content in contract.resolved(part).get("content", {}).values()
        for example in content.get("examples", {}).values()
    ]


def test_the_committed_description_is_the_views():
    """If not: `make openapi`. A warning is an error."""
    generated = io.StringIO()

    call_command("spectacular", "--validate", "--fail-on-warn", stdout=generated)

    assert generated.getvalue() == DESCRIPTION.read_text(encoding="utf-8")


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_every_example_has_the_shape_that_its_schema_says(operation):
    parts = [*operation["responses"].values()]
    parts += [operation["requestBody"]] if "requestBody" in operation else []

    for part in parts:
        examples = bodies_of(part)
        assert examples != []
        assert [contract.mismatches(schema, value) for schema, value in examples] == [
            [] for _ in examples
        ]


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_every_operation_tells_its_scope_and_its_errors(operation):
    if "security" in operation:
        scopes = operation["security"][0]["ApiKey"]
        assert operation["security"] == [{"ApiKey": scopes}, {"StaffSession": scopes}]
        assert set(scopes) <= set(SCOPES)
        told = f"`{scopes[0]}`" if scopes else "Any key"
        assert told in operation["description"]
        assert {"401", "403", "429"} <= set(operation["responses"])
    if "requestBody" in operation:
        assert {"400", "413", "415"} <= set(operation["responses"])
    assert {"406", "503"} <= set(operation["responses"])
    for status, response in operation["responses"].items():
        for _, body in bodies_of(response):
            assert int(status) < 400 or STATUS[body["code"]] == int(status)


def test_routes_under_both_prefixes_are_described_once():
    assert [path for path in contract.document["paths"] if "/api/v1/phone-numbers" in path] == []
    assert "/phone-numbers/purchase" in contract.document["paths"]


def test_the_description_is_served_as_it_is_committed():
    client = Client()

    written, parsed = client.get("/openapi.yaml"), client.get("/openapi.json")

    assert written["Content-Type"] == "application/yaml"
    assert written.content == DESCRIPTION.read_bytes()
    assert parsed["Content-Type"] == "application/json"
    assert json.loads(parsed.content) == contract.document


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_pages_load_nothing_from_elsewhere(path):
    page = Client().get(path)

    text = page.content.decode()
    assert page.status_code == 200
    assert "http" not in text.replace("http-equiv", "")
    assert "<style" not in text and "<script>" not in text
    policy = page["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "script-src" not in policy
    assert ("'unsafe-inline'" in policy) == (path == "/redoc")


# --- The comparison that `conftest.py` makes after every request of every test -------------------


def answered(status: int, body: dict, **headers: str) -> list[str]:
    headers = {"Content-Type": JSON} | headers
    body = json.dumps(body).encode()
    return contract.problems("POST", "/api/v1/phone-numbers/release", status, headers, body)


RELEASED = {
    "success": True,
    "phone_number": "+14155551234",
    "provider": "telnyx",
    "message": "Successfully released phone number +14155551234 from telnyx",
}
THROTTLED = {"detail": "Too many requests. Try again in 2 seconds.", "code": "throttled"}


def test_an_answer_as_described_has_no_problems():
    assert answered(200, RELEASED) == []
    assert answered(429, THROTTLED, **{"Retry-After": "2"}) == []


@pytest.mark.parametrize(
    ("status", "body", "headers", "problem"),
    [
        (202, RELEASED, {}, "the status 202 is not described"),
        (200, RELEASED | {"more": 1}, {}, "more"),
        (200, RELEASED | {"provider": "vonage"}, {}, "provider"),
        (200, {"success": True}, {}, "message"),
        (200, RELEASED, {"Content-Type": "text/html"}, "text/html"),
        (200, RELEASED, {"Location": "https://burki.test/"}, "Location is not described"),
        (429, THROTTLED, {}, "Retry-After is missing"),
        (429, THROTTLED, {"Retry-After": "soon"}, "Retry-After"),
        (429, THROTTLED | {"code": "price_changed"}, {"Retry-After": "2"}, "price_changed"),
        (404, {"detail": "No."}, {}, "code"),
    ],
)
def test_an_answer_that_is_not_as_described_is_noticed(status, body, headers, problem):
    assert problem in str(answered(status, body, **headers))
