"""What people type about assistants, checked and cleaned; and the filters of their list."""

from typing import Any

import django_filters
from django import forms
from django.core.validators import RegexValidator, URLValidator
from django.db.models import QuerySet

from assistants.models import LANGUAGE, Assistant
from assistants.overrides import ACCOUNTS
from burki.text import is_clean
from organizations.models import Organization, Provider

_GREETING_MAX = 5000


class AssistantFilters(django_filters.FilterSet):
    search = django_filters.CharFilter(
        field_name="name",
        lookup_expr="icontains",
        label="Name",
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )
    status = django_filters.ChoiceFilter(
        method="filter_status",
        label="Status",
        empty_label="Any",
        choices=[("active", "Active"), ("inactive", "Not active")],
    )

    class Meta:
        model = Assistant
        fields: list[str] = []

    def filter_status(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows.filter(is_active=value == "active")


class _AddressField(forms.CharField):
    """An address with one of `schemes`, or none."""

    def __init__(self, *, schemes: tuple[str, ...], **kwargs: Any):
        says = " or ".join(f"{scheme}://" for scheme in schemes)
        super().__init__(
            max_length=500,
            required=False,
            validators=[
                URLValidator(
                    schemes=list(schemes), message=f"Write a whole address, beginning with {says}."
                )
            ],
            widget=forms.TextInput(attrs={"inputmode": "url", "autocomplete": "off"}),
            **kwargs,
        )


class AssistantForm(forms.Form):
    """An assistant's own fields; and for who may decide about money, whose accounts it uses."""

    name = forms.CharField(
        label="Name", max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    is_active = forms.TypedChoiceField(
        label="Status",
        choices=[("yes", "Active: it answers"), ("no", "Not active: its callers are refused")],
        coerce=lambda word: word == "yes",
        widget=forms.RadioSelect,
    )
    language = forms.CharField(
        label="Language",
        max_length=20,
        help_text="Such as en-US",
        validators=[RegexValidator(rf"\A{LANGUAGE}\Z", "Write a language tag, such as en-US.")],
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    greeting = forms.CharField(
        label="Greeting",
        max_length=_GREETING_MAX,
        required=False,
        help_text="Spoken to callers when there is no media stream",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    media_stream_url = _AddressField(
        label="Media stream",
        schemes=("wss",),
        help_text="wss:// address that calls are connected to",
    )
    sms_webhook_url = _AddressField(
        label="SMS webhook",
        schemes=("http", "https"),
        help_text="https:// address that is told of each message, signed with the signing secret",
    )

    def __init__(
        self, *args: Any, organization: Organization, may_choose_account: bool, **kwargs: Any
    ):
        super().__init__(*args, **kwargs)
        for name in ACCOUNTS if may_choose_account else ():
            provider = Provider(name.removesuffix("_account"))
            self.fields[name] = forms.ModelChoiceField(
                organization.provider_accounts.filter(provider=provider).order_by("pk"),
                label=f"{provider.label} account",
                required=False,
                empty_label="The organization’s",
                help_text=f"Pays for numbers that are bought at {provider.label} for it",
                error_messages={"invalid_choice": "Choose an account of this organization."},
            )

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        if not is_clean(name):
            raise forms.ValidationError("Write the name on one line.")
        return name

    def clean_greeting(self) -> str:
        return self.cleaned_data["greeting"].replace("\r\n", "\n")


def initial_of(assistant: Assistant) -> dict[str, Any]:
    """What the form shows of an assistant."""
    shown = {name: getattr(assistant, name) for name in AssistantForm.base_fields}
    return shown | {
        "is_active": "yes" if assistant.is_active else "no",
        **{name: getattr(assistant, f"{name}_id") for name in ACCOUNTS},
    }
