"""Finding out what became of a purchase or a release. Nothing here can buy: it looks, and writes
down what it saw.

`settle_purchase` and `settle_release` may run any number of times, from anywhere, at the same time
as anything else.
"""

import contextlib
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from burki.logs import bound
from numbers import clocks, jobs
from numbers.clocks import Deadline
from numbers.exceptions import LostRace, ProviderError, ProviderRefused
from numbers.models import Purchase, Release
from numbers.providers.base import Look, NumberProvider, Sighting
from numbers.providers.registry import driver_for
from numbers.services import recording, release_recording, settling
from numbers.services.accounts import credentials_of
from organizations.actors import Actor

logger = logging.getLogger(__name__)

State, Evidence = Purchase.State, Purchase.Evidence

_FOREIGN = "The number is in the account, but nothing there says that this purchase ordered it."
_TOO_LONG = "The provider has not completed the order for days."
_VANISHED = "The provider accepted the order, but no longer shows it."
_UNANSWERED = "The provider account has not answered for days: check its credentials."
_NO_LOOK = "The provider account cannot be asked: {hint}"


def settle_purchase(purchase_id: UUID, *, actor: Actor) -> Purchase:
    """Look at the provider for what became of a purchase, and record it. Returns it as it is now.

    An `ordering` purchase is left alone until 120 seconds after its claim: its process may still
    be at work. A final state is left alone, but for a refusal that was only inferred.
    """
    purchase = Purchase.objects.select_related("account").get(pk=purchase_id)
    if purchase.state == State.ORDERING:
        _doubt(purchase, recording.record_uncertain, "The process that ordered it is gone.", actor)
    inferred = purchase.state == State.REFUSED and purchase.evidence == Evidence.NOT_FOUND
    if purchase.state not in (State.PENDING, State.UNCERTAIN) and not inferred:
        return purchase
    deadline = Deadline.after(clocks.REQUEST)
    try:
        driver = driver_for(credentials_of(purchase.account), deadline)
    except ProviderError as error:
        return recording.record_look(
            purchase,
            saw={"saw": "nothing", "because": error.code},
            actor=actor,
            attention=_NO_LOOK.format(hint=error.hint),
        )
    return look_at_purchase(purchase, driver=driver, actor=actor)


def look_at_purchase(purchase: Purchase, *, driver: NumberProvider, actor: Actor) -> Purchase:
    """One look at the provider for a purchase in doubt or pending, and its record."""
    with bound(purchase=purchase.pk):
        return _look_at_purchase(purchase, driver, actor)


def _look_at_purchase(purchase: Purchase, driver: NumberProvider, actor: Actor) -> Purchase:
    if purchase.state not in (State.PENDING, State.UNCERTAIN, State.REFUSED):
        return purchase
    try:
        look = driver.look_for(
            reference=str(purchase.pk),
            phone_number=purchase.phone_number,
            order_id=purchase.order_id,
        )
        if look.order is not None and look.order.blocked and look.order.state == "pending":
            driver.cancel_order(look.order)
    except ProviderError as error:
        # Not evidence of anything: a wrong key or a busy provider only postpones.
        saw = {
            "saw": "nothing",
            "because": error.code,
            "provider_code": error.provider_code,
        }
        live = purchase.state in Purchase.LIVE
        attention = _UNANSWERED if live and _too_long(purchase) else ""
        return recording.record_look(purchase, saw=saw, actor=actor, attention=attention)
    try:
        return _record(purchase, look, actor)
    except LostRace:
        return Purchase.objects.get(pk=purchase.pk)


def look_for_late_success(
    provider: str, phone_number: str, *, actor: Actor, deadline: Deadline
) -> None:
    """A number that an account has by surprise may be what a purchase of ours did not find."""
    inferred = Purchase.objects.select_related("account").filter(
        provider=provider,
        phone_number=phone_number,
        state=State.REFUSED,
        evidence=Evidence.NOT_FOUND,
    )
    for purchase in inferred:
        with contextlib.suppress(ProviderError):
            looking = driver_for(credentials_of(purchase.account), deadline.slice(clocks.LOOKUPS))
            look_at_purchase(purchase, driver=looking, actor=actor)


