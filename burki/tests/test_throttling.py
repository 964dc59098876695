"""Requests are counted per key and per organization, each kind by itself; wrong keys by address;
the staff pages and the admin with them."""

import sys

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from burki.testing import SYSTEM, in_threads, make_client, make_user, post
from burki.throttling import TooManyRequests, rate_of, within_limits
from organizations.models import ApiKey, Organization

REQUESTS = {
    "purchase": ("/purchase", {"provider": "nobody"}, 400),
    "search": ("/search", {"provider": "nobody"}, 400),
    "default": ("", None, 200),
}
KINDS = tuple(REQUESTS)
WRONG = "Bearer burki_" + "0" * 32


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


# --- What is refused counts as well ---------------------------------------------------------------


@pytest.mark.parametrize("rate", ["default", "default_organization"])
def test_a_key_without_the_scope_may_not_ask_for_ever(organization, limited, rate):
    limited(**{rate: "3/min"})
    client = make_client(organization, ["assistants:read"])

    answers = [client.get("/phone-numbers") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [403, 403, 403, 429, 429]
    assert answers[3].json()["code"] == "throttled" and answers[3]["Retry-After"].isdecimal()
    assert client.get("/api/v1/assistants").status_code == 429  # of what it may, nothing is left


def test_who_asks_too_often_takes_nothing_from_the_others_of_the_organization(
    organization, limited
):
    limited(default="1/min", default_organization="3/min")
    loud, quiet = make_client(organization), make_client(organization)

    assert [ask(loud, "default").status_code for _ in range(9)] == [200] + [429] * 8
    assert ask(quiet, "default").status_code == 200


@pytest.mark.parametrize("header", [WRONG, "Bearer nonsense", "Basic dTpw"])
def test_a_wrong_key_is_told_so_until_it_was_tried_too_often(anonymous, db, limited, header):
    limited(failed_authentication="3/min")
    anonymous.credentials(HTTP_AUTHORIZATION=header)

    answers = [anonymous.get("/phone-numbers") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert [answer.get("WWW-Authenticate") for answer in answers] == ["Bearer"] * 3 + [None] * 2
    assert 1 <= int(answers[4]["Retry-After"]) <= 60
    assert answers[4].json() == {
        "detail": f"Too many requests. Try again in {answers[4]['Retry-After']} seconds.",
        "code": "throttled",
    }


def test_no_key_is_looked_up_for_an_address_that_tried_too_often(anonymous, organization, limited):
    limited(failed_authentication="1/min")
    right = make_client(organization)
    anonymous.credentials(HTTP_AUTHORIZATION=WRONG)
    anonymous.get("/phone-numbers")

    with CaptureQueriesContext(connection) as queries:
        assert anonymous.get("/phone-numbers").status_code == 429
        assert right.get("/phone-numbers").status_code == 429  # a guess that is right is not told

    assert len(queries) == 0
    assert not ApiKey.objects.exclude(last_used_at=None).exists()
    assert anonymous.get("/phone-numbers", REMOTE_ADDR="192.0.2.7").status_code == 401
    assert right.get("/phone-numbers", REMOTE_ADDR="192.0.2.8").status_code == 200


def test_others_behind_the_same_address_go_on(anonymous, organization, limited):
    limited(failed_authentication="1/min")
    right = make_client(organization)
    anonymous.credentials(HTTP_AUTHORIZATION=WRONG)
    right.get("/phone-numbers")

    assert [anonymous.get("/phone-numbers").status_code for _ in range(2)] == [401, 429]
    assert right.get("/phone-numbers").status_code == 200
    ApiKey.objects.update(revoked_at="2026-01-01T00:00Z")
    assert right.get("/phone-numbers").status_code == 429


def test_who_brings_no_key_tries_none(anonymous, db, limited):
    limited(failed_authentication="1/min")

    assert {anonymous.get("/phone-numbers").status_code for _ in range(5)} == {401}


# --- At once --------------------------------------------------------------------------------------


@pytest.fixture
def taking_turns():
    """Threads take turns after every few instructions, so that each meets the others everywhere."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_of_any_number_at_once_no_more_pass_than_may(limited, taking_turns):
    limited(purchase="3000/day", purchase_organization="2000/day")
    organization = Organization(pk=1)

    def ask_often() -> int:
        passed = 0
        for _ in range(500):
            try:
                within_limits("purchase", SYSTEM, organization)
            except TooManyRequests:
                continue
            passed += 1
        return passed

    assert sum(in_threads(*[ask_often] * 8)) == 2000


def test_a_rate_is_a_number_in_a_time():
    assert [rate_of(rate) for rate in ("5/s", "60/min", "2/hour", "9/day")] == [
        (5, 1), (60, 60), (2, 3600), (9, 86400),
    ]  # fmt: skip
    for wrong in ("", "60", "x/min", "60/week", "-1/min"):
        with pytest.raises(ValueError, match="is no rate"):
            rate_of(wrong)
