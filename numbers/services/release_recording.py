"""Writing down what became of a release: each function is one short durable transaction."""

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from burki.logs import emit
from burki.rows import In
from numbers import clocks, jobs
from numbers.exceptions import ProviderError
from numbers.models import PhoneNumber, Release
from numbers.services import announcing
from numbers.services.settling import (
    count_empty_look,
    flag,
    lock_organization,
    next_look,
    note_look,
)
from organizations import audit
from organizations.actors import Actor

State, Status = Release.State, PhoneNumber.Status


def record_released(
    release: Release, *, actor: Actor, saw: dict[str, Any] | None = None
) -> Release:
    """The number is gone from the account: its row becomes history. Raises `LostRace`."""
    with transaction.atomic(durable=True):
        organization = lock_organization(release.organization_id)
        _move_number(release, Status.RELEASED, released_at=Now())
        release.move_to(
            State.RELEASED, next_look_at=None, needs_attention_at=None, attention_reason=""
        )
        if saw:
            note_look(release, saw, None)
        _audit(release, actor)
        announcing.number_released(release.number, organization, how=announcing.RELEASED)
    emit("release.recorded", release=release.pk, state=release.state)
    return release


def record_still_ours(
    release: Release, error: ProviderError, *, actor: Actor, saw: dict[str, Any] | None = None
) -> Release:
    """The number was not released: it is active as before. Raises `LostRace`."""
    with transaction.atomic(durable=True):
        lock_organization(release.organization_id)
        _move_number(release, Status.ACTIVE)
        release.move_to(
            State.REFUSED,
            refusal_code=error.code,
            hint=error.hint[:300],
            retryable=error.retryable,
            provider_code=error.provider_code[:40],
            provider_message=error.provider_message[:500],
            next_look_at=None,
        )
        if saw:
            note_look(release, saw, None)
        _audit(release, actor, code=error.code, provider_code=error.provider_code)
    emit("release.recorded", release=release.pk, state=release.state)
    return release


def record_uncertain(release: Release, *, reason: str, actor: Actor) -> Release:
    """The request may have left and nobody knows what became of it. Raises `LostRace`."""
    with transaction.atomic(durable=True):
        lock_organization(release.organization_id)
        wait = clocks.after(clocks.UNCERTAIN_LOOKS[0])
        jobs.settle_later(release, after=wait)
        release.move_to(State.UNCERTAIN, next_look_at=In(wait), provider_message=reason[:500])
        _audit(release, actor)
    emit("release.recorded", release=release.pk, state=release.state)
    return release


def record_look(
    release: Release,
    *,
    saw: dict[str, Any],
    actor: Actor,
    present: bool = False,
    attention: str = "",
) -> Release:
    """A look that decided nothing: keep what it saw, and look again later."""
    with transaction.atomic(durable=True):
        organization = lock_organization(release.organization_id)
        current = Release.objects.select_related("number").get(pk=release.pk)
        if current.state != release.state:
            return current
        note_look(current, saw, next_look(current, clocks.UNCERTAIN_LOOKS))
        if present:
            count_empty_look(current)  # of the same sight: it is still there
        if attention:
            flag(current, attention, actor, organization)
    emit("release.looked", release=current.pk, state=current.state)
    return current


def _move_number(release: Release, status: str, **values: Any) -> None:
    PhoneNumber.objects.filter(pk=release.number_id, status=Status.RELEASING).update(
        status=status, **values
    )


def _audit(release: Release, actor: Actor, **facts: Any) -> None:
    audit.record(
        actor, f"release.{release.state}", release, organization=release.organization, **facts
    )
