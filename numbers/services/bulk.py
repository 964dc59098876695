"""Asking for many numbers at once: accepted here, bought one by one by the worker
(`numbers.services.bulk_work`), each through `purchase_number`."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Max, Q, Sum
from django.db.models.functions import Coalesce, Now

from assistants.models import Assistant
from assistants.services import get_assistant
from burki.errors import InvalidRequest
from numbers import jobs
from numbers.exceptions import IdempotencyKeyRequired, IdempotencyKeyReused, NotCancellable
from numbers.models import BulkItem, BulkPurchase, Purchase
from numbers.providers.base import SearchCriteria
from numbers.services import settling, spending
from numbers.services.requests import clean_request
from organizations import audit
from organizations.actors import Actor
from organizations.models import Organization
from organizations.permissions import NUMBERS_PURCHASE

QUANTITY_MAX = 1000
LANES = 4  # numbers of one bulk purchase that are bought at the same time


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    bulk: BulkPurchase
    replayed: bool = False


def ask_for_many(
    *,
    actor: Actor,
    organization: Organization,
    provider: str,
    quantity: int,
    criteria: SearchCriteria | None,
    phone_numbers: list[str] | None,
    assistant_id: int | None,
    friendly_name: str,
    idempotency_key: str | None,
    max_total_cost: Decimal | None,
    max_monthly_cost: Decimal | None,
    max_setup_cost: Decimal | None,
) -> Asked:
    """Have the worker buy `quantity` numbers that fit `criteria`, or those of `phone_numbers`.

    No more than `max_total_cost` is spent on set-up fees and first months together, and no number
    dearer than the other two limits is bought (all in the price's currency). A number whose
    purchase is uncertain counts as bought until it is settled. Needs a key; the same request
    again is the same bulk purchase. Raises `InvalidRequest`, `IdempotencyKeyRequired`,
    `IdempotencyKeyReused`, `PermissionDenied`, `NotFound` (assistant).
    """
    actor.require(NUMBERS_PURCHASE, organization)
    if idempotency_key is None:
        raise IdempotencyKeyRequired()
    if (criteria is None) == (not phone_numbers):
        raise InvalidRequest("Give either criteria or phone_numbers.")
    if phone_numbers and len(set(phone_numbers)) != len(phone_numbers):
        raise InvalidRequest("phone_numbers names a number twice.")
    if not 1 <= quantity <= QUANTITY_MAX or (phone_numbers and quantity > len(phone_numbers)):
        raise InvalidRequest(f"quantity must be between 1 and {QUANTITY_MAX}")
    probe = clean_request(  # what every one of the purchases would be refused for
        organization=organization,
        provider=provider,
        phone_number=phone_numbers[0] if phone_numbers else "+14155550100",
        assistant_id=assistant_id,
        friendly_name=friendly_name,
        idempotency_key=None,
        max_monthly_cost=max_monthly_cost,
        max_setup_cost=max_setup_cost,
    )
    asked = {
        "provider": probe.provider,
        "quantity": quantity,
        "criteria": asdict(criteria) if criteria else {},
        "phone_numbers": phone_numbers or [],
        "assistant_id": assistant_id,
        "friendly_name": probe.friendly_name,
        "max_total_cost": spending.money(max_total_cost),
        "max_monthly_cost": spending.money(max_monthly_cost),
        "max_setup_cost": spending.money(max_setup_cost),
    }
    if (repeat := _repeat(organization, idempotency_key, asked)) is not None:
        return Asked(bulk=repeat, replayed=True)
    assistant = assistant_id and get_assistant(organization, assistant_id)
    return _accept(actor, organization, idempotency_key, asked, assistant or None)


@transaction.atomic
def _accept(
    actor: Actor,
    organization: Organization,
    key: str,
    asked: dict[str, Any],
    assistant: Assistant | None,
) -> Asked:
    settling.lock_organization(organization.pk)
    if (repeat := _repeat(organization, key, asked)) is not None:  # somebody was faster
        return Asked(bulk=repeat, replayed=True)
    bulk = BulkPurchase.objects.create(
        organization=organization,
        user=actor.user if actor.api_key is None else None,
        api_key=actor.api_key,
        idempotency_key=key,
        request=asked,
        provider=asked["provider"],
        quantity=asked["quantity"],
        criteria=asked["criteria"],
        assistant=assistant,
        friendly_name=asked["friendly_name"],
        **{
            name: asked[name] and Decimal(asked[name])
            for name in ("max_total_cost", "max_monthly_cost", "max_setup_cost")
        },
    )
    BulkItem.objects.bulk_create(
        BulkItem(bulk=bulk, n=n, phone_number=number)
        for n, number in enumerate(asked["phone_numbers"], start=1)
    )
    audit.record(actor, "bulk.asked", bulk, organization=organization, **asked)
    jobs.buy_next_later(bulk.pk, lane=0)
    return Asked(bulk=bulk)


def _repeat(organization: Organization, key: str, asked: dict[str, Any]) -> BulkPurchase | None:
    bulk = BulkPurchase.objects.filter(organization=organization, idempotency_key=key).first()
    if bulk is not None and bulk.request != asked:
        raise IdempotencyKeyReused()
    return bulk


@transaction.atomic
def cancel(*, actor: Actor, bulk: BulkPurchase) -> BulkPurchase:
    """Buy no more of it. What was bought stays bought, what is being bought is finished. Raises
    `NotCancellable` when it had ended otherwise before; cancelling again changes nothing."""
    actor.require(NUMBERS_PURCHASE, bulk.organization)
    settling.lock_organization(bulk.organization_id)
    bulk = BulkPurchase.objects.select_for_update().get(pk=bulk.pk)
    if bulk.state == BulkPurchase.State.CANCELLED:
        return bulk
    if bulk.state != BulkPurchase.State.RUNNING:
        raise NotCancellable(f"This bulk purchase is {bulk.state} already.")
    end(bulk, BulkPurchase.State.CANCELLED)
    audit.record(actor, "bulk.cancelled", bulk, organization=bulk.organization)
    return bulk


def end(bulk: BulkPurchase, state: str, *, code: str = "", reason: str = "") -> bool:
    """Move a running bulk purchase to its end; False when it had ended already."""
    moved = BulkPurchase.objects.filter(pk=bulk.pk, state=BulkPurchase.State.RUNNING).update(
        state=state, reason_code=code, reason=reason[:500], ended_at=Now()
    )
    bulk.refresh_from_db()
    return bool(moved)


# --- How far it is -------------------------------------------------------------------------------

OUTCOMES = ("bought", "pending", "uncertain", "buying", "refused", "skipped", "waiting")
_COUNTED = ("bought", "pending", "uncertain", "buying")  # as `taken`
_TAKEN = (Purchase.State.COMPLETED, *Purchase.LIVE)
_EACH = Coalesce(F("purchase__monthly_cost"), F("monthly_cost"), Decimal(0)) + Coalesce(
    F("purchase__setup_cost"), F("setup_cost"), Decimal(0)
)


def progress(bulk: BulkPurchase) -> dict[str, Any]:
    """Its numbers by outcome, and what they cost: set-up fees and first months of all that are
    bought, pending, uncertain or being bought."""
    found = progress_of([bulk])[bulk.pk]
    return {name: found[name] for name in (*OUTCOMES, "cost")}


def progress_of(bulks: Iterable[BulkPurchase]) -> dict[UUID, dict[str, Any]]:
    """That of each, in one query; with the `currency` of what was bought so far, "" of nothing."""
    found = {
        bulk.pk: dict.fromkeys(OUTCOMES, 0) | {"cost": Decimal(0), "currency": ""} for bulk in bulks
    }
    rows = (
        BulkItem.objects.filter(bulk__in=found)
        .order_by()
        .values(
            "bulk_id", "purchase__state", waits=Q(lane=None), tried=Q(purchase=None) & ~Q(code="")
        )
        .annotate(n=Count("*"), cost=Sum(_EACH), currency=Max("purchase__currency"))
    )
    for row in rows:
        state, bulk = row["purchase__state"], found[row["bulk_id"]]
        item = BulkItem(
            lane=None if row["waits"] else 0,
            code="skipped" if row["tried"] else "",
            purchase=None if state is None else Purchase(state=state),
        )
        bulk[item.outcome] += row["n"]
        if item.outcome in _COUNTED:
            bulk["cost"] += row["cost"]
            bulk["currency"] = bulk["currency"] or row["currency"] or ""
    return found


def taken() -> Q:
    """Items that count against quantity and limit: bought, or perhaps bought."""
    return Q(purchase__state__in=_TAKEN) | Q(purchase=None, code="", lane__isnull=False)


def cost(bulk: BulkPurchase) -> Decimal:
    return bulk.items.filter(taken()).aggregate(total=Sum(_EACH))["total"] or Decimal(0)
