"""Requests to addresses that customers gave us (webhooks), which may lead anywhere.

The host is resolved once, every address of it must be public, and the connection goes to the very
address that was checked: a name that resolves otherwise a moment later changes nothing. No
redirects, no proxies, one deadline for everything, and little is read of the answer.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import http.client
import io
import ipaddress
import secrets as random
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

from django.conf import settings

from burki.text import plain

ANSWER_MAX = 64 * 1024
_IN_PATHS = "/?%:=&;,+$@!*'()~[]"  # what stays as it is in an address; the rest is escaped
EXCERPT = 200  # characters of an answer that are kept
_PREFIX = "whsec_"
# IPv6 of the internet begins with 2 or 3; beside it there is what a machine without IPv4 uses to
# reach the IPv4 address at the end.
_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Special, although not every version of Python says so.
_SPECIAL = (ipaddress.ip_network("192.0.0.0/24"), ipaddress.ip_network("192.88.99.0/24"))


class NotSent(Exception):
    """No answer: the address is not allowed, nobody is there, or it took too long. The sentence
    names no more than the host."""


class NotAllowed(NotSent):
    """The address itself is refused. Nothing was looked up, and no later try ends otherwise."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes  # at most `ANSWER_MAX` of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one request: a `status`, or the `error` for which there is none. `hopeless`:
    this address gets nothing, however often one tries."""

    status: int | None
    seconds: float
    excerpt: str = ""  # of the answer: clean text, not long
    error: str = ""
    hopeless: bool = False

    @property
    def accepted(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def deliver(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    timeout: float,
    excerpt: int = EXCERPT,
) -> Delivery:
    """`post`, told instead of raised: what became of it, how long it took, and the first
    characters of the answer."""
    began = time.monotonic()
    try:
        answer = post(url, body, headers=headers, timeout=timeout)
    except NotSent as problem:
        return Delivery(
            status=None,
            error=plain(problem, 300),
            hopeless=isinstance(problem, NotAllowed),
            seconds=time.monotonic() - began,
        )
    told = plain(answer.body[: 4 * excerpt].decode("utf-8", "replace"), excerpt)
    return Delivery(status=answer.status, excerpt=told, seconds=time.monotonic() - began)


def check_address(url: str) -> None:
    """Whether `post` would try this address at all. Names are looked up only when something is
    sent: what they lead to may change. Raises `NotAllowed`."""
    _read(url)


def post(url: str, body: bytes, *, headers: Mapping[str, str], timeout: float) -> Answer:
    """POST to a customer's address; any HTTP status is an answer. Everything, from the look-up of
    the name on, must be over in `timeout` seconds. Raises `NotSent`."""
    ends = time.monotonic() + timeout
    target, host, port = _read(url)
    connection = http.client.HTTPConnection(host, port)
    connection.response_class = _response_until(ends)
    try:
        connection.sock = _connected(host, port, ends)
        if target.scheme == "https":
            connection.sock.settimeout(_left(ends))
            connection.sock = _tls().wrap_socket(connection.sock, server_hostname=host)
        connection.sock.settimeout(_left(ends))
        path = target.path or "/"
        if target.query:
            path += f"?{target.query}"
        named = {"Host": _host_header(target, host, port), "Connection": "close"}
        connection.request("POST", quote(path, safe=_IN_PATHS), body, named | dict(headers))
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(ANSWER_MAX))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotSent(f"{type(error).__name__} at {host}.") from error
    finally:
        if connection.sock is not None:
            connection.sock.close()
        connection.close()


def is_public(address: str) -> bool:
    """Whether an IP address is somebody's on the internet: not private, loopback, link-local
    (where clouds keep their metadata), multicast, reserved; nor such a one wrapped in IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        special = ip.is_multicast or ip.is_reserved or any(ip in network for network in _SPECIAL)
        return ip.is_global and not special
    if ip in _NAT64:
        return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    inner = ip.sixtofour or (ip.teredo and ip.teredo[1])
    return ip in _UNICAST and ip.is_global and (not inner or is_public(str(inner)))


