"""Comparing everything that a provider account owns with our rows.

A comparison looks, and writes down what it saw: numbers that are billed there and unknown here
(orphans), active here and gone there (ghosts), set otherwise than they should be (drift); and for
each of our numbers the verdict that proves it. It never releases, adopts or repairs anything; that
is done by people, through `numbers.services.inventory_actions`.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from django.db.models import Count, Exists, F, OuterRef, Q

from burki.logs import emit
from burki.text import plain
from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import InventoryConflict, NotConfigured, ProviderError, SyncFailed
from numbers.models import Finding, PhoneNumber
from numbers.providers.base import Destinations, NumberProvider, OwnedNumber
from numbers.providers.registry import driver_for
from numbers.services import evidence, findings, proof, public_key
from numbers.services.accounts import credentials_of, environment_accounts
from numbers.services.evidence import Differences
from numbers.services.findings import Changes
from numbers.services.inventory_actions import adopt_listed
from numbers.services.proof import Seen
from numbers.services.settling import database_now
from numbers.services.spool import BATCH, Observation, Ours, Spool
from organizations.actors import Actor
from organizations.models import Organization, Provider, ProviderAccount
from organizations.permissions import NUMBERS_WRITE

logger = logging.getLogger(__name__)

Kind, Status = Finding.Kind, PhoneNumber.Status
_CONFIRMED_AT_A_TIME = 50  # ghosts, each with two or three requests; the others wait for the next


class Asked(Enum):
    """What a provider said, asked for a ghost itself."""

    GONE = "gone"
    THERE = "there"
    UNPROVEN = "unproven"  # gone, if the credentials open the account that had it


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a comparison of one account saw. With a `failure` it saw nothing."""

    account: ProviderAccount
    failure: ProviderError | None = None
    listed: int = 0
    matched: int = 0  # listed, and ours in this account
    counts: dict[str, int] = field(default_factory=lambda: _counted({}))  # open now, of each kind
    findings: list[Finding] = field(default_factory=list)  # open now, for whoever wants them
    orphans: list[OwnedNumber] = field(default_factory=list)  # listed just now, unknown to us
    resolved: int = 0


def _counted(kinds: Mapping[str, int]) -> dict[str, int]:
    return {kind: kinds.get(kind, 0) for kind in Kind.values}


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
    account: ProviderAccount,
    *,
    actor: Actor,
    dry_run: bool,
    deadline: Deadline | None = None,
    wants_findings: bool = True,
) -> Report:
    """List everything in `account` and record where it and our rows disagree, and the verdict on
    each of our numbers in it.

    All or nothing: trouble at the provider is the report's `failure`, and our numbers in the
    account are recorded as unreachable, nothing else. With `dry_run` nothing is recorded either
    way, and the findings are what they would become.

    However many numbers there are, only a batch of them is in memory, the others are in a `Spool`.
    The report's findings are all there, for whoever `wants_findings`, else only counted; of the
    orphans it has no more than a request has time to adopt. When the provider has told everything,
    verdicts are written batch by batch, and all findings in one transaction at the end.
    """
    began = database_now()
    with Spool() as spool:
        _keep_ours(spool, account)
        try:
            credentials = credentials_of(account)
            driver = driver_for(credentials, deadline or Deadline.after(clocks.COMPARE))
            spool.keep_listed(driver.list_numbers())
            destinations, of_account = None, {}
            if spool.holds_ours:
                destinations = driver.all_destinations(spool.endpoints)
                of_account = public_key.look(account, driver, dry_run=dry_run)
            asked = _ask_for_ghosts(account, spool, driver, began)
        except ProviderError as error:
            logger.warning("account %s was not compared: %s", account.pk, error.code)
            if not dry_run:
                _keep_trouble(spool, proof.trouble(error), began)
            return Report(account=account, failure=error)

        for batch in spool.ours():
            seen = _look(batch, destinations, of_account, began)
            spool.note(_disagreements(seen, asked))
            if not dry_run:
                proof.keep_all([one for one, _ in seen], at=began)
        spool.note(_orphan(owned) for owned in spool.strangers())
        changes = Changes(wants_findings=wants_findings)
        if dry_run:
            for step in findings.plan(account, spool, began=began):
                changes.add(step)
        else:
            findings.record(account, spool, began=began, actor=actor, changes=changes)
            emit("inventory.compared", account=account.pk, listed=spool.listed, **changes.counts())
        return Report(
            account=account,
            listed=spool.listed,
            matched=spool.matched,
            counts=_counted(changes.open),
            findings=sorted(
                changes.findings, key=lambda f: (Kind.values.index(f.kind), f.phone_number)
            ),
            orphans=changes.orphans,
            resolved=changes.resolved,
        )


