"""What people type on the staff pages, checked and cleaned."""

import re
from typing import Any

from django import forms

from burki.errors import InvalidRequest
from burki.text import is_clean
from numbers.assistant_field import AssistantField
from numbers.e164 import is_e164
from numbers.services.deciding import BOUGHT, NOT_BOUGHT, REASON_MAX
from numbers.services.requests import FRIENDLY_NAME_MAX
from numbers.services.search import ALL, clean_criteria
from organizations.models import Organization, Provider

_SEPARATORS = re.compile(r"[\s().\-/\u00a0\u2010-\u2015]")
SHOWN = 20  # numbers of each provider
NUMBER_TYPES = [("local", "Local"), ("toll_free", "Toll-free"), ("mobile", "Mobile")]


class SearchForm(forms.Form):
    """What to look for. Everything has a default, so that an empty form searches too."""

    provider = forms.ChoiceField(
        label="Provider",
        choices=[(ALL, "Both"), *Provider.choices],
        required=False,
    )
    country_code = forms.CharField(
        label="Country",
        max_length=2,
        required=False,
        help_text="Such as US",
        widget=forms.TextInput(attrs={"autocomplete": "country", "autocapitalize": "characters"}),
    )
    area_code = forms.CharField(
        label="Area code",
        max_length=6,
        required=False,
        help_text="Such as 415",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    contains = forms.CharField(
        label="Digits or letters",
        max_length=17,
        required=False,
        help_text="Such as 2255 or CALL",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    locality = forms.CharField(
        label="City",
        max_length=100,
        required=False,
        help_text="Such as Boston",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    number_type = forms.ChoiceField(label="Type", choices=NUMBER_TYPES, required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        if self.errors:
            return data
        wanted = {
            name: data[name] for name in _CRITERIA if data.get(name) and name != "country_code"
        }
        wanted["country_code"] = data["country_code"] or "US"
        try:
            limit = SHOWN * (len(Provider) if data["provider"] in ("", ALL) else 1)
            data["criteria"] = clean_criteria(**wanted, limit=limit)
        except InvalidRequest as error:
            name = error.detail.partition(" ")[0]
            self.add_error(name if name in self.fields else None, _for_people(error.detail, self))
        return data


_CRITERIA = ("country_code", "area_code", "contains", "locality", "number_type")


def _for_people(sentence: str, form: forms.Form) -> str:
    """A sentence about a parameter of the API, about the field with its label instead."""
    name, _, rest = sentence.partition(" ")
    return f"{form.fields[name].label} {rest}." if name in form.fields else f"{sentence}."


def without_separators(written: str) -> str:
    """A number without the blanks, dots, dashes and brackets that people write."""
    return _SEPARATORS.sub("", written)


class NumberForm(forms.Form):
    """Exactly one number at one provider. People may write it with blanks and dashes."""

    provider = forms.ChoiceField(label="Provider", choices=Provider.choices)
    phone_number = forms.CharField(
        label="Phone number",
        max_length=40,
        help_text="With its country code, such as +1 415 555 1234",
        widget=forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "off"}),
    )

    def clean_phone_number(self) -> str:
        number = without_separators(self.cleaned_data["phone_number"])
        if not is_e164(number):
            raise forms.ValidationError(
                "Write the number with a plus and its country code, such as +14155551234."
            )
        return number


class AssistantForm(forms.Form):
    """Who answers a number."""

    assistant = AssistantField(required=False, help_text="Who answers calls to this number")

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.fields["assistant"].of(organization)


class ManyForm(AssistantForm):
    """Who answers many numbers: nobody is not what happens when nothing was chosen."""

    assistant = AssistantField(
        empty_label="Choose an assistant",
        help_text="Who answers calls to these numbers",
        error_messages={"required": "Choose an assistant. Nothing was assigned."},
    )


class NameForm(forms.Form):
    """What a number is called."""

    friendly_name = forms.CharField(
        label="Name",
        max_length=FRIENDLY_NAME_MAX,
        required=False,
        help_text="For you to recognize it; callers never see it",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_friendly_name(self) -> str:
        name = self.cleaned_data["friendly_name"]
        if not is_clean(name):
            raise forms.ValidationError("The name must not contain control characters.")
        return name


class ConfirmForm(AssistantForm, NameForm):
    """What can still be chosen when a number is confirmed."""

    field_order = ("assistant", "friendly_name")
    assistant = AssistantField(
        required=False, empty_label="Nobody yet", help_text="Who answers calls to this number"
    )


class DecisionForm(forms.Form):
    """What became of a purchase, decided by a person who says why."""

    decision = forms.ChoiceField(label="What happened", widget=forms.RadioSelect)
    reason = forms.CharField(
        label="Why",
        max_length=REASON_MAX,
        help_text="Kept for ever with your name, such as “Twilio support, ticket 4711”",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, choices: tuple[str, ...], **kwargs: Any):
        super().__init__(*args, **kwargs)
        words = {
            BOUGHT: "The number in the account is this purchase’s: take it into the inventory",
            NOT_BOUGHT: "This purchase bought nothing: close it",
        }
        self.fields["decision"].choices = [(choice, words[choice]) for choice in choices]
