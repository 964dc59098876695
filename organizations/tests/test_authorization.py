"""Who may do what: an endpoint needs one scope, roles have scopes, and a key never exceeds the
person who made it."""

import pytest
from rest_framework.test import APIClient

from burki.testing import SYSTEM, TWILIO_NUMBER, make_client, make_user, orders_sent, post
from numbers.api.views import PhoneNumberViewSet
from organizations.models import Membership
from organizations.permissions import ROLE_SCOPES, SCOPES
from organizations.services import create_api_key

pytestmark = pytest.mark.django_db

WANTED = {"provider": "twilio", "phone_number": TWILIO_NUMBER}
ANOTHER = WANTED | {"phone_number": "+14155551299"}
SILENT = {"phone_number": TWILIO_NUMBER, "disable_sms": True}
CALLER = {"phone_number": "+14155550777"}
CALLERS = "/phone-numbers/organization"
A_PURCHASE = "018f0000-0000-7000-8000-000000000001"

# Under both prefixes, and the one scope that each needs; `burki/tests/routes.py` has every route.
ENDPOINTS = [
    ("POST", "/phone-numbers/search", {}, "numbers:purchase"),
    ("POST", "/phone-numbers/purchase", WANTED, "numbers:purchase"),
    ("POST", "/phone-numbers/purchase/preview", ANOTHER, "numbers:purchase"),
    ("POST", "/phone-numbers/release", {"phone_number": TWILIO_NUMBER}, "numbers:release"),
    ("GET", "/phone-numbers", None, "numbers:read"),
    ("GET", f"/phone-numbers/{TWILIO_NUMBER}", None, "numbers:read"),
    ("GET", "/phone-numbers/purchases", None, "numbers:read"),
    ("GET", f"/phone-numbers/purchases/{A_PURCHASE}", None, "numbers:read"),
    ("POST", f"/phone-numbers/purchases/{A_PURCHASE}/settle", {}, "organization:admin"),
    ("PATCH", f"/phone-numbers/{TWILIO_NUMBER}", {"assistant_id": 0}, "numbers:write"),
    ("GET", "/phone-numbers/countries", None, "numbers:read"),
    ("GET", f"/phone-numbers/{TWILIO_NUMBER}/diagnose", None, "numbers:read"),
    ("GET", f"/phone-numbers/{TWILIO_NUMBER}/webhooks", None, "numbers:read"),
    ("PUT", "/phone-numbers/webhooks", SILENT, "numbers:write"),
    ("POST", f"{CALLERS}/sync-verified-caller-ids", None, "numbers:write"),
    ("POST", f"{CALLERS}/add-verified-caller-id", CALLER, "numbers:write"),
]
every_endpoint = pytest.mark.parametrize(
    ("method", "path", "body", "scope"), ENDPOINTS, ids=[f"{e[0]} {e[1]}" for e in ENDPOINTS]
)


def ask(client, method, path, body):
    if method == "GET":
        return client.get(path)
    return getattr(client, method.lower())(path, body, format="json")


def test_an_action_without_a_scope_is_forbidden_to_everybody(client, monkeypatch):
    without = {k: v for k, v in PhoneNumberViewSet.required_scopes.items() if k != "list"}
    monkeypatch.setattr(PhoneNumberViewSet, "required_scopes", without)

    response = client.get("/phone-numbers")

    assert response.status_code == 403
    assert response.json()["code"] == "permission_denied"


@every_endpoint
def test_every_other_scope_does_not_suffice(organization, sandbox, method, path, body, scope):
    client = make_client(organization, scopes=[s for s in SCOPES if s != scope])

    for prefix in ("", "/api/v1"):
        response = ask(client, method, prefix + path, body)

        assert response.status_code == 403
        assert response.json() == {
            "detail": f"This API key lacks the scope '{scope}'.",
            "code": "permission_denied",
            "scope": scope,
        }
    assert sandbox.requests() == []


