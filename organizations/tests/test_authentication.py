"""Who gets in: API keys, staff sessions, and everything that resembles them."""

import hashlib
import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from burki.testing import SYSTEM, TWILIO_NUMBER, make_client, make_user, post
from organizations.models import ApiKey, AuditEvent, Membership
from organizations.services import revoke_api_key

pytestmark = pytest.mark.django_db

LIST, PURCHASE, SEARCH = "/phone-numbers", "/phone-numbers/purchase", "/phone-numbers/search"
UNAUTHENTICATED = {
    "detail": "Authentication required. Provide a valid API key or login session.",
    "code": "not_authenticated",
}


def is_a_stranger(response) -> bool:
    """401, always with the same body: nothing tells what is wrong with a key."""
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    return response.json() == UNAUTHENTICATED


def with_header(value) -> APIClient:
    return APIClient(HTTP_AUTHORIZATION=value)


def signed_in(user, **options) -> APIClient:
    client = APIClient(**options)
    client.force_login(user)
    return client


# --- Keys -----------------------------------------------------------------------------------------


def test_a_key_acts_in_its_own_organization_alone(client, other_organization, sandbox):
    other = make_client(other_organization)

    response = post(client, PURCHASE, {"provider": "twilio", "phone_number": TWILIO_NUMBER})

    assert response.status_code == 200
    assert len(client.get(LIST).json()["items"]) == 1
    assert other.get(LIST).json()["items"] == []


@pytest.mark.parametrize("path", [LIST, PURCHASE, "/api/v1/phone-numbers/purchases/1"])
def test_without_anything_nobody_gets_in(anonymous, path, db):
    assert is_a_stranger(anonymous.get(path))


KEY = "burki_" + "a1" * 16


def test_a_key_that_is_none_does_not_get_in(organization):
    for header in (
        "Bearer",
        "Bearer ",
        KEY,
        f"Bearer {KEY}",  # well shaped, but nobody's
        f"Bearer {KEY[:-1]}",
        f"Bearer {KEY}1",
        f"Bearer {KEY.upper()}",
        f"Bearer {KEY} extra",
        f"Bearer {KEY},",
        f'Bearer "{KEY}"',
        f"Bearer burki_live_{'a' * 32}",
        f"Bearer {'a' * 32}",
        f"Bearer {KEY[:-1]}\u00e9",
        f"Bearer {KEY[:-1]}\x00",
        f"Bearer {'x' * 100_000}",
        "Bearer null",
    ):
        assert is_a_stranger(with_header(header).get(LIST)), header[:60]


def test_a_right_key_under_a_wrong_scheme_does_not_get_in(client):
    for form in ("Basic {}", "Token {}", "{}", "Bearer{}", "Bearer: {}", "Bearer={}", "X {}"):
        assert is_a_stranger(with_header(form.format(client.key)).get(LIST)), form


def test_the_scheme_is_read_in_any_case(client):
    for form in ("Bearer {}", "bearer {}", "BEARER {}", "Bearer   {} "):
        assert with_header(form.format(client.key)).get(LIST).status_code == 200, form


def test_a_key_in_the_address_or_in_another_header_does_not_get_in(client):
    stranger = APIClient(HTTP_X_API_KEY=client.key)

    assert is_a_stranger(stranger.get(LIST, {"api_key": client.key}))


@pytest.mark.parametrize(("seconds", "status"), [(-1, 401), (60, 200)])
def test_a_key_works_until_it_expires(client, seconds, status):
    ApiKey.objects.update(expires_at=timezone.now() + timedelta(seconds=seconds))

    response = client.get(LIST)

    assert response.status_code == status
    assert status == 200 or is_a_stranger(response)


def test_a_revoked_key_stops_working_at_once(client):
    assert client.get(LIST).status_code == 200

    revoke_api_key(actor=SYSTEM, key=ApiKey.objects.get())

    assert is_a_stranger(client.get(LIST))


def test_the_key_of_an_inactive_organization_is_forbidden(client, organization, sandbox):
    organization.is_active = False
    organization.save()

    for response in (client.get(LIST), post(client, PURCHASE, {})):
        assert response.status_code == 403
        assert response.json() == {
            "detail": "This organization is not active.",
            "code": "permission_denied",
        }


def test_the_key_of_a_person_who_left_does_not_get_in(organization):
    person = make_user(organization, "admin")
    client = make_client(organization, created_by=person)
    assert client.get(LIST).status_code == 200

    person.is_active = False
    person.save()

    assert is_a_stranger(client.get(LIST))


def test_a_wrong_key_is_not_saved_by_a_valid_session(organization):
    client = signed_in(make_user(organization, "owner"))
    assert client.get(LIST).status_code == 200

    for header in (f"Bearer {KEY}", "Bearer ", "Basic eDp5"):
        assert is_a_stranger(client.get(LIST, HTTP_AUTHORIZATION=header))


@pytest.mark.parametrize("path", [PURCHASE, SEARCH])
def test_a_stranger_is_turned_away_before_the_body_is_read(organization, path):
    client = with_header(f"Bearer {KEY}")
    for body in (
        b"{" + b" " * 2_000_000 + b"}",
        b"x" * 4_000_000,
        b"{not json",
        b"[]",
        b"\xff",
        b'{"a":' * 100_000,
        b"",
    ):
        for content_type in ("application/json", "text/plain"):
            response = client.generic("POST", path, body, content_type=content_type)

            assert is_a_stranger(response), body[:10]


