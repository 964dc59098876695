"""An organization whose lists all grow together, for tests that count what a list asks."""

from dataclasses import dataclass
from typing import Any

from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from assistants.models import Assistant
from burki.testing import make_assistant
from numbers.models import (
    BulkItem,
    BulkPurchase,
    Call,
    FallbackPurchase,
    Message,
    PhoneNumber,
    Purchase,
    Release,
    VerifiedCallerId,
)
from numbers.tests.rows import NOON, make_number, make_purchase
from organizations.models import (
    ApiKey,
    AuditEvent,
    Event,
    EventAttempt,
    EventDelivery,
    EventEndpoint,
    Membership,
    ProviderAccount,
    User,
)

REQUEST = {  # of a bulk purchase, as it is kept
    "quantity": 1,
    "criteria": {
        "country_code": "US",
        "area_code": "415",
        "contains": None,
        "locality": None,
        "region": None,
        "number_type": "local",
    },
}


class Office:
    """Every row has a person, a key, an account, an assistant and a number of its own, so that a
    list that asks for them row by row is found out."""

    def __init__(self, organization):
        self.organization = organization
        self.rows = 0
        self.assistant = make_assistant(organization, "Desk")
        self.number = make_number(organization, 9999, assistant=self.assistant)
        self.purchase = make_purchase(organization, 9999, number=self.number)
        self.release = Release.objects.create(
            organization=organization, number=self.number, state="refused"
        )
        self.bulk = BulkPurchase.objects.create(
            organization=organization,
            idempotency_key="one",
            provider="twilio",
            quantity=1,
            request=REQUEST,
        )
        self.endpoint = EventEndpoint.objects.create(
            organization=organization, url="https://client.example/"
        )

    def grow(self, rows: int) -> None:
        """Until there are so many of everything."""
        new, self.rows = range(self.rows, rows), rows

        def make(model: type[models.Model], **fields) -> list:
            """One for each `n`; callables among the fields are asked for it."""
            return model._default_manager.bulk_create(
                model(**{k: v(n) if callable(v) else v for k, v in fields.items()}) for n in new
            )

        def of(made: list):
            return lambda n: made[n - new.start]

        def line(area: int):
            return lambda n: f"+1{area}555{n:04}"

        ours = {"organization": self.organization}
        users = make(User, email=lambda n: f"person-{n}@example.com")
        make(Membership, **ours, user=of(users), role="member")
        keys = make(ApiKey, **ours, name="key", digest=str, scopes=[], created_by=of(users))
        asked = {"user": of(users), "api_key": of(keys)}
        accounts = make(ProviderAccount, **ours, provider="twilio", label=lambda n: f"Account {n}")
        here = ours | {"account": of(accounts), "provider": "twilio"}
        assistants = make(Assistant, **ours, name=lambda n: f"Assistant {n}", created_by=of(users),
                          created_by_key=of(keys), twilio_account=of(accounts))  # fmt: skip
        live = here | {"status": "active", "purchased_at": NOON}
        numbers = make(PhoneNumber, **live, phone_number=line(415), assistant=of(assistants))
        make(PhoneNumber, **live, phone_number=line(312), assistant=self.assistant)
        make(PhoneNumber, **live, phone_number=line(646))  # assigned to nobody

        chains = make(FallbackPurchase, **ours, idempotency_key=str,
                      requested_phone_number=line(415))  # fmt: skip
        bought = here | {"state": "completed", "request": {}}
        purchases = make(Purchase, **bought, phone_number=line(415), number=of(numbers),
                         fallback=of(chains))  # fmt: skip
        make(Purchase, **bought, phone_number=line(617), number=self.number)
        make(Release, **ours, number=self.number, state="refused")
        make(BulkPurchase, **ours, **asked, idempotency_key=line(415), provider="twilio",
             quantity=1, assistant=of(assistants), request=REQUEST)  # fmt: skip
        make(BulkItem, bulk=self.bulk, n=lambda n: n, phone_number=line(415), lane=0,
             purchase=of(purchases))  # fmt: skip

        happened = here | {"number": self.number, "assistant": of(assistants)}
        make(Call, **happened, call_id=str, started_at=NOON)
        make(Message, **happened, message_id=str, received_at=NOON)
        make(VerifiedCallerId, **ours, account=of(accounts), phone_number=line(212),
             provider_id=str)  # fmt: skip

        endpoints = make(EventEndpoint, **ours, url="https://client.example/")
        events = make(Event, **ours, type="purchase.completed", endpoint=of(endpoints))
        for endpoint in (of(endpoints), self.endpoint):
            sent = make(EventDelivery, event=of(events), endpoint=endpoint)
            make(EventAttempt, delivery=of(sent), status_code=500, milliseconds=1)
        for thing in (self.number, self.purchase, self.release):
            make(AuditEvent, **ours, **asked, actor_kind="api_key", actor_label="key",
                 action="number.seen", object_type=thing._meta.label,
                 object_id=str(thing.pk))  # fmt: skip

    def url(self, path: str) -> str:
        """With what the path names."""
        named = {
            "<phone_number>": self.number.phone_number,
            "<assistant_id>": self.assistant.pk,
            "<number>": self.number.pk,
            "<purchase>": self.purchase.pk,
            "<endpoint>": self.endpoint.pk,
            "<pk>": self.bulk.pk,
        }
        for name, value in named.items():
            path = path.replace(name, str(value))
        return path


@dataclass(frozen=True)
class Asked:
    """What a GET was answered, and how many queries that cost."""

    answer: Any
    content: bytes
    count: int


def queries_of(client, url: str) -> Asked:
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(url)
        content = answer.getvalue()  # what is streamed is asked for now
    assert answer.status_code == 200, (url, content[:500])
    return Asked(answer, content, len(queries))
