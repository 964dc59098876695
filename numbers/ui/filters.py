"""The filters of the staff pages' lists: those of the API, as people fill them in."""

from decimal import Decimal
from typing import Any

import django_filters
from django import forms
from django.db.models import CharField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast

from burki.filters import IntegerFilter
from burki.paging import NEWEST, Order
from burki.templatetags.ui import STATUS
from numbers.assistant_field import NOBODY, AssistantFilter
from numbers.filters import (
    PhoneNumberFilter,
    PurchaseFilter,
    SpendingFilter,
    UnusedFilter,
    matching_text,
)
from numbers.models import PhoneNumber, Purchase
from numbers.models.phone_numbers import UNUSED_SINCE
from numbers.services.costs.spending_report import MONTHS_DEFAULT
from numbers.services.costs.unused import DAYS_DEFAULT, DAYS_MAX, unused_for
from organizations.audit_log import MomentFilter
from organizations.models import AuditEvent, Organization, Provider

_NUMBER_STATUS = [(s.value, STATUS[s.value][0]) for s in PhoneNumber.Status if s != "claimed"]
_PURCHASE_STATE = [(s.value, STATUS[s.value][0]) for s in Purchase.State]
_VERDICT = [(v, STATUS[v][0]) for v in (*PhoneNumber.Verdict.values, "unchecked")]
_SORTS = {
    "number": ("Number", Order(column="phone_number", descending=False)),
    "dearest": ("Dearest first", Order(column="monthly_cost")),
    "cheapest": ("Cheapest first", Order(column="monthly_cost", descending=False)),
    "used": ("Last used first", Order(column="last_activity_at")),
    "idle": ("Longest unused first", Order(column="last_activity_at", descending=False)),
}
_MOST_DAYS = 3650
_AMOUNT = {"min_value": Decimal(0), "max_value": Decimal(1_000_000), "decimal_places": 5}
_MADE_BY = [("user", "A person"), ("api_key", "An API key"), ("system", "The system")]
_DAY = forms.DateInput(attrs={"type": "date"})
_SEARCH = forms.TextInput(attrs={"type": "search", "autocomplete": "off"})


class _Folded:
    """Filters that a page shows, and those that it shows only when asked to."""

    USUAL: tuple[str, ...] = ()
    RARE: tuple[str, ...] = ()

    @property
    def usual(self) -> list[forms.BoundField]:
        return [self.form[name] for name in self.USUAL]

    @property
    def rare(self) -> list[forms.BoundField]:
        return [self.form[name] for name in self.RARE]

    @property
    def rare_are_used(self) -> bool:
        return any(field.data for field in self.rare)


class NumberFilters(_Folded, PhoneNumberFilter):
    search = django_filters.CharFilter(
        method="filter_text", label="Number or name", max_length=64, widget=_SEARCH
    )
    status = django_filters.ChoiceFilter(
        choices=_NUMBER_STATUS, label="Status", empty_label="Not released"
    )
    provider = django_filters.ChoiceFilter(
        choices=Provider.choices, label="Provider", empty_label="Any"
    )
    assistant = AssistantFilter()
    sort = django_filters.ChoiceFilter(
        method="filter_nothing",
        label="Sort by",
        empty_label="Newest first",
        choices=[(name, word) for name, (word, _) in _SORTS.items()],
    )
    verdict = django_filters.ChoiceFilter(
        method="filter_verdict", label="Webhooks", empty_label="Any", choices=_VERDICT
    )
    unused = IntegerFilter(
        method="filter_unused", label="Unused for days", min_value=1, max_value=_MOST_DAYS
    )
    cost_from = django_filters.NumberFilter(
        field_name="monthly_cost", lookup_expr="gte", label="A month from", **_AMOUNT
    )
    cost_to = django_filters.NumberFilter(
        field_name="monthly_cost", lookup_expr="lte", label="A month up to", **_AMOUNT
    )
    price = django_filters.ChoiceFilter(
        method="filter_price",
        label="Price",
        empty_label="Any",
        choices=[("known", "Known"), ("unknown", "Not known")],
    )
    assistant_id = assigned = country_code = None

    USUAL = ("search", "status", "provider", "assistant", "sort")
    RARE = ("verdict", "unused", "price", "cost_from", "cost_to")

    def __init__(self, *args, organization: Organization, **kwargs):
        super().__init__(*args, **kwargs)
        self.filters["assistant"].of(organization)

    def filter_nothing(self, numbers: QuerySet, name: str, value: str) -> QuerySet:
        return numbers  # a sort: see `order`

    def filter_verdict(self, numbers: QuerySet, name: str, value: str) -> QuerySet:
        """Of numbers in service: of others nothing is expected."""
        verdict = "" if value == "unchecked" else value
        return numbers.filter(status=PhoneNumber.Status.ACTIVE, webhook_verdict=verdict)

    def filter_price(self, numbers: QuerySet, name: str, value: str) -> QuerySet:
        return numbers.filter(monthly_cost__isnull=value == "unknown")

    def filter_unused(self, numbers: QuerySet, name: str, value: int) -> QuerySet:
        """Active, and without a call or message for so many days; as the report counts them."""
        active = numbers.filter(status=PhoneNumber.Status.ACTIVE)
        return unused_for(active.alias(unused_since=UNUSED_SINCE), value)

    @property
    def order(self) -> Order:
        """In which the list is wanted."""
        chosen = self.form.cleaned_data["sort"]
        return _SORTS[chosen][1] if chosen else NEWEST


