"""Anything, in any order: purchases, repeats, crashes, settling, releases, limits and provider
faults over two organizations. Whatever happens, the promise holds.

Hypothesis chooses the steps; the sandbox answers over HTTP. A crash is an exception that no code
of ours may catch, raised at a named event.
"""

import itertools
import logging
import os
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from burki.errors import BurkiError
from burki.testing import SYSTEM, make_organization, make_telnyx_account
from numbers import reconcile
from numbers.inventory import compare_account, sync_organization
from numbers.models import PhoneNumber, Purchase, Release
from numbers.sandbox import SandboxServer
from numbers.services import spending
from numbers.services.purchase import purchase_number
from numbers.services.release import release_number
from organizations.models import AuditEvent, ProviderAccount

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
# 2,000 examples in make test-all, 50 in make test. In parts, each in a transaction of its own: it
# grows slow with what it holds.
PARTS, EXAMPLES = (20, 100) if THOROUGH else (1, 50)
PLATFORM_SID = "AC" + "e" * 32

# Normal numbers, and scenarios of each kind: refused, lost before and after, late, half done.
DIGITS = [
    *("1001", "1002", "5001", "0001", "0010", "0011", "0020", "0021", "0022", "0024", "0026"),
    *("0027", "0030", "0042", "0050", "0051", "0053", "0054", "0055", "0070", "0071"),
]
PURCHASE_EVENTS = [f"purchase.{word}" for word in ("claimed", "sending", "answered", "recorded")]
RELEASE_EVENTS = [f"release.{word}" for word in ("claimed", "sending", "answered", "recorded")]
FAULTS = [{"action": "drop"}, {"action": "drop", "apply": True}, {"status": 500},
          {"status": 500, "apply": True}, {"action": "garbage", "apply": True}]  # fmt: skip
_examples = itertools.count()


class Killed(BaseException):
    """The process is gone: no `except Exception` of ours may survive it."""


class KillAt(logging.Handler):
    event = ""

    def emit(self, record: logging.LogRecord) -> None:
        if self.event and record.event == self.event:
            self.event = ""
            raise Killed