@every_endpoint
def test_the_one_scope_suffices(organization, sandbox, method, path, body, scope):
    client = make_client(organization, scopes=[scope])

    for prefix in ("", "/api/v1"):
        response = ask(client, method, prefix + path, body)

        # 404: it is allowed, but there is no such number or purchase; 409: it was done already;
        # 429: so was a call to that telephone.
        assert response.status_code in (200, 404, 409, 429), response.json()


@pytest.mark.parametrize("wrong", [{}, {"provider": 1}, {"phone_number": "x"}])
def test_the_right_is_decided_before_the_body_is_judged(organization, sandbox, wrong):
    client = make_client(organization, scopes=["numbers:read"])

    assert post(client, "/phone-numbers/purchase", wrong).status_code == 403


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("viewer", {"numbers:read"}),
        ("member", {"numbers:read", "numbers:write", "numbers:purchase"}),
        (
            "admin",
            {
                "numbers:read",
                "numbers:write",
                "numbers:purchase",
                "numbers:release",
                "organization:admin",
            },
        ),
        (
            "owner",
            {
                "numbers:read",
                "numbers:write",
                "numbers:purchase",
                "numbers:release",
                "organization:admin",
            },
        ),
    ],
)
def test_a_person_may_what_their_role_allows(organization, sandbox, role, allowed):
    client = APIClient()
    client.force_login(make_user(organization, role))

    for method, path, body, scope in ENDPOINTS:
        response = ask(client, method, path, body)

        if scope in allowed:
            assert response.status_code in (200, 404), (path, response.json())
        else:
            assert response.status_code == 403, path
            assert response.json()["detail"] == f"Your role lacks the scope '{scope}'."
    assert len(orders_sent(sandbox)) == ("numbers:purchase" in allowed)


def test_the_roles_are_those_of_the_design():
    viewer = {"numbers:read", "assistants:read"}
    member = viewer | {"numbers:purchase", "numbers:write", "assistants:write"}
    admin = member | {"numbers:release", "organization:admin"}

    assert {
        "viewer": viewer,
        "member": member,
        "admin": admin,
        "owner": admin | {"organization:members"},
    } == ROLE_SCOPES
    assert set(SCOPES) == admin  # what a key may carry: not members and limits


def test_a_key_follows_the_present_role_of_the_person_who_made_it(organization, sandbox):
    person = make_user(organization, "admin")
    client = make_client(organization, created_by=person)
    release = ("POST", "/phone-numbers/release", {"phone_number": TWILIO_NUMBER})
    search = ("POST", "/phone-numbers/search", {})
    read = ("GET", "/phone-numbers", None)

    def statuses():
        return [ask(client, *endpoint).status_code for endpoint in (read, search, release)]

    assert statuses() == [200, 200, 404]

    Membership.objects.update(role="member")
    assert statuses() == [200, 200, 403]

    Membership.objects.update(role="viewer")
    assert statuses() == [200, 403, 403]
    assert post(client, "/phone-numbers/purchase", WANTED).json() == {
        "detail": "This API key lacks the scope 'numbers:purchase'.",
        "code": "permission_denied",
        "scope": "numbers:purchase",
    }

    Membership.objects.all().delete()
    assert statuses() == [403, 403, 403]
    assert orders_sent(sandbox) == []


def test_a_role_gives_a_key_nothing_that_it_does_not_carry(organization):
    owner = make_user(organization, "owner")

    client = make_client(organization, scopes=["numbers:read"], created_by=owner)

    assert client.get("/phone-numbers").status_code == 200
    assert post(client, "/phone-numbers/search", {}).status_code == 403


def test_a_role_elsewhere_counts_for_nothing(organization, other_organization):
    person = make_user(other_organization, "owner")
    Membership.objects.create(organization=organization, user=person, role="viewer")

    client = make_client(organization, created_by=person)

    assert post(client, "/phone-numbers/search", {}).status_code == 403


@pytest.mark.parametrize("scope", ["organization:members", "everything", "numbers:*", ""])
def test_a_key_carries_only_scopes_that_exist(organization, scope):
    with pytest.raises(Exception, match="not a valid choice|cannot be blank"):
        create_api_key(actor=SYSTEM, organization=organization, name="k", scopes=[scope])
