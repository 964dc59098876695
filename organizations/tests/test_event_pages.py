"""The staff pages of event endpoints and events."""

import re
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from burki.testing import make_browser
from organizations.events.announcing import News, announce
from organizations.models import Event, EventDelivery, EventEndpoint
from organizations.tests.customers import listen, signature, signatures, work_off

pytestmark = pytest.mark.django_db
HOOK = "https://hooks.example.com/burki"
NEWS = News(type="number.released", data={"phone_number": "+14155550100"}, url="https://x.test")


def text(response) -> str:
    return response.content.decode()


def tell(organization) -> Event:
    announce(type(organization).objects.get(pk=organization.pk), NEWS)
    return Event.objects.latest("pk")


def pages_of(endpoint: EventEndpoint, event: Event) -> list[str]:
    one = f"/settings/events/endpoints/{endpoint.pk}"
    return [one, f"{one}/disable", f"{one}/delete", f"/settings/events/{event.pk}"]


def actions_of(endpoint: EventEndpoint, event: Event) -> list[str]:
    one = f"/settings/events/endpoints/{endpoint.pk}"
    verbs = ("", "/rotate", "/test", "/enable", "/disable", "/delete")
    return [*(f"{one}{verb}" for verb in verbs), f"/settings/events/{event.pk}/again"]


def test_a_secret_is_shown_once_after_it_was_made(organization, customer):
    browser = make_browser(organization, "admin")

    added = browser.post(
        "/settings/events/add",
        {"url": customer.url, "description": "Billing", "event_types": ["number.released"]},
    )
    endpoint = EventEndpoint.objects.get()
    (secret,) = endpoint.secrets

    assert (added.status_code, added.url) == (303, f"/settings/events/endpoints/{endpoint.pk}")
    assert secret not in str(dict(browser.session))
    assert secret in text(browser.get(added.url))
    assert secret not in text(browser.get(added.url))

    rotated = browser.post(f"{added.url}/rotate")
    endpoint.refresh_from_db()
    assert rotated.status_code == 303
    assert endpoint.secrets[0] in text(browser.get(added.url))
    assert browser.post(f"{added.url}/test").status_code == 303
    work_off()
    headers, body = customer.got[0]
    assert signatures(headers) == [signature(headers, body, key) for key in endpoint.secrets]


def test_what_cannot_be_an_endpoint_is_told_at_its_field(organization):
    browser = make_browser(organization, "admin")

    refused = browser.post("/settings/events/add", {"url": "https://127.0.0.1/x"})

    assert refused.status_code == 400
    assert "127.0.0.1 is not a public address." in text(refused)
    assert 'aria-invalid="true"' in text(refused)
    assert EventEndpoint.objects.count() == 0


def test_settings_are_changed(organization):
    endpoint, _ = listen(organization, HOOK, "number.released")
    browser = make_browser(organization, "admin")
    address = f"/settings/events/endpoints/{endpoint.pk}"
    assert re.search(r'value="number.released"[^>]* checked', text(browser.get(address)))

    saved = browser.post(address, {"url": f"{HOOK}/2", "description": "New", "event_types": []})

    assert saved.status_code == 303
    endpoint.refresh_from_db()
    assert (endpoint.url, endpoint.description, endpoint.event_types) == (f"{HOOK}/2", "New", [])


def test_disabling_and_deleting_ask_once_and_name_the_endpoint(organization):
    endpoint, _ = listen(organization, HOOK)
    EventDelivery.objects.create(event=tell(organization), endpoint=endpoint)
    browser = make_browser(organization, "admin")
    address = f"/settings/events/endpoints/{endpoint.pk}"

    for verb in ("disable", "delete"):
        asked = text(browser.get(f"{address}/{verb}"))
        assert HOOK in asked
        assert f"{verb.capitalize()} this endpoint?" in asked
    assert EventEndpoint.objects.get().is_active

    browser.post(f"{address}/disable")
    assert "Nothing is sent to it since" in text(browser.get(address))
    assert EventDelivery.objects.get().state == "abandoned"
    told = browser.post(f"{address}/test", follow=True)
    assert "This endpoint is disabled: enable it first." in text(told)
    browser.post(f"{address}/enable")
    assert EventEndpoint.objects.get().is_active
    gone = browser.post(f"{address}/delete", follow=True)
    assert "Endpoint at hooks.example.com deleted." in text(gone)
    assert EventEndpoint.objects.count() == 0