class Promise(RuleBasedStateMachine):
    sandbox = None

    @initialize()
    def begin(self) -> None:
        self.sandbox.reset()
        # Numbers of this example alone: rows of earlier ones stay, they are never deleted.
        example = next(_examples)
        self.prefix = f"+1{201 + example % 700}{200 + example // 700}"
        self.organizations = [make_organization(n, accounts=False) for n in ("One", "Two")]
        for organization in self.organizations:  # Twilio is the platform's account, shared
            make_telnyx_account(organization)
        self.keys = itertools.count()
        self.asked: list[dict] = []
        self.foreign: dict[str, dict] = {}
        self.by_hand: set[str] = set()
        self.kill = KillAt()
        logging.getLogger("burki.events").addHandler(self.kill)

    def number(self, digits: str) -> str:
        return f"{self.prefix}{digits}"

    def buy(self, arguments: dict) -> None:
        organization = arguments["organization"]
        organization.refresh_from_db()
        limit = organization.monthly_limit
        claims = AuditEvent.objects.filter(organization=organization, action="purchase.claimed")
        before = claims.count()
        try:
            purchase_number(actor=SYSTEM, assistant_id=None, friendly_name="", **arguments)
        except (BurkiError, Killed):
            pass
        finally:
            self.kill.event = ""
        if limit is not None and claims.count() > before:
            assert spending.committed(organization) <= limit

    @rule(
        who=st.integers(0, 1),
        digits=st.sampled_from(DIGITS),
        provider=st.sampled_from(["twilio", "telnyx"]),
        keyed=st.booleans(),
        crash=st.sampled_from(["", "", *PURCHASE_EVENTS]),
    )
    def buys(self, who, digits, provider, keyed, crash) -> None:
        arguments = {
            "organization": self.organizations[who],
            "provider": provider,
            "phone_number": self.number(digits),
            "idempotency_key": f"api:{next(self.keys)}" if keyed else None,
        }
        self.asked.append(arguments)
        self.kill.event = crash
        self.buy(arguments)

    @rule(which=st.integers(0, 50))
    def repeats(self, which) -> None:
        if self.asked:
            self.buy(self.asked[which % len(self.asked)])

    @rule(fault=st.sampled_from(FAULTS))
    def the_provider_fails_once(self, fault) -> None:
        self.sandbox.add_fault(method="POST", path="IncomingPhoneNumbers|number_orders", **fault)

    @rule(status=st.sampled_from([401, 429, 500]))
    def a_look_up_fails_once(self, status) -> None:
        self.sandbox.add_fault(
            method="GET", path="IncomingPhoneNumbers|phone_numbers", status=status
        )

    @rule(crash=st.sampled_from(["", "", "purchase.looked", "purchase.recorded"]))
    def the_worker_settles(self, crash) -> None:
        self.kill.event = crash
        try:
            self.settle()
        except Killed:
            pass
        finally:
            self.kill.event = ""

    @rule(
        which=st.integers(0, 50),
        crash=st.sampled_from(["", "", *RELEASE_EVENTS]),
        keyed=st.booleans(),
    )
    def releases(self, which, crash, keyed) -> None:
        owned = [n for n in self.rows() if n.status == "active"]
        if not owned:
            return
        number = owned[which % len(owned)]
        self.kill.event = crash
        try:
            release_number(
                actor=SYSTEM,
                organization=number.organization,
                phone_number=number.phone_number,
                provider=number.provider,
                idempotency_key=f"api:{next(self.keys)}" if keyed else None,
            )
        except (BurkiError, Killed):
            pass
        finally:
            self.kill.event = ""

    @rule(who=st.integers(0, 1), limit=st.sampled_from([None, "0", "1.00", "2.50", "10"]))
    def the_limit_changes(self, who, limit) -> None:
        organization = self.organizations[who]
        organization.monthly_limit = limit and Decimal(limit)
        organization.save(update_fields=["monthly_limit"])

    @rule(digits=st.sampled_from(["1001", "1002"]))
    def somebody_else_buys_it_at_twilio(self, digits) -> None:
        number = self.number(digits)
        if not any(o["phone_number"] == number for o in self.sandbox.owned()):
            self.foreign[number] = self.sandbox.own(
                provider="twilio", account="AC" + "f" * 32, phone_number=number
            )

    @rule(who=st.integers(0, 1), digits=st.sampled_from(["1003", "5002"]))
    def its_owner_buys_one_by_hand_at_telnyx(self, who, digits) -> None:
        """In the organization's own account, past us: ours only after a sync."""
        number = self.number(digits)
        if not any(o["phone_number"] == number for o in self.sandbox.owned()):
            account = self.telnyx(who).secret.partition(".")[0]
            self.sandbox.own(provider="telnyx", account=account, phone_number=number)
            self.by_hand.add(number)

    @rule(who=st.integers(0, 1))
    def the_telnyx_key_is_rotated(self, who) -> None:
        account = self.telnyx(who)
        account.secret = f"{account.secret.partition('.')[0]}.key-{next(self.keys)}-0123456789"
        account.save(update_fields=["encrypted_credentials"])

    @rule(who=st.integers(0, 1), sync=st.booleans())
    def the_inventory_is_compared(self, who, sync) -> None:
        """Comparing changes nothing; a sync adopts what the owner bought by hand."""
        before = {n.pk: n.status for n in self.rows()}
        try:
            if sync:
                sync_organization(actor=SYSTEM, organization=self.organizations[who])
                return
            compare_account(self.telnyx(who), actor=SYSTEM, dry_run=False)
        except BurkiError:
            pass
        assert {n.pk: n.status for n in self.rows() if n.pk in before} == before

    def telnyx(self, who: int) -> ProviderAccount:
        return self.organizations[who].provider_accounts.get(provider="telnyx")

    def rows(self) -> list[PhoneNumber]:
        return list(
            PhoneNumber.objects.select_related("organization")
            .filter(organization__in=self.organizations)
            .order_by("pk")
        )

    def settle(self) -> int:
        """One look at everything in doubt; how much still is."""
        doubtful = 0
        for model, settle, final in (
            (Purchase, reconcile.settle_purchase, {"completed", "refused"}),
            (Release, reconcile.settle_release, {"released", "refused"}),
        ):
            for row in model.objects.filter(organization__in=self.organizations):
                if row.state not in final:
                    doubtful += settle(row.pk, actor=SYSTEM).state not in final
        return doubtful

    def teardown(self) -> None:
        if not hasattr(self, "kill"):
            return
        logging.getLogger("burki.events").removeHandler(self.kill)
        self.sandbox.clear_faults()
        for _ in range(60):
            if not self.settle():
                break
        else:
            raise AssertionError("something never settles")
        self.check()

    def check(self) -> None:
        rows = self.rows()
        live = {n.provider_number_id: n for n in rows if n.status != "released"}
        owned = {o.get("sid") or o["id"]: o for o in self.sandbox.owned()}
        ours = {key: o for key, o in owned.items() if o["phone_number"] not in self.foreign}
        # Everything bought through us is known, active and the right one; nothing else is, but
        # for what was bought by hand and adopted.
        assert set(live) <= set(ours)
        unknown = {o["phone_number"] for key, o in ours.items() if key not in live}
        assert unknown <= self.by_hand
        for key, number in live.items():
            assert number.status == "active"
            assert number.phone_number == ours[key]["phone_number"]
        # Nobody else's number was touched.
        for number, before in self.foreign.items():
            (now,) = (o for o in owned.values() if o["phone_number"] == number)
            assert now == before
        # Every state has its event.
        for model in (Purchase, Release):
            for row in model.objects.filter(organization__in=self.organizations):
                kind = model.__name__.lower()
                assert AuditEvent.objects.filter(
                    action=f"{kind}.{row.state}", object_id=str(row.pk)
                ).exists(), row
                assert row.needs_attention_at is None, row.attention_reason


@pytest.mark.parametrize("part", range(PARTS))
def test_the_promise_holds_whatever_happens(part, db, settings):
    settings.TWILIO_ACCOUNT_SID = PLATFORM_SID
    settings.TWILIO_AUTH_TOKEN = "platform-token"
    settings.SETTLE_CLOCK_SCALE = 0.0001
    # The provider's delays shrink as settling does: a number is listed long before it is given up.
    with SandboxServer(time_scale=0.0005) as quick:
        settings.TWILIO_API_BASE_URL = settings.TWILIO_PRICING_BASE_URL = quick.url
        settings.TELNYX_API_BASE_URL = f"{quick.url}/v2"
        machine = seed(part)(type("Promise", (Promise,), {"sandbox": quick}))
        run_state_machine_as_test(machine, settings=profile)


profile = settings(
    max_examples=EXAMPLES,
    stateful_step_count=12,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
