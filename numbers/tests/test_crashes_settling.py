"""Settling while workers are killed, stopped, started, doubled, or swept over: each purchase and
release in doubt ends once, and in the truth."""

import signal

import psutil
import psycopg
import pytest

from burki.tests.processes import PROVIDERS, Attempt, World, running_world, wait_until

pytestmark = pytest.mark.slow

BUY, RELEASE = "/phone-numbers/purchase", "/phone-numbers/release"
FOUND = ["purchase.claimed", "purchase.uncertain", "purchase.completed"]
NOT_FOUND = ["purchase.claimed", "purchase.uncertain", "purchase.refused"]
RELEASE_NOT_DONE = ["release.claimed", "release.uncertain", "release.refused"]
# Last four digits of numbers; see the sandbox's table.
BOUGHT_ANSWER_LOST, NOT_BOUGHT_NO_ANSWER, RELEASE_LOST = "0010", "0011", "0071"


@pytest.fixture(scope="module")
def world():
    with running_world() as world:
        yield world


@pytest.fixture(scope="module")
def api_key(world):
    return world.make_tenants(Acme={})["Acme"]


@pytest.fixture(scope="module")
def web(world):
    with world.web() as web:
        yield web


@pytest.fixture
def send(web, api_key):
    def send(path: str, attempt: Attempt):
        return web.post(path, attempt.body, api_key=api_key, key=attempt.key)

    return send


@pytest.fixture
def in_doubt(world, send):
    """Makes a purchase whose order's answer was lost, and whose look-ups do not work for now.
    No job of another test is left."""
    sandbox = world.sandbox
    world.postgres.rows("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")

    def make(provider: str, digits: str) -> Attempt:
        attempt = world.attempt(provider, digits)
        sandbox.clear_faults()
        if provider == "twilio":  # the look before the order works
            sandbox.add_fault(method="GET", path="IncomingPhoneNumbers", delay=0.01)
        for path in ("IncomingPhoneNumbers", "/number_orders"):
            sandbox.add_fault(method="GET", path=path, times=None, status=503)
        answer = send(BUY, attempt)
        assert (answer.status_code, answer.json()["code"]) == (504, "outcome_unknown")
        return attempt

    yield make
    sandbox.clear_faults()


def let_look_ups_work(world: World) -> None:
    world.sandbox.clear_faults()


def assert_found_once(world: World, send, attempt: Attempt) -> None:
    purchase = world.settled_purchase(attempt)
    repeat = send(BUY, attempt)

    assert purchase["state"] == "completed"
    assert world.story(purchase) == FOUND
    assert (repeat.status_code, repeat.headers["Purchase-Id"]) == (200, str(purchase["id"]))
    assert world.posts(attempt) == 1
    world.assert_inventories_agree(attempt)


def assert_not_found_once(world: World, send, attempt: Attempt) -> None:
    purchase = world.settled_purchase(attempt)
    repeat = send(BUY, attempt)

    assert (purchase["state"], purchase["evidence"]) == ("refused", "not_found")
    assert world.story(purchase) == NOT_FOUND
    assert (repeat.status_code, repeat.json()["charged"]) == (500, False)
    assert world.posts(attempt) == 1
    world.assert_inventories_agree(attempt)


def half_a_minute_later(world: World) -> None:
    """The heartbeat of a worker that is gone, or seems so, is old."""
    world.postgres.rows(
        "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 minute'"
    )


def take_over(world: World) -> None:
    """Let others do the jobs of a worker that is gone, or seems so."""
    world.run_task("retry_stalled")
    world.wait_until(lambda: world.jobs("doing") == 0, "others do its jobs")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_a_killed_worker_was_settling_another_one_settles(world, send, in_doubt, provider):
    attempt = in_doubt(provider, BOUGHT_ANSWER_LOST)
    with world.worker(CRASH_AT="purchase.looked") as killed:
        killed.wait(60)
    left = world.jobs("doing")
    let_look_ups_work(world)
    half_a_minute_later(world)

    with world.worker():
        take_over(world)
        assert_found_once(world, send, attempt)

    assert killed.returncode == -signal.SIGKILL
    assert left >= 1
    assert world.jobs("failed") == 0
    assert_found_once(world, send, attempt)


def test_a_job_that_another_worker_takes_over_meanwhile_disturbs_nobody(world):
    ours = "FROM procrastinate_jobs WHERE task_name = 'numbers.tasks.retry_stalled'"
    world.postgres.rows("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    with psycopg.connect(world.postgres.url) as other:
        (gone,) = other.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat)"
            " VALUES (now() - interval '15 seconds') RETURNING id"
        ).fetchone()
        (job,) = other.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, worker_id)"
            " VALUES ('bulk', 'numbers.tasks.buy_next', '{}', 'doing', %s) RETURNING id",
            [gone],
        ).fetchone()
        other.commit()
        other.execute("SELECT FROM procrastinate_jobs WHERE id = %s FOR UPDATE", [job])

        with world.worker():
            waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            wait_until(lambda: world.postgres.rows(waits), "the worker is about to take it over")
            other.execute(
                "UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL WHERE id = %s",
                [job],
            )
            other.commit()
            done = f"SELECT {ours} AND status = 'succeeded'"
            wait_until(lambda: world.postgres.rows(done), "it goes on")

    assert world.jobs("failed") == 0
    assert world.jobs("todo") >= 1


