"""Writing down what became of a purchase: each function is one short durable transaction.

Purchase, number, audit and follow-up jobs change together or not at all. Locks are taken in the
order organization, number, purchase, audit, everywhere.
"""

from datetime import UTC, timedelta
from typing import Any, NamedTuple

from django.db import (
    IntegrityError,
    transaction,
)

from assistants.models import Assistant
from burki.logs import emit
from burki.rows import NOW, In, update
from numbers import clocks, jobs
from numbers.e164 import country_of, number_type_of
from numbers.exceptions import LostRace
from numbers.models import PhoneNumber, Purchase
from numbers.providers.base import Order, OrderState, Routing
from numbers.services import announcing
from numbers.services.routing import addresses
from numbers.services.settling import (
    as_text,
    count_empty_look,
    flag,
    lock_organization,
    next_look,
    note_look,
)
from organizations import audit
from organizations.actors import Actor
from organizations.models import Organization

State, Evidence, Status = Purchase.State, Purchase.Evidence, PhoneNumber.Status


def record_order(
    purchase: Purchase, order: Order, *, actor: Actor, saw: dict[str, Any] | None = None
) -> Purchase:
    """The provider accepted, completed or refused the order. Returns the purchase as it is now.

    Raises `LostRace` when somebody recorded something else meanwhile.
    """
    if order.state == OrderState.REFUSED:
        return record_refusal(
            purchase,
            code=order.refusal_code or "provider_error",
            evidence=Evidence.PROVIDER_SAID_NO,
            hint=order.hint,
            provider_status=order.status,
            actor=actor,
            saw=saw,
        )
    state = State.COMPLETED if order.state == OrderState.COMPLETED else State.PENDING
    with transaction.atomic(durable=True):
        organization = lock_organization(purchase.organization_id)
        before = purchase.state
        if state == before:  # still pending: only the look is new
            purchase.refresh_from_db()
            if purchase.state != before:
                raise LostRace(f"Purchase {purchase.pk} is no longer {before}.")
            note_look(purchase, saw, next_look(purchase, clocks.PENDING_LOOKS))
            if order.blocked:
                flag(
                    purchase,
                    "Telnyx needs documents for this number.",
                    actor,
                    organization,
                )
            return purchase
        values = {
            "order_id": (as_text(order.order_id, 64) if purchase.provider == "telnyx" else "")
            or purchase.order_id,
            "provider_number_id": as_text(order.number.number_id, 64) if order.number else "",
            "provider_status": as_text(order.status, 64),
            "details": _details(purchase, order),
            "refusal_code": "",
            "evidence": "",
            "hint": "",
            "retryable": False,
            "next_look_at": None,
            "needs_attention_at": None,
            "attention_reason": "",
        }
        if state == State.PENDING:
            wait = clocks.after(clocks.PENDING_LOOKS[0])
            values["next_look_at"] = In(wait)
            jobs.settle_later(purchase, after=wait)
        put = _put_number(purchase, order, state, actor)
        conflict = put.conflict or _seen_before(purchase, order)
        purchase.move_to(state, **values)
        if saw:
            note_look(purchase, saw, purchase.next_look_at)
        if conflict:
            flag(purchase, conflict, actor, organization)
        if state == State.PENDING and order.blocked:
            flag(purchase, "Telnyx needs documents for this number.", actor, organization)
        _audit(purchase, before, actor, organization, unassigned=put.unassigned)
    emit("purchase.recorded", purchase=purchase.pk, state=purchase.state)
    return purchase


def record_refusal(
    purchase: Purchase,
    *,
    code: str,
    evidence: str,
    actor: Actor,
    hint: str = "",
    retryable: bool = False,
    provider_code: str = "",
    provider_message: str = "",
    provider_status: str = "",
    saw: dict[str, Any] | None = None,
) -> Purchase:
    """Nothing was bought: the claim goes, with it the reserved money; the purchase keeps why."""
    inferred = evidence == Evidence.NOT_FOUND
    with transaction.atomic(durable=True):
        organization = lock_organization(purchase.organization_id)
        before, number_id = purchase.state, purchase.number_id
        late = clocks.after(clocks.LATE_LOOK_EVERY)
        if number_id:
            _drop_number(number_id)
        purchase.move_to(
            State.REFUSED,
            number=None,
            refusal_code=code,
            evidence=evidence,
            hint=hint[:300],
            retryable=retryable,
            provider_code=provider_code[:40],
            provider_message=provider_message[:500],
            provider_status=as_text(provider_status, 64),
            next_look_at=In(late) if inferred else None,
            needs_attention_at=None,
            attention_reason="",
        )
        if saw:
            note_look(purchase, saw, purchase.next_look_at)
        if inferred:
            jobs.settle_later(purchase, after=late)
        _audit(purchase, before, actor, organization)
    emit("purchase.recorded", purchase=purchase.pk, state=purchase.state)
    return purchase


