"""Clients: each sends requests one after the other over one keep-alive connection. They run in a
process of their own, so that they take no turns from what they measure."""

import asyncio
import json
import math
import multiprocessing
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    status: int
    seconds: float
    body: bytes


class Run(NamedTuple):
    """What became of a list of requests: the answers, and how long all took together."""

    answers: list[Answer]
    seconds: float

    @property
    def rate(self) -> float:
        return len(self.answers) / self.seconds

    def require(self, *statuses: int) -> None:
        """Raises `AssertionError` with an answer that has another status."""
        for answer in self.answers:
            assert answer.status in statuses, (answer.status, answer.body[:500])

    def milliseconds(self, quantile: float) -> float:
        """The least time within which that part of the answers came (nearest rank)."""
        times = sorted(answer.seconds for answer in self.answers)
        return 1000 * times[max(0, math.ceil(quantile * len(times)) - 1)]


def request(
    method: str,
    path: str,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    host: str = "127.0.0.1",
) -> bytes:
    """One request as it goes over the wire; `body` is bytes, or JSON. As a proxy passes it on that
    has taken off the TLS."""
    payload = (
        body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    )
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "X-Forwarded-Proto: https"]
    sent = {"Content-Type": "application/json"} if payload else {}
    sent |= {"Content-Length": str(len(payload))} | dict(headers or {})
    lines += [f"{name}: {value}" for name, value in sent.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + payload


def drive(url: str, requests: list[bytes], clients: int) -> Run:
    """Send each request once, `clients` at a time."""
    return asyncio.run(_drive(url, iter(requests), clients, None))


def drive_for(
    url: str, requests: Sequence[bytes], clients: int, seconds: float, every: float
) -> Run:
    """Send the requests round and round for so long, each client at most one in `every` seconds."""
    return asyncio.run(_drive(url, _round(requests, seconds), clients, every))


def _round(requests: Sequence[bytes], seconds: float) -> Iterator[bytes]:
    ends = time.monotonic() + seconds
    while True:
        for one in requests:
            if time.monotonic() >= ends:
                return
            yield one


async def _drive(url: str, requests: Iterator[bytes], clients: int, every: float | None) -> Run:
    answers: list[Answer] = []
    began = time.perf_counter()
    await asyncio.gather(*[_client(url, requests, answers, every) for _ in range(clients)])
    return Run(answers, time.perf_counter() - began)


async def _client(
    url: str, requests: Iterable[bytes], answers: list[Answer], every: float | None
) -> None:
    address = urlsplit(url)
    reader = writer = None
    for one in requests:
        began = time.perf_counter()
        if writer is None:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(one)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await _body(reader, head)
        taken = time.perf_counter() - began
        answers.append(Answer(int(head[9:12]), taken, body))
        if b"connection: close" in head:
            writer.close()
            writer = None
        if every is not None:
            await asyncio.sleep(max(0.0, every - taken))
    if writer is not None:
        writer.close()


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if b"transfer-encoding: chunked" not in head:
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        return await reader.readexactly(length)
    parts = []
    while True:
        size = int(await reader.readuntil(b"\r\n"), 16)
        parts.append((await reader.readexactly(size + 2))[:-2])
        if size == 0:
            return b"".join(parts)


class Drivers:
    """Processes that send requests; `start` returns at once."""

    def __init__(self, processes: int = 2) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(processes, mp_context=context)
        for _ in range(processes):  # started before anything is measured
            self._pool.submit(int).result()

    def start(self, call: Any, *arguments: Any) -> Future:
        return self._pool.submit(call, *arguments)

    def run(self, url: str, requests: list[bytes], clients: int) -> Run:
        return self.start(drive, url, requests, clients).result()

    def close(self) -> None:
        self._pool.shutdown()
