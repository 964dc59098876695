"""A provider that has too many requests slows a bulk purchase, all of it, and never ends it."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.testing import NOWHERE, make_browser, orders_sent
from numbers import tasks
from numbers.clocks import scaled
from numbers.models import BulkItem, BulkPurchase
from numbers.services import bulk_work
from numbers.tests.pages import words
from numbers.tests.test_bulk import PATH, PROVIDERS, ask, jobs, step, told, work  # noqa: F401

WANTED = ["+14155551301", "+14155551302", "+14155551303"]
CODE = {"twilio": 20429, "telnyx": 10011}
ORDERS = {"method": "POST", "path": "IncomingPhoneNumbers|number_orders"}
SEARCHES = {"method": "GET", "path": "AvailablePhoneNumbers|available_phone_numbers"}
LISTED = {"criteria": None, "quantity": None, "phone_numbers": WANTED}


@pytest.fixture
def many(ask):  # noqa: F811
    return ask


def slow(sandbox, provider: str, where: dict, times: int | None = None, **headers: str) -> None:
    fault = {"status": 429, "code": CODE[provider], "times": times} | where
    sandbox.add_fault(**fault, headers={k.replace("_", "-"): v for k, v in headers.items()})


def owned(sandbox) -> list[str]:
    return sorted(one["phone_number"] for one in sandbox.owned())


@pytest.mark.parametrize("provider", PROVIDERS)
def test_orders_that_are_not_served_twenty_times_are_all_bought_in_the_end(
    client,
    many,
    sandbox,
    provider,
):
    slow(sandbox, provider, ORDERS, 20)

    response = many(provider=provider, **LISTED)
    work()

    answer = told(client, response)
    assert (answer["state"], answer["reason"]) == ("completed", None)
    assert (answer["progress"]["bought"], answer["progress"]["refused"]) == (3, 20)
    assert owned(sandbox) == WANTED
    assert len(orders_sent(sandbox)) == 23


@pytest.mark.parametrize("provider", PROVIDERS)
def test_searches_for_a_price_that_are_not_served_twenty_times_lose_nothing(
    client,
    many,
    sandbox,
    provider,
):
    slow(sandbox, provider, SEARCHES, 20)

    response = many(provider=provider, **LISTED, max_total_cost="9.00")
    work()

    answer = told(client, response)
    assert (answer["state"], answer["progress"]["bought"]) == ("completed", 3)
    assert answer["progress"]["refused"] == answer["progress"]["skipped"] == 0
    assert owned(sandbox) == WANTED
    assert len(orders_sent(sandbox)) == 3
    assert BulkItem.objects.count() == 3  # nothing was asked for them meanwhile


def test_a_search_for_more_numbers_waits_as_well(client, many, sandbox):
    slow(sandbox, "twilio", SEARCHES, 20)

    response = many(quantity=3)
    work()

    assert told(client, response)["progress"]["bought"] == len(owned(sandbox)) == 3


@pytest.mark.parametrize("where", [ORDERS, SEARCHES], ids=["orders", "searches"])
@pytest.mark.parametrize(
    ("provider", "headers", "seconds"),
    [
        ("twilio", {"Retry_After": "600"}, 600),
        ("telnyx", {"Retry_After": "600"}, 600),
        ("telnyx", {"x_ratelimit_reset": "90"}, 90),
        ("twilio", {"Retry_After": "1"}, 4),  # ours is longer
        ("twilio", {}, 4),
    ],
)
def test_the_pause_is_what_the_provider_asks_for_and_holds_for_every_lane(
    client,
    many,
    sandbox,
    provider,
    headers,
    seconds,
    where,
):
    slow(sandbox, provider, where, **headers)
    bulk_id = UUID(many(provider=provider, **LISTED, max_total_cost="9.00").json()["id"])
    pause = timedelta(seconds=scaled(seconds))

    before = timezone.now()
    bulk_work.buy_next(bulk_id, lane=0)
    after = timezone.now()

    bulk = BulkPurchase.objects.get()
    assert before + pause <= bulk.paused_until <= after + pause
    until = after + timedelta(hours=1)
    BulkPurchase.objects.update(paused_until=until)
    sandbox.clear_requests()
    ProcrastinateJob.objects.filter(task_name="numbers.tasks.buy_next")._raw_delete("default")
    for lane in range(3):
        bulk_work.buy_next(bulk_id, lane=lane)
    assert sandbox.requests() == []
    assert len(jobs()) == 3
    assert all(job.scheduled_at >= until for job in jobs())


def test_the_pause_is_doubled_up_to_five_minutes_and_short_again_afterwards(
    client,
    many,
    sandbox,
    settings,
):
    settings.CLOCK_SCALE = 1
    lengths = [bulk_work._pause(times).total_seconds() for times in range(1, 12)]
    assert lengths == [4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]
    slow(sandbox, "twilio", ORDERS, 20)
    many(criteria=None, quantity=None, phone_numbers=WANTED[:1])

    for _ in range(20):
        step()

    assert BulkPurchase.objects.get().slow_downs == 20
    work()
    assert (BulkPurchase.objects.get().slow_downs, owned(sandbox)) == (0, WANTED[:1])


def test_lanes_that_are_told_at_the_same_time_are_told_once(many, sandbox):
    slow(sandbox, "twilio", ORDERS, Retry_After="60")
    many(**LISTED)
    bulk = BulkPurchase.objects.select_related("organization").get()
    for lane in range(3):
        item = bulk_work._take(bulk, lane)
        bulk_work._buy(bulk, item)

    bulk.refresh_from_db()
    assert bulk.slow_downs == 1
    assert len(orders_sent(sandbox)) == 3


def test_the_pause_is_told_and_can_be_cancelled(client, many, sandbox, organization):
    slow(sandbox, "telnyx", ORDERS, Retry_After="3600")
    response = many(provider="telnyx", **LISTED)
    step()

    until = BulkPurchase.objects.get().paused_until
    answer = told(client, response)
    assert answer["state"] == "running"
    assert answer["progress"]["paused_until"] == until.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (answer["progress"]["waiting"], answer["progress"]["refused"]) == (3, 1)
    page = make_browser(organization, "member").get(f"/buy/many/{answer['id']}")
    assert f"Telnyx asks us to slow down; going on at {until:%H:%M:%S} UTC." in words(page)

    cancelled = client.post(f"{PATH}/{answer['id']}/cancel").json()
    assert (cancelled["state"], cancelled["progress"]["paused_until"]) == ("cancelled", None)
    sandbox.clear_requests()
    work()
    assert (orders_sent(sandbox), jobs()) == ([], [])


def test_only_a_provider_that_cannot_be_reached_is_given_up(
    client,
    many,
    sandbox,
    settings,
):
    """However often it asked us to slow down before."""
    slow(sandbox, "twilio", ORDERS, 12)
    response = many(criteria=None, quantity=None, phone_numbers=WANTED[:1])
    for _ in range(12):
        step()
    settings.TWILIO_API_BASE_URL = settings.TWILIO_PRICING_BASE_URL = NOWHERE

    for _ in range(7):
        step()
    assert told(client, response)["state"] == "running"
    work()

    answer = told(client, response)
    assert (answer["state"], answer["reason"]["code"]) == ("stopped", "provider_unreachable")
    assert answer["reason"]["detail"].endswith("It was tried 8 times.")
    assert owned(sandbox) == []


def test_a_number_whose_turn_comes_again_is_never_forgotten(
    client,
    many,
    sandbox,
    monkeypatch,
):
    """Killed between writing down that it was not bought and putting it on the list again."""
    slow(sandbox, "twilio", ORDERS, 1)
    response = many(criteria=None, quantity=None, phone_numbers=WANTED[:1])
    with monkeypatch.context() as patch:
        patch.setattr(bulk_work, "_add", lambda *args, **kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            work()

    tasks.resume_bulks(0)
    work()

    answer = told(client, response)
    assert (answer["state"], answer["progress"]["bought"]) == ("completed", 1)
    assert owned(sandbox) == WANTED[:1]
