"""Writing down what a comparison of an account with our rows saw, and what became of it.

An account may disagree with us about all that it has, such as after PUBLIC_BASE_URL changed: what
was seen is taken up in batches, and only one of them is in memory.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from numbers import clocks
from numbers.models import Comparison, Finding, PhoneNumber
from numbers.providers.base import OwnedNumber
from numbers.services import announcing
from numbers.services.spool import BATCH, Observation, Spool
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
_MOST_ORPHANS = 5000  # more than a request has time to adopt

_Key = tuple[str, str]
_Standing = dict[_Key, tuple[Observation, PhoneNumber | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What some of an account's open findings become."""

    open: list[Finding] = field(default_factory=list)  # all that are open now
    again: list[Finding] = field(default_factory=list)  # of them: seen again, nothing else is new
    changed: list[Finding] = field(default_factory=list)  # of them: seen again, otherwise
    new: list[Finding] = field(default_factory=list)  # of them: seen for the first time
    confirmed: list[Finding] = field(default_factory=list)
    resolved: list[Finding] = field(default_factory=list)
    orphans: list[OwnedNumber] = field(default_factory=list)  # that findings rest on


@dataclass(slots=True, kw_only=True)
class Changes:
    """What an account's findings became: how many changed, how many of each kind are open now,
    and the first orphans. The open ones themselves only for whoever `wants_findings`."""

    wants_findings: bool
    new: int = 0
    confirmed: int = 0
    resolved: int = 0
    open: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    orphans: list[OwnedNumber] = field(default_factory=list)

    def add(self, step: Step) -> None:
        self.new += len(step.new)
        self.confirmed += len(step.confirmed)
        self.resolved += len(step.resolved)
        self.open.update(finding.kind for finding in step.open)
        self.orphans += step.orphans[: _MOST_ORPHANS - len(self.orphans)]
        if self.wants_findings:
            self.findings += step.open

    def counts(self) -> dict[str, int]:
        return {"new": self.new, "confirmed": self.confirmed, "resolved": self.resolved}


def state_of(number: PhoneNumber) -> list[Any]:
    """What must not have changed in a row since a comparison read it."""
    return [getattr(number, name) for name in COMPARED]


def ghosts_to_confirm(numbers: Iterable[int], began: datetime) -> set[int]:
    """Those of the rows `numbers` whose ghosts were first seen long enough ago to be confirmed
    now."""
    waiting = Finding.objects.open().filter(
        number__in=numbers,
        kind=Kind.GHOST,
        confirmed_at=None,
        first_seen_at__lte=began - clocks.after(clocks.FINDING_IS_SURE_AFTER),
    )
    return set(waiting.values_list("number_id", flat=True))


def plan(account: ProviderAccount, seen: Spool, *, began: datetime) -> Iterator[Step]:
    """What the findings of `account` become by what a comparison that began then saw, as far as
    our rows bear it out now. Writes nothing."""
    for observations in seen.observations():
        keys = {observation.key for observation in observations}
        standing = _standing(observations, provider=account.provider, since=began)
        found = _open(account).filter(phone_number__in={number for _, number in keys})
        yield _step(account, [f for f in found if _key(f) in keys], standing, began)
    for findings in _batches_of_open(account):
        others = [finding for finding in findings if not seen.observed(_key(finding))]
        yield _step(account, others, {}, began)


def record(
    account: ProviderAccount, seen: Spool, *, began: datetime, actor: Actor, changes: Changes
) -> None:
    """Bring the findings of `account` to what a comparison saw, in one transaction, and note the
    `changes`. One that began before the last that was recorded comes too late and changes
    nothing."""
    with transaction.atomic(durable=True):
        Comparison.objects.get_or_create(account=account)
        last = Comparison.objects.select_for_update(no_key=True).get(account=account)
        if last.began_at is not None and last.began_at > began:
            for findings in _batches_of_open(account):
                changes.add(Step(open=findings))
            return
        for step in plan(account, seen, began=began):
            _write(step, began)
            changes.add(step)
        last.began_at, last.listed = began, seen.listed
        last.save()
        if any(changes.counts().values()):
            audit.record(
                actor,
                "inventory.compared",
                account,
                organization=account.organization,
                listed=seen.listed,
                **changes.counts(),
            )


def note_drift(number: PhoneNumber, different: dict[str, Any], *, seen_at: datetime) -> None:
    """Keep what a look at one number of ours saw: an open finding, or none (any more) without
    differences. Inside the transaction of its cause."""
    found = Finding.objects.open().filter(
        account_id=number.account_id, kind=Kind.DRIFT, phone_number=number.phone_number
    )
    if not different:
        _resolve(found, Finding.Resolution.NOT_SEEN)
    elif not found.update(details=different, last_seen_at=seen_at):
        drift = Observation(kind=Kind.DRIFT, phone_number=number.phone_number, details=different)
        with contextlib.suppress(IntegrityError), transaction.atomic():
            _finding(number.account, drift, number, seen_at).save()
            announcing.numbers_drifted({number: different})


