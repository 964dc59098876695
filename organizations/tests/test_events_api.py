"""Event endpoints and events over the API."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from burki.testing import make_client, post
from organizations.events.announcing import News, announce
from organizations.models import AuditEvent, Event, EventDelivery, EventEndpoint
from organizations.tests.customers import listen, signature, signatures, work_off

pytestmark = pytest.mark.django_db
PATH, EVENTS = "/api/v1/event-endpoints", "/api/v1/events"
HOOK = "https://hooks.example.com/burki"
NEWS = News(type="number.released", data={"phone_number": "+14155550100"}, url="https://x.test")


def add(client, **over) -> dict:
    answer = post(client, PATH, {"url": HOOK} | over)
    assert answer.status_code == 201, answer.json()
    return answer.json()


def patch(client, endpoint_id: int, body):
    return client.patch(f"{PATH}/{endpoint_id}", body, format="json")


def test_the_secret_is_shown_when_it_is_made_and_never_again(client, organization):
    url = f"{HOOK}?token=customers-own"
    made = add(client, url=url, description=" Billing ", event_types=["number.released"])
    endpoint, secret = made["endpoint"], made["secret"]

    assert secret.startswith("whsec_")
    assert (endpoint["description"], endpoint["event_types"]) == ("Billing", ["number.released"])
    assert (endpoint["state"], endpoint["is_active"]) == ("active", True)
    assert client.get(f"{PATH}/{endpoint['id']}").json() == endpoint
    assert client.get(PATH).json() == {"items": [endpoint]}
    row = EventEndpoint.objects.get()
    assert secret not in str(vars(row))
    assert secret not in str(AuditEvent.objects.values())
    assert "customers-own" not in str(AuditEvent.objects.values())
    assert row.secrets == [secret]
    assert AuditEvent.objects.filter(action="event_endpoint.created").count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://[::1]/"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": "https://ada:secret@hooks.example.com/"}, "url"),
        ({"url": "ftp://hooks.example.com/"}, "url"),
        ({"url": "nonsense"}, "url"),
        ({"url": f"https://hooks.example.com/{'x' * 500}"}, "url"),
        ({"url": HOOK, "event_types": ["number.lost"]}, "event_types"),
        ({"url": HOOK, "event_types": ["endpoint.test"]}, "event_types"),
        ({"url": HOOK, "event_types": "number.released"}, "event_types"),
        ({"url": HOOK, "description": "x" * 201}, "description"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused(client, body, field):
    refused = post(client, PATH, body)

    assert refused.status_code == 400
    assert list(refused.json()["errors"]) == [field]
    assert EventEndpoint.objects.count() == 0


def test_an_organization_has_at_most_twenty(client, organization, other_organization):
    for _ in range(20):
        listen(organization, HOOK)

    assert post(client, PATH, {"url": HOOK}).status_code == 400
    assert EventEndpoint.objects.count() == 20
    add(make_client(other_organization))


def test_disabling_abandons_and_enabling_begins_anew(client, organization):
    made = add(client)["endpoint"]
    announce(type(organization).objects.get(), NEWS)
    event = Event.objects.get()
    EventDelivery.objects.create(event=event, endpoint_id=made["id"])

    disabled = patch(client, made["id"], {"is_active": False}).json()
    assert (disabled["state"], disabled["is_active"]) == ("disabled", False)
    assert disabled["disabled_because"].startswith("By test (burki_")
    assert EventDelivery.objects.get().state == "abandoned"
    test = client.post(f"{PATH}/{made['id']}/test")
    assert (test.status_code, Event.objects.count()) == (400, 1)
    again = client.post(f"{EVENTS}/{event.public_id}/redeliver")
    assert (again.status_code, EventDelivery.objects.get().state) == (400, "abandoned")

    EventEndpoint.objects.update(failing_since=timezone.now())
    enabled = patch(client, made["id"], {"is_active": True, "url": f"{HOOK}/2"}).json()
    assert (enabled["state"], enabled["disabled_at"], enabled["url"]) == (
        "active",
        None,
        f"{HOOK}/2",
    )
    assert client.post(f"{EVENTS}/{event.public_id}/redeliver").status_code == 202
    assert EventDelivery.objects.get().state == "pending"
    actions = AuditEvent.objects.filter(action__startswith="event").order_by("pk")
    assert [a.action.rpartition(".")[2] for a in actions] == [
        "created",
        "disabled",
        "changed",
        "enabled",
        "sent_again",
    ]


def test_what_is_as_wanted_is_not_written(client):
    made = add(client)["endpoint"]

    assert patch(client, made["id"], {"url": HOOK, "is_active": True}).json() == made
    assert AuditEvent.objects.filter(action__startswith="event_endpoint").count() == 1


def test_deleting_one_keeps_its_events(client, organization, customer):
    made = add(client, url=customer.url)["endpoint"]
    client.post(f"{PATH}/{made['id']}/test")
    announce(type(organization).objects.get(), NEWS)
    work_off()

    gone = client.delete(f"{PATH}/{made['id']}")

    assert gone.json()["success"] is True
    assert EventEndpoint.objects.count() == EventDelivery.objects.count() == 0
    assert [event.type for event in Event.objects.all()] == ["number.released"]
    assert client.get(f"{PATH}/{made['id']}").status_code == 404


def test_a_rotated_secret_signs_beside_the_old_one(client, customer):
    made = add(client, url=customer.url)
    rotated = client.post(f"{PATH}/{made['endpoint']['id']}/rotate-secret").json()
    sent = client.post(f"{PATH}/{made['endpoint']['id']}/test")
    work_off()

    assert (sent.status_code, sent.json()["type"]) == (202, "endpoint.test")
    headers, body = customer.got[0]
    keys = (rotated["secret"], made["secret"])
    assert signatures(headers) == [signature(headers, body, key) for key in keys]
    assert rotated["endpoint"]["previous_secret_signs_until"] is not None


def test_an_event_tells_its_deliveries_and_their_attempts(client, organization, customer):
    made = add(client, url=customer.url)["endpoint"]
    customer.status = 500
    announce(type(organization).objects.get(), NEWS)
    work_off()
    event = Event.objects.get()

    told = client.get(f"{EVENTS}/{event.public_id}").json()
    (listed,) = client.get(EVENTS).json()["items"]

    (delivery,) = told.pop("deliveries")
    assert (delivery["endpoint_id"], delivery["endpoint_url"]) == (made["id"], customer.url)
    assert (delivery["state"], delivery["tries"], delivery["last_status"]) == ("pending", 1, 500)
    assert delivery["next_attempt_at"] is not None
    (attempt,) = delivery["attempts"]
    assert (attempt["status_code"], attempt["error"], attempt["answer"]) == (500, None, "thanks")
    assert listed.pop("deliveries") == {"pending": 1, "delivered": 0, "failed": 0, "abandoned": 0}
    assert listed == told == customer.events[0]


def test_events_are_filtered_by_type_and_by_what_became_of_them(client, organization):
    endpoint, _ = listen(organization, HOOK)
    news = [NEWS, News(type="number.drifted", data={}, url=""), NEWS]
    announce(type(organization).objects.get(), *news)
    first = Event.objects.order_by("pk").first()
    EventDelivery.objects.create(event=first, endpoint=endpoint, state="failed")

    def found(query: str) -> list[str]:
        return [item["id"] for item in client.get(f"{EVENTS}{query}").json()["items"]]

    newest_first = [e.public_id for e in Event.objects.order_by("-pk")]
    assert found("") == newest_first
    assert len(found("?type=number.drifted")) == 1
    assert len(found("?type=number.drifted&type=number.released")) == 3
    assert found("?state=failed") == [first.public_id]
    page = client.get(f"{EVENTS}?limit=2").json()
    assert [item["id"] for item in page["items"]] == newest_first[:2]
    assert [i["id"] for i in client.get(page["next"]).json()["items"]] == newest_first[2:]
    for wrong in ("?type=x", "?state=x", "?limit=0", "?cursor=x"):
        assert client.get(f"{EVENTS}{wrong}").status_code == 400


@pytest.mark.parametrize(
    "event_id", ["evt_", "evt_" + "0" * 32, "evt_" + "g" * 32, "1", "%00", "x" * 500]
)
def test_an_event_that_is_none_is_not_found(client, event_id):
    assert client.get(f"{EVENTS}/{event_id}").status_code == 404


@pytest.mark.parametrize("endpoint_id", ["0", "99999999999999999999", "x", "-1"])
def test_an_endpoint_that_is_none_is_not_found(client, endpoint_id):
    assert client.get(f"{PATH}/{endpoint_id}").status_code == 404
    assert client.delete(f"{PATH}/{endpoint_id}").status_code == 404


def test_a_list_of_many_costs_what_a_list_of_few_costs(client, organization):
    endpoints = [listen(organization, HOOK)[0] for _ in range(3)]

    def cost(count: int) -> int:
        rows = [
            Event(organization=organization, type="number.released", data={}, url="")
            for _ in range(count)
        ]
        Event.objects.bulk_create(rows)
        EventDelivery.objects.bulk_create(
            EventDelivery(event=row, endpoint=endpoint) for row in rows for endpoint in endpoints
        )
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(f"{EVENTS}?limit=200")
        assert len(answer.json()["items"]) >= min(count, 200)
        return len(captured)

    client.get(EVENTS)  # notes that the key was used
    assert cost(10) == cost(200) == 3  # key, page, deliveries
