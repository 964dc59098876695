"""What a comparison reads and finds, kept on disk: an account may have more numbers than fit in
memory."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from numbers.models import Finding
from numbers.providers.base import Endpoint, OwnedNumber, Routing

BATCH = 500  # rows that are in memory at a time

_TABLES = """
    CREATE TABLE ours (pk INTEGER PRIMARY KEY, phone_number BLOB, number_id BLOB, was TEXT);
    CREATE INDEX ours_by_number ON ours (phone_number);
    CREATE TABLE listed (phone_number BLOB UNIQUE, number_id BLOB, in_service INTEGER, owned TEXT);
    CREATE TABLE endpoints (key BLOB PRIMARY KEY, endpoint TEXT) WITHOUT ROWID;
    CREATE TABLE observed (kind TEXT, phone_number TEXT, told TEXT, UNIQUE (kind, phone_number));
"""
_BOTH = "ours o LEFT JOIN listed l USING (phone_number)"
_MISSING = "(l.number_id IS NULL OR o.number_id NOT IN (X'', l.number_id))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """A row of ours as it `was` before the listing, and what was listed under its number."""

    pk: int
    was: list[Any]
    owned: OwnedNumber | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One disagreement that a comparison saw: about a row as it `was`, or of a number `owned` that
    we do not know. `gone`: of a ghost, the provider said so, asked for the number itself."""

    kind: Finding.Kind
    phone_number: str  # as a finding keeps it
    details: dict[str, Any]
    number_id: int | None = None
    was: list[Any] = field(default_factory=list)
    owned: OwnedNumber | None = None
    gone: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.phone_number


class Spool:
    """A private SQLite database without a name: in a file, among the system's temporary ones, as
    soon as it outgrows a cache of 2 MB. Nobody else can open it, and it is gone when it is closed,
    whatever ends the process. It takes about a kilobyte for each number.

    Everything that it hands out comes in batches or one by one, in the order in which it came.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        setup = "PRAGMA journal_mode = OFF; PRAGMA cache_size = -2000;"
        self._db.executescript(f"{setup} {_TABLES} BEGIN;")  # never committed
        self.listed = 0
        self.endpoints = Shelf(self._db)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    # --- Our rows and the provider's list --------------------------------------------------------

    def keep_ours(self, rows: Iterable[tuple[int, str, str, list[Any]]]) -> None:
        """Rows of ours: key, number, provider's id, and what must not change meanwhile."""
        self._db.executemany(
            "INSERT INTO ours VALUES (?, ?, ?, ?)",
            ((pk, _raw(number), _raw(its_id), json.dumps(was)) for pk, number, its_id, was in rows),
        )

    def keep_listed(self, numbers: Iterable[OwnedNumber]) -> None:
        """All that a provider lists, while it is read. Of a number that is listed twice the last
        counts."""
        for owned in numbers:
            self._db.execute(
                "INSERT OR REPLACE INTO listed VALUES (?, ?, ?, ?)",
                (_raw(owned.phone_number), _raw(owned.number_id), owned.in_service, _pack(owned)),
            )
            self.listed += 1

    @property
    def holds_ours(self) -> bool:
        return self._one("SELECT EXISTS (SELECT 1 FROM ours)")

    @property
    def matched(self) -> int:
        """How many of our rows are listed."""
        return self._one(f"SELECT count(*) FROM {_BOTH} WHERE NOT {_MISSING}")

    @property
    def knows_an_id(self) -> bool:
        """Whether something is listed under the provider's own id that a row of ours has."""
        return self._one(
            "SELECT EXISTS (SELECT 1 FROM ours o JOIN listed l USING (phone_number, number_id))"
        )

    def ours(self, *, missing: bool = False) -> Iterator[list[Ours]]:
        """Our rows, each with its number as it was listed; only those that are `missing`, or that
        are listed under another id."""
        which = f"WHERE {_MISSING}" if missing else ""
        found = f"SELECT o.pk, o.was, l.owned FROM {_BOTH} {which} ORDER BY o.pk"
        for batch in self._batches(found):
            yield [
                Ours(pk=pk, was=json.loads(was), owned=owned and _unpack(owned))
                for pk, was, owned in batch
            ]

    def strangers(self) -> Iterator[OwnedNumber]:
        """What is listed, in service, and has no row of ours here."""
        unknown = (
            "SELECT l.owned FROM listed l LEFT JOIN ours o USING (phone_number) "
            "WHERE l.in_service AND o.pk IS NULL ORDER BY l.rowid"
        )
        for batch in self._batches(unknown):
            yield from (_unpack(owned) for (owned,) in batch)

    # --- What disagrees --------------------------------------------------------------------------

    def note(self, observations: Iterable[Observation]) -> None:
        """Keep disagreements, one of each kind for a number: the last counts."""
        self._db.executemany(
            "INSERT OR REPLACE INTO observed VALUES (?, ?, ?)",
            ((str(o.kind), o.phone_number, _pack(o)) for o in observations),
        )

    def observations(self) -> Iterator[list[Observation]]:
        for batch in self._batches("SELECT told FROM observed ORDER BY rowid"):
            yield [_observation(told) for (told,) in batch]

    def observed(self, key: tuple[str, str]) -> bool:
        found = "SELECT EXISTS (SELECT 1 FROM observed WHERE kind = ? AND phone_number = ?)"
        return self._one(found, (str(key[0]), key[1]))

    def _one(self, query: str, values: tuple[Any, ...] = ()) -> Any:
        return self._db.execute(query, values).fetchone()[0]

    def _batches(self, query: str) -> Iterator[list[tuple[Any, ...]]]:
        rows = self._db.execute(query)
        while batch := rows.fetchmany(BATCH):
            yield batch


class Shelf:
    """Connections and profiles of an account, by a key of the driver's."""

    def __init__(self, db: sqlite3.Connection):
        self._db = db

    def __setitem__(self, key: str, endpoint: Endpoint) -> None:
        values = (_raw(key), json.dumps(asdict(endpoint)))
        self._db.execute("INSERT OR REPLACE INTO endpoints VALUES (?, ?)", values)

    def get(self, key: str) -> Endpoint | None:
        found = self._db.execute("SELECT endpoint FROM endpoints WHERE key = ?", (_raw(key),))
        row = found.fetchone()
        return row and Endpoint(**json.loads(row[0]))


def _raw(text: str) -> bytes:
    """Text as it came, whatever it is: providers' may hold what no database takes."""
    return text.encode("utf-8", "surrogatepass")


def _pack(value: OwnedNumber | Observation) -> str:
    return json.dumps(asdict(value), default=datetime.isoformat)


def _unpack(packed: str) -> OwnedNumber:
    return _owned(json.loads(packed))


def _owned(values: dict[str, Any]) -> OwnedNumber:
    since = values["created_at"]
    own = {
        "routing": Routing(**values["routing"]),
        "created_at": since and datetime.fromisoformat(since),
    }
    return OwnedNumber(**values | own)


def _observation(packed: str) -> Observation:
    values = json.loads(packed)
    own = {
        "kind": Finding.Kind(values["kind"]),
        "owned": values["owned"] and _owned(values["owned"]),
    }
    return Observation(**values | own)
