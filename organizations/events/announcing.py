"""Writing down what customers are to be told: call `announce` inside the transaction of the cause.

Why here, and not later from the audit? Reading the audit in the order of its ids would lose what
commits late (an id is taken before its transaction ends), and would be as late as the worker's
next look. A row beside the cause exists if and only if the cause does, whoever is killed when, and
its job, deferred in the same transaction, is at work within milliseconds. The price must not be
paid by those who do not listen: whether an organization has an active endpoint is read by the very
statement that locks it (`lock_organization`), so a purchase without listeners costs not one
statement more, and one with listeners two: the event and its job. What is mailed is rare and is
always written.

At least once: a worker that is killed between sending and writing that down sends again, with the
same `webhook-id`.
"""

import json
from dataclasses import dataclass
from typing import Any

from burki.text import instant
from organizations import jobs
from organizations.events.types import MAILED, VERSION
from organizations.models import Event, Organization


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One thing to tell: facts as JSON values, never a secret, and where the truth can be read."""

    type: str
    data: dict[str, Any]
    url: str


def announce(organization: Organization, *news: News) -> None:
    """Write events and the one job that spreads them. Of types that nobody is mailed, only when
    the organization has an active endpoint."""
    told = [n for n in news if n.type in MAILED or organization.has_event_endpoints]
    if not told:
        return
    events = [Event(organization=organization, type=n.type, data=n.data, url=n.url) for n in told]
    Event.objects.bulk_create(events, batch_size=500)
    jobs.spread_events_later([event.pk for event in events])


def payload_of(event: Event) -> dict[str, Any]:
    """What an endpoint gets; the same for every try."""
    return {
        "id": event.public_id,
        "type": event.type,
        "version": VERSION,
        "timestamp": instant(event.created_at),
        "organization_id": event.organization_id,
        "data": event.data,
        "url": event.url,
    }


def body_of(event: Event) -> bytes:
    return json.dumps(payload_of(event), ensure_ascii=True).encode()
