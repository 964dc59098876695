"""A comparison takes the memory of a batch and the statements of its batches, however many numbers
an account has; what it sets aside lies on disk and is gone afterwards.

The provider is `responses`, which makes each page when it is asked for: the sandbox runs in this
process, and its own memory would be measured as well.
"""

import gc
import json
import logging
import os
import re
import stat
import tracemalloc
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses
from django.db import connection
from django.test.utils import CaptureQueriesContext

from burki.testing import CONNECTION, PROFILE, SYSTEM
from numbers.inventory import Report, compare_account
from numbers.models import Finding, PhoneNumber
from numbers.sandbox.signing import telnyx_public_key
from numbers.tests.inventories import ELSEWHERE, TWIML, WEBHOOK, account_of, compared, minutes_pass
from organizations.models import Organization, ProviderAccount

BOTH = pytest.mark.parametrize("provider", ["twilio", "telnyx"])
PAGE = 100
ROUTING = {
    "twilio": {"voice_url": TWIML, "sms_url": TWIML},
    "telnyx": {"connection_id": CONNECTION, "messaging_profile_id": PROFILE},
}
ENDPOINTS = {
    "call_control_applications": {"application_name": "Desk", "webhook_event_url": WEBHOOK,
                                  "id": CONNECTION},
    "messaging_profiles": {"name": "Desk", "webhook_url": WEBHOOK, "id": PROFILE},
}  # fmt: skip

pytestmark = [pytest.mark.django_db, pytest.mark.walk, pytest.mark.usefixtures("patience")]


