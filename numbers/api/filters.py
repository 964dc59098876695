"""Filters of the lists. A value that makes no sense is an error, not an empty list."""

import django_filters
from django.db.models import Q

from numbers.models import PhoneNumber, Purchase
from organizations.models import Provider

_VISIBLE = [choice for choice in PhoneNumber.Status.choices if choice[0] != "claimed"]


class PhoneNumberFilter(django_filters.FilterSet):
    """Without `status`, released numbers are left out."""

    provider = django_filters.ChoiceFilter(choices=Provider.choices)
    status = django_filters.MultipleChoiceFilter(choices=_VISIBLE)
    assistant_id = django_filters.NumberFilter(min_value=1, max_value=2**63 - 1)
    assigned = django_filters.BooleanFilter(
        field_name="assistant", lookup_expr="isnull", exclude=True
    )
    country_code = django_filters.CharFilter(field_name="country", lookup_expr="iexact")
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
    phone_number = django_filters.CharFilter()
    needs_attention = django_filters.BooleanFilter(
        field_name="needs_attention_at", lookup_expr="isnull", exclude=True
    )

    class Meta:
        model = Purchase
        fields: list[str] = []
