"""The web process or PostgreSQL dies or is stopped in the middle of a purchase or a release: at
most one request reaches the provider, everything is recorded, and a repeat is told the truth."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
import requests

from burki.tests.processes import (
    CLOCK_SCALE,
    PROVIDERS,
    SETTLE_CLOCK_SCALE,
    Attempt,
    Web,
    World,
    running_world,
    wait_until,
)
from numbers import clocks

pytestmark = pytest.mark.slow

BUY, RELEASE = "/phone-numbers/purchase", "/phone-numbers/release"
MOMENTS = ("claimed", "sending", "answered", "recorded")

BOUGHT_AT_ONCE = ["purchase.claimed", "purchase.completed"]
FOUND = ["purchase.claimed", "purchase.uncertain", "purchase.completed"]
NOT_FOUND = ["purchase.claimed", "purchase.uncertain", "purchase.refused"]


@dataclass(frozen=True)
class Site:
    """The world of this module: one organization, a web server and a worker that do not crash."""

    world: World
    web: Web
    api_key: str

    def send(self, path: str, attempt: Attempt, web: Web | None = None) -> requests.Response | None:
        return (web or self.web).post(path, attempt.body, api_key=self.api_key, key=attempt.key)

    def bought(self, provider: str) -> Attempt:
        attempt = self.world.attempt(provider)
        assert self.send(BUY, attempt).status_code == 200
        return attempt

    def deletes(self, attempt: Attempt) -> int:
        """How many requests to delete the number reached its provider."""
        query = "SELECT provider_number_id FROM numbers_phonenumber WHERE phone_number = %s"
        (number,) = self.world.postgres.rows(query, attempt.phone_number)
        sent = self.world.sandbox.requests(method="DELETE")
        return sum(number["provider_number_id"] in request.path for request in sent)


@pytest.fixture(scope="module")
def site():
    with running_world() as world:
        api_key = world.make_tenants(Acme={})["Acme"]
        with world.web(processes=2) as web, world.worker():
            yield Site(world, web, api_key)


def crash(site: Site, event: str, path: str, attempts: list[Attempt]) -> None:
    """Send each request to a web server whose process kills itself at `event`. Whoever asks again
    before it is settled is told that it is not known yet, never that it failed."""
    not_yet = ("purchase_in_progress", "release_in_progress", "outcome_unknown")
    with site.world.web(CRASH_AT=event) as crashing:
        for attempt in attempts:
            assert site.send(path, attempt, crashing) is None
            repeat = site.send(path, attempt)
            if event.endswith(("claimed", "sending")) or repeat.status_code != 200:
                assert not event.endswith("recorded"), repeat.text
                assert repeat.status_code in (409, 504) and repeat.json()["code"] in not_yet
                assert repeat.headers["Retry-After"].isdecimal()


def test_the_scaled_clocks_keep_their_order():
    """A purchase is doubted only when its order is over, answered or not."""
    sent = (clocks.SEND_WITHIN + clocks.ORDER_POST) * CLOCK_SCALE
    assert sent < clocks.DOUBT_AFTER * SETTLE_CLOCK_SCALE


# --- The web process is killed ------------------------------------------------------------------


@pytest.fixture(scope="module")
def killed_purchases(site):
    """By moment and provider; what they have in common is the waiting."""
    killed = {}
    for moment in MOMENTS:
        attempts = [site.world.attempt(provider) for provider in PROVIDERS]
        crash(site, f"purchase.{moment}", BUY, attempts)
        killed |= {(moment, attempt.provider): attempt for attempt in attempts}
    return killed


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("moment", ["claimed", "sending"])
def test_a_purchase_killed_before_its_order_left_is_refused_and_nothing_was_sent(
    site, killed_purchases, moment, provider
):
    attempt = killed_purchases[moment, provider]

    purchase = site.world.settled_purchase(attempt)
    repeat = site.send(BUY, attempt)

    assert (purchase["state"], purchase["evidence"]) == ("refused", "not_found")
    assert site.world.story(purchase) == NOT_FOUND
    assert (repeat.status_code, repeat.json()["charged"]) == (500, False)
    assert repeat.json()["purchase_id"] == str(purchase["id"])
    assert site.world.posts(attempt) == 0
    site.world.assert_inventories_agree(attempt)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("moment", "story"), [("answered", FOUND), ("recorded", BOUGHT_AT_ONCE)])
def test_a_purchase_killed_after_the_provider_accepted_is_found_and_not_ordered_again(
    site, killed_purchases, moment, story, provider
):
    attempt = killed_purchases[moment, provider]

    purchase = site.world.settled_purchase(attempt)
    repeat = site.send(BUY, attempt)

    assert purchase["state"] == "completed"
    assert site.world.story(purchase) == story
    assert (repeat.status_code, repeat.json()["phone_number"]) == (200, attempt.phone_number)
    assert repeat.headers["Idempotent-Replayed"] == "true"
    assert repeat.headers["Purchase-Id"] == str(purchase["id"])
    assert site.world.posts(attempt) == 1
    site.world.assert_inventories_agree(attempt)


@pytest.fixture(scope="module")
def killed_releases(site):
    killed = {}
    for moment in MOMENTS:
        bought = [site.bought(provider) for provider in PROVIDERS]
        crash(site, f"release.{moment}", RELEASE, bought)
        killed |= {(moment, attempt.provider): attempt for attempt in bought}
    return killed


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("moment", ["claimed", "sending"])
def test_a_release_killed_before_it_left_ends_with_the_number_ours(
    site, killed_releases, moment, provider
):
    attempt = killed_releases[moment, provider]

    release = site.world.settled_release(attempt)
    repeat = site.send(RELEASE, attempt)

    assert release["state"] == "refused"
    assert site.world.story(release) == ["release.claimed", "release.uncertain", "release.refused"]
    assert repeat.status_code == 500
    assert repeat.json()["detail"] == f"Failed to release phone number from {provider}"
    assert site.deletes(attempt) == 0
    site.world.assert_inventories_agree(attempt)
    again = Attempt(provider, attempt.phone_number, f"{attempt.key}-again")
    assert site.send(RELEASE, again).status_code == 200
    site.world.assert_inventories_agree(attempt)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("moment", "story"),
    [
        ("answered", ["release.claimed", "release.uncertain", "release.released"]),
        ("recorded", ["release.claimed", "release.released"]),
    ],
)
def test_a_release_killed_after_the_provider_did_it_is_found_gone_and_not_sent_again(
    site, killed_releases, moment, story, provider
):
    attempt = killed_releases[moment, provider]

    release = site.world.settled_release(attempt)
    repeat = site.send(RELEASE, attempt)

    assert release["state"] == "released"
    assert site.world.story(release) == story
    assert (repeat.status_code, repeat.headers["Idempotent-Replayed"]) == (200, "true")
    assert site.deletes(attempt) == 1
    site.world.assert_inventories_agree(attempt)


# --- The web process is stopped for a while -----------------------------------------------------


@pytest.fixture(scope="module")
def stopped(site):
    """By event and provider: the attempt, and the answer that came when the process went on.
    In between everything was settled without it."""
    sent, webs = {}, []
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(8))
        for event in (
            "purchase.claimed",
            "purchase.sending",
            "purchase.answered",
            "release.sending",
        ):
            releasing = event.startswith("release")
            make, path = (site.bought, RELEASE) if releasing else (site.world.attempt, BUY)
            attempts = [make(provider) for provider in PROVIDERS]
            web = stack.enter_context(site.world.web(2, CRASH_AT=event, CRASH_WITH="stop"))
            webs.append(web)
            for number, attempt in enumerate(attempts, start=1):
                answer = pool.submit(site.send, path, attempt, web)
                sent[event, attempt.provider] = attempt, answer
                wait_until(lambda w=web, n=number: len(w.stopped_workers()) == n, "it stops")
        for (event, _), (attempt, _) in sent.items():
            releasing = event.startswith("release")
            (site.world.settled_release if releasing else site.world.settled_purchase)(attempt)
        for web in webs:
            for process in web.stopped_workers():
                process.resume()
        return {which: (attempt, answer.result()) for which, (attempt, answer) in sent.items()}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("moment", ["claimed", "sending"])
def test_a_process_that_wakes_up_after_its_purchase_was_settled_sends_nothing(
    site, stopped, moment, provider
):
    attempt, answer = stopped[f"purchase.{moment}", provider]

    purchase = site.world.purchase(attempt)

    assert (purchase["state"], purchase["evidence"]) == ("refused", "not_found")
    assert site.world.story(purchase) == NOT_FOUND
    assert (answer.status_code, answer.json()["charged"]) == (500, False)
    assert site.world.posts(attempt) == 0
    site.world.assert_inventories_agree(attempt)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_process_that_wakes_up_with_the_answer_tells_what_was_recorded_meanwhile(
    site, stopped, provider
):
    attempt, answer = stopped["purchase.answered", provider]

    purchase = site.world.purchase(attempt)

    assert purchase["state"] == "completed"
    assert site.world.story(purchase) == FOUND
    assert (answer.status_code, answer.json()["phone_number"]) == (200, attempt.phone_number)
    assert site.world.posts(attempt) == 1
    site.world.assert_inventories_agree(attempt)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_process_that_wakes_up_after_its_release_was_settled_deletes_nothing(
    site, stopped, provider
):
    attempt, answer = stopped["release.sending", provider]

    release = site.world.release(attempt)

    assert release["state"] == "refused"
    assert site.world.story(release) == ["release.claimed", "release.uncertain", "release.refused"]
    assert answer.status_code == 500
    assert site.deletes(attempt) == 0
    site.world.assert_inventories_agree(attempt)


# --- PostgreSQL goes away -----------------------------------------------------------------------


def while_ordering(site: Site, happens) -> list[tuple[Attempt, requests.Response]]:
    """A purchase at each provider, during whose POSTs something happens."""
    attempts = [site.world.attempt(provider) for provider in PROVIDERS]
    orders = "IncomingPhoneNumbers|number_orders"
    site.world.sandbox.add_fault(method="POST", path=orders, times=2, delay=8)
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(site.send, BUY, attempt) for attempt in attempts]
        wait_until(lambda: sum(map(site.world.posts, attempts)) == 2, "both orders are sent")
        happens()
        return [(a, answer.result()) for a, answer in zip(attempts, answers, strict=True)]


def assert_bought_once(site: Site, attempt: Attempt) -> None:
    purchase = site.world.settled_purchase(attempt)
    repeat = site.send(BUY, attempt)

    assert purchase["state"] == "completed"
    assert (repeat.status_code, repeat.headers["Idempotent-Replayed"]) == (200, "true")
    assert site.world.posts(attempt) == 1
    site.world.assert_inventories_agree(attempt)


def test_a_restart_of_postgresql_during_the_order_loses_nothing(site):
    outcome = while_ordering(site, site.world.postgres.restart)

    for attempt, answer in outcome:
        assert answer.status_code in (200, 504), answer.text
        assert_bought_once(site, attempt)


def test_postgresql_killed_during_the_order_leaves_the_claim_which_is_settled_when_it_is_back(site):
    outcome = while_ordering(site, site.world.postgres.kill)
    for _, answer in outcome:
        assert (answer.status_code, answer.json()["code"]) == (504, "outcome_unknown")
        assert answer.json()["charged"] is None
        assert answer.headers["Retry-After"] == "15"
    site.world.postgres.start()

    for attempt, _ in outcome:
        assert_bought_once(site, attempt)


def test_after_all_of_this_both_inventories_are_the_same(site):
    site.world.assert_inventories_agree()