def test_an_event_shows_every_try_and_is_sent_again(organization, customer):
    customer.status, customer.answer = 500, b"<b>no</b>"
    endpoint, _ = listen(organization, customer.url)
    event = tell(organization)
    work_off()
    browser = make_browser(organization, "admin")

    shown = text(browser.get(f"/settings/events/{event.pk}"))
    assert "HTTP 500" in shown
    assert escape("<b>no</b>") in shown and "<b>no</b>" not in shown
    assert event.public_id in shown

    customer.status = 200
    sent = browser.post(f"/settings/events/{event.pk}/again", follow=True)
    work_off()
    assert "Sending it again." in text(sent)
    assert [told["id"] for told in customer.events] == [event.public_id] * 2
    assert "HTTP 200" in text(browser.get(f"/settings/events/{event.pk}"))
    browser.post(f"/settings/events/endpoints/{endpoint.pk}/disable")
    nobody = browser.post(f"/settings/events/{event.pk}/again", follow=True)
    assert "No active endpoint takes this event." in text(nobody)


def test_the_history_is_filtered_and_keeps_its_filters(organization):
    endpoint, _ = listen(organization, HOOK)
    for n in range(60):
        event = tell(organization)
        state = "failed" if n % 2 else "delivered"
        EventDelivery.objects.create(event=event, endpoint=endpoint, state=state)
    browser = make_browser(organization, "admin")

    page = text(browser.get("/settings/events"))
    assert page.count("+14155550100") == 50
    assert len(page) < 150_000
    failed = text(browser.get("/settings/events?state=failed&type=number.released"))
    assert failed.count("+14155550100") == 30
    assert "No event fits" in text(browser.get("/settings/events?type=balance.low"))
    assert "cannot be filtered" in text(browser.get("/settings/events?type=x"))
    assert browser.get("/settings/events?before=x").status_code == 400


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_those_who_may_not_see_no_entry_and_get_403(organization, role):
    endpoint, _ = listen(organization, HOOK)
    event = tell(organization)
    browser = make_browser(organization, role)

    assert 'href="/settings/events"' not in text(browser.get("/"))
    for address in ("/settings/events", "/settings/events/add", *pages_of(endpoint, event)):
        assert browser.get(address).status_code == 403
    for address in actions_of(endpoint, event):
        assert browser.post(address, {"url": "https://evil.example/"}).status_code == 403
    row = EventEndpoint.objects.get()
    assert (row.url, row.is_active, len(row.secrets)) == (HOOK, True, 1)
    assert Event.objects.count() == 1


def test_another_organization_s_are_not_found(organization, other_organization):
    endpoint, _ = listen(organization, HOOK)
    event = tell(organization)
    browser = make_browser(other_organization, "owner")

    for address in pages_of(endpoint, event):
        assert browser.get(address).status_code == 404
    for address in actions_of(endpoint, event):
        assert browser.post(address, {"url": "https://evil.example/"}).status_code == 404
    assert browser.get(f"/settings/events/{uuid4()}").status_code == 404
    assert HOOK not in text(browser.get("/settings/events"))
    assert EventEndpoint.objects.get().url == HOOK


def test_a_page_of_many_costs_what_a_page_of_few_costs(organization):
    endpoint, _ = listen(organization, HOOK)
    browser = make_browser(organization, "admin")

    def cost(count: int) -> int:
        rows = [
            Event(organization=organization, type="number.released", data={}, url="")
            for _ in range(count)
        ]
        Event.objects.bulk_create(rows)
        EventDelivery.objects.bulk_create(EventDelivery(event=r, endpoint=endpoint) for r in rows)
        with CaptureQueriesContext(connection) as captured:
            assert browser.get("/settings/events").status_code == 200
        return len(captured)

    assert cost(10) == cost(200)


def test_nothing_on_these_pages_needs_a_looser_policy(organization):
    endpoint, _ = listen(organization, HOOK)
    event = tell(organization)
    browser = make_browser(organization, "owner")

    for address in ("/settings/events", "/settings/events/add", *pages_of(endpoint, event)):
        page = text(browser.get(address))
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=", page), address
        assert page.count("<h1") == 1
