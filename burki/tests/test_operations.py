"""What load balancers and monitoring are told."""

import json

import psycopg_pool
import pytest
import requests
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django import app

from burki import metrics, operations
from burki.logs import masked_event
from burki.testing import TWILIO_NUMBER, post
from numbers.models import Purchase
from numbers.tests.inbound import event_of, from_telnyx, owned, text_payload, work

TOKEN = "metrics-token-0123456789"


@pytest.fixture
def scrape(settings, db):
    """What Prometheus reads, as `{"name{labels}": figure}`."""
    settings.METRICS_TOKEN = TOKEN

    def read() -> dict[str, float]:
        answer = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain")
        lines = [line for line in answer.content.decode().splitlines() if line[:1] != "#"]
        return {name: float(figure) for name, figure in (line.rsplit(" ", 1) for line in lines)}

    return read


def test_the_process_is_healthy_without_its_database():
    answer = Client().get("/healthz")  # no `db`: a query would raise

    assert (answer.status_code, answer.content) == (200, b"ok")


def test_a_migrated_server_is_ready_and_tells_how_late_the_queues_are(db):
    app.configure_task("nothing", queue="settle", allow_unknown=True).defer()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_events SET at = now() - interval '90 seconds'")

    answer = Client().get("/readyz")

    assert answer.status_code == 200
    told = answer.json()
    assert told["ready"] is True
    assert list(told["queue_lag_seconds"]) == ["settle"]
    assert 90 <= told["queue_lag_seconds"]["settle"] < 120


def test_a_job_for_later_is_not_late(db):
    task = app.configure_task(
        "nothing", queue="settle", allow_unknown=True, schedule_in={"hours": 1}
    )
    task.defer()

    assert Client().get("/readyz").json() == {"ready": True, "queue_lag_seconds": {}}


def test_a_server_without_its_migrations_is_not_ready(db):
    operations._migrated.clear()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'numbers'")

    answer = Client().get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "reason": "migrations are missing"}


def test_a_server_without_its_database_is_not_ready(db, monkeypatch):
    def away(*arguments):
        raise psycopg_pool.PoolTimeout("no connection")

    with monkeypatch.context() as patched:
        patched.setattr(CursorWrapper, "execute", away)
        answer = Client().get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "reason": "the database is away"}


def test_without_a_token_there_are_no_metrics(db, settings):
    assert settings.METRICS_TOKEN == ""
    assert Client().get("/metrics").status_code == 404


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", f"bearer{TOKEN}", TOKEN])
def test_metrics_need_their_token(db, settings, given):
    settings.METRICS_TOKEN = TOKEN

    answer = Client().get("/metrics", headers={"Authorization": given})

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert b"burki_" not in answer.content


def test_a_purchase_is_counted(client, sandbox, scrape):
    before = scrape()

    bought = post(
        client,
        "/phone-numbers/purchase",
        {"provider": "twilio", "phone_number": TWILIO_NUMBER},
    )

    assert bought.status_code == 200
    after = scrape()
    grown = {
        name: figure - before.get(name, 0)
        for name, figure in after.items()
        if "_total" in name and figure != before.get(name, 0)
    }
    route = "phone-numbers/purchase$"
    assert grown[f'burki_http_requests_total{{method="POST",route="^{route}",status="200"}}'] == 1
    assert (
        grown['burki_provider_requests_total{method="POST",outcome="201",provider="twilio"}'] == 1
    )
    assert grown['burki_events_total{event="purchase.recorded",outcome="completed"}'] == 1
    assert TWILIO_NUMBER not in str(after)


def test_purchases_in_doubt_show_their_number_and_age(client, sandbox, scrape):
    body = {"provider": "twilio", "phone_number": "+14155550011"}
    assert post(client, "/phone-numbers/purchase", body).status_code == 504
    with connection.cursor() as cursor:
        cursor.execute("UPDATE numbers_purchase SET claimed_at = now() - interval '1 hour'")

    told = scrape()

    assert Purchase.objects.get().state == "uncertain"
    assert told['burki_purchases_unsettled{state="uncertain"}'] == 1
    assert 3600 <= told["burki_purchase_uncertain_oldest_seconds"] < 3700
    assert told['burki_jobs{queue="settle",status="todo"}'] >= 1


def test_webhooks_that_are_refused_or_not_worked_off_are_counted(organization, scrape):
    number = owned(organization, "telnyx")
    refused = 'burki_webhooks_refused_total{provider="twilio",reason="unsigned"}'
    before = scrape().get(refused, 0)

    Client().post("/twiml")
    for event in ("e1", "e2"):
        assert (
            from_telnyx(event_of("message.received", text_payload(number), event)).status_code
            == 200
        )
    told = scrape()
    assert told[refused] == before + 1
    assert told['burki_webhook_deliveries_unprocessed{provider="telnyx"}'] == 2

    work()
    assert 'burki_webhook_deliveries_unprocessed{provider="telnyx"}' not in scrape()


def test_a_worker_serves_what_it_counts_at_a_port_of_its_own():
    with metrics.served("127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}/metrics"
        assert "burki_provider_requests" in requests.get(url, timeout=10).text
        with pytest.raises(CommandError, match="Each worker on a machine needs a port of its own"):
            call_command("run_worker", metrics_port=port)

    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=10)


def test_purchases_that_need_a_person_are_counted(client, sandbox, scrape):
    assert scrape()["burki_purchases_needing_person"] == 0
    body = {"provider": "twilio", "phone_number": "+14155550011"}
    assert post(client, "/phone-numbers/purchase", body).status_code == 504
    assert scrape()["burki_purchases_needing_person"] == 0

    Purchase.objects.update(needs_attention_at=timezone.now())

    assert scrape()["burki_purchases_needing_person"] == 1


def test_an_unknown_method_or_path_makes_no_new_label(scrape):
    Client().generic("BREW", "/healthz")
    Client().get("/nowhere/at/all")

    told = str(scrape())

    assert 'method="other",route="healthz"' in told
    assert "BREW" not in told
    assert "nowhere" not in told


def test_what_goes_to_sentry_is_masked():
    event = masked_event(
        {
            "message": "token=abcdefghijkl1234 for +14155551234",
            "extra": [{"number": "+14155551234"}, 14155551234],
        }
    )

    assert "abcdefgh" not in json.dumps(event)
    assert "4155551234" not in json.dumps(event["message"])
    assert event["extra"][0]["number"] == "+1********34"
