"""What people type on the settings pages, checked and cleaned."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.html import format_html

from burki.text import is_clean
from organizations.models import Role
from organizations.permissions import NUMBERS_READ, ROLE_WORDS, SCOPES


class LineField(forms.CharField):
    """One line of text that people wrote."""

    widget = forms.TextInput(attrs={"autocomplete": "off"})

    def validate(self, value: str) -> None:
        super().validate(value)
        if not is_clean(value):
            raise forms.ValidationError("Write it on one line, without control characters.")


class KeyNameForm(forms.Form):
    name = LineField(
        label="Name",
        max_length=100,
        help_text="What uses the key, such as “billing export”",
    )


class NewKeyForm(KeyNameForm):
    """A key for what its maker may do; the rest is not offered."""

    LIFETIMES = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "1 year", "": "Never"}

    scopes = forms.MultipleChoiceField(
        label="What it may do",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one thing that the key may do."},
    )
    lifetime = forms.ChoiceField(
        label="Expires after",
        choices=list(LIFETIMES.items()),
        required=False,
        help_text="An expired key is refused. It can also be revoked at any time",
    )

    def __init__(self, *args: Any, may: frozenset[str], **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.initial = {"scopes": [NUMBERS_READ], "lifetime": "90"} | self.initial
        self.fields["scopes"].choices = [
            (scope, format_html("<span>{} <code>{}</code></span>", words, scope))
            for scope, words in SCOPES.items()
            if scope in may
        ]

    @property
    def expires_at(self) -> datetime | None:
        days = self.cleaned_data["lifetime"]
        return timezone.now() + timedelta(days=int(days)) if days else None


class RoleForm(forms.Form):
    role = forms.ChoiceField(
        label="Role",
        choices=[
            (role, format_html('<span>{}<span class="sub">{}</span></span>', role.label, words))
            for role, words in zip(Role, ROLE_WORDS.values(), strict=True)
        ],
        widget=forms.RadioSelect,
    )


class NewMemberForm(RoleForm):
    email = forms.EmailField(
        label="E-mail address",
        max_length=254,
        help_text="Whoever has no login yet gets a link to set a password",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    field_order = ["email", "role"]
