"""The filters of the staff pages' lists: those of the API, as people fill them in."""

import django_filters
from django import forms
from django.db.models import QuerySet

from assistants.models import Assistant
from burki.templatetags.ui import STATUS
from numbers.filters import PhoneNumberFilter, PurchaseFilter, matching_text
from numbers.models import PhoneNumber, Purchase
from organizations.models import Organization, Provider

_NUMBER_STATUS = [(s.value, STATUS[s.value][0]) for s in PhoneNumber.Status if s != "claimed"]
_PURCHASE_STATE = [(s.value, STATUS[s.value][0]) for s in Purchase.State]
_SEARCH = forms.TextInput(attrs={"type": "search", "autocomplete": "off"})


class NumberFilters(PhoneNumberFilter):
    search = django_filters.CharFilter(
        method="filter_text", label="Number or name", max_length=64, widget=_SEARCH
    )
    status = django_filters.ChoiceFilter(
        choices=_NUMBER_STATUS, label="Status", empty_label="All but released"
    )
    provider = django_filters.ChoiceFilter(
        choices=Provider.choices, label="Provider", empty_label="Any"
    )
    assistant = django_filters.ChoiceFilter(
        method="filter_assistant", label="Assistant", empty_label="Any"
    )
    assistant_id = assigned = country_code = None

    def __init__(self, *args, organization: Organization, **kwargs):
        super().__init__(*args, **kwargs)
        names = Assistant.objects.filter(organization=organization).order_by("name", "pk")
        choices = [("none", "Nobody"), *names.values_list("pk", "name")]
        self.filters["assistant"].extra["choices"] = choices

    def filter_assistant(self, numbers: QuerySet, name: str, value: str) -> QuerySet:
        wanted = None if value == "none" else int(value)
        return numbers.filter(assistant=wanted)


class PurchaseFilters(PurchaseFilter):
    search = django_filters.CharFilter(
        method="filter_text", label="Number", max_length=64, widget=_SEARCH
    )
    state = django_filters.ChoiceFilter(choices=_PURCHASE_STATE, label="State", empty_label="Any")
    provider = django_filters.ChoiceFilter(
        choices=Provider.choices, label="Provider", empty_label="Any"
    )
    attention = django_filters.ChoiceFilter(
        method="filter_attention",
        label="Attention",
        empty_label="Any",
        choices=[("yes", "Needs a person")],
    )
    phone_number = needs_attention = None

    def filter_text(self, purchases: QuerySet, name: str, value: str) -> QuerySet:
        return purchases.filter(matching_text(value, "phone_number"))

    def filter_attention(self, purchases: QuerySet, name: str, value: str) -> QuerySet:
        return purchases.exclude(needs_attention_at=None)
