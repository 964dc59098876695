"""Buying one of several numbers, with consent given beforehand.

The next number is tried only after the last one was refused as unavailable before or by the
provider's own word. A purchase that is pending, uncertain, or refused by inference stops the
chain: buying more then could buy twice. A repeat of the request goes on; no worker ever does.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

from django.db.models import Q

from burki.errors import BurkiError
from numbers import clocks
from numbers.clocks import Deadline
from numbers.e164 import area_code_of, country_of, number_type_of
from numbers.exceptions import IdempotencyKeyReused, PurchaseRefused
from numbers.models import FallbackPurchase, Offer, PhoneNumber, Purchase
from numbers.providers.base import SearchCriteria
from numbers.services.answers import Purchased, answer
from numbers.services.requests import Fallback, PurchaseRequest
from numbers.services.search import Found, search_numbers
from organizations.actors import Actor
from organizations.models import Provider

_CANDIDATES = 10


def buy_one_of_several(
    request: PurchaseRequest,
    *,
    attempt: Callable[[PurchaseRequest], Purchased],
    actor: Actor,
    deadline: Deadline,
) -> Purchased:
    """Try the number that was asked for, then others, as `request.fallback` allows. `attempt`
    buys exactly one number. Returns and raises what the last attempt did."""
    chain = _chain(request)
    last = chain and chain.attempts.order_by("-attempt").first()
    try:
        return answer(last, replayed=True) if last else attempt(request)
    except PurchaseRefused as error:
        refusal = error
    while _may_go_on(refusal.purchase, request.fallback, deadline):
        following = _next_request(request, refusal.purchase, actor)
        if following is None:
            break
        try:
            bought = attempt(following)
        except PurchaseRefused as error:
            refusal = error
        else:
            if bought.purchase.fallback_id == refusal.purchase.fallback_id:
                return bought
            # Another request has just bought that number: it is not what this key names.
    raise refusal


def _chain(request: PurchaseRequest) -> FallbackPurchase | None:
    chain = FallbackPurchase.objects.filter(
        organization=request.organization, idempotency_key=request.idempotency_key
    ).first()
    if chain is not None and chain.request != request.as_json():
        raise IdempotencyKeyReused(purchase=chain.attempts.order_by("attempt").first())
    return chain


def _may_go_on(refused: Purchase, fallback: Fallback, deadline: Deadline) -> bool:
    sure = refused.evidence != Purchase.Evidence.NOT_FOUND
    time_left = deadline.remaining() >= clocks.scaled(clocks.NEXT_ATTEMPT)
    unavailable = refused.refusal_code == "number_unavailable"
    return sure and unavailable and refused.attempt < fallback.attempts and time_left


def _next_request(
    request: PurchaseRequest, refused: Purchase, actor: Actor
) -> PurchaseRequest | None:
    """The next number to try; the cheapest of the nearest kind that was allowed."""
    chain = refused.fallback
    tried = set(chain.attempts.values_list("provider", "phone_number"))
    most = _most(request)
    for found in _candidates(request, actor):
        number = found.number
        if (found.provider, number.phone_number) in tried or _is_held(found):
            continue
        if most is not None and (number.price.monthly is None or number.price.monthly > most):
            continue
        return replace(
            request,
            provider=found.provider,
            phone_number=number.phone_number,
            idempotency_key=None,  # the chain holds it
            max_monthly_cost=most,
            fallback=None,
            chain=chain,
            attempt=refused.attempt + 1,
        )
    return None


def _most(request: PurchaseRequest) -> Decimal | None:
    """What another number may cost a month: as was said, else no more than the one asked for."""
    said = request.fallback.max_monthly_cost
    if said is None:
        said = request.max_monthly_cost
    offer = _offer(request)
    return said if said is not None else offer and offer.monthly_cost


def _offer(request: PurchaseRequest) -> Offer | None:
    """The latest that is known of the number asked for."""
    return (
        Offer.objects.filter(
            Q(account__organization=request.organization) | Q(account__organization=None),
            phone_number=request.phone_number,
        )
        .order_by("-seen_at")
        .first()
    )


def _candidates(request: PurchaseRequest, actor: Actor) -> Iterator[Found]:
    fallback, offer = request.fallback, _offer(request)
    area, region = area_code_of(request.phone_number), offer.region if offer else ""
    other = [name for name in Provider.values if name != request.provider]
    for provider in [request.provider, *(other if fallback.other_provider else [])]:
        if fallback.same_area_code and area:
            yield from _search(request, actor, provider, area_code=area)
        if fallback.same_region and region:
            yield from _search(request, actor, provider, region=region)


def _search(request: PurchaseRequest, actor: Actor, provider: str, **where: str) -> list[Found]:
    criteria = SearchCriteria(
        country_code=country_of(request.phone_number),
        number_type=number_type_of(request.phone_number),
        limit=_CANDIDATES,
        **where,
    )
    try:
        return search_numbers(
            actor=actor,
            organization=request.organization,
            provider=provider,
            criteria=criteria,
            assistant_id=request.assistant_id,
        ).numbers
    except BurkiError:  # a provider that cannot be searched offers nothing to try
        return []


def _is_held(found: Found) -> bool:
    return (
        PhoneNumber.objects.live()
        .filter(provider=found.provider, phone_number=found.number.phone_number)
        .exists()
    )
