"""The background worker. Procrastinate's own command stops when PostgreSQL restarts and runs
synchronous tasks in as many threads as it likes; this one outlives restarts and sizes its own."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import psycopg_pool
from django.core.management.base import BaseCommand, CommandError
from procrastinate import JobContext, PsycopgConnector
from procrastinate.contrib.django import app
from procrastinate.contrib.django.utils import connector_params
from procrastinate.exceptions import ConnectorException

from burki import metrics
from burki.logs import bound_request_id

logger = logging.getLogger(__name__)

QUEUES = ("calls", "settle", "default", "bulk")
_AWAY = (ConnectorException, psycopg.OperationalError, psycopg_pool.PoolTimeout)


async def with_job_id(
    call_next: Callable[[], Awaitable[Any]], context: JobContext, worker: object
) -> Any:
    """Log lines and audit events of a job carry its id where those of a request carry that."""
    with bound_request_id(f"job:{context.job.id}"):
        return await call_next()


class Command(BaseCommand):
    help = "Work off background jobs until SIGINT or SIGTERM; running jobs are finished."

    def add_arguments(self, parser):
        parser.add_argument(
            "--queues", nargs="+", choices=QUEUES, help="All queues without it.", metavar="QUEUE"
        )
        parser.add_argument("--concurrency", type=int, default=4)
        parser.add_argument(
            "--metrics-port",
            type=int,
            metavar="PORT",
            help="Tell Prometheus at this port what this worker counts.",
        )
        parser.add_argument(
            "--metrics-address",
            default="127.0.0.1",
            metavar="ADDRESS",
            help="Where to listen for it; nobody is asked for a token there.",
        )

    def handle(self, *, queues, concurrency, metrics_port, metrics_address, **options):
        with contextlib.ExitStack() as stack:
            if metrics_port is not None:
                try:
                    stack.enter_context(metrics.served(metrics_address, metrics_port))
                except (OSError, OverflowError) as error:
                    raise CommandError(
                        f"Metrics cannot be served at {metrics_address}:{metrics_port}: {error}. "
                        "Each worker on a machine needs a port of its own."
                    ) from None
            asyncio.run(self.run(queues or list(QUEUES), concurrency))

    async def run(self, queues: list[str], concurrency: int) -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(concurrency + 2))
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        stopped = asyncio.create_task(stop.wait())
        logger.info("working off %s", ", ".join(queues))
        while not stop.is_set():
            await self._work(queues, concurrency, stopped)
            if not stop.is_set():
                await asyncio.wait({stopped}, timeout=2)

    async def _work(self, queues: list[str], concurrency: int, stopped: asyncio.Task) -> None:
        """Work until asked to stop, or until the database goes away."""
        connector = PsycopgConnector(
            kwargs=connector_params(), min_size=1, max_size=2, timeout=5, reconnect_timeout=5
        )
        with app.replace_connector(connector):
            try:
                await app.open_async()
                worker = asyncio.create_task(
                    app.run_worker_async(
                        queues=queues,
                        concurrency=concurrency,
                        # How late a job that is tried again may be; new ones are announced.
                        fetch_job_polling_interval=1.0 if queues == ["calls"] else 5.0,
                        # `numbers.tasks.retry_stalled` takes one that is silent five times as long
                        # for killed.
                        update_heartbeat_interval=2.0,
                        install_signal_handlers=False,
                        shutdown_graceful_timeout=20,
                        worker_middleware=[with_job_id],
                    )
                )
                await asyncio.wait({worker, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if not worker.done():
                    worker.cancel()
                await worker
            except asyncio.CancelledError:
                pass
            except _AWAY:
                logger.warning("the database is away; trying again")
            finally:
                await app.close_async()
