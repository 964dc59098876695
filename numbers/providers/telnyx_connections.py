"""Where Telnyx numbers send calls and messages: a Call Control application (the "connection") and
a messaging profile, each with the address that it reports to.
https://developers.telnyx.com/api/call-control/create-call-control-application"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from numbers import clocks
from numbers.exceptions import NotConfigured, ProviderRefused, ProviderUnreachable
from numbers.providers.base import Destinations, Endpoint, Endpoints, OwnedNumber, Routing
from numbers.providers.telnyx_answers import to_endpoint
from numbers.providers.telnyx_client import TelnyxClient

_KEY = re.compile(r"[A-Za-z0-9+/]{43}=")  # 32 bytes in base64

_APPLICATIONS, _PROFILES = "/call_control_applications", "/messaging_profiles"
# Destinations that a messaging profile of ours may send to.
_ALL_DESTINATIONS = ["*"]


def check(client: TelnyxClient, routing: Routing, *, webhook_url: str, set_missing: bool) -> None:
    """As `NumberProvider.check_routing`."""
    if routing.connection_id:
        _check_webhook(
            client,
            f"/call_control_applications/{quote(routing.connection_id, safe='')}",
            field="webhook_event_url",
            webhook_url=webhook_url,
            set_missing=set_missing,
            what=f"The Telnyx connection {routing.connection_id}",
            missing="is not a Call Control application of this account",
        )
    if routing.messaging_profile_id:
        _check_webhook(
            client,
            f"/messaging_profiles/{quote(routing.messaging_profile_id, safe='')}",
            field="webhook_url",
            webhook_url=webhook_url,
            set_missing=set_missing,
            what=f"The Telnyx messaging profile {routing.messaging_profile_id}",
            missing="is not in this account",
        )


def make(client: TelnyxClient, *, name: str, webhook_url: str) -> Routing:
    """As `NumberProvider.make_routing`."""
    application = _make_application(client, name, webhook_url)
    profile = _find_by_name(
        client, "/messaging_profiles", {"filter[name]": name}, "name", name
    ) or _created(
        client,
        "/messaging_profiles",
        {
            "name": name,
            "whitelisted_destinations": _ALL_DESTINATIONS,
            "webhook_url": webhook_url,
            "webhook_api_version": "2",
        },
    )
    # A found one may still report to an address that we had earlier.
    if profile.get("webhook_url") != webhook_url:
        path = f"/messaging_profiles/{profile['id']}"
        _set_webhook(client, path, profile, "webhook_url", webhook_url)
    return Routing(connection_id=application, messaging_profile_id=str(profile["id"]))


def make_voice_route(client: TelnyxClient, *, name: str, voice_url: str) -> Routing:
    """As `NumberProvider.make_voice_route`."""
    return Routing(connection_id=_make_application(client, name, voice_url))


def public_key(client: TelnyxClient) -> str:
    """As `NumberProvider.public_key`."""
    data = client.get("/public_key", {}, clocks.READ).get("data")
    key = data.get("public") if isinstance(data, dict) else None
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ProviderUnreachable(
            "What Telnyx told as its public key is none: it was not stored.",
            hint="Look for the key in Telnyx's portal, under Keys & Credentials.",
            retryable=False,
        )
    return key


def destinations(client: TelnyxClient, routing: Routing) -> Destinations:
    """As `NumberProvider.destinations`."""
    return _destinations(
        _endpoint(client, _APPLICATIONS, routing.connection_id),
        _endpoint(client, _PROFILES, routing.messaging_profile_id),
    )


def all_destinations(
    client: TelnyxClient, shelf: Endpoints
) -> Callable[[OwnedNumber], Destinations]:
    """As `NumberProvider.all_destinations`."""
    for path in (_APPLICATIONS, _PROFILES):
        for endpoint in map(to_endpoint, client.pages(path, {})):
            shelf[_path(path, endpoint.endpoint_id)] = endpoint

    def of(number: OwnedNumber) -> Destinations:
        return _destinations(
            shelf.get(_path(_APPLICATIONS, number.routing.connection_id)),
            shelf.get(_path(_PROFILES, number.routing.messaging_profile_id)),
        )

    return of


def _destinations(application: Endpoint | None, profile: Endpoint | None) -> Destinations:
    return Destinations(
        voice_url=application.webhook_url if application else "",
        sms_url=profile.webhook_url if profile else "",
        application=application,
        profile=profile,
    )


def _endpoint(client: TelnyxClient, path: str, endpoint_id: str) -> Endpoint | None:
    row = _read(client, _path(path, endpoint_id)) if endpoint_id else None
    return to_endpoint(row) if row is not None else None


def set_webhooks(
    client: TelnyxClient, routing: Routing, *, voice_url: str, sms_url: str, api_version: str
) -> None:
    """As `NumberProvider.set_webhooks`."""
    for path, endpoint_id, field, url, in_use in (
        (_APPLICATIONS, routing.connection_id, "webhook_event_url", voice_url, "active"),
        (_PROFILES, routing.messaging_profile_id, "webhook_url", sms_url, "enabled"),
    ):
        if not (endpoint_id and url):
            continue
        there = _path(path, endpoint_id)
        row = _read(client, there)
        if row is None:
            raise NotConfigured(
                hint=f"Telnyx does not have {endpoint_id} in this account any more."
            )
        more = {} if row.get(in_use) is not False else {in_use: True}
        _set_webhook(client, there, row, field, url, webhook_api_version=api_version, **more)


def _path(path: str, endpoint_id: str) -> str:
    return f"{path}/{quote(endpoint_id, safe='')}"


def _make_application(client: TelnyxClient, name: str, webhook_url: str) -> str:
    """The id of the Call Control application called `name`: found, or created; it reports to
    `webhook_url`."""
    path, field = "/call_control_applications", "application_name"
    found = _find_by_name(client, path, {f"filter[{field}][contains]": name}, field, name)
    row = found or _created(
        client,
        path,
        {field: name, "webhook_event_url": webhook_url, "webhook_api_version": "2"},
    )
    # A found one may still report to an address that we had earlier.
    if row.get("webhook_event_url") != webhook_url:
        _set_webhook(client, f"{path}/{row['id']}", row, "webhook_event_url", webhook_url)
    return str(row["id"])


def _read(client: TelnyxClient, path: str) -> dict[str, Any] | None:
    """What stands at the path, or None when this account has nothing there."""
    try:
        row = client.get(path, {}, clocks.READ).get("data")
    except ProviderRefused as refusal:
        if refusal.status not in (404, 422):
            raise
        return None
    if not isinstance(row, dict):
        raise ProviderUnreachable(provider_message="Telnyx's answer could not be read.")
    return row


def _check_webhook(
    client: TelnyxClient,
    path: str,
    *,
    field: str,
    webhook_url: str,
    set_missing: bool,
    what: str,
    missing: str,
) -> None:
    row = _read(client, path)
    if row is None:
        raise NotConfigured(
            hint=f"{what} {missing}: correct it in the settings, or leave it empty."
        )
    current = row.get(field) or ""
    if not current:
        if set_missing:
            _set_webhook(client, path, row, field, webhook_url)
    elif current != webhook_url:
        raise NotConfigured(
            hint=f"{what} reports to another address than {webhook_url}: change that at "
            "Telnyx if nothing else uses it, or leave the setting empty and we make our own."
        )
    elif str(row.get("webhook_api_version") or "2") != "2":
        raise NotConfigured(hint=f"Set {what[0].lower()}{what[1:]} to webhook API version 2.")


def _set_webhook(
    client: TelnyxClient,
    path: str,
    row: dict[str, Any],
    field: str,
    webhook_url: str,
    **more: Any,
) -> None:
    body = {field: webhook_url, "webhook_api_version": "2"} | more
    if "application_name" in row:  # required by this PATCH
        body["application_name"] = row["application_name"]
    client.send("PATCH", path, clocks.READ, json=body)


def _find_by_name(
    client: TelnyxClient, path: str, filters: dict[str, str], field: str, name: str
) -> dict[str, Any] | None:
    return next(
        (row for row in client.pages(path, filters) if row.get(field) == name and row.get("id")),
        None,
    )


def _created(client: TelnyxClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    row = client.send("POST", path, clocks.READ, json=body).get("data")
    if not isinstance(row, dict) or not row.get("id"):
        raise ProviderUnreachable(provider_message="Telnyx's answer could not be read.")
    return row
