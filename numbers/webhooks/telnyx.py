"""Telnyx at our door: events of calls, messages and orders. It wants a 2xx within two seconds, so
the event is written down and everything else is the worker's.

Signed with Ed25519 over `timestamp|body`:
https://developers.telnyx.com/development/api-fundamentals/webhooks/receiving-webhooks
"""

import base64
import binascii
import re
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from burki.room import always_answered
from numbers.services.inbound import telnyx_events
from numbers.services.inbound.events import InboundEvent, Unreadable
from numbers.services.inbound.inbox import receive
from numbers.services.inbound.keys import Candidate, public_keys, telnyx_candidates
from numbers.webhooks.base import Refused, webhook

TOLERANCE = 300  # seconds, before and after
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


@always_answered
@csrf_exempt
def telnyx_view(request: HttpRequest) -> HttpResponse:
    """GET and HEAD are Telnyx's probe whether somebody is here."""
    if request.method in ("GET", "HEAD"):
        return HttpResponse("ok", content_type="text/plain")
    return _event_view(request)


@webhook("telnyx", code="not_authenticated")
def _event_view(request: HttpRequest, body: bytes) -> HttpResponse:
    event, sender = _verified(request, body)
    receive(account=sender.account, event=event, body=body)
    return HttpResponse("ok", content_type="text/plain")


def _verified(request: HttpRequest, body: bytes) -> tuple[InboundEvent, Candidate]:
    """The event and who signed it. Raises `Refused`."""
    stamp = request.headers.get("telnyx-timestamp", "")
    signature = _decoded(request.headers.get("telnyx-signature-ed25519", ""), 64)
    if signature is None or not _TIMESTAMP.fullmatch(stamp):
        raise Refused("unsigned")
    if abs(time.time() - int(stamp)) > TOLERANCE:
        raise Refused("timestamp")
    try:
        event = telnyx_events.read(body)
    except Unreadable:
        raise Refused("unreadable") from None
    signed = stamp.encode() + b"|" + body
    for candidate in telnyx_candidates(event):
        if any(_signed_by(key, signature, signed) for key in public_keys(candidate.account)):
            return event, candidate
    raise Refused("signature")


def _signed_by(public_key: str, signature: bytes, signed: bytes) -> bool:
    key = _decoded(public_key, 32)
    if key is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _decoded(text: str, length: int) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == length else None
