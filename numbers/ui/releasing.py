"""Giving numbers back: asked first, each released once, and the truth of each afterwards."""

import time
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from burki.errors import BurkiError, sentence
from numbers.e164 import display
from numbers.models import PhoneNumber, Release
from numbers.services.release import answer, release_number
from numbers.ui.asked import Asked
from numbers.ui.buying import see_other
from numbers.ui.selection import monthly_cost, selected
from organizations.models import Provider
from organizations.pages import page
from organizations.permissions import NUMBERS_RELEASE

Status = PhoneNumber.Status

# One release takes at most 25 seconds: what was not begun by then waits for another click.
_BEGIN_WITHIN = 20.0


@page(NUMBERS_RELEASE)
@require_http_methods(["GET", "HEAD", "POST"])
def release(request: HttpRequest) -> HttpResponse:
    """GET shows what releasing the numbers of `?number=` means; POST releases them."""
    if request.method == "POST":
        return _release(request)
    numbers = selected(request)
    releasable = [one for one in numbers if one.status == Status.ACTIVE]
    context = {
        "numbers": releasable,
        "others": [one for one in numbers if one.status != Status.ACTIVE],
        "answered": sum(one.assistant_id is not None for one in releasable),
        "monthly": monthly_cost(releasable),
        "asked": Asked.of(request, "release", [one.pk for one in releasable]).signed(),
    }
    return render(request, "numbers/release.html", context)


def _release(request: HttpRequest) -> HttpResponse:
    asked = Asked.read(request, "release")
    numbers = selected(request, asked.numbers)
    began = time.monotonic()
    for one in numbers:
        if time.monotonic() - began > _BEGIN_WITHIN:
            break
        error = _release_one(request, one, asked.key)
        if len(numbers) == 1:
            return _told(request, one, error)
    query = urlencode({"number": asked.numbers}, doseq=True)
    response = see_other("release-result", asked.key)
    response["Location"] += f"?{query}"
    return response


def _release_one(request: HttpRequest, number: PhoneNumber, key: str) -> BurkiError | None:
    """Why it is not released (yet), or nothing."""
    try:
        release_number(
            actor=request.actor,
            organization=request.organization,
            phone_number=number.phone_number,
            provider=number.provider,
            idempotency_key=_key(key, number.pk),
        )
    except BurkiError as error:
        return error
    return None


def _key(key: str | UUID, pk: int) -> str:
    """In the staff pages' own namespace, one of each number."""
    return f"ui:{key}:{pk}"


def _told(request: HttpRequest, number: PhoneNumber, error: BurkiError | None) -> HttpResponse:
    """After the release of one number: its page, with the truth."""
    if error is None:
        messages.success(request, _released(number))
    else:
        made = getattr(error, "release", None)
        messages.add_message(request, *_not_released(number, made, error))
    return see_other("number", number.pk)


def _released(number: PhoneNumber) -> str:
    provider = Provider(number.provider).label
    return f"{display(number.phone_number)} is released: {provider} has it back."


def _not_released(number: PhoneNumber, made: Release | None, error: BurkiError) -> tuple[int, str]:
    if made is not None and made.state == Release.State.REFUSED:
        why = [made.hint or f"{error.detail}."]
        if made.provider_message:
            why.append(f"{number.get_provider_display()} says: “{made.provider_message}”")
        return messages.ERROR, (
            f"Not released: {display(number.phone_number)} is still yours and still costs. "
            f"{' '.join(why)}"
        )
    if made is not None and made.state != Release.State.RELEASED:
        return messages.WARNING, (
            f"{number.get_provider_display()} has not confirmed yet. Nothing to do: we look until "
            "it is sure, and this page tells."
        )
    return messages.ERROR, f"Nothing was released. {sentence(error)}"


# --- The result of many ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What became of one number. `waiting`: nothing was tried yet."""

    number: PhoneNumber
    badge: str
    told: str
    waiting: bool = False


@page(NUMBERS_RELEASE)
@require_safe
def result(request: HttpRequest, key: UUID) -> HttpResponse:
    """How the numbers of `?number=` stand now, after the page with this key was sent. A reload
    shows it anew."""
    numbers = selected(request)
    keys = [_key(key, one.pk) for one in numbers]
    made = Release.objects.filter(organization=request.organization, idempotency_key__in=keys)
    by_number = {one.number_id: one for one in made.select_related("number")}
    lines = [_line(one, by_number.get(one.pk)) for one in numbers]
    waiting = [line.number.pk for line in lines if line.waiting]
    context = {
        "lines": lines,
        "released": sum(line.number.status == Status.RELEASED for line in lines),
        "follow": any(line.number.status == Status.RELEASING for line in lines),
        "waiting": len(waiting),
        "go_on": f"{reverse('release')}?{urlencode({'number': waiting}, doseq=True)}",
    }
    return render(request, "numbers/release_result.html", context)


def _line(number: PhoneNumber, made: Release | None) -> Line:
    told, waiting = "", False
    match number.status:
        case Status.RELEASED:
            told = f"{number.get_provider_display()} has it back. It costs nothing any more."
        case Status.RELEASING:
            told = f"{number.get_provider_display()} has not confirmed yet. We look until it has."
        case Status.PENDING:
            told = "Its purchase is not settled yet: it can be released afterwards."
        case _ if made is None:
            told, waiting = "Not tried yet: there was no time left.", True
        case _:
            told = _why_not(number, made)
    return Line(number=number, badge=number.status, told=told, waiting=waiting)


def _why_not(number: PhoneNumber, made: Release) -> str:
    try:
        answer(made, replayed=True)
    except BurkiError as error:
        return _not_released(number, made, error)[1]
    return ""
