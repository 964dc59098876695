"""Filters of lists. A value that makes no sense is an error, not an empty list."""

from collections.abc import Mapping

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
    if not chosen.is_valid():
        errors = {name: [str(e) for e in found] for name, found in chosen.errors.items()}
        name, sentences = next(iter(errors.items()))
        raise InvalidRequest(f"{name}: {sentences[0]}", errors=errors)
    return chosen.qs