def record_uncertain(purchase: Purchase, *, reason: str, actor: Actor) -> Purchase:
    """The order may have left and nobody knows what became of it: keep the claim, look later."""
    with transaction.atomic(durable=True):
        organization = lock_organization(purchase.organization_id)
        before = purchase.state
        wait = clocks.after(clocks.UNCERTAIN_LOOKS[0])
        jobs.settle_later(purchase, after=wait)
        purchase.move_to(State.UNCERTAIN, next_look_at=In(wait), provider_message=reason[:500])
        _audit(purchase, before, actor, organization)
    emit("purchase.recorded", purchase=purchase.pk, state=purchase.state)
    return purchase


def record_look(
    purchase: Purchase,
    *,
    saw: dict[str, Any],
    actor: Actor,
    empty: bool = False,
    attention: str = "",
) -> Purchase:
    """A look that decided nothing: keep what it saw, and look again later."""
    with transaction.atomic(durable=True):
        organization = lock_organization(purchase.organization_id)
        current = Purchase.objects.get(pk=purchase.pk)
        if current.state != purchase.state:
            return current  # somebody was faster; answer from what they wrote
        schedule = (
            clocks.PENDING_LOOKS if current.state == State.PENDING else clocks.UNCERTAIN_LOOKS
        )
        if current.state == State.REFUSED:
            schedule = (clocks.LATE_LOOK_EVERY,)
            if sum(1 for look in current.looks if look.get("late")) + 1 >= clocks.LATE_LOOKS:
                schedule = ()
            saw = saw | {"late": True}
        note_look(current, saw, next_look(current, schedule) if schedule else None)
        if empty and current.state == State.UNCERTAIN:
            count_empty_look(current)
        if attention:
            flag(current, attention, actor, organization)
    emit("purchase.looked", purchase=current.pk, state=current.state)
    return current


class _Put(NamedTuple):
    conflict: str = ""  # why a person must look
    unassigned: bool = False  # its assistant was deleted meanwhile


def _put_number(purchase: Purchase, order: Order, state: str, actor: Actor) -> _Put:
    """Bring the number's row to what the order says."""
    values: dict[str, Any] = {
        "status": Status.ACTIVE if state == State.COMPLETED else Status.PENDING,
        "purchased_at": purchase.claimed_at,
    }
    if order.number:
        values["provider_number_id"] = as_text(order.number.number_id, 64)
        if any(order.number.capabilities.values()):
            values["capabilities"] = order.number.capabilities
        if purchase.provider == "twilio":
            values["sms_url"] = as_text(order.number.routing.sms_url, 500)
    if purchase.number_id is None:  # a late success: its claim was dropped with the refusal
        put = _insert_late(purchase, values, actor)
        if put.conflict:
            return put
    else:
        put = _Put(unassigned=not _fill(purchase, values))
    if state == State.COMPLETED:
        _finish_later(purchase, order)
        jobs.verify_numbers_later([purchase.number_id])
    return put


def _fill(purchase: Purchase, values: dict[str, Any]) -> bool:
    """Complete the claim's row. Returns whether it has the assistant that was asked for."""
    values = values | {"updated_at": NOW}
    claimed = {"id": purchase.number_id}
    for (assistant_id,) in update(PhoneNumber, values, where=claimed, returning="assistant_id"):
        return assistant_id is not None or purchase.request.get("assistant_id") is None
    return True  # no row: what moves the purchase will tell


def _finish_later(purchase: Purchase, order: Order) -> None:
    """A job for what is not known or not as wanted yet."""
    connected = (purchase.connection_id, purchase.messaging_profile_id)
    if order.number is None or (
        any(connected)
        and connected
        != (
            order.number.routing.connection_id,
            order.number.routing.messaging_profile_id,
        )
    ):
        jobs.finish_number_later(purchase.number_id, after=clocks.after(clocks.FINISH_AFTER))
    elif purchase.monthly_cost is None:
        jobs.finish_number_later(purchase.number_id, after=clocks.after(clocks.PRICE_AFTER))


