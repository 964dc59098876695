"""What would read a large table from beginning to end: `EXPLAIN` of every statement that pages,
purchases, searches, releases, calls and background work make.

Reads `{"key", "cookie", "name", "paths"}` from standard input; writes `{"statements", "found"}` as
JSON: how many were explained, and the findings.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "burki.settings")

import django  # noqa: E402

django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

from burki.bench.pages import is_api  # noqa: E402
from burki.testing import TWILIO_TOKEN  # noqa: E402
from numbers import tasks  # noqa: E402
from numbers.models import PhoneNumber, Purchase, WebhookDelivery  # noqa: E402
from numbers.sandbox.signing import twilio_form  # noqa: E402
from numbers.services import tallies  # noqa: E402
from organizations.events import delivering  # noqa: E402
from organizations.models import Event, EventEndpoint, Organization  # noqa: E402

LARGE = {
    "numbers_phonenumber",
    "numbers_purchase",
    "numbers_release",
    "numbers_call",
    "numbers_message",
    "numbers_handoverattempt",
    "numbers_webhookdelivery",
    "numbers_offer",
    "numbers_finding",
    "numbers_bulkitem",
    "numbers_costtally",
    "numbers_numbertally",
    "organizations_auditevent",
    "organizations_event",
    "organizations_eventdelivery",
    "organizations_eventattempt",
    "procrastinate_jobs",
    "procrastinate_events",
}
_EXPLAINED = re.compile(r"\W*(SELECT|WITH|INSERT|UPDATE|DELETE)")


def scans(plan: dict[str, Any]) -> set[str]:
    found = {plan["Relation Name"]} & LARGE if plan["Node Type"] == "Seq Scan" else set()
    return found.union(*[scans(part) for part in plan.get("Plans", [])])


class Looking:
    """Explains what is asked of the database meanwhile."""

    def __init__(self) -> None:
        self.statements = 0
        self.found: list[str] = []

    @contextmanager
    def at(self, what: str) -> Iterator[None]:
        with CaptureQueriesContext(connection) as queries:
            yield
        asked = {query["sql"] for query in queries if _EXPLAINED.match(query["sql"])}
        for sql in sorted(asked):
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN (FORMAT JSON) " + sql.replace("%", "%%"))
                (plans,) = cursor.fetchone()
            self.statements += 1
            self.found += [f"{table} in {what}: {sql[:300]}" for table in scans(plans[0]["Plan"])]


class Tenant:
    """The largest one, at the API, at its pages, and as its providers call us."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self.organization = Organization.objects.get(name=asked["name"])
        self._client = Client(headers={"X-Forwarded-Proto": "https", "Host": "127.0.0.1"})
        self._client.cookies["sessionid"] = asked["cookie"]
        self._key = {"Authorization": f"Bearer {asked['key']}"}

    def get(self, path: str) -> None:
        answer = self._client.get(path, headers=self._key if is_api(path) else {})
        if answer.streaming:
            next(iter(answer.streaming_content))
            answer.close()
        assert answer.status_code == 200, (path, answer.status_code)

    def post(self, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        answer = self._client.post(
            path, body, content_type="application/json", headers=self._key | headers
        )
        assert answer.status_code == 200, (path, answer.content)
        return answer.json()

    def call(self, path: str, form: dict[str, str]) -> None:
        """What Twilio asks, signed with the account's token."""
        signed = twilio_form(f"{settings.PUBLIC_BASE_URL}{path}", form, TWILIO_TOKEN)
        headers = dict(signed.headers)
        answer = self._client.post(
            path, signed.body, content_type=headers.pop("Content-Type"), headers=headers
        )
        assert answer.status_code in (200, 204), (path, answer.status_code)


def work(tenant: Tenant, looking: Looking) -> None:
    """Buying with both limits, searching, calls, settling, events, and giving back."""
    organization = tenant.organization
    organization.monthly_limit, organization.number_limit = 10_000_000, 10_000_000
    organization.save()
    with looking.at("a search"):
        search = {"provider": "twilio", "area_code": "415", "limit": 4}
        offered = tenant.post("/phone-numbers/search", search)["numbers"]
    number = offered[0]["phone_number"]
    wanted = {"provider": "twilio", "phone_number": number}
    with looking.at("a purchase with limits"):
        tenant.post("/phone-numbers/purchase", wanted, **{"Idempotency-Key": "explained"})
    with looking.at("a purchase, again"):
        tenant.post("/phone-numbers/purchase", wanted, **{"Idempotency-Key": "explained"})

    row = PhoneNumber.objects.select_related("account").get(
        organization=organization, phone_number=number, status=PhoneNumber.Status.ACTIVE
    )
    call = {
        "CallSid": f"CA{0:032x}", "AccountSid": row.account.account_sid, "From": "+14155550199",
        "To": number, "Direction": "inbound", "ApiVersion": "2010-04-01",
    }  # fmt: skip
    with looking.at("/twiml"):
        tenant.call("/twiml", call | {"CallStatus": "ringing"})
    purchase = Purchase.objects.get(organization=organization, number=row)
    with looking.at("a status callback"):
        tenant.call(f"/twilio-status?purchase={purchase.pk}", call | {"CallStatus": "completed"})
    with looking.at("the inbox"):
        waiting = WebhookDelivery.objects.filter(account=row.account, processed_at=None)
        for delivery in list(waiting):
            tasks.process_delivery(delivery_id=delivery.pk)

    with looking.at("the settle sweep"):
        tasks.sweep(timestamp=0)
    with looking.at("folding tallies"):
        tasks.fold_tallies(timestamp=0)
    told = list(Event.objects.filter(organization=organization, spread_at=None))
    assert told
    with looking.at("spreading events"):
        for event in told:
            delivering.spread(event.pk)
    with looking.at("delivering events"):
        delivering.deliver_next(EventEndpoint.objects.filter(organization=organization)[0].pk)
        delivering.sweep()
    with looking.at("a release"):
        tenant.post("/phone-numbers/release", wanted, **{"Idempotency-Key": "given back"})


def main() -> None:
    asked = json.load(sys.stdin)
    tenant, looking = Tenant(asked), Looking()
    while tallies.fold():  # as the worker has done all the while
        pass
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE numbers_numbertally, numbers_costtally")
    for path in (*asked["paths"], "/readyz"):
        with looking.at(path):
            tenant.get(path)
    work(tenant, looking)
    print(json.dumps({"statements": looking.statements, "found": looking.found}))


if __name__ == "__main__":
    main()
