"""Filters of the lists. A value that makes no sense is an error, not an empty list."""

import re

import django_filters
from django import forms
from django.core.validators import RegexValidator
from django.db.models import Q

from burki.filters import BooleanFilter, IntegerFilter
from numbers.e164 import is_e164
from numbers.models import Offer, PhoneNumber, Purchase
from numbers.services.costs.spending_report import MONTHS_MAX
from numbers.services.costs.unused import DAYS_DEFAULT, DAYS_MAX, unused_for
from numbers.services.search import NUMBER_TYPES
from organizations.models import Provider

_VISIBLE = [choice for choice in PhoneNumber.Status.choices if choice[0] != "claimed"]


class _E164(forms.CharField):
    def to_python(self, value):
        # A plus that was not encoded arrives as a blank.
        number = f"+{value.strip()}" if value and value.startswith(" ") else value
        if number and not is_e164(number):
            raise forms.ValidationError("Must be in E.164 format (e.g., +1234567890).")
        return number


class _PhoneNumberFilter(django_filters.CharFilter):
    field_class = _E164


class PhoneNumberFilter(django_filters.FilterSet):
    """Without `status`, released numbers are left out."""

    provider = django_filters.ChoiceFilter(choices=Provider.choices)
    status = django_filters.MultipleChoiceFilter(choices=_VISIBLE)
    assistant_id = IntegerFilter(min_value=1, max_value=2**63 - 1)
    assigned = BooleanFilter(field_name="assistant", lookup_expr="isnull", exclude=True)
    country_code = django_filters.CharFilter(
        method="filter_country",
        validators=[RegexValidator(r"\A[A-Za-z]{2}\Z", "Must be a two-letter country code.")],
    )
    search = django_filters.CharFilter(method="filter_text")

    class Meta:
        model = PhoneNumber
        fields: list[str] = []

    def filter_queryset(self, queryset):
        queryset = super().filter_queryset(queryset)
        if not self.form.cleaned_data.get("status"):
            queryset = queryset.exclude(status=PhoneNumber.Status.RELEASED)
        return queryset

    def filter_country(self, queryset, name, value):
        return queryset.filter(country=value.upper())

    def filter_text(self, queryset, name, value):
        """Part of the number or of its name."""
        return queryset.filter(
            matching_text(value, "phone_number") | Q(friendly_name__icontains=value)
        )


class PurchaseFilter(django_filters.FilterSet):
    provider = django_filters.ChoiceFilter(choices=Provider.choices)
    state = django_filters.MultipleChoiceFilter(choices=Purchase.State.choices)
    phone_number = _PhoneNumberFilter()
    needs_attention = BooleanFilter(
        field_name="needs_attention_at", lookup_expr="isnull", exclude=True
    )

    class Meta:
        model = Purchase
        fields: list[str] = []


class SpendingFilter(django_filters.FilterSet):
    """Which costs a report tells: read with `burki.filters.chosen`."""

    months = IntegerFilter(min_value=1, max_value=MONTHS_MAX)
    provider = django_filters.ChoiceFilter(choices=Provider.choices)
    assistant_id = IntegerFilter(min_value=1, max_value=2**63 - 1)
    assigned = BooleanFilter()

    class Meta:
        model = PhoneNumber
        fields: list[str] = []


class UnusedFilter(django_filters.FilterSet):
    """Of `unused_numbers` those without call or message in so many `days`; 0 for all."""

    days = IntegerFilter(method="filter_days", min_value=0, max_value=DAYS_MAX)
    provider = django_filters.ChoiceFilter(choices=Provider.choices)
    assistant_id = IntegerFilter(min_value=1, max_value=2**63 - 1)
    assigned = BooleanFilter(field_name="assistant", lookup_expr="isnull", exclude=True)

    class Meta:
        model = PhoneNumber
        fields: list[str] = []

    @property
    def days_asked(self) -> int:
        days = self.form.cleaned_data.get("days")
        return DAYS_DEFAULT if days is None else days

    def filter_queryset(self, queryset):
        return unused_for(super().filter_queryset(queryset), self.days_asked)

    def filter_days(self, queryset, name, value):
        return queryset  # also when none are named: `filter_queryset`


class PriceComparisonFilter(django_filters.FilterSet):
    """Which places are compared: read with `burki.filters.chosen`."""

    provider = django_filters.ChoiceFilter(choices=Provider.choices)
    country_code = django_filters.CharFilter(
        validators=[RegexValidator(r"\A[A-Za-z]{2}\Z", "Must be a two-letter country code.")]
    )
    area_code = django_filters.CharFilter(
        validators=[RegexValidator(r"\A[2-9][0-9]{2}\Z", "Must be three digits, such as 415.")]
    )
    number_type = django_filters.ChoiceFilter(choices=[(name, name) for name in NUMBER_TYPES])

    class Meta:
        model = Offer
        fields: list[str] = []


def matching_text(value: str, field: str) -> Q:
    """Rows whose number has this part, also as people write it: (415) 555-12."""
    digits = re.sub(r"[\s().\-]", "", value)
    part = digits if re.fullmatch(r"\+?[0-9]+", digits) else value
    return Q(**{f"{field}__contains": part})
