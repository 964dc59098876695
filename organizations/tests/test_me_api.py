"""Who I am: a person, a person's key, nobody's key; and who is refused."""

import pytest
from rest_framework.test import APIClient

from burki.testing import (
    make_client,
    make_user,
)
from organizations.models import ApiKey, Membership

PATH = "/api/v1/users/me/api-keys"
ME = "/api/v1/users/me"
READ = ["assistants:read", "numbers:read"]
WRITE = ["assistants:write", "numbers:purchase", "numbers:write"]

pytestmark = pytest.mark.django_db


def put(client, key, body=None, **query):
    query_string = "&".join(f"{name}={value}" for name, value in query.items())
    path = f"{PATH}/{key.pk}" + (f"?{query_string}" if query else "")
    return client.put(path, body if body is not None else {}, format="json")


def session(organization, role: str, **over) -> APIClient:
    client = APIClient()
    client.user = make_user(organization, role, **over)
    client.force_login(client.user)
    return client


def test_a_person_is_told_who_they_are(organization):
    client = session(organization, "member", full_name="Ada King Lovelace")

    body = client.get(ME).json()

    assert body.pop("created_at").endswith("Z")
    assert body == {
        "id": client.user.pk,
        "organization_id": organization.pk,
        "organization_name": "Acme",
        "email": "member@example.com",
        "first_name": "Ada",
        "last_name": "King Lovelace",
        "full_name": "Ada King Lovelace",
        "role": "member",
        "scopes": sorted(READ + WRITE),
        "api_key_id": None,
        "is_active": True,
        "is_verified": True,
    }


def test_a_key_tells_its_person_and_its_own_scopes(organization):
    owner = make_user(organization, "owner")
    client = make_client(organization, ["assistants:read"], created_by=owner)

    body = client.get(ME).json()

    assert (body["id"], body["email"], body["role"]) == (owner.pk, "owner@example.com", "owner")
    assert (body["scopes"], body["api_key_id"]) == (["assistants:read"], ApiKey.objects.get().pk)


def test_a_key_of_a_command_is_nobody_s(client, organization):
    body = client.get(ME).json()

    assert [body[name] for name in ("id", "email", "first_name", "role")] == [None] * 4
    assert body["organization_id"] == organization.pk


@pytest.mark.parametrize("path", [ME, PATH, "/api/v1/organization"])
def test_a_deactivated_organization_or_person_is_refused(organization, path):
    owner = make_user(organization, "owner")
    by_key = make_client(organization, created_by=owner)
    by_session = APIClient()
    by_session.force_login(owner)
    assert [client.get(path).status_code for client in (by_key, by_session)] == [200, 200]

    organization.is_active = False
    organization.save()
    for client in (by_key, by_session):
        answer = client.get(path)
        assert answer.status_code == 403
        assert answer.json()["detail"] == "This organization is not active."

    organization.is_active = True
    organization.save()
    owner.is_active = False
    owner.save()
    assert [client.get(path).status_code for client in (by_key, by_session)] == [401, 401]


def test_a_person_without_a_role_is_told_nothing(organization):
    owner = make_user(organization, "owner")
    client = make_client(organization, created_by=owner)
    Membership.objects.all().delete()

    answer = client.get(ME)

    assert answer.status_code == 403
    assert answer.json() == {
        "detail": "You have no role in this organization.",
        "code": "permission_denied",
    }
