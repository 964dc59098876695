"""What a confirm page showed, signed, as its form carries it back."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from decimal import Decimal

from django.core import signing

from burki.errors import InvalidRequest
from burki.text import money
from numbers.services.preview import Preview
from organizations.models import Organization

_SALT = "numbers.ui.quote"


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
