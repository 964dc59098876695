"""Filters of this app's lists."""

import django_filters
from django.db.models import Exists, OuterRef, QuerySet

from organizations.events.types import ENDPOINT_TEST, TYPES
from organizations.models import Event, EventDelivery

EVERY_TYPE = (*TYPES, ENDPOINT_TEST)


class EventFilter(django_filters.FilterSet):
    type = django_filters.MultipleChoiceFilter(choices=[(name, name) for name in EVERY_TYPE])
    state = django_filters.ChoiceFilter(choices=EventDelivery.State.choices, method="filter_state")

    class Meta:
        model = Event
        fields: list[str] = []

    def filter_state(self, events: QuerySet, name: str, value: str) -> QuerySet:
        """Events that have a delivery in this state."""
        return events.filter(
            Exists(EventDelivery.objects.filter(event=OuterRef("pk"), state=value))
        )
