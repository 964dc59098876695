"""What a purchase is asked to be, and what repeats of it are compared with."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from burki.errors import InvalidRequest, Unavailable
from burki.rows import fetch
from burki.text import is_clean
from numbers.e164 import is_e164
from numbers.exceptions import IdempotencyKeyRequired, IdempotencyKeyReused
from numbers.models import FallbackPurchase, PhoneNumber, Purchase
from numbers.services import spending
from numbers.services.replays import named_by_key
from organizations.models import Organization, Provider

FRIENDLY_NAME_MAX = 64  # Twilio's limit, for both: a name must not depend on the provider
KEY_MAX = 255
ATTEMPTS_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """Consent to buy another number when the one asked for is not available: which others, how
    dear (a month, in the price's currency), and after how many attempts to give up."""

    same_area_code: bool = False
    same_region: bool = False
    other_provider: bool = False
    max_monthly_cost: Decimal | None = None
    attempts: int = 3

    def as_json(self) -> dict[str, Any]:
        cost = spending.money(self.max_monthly_cost)
        return asdict(self) | {"max_monthly_cost": cost}


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
    fallback: Fallback | None = None
    # Set from the second attempt on.
    chain: FallbackPurchase | None = None
    attempt: int = 1

    def as_json(self) -> dict[str, Any]:
        asked = {
            "phone_number": self.phone_number,
            "provider": self.provider,
            "assistant_id": self.assistant_id,
            "friendly_name": self.friendly_name,
            "max_monthly_cost": spending.money(self.max_monthly_cost),
            "max_setup_cost": spending.money(self.max_setup_cost),
        }
        if self.fallback is not None:
            asked["fallback"] = self.fallback.as_json()
        return asked

    def place_in_chain(self) -> dict[str, Any]:
        """Fields of the purchase's row; the first attempt writes the row that holds them all."""
        chain = self.chain
        if chain is None and self.fallback is not None:
            chain = FallbackPurchase.objects.create(
                organization=self.organization,
                idempotency_key=self.idempotency_key,
                requested_phone_number=self.phone_number,
                request=self.as_json(),
            )
        return {"fallback": chain, "attempt": self.attempt}


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
    request = PurchaseRequest(**fields)
    if request.fallback is not None:
        if request.idempotency_key is None:
            raise IdempotencyKeyRequired()
        if not 1 <= request.fallback.attempts <= ATTEMPTS_MAX:
            raise InvalidRequest(f"fallback.attempts must be between 1 and {ATTEMPTS_MAX}")
    return request


def repeat_of_key(request: PurchaseRequest) -> Purchase | None:
    """The purchase that this idempotency key already names. Raises `IdempotencyKeyReused`."""
    purchase = named_by_key(Purchase, request.organization, request.idempotency_key)
    if purchase is not None and purchase.request != request.as_json():
        raise IdempotencyKeyReused(purchase=purchase)
    return purchase


_HOLDER = f"""
    SELECT id FROM {PhoneNumber._meta.db_table}
    WHERE provider = %s AND phone_number = %s AND status <> '{PhoneNumber.Status.RELEASED}'
"""


def holder(request: PurchaseRequest) -> PhoneNumber | None:
    """The live row of this number, whosever it is. A courtesy: the index decides."""
    found = fetch(_HOLDER, [request.provider, request.phone_number])  # mostly there is none
    return PhoneNumber.objects.live().filter(pk=found[0][0]).first() if found else None


def just_taken() -> Unavailable:
    """Somebody has the number, or had it a moment ago. A purchase looks again, and answers from
    the row; this is what it says if there is none any more."""
    return Unavailable("Somebody else just tried to buy this number.", charged=False)
