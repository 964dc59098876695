"""How each provider signs what it sends to its customers."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from . import ed25519


@dataclass(frozen=True, slots=True)
class Signed:
    """A request to a customer, ready to be sent by POST."""

    url: str
    headers: dict[str, str]
    body: bytes


def twilio_form(url: str, form: Mapping[str, str], token: str) -> Signed:
    """HMAC-SHA1 with the account's auth token over the address and the sorted parameters."""
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    digest = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        "X-Twilio-Signature": base64.b64encode(digest).decode(),
        "User-Agent": "TwilioProxy/1.1",
    }
    return Signed(url, headers, urlencode(form).encode())


def telnyx_event(
    url: str, data: Mapping[str, Any], account: str, at: float | None = None
) -> Signed:
    """Ed25519 with the account's key over the time and the body."""
    event = {"record_type": "event", **data}
    meta = {"attempt": 1, "delivered_to": url}
    return telnyx_body(url, json.dumps({"data": event, "meta": meta}).encode(), account, at)


def telnyx_body(url: str, body: bytes, account: str, at: float | None = None) -> Signed:
    stamp = str(int(time.time() if at is None else at))
    signature = ed25519.sign(_seed(account), f"{stamp}|".encode() + body)
    headers = {
        "Content-Type": "application/json",
        "Telnyx-Timestamp": stamp,
        "Telnyx-Signature-Ed25519": base64.b64encode(signature).decode(),
        "User-Agent": "telnyx-webhooks",
    }
    return Signed(url, headers, body)


def telnyx_public_key(account: str) -> str:
    """What an account's events are verified with, as Telnyx's portal shows it."""
    return base64.b64encode(ed25519.public_key(_seed(account))).decode()


def _seed(account: str) -> bytes:
    """An account's secret: always the same, so that nothing has to be kept."""
    return hashlib.sha256(f"sandbox {account}".encode()).digest()
