"""The migrated database that every test process gets a copy of: built once, kept until a migration
changes."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import django
from django.apps import apps
from django.core.management import call_command
from django.db import connection

_PREFIX = "test_template_"
_LOCK = 4_815_162  # of PostgreSQL: only one process builds, the others wait


def template() -> str:
    """The name of a database that has all migrations, and that nobody is connected to.

    A new one takes the place of those that other migrations made. Should it ever be older than its
    name says, nothing is lost: Django applies what a copy lacks.
    """
    wanted = f"{_PREFIX}{_fingerprint()}"
    with connection._nodb_cursor() as cursor:
        cursor.execute("SET lock_timeout = 0")  # another may take long to build it
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])  # until this connection ends
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [_PREFIX])
        found = {name for (name,) in cursor.fetchall()}
        if wanted not in found:
            for old in found:
                cursor.execute(f'DROP DATABASE IF EXISTS "{old}" WITH (FORCE)')
            building = f"{_PREFIX}building"
            cursor.execute(f'CREATE DATABASE "{building}"')
            with _connected_to(building):
                call_command("migrate", verbosity=0, interactive=False)
            # Only what is complete has its name: a build that was killed is begun anew.
            cursor.execute(f'ALTER DATABASE "{building}" RENAME TO "{wanted}"')
    return wanted


def _fingerprint() -> str:
    """Of everything that decides what the migrations make."""
    seen = hashlib.sha256(django.__version__.encode())
    for app in apps.get_app_configs():
        try:
            folder = Path(import_module(f"{app.name}.migrations").__path__[0])
        except ModuleNotFoundError:
            continue
        for file in sorted(folder.glob("*.py")):
            seen.update(f"{app.name} {file.name}".encode() + file.read_bytes())
    return seen.hexdigest()[:16]


@contextmanager
def _connected_to(name: str) -> Iterator[None]:
    """The pool would go on to lead to where it led before."""
    before = connection.settings_dict["NAME"]
    _leave()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        _leave()
        connection.settings_dict["NAME"] = before


def _leave() -> None:
    connection.close()
    connection.close_pool()


# Django fills them after every flush with what is in them already.
_ALWAYS_THE_SAME = {"django_content_type", "auth_permission"}


def flush_quickly() -> None:
    """Empty tables after a test by deleting their few rows: making all tables and indexes anew, as
    TRUNCATE does, takes far longer. As it does, this waits for whoever still writes. It goes around
    triggers, which only a superuser may; anybody else has Django's own way."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        if cursor.fetchone() != (True,):
            return

    def sql_flush(style, tables: list[str], **options) -> list[str]:
        names = [connection.ops.quote_name(one) for one in tables if one not in _ALWAYS_THE_SAME]
        return [
            f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE",
            "SET LOCAL session_replication_role = replica",
            "; ".join(f"DELETE FROM {name}" for name in names),
        ]

    connection.ops.sql_flush = sql_flush
