"""Rows of the inventory and of purchases, made directly, and what a list shows of them."""

from datetime import UTC, datetime
from uuid import UUID

from numbers.models import PhoneNumber, Purchase

LIST, PURCHASES = "/phone-numbers", "/phone-numbers/purchases"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_number(organization, line, provider="twilio", **over):
    """A row of the inventory, +1415555 and four digits."""
    fields = {
        "provider": provider,
        "phone_number": f"+1415555{line:04}",
        "friendly_name": f"Line {line}",
        "account": organization.provider_accounts.get(provider=provider),
        "status": "active",
        "provider_number_id": f"PN{line:032}",
        "country": "US",
        "purchased_at": NOON,
    } | over
    return PhoneNumber.objects.create(organization=organization, **fields)


def make_purchase(organization, line, **over):
    fields = {
        "id": UUID(int=line),  # in the order of the lines, also within one millisecond
        "provider": "twilio",
        "phone_number": f"+1415555{line:04}",
        "state": "completed",
        "actor_label": "test",
        "request": {"assistant_id": None, "friendly_name": ""},
    } | over
    return Purchase.objects.create(organization=organization, **fields)


def listed(client, path=LIST, **query):
    response = client.get(path, query)
    assert response.status_code == 200, response.json()
    return [item["phone_number"][-4:] for item in response.json()["items"]]
