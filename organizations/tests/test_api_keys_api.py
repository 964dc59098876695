"""API keys through the API: shown once, never more than their maker, revoked at once; and who I
am."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from burki.errors import PermissionDenied
from burki.testing import (
    SYSTEM,
    in_threads,
    make_client,
    make_organization,
    make_user,
    post,
)
from organizations.actors import Actor
from organizations.models import ApiKey, AuditEvent, Membership
from organizations.permissions import SCOPES
from organizations.services import change_api_key, create_api_key

PATH = "/api/v1/users/me/api-keys"
READ = ["assistants:read", "numbers:read"]
WRITE = ["assistants:write", "numbers:purchase", "numbers:write"]
ADMIN = ["numbers:release", "organization:admin"]

pytestmark = pytest.mark.django_db


def made(client, **body) -> dict:
    answer = post(client, PATH, {"name": "new"} | body)
    assert answer.status_code == 201, answer.json()
    return answer.json()


def put(client, key, body=None, **query):
    query_string = "&".join(f"{name}={value}" for name, value in query.items())
    path = f"{PATH}/{key.pk}" + (f"?{query_string}" if query else "")
    return client.put(path, body if body is not None else {}, format="json")


def session(organization, role: str, **over) -> APIClient:
    client = APIClient()
    client.user = make_user(organization, role, **over)
    client.force_login(client.user)
    return client


def with_key(text: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


# --- Making ---------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_works(organization):
    owner = session(organization, "owner")

    answer = made(owner, name=" CI ", permissions={"read": True})

    key = ApiKey.objects.get()
    text = answer["key"]
    told = answer["api_key"]
    assert text.startswith("burki_") and len(text) == 38
    assert told.pop("created_at").endswith("Z") and told.pop("updated_at").endswith("Z")
    assert told == {
        "id": key.pk,
        "user_id": owner.user.pk,
        "name": "CI",
        "key_prefix": text[:12],
        "last_used_at": None,
        "usage_count": None,
        "is_active": True,
        "permissions": {"read": True, "write": False, "admin": False},
        "scopes": READ,
        "rate_limit": {"purchase": "60/min", "search": "120/min", "default": "1200/min"},
        "expires_at": None,
        "revoked_at": None,
    }
    assert with_key(text).get("/phone-numbers").status_code == 200
    assert with_key(text).get(PATH).status_code == 403
    listed = owner.get(PATH)
    assert text not in listed.content.decode() and text[12:] not in listed.content.decode()
    event = AuditEvent.objects.get(action="api_key.created")
    assert (event.user, event.data) == (owner.user, {"name": "CI", "scopes": READ})


@pytest.mark.parametrize(
    ("permissions", "scopes"),
    [
        ({"read": True}, READ),
        ({"read": True, "write": False, "admin": False}, READ),
        ({"write": True}, WRITE),
        ({"admin": True}, ADMIN),
        ({"read": True, "write": True, "admin": True}, sorted(SCOPES)),
    ],
)
def test_permissions_are_exactly_those_that_were_asked_for(organization, permissions, scopes):
    client = make_client(organization)

    told = made(client, permissions=permissions)["api_key"]

    assert told["scopes"] == scopes
    assert told["permissions"] == {"read": False, "write": False, "admin": False} | permissions


def test_scopes_can_be_named_one_by_one(client):
    told = made(client, scopes=["numbers:read", "numbers:read"])["api_key"]

    assert told["scopes"] == ["numbers:read"]
    assert told["permissions"] == {"read": False, "write": False, "admin": False}


@pytest.mark.parametrize(
    ("maker", "expected"),
    [
        (sorted(SCOPES), sorted(READ + WRITE)),
        (["organization:admin", "numbers:read"], ["numbers:read"]),
        (["organization:admin"], ["organization:admin"]),
    ],
)
def test_without_a_word_a_key_reads_and_writes_as_far_as_its_maker(organization, maker, expected):
    client = make_client(organization, maker)

    assert made(client)["api_key"]["scopes"] == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": None},
        {"name": "x" * 101},
        {"name": "a\0b"},
        {"name": ["x"]},
        {"permissions": []},
        {"permissions": {"read": "true"}},
        {"permissions": {"read": False}},
        {"permissions": {}},
        {"scopes": []},
        {"scopes": "numbers:read"},
        {"scopes": ["organization:members"]},
        {"scopes": ["*"]},
        {"scopes": [None]},
        {"permissions": {"read": True}, "scopes": ["numbers:read"]},
        {"expires_at": "tomorrow"},
        {"expires_at": "2001-01-01T00:00:00Z"},
        {"expires_at": "2999-01-01T00:00:00"},
        {"expires_at": "2999-13-01T00:00:00Z"},
        {"expires_at": 1},
    ],
    ids=str,
)
def test_a_wrong_request_makes_no_key(organization, client, wrong):
    answer = post(client, PATH, {"name": "new"} | wrong)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    assert ApiKey.objects.count() == 1


def test_a_key_needs_a_name(client):
    assert post(client, PATH, {}).status_code == 400


# --- Never more than the maker --------------------------------------------------------------------


@pytest.mark.parametrize("lacking", sorted(set(SCOPES) - {"organization:admin"}))
def test_a_key_gives_nothing_that_it_does_not_have(organization, lacking):
    client = make_client(organization, [scope for scope in SCOPES if scope != lacking])

    for body in ({"scopes": [lacking]}, {"scopes": ["organization:admin", lacking]},
                 {"permissions": {"read": True, "write": True, "admin": True}}):  # fmt: skip
        answer = post(client, PATH, {"name": "new"} | body)
        assert answer.status_code == 403
        assert answer.json()["scope"] == lacking

    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_only_those_who_administrate_the_organization_see_and_make_keys(organization, role):
    client = session(organization, role)
    key, _ = create_api_key(actor=SYSTEM, organization=organization, name="k")

    answers = [
        client.get(PATH),
        post(client, PATH, {"name": "x"}),
        put(client, key, {}, name="x"),
        client.delete(f"{PATH}/{key.pk}"),
    ]

    assert [answer.status_code for answer in answers] == [403] * 4
    assert ApiKey.objects.values_list("name", "revoked_at").get() == ("k", None)


def test_a_person_s_key_stays_bound_to_that_person(organization):
    admin = session(organization, "admin")
    text = made(admin, permissions={"read": True, "admin": True})["key"]
    child = made(with_key(text), permissions={"read": True})

    assert child["api_key"]["user_id"] == admin.user.pk
    grandchild = with_key(child["key"])
    assert grandchild.get("/phone-numbers").status_code == 200
    Membership.objects.all().delete()
    assert grandchild.get("/phone-numbers").status_code == 403


def test_a_person_cannot_make_a_key_for_somebody_else(organization):
    owner, admin = make_user(organization, "owner"), make_user(organization, "admin")

    key, _ = create_api_key(
        actor=Actor.for_user(admin), organization=organization, name="k", created_by=owner
    )
    mine, _ = create_api_key(actor=Actor.for_user(admin), organization=organization, name="k")

    assert (key.created_by, mine.created_by) == (admin, admin)
    assert set(mine.scopes) == set(SCOPES)


def test_a_key_s_key_does_not_outlive_it(organization):
    maker, text = create_api_key(actor=SYSTEM, organization=organization, name="maker")
    ends = timezone.now() + timedelta(hours=1)
    ApiKey.objects.filter(pk=maker.pk).update(expires_at=ends)
    client = with_key(text)

    children = [made(client), made(client, expires_at="2999-01-01T00:00:00Z")]
    soon = (timezone.now() + timedelta(minutes=5)).isoformat()
    earlier = made(client, expires_at=soon)

    found = ApiKey.objects.exclude(pk=maker.pk).order_by("pk")
    assert [key.expires_at for key in found[:2]] == [ends, ends]
    assert found[2].expires_at < ends
    assert len(children) == 2 and earlier["api_key"]["expires_at"].endswith("Z")


# --- Listing --------------------------------------------------------------------------------------


def test_the_list_is_an_array_newest_first_with_links_to_its_pages(organization, client):
    make_client(make_organization("Globex", accounts=False))
    for n in range(4):
        create_api_key(actor=SYSTEM, organization=organization, name=f"key {n}")

    first = client.get(PATH, {"limit": 2})
    link = first["Link"]
    assert link.startswith("<") and link.endswith('>; rel="next"')
    second = client.get(link.partition(">")[0][1:])
    third = client.get(second["Link"].partition(">")[0][1:])

    assert [[key["name"] for key in page.json()] for page in (first, second, third)] == [
        ["key 3", "key 2"],
        ["key 1", "key 0"],
        ["test"],
    ]
    assert 'rel="prev"' in second["Link"] and 'rel="next"' not in third["Link"]
    assert "Link" not in client.get(PATH)


def test_the_number_of_keys_costs_no_queries(organization, client):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            client.get(PATH, {"limit": 200})
        return len(captured)

    client.get(PATH)
    few = queries()
    for n in range(199):
        create_api_key(actor=SYSTEM, organization=organization, name=f"key {n}")

    assert queries() == few <= 2
    assert len(client.get(PATH, {"limit": 200}).json()) == 200


# --- Changing -------------------------------------------------------------------------------------


@pytest.fixture
def key(organization):
    return create_api_key(actor=SYSTEM, organization=organization, name="old", scopes=READ)[0]


def test_a_key_is_renamed_by_the_query_and_keeps_what_it_may(client, key):
    for body in ({}, None):
        answer = put(client, key, body, name="New%20name")
        assert answer.status_code == 200
        assert (answer.json()["name"], answer.json()["scopes"]) == ("New name", READ)
    assert client.put(f"{PATH}/{key.pk}?name=Third").json()["name"] == "Third"  # without a body

    events = AuditEvent.objects.filter(action="api_key.changed")
    assert [event.data["name"] for event in events.order_by("pk")] == ["New name", "Third"]


@pytest.mark.parametrize(
    ("body", "scopes"),
    [
        ({"write": True}, sorted(READ + WRITE)),
        ({"read": False, "admin": True}, ADMIN),
        ({"read": True, "write": False}, READ),
        ({"scopes": ["numbers:release"]}, ["numbers:release"]),
    ],
)
def test_the_body_changes_the_permissions_that_it_names(client, key, body, scopes):
    answer = put(client, key, body)

    assert answer.status_code == 200
    assert answer.json()["scopes"] == scopes
    assert (answer.json()["name"], answer.json()["key_prefix"]) == ("old", key.prefix)


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({"read": False}, {}),
        ({"read": "false"}, {}),
        ({"read": None}, {}),
        ({"scopes": []}, {}),
        ({"scopes": ["x"]}, {}),
        ({"scopes": READ, "write": True}, {}),
        ({}, {"name": ""}),
        ({}, {"name": "%20"}),
        ({}, {"name": "a%00b"}),
        ({"write": True}, {"name": "x" * 101}),
    ],
    ids=str,
)
def test_a_wrong_change_changes_nothing(client, key, body, query):
    answer = put(client, key, body, **query)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    key.refresh_from_db()
    assert (key.name, key.scopes) == ("old", READ)


def test_nobody_adds_a_scope_that_they_do_not_have(organization, key):
    client = make_client(organization, ["organization:admin", "numbers:read"])

    refused = put(client, key, {"write": True})
    assert (refused.status_code, refused.json()["scope"]) == (403, "assistants:write")
    # What it has already may stay, and what it loses is nobody's gain.
    assert put(client, key, {"read": True}, name="x").status_code == 200
    assert put(client, key, {"scopes": ["numbers:read"]}).json()["scopes"] == ["numbers:read"]
    assert put(client, key, {"read": True}).status_code == 403
    # Nor does a key give itself more.
    itself = ApiKey.objects.get(name="test")
    assert put(client, itself, {"admin": True}).status_code == 403


@pytest.mark.parametrize("wrong", ["0", "-1", "x", str(2**63), "9" * 40, "%00"])
def test_an_id_that_nothing_has_is_not_found(client, wrong):
    assert client.put(f"{PATH}/{wrong}", {}, format="json").status_code == 404
    assert client.delete(f"{PATH}/{wrong}").status_code == 404


def test_another_organization_s_key_is_not_found(client, other_organization):
    foreign, _ = create_api_key(actor=SYSTEM, organization=other_organization, name="theirs")

    assert put(client, foreign, {}, name="mine").status_code == 404
    assert client.delete(f"{PATH}/{foreign.pk}").status_code == 404

    foreign.refresh_from_db()
    assert (foreign.name, foreign.revoked_at) == ("theirs", None)


@pytest.mark.django_db(transaction=True)
def test_changes_at_once_are_all_kept(organization, key):
    def change(**change):
        return lambda: change_api_key(actor=SYSTEM, key=key, **change)

    in_threads(
        change(grant=["numbers:write"]),
        change(grant=["numbers:release"]),
        change(withdraw=["assistants:read"]),
        change(name="renamed"),
    )

    key.refresh_from_db()
    assert key.name == "renamed"
    assert sorted(key.scopes) == ["numbers:read", "numbers:release", "numbers:write"]


# --- Revoking -------------------------------------------------------------------------------------


def test_a_revoked_key_stops_at_once_and_stays_as_history(client):
    fresh = made(client, name="leaked")
    stranger = with_key(fresh["key"])
    assert stranger.get("/phone-numbers").status_code == 200

    for _ in range(2):
        answer = client.delete(f"{PATH}/{fresh['api_key']['id']}")
        assert answer.status_code == 200
        assert answer.json() == {
            "success": True,
            "message": "API key leaked revoked successfully",
            "data": None,
        }

    assert stranger.get("/phone-numbers").status_code == 401
    assert AuditEvent.objects.filter(action="api_key.revoked").count() == 1
    told = client.get(PATH).json()[0]
    assert (told["name"], told["is_active"]) == ("leaked", False)
    assert told["revoked_at"].endswith("Z")
    key = ApiKey.objects.get(name="leaked")
    answer = put(client, key, {"admin": True}, name="again")
    assert answer.status_code == 400
    assert answer.json()["detail"] == "This API key is revoked: make a new one."


def test_the_service_refuses_what_the_view_would(organization, key):
    viewer = Actor.for_user(make_user(organization, "viewer"))

    for call in (
        lambda: create_api_key(actor=viewer, organization=organization, name="k", scopes=READ),
        lambda: change_api_key(actor=viewer, key=key, name="x"),
    ):
        with pytest.raises(PermissionDenied):
            call()
    assert ApiKey.objects.count() == 1
