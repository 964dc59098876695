"""Requests to customers' addresses, over real sockets; only name look-ups are made up."""

import ipaddress
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from burki import outgoing
from burki.outgoing import ANSWER_MAX, NotSent, deliver, is_public, post, signed_headers
from numbers.tests.peer import (
    OK,
    Answer,
    Peer,
    drips,
    drips_the_body,
    hangs_up,
    make_certificate,
    says,
    stays_silent,
)

NAME = "hooks.example.com"
BODY = b'{"test": 2432232314}'
JSON = {"Content-Type": "application/json"}
LIMIT = 0.4
FINE = says(OK)


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    peers: list[Peer] = []

    def make(answer: Answer = FINE, **given: Path) -> Peer:
        peers.append(Peer(answer, **given))
        return peers[-1]

    yield make
    for one in peers:
        one.close()


@pytest.fixture
def names(monkeypatch) -> dict[str, list[str]]:
    """Host names and their addresses; `asked` holds every name that was looked up."""
    real, table = socket.getaddrinfo, {"asked": []}

    def look_up(host, port, *args, **kwargs):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            table["asked"].append(host)
            if host not in table:
                raise socket.gaierror("no such host") from None
            found = [entry for a in table[host] for entry in real(a, port, *args, **kwargs)]
            table[host] = table.get("later", table[host])
            return found
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return table


@pytest.fixture
def private(settings):
    settings.ALLOW_PRIVATE_WEBHOOKS = True


def refused(url: str, **over) -> str:
    with pytest.raises(NotSent) as error:
        post(url, BODY, headers=JSON, timeout=over.pop("timeout", LIMIT))
    return str(error.value)


def port_of(peer: Peer) -> str:
    return peer.url.rpartition(":")[2]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "0.0.0.0", "0.1.2.3",
        "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1",
        "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::7f00:1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "fec0::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "2002:7f00:1::",
        "2002:a9fe:a9fe::1", "2001:0:0:0:0:0:8080:8080", "100::1", "4000::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_the_internets_is_not_public(address):
    assert is_public(address) is False


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808"]
)
def test_an_address_of_the_internet_is_public(address):
    assert is_public(address) is True


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["127.0.0.1", "93.184.216.34"],
        ["2606:4700::1111", "::1"],
        ["169.254.169.254"],
        ["::ffff:127.0.0.1"],
        ["0.0.0.0"],
    ],
)
def test_one_address_that_is_not_public_refuses_the_host(peer, names, addresses):
    local = peer()
    names[NAME] = addresses

    said = refused(f"https://{NAME}:{port_of(local)}/in")

    assert said == f"{NAME} is not a public address."
    assert (local.connections, names["asked"]) == (0, [NAME])


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "[::1]",
             "[::ffff:127.0.0.1]", "localhost", "①②⑦.⓪.⓪.①"]
)  # fmt: skip
def test_no_spelling_of_this_machine_is_let_through(peer, host):
    local = peer()

    said = refused(f"https://{host}:{port_of(local)}/")

    assert said.endswith(("is not a public address.", "has no address."))
    assert local.connections == 0


def test_the_checked_address_is_the_one_connected_to(peer, names, private):
    """A name server that says something else a moment later changes nothing."""
    local, elsewhere = peer(), peer()
    names |= {NAME: ["127.0.0.1"], "later": ["127.0.0.2"]}

    answer = post(f"http://{NAME}:{port_of(local)}/in?a=1", BODY, headers=JSON, timeout=5)

    assert (answer.status, answer.body) == (200, b"{}")
    assert names["asked"] == [NAME]
    assert elsewhere.connections == 0
    head, _, body = local.requests[0].partition(b"\r\n\r\n")
    assert body == BODY
    assert head.splitlines()[0] == b"POST /in?a=1 HTTP/1.1"
    assert f"Host: {NAME}:{port_of(local)}".encode() in head.splitlines()
    assert b"Content-Type: application/json" in head.splitlines()


def test_tls_asks_for_the_name_and_checks_it(peer, names, private, tmp_path, monkeypatch):
    certificate = make_certificate(tmp_path / "peer.pem", NAME)
    local = peer(certificate=certificate)
    names |= {NAME: ["127.0.0.1"], "other.example.com": ["127.0.0.1"]}
    port = port_of(local)

    assert "SSLCertVerificationError" in refused(f"https://{NAME}:{port}/", timeout=5)

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    outgoing._tls.cache_clear()
    try:
        assert post(f"https://{NAME}:{port}/", BODY, headers=JSON, timeout=5).status == 200
        said = refused(f"https://other.example.com:{port}/", timeout=5)
    finally:
        outgoing._tls.cache_clear()

    assert said == "SSLCertVerificationError at other.example.com."
    assert local.asked_for == [NAME, NAME, "other.example.com"]
    assert len(local.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "gopher://hooks.example.com/",
        "//hooks.example.com/",
        "hooks.example.com/in",
        "https://",
        "https:///in",
        "https://user@hooks.example.com/",
        "https://user:secret@hooks.example.com/",
        "",
    ],
)
def test_only_https_addresses_without_a_user_are_taken(names, url):
    said = refused(url)

    assert said == "The address must be https://host/…, without a user name."
    assert names["asked"] == []


@pytest.mark.parametrize(
    "url",
    [
        "https://[::1/",
        "https://hooks.example.com:99999/",
        "https://hooks.example.com:x/",
        f"https://{'ü' * 70}.example.com/",
    ],
)
def test_what_is_no_url_is_refused(names, url):
    assert refused(url) == "The address is not a URL."
    assert names["asked"] == []


