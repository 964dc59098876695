"""Twilio at our door: it asks how a call goes on, brings text messages, tells how calls ended.

Signed with the auth token of the account that has the number, over the address as Twilio knows it:
https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

import itertools

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from twilio.request_validator import RequestValidator

from numbers.services.inbound import twilio_events, twiml
from numbers.services.inbound.answering import plan_for
from numbers.services.inbound.events import InboundEvent, Kind, Unreadable
from numbers.services.inbound.inbox import receive
from numbers.services.inbound.keys import Candidate, auth_tokens, twilio_candidates
from numbers.services.routing import our_bases, public_url
from numbers.webhooks.base import Refused, webhook


@webhook("twilio", code="permission_denied")
def twiml_view(request: HttpRequest, body: bytes) -> HttpResponse:
    """What to do with a call or a text message. No request leaves from here; three statements at
    most: whose the number is, the inbox, the job."""
    event, sender = _verified(request, body, status=False)
    decision, answer = {}, twiml.NOTHING
    if event.kind == Kind.CALL:
        plan = plan_for(sender.number)
        decision = {"answered_with": plan.answered_with, "assistant_id": plan.assistant_id}
        answer = twiml.voice(plan, event)
    received = receive(
        account=sender.account,
        event=event,
        body=body,
        decision=decision,
        answer=answer,
        work=sender.number is not None,  # what is nobody's has no records
    )
    return HttpResponse(received.answer, content_type="text/xml; charset=utf-8")


@webhook("twilio", code="permission_denied")
def status_view(request: HttpRequest, body: bytes) -> HttpResponse:
    """How a call ended."""
    event, sender = _verified(request, body, status=True)
    receive(account=sender.account, event=event, body=body)
    return HttpResponse(status=204)


def _verified(request: HttpRequest, body: bytes, *, status: bool) -> tuple[InboundEvent, Candidate]:
    """The event and who signed it. Twilio signs the address that the number has there: after a
    move of ours, until it is repaired, the earlier one. Raises `Refused`."""
    signature = request.headers.get("X-Twilio-Signature", "")
    if not signature or not signature.isascii():
        raise Refused("unsigned")
    try:
        form = twilio_events.parse(body)
        event = twilio_events.read(body, status=status)
    except Unreadable:
        raise Refused("unreadable") from None
    for candidate in twilio_candidates(event):
        number = candidate.number
        bases = our_bases(number) if number else [settings.PUBLIC_BASE_URL]
        for token, base in itertools.product(auth_tokens(candidate.account), bases):
            if RequestValidator(token).validate(address_of(request, base), form, signature):
                return event, candidate
    raise Refused("signature")


def address_of(request: HttpRequest, base: str) -> str:
    """The address that Twilio was given when we were at `base`, query and all; never what a proxy
    made of it."""
    query = request.META.get("QUERY_STRING", "")
    return public_url(request.path_info, base) + (f"?{query}" if query else "")
