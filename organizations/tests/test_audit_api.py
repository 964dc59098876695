"""Reading the audit through the API: its shape, its filters, its pages, and the file."""

import csv
import io
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from burki.testing import make_client, make_user
from organizations import audit
from organizations.actors import Actor
from organizations.models import AuditEvent
from organizations.sealing import seal_events

pytestmark = pytest.mark.django_db

URL, FILE = "/api/v1/audit-events", "/api/v1/audit-events.csv"


def happened(organization, action="a.one", **fields) -> AuditEvent:
    """An event as it would be there; `created_at` may be given."""
    fields = {
        "actor_kind": "system",
        "actor_label": "test",
        "object_type": "numbers.Purchase",
        "object_id": "1",
        "data": {},
    } | fields
    created_at = fields.pop("created_at", None)
    event = AuditEvent(organization=organization, action=action, **fields)
    if created_at is None:
        event.save()
    else:
        AuditEvent._meta.get_field("created_at").auto_now_add = False
        try:
            event.created_at = created_at
            event.save()
        finally:
            AuditEvent._meta.get_field("created_at").auto_now_add = True
    return event


def listed(client, **query) -> list[str]:
    answer = client.get(URL, query)
    assert answer.status_code == 200, answer.json()
    return [item["action"] for item in answer.json()["items"] if item["action"][:2] == "a."]


def table(client, **query) -> list[dict[str, str]]:
    answer = client.get(FILE, query)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode())))


def test_an_event_tells_who_did_what_to_what_and_from_where(client, organization):
    user = make_user(organization, "owner", "ada@example.com")
    actor = Actor.for_user(user, ip="203.0.113.7", request_id="req-1")
    event = audit.record(actor, "a.one", organization, organization=organization, reason="so")
    seal_events()
    later = happened(organization, "a.two")

    items = client.get(URL).json()["items"]

    assert [items[0]["id"], items[0]["sealed"]] == [later.pk, False]
    assert items[1] == {
        "id": event.pk,
        "created_at": event.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "action": "a.one",
        "object_type": "organizations.Organization",
        "object_id": str(organization.pk),
        "object_label": "Acme",
        "actor_kind": "user",
        "actor": "ada@example.com",
        "user_id": user.pk,
        "api_key_id": None,
        "ip": "203.0.113.7",
        "request_id": "req-1",
        "sealed": True,
        "data": {"reason": "so"},
    }


def test_what_others_did_and_what_belongs_to_nobody_is_not_there(
    client, organization, other_organization
):
    happened(other_organization, "a.theirs"), happened(None, "a.nobodys")
    happened(organization, "a.ours")

    assert listed(client) == ["a.ours"]
    assert [row["action"] for row in table(client) if row["action"][:2] == "a."] == ["a.ours"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"action": "a.one"}, ["a.one"]),
        ({"action": "a"}, ["a.two", "a.one"]),
        ({"action": "a.on"}, []),
        ({"object_type": "numbers.PhoneNumber"}, ["a.two"]),
        ({"object_type": "phonenumber"}, ["a.two"]),
        ({"object_id": "77"}, ["a.two"]),
        ({"object_type": "purchase", "object_id": "77"}, []),
        ({"actor": "ADA"}, ["a.two"]),
        ({"actor": "burki_abc"}, ["a.one"]),
        ({"request_id": "req-2"}, ["a.two"]),
        ({"from": "2026-02-02"}, ["a.two"]),
        ({"from": "2026-02-02T10:00:00Z"}, ["a.two"]),
        ({"from": "2026-02-02T10:00:01Z"}, []),
        ({"to": "2026-02-01"}, ["a.one"]),
        ({"to": "2026-02-02T10:00:00+00:00"}, ["a.one"]),
        ({"from": "2026-02-01", "to": "2026-02-02"}, ["a.two", "a.one"]),
        ({"action": ""}, ["a.two", "a.one"]),
    ],
)
def test_filters_narrow_the_list_and_the_file_alike(client, organization, query, found):
    happened(organization, actor_label="bot (burki_abc…)", request_id="req-1",
             created_at=datetime(2026, 2, 1, 23, 59, 59, tzinfo=UTC))  # fmt: skip
    happened(organization, "a.two", actor_label="ada@example.com", request_id="req-2",
             object_type="numbers.PhoneNumber", object_id="77",
             created_at=datetime(2026, 2, 2, 10, tzinfo=UTC))  # fmt: skip

    assert listed(client, **query) == found
    assert [row["action"] for row in table(client, **query) if row["action"][:2] == "a."] == found


