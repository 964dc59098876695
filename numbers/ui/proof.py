"""Looking at how a number is set at its provider, setting it as it should be, and putting back
what was there before."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from burki.errors import BurkiError, sentence
from numbers.models import PhoneNumber
from numbers.services import evidence
from numbers.services.evidence import Differences
from numbers.services.proof import verify_number
from numbers.services.repairing import repair_number, restorable, restore_webhooks
from numbers.ui import number_words
from numbers.ui.asked import Asked
from numbers.ui.buying import see_other
from numbers.ui.found import number_of
from organizations.pages import page
from organizations.permissions import NUMBERS_WRITE

Status, Verdict = PhoneNumber.Status, PhoneNumber.Verdict


@page(NUMBERS_WRITE)
@require_POST
def check(request: HttpRequest, pk: int) -> HttpResponse:
    """Read back what the provider has. Changes nothing there."""
    try:
        judged = number_words.judged(
            verify_number(actor=request.actor, number=number_of(request, pk))
        )
    except BurkiError as error:
        messages.error(request, f"It was not checked. {sentence(error)}")
    else:
        tell = messages.success if judged.badge == Verdict.VERIFIED else messages.warning
        tell(request, f"Checked just now. {judged.headline}.")
    return see_other("number", pk)


@page(NUMBERS_WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def repair(request: HttpRequest, pk: int) -> HttpResponse:
    """GET shows what would be set and what of somebody else's would be overwritten; POST sets it,
    if the provider still has what was shown."""
    found = number_of(request, pk)
    if request.method == "POST":
        return _repair(request, found, Asked.read(request, "repair"))
    if found.status != Status.ACTIVE or not number_words.judged(found).repairable:
        messages.info(request, "Check the number first: only what differs can be repaired.")
        return see_other("number", pk)
    return _repair_page(request, found)


def _repair_page(request: HttpRequest, found: PhoneNumber) -> HttpResponse:
    asked = Asked.of(request, "repair", [found.pk], differences=found.webhook_differences)
    settings = number_words.settings_of(found)
    context = {
        "number": found,
        "settings": settings,
        "foreign": any(one.foreign for one in settings),
        "asked": asked.signed(),
    }
    return render(request, "numbers/repair.html", context)


def _repair(request: HttpRequest, found: PhoneNumber, asked: Asked) -> HttpResponse:
    asked.require(found)
    try:
        found = verify_number(actor=request.actor, number=found)
        if found.webhook_verdict == Verdict.UNREACHABLE:
            messages.error(request, f"Nothing was changed. {found.webhook_detail}")
            return see_other("number", found.pk)
        shown: Differences = asked.shown["differences"]
        new = {n: p for n, p in found.webhook_differences.items() if shown.get(n) != p}
        if "number" in new or evidence.foreign(found, new):
            messages.warning(
                request, "What is set there has changed. Nothing was done: look once more."
            )
            return see_other("number-repair", found.pk)
        done = repair_number(actor=request.actor, organization=request.organization, number=found)
    except BurkiError as error:
        messages.error(request, f"It is not repaired. {sentence(error)}")
        return see_other("number", found.pk)
    if done.agrees:
        messages.success(request, "Repaired, and read back: everything is set as it should be.")
    else:
        messages.warning(
            request, f"It was set, but the provider shows: {evidence.in_words(done.differences)}"
        )
    return see_other("number", found.pk)


@page(NUMBERS_WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def restore(request: HttpRequest, pk: int) -> HttpResponse:
    """GET shows what a repair overwrote; POST puts it back."""
    found = number_of(request, pk)
    old = restorable(found)
    if not old:
        messages.info(request, "Nothing of somebody else’s was overwritten: nothing to put back.")
        return see_other("number", pk)
    if request.method != "POST":
        asked = Asked.of(request, "restore", [found.pk], old=old)
        earlier = [(evidence.called(name), value) for name, value in old.items()]
        context = {"number": found, "earlier": earlier, "asked": asked.signed()}
        return render(request, "numbers/restore.html", context)
    asked = Asked.read(request, "restore")
    asked.require(found)
    if asked.shown["old"] != old:
        messages.warning(request, "Something was repaired meanwhile. Nothing was done: look again.")
        return see_other("number-restore", pk)
    try:
        restore_webhooks(actor=request.actor, number=found)
    except BurkiError as error:
        messages.error(request, f"It was not put back. {sentence(error)}")
    else:
        messages.success(request, "Put back. Calls or messages go there now, not to us.")
    return see_other("number", pk)
