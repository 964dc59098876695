"""A provider that is one listening socket, for tests of what goes wrong on the way to it."""

import contextlib
import datetime
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
_HEAD = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 400 + b"\r\nContent-Length: 400\r\n\r\n"
_BODY = b"x" * 400

# Gets a connection and its request; says whether to go on with this connection.
Answer = Callable[[socket.socket, bytes], bool]


class Peer:
    """Answers every request with `answer` and remembers all of them; with a `certificate` (a file
    of certificate and key) over TLS."""

    def __init__(self, answer: Answer, *, certificate: Path | None = None):
        self._answer = answer
        self._tls = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(certificate)
            self._tls.sni_callback = lambda _sock, name, _tls: self.asked_for.append(name)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self.asked_for: list[str] = []  # host names, in TLS
        self.requests: list[bytes] = []
        self._start(self._accept)

    def close(self) -> None:
        """End all connections and wait for the threads."""
        for open_now in (self._listener, *self._clients):
            with contextlib.suppress(OSError):  # wakes whoever waits for it
                open_now.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        self._threads.append(threading.Thread(target=target, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with self._listener, contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                self._clients.append(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self._tls is None:
                self._converse(client)
                return
            with self._tls.wrap_socket(client, server_side=True) as wrapped:
                self._converse(wrapped)

    def _converse(self, client: socket.socket) -> None:
        while request := _read_request(client):
            self.requests.append(request)
            if not self._answer(client, request):
                return


def _read_request(client: socket.socket) -> bytes:
    """One request; nothing when the other side went away."""
    data = b""
    while not _is_whole(data):
        piece = client.recv(65536)
        if not piece:
            return b""
        data += piece
    return data


def _is_whole(data: bytes) -> bool:
    head, end, body = data.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(end) and len(body) >= int(length[1] if length else 0)


def says(answer: bytes, *, keep: bool = True) -> Answer:
    def run(client: socket.socket, _request: bytes) -> bool:
        client.sendall(answer)
        return keep

    return run


def hangs_up(_client: socket.socket, _request: bytes) -> bool:
    return False


def stays_silent(client: socket.socket, _request: bytes) -> bool:
    client.recv(1)  # until the other side goes away
    return False


def drips(client: socket.socket, _request: bytes) -> bool:
    """Takes eight seconds and is never silent for long."""
    _drip(client, _HEAD + _BODY)
    return False


def drips_the_body(client: socket.socket, _request: bytes) -> bool:
    client.sendall(_HEAD)
    _drip(client, _BODY)
    return False


def _drip(client: socket.socket, data: bytes) -> None:
    for byte in data:
        client.sendall(bytes([byte]))
        time.sleep(0.01)


def make_certificate(path: Path, host: str = "") -> Path:
    """A certificate for `host` or 127.0.0.1, signed by itself, and its key, written to `path`."""
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "provider")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host) if host else address]), False
        )
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    return path
