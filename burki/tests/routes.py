"""Every route of the REST API, and who may use it: the table of `test_tenancy.py`.

Paths may name `{number}`, `{purchase}`, `{assistant}` …: objects of the organization that the
right callers belong to (`test_tenancy.world`).
"""

from dataclasses import dataclass, field
from typing import Any

from organizations.permissions import (
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
    scope: str | None  # None: needs no key
    url: str = ""  # the path filled in; `path` without names needs none
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200  # for somebody who may
    foreign: int = 404  # for another tenant who has the scope; lists of their own are 200

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


NUMBERS = "/phone-numbers"
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
]
