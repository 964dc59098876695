"""Buying a number: the only code that spends money.

Claim, call, record. The claim is a committed row that says "we are about to" (made by
`numbers.services.claiming`); the call is one POST, outside any transaction; the record says what
happened (`numbers.services.recording`). Whatever goes wrong between the call and the record leaves
a row that `numbers.reconcile` settles by looking, never by buying.
"""

import contextlib
import logging
from decimal import Decimal

from django.db import IntegrityError

from assistants.services import get_assistant
from burki.db import waiting
from burki.errors import Unavailable
from burki.logs import bound, emit
from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import (
    LostRace,
    MonthlyLimitExceeded,
    NumberAlreadyOwned,
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    ProviderUnreachable,
    PurchaseError,
    PurchaseUncertain,
)
from numbers.models import PhoneNumber, Purchase
from numbers.providers.base import (
    BuyRequest,
    Order,
    Routing,
)
from numbers.providers.registry import driver_for
from numbers.reconcile import look_at_purchase, look_for_late_success
from numbers.services import announcing, recording, routing, settling, spending
from numbers.services.answers import Purchased, answer
from numbers.services.claiming import claim, refuse_unclaimed
from numbers.services.fallback import buy_one_of_several
from numbers.services.preparing import Plan, prepare
from numbers.services.replays import remember_key
from numbers.services.requests import (
    Fallback,
    PurchaseRequest,
    clean_request,
    holder,
    just_taken,
    repeat_of_key,
)
from organizations.actors import Actor
from organizations.models import Organization
from organizations.permissions import NUMBERS_PURCHASE

logger = logging.getLogger(__name__)

State, Status = Purchase.State, PhoneNumber.Status


def purchase_number(
    *,
    actor: Actor,
    organization: Organization,
    provider: str,
    phone_number: str,
    assistant_id: int | None,
    friendly_name: str,
    idempotency_key: str | None,
    max_monthly_cost: Decimal | None = None,
    max_setup_cost: Decimal | None = None,
    fallback: Fallback | None = None,
) -> Purchased:
    """SPENDS MONEY. Buy `phone_number` (E.164) from `provider` for `organization`, with its calls
    and messages routed to us, and assign it to the assistant with `assistant_id`, if given.

    `friendly_name`, at most 64 characters, is shown here and at Twilio; empty means the number
    itself. `idempotency_key` names this request for ever within the organization: a repeat gets
    the present truth of the same purchase. Doors prefix it with their name (`api:`, `admin:`), so
    that their keys never meet; a door without keys passes None. `max_monthly_cost` and
    `max_setup_cost` are in the price's currency: a higher price buys nothing.

    With `fallback`, and a key, other numbers may be bought instead, within its limits, when the
    provider itself says that a number is not available (see `numbers.services.fallback`).

    Takes at most 25 seconds, and for each number asks the provider to sell at most once. Returns
    a purchase that is completed or pending. Raises before anything is sent: `InvalidRequest`,
    `PermissionDenied`, `NotFound` (assistant), `IdempotencyKeyReused`, `IdempotencyKeyRequired`,
    `NumberAlreadyOwned`, `PurchaseInProgress`, `NumberAlreadyInAccount`, `PriceChanged`,
    `PriceUnknown`, `SpendingLimitExceeded`, `Unavailable` (ours, try again); and with a
    recorded purchase: `PurchaseRefused` (nothing was bought), `PurchaseUncertain` (being settled).
    """
    deadline = Deadline.after(clocks.REQUEST)
    request = clean_request(
        organization=organization,
        provider=provider,
        phone_number=phone_number,
        assistant_id=assistant_id,
        friendly_name=friendly_name,
        idempotency_key=idempotency_key,
        max_monthly_cost=max_monthly_cost,
        max_setup_cost=max_setup_cost,
        fallback=fallback,
    )
    actor.require(NUMBERS_PURCHASE, organization)

    def attempt(request: PurchaseRequest) -> Purchased:
        return _attempt(request, actor, deadline)

    if fallback is None:
        return attempt(request)
    return buy_one_of_several(request, attempt=attempt, actor=actor, deadline=deadline)


def _attempt(request: PurchaseRequest, actor: Actor, deadline: Deadline) -> Purchased:
    """SPENDS MONEY. Buy exactly this number, or say why not."""
    if (repeat := repeat_of_key(request)) is not None:
        return answer(repeat, replayed=True)
    assistant = None
    if request.assistant_id is not None:
        assistant = get_assistant(request.organization, request.assistant_id, lean=True)

    try:
        plan = prepare(request, assistant, deadline)
        spending.check_price(
            plan.price,
            max_monthly_cost=request.max_monthly_cost,
            max_setup_cost=request.max_setup_cost,
        )
        claiming_since = clocks.now()
        purchase = claim(request, plan, actor)
    except (IntegrityError, ProviderError, PurchaseError, Unavailable) as error:
        if getattr(error, "code", "") in ("number_unavailable", "number_already_in_account"):
            look_for_late_success(
                request.provider, request.phone_number, actor=actor, deadline=deadline
            )
        # Somebody has the number, or used the key since we looked: that decides.
        if (repeat := repeat_of_key(request)) is not None:
            return answer(repeat, replayed=True)
        if (held := holder(request)) is not None:
            return _answer_held(request, held, actor)
        if isinstance(error, IntegrityError):
            if request.assistant_id is not None:
                get_assistant(request.organization, request.assistant_id, lean=True)
            raise just_taken() from None  # … and has given it back since
        if isinstance(error, MonthlyLimitExceeded):
            announcing.limit_stopped_purchase(request.organization)
        if isinstance(error, ProviderError):
            return answer(refuse_unclaimed(request, error, actor))
        raise
    emit("purchase.claimed", purchase=purchase.pk)

    try:
        with bound(purchase=purchase.pk):
            purchase = _call_and_record(purchase, plan, actor, deadline, claiming_since)
    except Exception:
        # The order may have left, so nothing but "not known yet" is true now. The claim stands,
        # and its settle job exists since the claim was committed.
        facts = {"purchase": str(purchase.pk)}
        logger.exception("purchase %s could not be recorded", purchase.pk, extra=facts)
        raise PurchaseUncertain(purchase=purchase) from None
    return answer(purchase)


