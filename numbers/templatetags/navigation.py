"""The way around the staff pages, and who one is there."""

from typing import Any

from django import template
from django.db.models import Case, Value, When
from django.http import HttpRequest
from django.urls import reverse

from numbers.models import Purchase
from organizations.models import Membership
from organizations.permissions import (
    ASSISTANTS_READ,
    MANAGE_MEMBERS,
    NUMBERS_PURCHASE,
    NUMBERS_READ,
    ORGANIZATION_ADMIN,
)

register = template.Library()

_OF_NUMBERS = (
    "number",
    "number-history",
    "number-repair",
    "number-restore",
    "assign",
    "release",
    "release-result",
)
# Word, icon, name of the address, what one must be allowed, other addresses that belong to it.
PLACES = [
    ("Overview", "home", "overview", NUMBERS_READ, ()),
    ("Numbers", "phone", "numbers", NUMBERS_READ, _OF_NUMBERS),
    ("Buy", "search", "search", NUMBERS_PURCHASE, ("confirm", "buy-many", "buy-many-confirm")),
    ("Purchases", "receipt", "purchases", NUMBERS_READ,
     ("purchase", "purchase-decide", "bulk", "bulks", "bulk-stop")),
    ("Assistants", "assistant", "assistants", ASSISTANTS_READ,
     ("assistant", "assistant-new", "assistant-edit", "assistant-delete", "assistant-secret")),
    ("Calls and messages", "message", "calls", NUMBERS_READ, ()),
    ("Spending", "coins", "spending", NUMBERS_READ, ("unused-numbers",)),
]  # fmt: skip
SETTINGS = [
    ("Credentials", "card", "settings-credentials", ORGANIZATION_ADMIN,
     ("settings-credential", "settings-credential-add", "settings-credential-secret",
      "settings-credential-disable")),
    ("API keys", "key", "settings-keys", ORGANIZATION_ADMIN,
     ("settings-key", "settings-key-new", "settings-key-made", "settings-key-revoke")),
    ("Members", "people", "settings-members", MANAGE_MEMBERS,
     ("settings-member", "settings-member-add", "settings-member-remove")),
    ("Organization", "building", "settings-organization", ORGANIZATION_ADMIN, ()),
    ("Events", "bell", "events", ORGANIZATION_ADMIN,
     ("event", "event-endpoint-add", "event-endpoint-page", "event-endpoint-disable-page",
      "event-endpoint-delete-page")),
    ("Audit log", "receipt", "audit", ORGANIZATION_ADMIN, ()),
]  # fmt: skip
_OTHERS_SHOWN = 8


@register.inclusion_tag("components/nav.html", takes_context=True)
def navigation(context: dict[str, Any], label: str) -> dict[str, Any]:
    """The organization, the places in it, the person. `label` tells one menu from another."""
    request = context["request"]
    if not hasattr(request, "_around"):  # it is on a page twice, and asked for once
        request._around = _around(request)
    return request._around | {
        "request": request,
        "label": label,
        "csrf_token": context.get("csrf_token"),
    }


def _around(request: HttpRequest) -> dict[str, Any]:
    waiting = Purchase.objects.filter(
        organization=request.organization, needs_attention_at__isnull=False
    ).count()
    first = Case(When(organization=request.organization, then=Value(0)), default=Value(1))
    memberships = list(
        Membership.objects.filter(user=request.user)
        .select_related("organization")
        .order_by(first, "organization__name", "pk")[: _OTHERS_SHOWN + 2]
    )
    others = [one.organization for one in memberships[1:]]
    return {
        "places": _open_to(request, PLACES, {"purchases": waiting}),
        "settings": _open_to(request, SETTINGS, {}),
        "role": memberships[0].get_role_display() if memberships else "",
        "others": others[:_OTHERS_SHOWN],
        "more": len(others) > _OTHERS_SHOWN,
    }


def _open_to(request: HttpRequest, places: list, counts: dict[str, int]) -> list[dict[str, Any]]:
    here = request.resolver_match.url_name
    return [
        {
            "word": word,
            "icon": icon,
            "url": reverse(name),
            "here": here == name or here in parts,
            "count": counts.get(name, 0),
        }
        for word, icon, name, scope, parts in places
        if scope in request.may
    ]
