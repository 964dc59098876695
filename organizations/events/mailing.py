"""E-mails to owners and admins: what costs money or keeps events from arriving."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils import timezone

from burki.text import plain
from organizations.events.types import BALANCE_LOW, SPENDING_80, SPENDING_100
from organizations.models import Event, EventEndpoint, Membership, Organization, Role


def mail_event(event_id: UUID) -> None:
    """Mail an event, once; a worker that is killed right after sending mails it again."""
    event = Event.objects.select_related("organization").filter(pk=event_id, mailed_at=None).first()
    if event is None:
        return
    subject, text = _WORDS[event.type](event.data)
    _send(event.organization, subject, text, reverse("overview"))
    Event.objects.filter(pk=event.pk).update(mailed_at=timezone.now())


def mail_endpoint_disabled(endpoint_id: int) -> None:
    """Says that an endpoint gets nothing more, unless that is so no longer."""
    rows = EventEndpoint.objects.select_related("organization")
    endpoint = rows.filter(pk=endpoint_id, is_active=False).first()
    if endpoint is None:
        return
    _send(
        endpoint.organization,
        "An event endpoint was disabled",
        f"Events are no longer sent to your endpoint at {endpoint}.\n"
        f"{endpoint.disabled_because}\n\n"
        "Mend it, enable it again, and send again what it missed.",
        reverse("events"),
    )


def _send(organization: Organization, subject: str, text: str, path: str) -> None:
    """One message to each, so that nobody learns of the others."""
    people = Membership.objects.filter(
        organization=organization, role__in=(Role.ADMIN, Role.OWNER), user__is_active=True
    ).order_by("pk")
    body = f"{text}\n\n{settings.PUBLIC_BASE_URL}{path}\n\nBurki Numbers, for {organization.name}\n"
    for address in people.values_list("user__email", flat=True):
        EmailMessage(plain(f"{organization.name}: {subject}", 200), body, to=[address]).send()


def _eighty(data: dict[str, Any]) -> tuple[str, str]:
    return "80% of the monthly limit are committed", _spending(data)


def _hundred(data: dict[str, Any]) -> tuple[str, str]:
    text = _spending(data)
    if data["purchase_refused"]:
        text += "\nA purchase was refused because it does not fit any more."
    return (
        "The monthly limit is used up",
        f"{text}\nPurchases that do not fit are refused until next month, or until an owner "
        "raises the limit.",
    )


def _spending(data: dict[str, Any]) -> str:
    month = f"{datetime.fromisoformat(data['month'] + '-01'):%B %Y}"
    money = f"{data['committed']} of {data['limit']} {data['currency']}"
    return f"{money} are committed for {month}."


def _balance(data: dict[str, Any]) -> tuple[str, str]:
    return f"The balance of {data['account']} is low", (
        f"{data['balance']} {data['currency'] or ''} are left, less than your threshold of "
        f"{data['threshold']}.\nTop it up at the provider: numbers are renewed from it."
    )


_WORDS = {SPENDING_80: _eighty, SPENDING_100: _hundred, BALANCE_LOW: _balance}
