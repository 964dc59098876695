"""Listing everything in an account: all of it, or an error. Half a list would make ghosts."""

import pytest

from burki.testing import ACME_SID, CONNECTION, PROFILE, TELNYX_KEY, TWILIO_TOKEN
from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import ProviderError
from numbers.providers import telnyx_client, twilio
from numbers.providers.base import Credentials, NumberProvider, Routing
from numbers.providers.registry import driver_for

ACCOUNTS = {"twilio": ACME_SID, "telnyx": "KEYacme"}
LISTS = {"twilio": "IncomingPhoneNumbers.json", "telnyx": "/phone_numbers"}
FIVE = [f"+1415555100{n}" for n in range(5)]

pytestmark = pytest.mark.django_db


def driver(provider: str, seconds: float = clocks.REQUEST) -> NumberProvider:
    secret = TWILIO_TOKEN if provider == "twilio" else TELNYX_KEY
    credentials = Credentials(
        provider=provider, key=f"list-{provider}", secret=secret, account_sid=ACME_SID
    )
    return driver_for(credentials, Deadline.after(seconds))


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr(twilio, "_PAGE", 2)
    monkeypatch.setattr(telnyx_client, "_PAGE", 2)


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_every_page_is_read_and_nobody_elses_numbers(sandbox, small_pages, provider):
    for number in FIVE:
        sandbox.own(provider=provider, account=ACCOUNTS[provider], phone_number=number)
    sandbox.own(provider=provider, account="KEYother", phone_number="+14155559999")

    found = list(driver(provider).list_numbers())

    assert [number.phone_number for number in found] == FIVE
    assert all(number.number_id and number.in_service for number in found)
    assert len(sandbox.requests(path_contains=LISTS[provider])) == 3


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_an_empty_account_is_an_empty_list(sandbox, provider):
    assert list(driver(provider).list_numbers()) == []


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 401},
        {"status": 429},
        {"status": 404},
        {"action": "garbage"},
        {"action": "truncate"},
        {"action": "drop"},
        {"action": "redirect"},
        {"body": {}},
        {"body": {"errors": []}},
        {"body": {"data": [], "meta": {}}},
        {"body": {"data": [{"status": "active"}], "meta": {"total_pages": 2}}},
        {"body": {"incoming_phone_numbers": []}},
        {"body": {"incoming_phone_numbers": None, "next_page_uri": None}},
        {"body": {"incoming_phone_numbers": [{"sid": "PN1"}], "next_page_uri": None}},
        {"body": {"incoming_phone_numbers": [], "next_page_uri": None}, "status": 204},
    ],
    ids=str,
)
def test_anything_but_a_complete_list_is_an_error(sandbox, small_pages, provider, fault):
    """The first page is good; what is wrong comes with the second."""
    for number in FIVE:
        sandbox.own(provider=provider, account=ACCOUNTS[provider], phone_number=number)
    sandbox.add_fault(method="GET", path=LISTS[provider], headers={"X-Good": "1"})
    sandbox.add_fault(method="GET", path=LISTS[provider], times=None, **fault)

    with pytest.raises(ProviderError):
        list(driver(provider).list_numbers())

    assert len(sandbox.requests(path_contains=LISTS[provider])) == 2


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_a_list_that_never_ends_ends_with_the_deadline(sandbox, small_pages, provider):
    for number in FIVE:
        sandbox.own(provider=provider, account=ACCOUNTS[provider], phone_number=number)
    sandbox.add_fault(method="GET", path=LISTS[provider], times=None, delay=8)

    with pytest.raises(ProviderError):
        list(driver(provider, seconds=3).list_numbers())


def test_telnyx_tells_numbers_that_are_gone_and_that_are_not_there_yet(sandbox):
    statuses = ["active", "deleted", "purchase-pending", "ported-out", "a-new-word"]
    for number, status in zip(FIVE, statuses, strict=True):
        sandbox.own(provider="telnyx", account="KEYacme", phone_number=number, status=status)

    found = list(driver("telnyx").list_numbers())

    assert [(number.phone_number, number.in_service) for number in found] == [
        (FIVE[0], True),
        (FIVE[2], False),
        (FIVE[4], True),
    ]


def test_telnyx_lists_connections_and_profiles(sandbox):
    sandbox.own(
        provider="telnyx",
        account="KEYacme",
        phone_number=FIVE[0],
        connection_id=CONNECTION,
        messaging_profile_id=PROFILE,
        customer_reference="ours",
    )

    (number,) = driver("telnyx").list_numbers()

    assert number.routing == Routing(connection_id=CONNECTION, messaging_profile_id=PROFILE)
    assert number.reference == "ours"
    (sent,) = sandbox.requests(path_contains="/phone_numbers")
    assert "handle_messaging_profile_error" not in sent.query


def test_twilio_tells_what_makes_an_address_be_ignored_and_takes_it_away(sandbox):
    elsewhere = {
        "voice_application_sid": "AP" + "1" * 32,
        "trunk_sid": "TK" + "2" * 32,
        "sms_application_sid": "AP" + "3" * 32,
        "voice_method": "GET",
    }
    sandbox.own(provider="twilio", account=ACME_SID, phone_number=FIVE[0], **elsewhere)
    (number,) = driver("twilio").list_numbers()
    calls = Routing(voice_url="https://burki.test/twiml")

    driver("twilio").configure(
        number.number_id, calls, clear=["voice_application_sid", "trunk_sid", "voice_method"]
    )

    assert number.overrides == elsewhere
    (after,) = driver("twilio").list_numbers()
    assert after.overrides == {"sms_application_sid": "AP" + "3" * 32}
    assert (after.routing.voice_url, after.routing.sms_url) == (calls.voice_url, "")
