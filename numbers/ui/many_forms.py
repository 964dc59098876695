"""What people type to buy many numbers, checked and cleaned."""

import re
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms

from burki.text import money, price
from numbers.e164 import is_e164
from numbers.services.bulk import QUANTITY_MAX
from numbers.services.search import LIMIT_MAX
from numbers.ui.forms import ConfirmForm, SearchForm, without_separators
from organizations.models import Provider

CRITERIA, LIST = "criteria", "list"
_LINES_TOLD = 5
_LINE_TOLD = 30  # characters of a line that is no number
_BY_CRITERIA = ("quantity", "country_code", "area_code", "contains", "locality", "number_type")


class _AmountField(forms.DecimalField):
    """An amount in the price's currency; empty: no limit."""

    def __init__(self, label: str, help_text: str):
        super().__init__(
            label=label,
            help_text=help_text,
            required=False,
            min_value=0,
            max_digits=12,
            decimal_places=5,
            widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        )


class ManyForm(ConfirmForm, SearchForm):
    """So many numbers that fit criteria, or those of a list; for whom, and for how much at most."""

    kind = forms.ChoiceField(
        label="Which numbers",
        choices=[(CRITERIA, "Any that fit"), (LIST, "These, which I name")],
        widget=forms.RadioSelect,
    )
    provider = forms.ChoiceField(label="Provider", choices=Provider.choices)
    quantity = forms.IntegerField(
        label="How many",
        min_value=1,
        max_value=QUANTITY_MAX,
        required=False,
        help_text=f"At most {QUANTITY_MAX}",
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    numbers = forms.CharField(
        label="Numbers",
        max_length=40 * QUANTITY_MAX,
        required=False,
        help_text="One on each line, with its country code, such as +1 415 555 1234",
        widget=forms.Textarea(attrs={"rows": 8, "autocomplete": "off", "spellcheck": "false"}),
    )
    max_monthly_cost = _AmountField("Each a month, at most", "Dearer ones are not bought")
    max_setup_cost = _AmountField("Each once, at most", "Set-up fees")
    max_total_cost = _AmountField("All together, at most", "Set-up and first months")

    def clean_numbers(self) -> list[str]:
        lines = self.cleaned_data["numbers"].splitlines()
        written = [(n, line.strip()) for n, line in enumerate(lines, start=1) if line.strip()]
        numbers = [(n, line, without_separators(line)) for n, line in written]
        wrong = [
            f"line {n} “{line[:_LINE_TOLD]}”" for n, line, e164 in numbers if not is_e164(e164)
        ]
        if wrong:
            raise forms.ValidationError(
                f"Not numbers: {_some(wrong)}. Write each with a plus and its country code, such "
                "as +14155551234."
            )
        first: dict[str, int] = {}
        again = [
            f"line {n} is line {first[e164]} again"
            for n, _, e164 in numbers
            if first.setdefault(e164, n) != n
        ]
        if again:
            raise forms.ValidationError(f"Each number once: {_some(again)}.")
        if len(numbers) > QUANTITY_MAX:
            raise forms.ValidationError(
                f"These are {len(numbers)} numbers: at most {QUANTITY_MAX} at a time."
            )
        return [e164 for _, _, e164 in numbers]

    def clean(self) -> dict[str, Any]:
        by_list = self.cleaned_data.get("kind") == LIST
        for name in _BY_CRITERIA if by_list else ("numbers",):
            self.errors.pop(name, None)  # the other kind's: not asked for
        if by_list:
            if "numbers" not in self.errors and not self.cleaned_data.get("numbers"):
                self.add_error("numbers", "Name at least one number.")
            return self.cleaned_data
        if "quantity" not in self.errors and self.cleaned_data.get("quantity") is None:
            self.add_error("quantity", "Say how many.")
        return super().clean()

    def asked(self) -> dict[str, Any]:
        """What is asked for, in JSON: see `numbers.ui.quotes.asked_for`."""
        data = self.cleaned_data
        numbers = data["numbers"] if data["kind"] == LIST else None
        criteria = None if numbers else asdict(data["criteria"]) | {"limit": LIMIT_MAX}
        return {
            "provider": data["provider"],
            "quantity": len(numbers) if numbers else data["quantity"],
            "criteria": criteria,
            "phone_numbers": numbers,
            "assistant_id": data["assistant"] and data["assistant"].pk,
            "friendly_name": data["friendly_name"],
            **{
                name: money(data[name])
                for name in ("max_total_cost", "max_monthly_cost", "max_setup_cost")
            },
        }


def _some(sayings: list[str]) -> str:
    more = len(sayings) - _LINES_TOLD
    return ", ".join(sayings[:_LINES_TOLD]) + (f" and {more} more" if more > 0 else "")


class AmountForm(forms.Form):
    """The total, typed by whoever confirms it."""

    amount = forms.CharField(
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )

    def __init__(self, *args: Any, amount: Decimal, currency: str, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.amount = amount
        self.fields["amount"].label = f"To confirm, type the total: {money(amount)}"
        self.wanted = f"Type {money(amount)} to buy for at most {price(amount, currency)}."

    def clean_amount(self) -> str:
        digits = re.sub(r"[^0-9.]", "", self.cleaned_data["amount"])
        try:
            right = Decimal(digits) == self.amount
        except InvalidOperation:
            right = False
        if not right:
            raise forms.ValidationError(self.wanted)
        return digits
