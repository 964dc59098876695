"""Amounts drawn as SVG, each with words for people who do not see it. Widths are attributes: no
inline style is needed."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import template

register = template.Library()

_ROW = 44  # pixels of a bar with its label
_LEAST = Decimal("0.4")  # per cent: what is there is seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: its label, what it says as words, and how long it is beside the others. `url` is the
    list behind it: the table leads there."""

    label: str
    words: str
    amount: Decimal
    colour: str = ""
    url: str = ""


@register.inclusion_tag("components/bars.html")
def bars(rows: Iterable[Bar], name: str, title: str, about: str, head: str, amount: str) -> dict:
    """A chart of horizontal bars with a table behind "Show as table". `name` is its id on the page,
    `about` its description; `head` and `amount` head the table's columns."""
    rows = list(rows)
    longest = max((row.amount for row in rows), default=Decimal(0)) or Decimal(1)
    return {
        "name": name,
        "title": title,
        "about": about,
        "head": head,
        "amount": amount,
        "height": _ROW * len(rows),
        "rows": [
            {
                "bar": row,
                "width": _percent(row.amount, longest),
                "text_y": _ROW * n + 16,
                "bar_y": _ROW * n + 24,
            }
            for n, row in enumerate(rows)
        ],
    }


@register.inclusion_tag("components/meter.html")
def meter(parts: list[tuple[str, Any]], total: Any, label: str, role: str = "progressbar") -> dict:
    """How much of `total` the `parts` are: pairs of a colour and an amount, drawn one after the
    other. `label` says it in words; `role` is `progressbar` or `meter`."""
    filled, drawn = Decimal(0), []
    for colour, amount in parts:
        width = min(_percent(Decimal(amount), Decimal(total or 1)), Decimal(100) - filled)
        if width > 0:
            drawn.append({"colour": colour, "x": filled, "width": width})
            filled += width
    return {"parts": drawn, "now": round(filled), "label": label, "role": role}


def _percent(amount: Decimal, of: Decimal) -> Decimal:
    if amount <= 0 or of <= 0:
        return Decimal(0)
    return max(_LEAST, min(Decimal(100), round(100 * amount / of, 2)))