def _record(purchase: Purchase, look: Look, actor: Actor) -> Purchase:
    saw = look.summary()
    if look.sighting == Sighting.FOUND:
        if purchase.state == State.REFUSED and look.order.state == "refused":
            return recording.record_look(purchase, saw=saw, actor=actor)
        too_long = _too_long(purchase)
        recorded = recording.record_order(purchase, look.order, actor=actor, saw=saw)
        if recorded.state == State.PENDING and too_long and not recorded.needs_attention_at:
            return recording.record_look(recorded, saw=saw, actor=actor, attention=_TOO_LONG)
        return recorded
    if look.sighting == Sighting.FOREIGN:
        return recording.record_look(purchase, saw=saw, actor=actor, attention=_FOREIGN)

    # Absent. An inference needs several empty looks over some minutes.
    vanished = purchase.state == State.PENDING and _too_long(purchase)
    purchase = recording.record_look(
        purchase, saw=saw, actor=actor, empty=True, attention=_VANISHED if vanished else ""
    )
    if purchase.state != State.UNCERTAIN or not settling.seen_often_enough(purchase):
        return purchase
    return recording.record_refusal(
        purchase,
        code="provider_error",
        evidence=Evidence.NOT_FOUND,
        hint="The order did not reach the provider. Try again, with a new Idempotency-Key.",
        retryable=True,
        actor=actor,
    )


def _doubt(
    row: Purchase | Release, record_uncertain: Callable[..., Any], reason: str, actor: Actor
) -> None:
    """Make a claimed row uncertain, unless its process may still be at work: then look later."""
    left = clocks.after(clocks.DOUBT_AFTER) - (settling.database_now() - row.claimed_at)
    if left > timedelta(0):
        jobs.settle_later(row, after=left)
        return
    try:
        record_uncertain(row, reason=reason, actor=actor)
    except LostRace:  # go on with what was recorded meanwhile
        row.refresh_from_db()


def _too_long(purchase: Purchase) -> bool:
    age = settling.database_now() - purchase.claimed_at
    return age > clocks.after(clocks.PENDING_NEEDS_A_PERSON_AFTER)


# --- Releases -------------------------------------------------------------------------------------


def settle_release(release_id: UUID, *, actor: Actor) -> Release:
    """Look at the provider for what became of a release, and record it. Returns it as it is now."""
    release = Release.objects.select_related("number__account").get(pk=release_id)
    number = release.number
    if release.state == Release.State.RELEASING:
        gone = "The process that released it is gone."
        _doubt(release, release_recording.record_uncertain, gone, actor)
    if release.state != Release.State.UNCERTAIN:
        return release
    try:
        driver = driver_for(credentials_of(number.account), Deadline.after(clocks.REQUEST))
    except ProviderError as error:
        return release_recording.record_look(
            release,
            saw={"saw": "nothing", "because": error.code},
            actor=actor,
            attention=_NO_LOOK.format(hint=error.hint),
        )
    return look_at_release(release, number_id=number.provider_number_id, driver=driver, actor=actor)


def look_at_release(
    release: Release, *, number_id: str, driver: NumberProvider, actor: Actor
) -> Release:
    """One look at the provider for a release in doubt, and its record.

    Gone is certain at once; still there may be a delay of the provider's, so that takes as many
    looks as the absence of a purchase.
    """
    with bound(release=release.pk):
        return _look_at_release(release, number_id, driver, actor)


def _look_at_release(
    release: Release, number_id: str, driver: NumberProvider, actor: Actor
) -> Release:
    if release.state != Release.State.UNCERTAIN:
        return release
    try:
        present = driver.still_owns(number_id, release.number.phone_number)
    except ProviderError as error:
        saw = {"saw": "nothing", "because": error.code, "provider_code": error.provider_code}
        return release_recording.record_look(release, saw=saw, actor=actor)
    saw = {"saw": "still there" if present else "gone", "number_id": number_id}
    try:
        if not present:
            return release_recording.record_released(release, actor=actor, saw=saw)
        release = release_recording.record_look(release, saw=saw, actor=actor, present=True)
        if release.state != Release.State.UNCERTAIN or not settling.seen_often_enough(release):
            return release
        still_ours = ProviderRefused(
            hint="The provider still has the number: release it again.", retryable=True
        )
        return release_recording.record_still_ours(release, still_ours, actor=actor)
    except LostRace:
        return Release.objects.select_related("number").get(pk=release.pk)
