"""What the admin's page that buys numbers works with: its rows, their forms, and what it offered,
signed."""

from __future__ import annotations

import re
import uuid
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.core import signing

from assistants.models import Assistant
from burki.errors import BurkiError, InvalidRequest, sentence
from burki.text import money, price
from numbers.assistant_field import AssistantField
from numbers.e164 import is_e164
from numbers.models import PhoneNumber
from numbers.services.preview import Preview
from numbers.services.requests import FRIENDLY_NAME_MAX
from organizations.models import Organization, Provider, User

_SEPARATORS = re.compile(r"[\s().\-]")
_SALT = "numbers.admin.quote"


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Whom a number is bought for: an organization, or one assistant of it."""

    organization: Organization
    assistant: Assistant | None = None

    @property
    def prefix(self) -> str:
        """Of the names of this row's fields."""
        if self.assistant is not None:
            return f"assistant-{self.assistant.pk}"
        return f"organization-{self.organization.pk}"

    def __str__(self) -> str:
        if self.assistant is None:
            return str(self.organization)
        return f"{self.assistant} ({self.organization})"


class OrganizationForm(forms.Form):
    organization = forms.ModelChoiceField(
        Organization.objects.all(),
        help_text="The number will be its own. For several at a time, select them in the list of "
        "organizations or assistants.",
        widget=AutocompleteSelect(PhoneNumber._meta.get_field("organization"), admin.site),
    )


class NumberForm(forms.Form):
    """Which number somebody gets; the first three fields only help to find one."""

    country_code = forms.CharField(label="Country", max_length=2, required=False, initial="US")
    area_code = forms.CharField(max_length=6, required=False)
    contains = forms.CharField(label="Digits or letters", max_length=17, required=False)
    provider = forms.ChoiceField(choices=Provider.choices)
    phone_number = forms.CharField(
        max_length=40, required=False, help_text="In E.164 format, such as +14155551234"
    )
    friendly_name = forms.CharField(label="Name", max_length=FRIENDLY_NAME_MAX, required=False)
    assistant = AssistantField(required=False, empty_label="Nobody yet", only_active=True)

    def __init__(self, *args: Any, buyer: Buyer, **kwargs: Any):
        super().__init__(*args, prefix=buyer.prefix, **kwargs)
        self.buyer = buyer
        if buyer.assistant is not None:
            del self.fields["assistant"]
            return
        self.fields["assistant"].of(buyer.organization)

    def clean_phone_number(self) -> str:
        number = _SEPARATORS.sub("", self.cleaned_data["phone_number"])
        if number and not is_e164(number):
            raise forms.ValidationError("Phone number must be in E.164 format (e.g., +1234567890)")
        return number

    @property
    def searching(self) -> list[forms.BoundField]:
        return [self[name] for name in ("country_code", "area_code", "contains")]

    @property
    def choosing(self) -> list[forms.BoundField]:
        return [self[name] for name in list(self.fields)[3:]]

    def criteria(self) -> dict[str, str]:
        names = ("country_code", "area_code", "contains")
        return {name: self.cleaned_data[name] for name in names if self.cleaned_data.get(name)}

    def wanted(self) -> dict[str, Any]:
        """The arguments that preview and purchase share."""
        data = self.cleaned_data
        assistant = self.buyer.assistant or data.get("assistant")
        return {
            "organization": self.buyer.organization,
            "provider": data["provider"],
            "phone_number": data["phone_number"],
            "assistant_id": assistant and assistant.pk,
            "friendly_name": data["friendly_name"],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A purchase that the page offered: to whom, for whom, what, at which price, and the key that
    was minted when the page was rendered."""

    user: int
    whom: str
    organization: int
    provider: str
    phone_number: str
    assistant_id: int | None
    friendly_name: str
    monthly: str | None
    setup: str | None
    key: str

    @classmethod
    def of(cls, user: User, buyer: Buyer, wanted: dict[str, Any], preview: Preview) -> Quote:
        """A new one, with a new key."""
        return cls(
            user=user.pk,
            whom=str(buyer),
            monthly=money(preview.price.monthly),
            setup=money(preview.price.setup),
            key=str(uuid.uuid4()),
            **wanted | {"organization": buyer.organization.pk},
        )

    @classmethod
    def read(cls, text: str, user: User) -> Quote:
        """Raises `InvalidRequest` for anything but what `signed` made for this person."""
        try:
            quote = cls(**signing.loads(text, salt=_SALT))
        except (signing.BadSignature, TypeError, ValueError):
            quote = None
        if quote is None or quote.user != user.pk:
            raise InvalidRequest("This page was changed on its way here. Nothing was bought.")
        return quote

    def signed(self) -> str:
        return signing.dumps(asdict(self), salt=_SALT)

    def asked(self) -> dict[str, Any]:
        """The arguments of the purchase but for actor and organization. What was shown is the most
        that may be paid; the key is in the admin's own namespace."""
        return {
            "provider": self.provider,
            "phone_number": self.phone_number,
            "assistant_id": self.assistant_id,
            "friendly_name": self.friendly_name,
            "idempotency_key": f"admin:{self.key}",
            "max_monthly_cost": self.monthly and Decimal(self.monthly),
            "max_setup_cost": self.setup and Decimal(self.setup),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of the page that asks for confirmation: a quote, or why there is none."""

    buyer: Buyer
    wanted: dict[str, Any]
    preview: Preview | None = None
    problem: BurkiError | None = None
    quote: str = ""

    @property
    def why_not(self) -> str:
        return sentence(self.problem) if self.problem else ""


def total(lines: list[Line]) -> str:
    """What the offered numbers cost a month, such as "$2.15"; "" when a price is not known."""
    prices = [line.preview.price for line in lines if line.quote]
    if any(one.monthly is None for one in prices):
        return ""
    sums: dict[str, Decimal] = {}
    for one in prices:
        sums[one.currency] = sums.get(one.currency, Decimal(0)) + one.monthly
    return " and ".join(price(amount, currency) for currency, amount in sorted(sums.items()))
