"""All that happened to a number: what people and the system did with it, calls, messages."""

from dataclasses import replace
from typing import Any

from django.db.models import Q
from django.http import HttpRequest

from burki.paging import Page, Source, merged_page
from burki.templatetags.ui import STATUS
from numbers.models import Call, Message, PhoneNumber, Purchase, Release
from numbers.ui import words
from numbers.ui.number_words import activity
from organizations.models import AuditEvent


def history(request: HttpRequest, number: PhoneNumber, *, size: int = 50) -> Page:
    """A page of the number's timeline, newest first: events of itself, of its purchases and its
    releases, and what reached it."""
    page = merged_page(
        request,
        [
            Source(name="event", rows=_events(number), at="created_at"),
            *activities(number=number),
        ],
        size=size,
    )
    return replace(page, rows=[_line(name, row) for name, row in page.rows])


def activities(**which: Any) -> list[Source]:
    """Calls and messages, as sources of a list."""
    calls, messages = (
        model.objects.filter(**which).select_related("assistant") for model in (Call, Message)
    )
    return [
        Source(name="call", rows=calls, at="started_at"),
        Source(name="message", rows=messages.prefetch_related("attempts"), at="received_at"),
    ]


def _events(number: PhoneNumber):
    purchases = [str(pk) for pk in number.purchases.values_list("pk", flat=True)]
    releases = [str(pk) for pk in number.releases.values_list("pk", flat=True)]
    return AuditEvent.objects.filter(
        Q(object_type=PhoneNumber._meta.label, object_id=str(number.pk))
        | Q(object_type=Purchase._meta.label, object_id__in=purchases)
        | Q(object_type=Release._meta.label, object_id__in=releases),
        organization=number.organization_id,
    )


def _line(name: str, row: Any) -> dict[str, Any]:
    if name == "event":
        return words.event(row)
    one = activity(name, row)
    facts = [STATUS[one.badge][0], *filter(None, [one.facts, one.tried])]
    return {"at": one.at, "who": one.assistant or "No assistant", "what": one.what, "facts": facts}
