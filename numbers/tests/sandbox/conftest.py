import time
from collections.abc import Callable, Iterator

import pytest

from numbers.sandbox import SandboxServer
from numbers.tests.sandbox.client import SCALE


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(time_scale=SCALE) as server:
        yield server


@pytest.fixture
def sandbox(server: SandboxServer) -> SandboxServer:
    server.reset()
    server.order_seconds = 0.05
    server.search_memory_seconds = 1800.0
    return server


@pytest.fixture(scope="module")
def real_time_server() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def silent(real_time_server: SandboxServer) -> SandboxServer:
    """Hangs for longer than any client waits."""
    real_time_server.reset()
    return real_time_server


@pytest.fixture
def later(monkeypatch) -> Callable[[float], None]:
    """`later(seconds)` lets the clock that the sandbox reads jump ahead."""
    ahead, now = [0.0], time.time
    monkeypatch.setattr(time, "time", lambda: now() + ahead[0])

    def jump(seconds: float) -> None:
        ahead[0] += seconds

    return jump
