"""What counts as text that people wrote."""

import unicodedata
from datetime import datetime

# Control characters and lone surrogates: the first can forge lines, the second no database takes.
_REFUSED = frozenset({"Cc", "Cs"})


def is_clean(text: str) -> bool:
    """Whether the text has no control characters (NUL, newline, …) and can be stored as UTF-8.
    Emoji are fine, also those joined by invisible characters."""
    return not any(unicodedata.category(character) in _REFUSED for character in text)


def is_storable(text: str) -> bool:
    """Whether a database can keep the text: line breaks and tabs are fine here, NUL characters
    and lone surrogates are not."""
    return not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text)


def plain(text: object, most: int) -> str:
    """Somebody else's text as we store it: without what `is_clean` refuses, cut to `most`."""
    kept = (c for c in str(text or "") if unicodedata.category(c) not in _REFUSED)
    return "".join(kept).strip()[:most]


def instant(moment: datetime | None) -> str | None:
    """A time as the API tells it: UTC, whole seconds, ending in Z."""
    return moment and moment.strftime("%Y-%m-%dT%H:%M:%SZ")
