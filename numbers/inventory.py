"""Comparing everything that a provider account owns with our rows.

A comparison looks, and writes down what it saw: numbers that are billed there and unknown here
(orphans), active here and gone there (ghosts), set otherwise than they should be (drift); and for
each of our numbers the verdict that proves it. It never releases, adopts or repairs anything; that
is done by people, through `numbers.services.inventory_actions`.
"""

import contextlib
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q

from burki.logs import emit
from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import InventoryConflict, NotConfigured, ProviderError, SyncFailed
from numbers.models import Finding, PhoneNumber
from numbers.providers.base import NumberProvider, OwnedNumber
from numbers.providers.registry import driver_for
from numbers.services import evidence, findings, proof
from numbers.services.accounts import credentials_of, environment_accounts
from numbers.services.findings import Observation
from numbers.services.inventory_actions import adopt_listed
from numbers.services.proof import Seen
from numbers.services.settling import database_now
from organizations.actors import Actor
from organizations.models import Organization, Provider, ProviderAccount
from organizations.permissions import NUMBERS_WRITE

logger = logging.getLogger(__name__)

Kind, Status = Finding.Kind, PhoneNumber.Status
_CONFIRMED_AT_A_TIME = 50  # ghosts, each with two or three requests; the others wait for the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a comparison of one account saw. With a `failure` it saw nothing."""

    account: ProviderAccount
    failure: ProviderError | None = None
    listed: int = 0
    matched: int = 0  # listed, and ours in this account
    findings: list[Finding] = field(default_factory=list)  # open now
    orphans: list[OwnedNumber] = field(default_factory=list)  # listed just now, unknown to us
    resolved: int = 0

    @property
    def counts(self) -> dict[str, int]:
        return counted(self.findings)


def counted(found: Iterable[Finding]) -> dict[str, int]:
    """How many there are of each kind."""
    kinds = Counter(finding.kind for finding in found)
    return {kind: kinds[kind] for kind in Kind.values}


def accounts_to_compare(
    organization: Organization | None = None, *, oldest_first: bool = False
) -> list[ProviderAccount]:
    """The enabled accounts of `organization`, or of everybody: then the platform's as well, those
    that the environment names and those that still have numbers. In a stable order, or that whose
    last comparison is oldest first."""
    accounts = ProviderAccount.objects.filter(is_active=True).select_related("organization")
    if organization is not None:
        return list(accounts.filter(organization=organization).order_by("-provider", "pk"))
    named = [account.pk for account in environment_accounts()]
    has_numbers = Exists(PhoneNumber.objects.live().filter(account=OuterRef("pk")))
    last = F("comparison__began_at").asc(nulls_first=True)
    return list(
        accounts.filter(
            Q(source=ProviderAccount.Source.ORGANIZATION) | Q(pk__in=named) | has_numbers
        ).order_by(*([last, "pk"] if oldest_first else ["-provider", "pk"]))
    )


def compare_account(
    account: ProviderAccount, *, actor: Actor, dry_run: bool, deadline: Deadline | None = None
) -> Report:
    """List everything in `account` and record where it and our rows disagree, and the verdict on
    each of our numbers in it.

    All or nothing: trouble at the provider is the report's `failure`, and our numbers in the
    account are recorded as unreachable, nothing else. With
    `dry_run` nothing is recorded either way, and the findings are what they would become.
    """
    began = database_now()
    # Rows that are there before the listing begins: one that is recorded later may be too late
    # for the list, and would seem to be gone.
    ours = list(PhoneNumber.objects.filter(account=account, status=Status.ACTIVE))
    try:
        credentials = credentials_of(account)
        driver = driver_for(credentials, deadline or Deadline.after(clocks.COMPARE))
        listed = driver.list_numbers()
        seen = list(_look(ours, listed, driver, began))
        observed = _observe(seen, listed)
        observations = list(_confirmed(account, observed, listed, driver, began))
    except ProviderError as error:
        logger.warning("account %s was not compared: %s", account.pk, error.code)
        if not dry_run:
            why = proof.trouble(error)
            proof.keep_all([Seen(number=row, trouble=why) for row in ours], at=began)
        return Report(account=account, failure=error)

    if dry_run:
        changes = findings.plan(account, observations, began=began)
    else:
        changes = findings.record(
            account, observations, began=began, listed=len(listed), actor=actor
        )
        proof.keep_all(seen, at=began)
        emit("inventory.compared", account=account.pk, listed=len(listed), **changes.counts())
    there = {owned.phone_number: owned for owned in listed}
    return Report(
        account=account,
        listed=len(listed),
        matched=sum(
            1
            for row in ours
            if row.phone_number in there and evidence.is_same_number(row, there[row.phone_number])
        ),
        findings=sorted(changes.seen, key=lambda f: (Kind.values.index(f.kind), f.phone_number)),
        orphans=[o.owned for o in changes.standing if o.kind == Kind.ORPHAN],
        resolved=len(changes.resolved),
    )


