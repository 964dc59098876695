"""What the sandbox remembers: accounts, numbers, orders; and the file that outlives it.

Everything is plain dicts, so that the state can be written as JSON. Whoever reads or changes it
holds `lock`; nobody sleeps or writes to a socket meanwhile.
"""

import copy
import heapq
import json
import os
import secrets
import sys
import tempfile
import threading
import time
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

from .inventory import country_of, features_of, kind_of

NEVER = 253402300799.0  # the last second of the year 9999, for "not visible at all"
MAIN_APPLICATION = "1234567890123456789"
PLAIN_CONNECTION = "9999999999999999999"
MAIN_PROFILE = "40017000-0000-4000-8000-000000000001"

_PERSISTED = ("accounts", "numbers", "orders", "reservations", "caller_ids")
_ACCOUNT_VALUES = frozenset(
    {
        "balance",
        "currency",
        "active",
        "friendly_name",
        "type",
        "status",
        "owner_account_sid",
        "credit_limit",
        "restricted",
        "connections",
        "messaging_profiles",
    }
)
_CALLS_KEPT = 10_000

Record = dict[str, Any]


class State:
    """`order_seconds` (times `time_scale`) is how long an ordinary Telnyx order stays pending;
    `search_memory_seconds` (not scaled) how long Telnyx remembers what a search returned."""

    def __init__(self, *, time_scale: float = 1.0, file: Path | None = None) -> None:
        self.lock = threading.RLock()
        self.time_scale = time_scale
        self.order_seconds = 0.05
        self.search_memory_seconds = 1800.0
        self._file = file
        self._file_lock = threading.Lock()
        self._version = 0
        self._saved = 0
        self.clear()
        if file is not None:
            self._load(file)

    def clear(self) -> None:
        """Forget everything (the file follows with the next `save`)."""
        with self.lock:
            self.accounts: dict[str, Record] = {}
            self.numbers: dict[str, Record] = {}
            self.orders: dict[str, Record] = {}
            self.reservations: dict[str, Record] = {}
            self.caller_ids: dict[str, Record] = {}
            self.calls: list[Record] = []
            # Calls placed here, by call_control_id: ringing, answered, over.
            self.lines: dict[str, str] = {}
            self.inbox: list[Record] = []
            self.reserved: dict[str, tuple[str, float]] = {}
            self.held: dict[str, str] = {}
            self.due: list[tuple[float, str]] = []
            self._marks: set[str] = set()
            self._commands: set[tuple[str, str]] = set()
            self._by_id: dict[str, str] = {}
            self._searched: dict[str, dict[str, float]] = {}
            self.changed()

    def soon(self, seconds: float) -> float:
        """The epoch in so many scaled seconds."""
        return time.time() + seconds * self.time_scale

    def account(self, name: str) -> Record:
        """The account, made up when it is new: nobody has to sign up here."""
        found = self.accounts.get(name)
        if found is None:
            found = self.accounts[name] = {
                "balance": "100.00",
                "currency": "USD",
                "active": True,
                "friendly_name": "Sandbox",
                "type": "Full",
                "created_at": time.time(),
                "lookups_refused_until": 0.0,
                "applications": {},
                "messaging_profiles": {},
                "plain_connections": [PLAIN_CONNECTION],
            }
            self.add_application(name, {"application_name": "Main", "id": MAIN_APPLICATION})
            self.add_profile(name, {"name": "Main", "id": MAIN_PROFILE})
        return found

    def set_account(self, name: str, values: Record) -> Record:
        """Change an account. Connections and profiles are ids or dicts with an `id`; a
        connection with `"plain": True` is no Call Control application."""
        unknown = set(values) - _ACCOUNT_VALUES
        if unknown:
            raise ValueError(f"unknown account values: {', '.join(sorted(unknown))}")
        account = self.account(name)
        for connection in values.get("connections", ()):
            fields = connection if isinstance(connection, dict) else {"id": str(connection)}
            if fields.get("plain"):
                account["plain_connections"].append(fields["id"])
            else:
                self.add_application(name, fields)
        for profile in values.get("messaging_profiles", ()):
            self.add_profile(name, profile if isinstance(profile, dict) else {"id": str(profile)})
        for key in values.keys() - {"connections", "messaging_profiles"}:
            money = key in ("balance", "credit_limit")
            account[key] = str(values[key]) if money else values[key]
        self.changed()
        return account

    def add_application(self, name: str, fields: Record) -> Record:
        now = time.time()
        application = {
            "application_name": "Application",
            "webhook_event_url": "",
            "webhook_api_version": "2",
            "created_at": now,
            "updated_at": now,
            **fields,
        }
        application.setdefault("id", long_id())
        self.account(name)["applications"][application["id"]] = application
        self.changed()
        return application

    def add_profile(self, name: str, fields: Record) -> Record:
        now = time.time()
        profile = {
            "name": "Profile",
            "webhook_url": "",
            "webhook_failover_url": "",
            "webhook_api_version": "2",
            "enabled": True,
            "whitelisted_destinations": ["US"],
            "created_at": now,
            "updated_at": now,
            **fields,
        }
        profile.setdefault("id", str(uuid.uuid4()))
        self.account(name)["messaging_profiles"][profile["id"]] = profile
        self.changed()
        return profile

    def knows_connection(self, name: str, connection_id: str) -> bool:
        account = self.account(name)
        return (
            connection_id in account["applications"]
            or connection_id in account["plain_connections"]
        )

    def can_pay(self, name: str, amount: str | Decimal) -> bool:
        return Decimal(self.account(name)["balance"]) >= Decimal(amount)

    def charge(self, name: str, amount: str | Decimal) -> None:
        """Take the amount from the balance; a negative one gives it back."""
        account = self.account(name)
        left = Decimal(account["balance"]) - Decimal(amount)
        account["balance"] = str(left.quantize(Decimal("0.01")))
        self.changed()

    def taken(self, phone_number: str) -> bool:
        """Whether somebody has the number, ordered it or keeps it reserved."""
        return (
            phone_number in self.numbers
            or phone_number in self.held
            or self.reserved_by(phone_number) is not None
        )

    def reserved_by(self, phone_number: str) -> str | None:
        """The account that holds a reservation of the number."""
        account, expires_at = self.reserved.get(phone_number, (None, 0.0))
        return account if expires_at > time.time() else None

    def add_number(
        self,
        provider: str,
        account: str,
        phone_number: str,
        visible_from: float,
        values: Record,
    ) -> Record:
        """Put a number into an account, whatever became of money and permission."""
        now = time.time()
        twilio = provider == "twilio"
        defaults = (
            {"friendly_name": friendly(phone_number), "voice_url": "", "sms_url": ""}
            if twilio
            else {
                "connection_id": None,
                "messaging_profile_id": None,
                "customer_reference": None,
            }
        )
        record = {
            "provider": provider,
            "account": account,
            "phone_number": phone_number,
            "id": f"PN{uuid.uuid4().hex}" if twilio else long_id(),
            "kind": kind_of(phone_number),
            "country": country_of(phone_number),
            "features": sorted(features_of(phone_number)),
            "bought_at": now,
            "updated_at": now,
            "visible_from": visible_from,
            **defaults,
            **({"status_callback": ""} if twilio else {"tags": [], "status": "active"}),
            **values,
        }
        self.numbers[phone_number] = record
        self._by_id[record["id"]] = phone_number
        self.changed()
        return record

    def remove_number(self, record: Record) -> None:
        del self.numbers[record["phone_number"]]
        del self._by_id[record["id"]]
        self.changed()

    def find_number(self, provider: str, account: str, number_id: str) -> Record | None:
        """The account's number with that provider id, listed already or not."""
        record = self.numbers.get(self._by_id.get(number_id, ""))
        mine = record and record["account"] == account and record["provider"] == provider
        return record if mine else None

    def listed(self, provider: str, account: str) -> list[Record]:
        """The account's numbers that lists show by now, oldest first."""
        now = time.time()
        return [
            record
            for record in self.numbers.values()
            if record["account"] == account
            and record["provider"] == provider
            and record["visible_from"] <= now
        ]

    def remember_search(self, account: str, phone_numbers: list[str]) -> None:
        memory = self._searched.setdefault(account, {})
        now = time.time()
        memory.update(dict.fromkeys(phone_numbers, now))
        if len(memory) > 20_000:
            oldest = now - self.search_memory_seconds
            self._searched[account] = {k: at for k, at in memory.items() if at > oldest}

    def was_searched(self, account: str, phone_number: str) -> bool:
        at = self._searched.get(account, {}).get(phone_number, 0.0)
        return time.time() - at < self.search_memory_seconds

    def forget_search(self, account: str, phone_number: str) -> None:
        self._searched.get(account, {}).pop(phone_number, None)

    def first_time(self, what: str) -> bool:
        """True once for every `what`."""
        if what in self._marks:
            return False
        self._marks.add(what)
        self.changed()
        return True

    def record_call(self, call: Record) -> None:
        """Keep a call command, unless the call has had the same command_id already."""
        command_id = call["body"].get("command_id")
        if command_id:
            same = (call["call_control_id"], str(command_id))
            if same in self._commands:
                return
            self._commands.add(same)
        self.calls.append(call)
        del self.calls[:-_CALLS_KEPT]

    def changed(self) -> None:
        """Note that the file is out of date."""
        self._version += 1

    def save(self) -> None:
        """Write the file if something changed. Returns when the caller's changes are in it."""
        if self._file is None or self._saved == self._version:
            return
        mine = self._version
        with self._file_lock:
            if self._saved >= mine:  # another thread has written our change with its own
                return
            with self.lock:
                version = self._version
                values = {name: getattr(self, name) for name in _PERSISTED}
                text = json.dumps({**values, "version": 1, "marks": sorted(self._marks)})
            self._file.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._file.parent, prefix=f".{self._file.name}.")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(name, self._file)
            self._saved = version

    def snapshot(self, records: list[Record]) -> list[Record]:
        """Copies that the caller may keep."""
        return copy.deepcopy(records)

    def _load(self, file: Path) -> None:
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            for name in _PERSISTED:
                setattr(self, name, dict(values[name]))
            self._marks = set(values["marks"])
            self._by_id = {record["id"]: key for key, record in self.numbers.items()}
            for reservation in self.reservations.values():
                for item in reservation["items"]:
                    self.reserved[item["phone_number"]] = (
                        reservation["account"],
                        item["expires_at"],
                    )
            for order in self.orders.values():
                for item in order["items"]:
                    if item["status"] == "pending":
                        self.held[item["phone_number"]] = order["id"]
                        if item["due"] is not None:
                            heapq.heappush(self.due, (item["due"], order["id"]))
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.clear()
            aside = file.with_name(f"{file.name}.broken-{int(time.time())}")
            file.replace(aside)
            print(
                f"sandbox: {file} cannot be read ({error!r}); it is now {aside.name}, "
                "and the sandbox starts empty",
                file=sys.stderr,
            )


def long_id() -> str:
    """A new id as Telnyx's numbers and connections have them: an int64 of 19 digits."""
    return f"2{secrets.randbelow(10**18):018d}"


def friendly(phone_number: str) -> str:
    """The name that Twilio gives to a number by itself."""
    if len(phone_number) == 12 and phone_number.startswith("+1"):
        return f"({phone_number[2:5]}) {phone_number[5:8]}-{phone_number[8:]}"
    return phone_number
