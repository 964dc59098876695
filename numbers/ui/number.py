"""One number's page, its history, and its name and assistant."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe
from django_htmx.http import HttpResponseClientRefresh, HttpResponseStopPolling

from burki.errors import BurkiError, sentence
from burki.paging import merged_page
from numbers.e164 import display
from numbers.models import PhoneNumber, Release
from numbers.services.assigning import UNASSIGN, update_number
from numbers.services.repairing import restorable
from numbers.services.spending import cost_so_far
from numbers.ui import number_words
from numbers.ui.buying import see_other
from numbers.ui.forms import AssistantForm, NameForm
from numbers.ui.found import number_of
from numbers.ui.history import activities, history
from numbers.ui.trying import TextForm, last_try
from organizations.pages import page
from organizations.permissions import NUMBERS_READ, NUMBERS_WRITE

Status = PhoneNumber.Status

_LATEST = 8  # calls and messages on the number's page
_EVENTS = 15
_CHANGING = (Status.PENDING, Status.RELEASING)
_EDITABLE = (Status.ACTIVE, Status.PENDING)


@page(NUMBERS_READ)
@require_safe
def number(request: HttpRequest, pk: int) -> HttpResponse:
    """What the number is, whether it works, what happened, and what can be done with it. A page
    that waits for another status asks with the one that it has `seen`, one that waits for the call
    that was `tried` with how far that was."""
    found = number_of(request, pk)
    if request.htmx and "seen" in request.GET:
        same = request.GET["seen"] == found.status
        return HttpResponse(status=204) if same else HttpResponseClientRefresh()
    if request.htmx and "tried" in request.GET:
        return _followed(last_try(request, found), request.GET["tried"])
    return number_page(request, found)


def _followed(tried: dict[str, Any] | None, seen: str) -> HttpResponse:
    """For the page that has seen so much of a try: nothing new, something new, or no more."""
    if tried is not None and tried["state"] != seen:
        return HttpResponseClientRefresh()
    follow = tried is not None and tried["follow"]
    return HttpResponse(status=204) if follow else HttpResponseStopPolling()


def number_page(
    request: HttpRequest, found: PhoneNumber, *, status: int = 200, **forms: Form
) -> HttpResponse:
    """The page of a number; `forms` are those that were sent and are not right."""
    active = found.status == Status.ACTIVE
    may_write = NUMBERS_WRITE in request.may
    tries = may_write and active and settings.SANDBOX
    context: dict[str, Any] = {
        "number": found,
        # Before the list: what comes in between is in the list, or waited for.
        "tried": last_try(request, found) if tries else None,
        "judged": number_words.judged(found) if active else None,
        "restorable": active and may_write and bool(restorable(found)),
        "latest": latest(request, found),
        "purchases": found.purchases.order_by("-pk")[:10],
        "refused": _refused_release(found) if active else None,
        "history": history(request, found, size=_EVENTS),
        "cost": cost_so_far(found),
        "follow": found.status in _CHANGING,
    }
    if may_write and found.status in _EDITABLE:
        context |= forms_of(request, found) | forms
    if tries:
        context["text_form"] = TextForm()
    return render(request, "numbers/number.html", context, status=status)


def _refused_release(found: PhoneNumber) -> Release | None:
    """The last try to release it, if the provider refused."""
    last = found.releases.order_by("-pk").first()
    return last if last is not None and last.state == Release.State.REFUSED else None


def forms_of(request: HttpRequest, found: PhoneNumber) -> dict[str, Form]:
    """Its name and its assistant, to be changed."""
    name = found.friendly_name if found.friendly_name != found.phone_number else ""
    return {
        "name_form": NameForm(auto_id=_ids(found.pk), initial={"friendly_name": name}),
        "assistant_form": AssistantForm(
            auto_id=_ids(found.pk),
            organization=request.organization,
            initial={"assistant": found.assistant_id},
        ),
    }


def _ids(pk: int) -> str:
    """Several numbers can be edited on one page."""
    return f"%s_{pk}"


def latest(request: HttpRequest, found: PhoneNumber) -> list[number_words.Activity]:
    """The last calls and messages of the number."""
    newest = merged_page(request, activities(number=found), size=_LATEST)
    return [number_words.activity(kind, row) for kind, row in newest.rows]


@page(NUMBERS_READ)
@require_safe
def whole_history(request: HttpRequest, pk: int) -> HttpResponse:
    """All that happened to the number, newest first."""
    found = number_of(request, pk)
    context = {"number": found, "page": history(request, found)}
    return render(request, "numbers/history.html", context)


# --- Name and assistant ---------------------------------------------------------------------------


@page(NUMBERS_WRITE)
@require_POST
def rename(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the number another name, here and where its provider keeps names."""
    found = number_of(request, pk)
    form = NameForm(request.POST, auto_id=_ids(pk))
    if not form.is_valid():
        return _refused(request, found, name_form=form)
    name = form.cleaned_data["friendly_name"]
    told = f"{display(found.phone_number)} is called {name} now." if name else "The name is gone."
    return _changed(request, found, told, friendly_name=name, assistant_id=None)


