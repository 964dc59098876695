"""Filters of lists. A value that makes no sense is an error, not an empty list."""

from collections.abc import Mapping
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from rest_framework.request import Request

from burki.errors import InvalidRequest


class _TrueOrFalse(forms.Field):
    def to_python(self, value):
        if value in self.empty_values:
            return None
        try:
            return {"true": True, "1": True, "false": False, "0": False}[value.lower()]
        except KeyError:
            raise forms.ValidationError("Must be true or false.") from None


class BooleanFilter(django_filters.Filter):
    field_class = _TrueOrFalse


class IntegerFilter(django_filters.NumberFilter):
    field_class = forms.IntegerField


def filtered(
    filters: type[django_filters.FilterSet],
    rows: QuerySet,
    wanted: Mapping[str, str],
    request: Request | None = None,
) -> QuerySet:
    """The rows that the query string asks for; raises `InvalidRequest`. Filters that depend on who
    asks need the `request`."""
    chosen = filters(wanted, rows, request=request)
    _require_valid(chosen)
    return chosen.qs


def chosen(filters: type[django_filters.FilterSet], wanted: Mapping[str, str]) -> dict[str, Any]:
    """What the query string asks for, cleaned, for what is no list of rows: only what was given.
    Raises `InvalidRequest`."""
    asked = filters(wanted)
    _require_valid(asked)
    return {k: v for k, v in asked.form.cleaned_data.items() if v not in (None, "")}


def _require_valid(asked: django_filters.FilterSet) -> None:
    if not asked.is_valid():
        errors = {name: [str(e) for e in found] for name, found in asked.errors.items()}
        name, sentences = next(iter(errors.items()))
        raise InvalidRequest(f"{name}: {sentences[0]}", errors=errors)
