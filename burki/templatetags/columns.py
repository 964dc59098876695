"""Amounts by month as stacked columns: an inline drawing with the same as a table behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django import template

from burki import text

register = template.Library()

_WIDTH, _HEIGHT = 10, 100  # of one column's place, in the drawing's own units
_BAR, _LABELS = 6.4, 13
_STEPS = [Decimal(step) for step in ("1", "1.2", "1.5", "2", "2.5", "3", "4", "5", "6", "8", "10")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One month: an amount for each series. A `forecast` is drawn as what may come."""

    label: str  # below the column
    name: str
    amounts: list[Decimal]
    forecast: bool = False

    @property
    def total(self) -> Decimal:
        return sum(self.amounts, Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """A chart. `key` tells it from others of the page; `line` is an amount to compare with."""

    key: str
    title: str
    description: str
    currency: str
    series: list[str]
    columns: list[Column] = field(repr=False)
    line: Decimal | None = None
    line_name: str = ""


@register.inclusion_tag("components/columns.html")
def columns(chart: Columns) -> dict[str, Any]:
    """The chart as a figure."""
    highest = max((column.total for column in chart.columns), default=Decimal(0))
    line = chart.line if chart.line and chart.line <= 2 * highest else None
    top = _round_up(max(highest, line or 0))
    every = -(-len(chart.columns) // _LABELS)
    last = len(chart.columns) - 1
    return {
        "chart": chart,
        "width": len(chart.columns) * _WIDTH,
        "height": _HEIGHT,
        "top": text.price(top, chart.currency).removesuffix(".00"),
        "half": text.price(top / 2, chart.currency).removesuffix(".00"),
        "line": None if line is None else _units(_HEIGHT - _HEIGHT * line / top),
        "bars": [_bars(column, place, top) for place, column in enumerate(chart.columns)],
        "labels": [
            column.label if (last - place) % every == 0 else ""
            for place, column in enumerate(chart.columns)
        ],
    }


def _bars(column: Column, place: int, top: Decimal) -> dict[str, Any]:
    """The parts of a column, the first series lowest."""
    edges, total = [Decimal(0)], Decimal(0)
    for amount in column.amounts:
        total += amount
        edges.append(_HEIGHT * total / top)
    return {
        "column": column,
        "x": _units(place * _WIDTH + (_WIDTH - _BAR) / 2),
        "width": _units(_BAR),
        "parts": [
            {"series": series, "y": _units(_HEIGHT - upper), "height": _units(upper - lower)}
            for series, (lower, upper) in enumerate(pairwise(edges))
            if upper > lower
        ],
    }


def _units(value: Decimal | float) -> str:
    """A length in the drawing, in the same form in every language."""
    return f"{value:.2f}"


def _round_up(amount: Decimal) -> Decimal:
    """The next amount that an axis may end with."""
    if amount <= 0:
        return Decimal(1)
    power = Decimal(10) ** amount.adjusted()
    return next(step * power for step in _STEPS if step * power >= amount)
