"""The commands that make a tenant, a key and an assistant print that and nothing else, so that
scripts can take what they print."""

import re
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from rest_framework.test import APIClient

from assistants.models import Assistant
from organizations.models import ApiKey, Organization
from organizations.permissions import SCOPES

pytestmark = pytest.mark.django_db


def printed(*arguments: str) -> str:
    out, err = StringIO(), StringIO()
    call_command(*arguments, stdout=out, stderr=err)
    assert err.getvalue() == ""
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Acme", "acme"),
        ("Smith & Sons, Ltd.", "smith-sons-ltd"),
        ("Größe", "groe"),
        ("北京", "organization"),
        ("x" * 100, "x" * 90),
    ],
)
def test_create_organization_prints_the_slug_alone(name, slug):
    assert printed("create_organization", name) == f"{slug}\n"

    assert Organization.objects.get().name == name


def test_organizations_of_one_name_get_different_slugs():
    slugs = [printed("create_organization", "Acme") for _ in range(3)]

    assert slugs == ["acme\n", "acme-2\n", "acme-3\n"]


@pytest.mark.parametrize("name", ["", "x" * 101])
def test_an_impossible_name_of_an_organization_is_a_clear_error(name):
    with pytest.raises(CommandError, match="name"):
        printed("create_organization", name)

    assert not Organization.objects.exists()


def test_create_api_key_prints_the_key_alone_and_it_works(organization):
    out = printed("create_api_key", "--organization", "acme", "--name", "script")

    assert re.fullmatch(r"burki_[a-z0-9]{32}\n", out)
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {out.strip()}")
    assert client.get("/phone-numbers").status_code == 200
    key = ApiKey.objects.get()
    assert (key.name, key.organization, key.created_by) == ("script", organization, None)
    assert key.scopes == sorted(SCOPES)


def test_create_api_key_takes_the_scopes_that_are_named(organization):
    out = printed(
        "create_api_key", "--organization", "acme", "--name", "reader",
        "--scope", "numbers:read", "--scope", "assistants:read",
    )  # fmt: skip

    assert ApiKey.objects.get().scopes == ["numbers:read", "assistants:read"]
    client = APIClient(HTTP_AUTHORIZATION=f"Bearer {out.strip()}")
    assert client.get("/phone-numbers").status_code == 200
    assert client.post("/phone-numbers/search", {}, format="json").status_code == 403


@pytest.mark.parametrize("scope", ["everything", "organization:members", ""])
def test_create_api_key_refuses_a_scope_that_does_not_exist(organization, scope):
    with pytest.raises(CommandError, match="invalid choice"):
        printed("create_api_key", "--organization", "acme", "--name", "k", "--scope", scope)

    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("name", ["", "x" * 101])
def test_an_impossible_name_of_a_key_is_a_clear_error(organization, name):
    with pytest.raises(CommandError, match="name"):
        printed("create_api_key", "--organization", "acme", "--name", name)

    assert not ApiKey.objects.exists()


def test_create_assistant_prints_the_id_alone(organization):
    out = printed("create_assistant", "--organization", "acme", "Front desk")

    assistant = Assistant.objects.get()
    assert out == f"{assistant.pk}\n"
    assert (assistant.name, assistant.organization) == ("Front desk", organization)


@pytest.mark.parametrize("name", ["", "x" * 101])
def test_an_impossible_name_of_an_assistant_is_a_clear_error(organization, name):
    with pytest.raises(CommandError, match="name"):
        printed("create_assistant", "--organization", "acme", name)

    assert not Assistant.objects.exists()


@pytest.mark.parametrize(
    "command",
    [
        ("create_api_key", "--organization", "nobody", "--name", "k"),
        ("create_api_key", "--organization", "ACME", "--name", "k"),
        ("create_assistant", "--organization", "nobody", "Desk"),
        ("create_assistant", "--organization", "", "Desk"),
    ],
)
def test_an_unknown_slug_is_a_clear_error(organization, command):
    with pytest.raises(CommandError) as caught:
        printed(*command)

    assert str(caught.value) == f"There is no organization with the slug '{command[2]}'."
