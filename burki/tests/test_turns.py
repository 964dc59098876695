"""Turns, with real threads. Nothing is timed: where somebody must not wait, patience is endless and
the test would hang; where somebody must not wait for ever, it is short."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from burki import turns
from burki.turns import Turns, paused

ENDLESS, SHORT = 60.0, 0.01


@pytest.fixture(autouse=True)
def endless_patience(monkeypatch, settings):
    settings.CLOCK_SCALE = 1
    monkeypatch.setattr(turns, "PATIENCE", ENDLESS)


@pytest.fixture
def threads():
    with ThreadPoolExecutor(8) as pool:
        yield pool


def take_turn(pool: ThreadPoolExecutor, of: Turns, work: Callable[[], None]) -> Future:
    def run() -> None:
        with of.turn():
            work()

    return pool.submit(run)


def wait_in_line(pool: ThreadPoolExecutor, of: Turns, work: Callable[[], None]) -> Future:
    """Somebody who wants a turn for `work`, and waits for it by now."""
    before = of.waiting
    future = take_turn(pool, of, work)
    while of.waiting == before:
        threading.Event().wait(0.001)
    return future


def test_a_turn_more_than_there_are_waits_until_one_ends(threads):
    ours, order = Turns(2), []

    with ours.turn():
        assert ours.free == 1
        assert ours.take(again=False)
        third = wait_in_line(threads, ours, lambda: order.append("third"))
        order.append("given")
        ours.give()
        third.result()

    assert order == ["given", "third"]
    assert ours.free == 2


def test_who_comes_first_is_served_first(threads):
    ours, order = Turns(1), []

    with ours.turn():
        waiting = [wait_in_line(threads, ours, lambda n=n: order.append(n)) for n in range(5)]
    for future in waiting:
        future.result()

    assert order == [0, 1, 2, 3, 4]


def test_a_pause_gives_the_turn_to_another_and_its_end_waits_for_one(threads):
    ours, order = Turns(1), []

    with ours.turn():
        next_one = wait_in_line(threads, ours, lambda: order.append("other"))
        with paused():
            next_one.result()
        order.append("again")
        assert ours.free == 0

    assert order == ["other", "again"]
    assert ours.free == 1


def test_a_pause_within_a_pause_takes_no_turn_back():
    ours = Turns(1)

    with ours.turn():
        with paused():
            with paused():
                assert ours.free == 1
            assert ours.free == 1
        assert ours.free == 0

    assert ours.free == 1


def test_who_comes_back_goes_before_who_has_not_begun(threads):
    ours, order, away, back = Turns(1), [], threading.Event(), threading.Event()

    def work() -> None:
        with paused():
            away.set()
            back.wait()
        order.append("came back")

    first = take_turn(threads, ours, work)
    away.wait()
    with ours.turn():
        new = wait_in_line(threads, ours, lambda: order.append("new"))
        back.set()
        while ours.waiting != 2:
            threading.Event().wait(0.001)
    first.result()
    new.result()

    assert order == ["came back", "new"]


def test_who_has_waited_for_long_goes_on_without_a_turn(threads, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", SHORT)
    ours, done = Turns(1), []

    def work() -> None:
        with paused():
            pass
        done.append(ours.free)

    with ours.turn():
        take_turn(threads, ours, work).result()

    assert done == [0]
    assert ours.free == 1


def test_a_turn_ends_when_its_work_fails():
    ours = Turns(1)

    with pytest.raises(ZeroDivisionError), ours.turn():
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), ours.turn(), paused():
        raise ZeroDivisionError

    assert ours.free == 1


def test_a_pause_without_a_turn_is_nothing():
    with paused():
        pass


def test_no_turn_is_lost_or_made_when_patience_ends_as_it_is_handed_over(threads, monkeypatch):
    monkeypatch.setattr(turns, "PATIENCE", 0.0005)
    ours = Turns(2)

    def work() -> None:
        for _ in range(300):
            with ours.turn(), paused():
                pass

    for future in [threads.submit(work) for _ in range(8)]:
        future.result()

    assert ours.waiting == 0
    assert ours.free == 2
