"""Finding the number that somebody names, and the account through which it is managed."""

from burki.errors import InvalidRequest
from numbers import clocks
from numbers.clocks import Deadline
from numbers.e164 import is_e164
from numbers.exceptions import NumberConflict, NumberNotFound
from numbers.models import PhoneNumber
from numbers.providers.base import NumberProvider
from numbers.providers.registry import driver_for
from numbers.services.accounts import credentials_of
from organizations.models import Organization, Provider

Status = PhoneNumber.Status
LARGEST_ID = 2**63 - 1  # what PostgreSQL's bigint holds

NOT_E164 = "Phone number must be in E.164 format (e.g., +1234567890)"
NO_PROVIDER = "Provider must be 'twilio' or 'telnyx'"


def live_number(
    organization: Organization, phone_number: str, provider: str | None = None
) -> PhoneNumber:
    """The organization's number that is not released. Another tenant's is not found, like no
    one's; nor is one that is just being bought.

    Raises `InvalidRequest` for what is no number or no provider, and for another provider than
    the number's; `NumberNotFound`.
    """
    if not is_e164(phone_number):
        raise InvalidRequest(NOT_E164)
    return at_provider(live_numbers(organization, phone_number), provider)


def live_numbers(organization: Organization, phone_number: str) -> list[PhoneNumber]:
    """The rows behind `live_number`: one, or very rarely one at each provider."""
    rows = PhoneNumber.objects.visible_to(organization).live().filter(phone_number=phone_number)
    found = list(rows.select_related("account", "assistant", "organization").order_by("-pk"))
    if not found:
        raise NumberNotFound(phone_number)
    return found


def at_provider(numbers: list[PhoneNumber], provider: str | None) -> PhoneNumber:
    """The one of `numbers` at `provider` (None: the only one). Raises `InvalidRequest`."""
    provider = clean_provider(provider) if provider else None
    wanted = [number for number in numbers if provider in (None, number.provider)]
    if not wanted:
        raise InvalidRequest(f"Phone number {numbers[0]} is at {numbers[0].provider}")
    if len(wanted) > 1:
        raise InvalidRequest(f"Phone number {wanted[0]} is at both providers: say which")
    return wanted[0]


def clean_provider(provider: str) -> str:
    """Raises `InvalidRequest`."""
    if provider.lower() not in Provider.values:
        raise InvalidRequest(NO_PROVIDER)
    return provider.lower()


def require_active(number: PhoneNumber) -> None:
    """Raises `NumberConflict` unless the number is in service."""
    if number.status != Status.ACTIVE:
        raise NumberConflict(number)


def driver_of(number: PhoneNumber) -> NumberProvider:
    """The driver of the account that bought the number, for one request; time to write down what
    happened is kept. Raises `NotConfigured`."""
    deadline = Deadline.after(clocks.REQUEST).without(clocks.RECORDING)
    return driver_for(credentials_of(number.account), deadline)
