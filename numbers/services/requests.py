"""What a purchase is asked to be, and what repeats of it are compared with."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from burki.errors import InvalidRequest
from burki.text import is_clean
from numbers.e164 import is_e164
from numbers.exceptions import IdempotencyKeyReused
from numbers.models import PhoneNumber, Purchase
from numbers.services import spending
from organizations.models import Organization, Provider

FRIENDLY_NAME_MAX = 64  # Twilio's limit, for both: a name must not depend on the provider
KEY_MAX = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseRequest:
    """What is asked, cleaned; `as_json` is what repeats are compared with."""

    organization: Organization
    provider: str
    phone_number: str
    assistant_id: int | None
    friendly_name: str
    idempotency_key: str | None
    max_monthly_cost: Decimal | None
    max_setup_cost: Decimal | None

    def as_json(self) -> dict[str, Any]:
        return {
            "phone_number": self.phone_number,
            "provider": self.provider,
            "assistant_id": self.assistant_id,
            "friendly_name": self.friendly_name,
            "max_monthly_cost": spending.money(self.max_monthly_cost),
            "max_setup_cost": spending.money(self.max_setup_cost),
        }


def clean_request(**fields: Any) -> PurchaseRequest:
    """Raises `InvalidRequest`. Doors that know more say it earlier and better."""
    provider = fields["provider"]
    fields["provider"] = provider.lower() if isinstance(provider, str) else provider
    if fields["provider"] not in Provider.values:
        raise InvalidRequest("Provider must be 'twilio' or 'telnyx'")
    if not is_e164(fields["phone_number"]):
        raise InvalidRequest("Phone number must be in E.164 format (e.g., +1234567890)")
    name = fields["friendly_name"] = (fields["friendly_name"] or "").strip()
    if len(name) > FRIENDLY_NAME_MAX:
        raise InvalidRequest(f"Friendly name must be at most {FRIENDLY_NAME_MAX} characters long")
    if not is_clean(name):
        raise InvalidRequest("Friendly name must not contain control characters")
    return PurchaseRequest(**fields)


def repeat_of_key(request: PurchaseRequest) -> Purchase | None:
    """The purchase that this idempotency key already names. Raises `IdempotencyKeyReused`."""
    if request.idempotency_key is None:
        return None
    purchase = Purchase.objects.filter(
        organization=request.organization, idempotency_key=request.idempotency_key
    ).first()
    if purchase is not None and purchase.request != request.as_json():
        raise IdempotencyKeyReused(purchase=purchase)
    return purchase


def holder(request: PurchaseRequest) -> PhoneNumber | None:
    """The live row of this number, whosever it is. A courtesy: the index decides."""
    return (
        PhoneNumber.objects.live()
        .filter(provider=request.provider, phone_number=request.phone_number)
        .first()
    )