def _look(
    ours: list[PhoneNumber],
    listed: list[OwnedNumber],
    driver: NumberProvider,
    began: datetime,
) -> Iterator[Seen]:
    """What an account's complete list says about each of our active rows in it. Connections and
    profiles are listed as well: that costs no more requests than there are pages of them."""
    there = {owned.phone_number: owned for owned in listed}
    destinations = driver.all_destinations() if ours else None
    for row in ours:
        owned = there.get(row.phone_number)
        reported = owned and evidence.reported(row, owned, destinations)
        yield proof.judged(row, owned, evidence.differences(row, owned, reported), at=began)


def _observe(seen: list[Seen], listed: list[OwnedNumber]) -> Iterator[Observation]:
    """Every disagreement between our active rows in an account and its complete list."""
    there = {owned.phone_number: owned for owned in listed}
    for row, different in ((one.number, one.differences) for one in seen):
        owned = there.get(row.phone_number)
        if owned is None or not evidence.is_same_number(row, owned):
            details = {"number_id": row.provider_number_id}
            if owned is not None:
                details["there_is_now"] = owned.number_id
            yield Observation(
                kind=Kind.GHOST, phone_number=row.phone_number, number=row, details=details
            )
        elif different:
            yield Observation(
                kind=Kind.DRIFT, phone_number=row.phone_number, number=row, details=different
            )
    for owned in there.values():
        if owned.in_service:
            yield Observation(
                kind=Kind.ORPHAN,
                phone_number=owned.phone_number,
                owned=owned,
                details=evidence.description(owned),
            )


def _confirmed(
    account: ProviderAccount,
    observations: Iterable[Observation],
    listed: list[OwnedNumber],
    driver: NumberProvider,
    began: datetime,
) -> Iterator[Observation]:
    """The observations, each ghost that is due marked `gone` when the provider, asked for the
    number itself, does not have it; left out when it does after all."""
    due = findings.ghosts_to_confirm(account, began)
    listed_ids = {owned.number_id for owned in listed}
    asked = 0
    for observation in observations:
        ghost = observation.number if observation.kind == Kind.GHOST else None
        in_time = driver.deadline.remaining() > clocks.scaled(clocks.LOOKUPS)
        if ghost and ghost.pk in due and asked < _CONFIRMED_AT_A_TIME and in_time:
            asked += 1
            if not evidence.is_gone(ghost, driver):
                continue
            if evidence.is_same_account(account, ghost, driver, listed_ids=listed_ids):
                observation = replace(observation, gone=True)
        yield observation


# --- On demand --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What a synchronization brought: for each provider the numbers of its accounts that the
    organization has now, how many of them were adopted, and why it failed if it did."""

    counts: dict[str, int]
    adopted: int
    findings: dict[str, int]
    failures: dict[str, ProviderError]


def sync_organization(*, actor: Actor, organization: Organization) -> Synced:
    """Compare the organization's own accounts with its rows, and adopt what is listed there and
    unknown here: the explicit wish of whoever calls it, so orphans need not be seen twice. Ghosts
    and drift are recorded and left alone. The platform's accounts are not touched.

    Takes at most 25 seconds; what is not adopted by then remains an orphan. Raises
    `PermissionDenied`, `NotConfigured`, and `SyncFailed` when no account could be compared.
    """
    actor.require(NUMBERS_WRITE, organization)
    accounts = accounts_to_compare(organization)
    if not accounts:
        raise NotConfigured(
            "Provider credentials not configured for this organization",
            hint="Enter Twilio or Telnyx credentials for the organization.",
        )
    deadline = Deadline.after(clocks.REQUEST).without(clocks.RECORDING)
    counts, failures, adopted = {}, {}, 0
    for left, account in zip(range(len(accounts), 0, -1), accounts, strict=True):
        mine = deadline.share(left)
        report = compare_account(account, actor=actor, dry_run=False, deadline=mine)
        if report.failure is not None:
            failures[account.provider] = report.failure
            continue
        taken = _adopt_all(account, report.orphans, actor, mine)
        adopted += taken
        counts[account.provider] = counts.get(account.provider, 0) + report.matched + taken
    if not counts:
        raise SyncFailed.of(failures)
    remaining = Finding.objects.open().filter(account__in=accounts)
    return Synced(
        counts={name: counts[name] for name in Provider.values if name in counts},
        adopted=adopted,
        findings=counted(remaining),
        failures=failures,
    )


def _adopt_all(
    account: ProviderAccount, orphans: list[OwnedNumber], actor: Actor, deadline: Deadline
) -> int:
    """Adopt numbers that were listed a moment ago, while there is time; how many. One that
    somebody claimed meanwhile, or that is no telephone number, stays as it is."""
    driver = driver_for(credentials_of(account), deadline)
    adopted = 0
    for owned in orphans:
        if deadline.expired:
            break
        with contextlib.suppress(InventoryConflict):
            adopt_listed(account=account, owned=owned, driver=driver, actor=actor)
            adopted += 1
    return adopted
