"""The organization itself: its name, and how much its numbers may cost."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from burki.text import price
from numbers.models import NumberTally
from numbers.services import spending
from organizations.models import Organization
from organizations.pages import page, see_other
from organizations.permissions import MANAGE_MEMBERS, ORGANIZATION_ADMIN
from organizations.services import LIMITS, update_organization
from organizations.ui.forms import LineField

_COUNT_MAX = 1_000_000


class OrganizationForm(forms.Form):
    name = LineField(label="Name", max_length=100)
    monthly_limit = forms.DecimalField(
        label="Monthly limit",
        min_value=0,
        max_digits=12,
        decimal_places=2,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    number_limit = forms.IntegerField(
        label="Most numbers at a time",
        min_value=0,
        max_value=_COUNT_MAX,
        required=False,
        help_text="Empty: no limit",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )

    def __init__(self, organization: Organization, data: Any = None):
        initial = {name: getattr(organization, name) for name in self.base_fields}
        super().__init__(data, initial=initial)
        currency = organization.limit_currency
        self.fields["monthly_limit"].help_text = f"In {currency}, per calendar month. Empty: none"

    @property
    def changes(self) -> dict[str, Any]:
        """What was sent: a limit that the form did not show is not emptied by its absence."""
        given = self.cleaned_data
        return {name: given[name] for name in given if name == "name" or name in self.data}


@page(ORGANIZATION_ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def organization(request: HttpRequest) -> HttpResponse:
    """Admins change the name, owners the limits as well."""
    form = OrganizationForm(request.organization, request.POST or None)
    numbers = NumberTally.objects.filter(organization=request.organization).inventory().total()
    committed = spending.committed(request.organization)
    if form.is_valid():
        changed = update_organization(
            actor=request.actor, organization=request.organization, **form.changes
        )
        messages.success(request, "The settings are stored.")
        for sentence in _exceeded(changed, numbers, committed):
            messages.warning(request, sentence)
        return see_other("settings-organization")
    context = {
        "form": form,
        "limits": [form[name] for name in LIMITS] if MANAGE_MEMBERS in request.may else [],
        "numbers": numbers,
        "committed": committed,
    }
    return render(
        request, "numbers/organization.html", context, status=400 if form.is_bound else 200
    )


def _exceeded(organization: Organization, numbers: int, committed: Decimal) -> list[str]:
    """Limits below what there is already: they take nothing away."""
    found, currency = [], organization.limit_currency
    if organization.monthly_limit is not None and committed > organization.monthly_limit:
        found.append(
            f"{price(committed, currency)} are committed this month already, more than "
            f"{price(organization.monthly_limit, currency)}. Nothing is released; only new "
            "purchases are refused."
        )
    if organization.number_limit is not None and numbers > organization.number_limit:
        found.append(
            f"There are {numbers} numbers already, more than {organization.number_limit}. "
            "Nothing is released; only new purchases are refused."
        )
    return found
