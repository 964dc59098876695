"""What a purchase commits before anything is sent: the claim, or a refusal that needs none."""

from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from burki.rows import In
from numbers import clocks, jobs
from numbers.e164 import country_of, number_type_of
from numbers.exceptions import ProviderError
from numbers.models import PhoneNumber, Purchase
from numbers.models.fields import uuid7
from numbers.providers.registry import DRIVERS
from numbers.services import announcing, routing, settling, spending
from numbers.services.preparing import Plan
from numbers.services.requests import PurchaseRequest, repeat_of_key
from organizations import audit
from organizations.actors import Actor

State, Status = Purchase.State, PhoneNumber.Status


@transaction.atomic(durable=True)
def claim(request: PurchaseRequest, plan: Plan, actor: Actor) -> Purchase:
    """Commit that we are about to buy. The number's unique index and the key's decide.

    Raises `IntegrityError` when somebody was faster, or deleted the assistant meanwhile;
    `SpendingLimitExceeded`, `PriceUnknown`.
    """
    organization = settling.lock_organization(request.organization.pk)
    committed = spending.check_limits(organization, plan.price)
    purchase_id = uuid7()
    place, price, connections = plan.offer, plan.price, plan.routing
    route = connections
    if not DRIVERS[request.provider].uses_connections:
        sms = place is None or place.capabilities.get("sms", True)
        route = routing.addresses(purchase_id, sms=sms)
    number = PhoneNumber(
        organization=organization,
        account=plan.account,
        assistant=plan.assistant,
        provider=request.provider,
        phone_number=request.phone_number,
        friendly_name=request.friendly_name or request.phone_number,
        status=Status.CLAIMED,
        capabilities=place.capabilities if place else {},
        country=(place and place.country) or country_of(request.phone_number),
        region=place.region if place else "",
        locality=place.locality if place else "",
        number_type=place.number_type if place else number_type_of(request.phone_number),
        monthly_cost=price.monthly,
        setup_cost=price.setup,
        currency=price.currency,
        voice_url=route.voice_url,
        sms_url=route.sms_url,
        status_callback=route.status_callback,
        connection_id=route.connection_id,
        messaging_profile_id=route.messaging_profile_id,
    )
    doubt = clocks.after(clocks.DOUBT_AFTER)
    purchase = Purchase(
        id=purchase_id,
        organization=organization,
        account=plan.account,
        number=number,
        actor_label=actor.label,
        provider=request.provider,
        phone_number=request.phone_number,
        request=request.as_json(),
        idempotency_key=request.idempotency_key,
        **request.place_in_chain(),
        connection_id=route.connection_id,
        messaging_profile_id=route.messaging_profile_id,
        monthly_cost=price.monthly,
        setup_cost=price.setup,
        currency=price.currency,
        next_look_at=In(doubt),
    )
    audit.record_new(
        actor,
        "purchase.claimed",
        number,
        purchase,
        organization=organization,
        provider=request.provider,
        phone_number=request.phone_number,
        assistant_id=request.assistant_id,
        monthly_cost=spending.money(price.monthly),
        currency=price.currency,
    )
    jobs.settle_later(purchase, after=doubt)
    announcing.spending_reached(organization, committed)
    return purchase


def refuse_unclaimed(request: PurchaseRequest, error: ProviderError, actor: Actor) -> Purchase:
    """Record a purchase that ended before its claim: nothing was sent that could spend."""
    purchase_id: UUID = uuid7()
    try:
        with transaction.atomic(durable=True):
            # As all who write keys.
            organization = settling.lock_organization(request.organization.pk)
            purchase = Purchase.objects.create(
                id=purchase_id,
                organization=request.organization,
                actor_label=actor.label,
                provider=request.provider,
                phone_number=request.phone_number,
                request=request.as_json(),
                idempotency_key=request.idempotency_key,
                **request.place_in_chain(),
                state=State.REFUSED,
                recorded_at=Now(),
                evidence=Purchase.Evidence.NOT_SENT,
                refusal_code=error.code,
                hint=error.hint[:300],
                retryable=error.retryable,
                provider_code=error.provider_code[:40],
                provider_message=error.provider_message[:500],
            )
            purchase.retry_in = error.retry_in
            audit.record(
                actor,
                "purchase.refused",
                purchase,
                organization=organization,
                code=error.code,
                evidence=purchase.evidence,
                provider_code=error.provider_code,
            )
            announcing.purchase_moved(purchase, State.ORDERING, organization)
    except IntegrityError:  # the same key, at the same time
        return repeat_of_key(request)
    return purchase
