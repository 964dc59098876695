"""What this process counts for Prometheus, and what a scrape reads from the database.

With several web processes on one machine `PROMETHEUS_MULTIPROC_DIR` (set by `gunicorn_conf`) lets
any of them tell the sum of all; a worker tells its own, at a port of its own. Labels come from
closed lists only: never a path, a phone number or an id.
"""

import contextlib
import os
from collections.abc import Iterator

from django.db import connection
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)

http_requests = Counter("burki_http_requests", "Requests answered.", ["method", "route", "status"])
http_seconds = Histogram(
    "burki_http_request_seconds", "Time to answer a request.", ["route"], buckets=_SECONDS
)
provider_requests = Counter(
    "burki_provider_requests",
    "Requests to providers: `outcome` is the HTTP status or the kind of failure.",
    ["provider", "method", "outcome"],
)
provider_seconds = Histogram(
    "burki_provider_request_seconds",
    "Time that a provider took to answer.",
    ["provider", "method"],
    buckets=_SECONDS,
)
events = Counter(
    "burki_events",
    "Named events of the services, such as purchase.recorded; `outcome` is the state reached.",
    ["event", "outcome"],
)
webhooks_refused = Counter(
    "burki_webhooks_refused",
    "Requests that claimed to come from a provider, and were not shown to; `reason` is one word.",
    ["provider", "reason"],
)

_GAUGES = {
    "burki_purchases_unsettled": (
        "Purchases that are not over, by state.",
        ["state"],
        """SELECT state, count(*) FROM numbers_purchase
           WHERE next_look_at IS NOT NULL GROUP BY state""",
    ),
    "burki_purchase_uncertain_oldest_seconds": (
        "Age of the oldest purchase whose outcome is not known.",
        [],
        """SELECT coalesce(extract(epoch FROM now() - min(claimed_at)), 0) FROM numbers_purchase
           WHERE next_look_at IS NOT NULL AND state = 'uncertain'""",
    ),
    "burki_webhook_deliveries_unprocessed": (
        "Webhooks of providers that are written down and not worked off yet.",
        ["provider"],
        """SELECT provider, count(*) FROM numbers_webhookdelivery
           WHERE processed_at IS NULL GROUP BY provider""",
    ),
    "burki_purchases_needing_person": (
        "Purchases that nobody but a person can settle.",
        [],
        "SELECT count(*) FROM numbers_purchase WHERE needs_attention_at IS NOT NULL",
    ),
    "burki_jobs": (
        "Background jobs that wait or run.",
        ["queue", "status"],
        """SELECT queue_name, status::text, count(*) FROM procrastinate_jobs
           WHERE status IN ('todo', 'doing') GROUP BY 1, 2""",
    ),
    "burki_queue_lag_seconds": (
        "How long the longest waiting job has been due.",
        ["queue"],
        """SELECT queue_name, max(extract(epoch FROM now() - coalesce(scheduled_at, at)))
           FROM procrastinate_jobs job
           -- Looked up for each that waits, however many seem to: there are far more events.
           CROSS JOIN LATERAL (
               SELECT at FROM procrastinate_events
               WHERE job_id = job.id AND type = 'deferred' LIMIT 1) event
           WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
           GROUP BY 1""",
    ),
}


def figures(name: str) -> list[tuple]:
    """The rows of one of the gauges: its labels' values, then the figure."""
    with connection.cursor() as cursor:
        cursor.execute(_GAUGES[name][2])
        return [(*map(str, row[:-1]), float(row[-1])) for row in cursor.fetchall()]


class DatabaseCollector(Collector):
    """The state of the whole deployment: every web process tells the same."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, (description, labels, _) in _GAUGES.items():
            gauge = GaugeMetricFamily(name, description, labels=labels)
            for *values, figure in figures(name):
                gauge.add_metric(values, figure)
            yield gauge


def exposition() -> bytes:
    """Everything, in Prometheus' text format."""
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.MultiProcessCollector(registry)
        counted = generate_latest(registry)
    else:
        counted = generate_latest()
    state = CollectorRegistry()
    state.register(DatabaseCollector())
    return counted + generate_latest(state)


@contextlib.contextmanager
def served(address: str, port: int) -> Iterator[int]:
    """What this process counts, by HTTP for as long as the block runs; the port (a free one for
    0). The state of the deployment is the web servers' to tell. Raises `OSError`."""
    server, thread = start_http_server(port, addr=address)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
