"""Requests that are wrong as HTTP or as JSON: each is refused with a JSON object that says what is
wrong, and no provider hears of it."""

import json

import pytest

from burki.testing import TWILIO_NUMBER, orders_sent, post
from numbers.models import PhoneNumber, Purchase

pytestmark = pytest.mark.django_db

MEGABYTE = 1024 * 1024
PREFIXES = ("/phone-numbers", "/api/v1/phone-numbers")
PURCHASE = "/phone-numbers/purchase"
READERS = [PURCHASE, "/api/v1/phone-numbers/search"]
GOOD = {"phone_number": TWILIO_NUMBER, "provider": "twilio"}


def send(client, path, body: bytes, content_type="application/json", **headers):
    return client.generic("POST", path, body, content_type=content_type, **headers)


def padded(size: int, body: dict) -> bytes:
    """`body` as JSON of exactly `size` bytes, by means of a field that nobody knows."""
    room = size - len(json.dumps(body | {"padding": ""}))
    return json.dumps(body | {"padding": "x" * room}).encode()


def is_refused(response, status: int, code: str) -> bool:
    assert response["Content-Type"] == "application/json"
    answer = response.json()
    assert (response.status_code, answer["code"]) == (status, code), answer
    assert isinstance(answer["detail"], str)
    return answer["detail"] != ""


def nothing_happened(sandbox) -> bool:
    return (
        sandbox.requests() == []
        and not Purchase.objects.exists()
        and not PhoneNumber.objects.exists()
    )


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("get", "/purchase", "POST"),
        ("put", "/purchase", "POST"),
        ("patch", "/purchase", "POST"),
        ("delete", "/purchase", "POST"),
        ("options", "/purchase", "POST"),
        ("get", "/search", "POST"),
        ("options", "/search", "POST"),
        ("post", "", "GET"),
        ("options", "", "GET"),
        ("delete", "/+14155551234", "GET"),
        ("options", "/+14155551234", "GET"),
        ("post", "/purchases", "GET"),
        ("delete", "/purchases/018f0000-0000-7000-8000-000000000001", "GET"),
    ],
)
def test_a_wrong_method_is_a_405_that_names_the_right_one(client, sandbox, method, path, allowed):
    client.raise_request_exception = False
    for base in PREFIXES:
        response = getattr(client, method)(base + path)

        assert is_refused(response, 405, "method_not_allowed")
        assert response.json()["detail"] == f'Method "{method.upper()}" not allowed.'
        assert allowed in response["Allow"]
    assert nothing_happened(sandbox)


@pytest.mark.parametrize("debug", [False, True])
def test_an_unknown_path_is_a_404_in_json(client, base, sandbox, settings, debug):
    settings.DEBUG = debug  # `make run` has it on
    for path in ("/purchase/", "/a/b/c", "/"):
        response = post(client, base + path, GOOD)

        assert is_refused(response, 404, "not_found")
    assert nothing_happened(sandbox)


NO_JSON_OBJECT = {
    "not JSON": [b"{", b"not json", b" ", b"{'provider': 'twilio'}", b'{"provider": "twilio",}'],
    "more than one": [b'{"provider": "twilio"} {}'],
    "no object": [b"[]", b'[{"provider": "twilio"}]', b"null", b"true", b"1", b'"twilio"'],
    "not UTF-8": [b"\xff\xfe{}", b'{"provider": "\xff"}', b'{"provider": "tw\x00ilio"}'],
    "no numbers": [b'{"assistant_id": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}'],
    "too deep": [b'{"a":' * 100_000, b"[" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000],
    "too many digits": [b'{"assistant_id": ' + b"1" * 5_000 + b"}"],
}


@pytest.mark.parametrize("bodies", NO_JSON_OBJECT.values(), ids=list(NO_JSON_OBJECT))
@pytest.mark.parametrize("path", READERS)
def test_a_body_that_is_not_a_json_object_is_a_400(client, sandbox, path, bodies):
    for body in bodies:
        response = send(client, path, body)

        assert is_refused(response, 400, "invalid_json"), body[:40]
    assert nothing_happened(sandbox)


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_an_empty_body_lacks_everything(client, base, sandbox, body):
    response = send(client, f"{base}/purchase", body)

    assert is_refused(response, 400, "invalid_request")
    answer = response.json()
    assert answer["detail"] == "Provider must be 'twilio' or 'telnyx'"
    assert set(answer["errors"]) == {"provider", "phone_number"}
    assert nothing_happened(sandbox)


def test_a_body_of_one_megabyte_is_read(client, base, sandbox):
    body = padded(MEGABYTE, GOOD)
    assert len(body) == MEGABYTE

    response = send(client, f"{base}/purchase", body)

    assert response.status_code == 200
    assert len(orders_sent(sandbox)) == 1


