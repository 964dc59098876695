"""Looking for one number in the organization's own provider accounts, to make it the
organization's."""

from burki.errors import NotFound
from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import NotConfigured, ProviderError, RequestFailed
from numbers.models import PhoneNumber
from numbers.providers.registry import driver_for
from numbers.services.accounts import credentials_of
from numbers.services.inventory_actions import adopt_listed
from organizations.actors import Actor
from organizations.models import Organization, Provider, ProviderAccount
from organizations.permissions import NUMBERS_WRITE


def adopt_by_number(*, actor: Actor, organization: Organization, phone_number: str) -> PhoneNumber:
    """Adopt a number that one of the organization's own enabled accounts has; see `adopt_listed`.
    Nothing is set at the provider.

    Raises `PermissionDenied`, `NotConfigured` without any account, `NotFound` when all accounts
    answered and none has it, `InventoryConflict` when somebody holds it here, `RequestFailed` when
    an account did not answer and no other has it.
    """
    actor.require(NUMBERS_WRITE, organization)
    accounts = ProviderAccount.objects.filter(organization=organization, is_active=True)
    accounts = list(accounts.select_related("organization").order_by("-provider", "pk"))
    if not accounts:
        raise NotConfigured(
            "Provider credentials not configured for this organization",
            hint="Enter Twilio or Telnyx credentials for the organization.",
        )
    deadline = Deadline.after(clocks.REQUEST).without(clocks.RECORDING)
    failure: tuple[str, ProviderError] | None = None
    for left, account in zip(range(len(accounts), 0, -1), accounts, strict=True):
        try:
            driver = driver_for(credentials_of(account), deadline.share(left))
            owned = driver.find_number(phone_number)
        except ProviderError as error:
            failure = failure or (Provider(account.provider).label, error)
            continue
        if owned is not None and owned.in_service:
            return adopt_listed(account=account, owned=owned, driver=driver, actor=actor)
    if failure is not None:
        name, error = failure
        raise RequestFailed.because_of(f"Failed to sync from {name}: {error.detail}", error)
    asked = dict.fromkeys(Provider(account.provider).label for account in accounts)
    raise NotFound(
        f"Phone number {phone_number} not found in your {' or '.join(asked)} account or local "
        "database after sync attempt"
    )
