"""Calling and texting a number of the sandbox, and showing what came back."""

import json
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST

from burki.errors import BurkiError, sentence
from burki.text import is_clean
from numbers.models import Call, Message, PhoneNumber
from numbers.services.inbound.trying import Tried, call_number, record_of, text_number
from numbers.ui.buying import see_other
from numbers.ui.found import number_of
from organizations.pages import page
from organizations.permissions import NUMBERS_WRITE

_KEPT = "tried"  # in the session: what the last try of this person brought
_MOST = 6000  # characters of an answer
_FOLLOWED = timedelta(minutes=1)  # that its page waits for what the worker makes of a try


class TextForm(forms.Form):
    """What somebody writes to the number."""

    text = forms.CharField(
        label="Text message",
        max_length=320,
        initial="Hello, are you open today?",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_text(self) -> str:
        text = self.cleaned_data["text"]
        if not is_clean(text):
            raise forms.ValidationError("The text must not contain control characters.")
        return text


@page(NUMBERS_WRITE)
@require_POST
def call(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the sandbox call the number."""
    found = number_of(request, pk)
    return _try(request, found, "call", lambda asked: call_number(**asked))


@page(NUMBERS_WRITE)
@require_POST
def text(request: HttpRequest, pk: int) -> HttpResponse:
    """Have the sandbox send the number a text message."""
    found = number_of(request, pk)
    form = TextForm(request.POST)
    if not form.is_valid():
        messages.error(request, f"Nothing was sent. {form.errors['text'][0]}")
        return see_other("number", pk)
    message = form.cleaned_data["text"]
    return _try(request, found, "text", lambda asked: text_number(**asked, text=message))


def _try(request: HttpRequest, found: PhoneNumber, what: str, send) -> HttpResponse:
    asked = {"actor": request.actor, "organization": request.organization, "number": found}
    try:
        tried = send(asked)
    except BurkiError as error:
        messages.error(request, f"Nothing came back. {sentence(error)}")
        return see_other("number", found.pk)
    request.session[_KEPT] = _kept(tried) | {
        "number": found.pk,
        "what": what,
        "at": timezone.now().isoformat(),
    }
    response = see_other("number", found.pk)
    response["Location"] += "#tried"
    return response


def _kept(tried: Tried) -> dict[str, Any]:
    return {
        "url": tried.url[:500],
        "status": tried.status,
        "answer": tried.answer[:_MOST],
        "commands": json.dumps(tried.commands, indent=2, ensure_ascii=False)[:_MOST]
        if tried.commands
        else "",
        "call_id": tried.call_id,
        "message_id": tried.message_id,
    }


def last_try(request: HttpRequest, found: PhoneNumber) -> dict[str, Any] | None:
    """What the last try of this number by this person brought. `state` is how far its record is,
    "" before the worker has made one and "over" at the end; a page asks again while it is to
    `follow`."""
    kept = request.session.get(_KEPT)
    if not kept or kept["number"] != found.pk:
        return None
    at = parse_datetime(kept["at"])
    ids = {name: kept.get(name, "") for name in ("call_id", "message_id")}
    record = record_of(found, **ids)
    over = isinstance(record, Call) and record.ended_at is not None
    over = over or (isinstance(record, Message) and record.status != Message.Status.RECEIVED)
    heard = 200 <= kept["status"] < 300  # else nothing was written down, and never will be
    return kept | {
        "at": at,
        "state": "over" if over else record.status if record else "",
        "missing": heard and record is None,
        "follow": heard and not over and timezone.now() - at < _FOLLOWED,
    }
