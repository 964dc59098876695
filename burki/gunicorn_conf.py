"""gunicorn's settings. Every number can be overridden by the environment or the command line."""

import gc
import os
import shutil
import tempfile
from pathlib import Path

import environ

# As the settings do, which are read later: what .env says comes before what is said here.
environ.Env.read_env(os.environ.get("ENV_FILE", str(Path(__file__).parent.parent / ".env")))

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_PROCESSES", "2"))
# A purchase waits for its provider without holding a database connection, so threads are cheap.
threads = int(os.environ.get("WEB_THREADS", "64"))
# Longer than a request's own deadline (25 s): a worker is never killed with an order in flight.
timeout = 60
graceful_timeout = 30
keepalive = 5
# No preload: a connection pool that exists before the fork would be shared by the processes.
preload_app = False
# gunicorn 27 opens one control socket per user at a fixed path; two servers would fight for it.
control_socket_disable = True
# We log requests ourselves (burki.middleware), with numbers masked; gunicorn would write them raw.
accesslog = None
errorlog = "-"
loglevel = os.environ.get("LOG_LEVEL", "warning").lower()

# The processes count together (burki.metrics); a new start counts from nothing.
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="burki-metrics-")
_counts = os.environ["PROMETHEUS_MULTIPROC_DIR"]


def on_starting(server) -> None:
    """The settings keep some of the threads for calls: they must know how many there are, also if
    the command line says it."""
    os.environ["WEB_THREADS"] = str(server.cfg.threads)


def on_exit(server) -> None:
    shutil.rmtree(_counts, ignore_errors=True)


def post_worker_init(worker) -> None:
    """What is loaded by now stays: looking through all of it for garbage takes a tenth of a second,
    in the middle of somebody's request."""
    gc.collect()
    gc.freeze()
