"""Turns: how many requests of one kind a process works on at a time, so that a burst of them does
not keep the others waiting, a caller above all.

A courtesy, not a lock: who has waited for long goes on without. What may not happen twice is for
the database to prevent.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator

from django.conf import settings

PATIENCE = 1.0  # seconds

_thread = threading.local()


class Turns:
    """So many turns `at_once` within this process, first come, first served; but who comes back
    from a pause goes before those who have not begun."""

    def __init__(self, at_once: int):
        if at_once < 1:
            raise ValueError("Without turns nobody could begin: give at least one.")
        self.free = at_once
        self._mutex = threading.Lock()
        self._back: deque[threading.Lock] = deque()
        self._new: deque[threading.Lock] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return len(self._back) + len(self._new)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, `PATIENCE` at most, and keep it to the end, but for its pauses."""
        turn = _Turn(self)
        turn.begin()
        _thread.turn = turn
        try:
            yield
        finally:
            _thread.turn = None
            turn.end()

    def take(self, *, again: bool) -> bool:
        """Whether there was one in time."""
        waiting = self._back if again else self._new
        with self._mutex:
            if self.free:
                self.free -= 1
                return True
            place = threading.Lock()
            place.acquire()
            waiting.append(place)
        if place.acquire(timeout=PATIENCE * settings.CLOCK_SCALE):
            return True
        with self._mutex:
            if place not in waiting:  # it was handed over at the last moment
                return True
            waiting.remove(place)
            return False

    def give(self) -> None:
        """To who waits, or back."""
        with self._mutex:
            if waiting := self._back or self._new:
                waiting.popleft().release()
            else:
                self.free += 1


class _Turn:
    def __init__(self, turns: Turns):
        self.pauses = 0
        self._turns = turns
        self._held = False

    def begin(self, *, again: bool = False) -> None:
        self._held = self._turns.take(again=again)

    def end(self) -> None:
        if self._held:
            self._held = False
            self._turns.give()


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """While this thread waits for somebody else, its turn, if it has one, is another's."""
    turn: _Turn | None = getattr(_thread, "turn", None)
    if turn is None:
        yield
        return
    turn.pauses += 1
    turn.end()
    try:
        yield
    finally:
        turn.pauses -= 1
        if not turn.pauses:
            turn.begin(again=True)