def _answer_held(request: PurchaseRequest, held: PhoneNumber, actor: Actor) -> Purchased:
    """What to say when a live row holds the number; no provider is called."""
    if held.organization_id != request.organization.pk:
        taken = ProviderRefused(
            code="number_unavailable",
            hint="Somebody else has it: search and choose another.",
        )
        return answer(refuse_unclaimed(request, taken, actor))
    purchase = held.purchases.order_by("-pk").first()
    if held.status == Status.RELEASING:
        raise NumberAlreadyOwned(request.phone_number, hint="It is being released right now.")
    if purchase is None and held.status in (Status.CLAIMED, Status.PENDING):
        raise just_taken()  # its purchase was refused between our two reads
    if purchase is None:  # adopted, not bought through us
        raise NumberAlreadyOwned(request.phone_number)
    same = purchase.request == request.as_json()
    if purchase.state == State.ORDERING or (purchase.state == State.UNCERTAIN and not same):
        return answer(purchase)
    if not same:
        raise NumberAlreadyOwned(request.phone_number, purchase=purchase)
    # A number that is free again must not make this key buy: it names the purchase from now on.
    named = remember_key(purchase, request.idempotency_key, lambda: repeat_of_key(request))
    return answer(named, replayed=True)


# --- Call, record ---------------------------------------------------------------------------------


def _call_and_record(
    purchase: Purchase,
    plan: Plan,
    actor: Actor,
    deadline: Deadline,
    claiming_since: float,
) -> Purchase:
    """Order once, then write down what became of it. Whatever escapes from here means that the
    order may have left."""
    asking = deadline.without(clocks.RECORDING)
    refused = None
    try:
        order = _order(purchase, plan, asking, claiming_since)
    except (ProviderRefused, ProviderUnreachable) as error:
        refused = error
    except OutcomeUnknown as error:
        emit("purchase.answered", purchase=purchase.pk, outcome="unknown")
        _record_uncertain(purchase, error, actor, deadline)
        looking = driver_for(plan.credentials, asking.slice(clocks.LOOKUPS))
        return look_at_purchase(Purchase.objects.get(pk=purchase.pk), driver=looking, actor=actor)

    try:
        if refused is not None:
            emit("purchase.answered", purchase=purchase.pk, outcome=refused.code)
            return settling.persistently(
                purchase, lambda row: _record_refusal(row, refused, plan, actor), deadline
            )
        emit("purchase.answered", purchase=purchase.pk, outcome=order.state)
        return settling.persistently(
            purchase, lambda row: recording.record_order(row, order, actor=actor), deadline
        )
    except LostRace:  # it was settled while we waited: answer from what stands
        return Purchase.objects.get(pk=purchase.pk)


def _order(purchase: Purchase, plan: Plan, asking: Deadline, claiming_since: float) -> Order:
    """SPENDS MONEY. The only call of a driver's `buy`; then waits a little for the result."""

    def may_send() -> bool:
        """Not long after the claim, or never: by then settling may have doubted it."""
        emit("purchase.sending", purchase=purchase.pk)
        return clocks.now() - claiming_since <= clocks.scaled(clocks.SEND_WITHIN)

    number = purchase.number
    route = Routing(
        voice_url=number.voice_url,
        sms_url=number.sms_url,
        status_callback=number.status_callback,
        connection_id=number.connection_id,
        messaging_profile_id=number.messaging_profile_id,
    )
    wanted = BuyRequest(
        phone_number=purchase.phone_number,
        reference=str(purchase.pk),
        friendly_name=number.friendly_name,
        routing=route,
    )
    with waiting():  # to the end, between the requests as well
        order = driver_for(plan.credentials, asking).buy(wanted, may_send=may_send)
        following = driver_for(plan.credentials, asking.slice(clocks.LOOKUPS))
        return following.follow(order, purchase.phone_number)


def _record_uncertain(
    purchase: Purchase, error: OutcomeUnknown, actor: Actor, deadline: Deadline
) -> None:
    def write(row: Purchase) -> Purchase:
        return recording.record_uncertain(row, reason=error.provider_message, actor=actor)

    with contextlib.suppress(LostRace):
        settling.persistently(purchase, write, deadline)


def _record_refusal(purchase: Purchase, error: ProviderError, plan: Plan, actor: Actor) -> Purchase:
    error = routing.forget_unknown(
        error, plan.routing, plan.account, purchase.organization, plan.assistant
    )
    said_no = isinstance(error, ProviderRefused) and error.code != "unavailable"
    evidence = Purchase.Evidence.PROVIDER_SAID_NO if said_no else Purchase.Evidence.NOT_SENT
    refused = recording.record_refusal(
        purchase,
        code=error.code,
        evidence=evidence,
        hint=error.hint,
        retryable=error.retryable,
        provider_code=error.provider_code,
        provider_message=error.provider_message,
        actor=actor,
    )
    refused.retry_in = error.retry_in
    return refused