def test_the_last_use_is_written_at_most_once_in_five_minutes(client):
    def writes() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(LIST).status_code == 200
        return sum('UPDATE "organizations_apikey"' in q["sql"] for q in queries)

    before = timezone.now()
    assert [writes(), writes(), writes()] == [1, 0, 0]
    first = ApiKey.objects.get().last_used_at
    assert before <= first <= timezone.now()

    ApiKey.objects.update(last_used_at=first - timedelta(minutes=4, seconds=50))
    assert writes() == 0

    ApiKey.objects.update(last_used_at=first - timedelta(minutes=5, seconds=1))
    assert [writes(), writes()] == [1, 0]
    assert ApiKey.objects.get().last_used_at > first


def test_a_wrong_key_writes_nothing(organization):
    with CaptureQueriesContext(connection) as queries:
        with_header(f"Bearer {KEY}").get(LIST)

    assert [q["sql"].split()[0] for q in queries] == ["SELECT"]


def test_of_a_key_only_digest_and_prefix_are_stored(client):
    assert len(client.key) == 38 and client.key.startswith("burki_")
    row = ApiKey.objects.values().get()

    assert row["digest"] == hashlib.sha256(client.key.encode()).hexdigest()
    assert row["prefix"] == client.key[:12]
    told = json.dumps([row, *AuditEvent.objects.values()], default=str)
    assert client.key not in told
    assert client.key[12:] not in told


# --- Staff sessions -------------------------------------------------------------------------------


def test_a_staff_session_reads_without_a_token(organization):
    client = signed_in(make_user(organization, "viewer"), enforce_csrf_checks=True)

    assert client.get(LIST).status_code == 200


@pytest.mark.parametrize("token", [None, "", "x" * 32, "nonsense"])
def test_a_staff_session_without_its_token_changes_nothing(organization, sandbox, token):
    client = signed_in(make_user(organization, "owner"), enforce_csrf_checks=True)
    headers = {} if token is None else {"HTTP_X_CSRFTOKEN": token}

    response = post(client, SEARCH, {}, **headers)

    assert response.status_code == 403
    answer = response.json()
    assert answer["code"] == "permission_denied"
    assert answer["detail"].startswith("CSRF Failed: ")
    assert sandbox.requests() == []


def test_a_staff_session_with_its_token_may_act(organization, sandbox):
    client = signed_in(make_user(organization, "owner"), enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "a" * 32

    response = post(client, SEARCH, {}, HTTP_X_CSRFTOKEN="a" * 32)

    assert response.status_code == 200


def test_a_staff_session_without_its_token_is_turned_away_before_the_body_is_read(organization):
    client = signed_in(make_user(organization, "owner"), enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "a" * 32

    for body in (b"{not json", b"x" * 2_000_000):
        response = client.generic("POST", SEARCH, body, content_type="application/json")

        assert response.status_code == 403
        assert response.json()["detail"].startswith("CSRF Failed: ")


def test_a_key_needs_no_csrf_token(client, sandbox):
    strict = APIClient(enforce_csrf_checks=True, HTTP_AUTHORIZATION=f"Bearer {client.key}")

    assert post(strict, SEARCH, {}).status_code == 200


def test_the_session_of_a_person_who_left_does_not_get_in(organization):
    person = make_user(organization, "owner")
    client = signed_in(person)
    assert client.get(LIST).status_code == 200

    person.is_active = False
    person.save()

    assert is_a_stranger(client.get(LIST))


def test_a_person_in_an_inactive_organization_is_forbidden(organization):
    client = signed_in(make_user(organization, "owner"))
    organization.is_active = False
    organization.save()

    response = client.get(LIST)

    assert response.status_code == 403
    assert response.json()["detail"] == "This organization is not active."


def test_a_person_of_no_organization_is_forbidden(db):
    response = signed_in(make_user(None, "owner")).get(LIST)

    assert response.status_code == 403
    assert response.json()["code"] == "permission_denied"


def choose(client, organization) -> None:
    session = client.session
    session["organization_id"] = organization.pk
    session.save()


def test_a_person_of_two_organizations_has_to_choose(organization, other_organization):
    person = make_user(organization, "viewer")
    Membership.objects.create(organization=other_organization, user=person, role="owner")
    client = signed_in(person)

    response = client.get(LIST)

    assert response.status_code == 403
    assert response.json() == {
        "detail": "Choose an organization first.",
        "code": "permission_denied",
    }


def test_the_role_is_that_of_the_organization_chosen(organization, other_organization, sandbox):
    person = make_user(organization, "viewer")
    Membership.objects.create(organization=other_organization, user=person, role="owner")
    client = signed_in(person)

    choose(client, organization)
    assert client.get(LIST).status_code == 200
    assert post(client, SEARCH, {}).status_code == 403

    choose(client, other_organization)
    assert post(client, SEARCH, {}).status_code == 200


def test_nobody_chooses_an_organization_of_others(organization, other_organization):
    client = signed_in(make_user(organization, "owner"))
    choose(client, other_organization)

    response = client.get(LIST)

    assert response.status_code == 403
    assert response.json()["detail"] == "Choose an organization first."
