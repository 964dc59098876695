"""Telnyx's answers in our words."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import InvalidOperation
from typing import Any

from numbers.exceptions import ProviderUnreachable
from numbers.providers.base import (
    AvailableNumber,
    Country,
    Endpoint,
    Order,
    OrderState,
    OwnedNumber,
    Price,
    Routing,
    amount,
)
from numbers.providers.http import ProviderMessage

_NO_REASON = "Telnyx gave no reason. Search and choose another number, or ask Telnyx support."
_DOCUMENTS = "Telnyx needs documents for this number: file them in its portal, then buy again."
# Telnyx's words for numbers that its list still shows and the account does not have any more, and
# for those that it does not have yet.
_GONE = frozenset({"deleted", "purchase-failed", "port-failed", "ported-out"})
_NOT_YET = frozenset(
    {
        "purchase-pending",
        "port-pending",
        "provision-pending",
        "requirement-info-pending",
        "requirement-info-under-review",
        "requirement-info-exception",
    }
)


def messages(text: str) -> list[ProviderMessage] | None:
    """The errors in Telnyx's format: `{"errors": [{"code": "10015", "title": …, "detail": …}]}`."""
    try:
        return [to_message(error) for error in json.loads(text)["errors"]] or None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def to_message(error: dict[str, Any]) -> ProviderMessage:
    code = str(error["code"])
    pointer = str((error.get("source") or {}).get("pointer") or "")
    # "Bad request" that points at the number says that the number is the trouble.
    number_is_bad = code == "10015" and pointer.startswith("/phone_numbers")
    return ProviderMessage(
        code,
        str(error.get("detail") or error.get("title") or ""),
        "10002" if number_is_bad else "",
    )


def rows(data: dict[str, Any]) -> list[dict[str, Any]]:
    rows = data.get("data")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProviderUnreachable(provider_message="Telnyx's answer could not be read.")
    return rows


def read_countries(data: Any) -> list[Country]:
    """The countries whose numbers are sold; the coverage tells of all others, too."""
    try:
        sold = [(name, row) for name, row in data.items() if row["numbers"] is True]
        return [Country(code=str(row["code"]).upper(), name=str(name)) for name, row in sold]
    except (AttributeError, KeyError, TypeError) as error:
        raise ProviderUnreachable(provider_message="Telnyx's answer could not be read.") from error


def to_endpoint(row: dict[str, Any]) -> Endpoint:
    """A Call Control application or a messaging profile."""
    application = "application_name" in row
    enabled = row.get("active") if application else row.get("enabled")
    return Endpoint(
        endpoint_id=str(row.get("id") or ""),
        name=str(row.get("application_name" if application else "name") or ""),
        webhook_url=str(row.get("webhook_event_url" if application else "webhook_url") or ""),
        failover_url=str(
            row.get("webhook_event_failover_url" if application else "webhook_failover_url") or ""
        ),
        active=enabled is not False,
        api_version=str(row.get("webhook_api_version") or "2"),
    )


def read_available(item: dict[str, Any], country: str, number_type: str) -> AvailableNumber:
    try:
        return to_available(item, country, number_type)
    except (TypeError, AttributeError) as error:
        raise ProviderUnreachable(provider_message="Telnyx's answer could not be read.") from error


def to_available(item: dict[str, Any], country: str, number_type: str) -> AvailableNumber:
    places = {
        place.get("region_type"): str(place.get("region_name") or "")
        for place in item.get("region_information") or []
    }
    features = {feature.get("name") for feature in item.get("features") or []}
    return AvailableNumber(
        phone_number=str(item["phone_number"]),
        country=places.get("country_code") or country,
        region=places.get("state", ""),
        locality=places.get("location") or places.get("rate_center", ""),
        number_type=number_type,
        capabilities={name: name in features for name in ("voice", "sms", "mms", "fax")},
        price=to_price(item.get("cost_information") or {}),
    )


def to_price(cost: dict[str, Any]) -> Price:
    try:
        return Price(
            monthly=amount(cost["monthly_cost"]),
            setup=amount(cost.get("upfront_cost") or 0),
            currency=cost["currency"].upper(),
        )
    except (KeyError, TypeError, AttributeError, InvalidOperation):
        return Price()


def read_order(data: Any, phone_number: str) -> Order:
    try:
        return to_order(data, phone_number)
    except (TypeError, KeyError, AttributeError) as error:
        raise ProviderUnreachable(provider_message="Telnyx's order could not be read.") from error


def to_order(data: dict[str, Any], phone_number: str) -> Order:
    """Raises KeyError when the order has no id or does not hold this number."""
    if not data["id"]:
        raise KeyError("id")
    item = {i["phone_number"]: i for i in data["phone_numbers"]}[phone_number]
    # The item decides: an order may be a "success" of which this number failed.
    status = str(item.get("status") or data.get("status") or "").lower()
    state = {
        "success": OrderState.COMPLETED,
        "failure": OrderState.REFUSED,
        "failed": OrderState.REFUSED,
        "cancelled": OrderState.REFUSED,
        "deleted": OrderState.REFUSED,
    }.get(status, OrderState.PENDING)
    unmet = item.get("requirements_met") is False or data.get("requirements_met") is False
    refused = state == OrderState.REFUSED
    return Order(
        state=state,
        order_id=str(data["id"]),
        status=status,
        created_at=to_time(data.get("created_at")),
        blocked=unmet,
        sub_order_ids=tuple(str(i) for i in data.get("sub_number_orders_ids") or []),
        refusal_code=("regulatory_requirement" if unmet else "provider_error") if refused else "",
        hint=(_DOCUMENTS if unmet else _NO_REASON) if refused else "",
    )


def to_owned(item: dict[str, Any]) -> OwnedNumber:
    return OwnedNumber(
        number_id=str(item.get("id") or ""),
        phone_number=str(item["phone_number"]),
        routing=Routing(
            connection_id=str(item.get("connection_id") or ""),
            messaging_profile_id=str(item.get("messaging_profile_id") or ""),
        ),
        reference=str(item.get("customer_reference") or ""),
        created_at=to_time(item.get("purchased_at")),
        in_service=str(item.get("status")) not in _NOT_YET,
        raw={"status": item.get("status")},
    )


def is_gone(item: dict[str, Any]) -> bool:
    """Whether the row is of a number that the account does not have any more."""
    return str(item.get("status")) in _GONE


def to_listed(item: dict[str, Any]) -> OwnedNumber:
    """A row of the list of all numbers, which must say which number it is."""
    if not (item.get("id") and item.get("phone_number")):
        raise ProviderUnreachable(provider_message="Telnyx lists a number without its id.")
    return to_owned(item)


def to_time(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None
