"""The worker's side of a bulk purchase: one number at a time, in a few lanes.

A lane is a chain of jobs, each buying one number and queueing the next. Killed anywhere, its job
is done again, takes up the item that the lane had taken, and buys it under the same key: the same
purchase. So nothing is bought twice, and nothing is forgotten.
"""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Q
from django.utils import timezone

from burki.errors import BurkiError
from burki.logs import emit
from numbers import jobs
from numbers.clocks import scaled
from numbers.e164 import country_of, number_type_of
from numbers.exceptions import PurchaseError
from numbers.models import BulkItem, BulkPurchase, Purchase
from numbers.providers.base import SearchCriteria
from numbers.services.bulk import LANES, cost, end, taken
from numbers.services.purchase import purchase_number
from numbers.services.search import LIMIT_MAX, search_numbers
from organizations import audit
from organizations.actors import Actor

State = BulkPurchase.State
SYSTEM = Actor.system("bulk")
# Being bought, or perhaps bought.
_IN_DOUBT = Q(purchase=None, code="", lane__isnull=False) | Q(
    purchase__state__in=[Purchase.State.ORDERING, Purchase.State.UNCERTAIN]
)

# The provider asks all lanes to slow down. That ends some day, and is no reason to give up.
_SLOWER = "rate_limited"
# It, or we, could not be reached: the same number later, some times.
_UNREACHED = frozenset({"provider_unreachable", "unavailable"})
_TRIES = 8
_PAUSE, _PAUSE_MAX = 4.0, 300.0  # seconds, doubled with each try
# No number of this provider can be bought now: going on would fail as often as there are numbers.
_HOPELESS = frozenset({
    "permission_denied", "not_found", "spending_limit_exceeded", "insufficient_balance",
    "invalid_credentials", "account_restricted", "not_configured", "price_unknown",
    "regulatory_requirement",
})  # fmt: skip


def buy_next(bulk_id: UUID, *, lane: int) -> None:
    """SPENDS MONEY. Buy one number of a bulk purchase, then queue the lane's next job."""
    bulk = BulkPurchase.objects.select_related("organization", "user", "api_key__organization",
                                               "api_key__created_by").get(pk=bulk_id)  # fmt: skip
    if (until := bulk.pause) is not None:  # for every lane, whichever was told
        jobs.buy_next_later(bulk.pk, lane=lane, after=until - timezone.now())
        return
    item = _take(bulk, lane)
    if item is None:
        pause = _find_more(bulk) if _may_find_more(bulk) else None
        if pause is None:
            _finish(bulk)
            return
    else:
        if lane == 0 and item.n == 1:
            for other in range(1, min(LANES, bulk.quantity)):
                jobs.buy_next_later(bulk.pk, lane=other)
        pause = _wait_for_room(bulk, item)
        if pause is None:
            pause = _buy(bulk, item)
    jobs.buy_next_later(bulk.pk, lane=lane, after=pause)


@transaction.atomic
def _take(bulk: BulkPurchase, lane: int) -> BulkItem | None:
    """The item that this lane had taken and not finished; else the next one that still fits."""
    locked = BulkPurchase.objects.select_for_update().get(pk=bulk.pk)
    running = locked.state == State.RUNNING
    mine = bulk.items.filter(lane=lane, purchase=None, code="").first()
    if mine is not None and (running or _is_begun(bulk, mine)):
        return mine
    if not running:
        bulk.items.filter(lane=lane, purchase=None, code="").update(lane=None)
        return None
    if bulk.items.filter(taken()).count() >= bulk.quantity:
        return None
    item = bulk.items.filter(lane=None).order_by("n").first()
    if item is None:
        return None
    item.lane = lane
    item.save(update_fields=["lane"])
    return item


def _is_begun(bulk: BulkPurchase, item: BulkItem) -> bool:
    return Purchase.objects.filter(
        organization=bulk.organization, idempotency_key=_key(bulk, item)
    ).exists()


def _wait_for_room(bulk: BulkPurchase, item: BulkItem) -> timedelta | None:
    """None when the number, which counts already, fits into the total; else it is put back, and
    this is how long to wait: another one may be refused in the end and leave room."""
    if bulk.max_total_cost is None:
        return None
    if item.monthly_cost is None:
        pause = _find_price(bulk, item)
        if pause is not None:
            return pause
    with transaction.atomic():
        BulkPurchase.objects.select_for_update().get(pk=bulk.pk)
        if cost(bulk) <= bulk.max_total_cost:
            return None
        _put_back(item)
        if not bulk.items.filter(_IN_DOUBT).exists():
            _stop(bulk, "total_cost_reached", "The next number would cost more than is left.")
    return _pause()


