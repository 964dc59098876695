"""What counts as text that people wrote."""

import unicodedata
from datetime import datetime
from decimal import Decimal

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


def money(amount: Decimal | None) -> str | None:
    """An amount as API and people see it: at least two decimals, never an exponent."""
    if amount is None:
        return None
    shortest = amount.normalize()
    places = max(2, -int(shortest.as_tuple().exponent))
    return f"{amount:.{places}f}"


_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "CAD": "CA$", "AUD": "A$"}


def price(amount: Decimal, currency: str) -> str:
    """An amount with its currency, as people read it: $1.15, or 1.15 CHF."""
    if currency in _SYMBOLS:
        return f"{'-' if amount < 0 else ''}{_SYMBOLS[currency]}{money(abs(amount))}"
    return f"{money(amount)} {currency}".strip()