def _seen_before(purchase: Purchase, order: Order) -> str:
    """Twilio "sells" a number that is in the account already, changing its webhooks; only the date
    tells. Looking before buying makes it rare, not impossible."""
    since = order.created_at
    if purchase.provider != "twilio" or since is None:
        return ""
    if since > purchase.claimed_at - timedelta(minutes=10):  # clocks differ
        return ""
    return f"Twilio says that the number was in the account since {since:%Y-%m-%d %H:%M} UTC."


def _insert_late(purchase: Purchase, values: dict[str, Any], actor: Actor) -> _Put:
    asked = purchase.request
    assistant = Assistant.objects.filter(
        organization_id=purchase.organization_id, pk=asked.get("assistant_id")
    ).first()
    routing = (
        addresses(purchase.pk, sms=True)
        if purchase.provider == "twilio"
        else Routing(
            connection_id=purchase.connection_id,
            messaging_profile_id=purchase.messaging_profile_id,
        )
    )
    fields = {
        "friendly_name": asked.get("friendly_name") or purchase.phone_number,
        "country": country_of(purchase.phone_number),
        "number_type": number_type_of(purchase.phone_number),
        "monthly_cost": purchase.monthly_cost,
        "setup_cost": purchase.setup_cost,
        "currency": purchase.currency,
        "voice_url": routing.voice_url,
        "sms_url": routing.sms_url,
        "status_callback": routing.status_callback,
        "connection_id": routing.connection_id,
        "messaging_profile_id": routing.messaging_profile_id,
    }
    try:
        with transaction.atomic():
            number = PhoneNumber.objects.create(
                organization_id=purchase.organization_id,
                account_id=purchase.account_id,
                provider=purchase.provider,
                phone_number=purchase.phone_number,
                assistant=assistant,
                **(fields | values),
            )
    except IntegrityError:
        rivals = Purchase.objects.filter(
            number__provider=purchase.provider,
            number__phone_number=purchase.phone_number,
            state__in=(State.ORDERING, State.PENDING, State.UNCERTAIN, State.COMPLETED),
        ).exclude(number__status=Status.RELEASED)
        reason = "Another purchase bought this number as well."
        for rival in rivals.select_related("organization"):
            flag(rival, reason, actor, rival.organization)
        return _Put("This number was bought after all, but somebody else holds it by now.")
    Purchase.objects.filter(pk=purchase.pk).update(number=number)
    purchase.number = number
    return _Put(unassigned=assistant is None and asked.get("assistant_id") is not None)


def _drop_number(number_id: int) -> None:
    number = PhoneNumber.objects.select_for_update(no_key=True).filter(pk=number_id).first()
    if number is None:  # somebody was faster: the compare-and-swap that follows will tell
        return
    if number.status == Status.PENDING:  # only an order that was pending can be taken back
        PhoneNumber.objects.filter(pk=number_id).update(status=Status.CLAIMED)
    number.drop_claim()


def _details(purchase: Purchase, order: Order) -> dict[str, Any]:
    """`purchase_details` of the answer, in the specification's words."""
    created = order.created_at or purchase.claimed_at
    date_created = created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    number = order.number
    if purchase.provider == "twilio":
        return {
            "sid": as_text(order.order_id, 64),
            "friendly_name": as_text(number.friendly_name, 200),
            "voice_url": as_text(number.routing.voice_url, 500),
            "sms_url": as_text(number.routing.sms_url, 500),
            "capabilities": number.capabilities,
            "date_created": date_created,
        }
    return {
        "id": as_text(order.order_id, 64) or purchase.order_id,
        "phone_number": purchase.phone_number,
        "status": "completed" if order.state == OrderState.COMPLETED else "pending",
        "connection_id": purchase.connection_id or None,
        "date_created": date_created,
    }


def _audit(
    purchase: Purchase,
    before: str,
    actor: Actor,
    organization: Organization,
    *,
    unassigned: bool = False,
) -> None:
    facts = {"from": before, "to": purchase.state}
    if purchase.state == State.REFUSED:
        facts |= {
            "code": purchase.refusal_code,
            "evidence": purchase.evidence,
            "provider_code": purchase.provider_code,
        }
    if unassigned:
        facts["note"] = "the assistant was deleted meanwhile: the number is unassigned"
    audit.record(
        actor,
        f"purchase.{purchase.state}",
        purchase,
        organization=organization,
        **facts,
    )
    announcing.purchase_moved(purchase, before, organization)
