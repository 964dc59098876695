"""Writing down what a comparison of an account with our rows saw, and what became of it."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from burki.text import plain
from numbers import clocks
from numbers.models import Comparison, Finding, PhoneNumber
from numbers.providers.base import OwnedNumber
from numbers.services import announcing
from organizations import audit
from organizations.actors import Actor
from organizations.models import ProviderAccount

Kind, Status = Finding.Kind, PhoneNumber.Status

# What must not have changed in a row since a comparison read it.
COMPARED = (
    "status",
    "provider_number_id",
    "voice_url",
    "sms_url",
    "status_callback",
    "connection_id",
    "messaging_profile_id",
    "sms_disabled",
    "voice_webhook_url",
)
_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One disagreement that a comparison saw. `gone`: of a ghost, the provider said so, asked for
    the number itself."""

    kind: Finding.Kind
    phone_number: str
    details: dict[str, Any]
    number: PhoneNumber | None = None
    owned: OwnedNumber | None = None
    gone: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, plain(self.phone_number, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What an account's open findings become, and what that changes."""

    seen: list[Finding]  # all that are open now
    standing: list[Observation] = field(default_factory=list)  # what they rest on
    new: list[Finding] = field(default_factory=list)
    confirmed: list[Finding] = field(default_factory=list)
    resolved: list[Finding] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        told = {"new": self.new, "confirmed": self.confirmed, "resolved": self.resolved}
        return {name: len(findings) for name, findings in told.items()}


def ghosts_to_confirm(account: ProviderAccount, began: datetime) -> set[int]:
    """The numbers whose ghosts were first seen long enough ago to be confirmed now."""
    waiting = Finding.objects.open().filter(
        account=account,
        kind=Kind.GHOST,
        confirmed_at=None,
        first_seen_at__lte=began - clocks.after(clocks.FINDING_IS_SURE_AFTER),
    )
    return set(waiting.values_list("number_id", flat=True))


def plan(account: ProviderAccount, observations: list[Observation], *, began: datetime) -> Changes:
    """What the findings of `account` become by what a comparison that began then saw, as far as
    our rows bear it out now. Writes nothing."""
    standing = _standing(observations, provider=account.provider, since=began)
    observed = {o.key: o for o in standing}
    kept, confirmed, resolved = {}, [], []
    for finding in Finding.objects.open().filter(account=account).select_related("number"):
        key = (finding.kind, finding.phone_number)
        observation = observed.get(key)
        number = observation and observation.number
        if observation is None or (number and number.pk) != finding.number_id:
            # What was found while this comparison was under way is not for it to judge.
            if finding.last_seen_at < began:
                resolved.append(finding)
            else:
                kept[key] = finding
            continue
        kept[key] = finding
        finding.last_seen_at = max(finding.last_seen_at, began)
        finding.details = observation.details
        if finding.confirmed_at is None and _is_sure(finding, observation, began):
            finding.confirmed_at = began
            confirmed.append(finding)
    new = [_finding(account, o, began) for key, o in observed.items() if key not in kept]
    return Changes(
        seen=[*kept.values(), *new],
        standing=standing,
        new=new,
        confirmed=confirmed,
        resolved=resolved,
    )


def record(
    account: ProviderAccount,
    observations: list[Observation],
    *,
    began: datetime,
    listed: int,
    actor: Actor,
) -> Changes:
    """Bring the findings of `account` to what a comparison saw, in one short transaction. One that
    began before the last that was recorded comes too late and changes nothing."""
    with transaction.atomic(durable=True):
        Comparison.objects.get_or_create(account=account)
        last = Comparison.objects.select_for_update(no_key=True).get(account=account)
        if last.began_at is not None and last.began_at > began:
            found = Finding.objects.open().filter(account=account).select_related("number")
            return Changes(seen=list(found))
        changes = plan(account, observations, began=began)
        # Closed ones first: a new one may take the place of one that was about another row.
        _resolve(changes.resolved, Finding.Resolution.NOT_SEEN)
        kept = [finding for finding in changes.seen if finding.pk]
        Finding.objects.bulk_update(
            kept, ["last_seen_at", "details", "confirmed_at"], batch_size=_BATCH
        )
        Finding.objects.bulk_create(changes.new, batch_size=_BATCH)
        announcing.numbers_drifted(
            {one.number: one.details for one in changes.new if one.kind == Kind.DRIFT}
        )
        last.began_at, last.listed = began, listed
        last.save()
        if any(changes.counts().values()):
            audit.record(
                actor,
                "inventory.compared",
                account,
                organization=account.organization,
                listed=listed,
                **changes.counts(),
            )
    return changes


def note_drift(number: PhoneNumber, different: dict[str, Any], *, seen_at: datetime) -> None:
    """Keep what a look at one number of ours saw: an open finding, or none (any more) without
    differences. Inside the transaction of its cause."""
    found = Finding.objects.open().filter(
        account_id=number.account_id, kind=Kind.DRIFT, phone_number=number.phone_number
    )
    if not different:
        _resolve(found, Finding.Resolution.NOT_SEEN)
    elif not found.update(details=different, last_seen_at=seen_at):
        drift = Observation(
            kind=Kind.DRIFT, phone_number=number.phone_number, number=number, details=different
        )
        with contextlib.suppress(IntegrityError), transaction.atomic():
            _finding(number.account, drift, seen_at).save()
            announcing.numbers_drifted({number: different})


def resolve(
    account: ProviderAccount, kind: Finding.Kind, phone_number: str, resolution: Finding.Resolution
) -> None:
    """Close what an action has taken care of. Inside the transaction of that action."""
    found = Finding.objects.open().filter(account=account, kind=kind, phone_number=phone_number)
    _resolve(found, resolution)


def _standing(
    observations: list[Observation], *, provider: str, since: datetime
) -> list[Observation]:
    """Those that our rows still bear out. Time passed since the provider was asked: a number that
    has a live row by now, or had one until lately (lists lag behind), is no orphan; a row that
    changed is not judged."""
    lately = since - clocks.after(clocks.FINDING_IS_SURE_AFTER)
    orphans = [o.phone_number for o in observations if o.kind == Kind.ORPHAN]
    known = set(
        PhoneNumber.objects.filter(
            ~Q(status=Status.RELEASED) | Q(released_at__gte=lately),
            provider=provider,
            phone_number__in=orphans,
        ).values_list("phone_number", flat=True)
    )
    rows = PhoneNumber.objects.in_bulk([o.number.pk for o in observations if o.number])

    def stands(observation: Observation) -> bool:
        if observation.number is None:
            return observation.phone_number not in known
        read, now = observation.number, rows[observation.number.pk]
        return all(getattr(now, name) == getattr(read, name) for name in COMPARED)

    return [o for o in observations if stands(o)]


def _resolve(findings: Iterable[Finding], resolution: Finding.Resolution) -> None:
    pks = [finding.pk for finding in findings]
    Finding.objects.open().filter(pk__in=pks).update(resolved_at=Now(), resolution=resolution)


def _is_sure(finding: Finding, observation: Observation, began: datetime) -> bool:
    """Seen before and seen again, long enough apart; drift is a fact when it is seen."""
    if began - finding.first_seen_at < clocks.after(clocks.FINDING_IS_SURE_AFTER):
        return False
    return observation.kind == Kind.ORPHAN or observation.gone


def _finding(account: ProviderAccount, observation: Observation, began: datetime) -> Finding:
    number = observation.number
    return Finding(
        account=account,
        organization_id=account.organization_id or (number and number.organization_id),
        number=number,
        kind=observation.kind,
        phone_number=observation.key[1],
        details=observation.details,
        first_seen_at=began,
        last_seen_at=began,
    )
