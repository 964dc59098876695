"""Every route of the REST API, and who may use it: the table of `test_tenancy.py`.

Paths may name `{number}`, `{purchase}`, `{assistant}` …: objects of the organization that the
right callers belong to (`test_tenancy.world`).
"""

from dataclasses import dataclass, field
from typing import Any

from organizations.permissions import (
    ANY,
    ASSISTANTS_READ,
    ASSISTANTS_WRITE,
    NUMBERS_PURCHASE,
    NUMBERS_READ,
    NUMBERS_RELEASE,
    NUMBERS_WRITE,
    ORGANIZATION_ADMIN,
)


@dataclass(frozen=True, kw_only=True)
class Route:
    method: str
    path: str  # as the url table has it, with <names>
    scope: str | None  # None: needs no key; ANY: a role or a key that may do anything at all
    url: str = ""  # the path filled in; `path` without names needs none
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200  # for somebody who may
    foreign: int = 404  # for another tenant who has the scope; lists of their own are 200

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


NUMBERS = "/phone-numbers"
ASSISTANTS = "/api/v1/assistants"
ONE, ONE_URL = f"{ASSISTANTS}/<assistant_id>", f"{ASSISTANTS}/{{assistant}}"
ORGANIZATION = "/api/v1/organization"
KEYS = "/api/v1/users/me/api-keys"
ENDPOINTS, EVENTS = "/api/v1/event-endpoints", "/api/v1/events"
AUDIT = "/api/v1/audit-events"
INVENTORY = "/api/v1/assistants/organization/phone-numbers"
ROUTES = [
    Route(
        method="POST",
        path=f"{NUMBERS}/search",
        scope=NUMBERS_PURCHASE,
        body={"provider": "twilio"},
        foreign=200,
    ),
    Route(
        method="POST",
        path=f"{NUMBERS}/purchase",
        scope=NUMBERS_PURCHASE,
        body={"provider": "twilio", "phone_number": "+14155551234", "assistant_id": "{assistant}"},
    ),
    Route(
        method="POST",
        path=f"{NUMBERS}/purchase/preview",
        scope=NUMBERS_PURCHASE,
        body={"provider": "twilio", "phone_number": "+14155551234", "assistant_id": "{assistant}"},
    ),
    Route(
        method="POST",
        path=f"{NUMBERS}/release",
        scope=NUMBERS_RELEASE,
        body={"phone_number": "{number}"},
    ),
    Route(method="GET", path=NUMBERS, scope=NUMBERS_READ, foreign=200),
    Route(
        method="GET",
        path=f"{NUMBERS}/<phone_number>",
        url=f"{NUMBERS}/{{number}}",
        scope=NUMBERS_READ,
    ),
    *(
        Route(
            method="POST",
            path=f"{NUMBERS}/<phone_number>/{action}",
            url=f"{NUMBERS}/{{number}}/{action}",
            scope=NUMBERS_WRITE,
            body={},
            status=status,
        )
        for action, status in (
            ("verify", 200),
            ("repair", 200),
            ("restore-webhooks", 409),  # nothing of it was overwritten
        )
    ),
    Route(method="GET", path=f"{NUMBERS}/purchases", scope=NUMBERS_READ, foreign=200),
    Route(
        method="GET",
        path=f"{NUMBERS}/purchases/<purchase_id>",
        url=f"{NUMBERS}/purchases/{{purchase}}",
        scope=NUMBERS_READ,
    ),
    Route(
        method="POST",
        path=f"{NUMBERS}/purchases/<purchase_id>/settle",
        url=f"{NUMBERS}/purchases/{{purchase}}/settle",
        scope=ORGANIZATION_ADMIN,
        body={},
        status=409,  # it is completed: there is nothing to settle
    ),
    *(
        Route(
            method="GET",
            path=f"{NUMBERS}/<phone_number>/{what}",
            url=f"{NUMBERS}/{{number}}/{what}",
            scope=NUMBERS_READ,
        )
        for what in ("calls", "messages")
    ),
    Route(
        method="POST",
        path="/api/v1/assistants/<assistant_id>/signing-secret",
        url="/api/v1/assistants/{assistant}/signing-secret",
        scope=ASSISTANTS_WRITE,
    ),
    Route(
        method="POST",
        path=f"{NUMBERS}/bulk-purchases",
        scope=NUMBERS_PURCHASE,
        body={"provider": "twilio", "quantity": 1, "criteria": {}, "assistant_id": "{assistant}"},
        headers={"Idempotency-Key": "one"},
        status=202,
    ),
    Route(method="GET", path=f"{NUMBERS}/bulk-purchases", scope=NUMBERS_READ, foreign=200),
    Route(
        method="GET",
        path=f"{NUMBERS}/bulk-purchases/<pk>",
        url=f"{NUMBERS}/bulk-purchases/{{bulk}}",
        scope=NUMBERS_READ,
    ),
    Route(
        method="GET",
        path=f"{NUMBERS}/bulk-purchases/<pk>/numbers",
        url=f"{NUMBERS}/bulk-purchases/{{bulk}}/numbers",
        scope=NUMBERS_READ,
    ),
    Route(
        method="POST",
        path=f"{NUMBERS}/bulk-purchases/<pk>/cancel",
        url=f"{NUMBERS}/bulk-purchases/{{bulk}}/cancel",
        scope=NUMBERS_PURCHASE,
    ),
    Route(
        method="POST",
        path="/api/v1/assistants/organization/phone-numbers/sync",
        scope=NUMBERS_WRITE,
        body={},
        foreign=200,
    ),
    Route(method="GET", path=ASSISTANTS, scope=ASSISTANTS_READ, foreign=200),
    Route(
        method="POST",
        path=ASSISTANTS,
        scope=ASSISTANTS_WRITE,
        body={"name": "Another"},
        status=201,
        foreign=201,
    ),
    *[
        Route(method="GET", path=f"{ASSISTANTS}/{path}", scope=ASSISTANTS_READ, foreign=200)
        for path in ("count", "me/organization", "export", "cloned-voices")
    ],
    Route(method="GET", path=f"{ASSISTANTS}/providers", scope=None),
    Route(
        method="GET",
        path=f"{ASSISTANTS}/by-phone/<phone_number>",
        url=f"{ASSISTANTS}/by-phone/{{number}}",
        scope=ASSISTANTS_READ,
    ),
    Route(method="GET", path=ONE, url=ONE_URL, scope=ASSISTANTS_READ),
    Route(method="PUT", path=ONE, url=ONE_URL, scope=ASSISTANTS_WRITE, body={"name": "Desk"}),
    Route(method="PATCH", path=ONE, url=ONE_URL, scope=ASSISTANTS_WRITE, body={"name": "Desk"}),
    Route(method="DELETE", path=ONE, url=ONE_URL, scope=ASSISTANTS_WRITE),
    Route(
        method="PATCH",
        path=f"{ONE}/status",
        url=f"{ONE_URL}/status?is_active=false",
        scope=ASSISTANTS_WRITE,
    ),
    Route(
        method="GET",
        path=ORGANIZATION,
        scope=ORGANIZATION_ADMIN,
        foreign=200,
    ),
    Route(
        method="PUT",
        path=ORGANIZATION,
        scope=ORGANIZATION_ADMIN,
        body={"description": "New", "telnyx_api_key": "KEYnew.first-0123"},
        foreign=200,
    ),
    Route(
        method="POST",
        path=f"{ORGANIZATION}/twilio/validate",
        scope=ORGANIZATION_ADMIN,
        body={"account_sid": "AC" + "5" * 32, "auth_token": "some-token-0123"},
        foreign=200,
    ),
    Route(
        method="POST",
        path=f"{ORGANIZATION}/telnyx/validate",
        scope=ORGANIZATION_ADMIN,
        body={"api_key": "KEYnew.first-0123"},
        foreign=200,
    ),
    Route(
        method="GET",
        path=f"{ORGANIZATION}/configuration-status",
        scope=NUMBERS_READ,
        foreign=200,
    ),
    Route(
        method="GET",
        path=f"{ORGANIZATION}/provider-accounts",
        scope=ORGANIZATION_ADMIN,
        foreign=200,
    ),
    Route(
        method="GET",
        path=f"{ORGANIZATION}/provider-accounts/<account_id>",
        url=f"{ORGANIZATION}/provider-accounts/{{account}}",
        scope=ORGANIZATION_ADMIN,
    ),
    Route(
        method="PATCH",
        path=f"{ORGANIZATION}/provider-accounts/<account_id>",
        url=f"{ORGANIZATION}/provider-accounts/{{account}}",
        scope=ORGANIZATION_ADMIN,
        body={"label": "New", "is_active": False},
    ),
    Route(
        method="POST",
        path=f"{ORGANIZATION}/provider-accounts/<account_id>/check",
        url=f"{ORGANIZATION}/provider-accounts/{{account}}/check",
        scope=ORGANIZATION_ADMIN,
        body={},
    ),
    Route(method="GET", path="/api/v1/users/me", scope=ANY, foreign=200),
    Route(method="GET", path=KEYS, scope=ORGANIZATION_ADMIN, foreign=200),
    Route(
        method="POST",
        path=KEYS,
        scope=ORGANIZATION_ADMIN,
        body={"name": "New", "scopes": [ORGANIZATION_ADMIN]},
        status=201,
        foreign=201,
    ),
    Route(
        method="PUT",
        path=f"{KEYS}/<key_id>",
        url=f"{KEYS}/{{key}}",
        scope=ORGANIZATION_ADMIN,
        body={"write": False},
    ),
    Route(
        method="DELETE",
        path=f"{KEYS}/<key_id>",
        url=f"{KEYS}/{{key}}",
        scope=ORGANIZATION_ADMIN,
    ),
    Route(
        method="POST",
        path="/api/v1/organization/phone-numbers/sync",
        scope=NUMBERS_WRITE,
        body={},
        foreign=200,
    ),
    *(
        Route(
            method="GET", path=f"{NUMBERS}/reports/{name}{ending}", scope=NUMBERS_READ, foreign=200
        )
        for name in ("spending", "unused", "price-comparison")
        for ending in ("", ".csv")
    ),
    Route(method="GET", path=f"{NUMBERS}/countries", scope=NUMBERS_READ, foreign=200),
    Route(
        method="GET",
        path=f"{NUMBERS}/<phone_number>/diagnose",
        url=f"{NUMBERS}/{{number}}/diagnose",
        scope=NUMBERS_READ,
    ),
    Route(
        method="GET",
        path=f"{NUMBERS}/<phone_number>/webhooks",
        url=f"{NUMBERS}/{{number}}/webhooks",
        scope=NUMBERS_READ,
    ),
    Route(
        method="PUT",
        path=f"{NUMBERS}/webhooks",
        scope=NUMBERS_WRITE,
        body={"phone_number": "{number}", "disable_sms": True},
    ),
    Route(
        method="PATCH",
        path=f"{NUMBERS}/<phone_number>",
        url=f"{NUMBERS}/{{number}}",
        scope=NUMBERS_WRITE,
        body={"friendly_name": "Renamed", "assistant_id": 0},
    ),
    Route(
        method="POST",
        path=f"{NUMBERS}/organization/sync-verified-caller-ids",
        scope=NUMBERS_WRITE,
        foreign=200,
    ),
    Route(
        method="POST",
        path=f"{NUMBERS}/organization/add-verified-caller-id",
        scope=NUMBERS_WRITE,
        body={"phone_number": "+14155550777"},
        foreign=200,
    ),
    Route(method="GET", path=INVENTORY, scope=NUMBERS_READ, foreign=200),
    Route(method="GET", path=f"{INVENTORY}/available", scope=NUMBERS_READ, foreign=200),
    Route(
        method="PATCH",
        path=f"{INVENTORY}/<number_id>",
        url=f"{INVENTORY}/{{number_id}}",
        scope=NUMBERS_WRITE,
        body={"friendly_name": "Renamed"},
    ),
    *[
        Route(
            method=method,
            path=f"/api/v1/assistants/<assistant_id>/{end}",
            url=f"/api/v1/assistants/{{assistant}}/{end}".replace("<number_id>", "{number_id}"),
            scope=NUMBERS_READ if method == "GET" else NUMBERS_WRITE,
            body=body,
        )
        for method, end, body in (
            ("GET", "phone-numbers", None),
            ("GET", "available-phone-numbers", None),
            ("POST", "phone-numbers/<number_id>/assign", None),
            ("POST", "phone-numbers/<number_id>/unassign", None),
            ("POST", "phone-numbers/bulk-assign", ["{number_id}"]),
            ("POST", "phone-numbers/assign-by-number", {"phone_number": "{number}"}),
            ("POST", "phone-numbers/unassign-by-number", {"phone_number": "{number}"}),
        )
    ],
    Route(
        method="POST",
        path="/api/v1/assistants/phonenumbers/<number_id>/assign",
        url="/api/v1/assistants/phonenumbers/{number_id}/assign",
        scope=NUMBERS_WRITE,
        body={"assistantId": "{assistant}"},
    ),
    Route(
        method="POST",
        path="/api/v1/assistants/phonenumbers/<number_id>/unassign",
        url="/api/v1/assistants/phonenumbers/{number_id}/unassign",
        scope=NUMBERS_WRITE,
    ),
    Route(method="GET", path=ENDPOINTS, scope=ORGANIZATION_ADMIN, foreign=200),
    Route(
        method="POST",
        path=ENDPOINTS,
        scope=ORGANIZATION_ADMIN,
        body={"url": "https://hooks.example.com/new"},
        status=201,
        foreign=201,
    ),
    *[
        Route(
            method=method,
            path=f"{ENDPOINTS}/<endpoint_id>{end}",
            url=f"{ENDPOINTS}/{{endpoint}}{end}",
            scope=ORGANIZATION_ADMIN,
            body=body,
            status=status,
        )
        for method, end, body, status in (
            ("GET", "", None, 200),
            ("PATCH", "", {"description": "New", "is_active": False}, 200),
            ("DELETE", "", None, 200),
            ("POST", "/rotate-secret", None, 200),
            ("POST", "/test", None, 202),
        )
    ],
    Route(method="GET", path=EVENTS, scope=ORGANIZATION_ADMIN, foreign=200),
    Route(
        method="GET",
        path=f"{EVENTS}/<event_id>",
        url=f"{EVENTS}/{{event}}",
        scope=ORGANIZATION_ADMIN,
    ),
    Route(
        method="POST",
        path=f"{EVENTS}/<event_id>/redeliver",
        url=f"{EVENTS}/{{event}}/redeliver",
        scope=ORGANIZATION_ADMIN,
        status=202,
    ),
    Route(method="GET", path=AUDIT, scope=ORGANIZATION_ADMIN, foreign=200),
    Route(method="GET", path=f"{AUDIT}.csv", scope=ORGANIZATION_ADMIN, foreign=200),
]
