"""Assistants: the list, each one with its numbers, creating, changing and deleting them. They are
here and not in their own app because their pages tell of numbers."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from assistants.models import Assistant
from assistants.services import (
    create_assistant,
    delete_assistant,
    get_assistant,
    update_assistant,
)
from burki.paging import keyset_page
from numbers.assistant_field import offered
from numbers.models import PhoneNumber, SigningSecret
from numbers.services.inbound.signing import rotate_signing_secret
from numbers.services.preview import unready
from numbers.ui import words
from numbers.ui.assistant_forms import AssistantFilters, AssistantForm, initial_of
from numbers.ui.buying import see_other
from organizations import shown_once
from organizations.models import AuditEvent
from organizations.pages import page
from organizations.permissions import ASSISTANTS_READ, ASSISTANTS_WRITE, ORGANIZATION_ADMIN

_EVENTS_SHOWN = 20
_NUMBERS_SHOWN = 25
_NAME_MAX = 100
_NEW = {"is_active": "yes", "language": "en-US"}


@page(ASSISTANTS_READ)
@require_safe
def assistants(request: HttpRequest) -> HttpResponse:
    """The organization's assistants, newest first."""
    rows = Assistant.objects.of(request.organization).defer("settings", "greeting")
    chosen = AssistantFilters(request.GET, rows)
    found = keyset_page(request, chosen.qs if chosen.is_valid() else rows.none())
    numbers = _numbers_of(found.rows)
    context = {
        "filters": chosen.form,
        "page": found,
        "rows": [(row, numbers.get(row.pk, {})) for row in found.rows],
    }
    return render(request, "numbers/assistants.html", context)


@page(ASSISTANTS_READ)
@require_safe
def options(request: HttpRequest) -> HttpResponse:
    """What a field for an assistant offers for what was written into it so far."""
    written = request.GET.get("assistant", "").replace("\0", "")[:_NAME_MAX]
    found = offered(request.organization, written)
    if "nobody" in request.GET and "nobody".startswith(written.lower()):
        found = ["Nobody", *found]
    return render(request, "numbers/assistant_options.html", {"offered": found})


@page(ASSISTANTS_READ)
@require_safe
def assistant(request: HttpRequest, pk: int) -> HttpResponse:
    """One assistant: how it answers, its numbers, and what happened to it."""
    found = get_assistant(request.organization, pk)
    live = PhoneNumber.objects.visible_to(request.organization).live().filter(assistant=found)
    events = AuditEvent.objects.filter(
        organization=request.organization,
        object_type=Assistant._meta.label,
        object_id=str(found.pk),
    )
    context = {
        "assistant": found,
        "told": _numbers_of([found]).get(found.pk, {}),
        "page": keyset_page(request, live, size=_NUMBERS_SHOWN),
        "reasons": unready(found),
        "signs": SigningSecret.objects.filter(pk=found.pk).first(),
        "events": [words.event(row) for row in events.order_by("-pk")[:_EVENTS_SHOWN]],
    }
    return render(request, "numbers/assistant.html", context)


@page(ASSISTANTS_WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """A form; POST creates the assistant."""
    form = _form(request, initial=_NEW)
    if form.is_valid():
        try:
            made = create_assistant(
                actor=request.actor, organization=request.organization, **form.cleaned_data
            )
        except ValidationError as error:
            return _refused(request, form, error)
        messages.success(request, f"{made} is created. It answers the numbers that you assign.")
        return see_other("assistant", made.pk)
    return _form_page(request, form)


@page(ASSISTANTS_WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """What can be changed; POST changes it, unless somebody else did in between."""
    found = get_assistant(request.organization, pk)
    form = _form(request, initial=initial_of(found))
    if form.is_valid():
        if request.POST.get("seen") != _version(found):
            form.add_error(
                None,
                "Somebody changed this assistant meanwhile, and nothing of yours was saved. Look "
                "at its page, then save again what should be so.",
            )
        else:
            return _save(request, found, form)
    return _form_page(request, form, found)


def _save(request: HttpRequest, found: Assistant, form: AssistantForm) -> HttpResponse:
    try:
        update_assistant(
            actor=request.actor,
            organization=request.organization,
            assistant_id=found.pk,
            changes={name: form.cleaned_data[name] for name in form.changed_data},
            merge=True,
        )
    except ValidationError as error:
        return _refused(request, form, error, found)
    messages.success(request, "Saved. Calls and messages from now on follow it.")
    return see_other("assistant", found.pk)


@page(ASSISTANTS_WRITE)
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks once; POST deletes the assistant, and its numbers are nobody's."""
    found = get_assistant(request.organization, pk)
    if request.method == "POST":
        delete_assistant(
            actor=request.actor, organization=request.organization, assistant_id=found.pk
        )
        messages.success(request, f"{found} is deleted. Its numbers stay, assigned to nobody.")
        return see_other("assistants")
    count = _numbers_of([found]).get(found.pk, {}).get("count", 0)
    context = {"assistant": found, "count": count}
    return render(request, "numbers/assistant_delete.html", context)


@page(ASSISTANTS_WRITE)
@require_http_methods(["GET", "POST"])
def secret(request: HttpRequest, pk: int) -> HttpResponse:
    """POST makes a new signing secret; GET shows it, once, or asks whether to make one."""
    found = get_assistant(request.organization, pk)
    name = f"signing-secret-{found.pk}"
    if request.method == "POST":
        text = rotate_signing_secret(actor=request.actor, assistant=found)
        shown_once.keep(request, name, text)
        return see_other("assistant-secret", found.pk)
    context = {"assistant": found, "text": shown_once.take(request, name)}
    return render(request, "numbers/assistant_secret.html", context)


def _numbers_of(rows: list[Assistant]) -> dict[int, dict[str, Any]]:
    """How many live numbers each has, and when something last happened on one, in one query."""
    live = PhoneNumber.objects.inventory().live().filter(assistant__in=rows).order_by()
    found = live.values("assistant").annotate(count=Count("pk"), last=Max("last_activity_at"))
    return {group["assistant"]: group for group in found}


def _form(request: HttpRequest, *, initial: dict[str, Any]) -> AssistantForm:
    return AssistantForm(
        request.POST if request.method == "POST" else None,
        initial=initial,
        organization=request.organization,
        may_choose_account=ORGANIZATION_ADMIN in request.may,
    )


def _form_page(
    request: HttpRequest, form: AssistantForm, found: Assistant | None = None
) -> HttpResponse:
    context = {"form": form, "assistant": found, "seen": found and _version(found)}
    status = 400 if form.errors else 200
    return render(request, "numbers/assistant_form.html", context, status=status)


def _refused(
    request: HttpRequest,
    form: AssistantForm,
    error: ValidationError,
    found: Assistant | None = None,
) -> HttpResponse:
    """Each sentence at its field; above the form where that does not show the field."""
    for name, sentences in error.message_dict.items():
        form.add_error(name if name in form.fields else None, sentences)
    return _form_page(request, form, found)


def _version(assistant: Assistant) -> str:
    return assistant.updated_at.isoformat()