@pytest.mark.parametrize("path", ["/in\r\nX-Evil: 1", "/in HTTP/1.1\r\n\r\nGET /", "/ä b?c=ü d#e"])
def test_nothing_in_an_address_adds_to_the_request(peer, private, path):
    local = peer()

    post(f"{local.url}{path}", BODY, headers=JSON, timeout=5)

    (request,) = local.requests
    line = request.splitlines()[0]
    assert line.count(b" ") == 2
    assert line.isascii()
    assert b"X-Evil" not in request.partition(b"\r\n")[2]


def test_a_redirect_is_an_answer_and_not_followed(peer, private):
    elsewhere = peer()
    moved = f"HTTP/1.1 307 Moved\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"
    local = peer(says(moved.encode()))

    assert post(local.url, BODY, headers=JSON, timeout=5).status == 307
    assert elsewhere.connections == 0


def test_proxies_of_the_environment_are_not_used(peer, private, monkeypatch):
    proxy, local = peer(), peer()
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, proxy.url)

    assert post(local.url, BODY, headers=JSON, timeout=5).status == 200
    assert (proxy.connections, local.connections) == (0, 1)


@pytest.mark.parametrize("answer", [stays_silent, drips, drips_the_body])
def test_no_answer_takes_longer_than_its_time(peer, private, answer):
    local = peer(answer)
    began = time.monotonic()

    said = refused(f"{local.url}/secret-path?key=secret")

    assert LIMIT <= time.monotonic() - began < LIMIT + 0.3
    assert said == "TimeoutError at 127.0.0.1."


def test_a_slow_tls_handshake_ends_in_time(peer, private):
    local = peer(stays_silent)  # speaks no TLS
    began = time.monotonic()

    said = refused(local.url.replace("http:", "https:"))

    assert time.monotonic() - began < LIMIT + 0.3
    assert said == "TimeoutError at 127.0.0.1."


def test_a_slow_name_server_is_left_behind(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: time.sleep(2) or [])
    began = time.monotonic()

    said = refused(f"https://{NAME}/")

    assert time.monotonic() - began < LIMIT + 0.3
    assert said == f"The look-up of {NAME} took too long."


def test_an_address_where_nobody_answers_leaves_time_for_the_next(peer, names, private):
    local = peer()
    port = int(port_of(local))
    names[NAME] = ["127.0.0.2", "127.0.0.3", "127.0.0.1"]  # the first refuses
    with socket.create_server(("127.0.0.3", port), backlog=0) as deaf, socket.socket() as fills_it:
        fills_it.connect(deaf.getsockname())

        answer = post(f"http://{NAME}:{port}/", BODY, headers=JSON, timeout=1)

    assert answer.status == 200


@pytest.mark.parametrize(("scheme", "port"), [("https", 443), ("http", 80)])
def test_an_address_without_a_port_means_its_schemes(monkeypatch, private, scheme, port):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: asked.append(args) or [])

    assert refused(f"{scheme}://{NAME}/") == f"{NAME} has no address."
    assert asked == [(NAME, port)]


def test_no_more_than_the_cap_is_read_of_an_answer(peer, private):
    length = 10 * 1024 * 1024
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode()

    def floods(client: socket.socket, _request: bytes) -> bool:
        client.sendall(head + b"x" * length)
        return False

    assert len(post(peer(floods).url, BODY, headers=JSON, timeout=5).body) == ANSWER_MAX


def test_a_delivery_is_told_and_never_raised(peer, private):
    told = b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nno\x00\xffroom\n"
    busy = deliver(peer(says(told)).url, BODY, headers=JSON, timeout=5)
    gone = deliver(peer(hangs_up).url, BODY, headers=JSON, timeout=5)
    nowhere = deliver("http://127.0.0.1:9/", BODY, headers=JSON, timeout=5)
    nothing = deliver("ftp://x/", BODY, headers=JSON, timeout=5)

    assert (busy.status, busy.accepted, busy.excerpt) == (503, False, "no\ufffdroom")
    assert (gone.status, gone.error) == (None, "RemoteDisconnected at 127.0.0.1.")
    assert nowhere.error == "ConnectionRefusedError at 127.0.0.1."
    assert (nothing.accepted, nothing.error.startswith("The address must be")) == (False, True)
    assert all(0 <= one.seconds < 5 for one in (busy, gone, nowhere, nothing))
    assert deliver(peer().url, BODY, headers=JSON, timeout=5).accepted is True


def test_a_very_long_answer_is_cut_in_a_delivery(peer, private):
    told = deliver(peer(says(_long())).url, BODY, headers=JSON, timeout=5)

    assert told.excerpt == "ü" * 200


def _long() -> bytes:
    body = ("ü" * 3000).encode()
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def test_headers_are_signed_as_standard_webhooks_say():
    """The vector that the specification's libraries test with."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    message_id = "msg_p5jXN8AQM9LWM0D4loKWxJek"

    assert signed_headers(message_id, BODY, secrets=[secret], at=1614265330.9) == {
        "webhook-id": message_id,
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_each_secret_signs_and_everything_is_signed():
    secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]

    def signature(message_id: str = "msg_1", body: bytes = BODY, at: float = 1000.0, take=secrets):
        return signed_headers(message_id, body, secrets=take, at=at)["webhook-signature"]

    both = signature()
    assert both == f"{signature(take=secrets[:1])} {signature(take=secrets[1:])}"
    others = {signature("msg_2"), signature(body=b"{}"), signature(at=1001.0)}
    assert len(others | {both}) == 4


def test_what_is_no_secret_signs_nothing():
    with pytest.raises(ValueError, match="A signing secret is whsec_ and base64"):
        signed_headers("msg_1", json.dumps({}).encode(), secrets=["whsec_not base64!"])