def _pause(tries: int = 1, *, least: int = 0) -> timedelta:
    """How long to wait after so many failures in a row, `least` what the provider asked for."""
    doubled = min(_PAUSE * 2 ** min(tries - 1, 10), _PAUSE_MAX)
    return timedelta(seconds=scaled(max(doubled, least)))


def _slow_down(bulk: BulkPurchase, error: BurkiError) -> timedelta:
    """Nothing is sent for this bulk purchase until then, by any lane. Lanes that are told at the
    same time are told once."""
    asked = getattr(error, "retry_in", None) or 0
    with transaction.atomic():
        locked = BulkPurchase.objects.select_for_update().get(pk=bulk.pk)
        if locked.pause is None:
            locked.slow_downs = min(locked.slow_downs + 1, 100)  # the pause has its most by then
        until = timezone.now() + _pause(locked.slow_downs, least=asked)
        locked.paused_until = max(until, locked.pause or until)
        locked.save(update_fields=["paused_until", "slow_downs"])
    emit("bulk.slowed_down", bulk=bulk.pk, times=locked.slow_downs, asked=asked)
    return locked.paused_until - timezone.now()


def _go_on(bulk: BulkPurchase) -> None:
    """The provider serves us again: the next time that it does not, the pause is short again."""
    if bulk.slow_downs:
        BulkPurchase.objects.filter(pk=bulk.pk).update(slow_downs=0)


def _put_back(item: BulkItem) -> None:
    """Nothing was asked for it: it waits for its turn as before."""
    BulkItem.objects.filter(pk=item.pk, purchase=None, code="").update(lane=None)


def _find_price(bulk: BulkPurchase, item: BulkItem) -> timedelta | None:
    """Learn the price of a number that was named, not found by a search. None when it is known;
    else the number is not bought now, and this is how long to wait."""
    criteria = SearchCriteria(
        country_code=country_of(item.phone_number),
        contains=item.phone_number,
        number_type=number_type_of(item.phone_number),
        limit=1,
    )
    try:
        found = _search(bulk, criteria)
    except BurkiError as error:
        if error.code == _SLOWER:
            _put_back(item)
            return _slow_down(bulk, error)
        return _tell(bulk, item, error)
    if not found or found[0][1] is None:
        code = "price_unknown" if found else "number_unavailable"
        _close(item, code=code, detail="It is not for sale, or nobody says at which price.")
        return timedelta()
    _, item.monthly_cost, item.setup_cost = found[0]
    item.save(update_fields=["monthly_cost", "setup_cost"])
    return None


def _buy(bulk: BulkPurchase, item: BulkItem) -> timedelta:
    """SPENDS MONEY. Buy exactly this number; how long to wait before the next."""
    try:
        bought = purchase_number(
            actor=_actor(bulk),
            organization=bulk.organization,
            provider=bulk.provider,
            phone_number=item.phone_number,
            assistant_id=bulk.assistant_id,
            friendly_name=bulk.friendly_name,
            idempotency_key=_key(bulk, item),
            **_most(bulk, item),
        )
    except BurkiError as error:
        return _tell(bulk, item, error)
    _go_on(bulk)
    if bought.purchase.idempotency_key == _key(bulk, item):
        _close(item, purchase=bought.purchase)
    else:  # the organization had it before
        _close(item, code="number_already_owned", detail="The organization has this number.")
    return timedelta()


def _key(bulk: BulkPurchase, item: BulkItem) -> str:
    """In a namespace of its own, as each door's."""
    return f"bulk:{bulk.pk}:{item.n}"


def _most(bulk: BulkPurchase, item: BulkItem) -> dict[str, Decimal | None]:
    """What was found is the most that may be paid, within the limits that were given."""
    found = {"max_monthly_cost": item.monthly_cost, "max_setup_cost": item.setup_cost}
    given = {"max_monthly_cost": bulk.max_monthly_cost, "max_setup_cost": bulk.max_setup_cost}
    return {
        name: min((m for m in (found[name], given[name]) if m is not None), default=None)
        for name in found
    }


def _tell(bulk: BulkPurchase, item: BulkItem, error: BurkiError) -> timedelta:
    """Record why the number was not bought, and what follows from it for the others."""
    purchase = error.purchase if isinstance(error, PurchaseError) else None
    with transaction.atomic():
        # In one step: a lane that finds nothing left meanwhile would end it all.
        BulkPurchase.objects.select_for_update().get(pk=bulk.pk)
        if purchase is not None and purchase.idempotency_key == _key(bulk, item):
            _close(item, purchase=purchase)
        else:
            _close(item, code=error.code, detail=error.detail)
        unreached = _unreached(bulk, item) if error.code in _UNREACHED else 0
        if error.code == _SLOWER or 0 < unreached < _TRIES:
            same = (item.phone_number, item.monthly_cost, item.setup_cost)
            _add(bulk, [same], tries=item.tries + 1)
    if error.code == _SLOWER:
        return _slow_down(bulk, error)
    if error.code in _HOPELESS:
        _stop(bulk, error.code, f"{error.detail} {error.facts.get('hint') or ''}".strip())
    if unreached >= _TRIES:
        _stop(bulk, error.code, f"{error.detail} It was tried {_TRIES} times.")
    return _pause(unreached) if 0 < unreached < _TRIES else timedelta()


