"""What code must know of the database: whether a transaction is open, how to wait for a provider
without holding a connection, and how much work an index may put off."""

import contextlib
from collections.abc import Iterator

from django.db import connection

from burki.turns import paused

# An index of parts of words sets new rows aside and files them when so many kilobytes are waiting:
# whoever writes the one too many does it, perhaps under an organization's lock.
PENDING_KB = 256


def in_real_transaction() -> bool:
    """Whether a transaction is open that somebody other than the test case began."""
    return any(not block._from_testcase for block in connection.atomic_blocks)


def release_connection() -> None:
    """Give the pooled connection back, so that waiting for a provider holds none.

    Inside a transaction (only tests and bugs come here with one) nothing happens: closing would
    roll it back.
    """
    if not connection.in_atomic_block:
        connection.close()


@contextlib.contextmanager
def waiting() -> Iterator[None]:
    """While this thread waits for somebody else: it holds no pooled connection, and its turn is
    another's."""
    release_connection()
    with paused():
        yield
