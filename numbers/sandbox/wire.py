"""The HTTP side: reading requests, writing answers, and every way of not answering properly."""

import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from .messages import Answer

# (method, path, query, headers, body) -> what to send, and how (None: properly).
Serve = Callable[[str, str, dict[str, list[str]], dict[str, str], bytes], tuple[Answer, str | None]]

_DRIP_SECONDS = 0.2
_HANG_SECONDS = 60.0


class Stopped(Exception):
    """The server stops while a request waits."""


class Listener(ThreadingHTTPServer):
    """The listening socket with a thread for every connection; `close` ends all of them."""

    daemon_threads = True
    request_queue_size = 256

    timeout = 0.02  # how long `run` may take to notice that it should stop

    def __init__(self, address: tuple[str, int], serve: Serve, time_scale: float) -> None:
        self.serve = serve
        self.time_scale = time_scale
        self.stopping = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._runner: threading.Thread | None = None
        self._connections: dict[socket.socket, threading.Thread | None] = {}
        self._connections_lock = threading.Lock()
        self.opened = 0  # connections so far
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        # HTTPServer's own looks the host's name up in the DNS, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def run(self) -> None:
        """Accept connections until `close`. Unlike `shutdown`, that works from any thread."""
        self._runner = threading.current_thread()
        self._idle.clear()
        try:
            while not self.stopping.is_set():
                self.handle_request()
        finally:
            self._idle.set()

    def pause(self, seconds: float) -> None:
        """Sleep. Raises Stopped when the server stops meanwhile: nothing may be bought then."""
        if seconds > 0 and self.stopping.wait(seconds):
            raise Stopped

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            daemon=True,
        )
        with self._connections_lock:
            self._connections[request] = thread
            self.opened += 1
        thread.start()

    def close_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.pop(request, None)
        super().close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that goes away is what this server is for; anything else is a bug of ours.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Close the listening socket and every connection, and wait for their threads."""
        self.stopping.set()
        if self._runner is not threading.current_thread():
            self._idle.wait(2.0)
        self.server_close()
        with self._connections_lock:
            open_now = list(self._connections.items())
        for connection, _ in open_now:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for _, thread in open_now:
            if thread is not threading.current_thread():
                thread.join(2.0)


class Handler(BaseHTTPRequestHandler):
    """One connection, kept alive until somebody closes it."""

    server: Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = self._read_body()
        if body is None:
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            answer, how = self.server.serve(
                self.command,
                unquote(parts.path),
                parse_qs(parts.query, keep_blank_values=True),
                headers,
                body,
            )
            self._deliver(answer, how)
        except Stopped:
            self.close_connection = True
        except Exception as error:
            # Never silently: a bug here would look like a provider's bad day.
            traceback.print_exc()
            self.close_connection = True
            self._send(Answer(500, f"bug in the sandbox: {error!r}", {}, "text/plain"))

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the sandbox keeps its own log."""

    def _read_body(self) -> bytes | None:
        """The request's body, read to its end even if nobody wants it; None if it has no length."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            self._send(Answer(411, {"error": "Content-Length is required"}))
            return None
        return self.rfile.read(int(length)) if length != "0" else b""

    def _deliver(self, answer: Answer, how: str | None) -> None:
        try:
            if how is None:
                self._send(answer)
                return
            self.close_connection = True
            if how == "hang":
                self._wait_for_client_to_leave()
            elif how == "drip":
                self._drip(answer)
            elif how == "truncate":
                payload = answer.encoded()
                self.wfile.write(self._head(answer, max(len(payload), 2)))
                self.wfile.write(payload[: len(payload) // 2])
        except OSError:
            self.close_connection = True

    def _send(self, answer: Answer) -> None:
        payload = answer.encoded()
        self.wfile.write(self._head(answer, len(payload)) + payload)

    def _head(self, answer: Answer, length: int) -> bytes:
        headers = {"Date": formatdate(usegmt=True), "Content-Length": str(length)}
        if answer.body is not None:
            headers["Content-Type"] = answer.content_type
        if self.close_connection:
            headers["Connection"] = "close"
        headers.update(answer.headers)
        try:
            reason = HTTPStatus(answer.status).phrase
        except ValueError:
            reason = "Unknown"
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {answer.status} {reason}\r\n{lines}\r\n".encode("latin-1")

    def _drip(self, answer: Answer) -> None:
        payload = answer.encoded()
        whole = self._head(answer, len(payload)) + payload
        for position in range(len(whole)):
            self.wfile.write(whole[position : position + 1])
            self.server.pause(_DRIP_SECONDS * self.server.time_scale)

    def _wait_for_client_to_leave(self) -> None:
        until = time.monotonic() + _HANG_SECONDS * self.server.time_scale
        self.connection.settimeout(0.05)
        while time.monotonic() < until:
            try:
                if not self.connection.recv(1, socket.MSG_PEEK):
                    return
                self.server.pause(0.05)
            except TimeoutError:
                self.server.pause(0.001)