def resolve(
    account: ProviderAccount, kind: Finding.Kind, phone_number: str, resolution: Finding.Resolution
) -> None:
    """Close what an action has taken care of. Inside the transaction of that action."""
    found = Finding.objects.open().filter(account=account, kind=kind, phone_number=phone_number)
    _resolve(found, resolution)


def _open(account: ProviderAccount) -> QuerySet[Finding]:
    return Finding.objects.open().filter(account=account).select_related("number")


def _batches_of_open(account: ProviderAccount) -> Iterator[list[Finding]]:
    after = 0
    while batch := list(_open(account).filter(pk__gt=after).order_by("pk")[:BATCH]):
        yield batch
        after = batch[-1].pk


def _key(finding: Finding) -> _Key:
    return finding.kind, finding.phone_number


def _standing(observations: list[Observation], *, provider: str, since: datetime) -> _Standing:
    """Those that our rows still bear out, with the row. Time passed since the provider was asked:
    a number that has a live row by now, or had one until lately (lists lag behind), is no orphan;
    a row that changed is not judged."""
    lately = since - clocks.after(clocks.FINDING_IS_SURE_AFTER)
    orphans = [o.phone_number for o in observations if o.kind == Kind.ORPHAN]
    known = set(
        PhoneNumber.objects.filter(
            ~Q(status=Status.RELEASED) | Q(released_at__gte=lately),
            provider=provider,
            phone_number__in=orphans,
        ).values_list("phone_number", flat=True)
    )
    rows = PhoneNumber.objects.in_bulk([o.number_id for o in observations if o.number_id])

    def stands(observation: Observation) -> bool:
        if observation.number_id is None:
            return observation.phone_number not in known
        return state_of(rows[observation.number_id]) == observation.was

    return {o.key: (o, rows.get(o.number_id)) for o in observations if stands(o)}


def _step(
    account: ProviderAccount, found: list[Finding], standing: _Standing, began: datetime
) -> Step:
    """What `found` becomes by the observations that concern it; those that are left are new."""
    step = Step(orphans=[o.owned for o, _ in standing.values() if o.owned is not None])
    left = dict(standing)
    for finding in found:
        observation, number = standing.get(_key(finding), (None, None))
        if observation is None or (number and number.pk) != finding.number_id:
            # What was found while this comparison was under way is not for it to judge.
            if finding.last_seen_at < began:
                step.resolved.append(finding)
            else:
                left.pop(_key(finding), None)
                step.open.append(finding)
            continue
        del left[_key(finding)]
        step.open.append(finding)
        sure = finding.confirmed_at is None and _is_sure(finding, observation, began)
        if sure or finding.details != observation.details:
            step.changed.append(finding)
        else:
            step.again.append(finding)
        finding.last_seen_at = max(finding.last_seen_at, began)
        finding.details = observation.details
        if sure:
            finding.confirmed_at = began
            step.confirmed.append(finding)
    step.new.extend(_finding(account, o, number, began) for o, number in left.values())
    step.open.extend(step.new)
    return step


def _write(step: Step, began: datetime) -> None:
    # Closed ones first: a new one may take the place of one that was about another row.
    _resolve(step.resolved, Finding.Resolution.NOT_SEEN)
    again = [finding.pk for finding in step.again]
    Finding.objects.filter(pk__in=again, last_seen_at__lt=began).update(last_seen_at=began)
    Finding.objects.bulk_update(step.changed, ["last_seen_at", "details", "confirmed_at"])
    Finding.objects.bulk_create(step.new)
    announcing.numbers_drifted(
        {one.number: one.details for one in step.new if one.kind == Kind.DRIFT}
    )


def _resolve(findings: Iterable[Finding], resolution: Finding.Resolution) -> None:
    pks = [finding.pk for finding in findings]
    Finding.objects.open().filter(pk__in=pks).update(resolved_at=Now(), resolution=resolution)


def _is_sure(finding: Finding, observation: Observation, began: datetime) -> bool:
    """Seen before and seen again, long enough apart; drift is a fact when it is seen."""
    if began - finding.first_seen_at < clocks.after(clocks.FINDING_IS_SURE_AFTER):
        return False
    return observation.kind == Kind.ORPHAN or observation.gone


def _finding(
    account: ProviderAccount,
    observation: Observation,
    number: PhoneNumber | None,
    began: datetime,
) -> Finding:
    return Finding(
        account=account,
        organization_id=account.organization_id or (number and number.organization_id),
        number=number,
        kind=observation.kind,
        phone_number=observation.phone_number,
        details=observation.details,
        first_seen_at=began,
        last_seen_at=began,
    )
