"""What confirm pages showed, signed, as their forms carry it back."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from django.core import signing

from burki.errors import InvalidRequest
from burki.text import money
from numbers.services.bulk_estimate import Estimate
from numbers.services.preview import Preview
from numbers.services.search import clean_criteria
from organizations.models import Organization

_SALT = "numbers.ui.quote"
_MANY = "numbers.ui.quote.many"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The purchase that a page offered: whose, what, at which price, and the key that was minted
    when the page was rendered. A form that was changed on the way is none; an old one still is,
    because sending it again must lead to the purchase that it made."""

    organization: int
    provider: str
    phone_number: str
    assistant_id: int | None
    monthly: str | None
    setup: str | None
    key: str

    @classmethod
    def of(cls, organization: Organization, preview: Preview) -> Quote:
        """A new one, with a new key."""
        return cls(
            organization=organization.pk,
            provider=preview.provider,
            phone_number=preview.phone_number,
            assistant_id=preview.assistant and preview.assistant.pk,
            monthly=money(preview.price.monthly),
            setup=money(preview.price.setup),
            key=str(uuid.uuid4()),
        )

    @classmethod
    def read(cls, text: str) -> Quote:
        """Raises `InvalidRequest` for anything but what `signed` made."""
        try:
            return cls(**signing.loads(text, salt=_SALT))
        except (signing.BadSignature, TypeError, ValueError):
            raise InvalidRequest(
                "This page was changed on its way here. Nothing was bought.",
                hint="Look at the number once more, then buy it.",
            ) from None

    def signed(self) -> str:
        return signing.dumps(asdict(self), salt=_SALT)

    @property
    def idempotency_key(self) -> str:
        """In the staff pages' own namespace."""
        return f"ui:{self.key}"

    @property
    def most(self) -> dict[str, Decimal | None]:
        """What was shown is the most that may be paid."""
        return {
            "max_monthly_cost": self.monthly and Decimal(self.monthly),
            "max_setup_cost": self.setup and Decimal(self.setup),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyQuote:
    """As `Quote`, of many numbers: what was `asked` for, in JSON, and the most that may be spent on
    it. The key is that of the page's address: the same page, rendered again, has the same key."""

    organization: int
    key: str
    asked: dict[str, Any]
    cap: str
    currency: str

    @classmethod
    def of(
        cls, organization: Organization, key: str, asked: dict[str, Any], estimate: Estimate
    ) -> ManyQuote:
        return cls(
            organization=organization.pk,
            key=key,
            asked=asked,
            cap=money(estimate.cap),
            currency=estimate.currency,
        )

    @classmethod
    def read(cls, text: str) -> ManyQuote:
        """Raises `InvalidRequest` for anything but what `signed` made."""
        try:
            return cls(**signing.loads(text, salt=_MANY))
        except (signing.BadSignature, TypeError, ValueError):
            raise InvalidRequest(
                "This page was changed on its way here. Nothing was bought.",
                hint="Say once more what to buy.",
            ) from None

    def signed(self) -> str:
        return signing.dumps(asdict(self), salt=_MANY, compress=True)

    @property
    def idempotency_key(self) -> str:
        return many_key(self.key)

    @property
    def amount(self) -> Decimal:
        return Decimal(self.cap)


def many_key(key: Any) -> str:
    """In the staff pages' own namespace."""
    return f"ui:{key}"


def asked_for(asked: dict[str, Any]) -> dict[str, Any]:
    """What was asked for, as services take it."""
    criteria = asked["criteria"]
    limits = ("max_total_cost", "max_monthly_cost", "max_setup_cost")
    return asked | {
        "criteria": clean_criteria(**criteria) if criteria else None,
        **{name: None if asked[name] is None else Decimal(asked[name]) for name in limits},
    }
