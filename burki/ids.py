"""Ids that are made before a row is written."""

import secrets
import time
import uuid


def uuid7() -> uuid.UUID:
    """A time-ordered UUID (RFC 9562, version 7): unique everywhere, so that it can be our tag at a
    provider whose account several installations share, and sortable by when it was made."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | (7 << 76)
    value = value & ~(0x3 << 62) | (2 << 62)
    return uuid.UUID(int=value)
