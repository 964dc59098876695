"""Twilio's answers in our words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from twilio.base.page import Page

from numbers.providers.base import (
    AvailableNumber,
    Country,
    Order,
    OrderState,
    OwnedNumber,
    Price,
    Routing,
)
from numbers.providers.http import ProviderMessage


def messages(text: str) -> list[ProviderMessage] | None:
    """The error in Twilio's format (`code` and `message`, or RFC 9457's `code` and `title`)."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or not isinstance(body.get("code"), int):
        return None
    return [ProviderMessage(str(body["code"]), body.get("message") or body.get("title") or "")]


def to_available(item: Any, number_type: str) -> AvailableNumber:
    return AvailableNumber(
        phone_number=str(item.phone_number),
        country=item.iso_country or "",
        region=item.region or "",
        locality=item.locality or "",
        number_type=number_type,
        capabilities=to_capabilities(item.capabilities),
        price=Price(),
    )


def to_country(item: Any) -> Country:
    """Raises ValueError when the row does not say which country it is."""
    if not (item.country_code and item.country):
        raise ValueError("a country without its code")
    return Country(code=str(item.country_code).upper(), name=str(item.country))


def priced(number: AvailableNumber, price: Price) -> AvailableNumber:
    return replace(number, price=price)


def to_capabilities(reported: Any) -> dict[str, bool]:
    """Twilio writes the keys in capitals in some answers."""
    found = {str(key).lower(): bool(value) for key, value in (reported or {}).items()}
    return {name: found.get(name, False) for name in ("voice", "sms", "mms", "fax")}


def to_order(number: OwnedNumber) -> Order:
    return Order(
        state=OrderState.COMPLETED,
        order_id=number.number_id,
        status=str(number.raw.get("status") or ""),
        created_at=number.created_at,
        number=number,
    )


def to_owned(item: Any) -> OwnedNumber:
    callback = item.status_callback or ""
    return OwnedNumber(
        number_id=item.sid or "",
        phone_number=item.phone_number or "",
        friendly_name=item.friendly_name or "",
        capabilities=to_capabilities(item.capabilities),
        routing=Routing(
            voice_url=item.voice_url or "",
            sms_url=item.sms_url or "",
            status_callback=callback,
        ),
        reference=(parse_qs(urlsplit(callback).query).get("purchase") or [""])[0],
        created_at=item.date_created if isinstance(item.date_created, datetime) else None,
        overrides=_to_overrides(item),
        raw={"status": item.status, "status_callback_method": item.status_callback_method},
    )


def to_listed(item: Any) -> OwnedNumber:
    """A row of the list of all numbers. Raises ValueError when it does not say which it is."""
    number = to_owned(item)
    if not (number.number_id and number.phone_number):
        raise ValueError("a number without its id")
    return number


def require_whole(page: Page) -> None:
    """Raises ValueError unless the page says whether another one follows: the SDK takes silence
    for the end of the list."""
    if "next_page_uri" not in page._payload:
        raise ValueError("not a page of a list")


def _to_overrides(item: Any) -> dict[str, str]:
    """Beside an application or a trunk Twilio ignores the address; our addresses take POST."""
    names = ("voice_application_sid", "trunk_sid", "sms_application_sid")
    methods = ("voice_method", "sms_method", "status_callback_method")
    found = {name: getattr(item, name) for name in (*names, *methods)}
    return {name: str(value) for name, value in found.items() if value and value != "POST"}
