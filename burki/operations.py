"""What load balancers and monitoring ask: /healthz, /readyz, /metrics."""

import hmac
import threading

import psycopg_pool
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST

from burki import metrics
from burki.room import always_answered

_migrated = threading.Event()


@always_answered
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers. Nothing else is looked at: restarting it would mend nothing else."""
    return HttpResponse("ok", content_type="text/plain")


@always_answered
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when this process can serve: the database answers and has our migrations; else 503.

    The queues' lag in seconds is told, but decides nothing: taking web servers away because a
    worker is late would make matters worse.
    """
    try:
        if not _is_migrated():
            return JsonResponse({"ready": False, "reason": "migrations are missing"}, status=503)
        lag = dict(metrics.figures("burki_queue_lag_seconds"))
    except (DatabaseError, InterfaceError, psycopg_pool.PoolTimeout):
        return JsonResponse({"ready": False, "reason": "the database is away"}, status=503)
    return JsonResponse({"ready": True, "queue_lag_seconds": lag})


@always_answered
def prometheus(request: HttpRequest) -> HttpResponse:
    """For Prometheus, with `Authorization: Bearer METRICS_TOKEN`; without that setting there is
    nothing here."""
    if not settings.METRICS_TOKEN:
        raise Http404
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode()):
        return JsonResponse(
            {"detail": "Send METRICS_TOKEN as a Bearer token.", "code": "not_authenticated"},
            status=401,
            headers={"WWW-Authenticate": "Bearer"},
        )
    return HttpResponse(metrics.exposition(), content_type=CONTENT_TYPE_LATEST)


def _is_migrated() -> bool:
    """Migrations do not go away: once they were all there, they are not looked at again."""
    if not _migrated.is_set():
        executor = MigrationExecutor(connection)
        if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
            _migrated.set()
    return _migrated.is_set()