def test_events_of_a_key_are_found_by_it(client, organization):
    key = organization.api_keys.get()
    happened(organization, "a.keys", api_key=key)
    happened(organization, "a.others")

    assert listed(client, api_key_id=key.pk) == ["a.keys"]


@pytest.mark.parametrize(
    "query",
    [{"from": "yesterday"}, {"to": "2026-02-30"}, {"from": "2026-02-01T10:00:00"},
     {"from": "9999-12-31T23:59:59+24:00"}, {"to": "9999-12-31"}, {"api_key_id": "x"},
     {"limit": "0"}, {"cursor": "x"}, {"action": "x" * 61}, {"actor": "\0"}],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_is_an_error(client, query):
    answer = client.get(URL, query)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_pages_follow_each_other_without_gap_or_repeat(client, organization):
    for n in range(7):
        happened(organization, f"a.{n}")

    seen, url = [], f"{URL}?action=a&limit=3"
    while url:
        answer = client.get(url).json()
        seen += [item["action"] for item in answer["items"]]
        happened(organization, "a.later")
        url = answer["next"]

    assert seen == [f"a.{n}" for n in reversed(range(7))]


def test_the_file_has_every_event_in_parts(client, organization, monkeypatch):
    monkeypatch.setattr("organizations.audit_log._AT_A_TIME", 3)
    for n in range(10):
        happened(organization, f"a.{n}", data={"n": n})

    answer = client.get(FILE, {"action": "a"})

    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="audit-events.csv"'
    assert answer.streaming
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [row["action"] for row in rows] == [f"a.{n}" for n in reversed(range(10))]
    assert rows[0]["data"] == '{"n": 9}'
    assert (rows[0]["sealed"], rows[0]["request_id"]) == ("false", "")


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_the_file_is_a_formula(client, organization, sign):
    happened(organization, "a.one", object_label=f"{sign}cmd|' /C calc'!A1", actor_label=f"{sign}1")

    (row,) = table(client, action="a.one")

    assert row["object_label"] == f"'{sign}cmd|' /C calc'!A1"
    assert row["actor"] == f"'{sign}1"


@pytest.mark.parametrize("accept", ["text/csv", "*/*", "application/json", "image/png"])
def test_the_file_is_sent_whatever_is_accepted_and_errors_are_json(client, accept):
    assert client.get(FILE, HTTP_ACCEPT=accept)["Content-Type"].startswith("text/csv")
    wrong = client.get(FILE, {"from": "x"}, HTTP_ACCEPT=accept)
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_request")


def test_only_those_who_administrate_the_organization_read_it(organization):
    client = make_client(organization, ["numbers:read", "numbers:purchase", "assistants:read"])

    for url in (URL, FILE):
        answer = client.get(url)
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_the_file_costs_one_query_for_each_part(client, organization, monkeypatch):
    monkeypatch.setattr("organizations.audit_log._AT_A_TIME", 100)
    client.get(URL)

    def asked(rows: int) -> int:
        AuditEvent.objects.bulk_create(
            AuditEvent(organization=organization, action="b.x", actor_kind="system")
            for _ in range(rows)
        )
        with CaptureQueriesContext(connection) as queries:
            client.get(FILE, {"action": "b"})
        return len(queries)

    few, many = asked(10), asked(190)

    assert (few, many) == (few, few + 2)  # two parts more, of which the last is empty
