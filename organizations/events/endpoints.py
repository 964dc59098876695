"""What people and programs do with event endpoints and events. All need `organization:admin`."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Prefetch, QuerySet, prefetch_related_objects

from burki.errors import InvalidRequest, NotFound
from burki.outgoing import NotSent, check_address, new_secret
from burki.text import is_clean
from organizations import audit, jobs
from organizations.actors import Actor
from organizations.credentials import lock_organization
from organizations.events import delivering
from organizations.events.types import ENDPOINT_TEST, TYPES
from organizations.models import Event, EventAttempt, EventDelivery, EventEndpoint, Organization
from organizations.permissions import ORGANIZATION_ADMIN

MOST_ENDPOINTS = 20
URL_MAX, DESCRIPTION_MAX = 500, 200
_LARGEST_ID = 2**63 - 1
_EVENT_ID = re.compile(r"evt_[0-9a-f]{32}")


def endpoints_of(actor: Actor, organization: Organization) -> list[EventEndpoint]:
    """All of them, the oldest first: there are few."""
    actor.require(ORGANIZATION_ADMIN, organization)
    return list(EventEndpoint.objects.filter(organization=organization).order_by("pk"))


def find_endpoint(actor: Actor, organization: Organization, endpoint_id: int) -> EventEndpoint:
    """Raises `NotFound`, also for another tenant's, and `PermissionDenied`."""
    actor.require(ORGANIZATION_ADMIN, organization)
    return _found(EventEndpoint.objects.all(), organization, endpoint_id)


def find_event(actor: Actor, organization: Organization, public_id: str) -> Event:
    """Raises `NotFound`, also for another tenant's, and `PermissionDenied`."""
    actor.require(ORGANIZATION_ADMIN, organization)
    event = None
    if _EVENT_ID.fullmatch(public_id):
        rows = Event.objects.filter(organization=organization)
        event = rows.filter(pk=UUID(public_id.removeprefix("evt_"))).first()
    if event is None:
        raise NotFound(f"Event {public_id[:40]} not found")
    return event


def with_deliveries(event: Event) -> Event:
    """The same with its deliveries and their attempts, oldest first."""
    deliveries = EventDelivery.objects.select_related("endpoint").order_by("pk")
    attempts = Prefetch("attempts", EventAttempt.objects.order_by("pk"))
    prefetch_related_objects([event], Prefetch("deliveries", deliveries.prefetch_related(attempts)))
    return event


@transaction.atomic
def create_endpoint(
    *,
    actor: Actor,
    organization: Organization,
    url: str,
    description: str = "",
    event_types: Sequence[str] = (),
) -> tuple[EventEndpoint, str]:
    """An endpoint and its signing secret in clear, which is shown nowhere else afterwards.

    Raises `InvalidRequest`, `PermissionDenied`.
    """
    actor.require(ORGANIZATION_ADMIN, organization)
    fields = _clean({"url": url, "description": description, "event_types": list(event_types)})
    organization = lock_organization(organization.pk)
    if EventEndpoint.objects.filter(organization=organization).count() >= MOST_ENDPOINTS:
        raise InvalidRequest(
            f"An organization has at most {MOST_ENDPOINTS} event endpoints: delete one first."
        )
    secret = new_secret()
    endpoint = EventEndpoint(organization=organization, **fields)
    endpoint.replace_secret(secret)
    endpoint.save()
    audit.record(
        actor, "event_endpoint.created", endpoint, organization=organization,
        event_types=endpoint.event_types,
    )  # fmt: skip
    return endpoint, secret


@transaction.atomic
def change_endpoint(
    *, actor: Actor, organization: Organization, endpoint_id: int, **changes: Any
) -> EventEndpoint:
    """Change url, description, event_types, is_active. Enabling one begins anew: what it missed
    is sent only when somebody asks for it. What is as wanted is not written.

    Raises `InvalidRequest`, `NotFound`, `PermissionDenied`.
    """
    actor.require(ORGANIZATION_ADMIN, organization)
    endpoint = _locked(organization, endpoint_id)
    active = changes.pop("is_active", endpoint.is_active)
    wanted = {k: v for k, v in _clean(changes).items() if getattr(endpoint, k) != v}
    for name, value in wanted.items():
        setattr(endpoint, name, value)
    if wanted:
        endpoint.save(update_fields=[*wanted, "updated_at"])
        audit.record(
            actor, "event_endpoint.changed", endpoint, organization=organization,
            fields=sorted(wanted),
        )  # fmt: skip
    if endpoint.is_active and not active:
        delivering.disable(endpoint, because=f"By {actor.label}."[:200], actor=actor)
    elif active and not endpoint.is_active:
        endpoint.is_active, endpoint.failing_since = True, None
        endpoint.disabled_at, endpoint.disabled_because = None, ""
        endpoint.save()
        audit.record(actor, "event_endpoint.enabled", endpoint, organization=organization)
    return endpoint