@pytest.mark.parametrize("size", [MEGABYTE + 1, 3 * MEGABYTE])
@pytest.mark.parametrize("path", READERS)
def test_a_larger_body_is_a_413(client, sandbox, path, size):
    response = send(client, path, padded(size, GOOD))

    assert is_refused(response, 413, "payload_too_large")
    assert response.json()["detail"] == "The request body is larger than 1 MB."
    assert nothing_happened(sandbox)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "json",
        "nonsense",
        "/",
        ";",
        "",
    ],
)
def test_another_content_type_is_a_415(client, sandbox, content_type):
    response = send(client, PURCHASE, json.dumps(GOOD).encode(), content_type)

    assert is_refused(response, 415, "unsupported_media_type")
    assert "application/json" in response.json()["detail"]
    assert nothing_happened(sandbox)


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"],
)
def test_json_by_any_of_its_names_is_read(client, sandbox, content_type):
    response = send(client, PURCHASE, json.dumps(GOOD).encode(), content_type)

    assert response.status_code == 200


@pytest.mark.parametrize("charset", ["zlib", "hex", "rot13", "idna", "undefined", "nonsense", ""])
def test_a_charset_that_is_none_is_no_crash(client, sandbox, charset):
    client.raise_request_exception = False
    content_type = f"application/json; charset={charset}"

    response = send(client, "/phone-numbers/search", b"\x00", content_type)

    assert is_refused(response, 400, "invalid_json")
    assert nothing_happened(sandbox)


def test_the_last_of_duplicate_keys_counts(client, sandbox):
    body = b'{"provider": "nobody", "phone_number": "%b", "provider": "twilio"}'

    response = send(client, PURCHASE, body % TWILIO_NUMBER.encode())

    assert response.status_code == 200
    assert response.json()["provider"] == "twilio"
    assert len(orders_sent(sandbox)) == 1


def test_unknown_fields_are_ignored(client, base, sandbox):
    unknown = {
        "country_code": "US",
        "messaging_profile_id": None,
        "idempotency_key": 1,
        "state": "completed",
        "organization": 1,
        "organization_id": [],
        "x": {"y": ["\ud800", "\x00"]},
        "": "",
    }

    response = send(client, f"{base}/purchase", json.dumps(GOOD | unknown).encode())

    assert response.status_code == 200
    assert set(response.json()) == {
        "success",
        "phone_number",
        "provider",
        "purchase_details",
        "message",
    }
    assert len(orders_sent(sandbox)) == 1


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "nonsense"])
def test_who_accepts_no_json_is_told_so_in_json(client, sandbox, accept):
    response = post(client, PURCHASE, GOOD, HTTP_ACCEPT=accept)

    assert is_refused(response, 406, "not_acceptable")
    assert nothing_happened(sandbox)


def test_nonsense_in_the_path_is_a_404(client, base):
    client.raise_request_exception = False
    for path in ("/\x00", "/purchases/\x00", "/%ff", "/purchases/%ff"):
        assert is_refused(client.get(base + path), 404, "not_found")


# --- Idempotency-Key ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("order-1", '"order-1"'),
        ('"order-1"', "order-1"),
        ("order-1", "  order-1  "),
        ("k" * 255, f'"{"k" * 255}"'),
        ("x", '"x"'),
        ("a b", "a b"),
    ],
)
def test_a_key_is_the_same_bare_and_in_quotes(client, sandbox, first, second):
    bought = post(client, PURCHASE, GOOD, HTTP_IDEMPOTENCY_KEY=first)

    again = post(client, PURCHASE, GOOD, HTTP_IDEMPOTENCY_KEY=second)

    assert (bought.status_code, again.status_code) == (200, 200)
    assert again["Idempotent-Replayed"] == "true"
    assert again["Purchase-Id"] == bought["Purchase-Id"]
    assert len(orders_sent(sandbox)) == 1


def test_keys_that_differ_in_case_are_two(client, sandbox):
    post(client, PURCHASE, GOOD, HTTP_IDEMPOTENCY_KEY="order")
    other = GOOD | {"phone_number": "+14155551299"}

    response = post(client, PURCHASE, other, HTTP_IDEMPOTENCY_KEY="ORDER")

    assert response.status_code == 200
    assert "Idempotent-Replayed" not in response


@pytest.mark.parametrize(
    "key",
    ["", '""', "   ", "k" * 256, f'"{"k" * 256}"', "a\x00b", "a\nb", "\x7f"],
    ids=repr,
)
def test_a_key_that_is_none_is_a_400_before_anything_is_bought(client, sandbox, key):
    response = post(client, PURCHASE, GOOD, HTTP_IDEMPOTENCY_KEY=key)

    assert is_refused(response, 400, "invalid_request")
    assert response.json()["detail"] == "Idempotency-Key must be 1 to 255 printable characters"
    assert nothing_happened(sandbox)
