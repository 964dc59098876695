"""Filters of the lists. A value that makes no sense is an error, not an empty list."""

import django_filters
from django import forms
from django.core.validators import RegexValidator
from django.db.models import Q

from numbers.e164 import is_e164
from numbers.models import PhoneNumber, Purchase
from organizations.models import Provider

_VISIBLE = [choice for choice in PhoneNumber.Status.choices if choice[0] != "claimed"]


class _TrueOrFalse(forms.Field):
    def to_python(self, value):
        if value in self.empty_values:
            return None
        try:
            return {"true": True, "1": True, "false": False, "0": False}[value.lower()]
        except KeyError:
            raise forms.ValidationError("Must be true or false.") from None


class _E164(forms.CharField):
    def to_python(self, value):
        # A plus that was not encoded arrives as a blank.
        number = f"+{value.strip()}" if value and value.startswith(" ") else value
        if number and not is_e164(number):
            raise forms.ValidationError("Must be in E.164 format (e.g., +1234567890).")
        return number


class _BooleanFilter(django_filters.Filter):
    field_class = _TrueOrFalse


class _IntegerFilter(django_filters.NumberFilter):
    field_class = forms.IntegerField


class _PhoneNumberFilter(django_filters.CharFilter):
    field_class = _E164


class PhoneNumberFilter(django_filters.FilterSet):
    """Without `status`, released numbers are left out."""

    provider = django_filters.ChoiceFilter(choices=Provider.choices)
    status = django_filters.MultipleChoiceFilter(choices=_VISIBLE)
    assistant_id = _IntegerFilter(min_value=1, max_value=2**63 - 1)
    assigned = _BooleanFilter(field_name="assistant", lookup_expr="isnull", exclude=True)
    country_code = django_filters.CharFilter(
        field_name="country",
        lookup_expr="iexact",
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

    def filter_text(self, queryset, name, value):
        """Part of the number or of its name."""
        return queryset.filter(Q(phone_number__contains=value) | Q(friendly_name__icontains=value))


class PurchaseFilter(django_filters.FilterSet):
    provider = django_filters.ChoiceFilter(choices=Provider.choices)
    state = django_filters.MultipleChoiceFilter(choices=Purchase.State.choices)
    phone_number = _PhoneNumberFilter()
    needs_attention = _BooleanFilter(
        field_name="needs_attention_at", lookup_expr="isnull", exclude=True
    )

    class Meta:
        model = Purchase
        fields: list[str] = []