@transaction.atomic
def delete_endpoint(*, actor: Actor, organization: Organization, endpoint_id: int) -> EventEndpoint:
    """Delete it with its deliveries; the events stay. Raises `NotFound`, `PermissionDenied`."""
    actor.require(ORGANIZATION_ADMIN, organization)
    endpoint = _locked(organization, endpoint_id)
    audit.record(actor, "event_endpoint.deleted", endpoint, organization=organization)
    EventEndpoint.objects.filter(pk=endpoint.pk).delete()
    return endpoint


@transaction.atomic
def rotate_secret(
    *, actor: Actor, organization: Organization, endpoint_id: int
) -> tuple[EventEndpoint, str]:
    """A new signing secret, in clear, shown nowhere else afterwards; the old one signs beside it
    for a day. Raises `NotFound`, `PermissionDenied`."""
    actor.require(ORGANIZATION_ADMIN, organization)
    endpoint = _locked(organization, endpoint_id)
    secret = new_secret()
    endpoint.replace_secret(secret)
    endpoint.save(
        update_fields=["encrypted_secret", "encrypted_previous", "secret_rotated_at", "updated_at"]
    )
    audit.record(
        actor, "event_endpoint.secret_rotated", endpoint, organization=organization,
        secret=f"…{secret[-4:]}",
    )  # fmt: skip
    return endpoint, secret


@transaction.atomic
def send_test(*, actor: Actor, organization: Organization, endpoint_id: int) -> Event:
    """An event of the type `endpoint.test` for this endpoint alone, whatever types it wants.

    Raises `InvalidRequest` when it is disabled, `NotFound`, `PermissionDenied`.
    """
    actor.require(ORGANIZATION_ADMIN, organization)
    endpoint = _locked(organization, endpoint_id)
    if not endpoint.is_active:
        raise InvalidRequest("This endpoint is disabled: enable it first.")
    event = Event.objects.create(
        organization=organization,
        type=ENDPOINT_TEST,
        endpoint=endpoint,
        data={"endpoint_id": endpoint.pk, "sent_by": actor.label},
        url=f"{settings.PUBLIC_BASE_URL}/api/v1/event-endpoints/{endpoint.pk}",
    )
    jobs.spread_events_later([event.pk])
    audit.record(actor, "event_endpoint.tested", endpoint, organization=organization)
    return event


@transaction.atomic
def send_again(*, actor: Actor, organization: Organization, public_id: str) -> Event:
    """Send an event again to every active endpoint that wants it, with the same `webhook-id`.

    Raises `InvalidRequest` when there is none, `NotFound`, `PermissionDenied`.
    """
    event = find_event(actor, organization, public_id)
    if not delivering.redeliver(event):
        raise InvalidRequest("No active endpoint takes this event.")
    audit.record(actor, "event.sent_again", event, organization=organization, event_type=event.type)
    return event


def _clean(fields: dict[str, Any]) -> dict[str, Any]:
    """Raises `InvalidRequest` for what cannot be."""
    cleaned = dict(fields)
    if "url" in fields:
        url = cleaned["url"] = fields["url"].strip()
        if not 0 < len(url) <= URL_MAX or not is_clean(url):
            raise _wrong("url", f"url must be an address of at most {URL_MAX} characters")
        try:
            check_address(url)
        except NotSent as problem:
            raise _wrong("url", str(problem)) from None
    if "description" in fields:
        text = cleaned["description"] = fields["description"].strip()
        if len(text) > DESCRIPTION_MAX or not is_clean(text):
            sentence = f"description must be text of at most {DESCRIPTION_MAX} characters"
            raise _wrong("description", sentence)
    if "event_types" in fields:
        unknown = sorted(set(fields["event_types"]) - set(TYPES))
        if unknown:
            raise _wrong("event_types", f"There is no event type {unknown[0][:40]}")
        cleaned["event_types"] = [name for name in TYPES if name in fields["event_types"]]
    return cleaned


def _wrong(field: str, sentence: str) -> InvalidRequest:
    return InvalidRequest(sentence, errors={field: [sentence]})


def _locked(organization: Organization, endpoint_id: int) -> EventEndpoint:
    """The organization's lock first, as everywhere."""
    organization = lock_organization(organization.pk)
    rows = EventEndpoint.objects.select_for_update(no_key=True)
    endpoint = _found(rows, organization, endpoint_id)
    endpoint.organization = organization
    return endpoint


def _found(rows: QuerySet, organization: Organization, endpoint_id: int) -> EventEndpoint:
    endpoint = None
    if 0 < endpoint_id <= _LARGEST_ID:
        endpoint = rows.filter(organization=organization, pk=endpoint_id).first()
    if endpoint is None:
        raise NotFound(f"Event endpoint {endpoint_id} not found")
    return endpoint
