"""Requests to addresses that customers gave us (webhooks), which may lead anywhere.

The host is resolved once, every address of it must be public, and the connection goes to the very
address that was checked: a name that resolves otherwise a moment later changes nothing. No
redirects, no proxies, one deadline for everything, and little is read of the answer.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

ANSWER_MAX = 64 * 1024
_PREFIX = "whsec_"
# Addresses that carry an IPv4 address inside, which is where they lead.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class NotSent(Exception):
    """No answer: the address is not allowed, nobody is there, or it took too long. The sentence
    names no more than the host."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes  # at most `ANSWER_MAX` of it


def post(url: str, body: bytes, *, headers: Mapping[str, str], timeout: float) -> Answer:
    """POST to a customer's address; any HTTP status is an answer. Everything, from the look-up of
    the name on, must be over in `timeout` seconds. Raises `NotSent`."""
    ends = time.monotonic() + timeout
    try:
        target = urlsplit(url)
        host, port = target.hostname, target.port
    except ValueError:
        raise NotSent("The address is not a URL.") from None
    if target.scheme not in ("http", "https") or not host or target.username is not None:
        raise NotSent("The address must be http(s)://host/…, without a user name.")
    port = port or (443 if target.scheme == "https" else 80)
    connection = http.client.HTTPConnection(host, port)
    connection.response_class = _response_until(ends)
    try:
        connection.sock = _connected(host, port, ends)
        if target.scheme == "https":
            connection.sock.settimeout(_left(ends))
            connection.sock = ssl.create_default_context().wrap_socket(
                connection.sock, server_hostname=host
            )
        connection.sock.settimeout(_left(ends))
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        named = {"Host": target.netloc, "Connection": "close"}
        connection.request("POST", path, body, named | dict(headers))
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
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner:
            return is_public(str(inner))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _connected(host: str, port: int, ends: float) -> socket.socket:
    """A connection to one of the host's addresses, after all of them were checked."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotSent(f"{host} has no address.") from None
    addresses = list(dict.fromkeys(entry[4][:2] for entry in found))
    if not settings.ALLOW_PRIVATE_WEBHOOKS and not all(is_public(a) for a, _ in addresses):
        raise NotSent(f"{host} is not a public address.")
    problem: OSError = OSError("no address")
    for address in addresses:
        try:
            return socket.create_connection(address, _left(ends))
        except OSError as error:
            problem = error
    raise problem


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
