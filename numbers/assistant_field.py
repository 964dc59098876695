"""Choosing an assistant in a form: of few from a list, of many by name or id. A list of thousands
would be most of the page, and nobody finds anything in it."""

import re
from collections.abc import Mapping
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms.widgets import Select, TextInput
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from assistants.models import Assistant
from organizations.models import Organization

MOST_LISTED = 200  # a list of as many is some 15 KB
OFFERED = 20  # while somebody writes
NOBODY = "none"
_NAMES_TOLD = 5
_ID = re.compile(r"[0-9]{1,18}")
_CALLED = re.compile(r"(?s).* \(([0-9]{1,18})\)")  # as `called` writes it


def called(pk: int, name: str) -> str:
    """An assistant as it is told from others of the same name, and read back."""
    return f"{name} ({pk})"


def offered(organization: Organization, written: str) -> list[str]:
    """Some assistants whose name has this part, for a field to offer."""
    found = Assistant.objects.filter(organization=organization, name__icontains=written)
    some = found.order_by("name", "pk").values_list("pk", "name")[:OFFERED]
    return [called(pk, name) for pk, name in some]


class _Offering(TextInput):
    """What may be written is offered below it: by a script, while one writes."""

    def __init__(self, *, always: Mapping[str, str]):
        super().__init__()
        self.always = always

    def render(self, name, value, attrs=None, renderer=None) -> SafeString:
        attrs = attrs or {}
        offers = f"{attrs.get('id') or name}_offers"
        address = reverse("assistant-options")
        attrs = {"list": offers, "autocomplete": "off"} | attrs | {
            "hx-get": f"{address}?nobody=1" if NOBODY in self.always else address,
            "hx-trigger": "input changed delay:250ms",
            "hx-target": f"#{offers}",
            "hx-swap": "innerHTML",
            "hx-select": "unset",
            "hx-push-url": "false",
        }  # fmt: skip
        options = format_html_join("", "<option value='{}'></option>", (
            (label,) for key, label in self.always.items() if key
        ))  # fmt: skip
        field = super().render(name, value, attrs, renderer)
        return format_html("{}<datalist id='{}'>{}</datalist>", field, offers, options)


class AssistantField(forms.Field):
    """One of the organization's assistants, None when nothing is chosen; with `nobody`, also
    `NOBODY`. With more than `MOST_LISTED` one writes an exact name or an id; a script offers some.

    What is sent is understood in either way: a page may be older than the two hundredth assistant.
    """

    default_error_messages = {
        "required": "Choose an assistant.",
        "unknown": "Choose an assistant of this organization.",
        "unknown_name": "Choose an assistant of this organization: write its id or its whole name.",
        "several": "Several assistants are called so. Write the id of one: %(ids)s.",
    }

    def __init__(
        self,
        *,
        organization: Organization | None = None,
        empty_label: str = "Nobody",
        nobody: bool = False,
        only_active: bool = False,
        label: str = "Assistant",
        **kwargs: Any,
    ):
        super().__init__(label=label, **kwargs)
        self.always = {"": empty_label} | ({NOBODY: "Nobody"} if nobody else {})
        self.only_active, self.listed = only_active, True
        if organization is not None:
            self.of(organization)

    def of(self, organization: Organization) -> None:
        """Whose assistants: before the form is used."""
        rows = Assistant.objects.filter(organization=organization)
        self.assistants: QuerySet = rows.filter(is_active=True) if self.only_active else rows
        some = self.assistants.order_by("name", "pk").values_list("pk", "name")
        choices = list(some[: MOST_LISTED + 1])
        self.listed = len(choices) <= MOST_LISTED
        if self.listed:
            widget = Select(choices=[*self.always.items(), *choices])
        else:
            widget = _Offering(always=self.always)
            widget.attrs["placeholder"] = self.always[""]
            self.help_text = f"{self.help_text}: its name or id" if self.help_text else "Name or id"
        widget.is_required = self.required
        self.widget = widget

    def clean(self, value: Any) -> Assistant | str | None:
        written = str(value or "").strip()
        self.validate(written)
        if not written:
            return None
        if NOBODY in self.always and written.lower() in (NOBODY, self.always[NOBODY].lower()):
            return NOBODY
        key = _key_of(written)
        if key is not None and (found := self.assistants.filter(pk=key).first()):
            return found
        if "\0" in written:
            raise self._wrong("unknown")
        named = list(self.assistants.filter(name__iexact=written).order_by("pk")[:_NAMES_TOLD])
        if len(named) > 1:
            raise self._wrong("several", ids=", ".join(str(one.pk) for one in named))
        if not named:
            raise self._wrong("unknown" if self.listed else "unknown_name")
        return named[0]

    def prepare_value(self, value: Any) -> Any:
        """As the field shows it: links name an assistant by its id alone."""
        written = str(value or "").strip()
        key = _key_of(written)
        if self.listed:
            return value if key is None else key
        if written in self.always:
            return self.always[written] if written else ""
        found = self.assistants.filter(pk=key).first() if key is not None else None
        return called(found.pk, found.name) if found else value

    def _wrong(self, code: str, **params: str) -> ValidationError:
        return ValidationError(self.error_messages[code], code=code, params=params)


class AssistantFilter(django_filters.Filter):
    """Rows of one assistant, or of nobody."""

    field_class = AssistantField

    def __init__(self, **kwargs: Any):
        super().__init__(label="Assistant", empty_label="Any", nobody=True, **kwargs)

    def of(self, organization: Organization) -> None:
        self.extra["organization"] = organization

    def filter(self, rows: QuerySet, value: Assistant | str | None) -> QuerySet:
        if value is None:
            return rows
        return rows.filter(**{self.field_name: None if value == NOBODY else value})


def _key_of(written: str) -> int | None:
    if _ID.fullmatch(written):
        return int(written)
    found = _CALLED.fullmatch(written)
    return int(found[1]) if found else None