@page(NUMBERS_WRITE)
@require_POST
def assign(request: HttpRequest, pk: int) -> HttpResponse:
    """Give the number to an assistant, or to nobody."""
    found = number_of(request, pk)
    form = AssistantForm(request.POST, auto_id=_ids(pk), organization=request.organization)
    if not form.is_valid():
        return _refused(request, found, assistant_form=form)
    assistant = form.cleaned_data["assistant"]
    shown = display(found.phone_number)
    told = f"{assistant} answers {shown} now." if assistant else f"Nobody answers {shown} now."
    wanted = assistant.pk if assistant else UNASSIGN
    return _changed(request, found, told, friendly_name=None, assistant_id=wanted)


def _changed(request: HttpRequest, found: PhoneNumber, told: str, **wanted: Any) -> HttpResponse:
    """Make the change. A script that edits in the list gets the row, people the number's page."""
    error = None
    try:
        found = update_number(
            actor=request.actor, organization=request.organization, number=found, **wanted
        )
    except BurkiError as why:
        error = f"Nothing was changed. {sentence(why)}"
    if request.htmx:
        found = number_of(request, found.pk)
        return row_of(request, found, edit=bool(error), error=error, told=told)
    messages.add_message(request, messages.ERROR if error else messages.SUCCESS, error or told)
    return see_other("number", found.pk)


def _refused(request: HttpRequest, found: PhoneNumber, **forms: Form) -> HttpResponse:
    """What was sent makes no sense: the same again, with what is wrong."""
    if found.status not in _EDITABLE:  # then nothing makes sense
        messages.error(request, "Nothing was changed: the number goes, or is gone.")
        return see_other("number", found.pk)
    if request.htmx:
        return row_of(request, found, edit=True, **forms)
    return number_page(request, found, status=400, **forms)


def row_of(
    request: HttpRequest,
    found: PhoneNumber,
    *,
    edit: bool,
    error: str | None = None,
    told: str = "",
    **forms: Form,
) -> HttpResponse:
    """The number as a row of the list, to read or to edit; `told` to those who do not see it."""
    context: dict[str, Any] = {"row": found, "may_select": True, "error": error, "told": told}
    if edit:
        context |= forms_of(request, found) | forms
    template = "number_row_edit.html" if edit else "number_row.html"
    return render(request, f"numbers/{template}", context)


@page(NUMBERS_WRITE)
@require_safe
def row(request: HttpRequest, pk: int) -> HttpResponse:
    """A row of the list for a script, to be edited in place with `?edit`; for people the page."""
    if not request.htmx:
        return see_other("number", pk)
    found = number_of(request, pk)
    return row_of(request, found, edit="edit" in request.GET and found.status in _EDITABLE)