class _PurchaseFilters(_Folded, PurchaseFilter):
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
    assistant = AssistantFilter(method="filter_assistant")
    by = django_filters.ChoiceFilter(
        method="filter_by", label="Made by", empty_label="Anybody", choices=_MADE_BY
    )
    phone_number = needs_attention = None

    USUAL = ("search", "state", "provider", "attention")
    RARE = ("assistant", "by", "from", "to")

    def __init__(self, *args, organization: Organization, **kwargs):
        super().__init__(*args, **kwargs)
        self.filters["assistant"].of(organization)

    def filter_assistant(self, purchases: QuerySet, name: str, value: Any) -> QuerySet:
        """For whom the number was to be: it may have gone to another since."""
        return purchases.filter(request__assistant_id=None if value == NOBODY else value.pk)

    def filter_by(self, purchases: QuerySet, name: str, value: str) -> QuerySet:
        """As the audit's first word about the purchase says."""
        about = AuditEvent.objects.filter(
            object_type=Purchase._meta.label,
            object_id=Cast(OuterRef("pk"), CharField()),
            organization=OuterRef("organization"),
        )
        first = Subquery(about.order_by("pk").values("actor_kind")[:1])
        return purchases.alias(made_by=first).filter(made_by=value)

    def filter_text(self, purchases: QuerySet, name: str, value: str) -> QuerySet:
        return purchases.filter(matching_text(value, "phone_number"))

    def filter_attention(self, purchases: QuerySet, name: str, value: str) -> QuerySet:
        return purchases.exclude(needs_attention_at=None)


# Their names are words of Python's own.
_SPAN = {
    "from": MomentFilter(
        field_name="claimed_at", lookup_expr="gte", label="From (UTC)", widget=_DAY
    ),
    "to": MomentFilter(
        field_name="claimed_at", lookup_expr="lt", label="To (UTC)", widget=_DAY, after=True
    ),
}
PurchaseFilters = type("PurchaseFilters", (_PurchaseFilters,), _SPAN)


class _OfAssistant(django_filters.FilterSet):
    """Whose numbers; as the reports of the API are asked."""

    provider = django_filters.ChoiceFilter(
        choices=Provider.choices, label="Provider", empty_label="Any"
    )
    assistant = AssistantFilter()

    def __init__(self, *args, organization: Organization, **kwargs):
        super().__init__(*args, **kwargs)
        self.filters["assistant"].of(organization)

    def asked(self) -> dict[str, Any]:
        """What was chosen, by the names of the API's parameters."""
        found = {k: v for k, v in self.form.cleaned_data.items() if v not in (None, "")}
        assistant = found.pop("assistant", None)
        if assistant == NOBODY:
            found["assigned"] = False
        elif assistant:
            found["assistant_id"] = assistant.pk
        if "months" in found:
            found["months"] = int(found["months"])
        return found


class SpendingFilters(_OfAssistant, SpendingFilter):
    months = django_filters.ChoiceFilter(
        choices=[(n, f"{n} months") for n in (3, 6, 24, 36)],
        label="Months",
        empty_label=f"{MONTHS_DEFAULT} months",
    )
    assistant_id = assigned = None


class UnusedFilters(_OfAssistant, UnusedFilter):
    days = IntegerFilter(
        method="filter_days",
        min_value=0,
        max_value=DAYS_MAX,
        label="Unused for days",
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "placeholder": DAYS_DEFAULT}),
    )
    assistant_id = assigned = None
