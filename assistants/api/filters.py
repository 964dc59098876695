"""Filters of the lists. A value that makes no sense is an error, not an empty list."""

import re

import django_filters
from django import forms
from django.db.models import QuerySet

from assistants.models import Assistant
from burki.filters import BooleanFilter
from organizations.actors import Actor


class ActiveFilter(django_filters.FilterSet):
    active_only = BooleanFilter(method="only_active")

    class Meta:
        model = Assistant
        fields: list[str] = []

    def only_active(self, rows: QuerySet, name: str, value: bool) -> QuerySet:
        return rows.filter(is_active=True) if value else rows


class AssistantFilter(ActiveFilter):
    my_assistants_only = BooleanFilter(method="only_mine")
    include_stats = BooleanFilter(method="nothing_more")

    def only_mine(self, rows: QuerySet, name: str, value: bool) -> QuerySet:
        """Those that the person behind the request made, with whatever key; a key that belongs to
        nobody has those that were made with it."""
        if not value:
            return rows
        actor: Actor = self.request.user
        if actor.user is not None:
            return rows.filter(created_by=actor.user)
        return rows.filter(created_by_key=actor.api_key)

    def nothing_more(self, rows: QuerySet, name: str, value: bool) -> QuerySet:
        """They are counted for the rows of the page, by the view."""
        return rows


class _Ids(forms.CharField):
    def to_python(self, value):
        text = super().to_python(value)
        if not text:
            return []
        if not re.fullmatch(r"[0-9]{1,18}(,[0-9]{1,18}){0,999}", text):
            raise forms.ValidationError("Must be at most 1000 ids, with commas between them.")
        return [int(part) for part in text.split(",")]


class _IdsFilter(django_filters.Filter):
    field_class = _Ids


class ExportFilter(django_filters.FilterSet):
    assistant_ids = _IdsFilter(field_name="pk", lookup_expr="in")
    search = django_filters.CharFilter(field_name="name", lookup_expr="icontains")
    status = django_filters.ChoiceFilter(
        choices=[(word, word) for word in ("active", "inactive", "all")], method="with_status"
    )
    format = django_filters.ChoiceFilter(
        choices=[(word, word) for word in ("csv", "json")], method="nothing_more"
    )

    class Meta:
        model = Assistant
        fields: list[str] = []

    def with_status(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows if value == "all" else rows.filter(is_active=value == "active")

    def nothing_more(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows
