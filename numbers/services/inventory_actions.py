"""What people do about findings: adopt an orphan, close a ghost.

Each looks at the provider right before it acts, and never spends: an orphan is paid for already, a
ghost costs nothing any more.
"""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from burki.errors import NotFound
from burki.logs import emit
from burki.text import plain
from numbers import clocks, jobs
from numbers.clocks import Deadline
from numbers.e164 import country_of, is_e164, number_type_of
from numbers.exceptions import InventoryConflict
from numbers.models import Finding, Offer, PhoneNumber, ProviderSetup, Purchase
from numbers.providers.base import NumberProvider, OwnedNumber, Routing
from numbers.providers.registry import driver_for
from numbers.reconcile import look_at_purchase
from numbers.services import announcing, evidence, findings
from numbers.services.accounts import credentials_of, named_routing
from numbers.services.public_key import learn_missing
from numbers.services.routing import TWILIO_STATUS, TWIML, public_url
from numbers.services.settling import database_now, lock_organization
from organizations import audit
from organizations.actors import Actor
from organizations.models import Organization, ProviderAccount
from organizations.permissions import NUMBERS_WRITE, ORGANIZATION_ADMIN

Kind, Resolution, Status = Finding.Kind, Finding.Resolution, PhoneNumber.Status


def adopt_orphan(*, actor: Actor, organization: Organization, finding: Finding) -> PhoneNumber:
    """Make a number that the organization's own account has a number of the organization. The
    provider is asked right now whether it is still there. Nothing is set there: see `adopt_listed`.

    Raises `PermissionDenied`, `NotFound` for another organization's finding, `InventoryConflict`
    when it is no orphan (any more) or somebody holds the number, and `ProviderError`.
    """
    actor.require(NUMBERS_WRITE, organization)
    account = _open(finding, organization, Kind.ORPHAN).account
    driver = driver_for(credentials_of(account), Deadline.after(clocks.REQUEST))
    owned = driver.find_number(finding.phone_number)
    if owned is None or not owned.in_service:
        raise InventoryConflict(f"{finding.phone_number} is no longer in the account.")
    return adopt_listed(account=account, owned=owned, driver=driver, actor=actor)


def adopt_listed(
    *, account: ProviderAccount, owned: OwnedNumber, driver: NumberProvider, actor: Actor
) -> PhoneNumber:
    """Insert the active row of a number that the provider has just listed in an organization's own
    account, under the index that purchases claim by.

    The row says what such a number should have set, so that what it does not have yet is drift,
    open at once: calls reach us when it is repaired. A number that a purchase of ours ordered
    after all becomes that purchase's. Limits are not asked: it is paid for already. Raises
    `PermissionDenied`, and `InventoryConflict` when somebody holds or is just buying the number.
    """
    if account.organization_id is None:
        raise InventoryConflict("Numbers of the platform's account belong to nobody.")
    actor.require(NUMBERS_WRITE, account.organization)
    if not is_e164(owned.phone_number):
        raise InventoryConflict(f"{plain(owned.phone_number, 32)} is not a phone number.")
    if (settled := _settled_late(account, owned, driver, actor)) is not None:
        with transaction.atomic(durable=True):
            findings.resolve(account, Kind.ORPHAN, settled.phone_number, Resolution.ADOPTED)
        return settled
    learn_missing(driver, account)  # its calls reach us as soon as it is repaired
    values = _values(account, owned, driver)
    with transaction.atomic(durable=True):
        organization = lock_organization(account.organization_id)
        try:
            with transaction.atomic():
                number = PhoneNumber.objects.create(
                    organization=organization, account=account, status=Status.ACTIVE, **values
                )
        except IntegrityError:
            raise InventoryConflict(
                f"{owned.phone_number} is held by somebody here, or just being bought."
            ) from None
        findings.resolve(account, Kind.ORPHAN, number.phone_number, Resolution.ADOPTED)
        different = evidence.differences(number, owned)
        findings.note_drift(number, different, seen_at=database_now())
        jobs.verify_numbers_later([number.pk])
        audit.record(
            actor,
            "number.adopted",
            number,
            organization=organization,
            found=evidence.description(owned),
        )
    emit("number.adopted", number=number.pk, account=account.pk)
    return number


def close_ghost(*, actor: Actor, organization: Organization, finding: Finding) -> PhoneNumber:
    """Record that a number is gone from its account: it becomes history, and may be bought again.

    Only for a ghost that is confirmed, and only if the provider, asked right now for the number
    itself, does not have it. Raises `PermissionDenied`, `NotFound` for another organization's
    finding, `InventoryConflict` and `ProviderError`.
    """
    actor.require(ORGANIZATION_ADMIN, organization)
    finding = _open(finding, organization, Kind.GHOST)
    number = finding.number
    if finding.confirmed_at is None:
        raise InventoryConflict(
            f"{number} was missed only lately.",
            hint="Wait until another comparison, ten minutes later, confirms that it is gone.",
        )
    driver = driver_for(credentials_of(finding.account), Deadline.after(clocks.REQUEST))
    if not evidence.is_gone(number, driver):
        raise InventoryConflict(f"{number} is still in the account.")
    if not evidence.is_same_account(finding.account, number, driver):
        raise InventoryConflict(
            f"Nothing shows that the credentials still open the account that has {number}.",
            hint="Enter credentials of the account in which it was bought.",
        )
    with transaction.atomic(durable=True):
        organization = lock_organization(number.organization_id)
        rows = PhoneNumber.objects.filter(pk=number.pk, status=Status.ACTIVE)
        if not rows.update(status=Status.RELEASED, released_at=Now()):
            raise InventoryConflict(f"{number} is no longer active.")
        for kind, resolution in ((Kind.GHOST, Resolution.CLOSED), (Kind.DRIFT, Resolution.CLOSED)):
            findings.resolve(finding.account, kind, finding.phone_number, resolution)
        audit.record(
            actor,
            "number.closed",
            number,
            organization=organization,
            first_missed_at=finding.first_seen_at.isoformat(timespec="seconds"),
            provider_number_id=number.provider_number_id,
        )
        announcing.number_released(number, organization, how=announcing.GONE)
    number.refresh_from_db()
    emit("number.closed", number=number.pk)
    return number


def _open(finding: Finding, organization: Organization, kind: Finding.Kind) -> Finding:
    """The finding as it is now, if it is the organization's, open and of this kind."""
    rows = Finding.objects.visible_to(organization).select_related("account", "number")
    found = rows.filter(pk=finding.pk).first()
    if found is None:
        raise NotFound()
    if found.resolved_at is not None or found.kind != kind:
        raise InventoryConflict(f"{found.phone_number} is no {kind.value}, or not any more.")
    return found


def _settled_late(
    account: ProviderAccount, owned: OwnedNumber, driver: NumberProvider, actor: Actor
) -> PhoneNumber | None:
    """The number of a purchase that was refused only because the provider did not list it then:
    now it is listed, with our tag. None if it carries no such purchase's tag."""
    try:
        reference = UUID(owned.reference)
    except ValueError:
        return None
    purchase = (
        Purchase.objects.select_related("account")
        .filter(
            pk=reference,
            account=account,
            phone_number=owned.phone_number,
            state=Purchase.State.REFUSED,
            evidence=Purchase.Evidence.NOT_FOUND,
        )
        .first()
    )
    return purchase and look_at_purchase(purchase, driver=driver, actor=actor).number


def _values(account: ProviderAccount, owned: OwnedNumber, driver: NumberProvider) -> dict[str, Any]:
    """What the provider reports of the number, and what an offer or the price list adds."""
    country = country_of(owned.phone_number)
    number_type = number_type_of(owned.phone_number)
    offers = Offer.objects.filter(account=account, phone_number=owned.phone_number)
    offer = offers.order_by("-seen_at").first()
    price = driver.price(country, number_type)
    capabilities = owned.capabilities
    values: dict[str, Any] = {"monthly_cost": price.monthly, "currency": price.currency}
    if offer is not None:
        values |= {"region": offer.region, "locality": offer.locality}
        capabilities = capabilities or offer.capabilities
        if price.monthly is None:
            values |= {"monthly_cost": offer.monthly_cost, "currency": offer.currency}
    routing = _intended_routing(account, owned)
    return values | {
        "provider": account.provider,
        "phone_number": owned.phone_number,
        "provider_number_id": owned.number_id,
        "friendly_name": plain(owned.friendly_name, 64) or owned.phone_number,
        "capabilities": capabilities,
        "country": country,
        "number_type": number_type,
        "purchased_at": owned.created_at,
        "voice_url": routing.voice_url,
        "sms_url": routing.sms_url,
        "status_callback": routing.status_callback,
        "connection_id": routing.connection_id,
        "messaging_profile_id": routing.messaging_profile_id,
    }


def _intended_routing(account: ProviderAccount, owned: OwnedNumber) -> Routing:
    """Where a number of this account should send calls and messages. Nothing is made for it: a
    Telnyx account for which nothing is named or made yet keeps what the number has."""
    if account.provider == "twilio":
        callback, ours = owned.routing.status_callback, public_url(TWILIO_STATUS)
        return Routing(
            voice_url=public_url(TWIML),
            sms_url=public_url(TWIML) if owned.capabilities.get("sms") else "",
            status_callback=callback if callback.split("?")[0] == ours else ours,
        )
    named, there = named_routing(account, None), owned.routing
    made = ProviderSetup.objects.filter(
        account=account, organization_id=account.organization_id
    ).first()
    return Routing(
        connection_id=named.connection_id or (made and made.connection_id) or there.connection_id,
        messaging_profile_id=named.messaging_profile_id
        or (made and made.messaging_profile_id)
        or there.messaging_profile_id,
    )
