"""Sealing the audit, and checking the seals (docs/audit.md tells why and what for).

Each organization has a chain of its own; what belongs to none has one as well. The hash of an
event is SHA-256 over the hash of the event before it and its own content as canonical JSON, so
whoever changes, removes or slips in an event would have to write all later hashes anew.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection, transaction
from django.db.models import Max, OuterRef, Subquery

from burki.paging import newest_first
from organizations.models import AuditEvent, AuditSeal, Organization

GENESIS = "0" * 64  # what the first event of a chain follows
_BATCH = 1000
_PATIENCE = 5.0  # seconds to wait for transactions that may still write an earlier event
_CONTENT = (
    "id", "organization_id", "actor_kind", "actor_label", "user_id", "api_key_id", "action",
    "object_type", "object_id", "object_label", "data", "ip", "request_id", "created_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Where a chain does not hold any more. `kind`: an event was `changed`, `deleted` or
    `inserted`; or it is the `seal` itself."""

    kind: str
    id: int

    def __str__(self) -> str:
        if self.kind == "seal":
            return (
                f"Seal {self.id} does not follow the one before it: a seal was changed or deleted."
            )
        return f"Event {self.id} was {self.kind} after it was sealed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How one chain stands: what was checked up to its end, or up to the first `broken` place.
    `knows`: whether the hash that was asked for is in it."""

    events: int
    head: str
    until: datetime | None
    broken: Break | None
    knows: bool


def event_hash(event: AuditEvent, previous: str) -> str:
    content = {name: getattr(event, name) for name in _CONTENT}
    content["created_at"] = event.created_at.astimezone(UTC).isoformat(timespec="microseconds")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


def seal_events(*, patience: float = _PATIENCE) -> int:
    """Seal what is not sealed yet, in the order of the events' ids; how many events that were.

    None while a transaction runs, after `patience` seconds still, that may have drawn a lower id
    than an event which is there already: its event would otherwise come too late for its place.
    """
    last = _settled(patience)
    sealed = 0
    while count := _seal_some(last):
        sealed += count
    return sealed


def _settled(patience: float) -> int:
    """An id up to which nothing can appear any more; 0 when that is not sure of any.

    Ids are drawn by INSERT, after it took the table's lock and before it gives it back at the end
    of its transaction. So once everybody who had the lock when we saw the last id is gone, what is
    below that id is there, or never will be. Nobody waits for us.
    """
    last = AuditEvent.objects.aggregate(last=Max("pk"))["last"] or 0
    ends = time.monotonic() + patience
    waiting = _writers()
    while waiting and time.monotonic() < ends:
        time.sleep(0.02)
        waiting &= _writers()
    return 0 if waiting else last


def _writers() -> set[str]:
    """The other transactions that have written, or are writing, audit events."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND relation = %s::regclass AND mode = 'RowExclusiveLock' AND granted "
            "AND pid IS DISTINCT FROM pg_backend_pid()",
            [AuditEvent._meta.db_table],
        )
        return {name for (name,) in cursor.fetchall()}


@transaction.atomic
def _seal_some(last: int) -> int:
    """One link for each organization that has events in the next batch; how many events."""
    with connection.cursor() as cursor:  # one at a time: the next begins where this one ends
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('organizations.sealing'))")
    unsealed = AuditEvent.objects.filter(pk__gt=_sealed_up_to(), pk__lte=last)
    chains: dict[int | None, list[AuditEvent]] = {}
    for event in unsealed.order_by("pk")[:_BATCH]:
        chains.setdefault(event.organization_id, []).append(event)
    heads = _heads(set(chains))
    AuditSeal.objects.bulk_create(
        _link(organization_id, events, heads.get(organization_id) or GENESIS)
        for organization_id, events in chains.items()
    )
    return sum(len(events) for events in chains.values())


def _link(organization_id: int | None, events: list[AuditEvent], previous: str) -> AuditSeal:
    hashes = []
    for event in events:
        hashes.append(event_hash(event, hashes[-1] if hashes else previous))
    return AuditSeal(
        organization_id=organization_id,
        first_id=events[0].pk,
        last_id=events[-1].pk,
        last_at=events[-1].created_at,
        event_ids=[event.pk for event in events],
        hashes=hashes,
        previous=previous,
        hash=hashes[-1],
    )


def _heads(organization_ids: set[int | None]) -> dict[int | None, str | None]:
    """The newest hash of each chain, where there is one."""
    newest = AuditSeal.objects.filter(organization=OuterRef("pk")).order_by("-pk")
    heads = dict(
        Organization.objects.filter(pk__in=organization_ids - {None})
        .annotate(head=Subquery(newest.values("hash")[:1]))
        .values_list("pk", "head")
    )
    if None in organization_ids:
        heads[None] = last_seal(None) and last_seal(None).hash
    return heads


def _sealed_up_to() -> int:
    """Every event up to this id, of whomever, was sealed or came too late."""
    return AuditSeal.objects.aggregate(last=Max("last_id"))["last"] or 0


def last_seal(organization: Organization | None) -> AuditSeal | None:
    """The newest link of a chain, without what it is long because of."""
    seals = newest_first(AuditSeal.objects.filter(organization=organization))
    return seals.defer("event_ids", "hashes").first()


def verify(organization: Organization | None, *, known: str = "") -> Verdict:
    """Compute the chain anew and compare: up to its end, or to the first place that is broken.
    `known` is a hash of it that somebody wrote down."""
    checked, head, last, until, knows = 0, GENESIS, 0, None, False
    events = AuditEvent.objects.filter(organization=organization).order_by("pk")
    broken = None
    seals = AuditSeal.objects.filter(organization=organization).order_by("pk")
    for seal in seals.iterator(chunk_size=50):
        if seal.previous != head or not _is_whole(seal):
            broken = Break(kind="seal", id=seal.pk)
            break
        found = {e.pk: e for e in events.filter(pk__gt=last, pk__lte=seal.last_id)}
        broken = _first_break(seal, found)
        if broken is not None:
            break
        checked, head, last, until = checked + len(found), seal.hash, seal.last_id, seal.last_at
        knows = knows or known in seal.hashes
    if broken is None:
        late = events.filter(pk__gt=last, pk__lte=_sealed_up_to()).values_list("pk", flat=True)
        first = late.first()
        broken = None if first is None else Break(kind="inserted", id=first)
    return Verdict(events=checked, head=head, until=until, broken=broken, knows=knows)


def _is_whole(seal: AuditSeal) -> bool:
    """Whether the parts of a seal still say the same."""
    ids, hashes = seal.event_ids, seal.hashes
    return (
        len(ids) == len(hashes) > 0
        and ids == sorted(set(ids))
        and (ids[0], ids[-1], hashes[-1]) == (seal.first_id, seal.last_id, seal.hash)
    )


def _first_break(seal: AuditSeal, found: dict[int, AuditEvent]) -> Break | None:
    sealed = dict(zip(seal.event_ids, seal.hashes, strict=True))
    previous = seal.previous
    for pk in sorted(sealed.keys() | found.keys()):
        if pk not in found:
            return Break(kind="deleted", id=pk)
        if pk not in sealed:
            return Break(kind="inserted", id=pk)
        if event_hash(found[pk], previous) != sealed[pk]:
            return Break(kind="changed", id=pk)
        previous = sealed[pk]
    return None