def _unreached(bulk: BulkPurchase, item: BulkItem) -> int:
    """How often this number could not be asked for."""
    why = Q(code__in=_UNREACHED) | Q(purchase__refusal_code__in=_UNREACHED)
    return bulk.items.filter(why, phone_number=item.phone_number).count()


@transaction.atomic
def _close(
    item: BulkItem, *, purchase: Purchase | None = None, code: str = "", detail: str = ""
) -> None:
    BulkItem.objects.filter(pk=item.pk, purchase=None, code="").update(
        purchase=purchase, code=code, detail=detail[:500]
    )


@transaction.atomic
def _stop(bulk: BulkPurchase, code: str, reason: str) -> None:
    if end(bulk, State.STOPPED, code=code, reason=reason):
        audit.record(SYSTEM, "bulk.stopped", bulk, organization=bulk.organization, code=code)


def _finish(bulk: BulkPurchase) -> None:
    """The lane has nothing more to do; the last one closes the bulk purchase."""
    with transaction.atomic():
        BulkPurchase.objects.select_for_update().get(pk=bulk.pk)
        if bulk.items.filter(_IN_DOUBT).exists():
            return  # what is refused in the end leaves something to do
        reached = bulk.items.filter(taken()).count() >= bulk.quantity
        if not reached and bulk.items.filter(lane=None).exists():
            return  # another lane has just found more
        if end(bulk, State.COMPLETED):
            audit.record(SYSTEM, "bulk.completed", bulk, organization=bulk.organization)


# --- Looking for more ----------------------------------------------------------------------------


def _may_find_more(bulk: BulkPurchase) -> bool:
    bulk.refresh_from_db(fields=["state"])
    return (
        bulk.state == State.RUNNING
        and bool(bulk.criteria)
        and bulk.items.filter(taken()).count() < bulk.quantity
    )


def _find_more(bulk: BulkPurchase) -> timedelta | None:
    """Search for numbers that were not tried yet: when to go on, or None if there are none."""
    try:
        offered = _search(bulk, SearchCriteria(**bulk.criteria | {"limit": LIMIT_MAX}))
    except BurkiError as error:
        if error.code == _SLOWER:
            return _slow_down(bulk, error)
        if error.code in _UNREACHED:
            return _pause()
        _stop(bulk, error.code, error.detail)
        return None
    if _add(bulk, offered):
        return timedelta()
    with transaction.atomic():
        BulkPurchase.objects.select_for_update().get(pk=bulk.pk)
        if bulk.items.filter(lane=None).exists():  # another lane has just found them
            return timedelta()
        if not bulk.items.filter(_IN_DOUBT).exists():
            _stop(bulk, "no_more_numbers", "The provider offers no more numbers like these.")
    return None


def _search(
    bulk: BulkPurchase, criteria: SearchCriteria
) -> list[tuple[str, Decimal | None, Decimal | None]]:
    """Numbers with what they cost a month and once."""
    result = search_numbers(
        actor=_actor(bulk),
        organization=bulk.organization,
        provider=bulk.provider,
        criteria=criteria,
        assistant_id=bulk.assistant_id,
    )
    return [
        (found.number.phone_number, found.number.price.monthly, found.number.price.setup)
        for found in result.numbers
    ]


@transaction.atomic
def _add(
    bulk: BulkPurchase,
    offered: list[tuple[str, Decimal | None, Decimal | None]],
    *,
    tries: int = 1,
) -> bool:
    """New items at the end of the list, in this order; whether there were any."""
    BulkPurchase.objects.select_for_update().get(pk=bulk.pk)
    known = set(bulk.items.filter(tries=tries).values_list("phone_number", flat=True))
    last = bulk.items.aggregate(n=Max("n"))["n"] or 0
    fresh = [row for row in offered if row[0] not in known]
    BulkItem.objects.bulk_create(
        BulkItem(bulk=bulk, n=n, phone_number=number, monthly_cost=monthly, setup_cost=setup,
                 tries=tries)
        for n, (number, monthly, setup) in enumerate(fresh, start=last + 1)
    )  # fmt: skip
    return bool(fresh)


def _actor(bulk: BulkPurchase) -> Actor:
    """Whoever asked, with the rights that they have now."""
    if bulk.api_key is not None:
        return Actor.for_key(bulk.api_key)
    return Actor.for_user(bulk.user) if bulk.user is not None else SYSTEM
