"""Two facts about the current database connection that code calling a provider must know."""

from django.db import connection


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
