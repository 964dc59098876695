import django_filters
from django.db.models import QuerySet

from burki.filters import BooleanFilter
from numbers.models import PhoneNumber


class OrganizationNumbersFilter(django_filters.FilterSet):
    """What is assigned and what is not, each shown unless it is excluded; what is not in service
    (yet, or any more) only if it is asked for. Released numbers are no part of it."""

    include_assigned = BooleanFilter()
    include_unassigned = BooleanFilter()
    include_inactive = BooleanFilter()
    is_verified_caller_id = BooleanFilter()  # decides what is listed: the view's business

    class Meta:
        model = PhoneNumber
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet) -> QuerySet:
        wanted = self.form.cleaned_data
        queryset = queryset.exclude(status=PhoneNumber.Status.RELEASED)
        if not wanted["include_inactive"]:
            queryset = queryset.filter(status=PhoneNumber.Status.ACTIVE)
        if wanted["include_assigned"] is False:
            queryset = queryset.filter(assistant=None)
        if wanted["include_unassigned"] is False:
            queryset = queryset.exclude(assistant=None)
        return queryset