def test_a_worker_that_was_stopped_while_another_one_settled_changes_nothing_when_it_goes_on(
    world, send, in_doubt
):
    """It is stopped in the middle of a transaction, with its organization's lock: PostgreSQL ends
    that after a while, or nobody could settle, buy or release."""
    frozen = "SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'"
    attempts = [in_doubt(provider, BOUGHT_ANSWER_LOST) for provider in PROVIDERS]
    with world.worker(CRASH_AT="purchase.looked", CRASH_WITH="stop") as stopped:
        process = psutil.Process(stopped.pid)
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, "it stops")
        let_look_ups_work(world)
        wait_until(lambda: not world.postgres.rows(frozen), "its transaction ends", seconds=30)
        half_a_minute_later(world)
        with world.worker():
            take_over(world)
            for attempt in attempts:
                assert_found_once(world, send, attempt)
            process.resume()
            stopped.terminate()
            stopped.wait(60)

    assert stopped.returncode == 0
    for attempt in attempts:
        assert_found_once(world, send, attempt)


def test_a_worker_that_is_told_to_stop_ends_its_job_and_the_next_one_goes_on(world, send, in_doubt):
    attempts = [in_doubt(provider, BOUGHT_ANSWER_LOST) for provider in PROVIDERS]
    looks = {"CRASH_AT": "purchase.looked", "CRASH_WITH": "sleep", "CRASH_SLEEP": "1"}
    with world.worker(**looks) as first:
        world.wait_until(lambda: world.jobs("doing"), "it settles")
        first.terminate()
        first.wait(60)
    let_look_ups_work(world)

    assert (first.returncode, world.jobs("doing")) == (0, 0)
    assert [world.purchase(attempt)["state"] for attempt in attempts] == ["uncertain"] * 2
    with world.worker():
        for attempt in attempts:
            assert_found_once(world, send, attempt)


def test_two_workers_at_once_settle_everything_once(world, send, in_doubt):
    bought = [in_doubt(provider, BOUGHT_ANSWER_LOST) for provider in PROVIDERS]
    not_bought = [in_doubt(provider, NOT_BOUGHT_NO_ANSWER) for provider in PROVIDERS]
    with world.worker(), world.worker():
        world.wait_until(lambda: len(world.purchase(bought[0])["looks"]) > 2, "they look")
        let_look_ups_work(world)
        for attempt in bought:
            assert_found_once(world, send, attempt)
        for attempt in not_bought:
            assert_not_found_once(world, send, attempt)


def test_two_workers_at_once_settle_releases_once(world, send):
    attempts = [world.attempt(provider, RELEASE_LOST) for provider in PROVIDERS]
    for attempt in attempts:
        assert send(BUY, attempt).status_code == 200
        assert send(RELEASE, attempt).status_code == 504

    with world.worker(), world.worker():
        releases = [world.settled_release(attempt) for attempt in attempts]

    for attempt, release in zip(attempts, releases, strict=True):
        assert release["state"] == "refused"
        assert world.story(release) == RELEASE_NOT_DONE
        assert send(RELEASE, attempt).status_code == 500
        world.assert_inventories_agree(attempt)


def test_sweeps_during_settles_change_nothing(world, send, in_doubt):
    bought = [in_doubt(provider, BOUGHT_ANSWER_LOST) for provider in PROVIDERS]
    not_bought = [in_doubt(provider, NOT_BOUGHT_NO_ANSWER) for provider in PROVIDERS]
    slowly = {"CRASH_AT": "purchase.looked", "CRASH_WITH": "sleep", "CRASH_SLEEP": "0.5"}
    world.run_task("sweep")  # all are overdue by now: nobody works yet
    with world.worker(**slowly), world.worker(**slowly):
        world.run_task("sweep")
        let_look_ups_work(world)
        world.run_task("sweep")
        for attempt in bought:
            assert_found_once(world, send, attempt)
        for attempt in not_bought:
            assert_not_found_once(world, send, attempt)
    assert world.jobs("failed") == 0


def test_a_purchase_whose_own_job_was_lost_is_settled_by_the_sweep(world, send, in_doubt):
    attempts = [in_doubt(provider, BOUGHT_ANSWER_LOST) for provider in PROVIDERS]
    world.postgres.rows("DELETE FROM procrastinate_jobs WHERE status = 'todo'")
    let_look_ups_work(world)
    world.run_task("sweep")

    with world.worker():
        for attempt in attempts:
            assert_found_once(world, send, attempt)


def test_after_all_of_this_both_inventories_are_the_same(world):
    world.assert_inventories_agree()