def _keep_ours(spool: Spool, account: ProviderAccount) -> None:
    """Our active rows in the account, before the listing begins: one that is recorded later may be
    too late for the list, and would seem to be gone."""
    rows = PhoneNumber.objects.filter(account=account, status=Status.ACTIVE).order_by("pk")
    rows = rows.only("phone_number", *findings.COMPARED)
    after = 0
    while batch := list(rows.filter(pk__gt=after)[:BATCH]):
        spool.keep_ours(
            (row.pk, row.phone_number, row.provider_number_id, findings.state_of(row))
            for row in batch
        )
        after = batch[-1].pk


def _unchanged(batch: list[Ours]) -> Iterator[tuple[PhoneNumber, OwnedNumber | None]]:
    """The rows as they are now, but for those that changed since the listing began: they are not
    judged."""
    rows = PhoneNumber.objects.in_bulk([one.pk for one in batch])
    for one in batch:
        if findings.state_of(rows[one.pk]) == one.was:
            yield rows[one.pk], one.owned


def _ask_for_ghosts(
    account: ProviderAccount, spool: Spool, driver: NumberProvider, began: datetime
) -> dict[int, Asked]:
    """Ask the provider for each ghost that is due, by the number itself: whether it is `GONE`,
    `THERE` after all, or nothing shows that this is still the account that had it."""
    asked: dict[int, Asked] = {}
    lists_ours = spool.knows_an_id
    for batch in spool.ours(missing=True):
        due = findings.ghosts_to_confirm([one.pk for one in batch], began)
        for ghost, _ in _unchanged([one for one in batch if one.pk in due]):
            in_time = driver.deadline.remaining() > clocks.scaled(clocks.LOOKUPS)
            if not in_time or len(asked) >= _CONFIRMED_AT_A_TIME:
                return asked
            if not evidence.is_gone(ghost, driver):
                asked[ghost.pk] = Asked.THERE
            elif evidence.is_same_account(account, ghost, driver, lists_ours=lists_ours):
                asked[ghost.pk] = Asked.GONE
            else:
                asked[ghost.pk] = Asked.UNPROVEN
    return asked


def _keep_trouble(spool: Spool, trouble: str, began: datetime) -> None:
    for batch in spool.ours():
        rows = [row for row, _ in _unchanged(batch)]
        proof.keep_all([Seen(number=row, trouble=trouble) for row in rows], at=began)


def _look(
    batch: list[Ours],
    destinations: Callable[[OwnedNumber], Destinations],
    of_account: Differences,
    began: datetime,
) -> list[tuple[Seen, OwnedNumber | None]]:
    """What an account's complete list says about some of our rows in it. Connections and profiles
    are listed as well: that costs no more requests than there are pages of them. What differs
    `of_account` differs for each."""
    found = []
    for row, owned in _unchanged(batch):
        reported = owned and evidence.reported(row, owned, destinations)
        different = evidence.differences(row, owned, reported, of_account)
        found.append((proof.judged(row, owned, different, at=began), owned))
    return found


def _disagreements(
    seen: list[tuple[Seen, OwnedNumber | None]], asked: dict[int, Asked]
) -> Iterator[Observation]:
    for one, owned in seen:
        row, different = one.number, one.differences
        about = {"phone_number": row.phone_number, "number_id": row.pk}
        if owned is None or not evidence.is_same_number(row, owned):
            answer = asked.get(row.pk)
            if answer == Asked.THERE:
                continue
            details = {"number_id": row.provider_number_id}
            if owned is not None:
                details["there_is_now"] = owned.number_id
            yield Observation(
                kind=Kind.GHOST,
                was=findings.state_of(row),
                details=details,
                gone=answer == Asked.GONE,
                **about,
            )
        elif different:
            yield Observation(
                kind=Kind.DRIFT, was=findings.state_of(row), details=different, **about
            )


def _orphan(owned: OwnedNumber) -> Observation:
    return Observation(
        kind=Kind.ORPHAN,
        phone_number=plain(owned.phone_number, 32),
        details=evidence.description(owned),
        owned=owned,
    )


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
        report = compare_account(
            account, actor=actor, dry_run=False, deadline=mine, wants_findings=False
        )
        if report.failure is not None:
            failures[account.provider] = report.failure
            continue
        taken = _adopt_all(account, report.orphans, actor, mine)
        adopted += taken
        counts[account.provider] = counts.get(account.provider, 0) + report.matched + taken
    if not counts:
        raise SyncFailed.of(failures)
    remaining = Finding.objects.open().filter(account__in=accounts).values_list("kind")
    return Synced(
        counts={name: counts[name] for name in Provider.values if name in counts},
        adopted=adopted,
        findings=_counted(dict(remaining.annotate(Count("pk")))),
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
