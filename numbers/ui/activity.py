"""What reached the organization's numbers: calls and text messages, one list."""

from datetime import UTC, date, datetime, time, timedelta

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import BigIntegerField, Q
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from burki.paging import Page, Source, merged_page
from numbers.assistant_field import NOBODY, AssistantField
from numbers.e164 import is_e164
from numbers.filters import matching_text
from numbers.models import PhoneNumber
from numbers.ui import number_words
from numbers.ui.history import activities as sources_of
from organizations.models import Organization
from organizations.pages import page
from organizations.permissions import NUMBERS_READ


class ActivityFilters(forms.Form):
    """Of which calls and messages one wants to know."""

    number = forms.CharField(
        label="Number",
        max_length=64,
        required=False,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )
    assistant = AssistantField(required=False, empty_label="Any", nobody=True)
    kind = forms.ChoiceField(
        label="Kind",
        choices=[("", "Both"), ("call", "Calls"), ("message", "Messages")],
        required=False,
    )
    direction = forms.ChoiceField(
        label="Direction",
        choices=[("", "Both"), ("inbound", "Incoming"), ("outbound", "Outgoing")],
        required=False,
    )
    day = forms.DateField(
        label="Day (UTC)",
        required=False,
        validators=[MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31))],
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
    )

    def __init__(self, *args, organization: Organization, **kwargs):
        super().__init__(*args, **kwargs)
        self.organization = organization
        self.fields["assistant"].of(organization)

    def clean_number(self) -> str:
        # A plus that was not encoded arrives as a blank, which the field takes away.
        number = self.cleaned_data["number"]
        given = self.data.get("number", "")
        return f"+{number}" if given.startswith(" ") and is_e164(f"+{number}") else number

    def sources(self) -> list[Source]:
        """The calls and messages that are wanted."""
        wanted = self.cleaned_data
        # In the column's own type: what is written as a short integer finds nothing in the index of
        # texts (btree_gin compares like with like).
        which = Q(organization=Cast(self.organization.pk, BigIntegerField()))
        if wanted["number"]:
            which &= self._of_number(wanted["number"])
        if wanted["assistant"]:
            named = wanted["assistant"]
            which &= Q(assistant=None if named == NOBODY else named)
        if wanted["direction"]:
            which &= Q(direction=wanted["direction"])
        return [
            Source(name=one.name, at=one.at, rows=one.rows.filter(which, self._on_day(one.at)))
            for one in sources_of()
            if wanted["kind"] in ("", one.name)
        ]

    def _of_number(self, written: str) -> Q:
        """One of ours by its row, which an index finds; else whatever looks like it."""
        if is_e164(written):
            ours = PhoneNumber.objects.visible_to(self.organization).filter(phone_number=written)
            if rows := list(ours.values_list("pk", flat=True)):
                return Q(number__in=rows)
        return matching_text(written, "from_number") | matching_text(written, "to_number")

    def _on_day(self, column: str) -> Q:
        day = self.cleaned_data["day"]
        if day is None:
            return Q()
        begins = datetime.combine(day, time(), UTC)
        ends = begins + timedelta(days=1)
        return Q(**{f"{column}__gte": begins, f"{column}__lt": ends})


@page(NUMBERS_READ)
@require_safe
def activities(request: HttpRequest) -> HttpResponse:
    """Calls and messages, newest first."""
    filters = ActivityFilters(request.GET, organization=request.organization)
    shown = Page(rows=[], newer="", older="")
    if filters.is_valid():
        shown = merged_page(request, filters.sources())
    rows = [number_words.activity(kind, row) for kind, row in shown.rows]
    context = {"filters": filters, "page": shown, "rows": rows}
    return render(request, "numbers/calls.html", context)
