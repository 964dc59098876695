"""Requests are counted per key and per organization, each kind by itself."""

import pytest
from django.test import Client

from burki.testing import make_client, make_user, post
from burki.throttling import CallerThrottle, OrganizationThrottle

KINDS = ("purchase", "search", "default")
REQUESTS = {
    "purchase": ("/purchase", {"provider": "nobody"}, 400),
    "search": ("/search", {"provider": "nobody"}, 400),
    "default": ("", None, 200),
}


@pytest.fixture
def limited(monkeypatch):
    """`limited(purchase="2/min")`: that rate, and no other."""

    def limit(**rates):
        unlimited = {f"{kind}{suffix}": None for kind in KINDS for suffix in ("", "_organization")}
        for throttle in (CallerThrottle, OrganizationThrottle):
            monkeypatch.setattr(throttle, "THROTTLE_RATES", unlimited | rates)

    return limit


def ask(client, kind: str, prefix: str = "/phone-numbers"):
    path, body, _ = REQUESTS[kind]
    return client.get(prefix + path) if body is None else post(client, prefix + path, body)


@pytest.mark.parametrize("prefix", ["/phone-numbers", "/api/v1/phone-numbers"])
@pytest.mark.parametrize("rate", ["{kind}", "{kind}_organization"])
@pytest.mark.parametrize("kind", KINDS)
def test_too_many_requests_of_a_kind_are_told_when_to_come_back(
    client, limited, sandbox, kind, rate, prefix
):
    limited(**{rate.format(kind=kind): "2/min"})

    first, second, third = (ask(client, kind, prefix) for _ in range(3))

    assert first.status_code == second.status_code == REQUESTS[kind][2]
    assert third.status_code == 429
    assert third["Retry-After"].isdigit() and 1 <= int(third["Retry-After"]) <= 60
    assert third.json() == {
        "detail": f"Too many requests. Try again in {third['Retry-After']} seconds.",
        "code": "throttled",
    }
    assert sandbox.requests() == []


def test_a_kind_that_is_used_up_leaves_the_others_alone(client, limited, sandbox):
    limited(purchase="1/min", purchase_organization="1/min", default="5/min", search="5/min")

    assert [ask(client, "purchase").status_code for _ in range(2)] == [400, 429]
    assert ask(client, "search").status_code == 400
    assert ask(client, "default").status_code == 200


def test_each_key_has_its_own_share(organization, limited):
    limited(default="1/min")
    one, two = make_client(organization), make_client(organization)

    assert [ask(one, "default").status_code for _ in range(2)] == [200, 429]
    assert ask(two, "default").status_code == 200


def test_more_keys_do_not_make_an_organizations_share_larger(
    organization, other_organization, limited
):
    limited(default_organization="2/min")
    clients = [make_client(organization) for _ in range(3)]

    assert [ask(client, "default").status_code for client in clients] == [200, 200, 429]
    assert ask(make_client(other_organization), "default").status_code == 200


def test_a_person_in_the_browser_is_counted_as_one_caller(organization, limited):
    limited(default="1/min")
    browser = Client()
    browser.force_login(make_user(organization, "viewer"))

    assert [browser.get("/phone-numbers").status_code for _ in range(2)] == [200, 429]