def _read(url: str) -> tuple[SplitResult, str, int]:
    """The parts of an address, its host as DNS and certificates spell it, and its port. Raises
    `NotAllowed`."""
    schemes = ("https", "http") if settings.ALLOW_PRIVATE_WEBHOOKS else ("https",)
    try:
        target = urlsplit(url)
        host, port = target.hostname or "", target.port
        if not host.isascii():
            host = host.encode("idna").decode()
    except ValueError:  # UnicodeError is one
        raise NotAllowed("The address is not a URL.") from None
    if target.scheme not in schemes or not host or target.username is not None:
        raise NotAllowed(f"The address must be {schemes[0]}://host/…, without a user name.")
    if not settings.ALLOW_PRIVATE_WEBHOOKS and _is_never_public(host):
        raise NotAllowed(f"{host} is not a public address.")
    return target, host, port or (443 if target.scheme == "https" else 80)


def _is_never_public(host: str) -> bool:
    """Whether the host as it is written says so, without a look-up."""
    try:
        return not is_public(host)
    except ValueError:  # a name
        return f".{host.rstrip('.')}".endswith(".localhost")


def _host_header(target: SplitResult, host: str, port: int) -> str:
    named = f"[{host}]" if ":" in host else host
    return named if target.port is None else f"{named}:{port}"


def _connected(host: str, port: int, ends: float) -> socket.socket:
    """A connection to one of the host's addresses, after all of them were checked."""
    found = _looked_up(host, port, ends)
    if not settings.ALLOW_PRIVATE_WEBHOOKS and not all(is_public(a[0]) for a in found):
        raise NotSent(f"{host} is not a public address.")
    problem: OSError = OSError("no address")
    for position, address in enumerate(found):
        try:  # an address where nobody answers leaves time for the others
            return socket.create_connection(address, _left(ends) / (len(found) - position))
        except OSError as error:
            problem = error
    raise problem


@functools.cache
def _tls() -> ssl.SSLContext:
    """What the machine trusts; reading all of that takes a while."""
    return ssl.create_default_context()


def _looked_up(host: str, port: int, ends: float) -> list[tuple[str, int]]:
    """Every address of the host, asked once. The system's resolver knows no deadline, and the
    customer's name server may be slow on purpose: it is left behind when the time is over."""
    found: list[tuple[str, int]] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found.extend(dict.fromkeys(answer[4][:2] for answer in answers))

    asking = threading.Thread(target=ask, name="look-up", daemon=True)
    asking.start()
    asking.join(_left(ends))
    if asking.is_alive():
        raise NotSent(f"The look-up of {host} took too long.")
    if not found:
        raise NotSent(f"{host} has no address.")
    return found


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _Reader(io.RawIOBase):
    """Reads so that the whole answer, not each piece of it, must arrive in time."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, ends: float):
        self._raw, self._sock, self._ends = raw, sock, ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int | None:
        self._sock.settimeout(_left(self._ends))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


def _response_until(ends: float) -> type[http.client.HTTPResponse]:
    class Response(http.client.HTTPResponse):
        def __init__(self, sock, *args, **kwargs):
            super().__init__(sock, *args, **kwargs)
            self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock, ends))

    return Response


# --- Standard Webhooks (https://www.standardwebhooks.com) ----------------------------------------


def new_secret() -> str:
    return _PREFIX + base64.b64encode(random.token_bytes(32)).decode()


def signed_headers(
    message_id: str, body: bytes, *, secrets: Sequence[str], at: float | None = None
) -> dict[str, str]:
    """The three headers that sign `body`, with each of the secrets (`whsec_…`). `message_id` is
    the same for every try."""
    stamp = str(int(time.time() if at is None else at))
    text = f"{message_id}.{stamp}.".encode() + body
    signatures = [hmac.new(_key(secret), text, hashlib.sha256).digest() for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(s).decode()}" for s in signatures),
    }


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("A signing secret is whsec_ and base64.") from None