class Listing:
    """An account that has `count` numbers, from +14160000000 on, routed to us. `before_page` is
    called with each page of numbers before it is answered, and may answer instead."""

    def __init__(self, network: responses.RequestsMock, provider: str):
        self.provider, self.count, self.over = provider, 0, {}
        self.before_page: Callable[[int], tuple[int, dict, str] | None] = lambda page: None
        self._network = network
        network.add_callback("GET", re.compile("http://127.0.0.1:9/.*"), self._answer)

    def _answer(self, request: requests.PreparedRequest) -> tuple[int, dict, str]:
        for keeps in (self._network, *self._network.registered()):
            keeps.calls.reset()  # with every page
        path, query = urlsplit(request.url).path, parse_qs(urlsplit(request.url).query)
        name = path.rpartition("/")[2].removesuffix(".json")
        if name in ENDPOINTS:
            return self._telnyx([ENDPOINTS[name]], 1)
        if name == "public_key":
            return self._as_json({"data": {"public": telnyx_public_key("KEYacme")}})
        page = int((query.get("page[number]") or query.get("Page") or ["0"])[0])
        page -= self.provider == "telnyx"  # it counts from one
        if (instead := self.before_page(page)) is not None:
            return instead
        lines = range(page * PAGE, min(self.count, (page + 1) * PAGE))
        if self.provider == "telnyx":
            return self._telnyx([self._number(line) for line in lines], -(-self.count // PAGE))
        following = f"{path}?Page={page + 1}" if lines.stop < self.count else None
        rows = [self._number(line) for line in lines]
        return self._as_json({"incoming_phone_numbers": rows, "next_page_uri": following})

    def _number(self, line: int) -> dict:
        provider = self.provider
        named = {"sid" if provider == "twilio" else "id": id_of(provider, line)}
        return named | {"phone_number": number_of(line)} | ROUTING[provider] | self.over

    def _telnyx(self, rows: list[dict], pages: int) -> tuple[int, dict, str]:
        return self._as_json({"data": rows, "meta": {"total_pages": pages}})

    def _as_json(self, body: dict) -> tuple[int, dict, str]:
        return 200, {}, json.dumps(body)


def number_of(line: int) -> str:
    return f"+1416{line:07}"


def id_of(provider: str, line: int) -> str:
    return f"PN{line:032}" if provider == "twilio" else str(7 * 10**18 + line)


@pytest.fixture
def listing(provider, settings) -> Iterator[Listing]:
    settings.SETTLE_CLOCK_SCALE = 1  # no ghost is due
    with responses.RequestsMock(assert_all_requests_are_fired=False) as network:
        yield Listing(network, provider)


@pytest.fixture
def small_batches(monkeypatch) -> int:
    """So that few numbers are many batches; how many are one."""
    for room in ("inventory", "services.findings", "services.spool"):
        monkeypatch.setattr(f"numbers.{room}.BATCH", 20)
    return 20


def make_rows(organization: Organization, provider: str, lines: range) -> ProviderAccount:
    """Rows of ours as the listing has them; the account they are in."""
    account = account_of(organization, provider)
    PhoneNumber.objects.bulk_create(
        PhoneNumber(
            organization=organization,
            account=account,
            provider=provider,
            status="active",
            phone_number=number_of(line),
            friendly_name=f"Line {line}",
            provider_number_id=id_of(provider, line),
            **ROUTING[provider],
        )
        for line in lines
    )
    return account


def verdicts() -> set[str]:
    return set(PhoneNumber.objects.values_list("webhook_verdict", flat=True))


# --- Memory ---------------------------------------------------------------------------------------


@pytest.fixture
def tidy() -> Iterator[None]:
    """What nobody holds any more goes at once, and no log is kept, so that both are not counted."""
    logging.disable()
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(2000, 2, 2)
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    logging.disable(logging.NOTSET)


def peak_of(account: ProviderAccount) -> tuple[int, Report]:
    """The most that a comparison had allocated at a time, as the hourly job makes it."""
    tracemalloc.start()
    try:
        report = compare_account(account, actor=SYSTEM, dry_run=False, wants_findings=False)
        return tracemalloc.get_traced_memory()[1], report
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("provider", ["telnyx"])
def test_five_times_the_numbers_take_the_same_memory(organization, listing, provider):
    account = make_rows(organization, provider, range(600))
    listing.count = 10
    peak_of(account)  # what is allocated once
    listing.count = 600
    few, _ = peak_of(account)
    make_rows(organization, provider, range(600, 3000))
    listing.count = 3000

    many, report = peak_of(account)

    assert (report.listed, report.matched) == (3000, 3000)
    assert verdicts() == {"verified"}
    assert many <= 1.3 * few, (few, many)


@pytest.mark.parametrize(
    ("provider", "kind"), [("twilio", "orphan"), ("twilio", "ghost"), ("telnyx", "drift")]
)
def test_more_disagreements_take_hardly_more_memory(
    organization, listing, tidy, small_batches, monkeypatch, provider, kind
):
    """As with a new customer, with a key of another account, or after PUBLIC_BASE_URL changed.
    One that was held would take some kilobytes; the interpreter keeps a few hundred bytes."""
    monkeypatch.setattr("numbers.services.findings._MOST_ORPHANS", 20)
    account = account_of(organization, provider)
    listing.over = {
        "orphan": {},
        "ghost": {"sid": "PN" + "f" * 32},
        "drift": {"connection_id": "1"},
    }[kind]
    peaks = []
    for count in (10, 60, 360):  # the first allocates what is allocated once
        if kind != "orphan":
            make_rows(organization, provider, range(listing.count, count))
        listing.count = count
        peak, report = peak_of(account)
        peaks.append(peak)

        assert report.counts[kind] == Finding.objects.open().count() == count
        assert (report.findings, len(report.orphans) <= 20) == ([], True)

    assert peaks[2] - peaks[1] < 300 * 1000, peaks


# --- Statements -----------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["twilio"])
@pytest.mark.parametrize("over", [{}, {"voice_url": ELSEWHERE}], ids=["agree", "drift"])
def test_each_batch_costs_the_same_statements(organization, listing, small_batches, provider, over):
    first, again = [], []
    listing.over = over
    for batches in (1, 2, 3):
        account = make_rows(organization, provider, range(listing.count, small_batches * batches))
        listing.count = small_batches * batches
        for counts in (first, again):
            with CaptureQueriesContext(connection) as captured:
                compare_account(account, actor=SYSTEM, dry_run=False)
            counts.append(len(captured))

    assert again[1] - again[0] == again[2] - again[1] <= 14
    assert first[2] - again[2] <= 4  # what is new is written in the same batches


# --- Trouble in the middle ------------------------------------------------------------------------


def everything_found() -> list[dict]:
    return list(Finding.objects.order_by("pk").values())


@BOTH
@pytest.mark.parametrize("fault", [(500, {}, ""), (200, {}, "{}"), (200, {}, "{")], ids=str)
def test_a_fault_in_the_middle_changes_no_finding(organization, listing, provider, fault):
    """The first pages hold all of our numbers; what is missing has not been read yet."""
    account = make_rows(organization, provider, range(10))
    listing.over = {"voice_url": ELSEWHERE, "connection_id": "1"}
    listing.count = 20
    compared(account)
    minutes_pass()
    before = everything_found()
    listing.over, listing.count = {}, 5 * PAGE
    listing.before_page = lambda page: fault if page == 3 else None

    report = compare_account(account, actor=SYSTEM, dry_run=False)

    assert report.failure.code == "provider_unreachable"
    assert (report.listed, report.findings, report.orphans) == (0, [], [])
    assert report.counts == {"orphan": 0, "ghost": 0, "drift": 0}
    assert (len(before), everything_found()) == (20, before)
    assert verdicts() == {"unreachable"}


@pytest.mark.parametrize("provider", ["telnyx"])
def test_a_row_that_changed_before_a_fault_is_not_judged(organization, listing, provider):
    account = make_rows(organization, provider, range(2))
    changed, same = PhoneNumber.objects.order_by("pk")
    listing.count = 2 * PAGE

    def meanwhile(page):
        PhoneNumber.objects.filter(pk=changed.pk).update(connection_id="1")
        return (500, {}, "") if page == 1 else None

    listing.before_page = meanwhile

    assert compare_account(account, actor=SYSTEM, dry_run=False).failure is not None

    changed.refresh_from_db()
    same.refresh_from_db()
    assert (changed.webhook_verdict, same.webhook_verdict) == ("", "unreachable")


# --- On disk --------------------------------------------------------------------------------------


def nameless_files() -> set[int]:
    """Files that this process holds open and that have no name any more."""
    found = set()
    for handle in os.listdir("/dev/fd"):
        try:
            file = os.fstat(int(handle))
        except OSError:  # the folder itself, which is closed by now
            continue
        if stat.S_ISREG(file.st_mode) and file.st_nlink == 0:
            found.add(file.st_ino)
    return found


@pytest.mark.parametrize("provider", ["twilio"])
@pytest.mark.parametrize("fault", [None, (500, {}, ""), RuntimeError()], ids=str)
def test_the_file_has_no_name_and_is_gone_afterwards(
    organization, listing, provider, monkeypatch, tmp_path, fault
):
    """Also when the comparison fails, at the provider or by a bug; and were the process killed."""
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    account = make_rows(organization, provider, range(2))
    listing.count = 40 * PAGE
    before, there = nameless_files(), []

    def look(page):
        if page == 39:
            there.append((nameless_files() - before, os.listdir(tmp_path)))
            if isinstance(fault, Exception):
                raise fault
            return fault
        return None

    listing.before_page = look

    if isinstance(fault, Exception):
        with pytest.raises(RuntimeError):
            compare_account(account, actor=SYSTEM, dry_run=False)
    else:
        compare_account(account, actor=SYSTEM, dry_run=False)

    ((files, names),) = there
    assert (len(files), names) == (1, [])
    assert (nameless_files() - before, os.listdir(tmp_path)) == (set(), [])


# --- What a list may hold -------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["telnyx"])
def test_a_number_that_is_listed_twice_is_one_and_the_last_counts(organization, listing, provider):
    """Numbers move to another page while a list is read."""
    account = make_rows(organization, provider, range(1))
    listing.count = 2 * PAGE
    listing.over = {"phone_number": number_of(0), "id": id_of(provider, 1)}

    def last_is_ours(page):
        if page == 1:
            listing.over = {"phone_number": number_of(0), "id": id_of(provider, 0)}

    listing.before_page = last_is_ours

    report = compared(account)

    assert (report.matched, report.findings, verdicts()) == (1, [], {"verified"})


@BOTH
def test_text_that_no_database_takes_is_an_orphan_like_others(organization, listing, provider):
    account = account_of(organization, provider)
    listing.count = 1
    listing.over = {"phone_number": "+1416\0\ud800", "id": "7\0\udfff", "sid": "PN\0\udfff"}

    report = compared(account)

    assert [finding.phone_number for finding in report.findings] == ["+1416"]
    assert [owned.phone_number for owned in report.orphans] == ["+1416\0\ud800"]
