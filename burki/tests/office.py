"""An organization whose lists all grow together."""

from assistants.models import Assistant
from burki.testing import make_assistant
from numbers.models import (
    BulkItem,
    BulkPurchase,
    Call,
    Message,
    PhoneNumber,
    Purchase,
    VerifiedCallerId,
)
from numbers.tests.rows import NOON, make_number
from organizations.models import (
    ApiKey,
    AuditEvent,
    Event,
    EventEndpoint,
    Membership,
    ProviderAccount,
    User,
)

_MANY = {"provider": "twilio", "quantity": 1, "request": {"quantity": 1, "criteria": {}}}


class Office:
    """An organization whose lists all grow together."""

    def __init__(self, organization):
        self.organization = organization
        self.rows = 0
        self.twilio = organization.provider_accounts.get(provider="twilio")
        self.assistant = make_assistant(organization, "Desk")
        self.number = make_number(organization, 9999, assistant=self.assistant)
        self.bulk = BulkPurchase.objects.create(
            organization=organization, idempotency_key="one", **_MANY
        )

    def grow(self, rows: int) -> None:
        """Until there are so many of everything."""
        new, self.rows = range(self.rows, rows), rows
        ours = {"organization": self.organization}
        here = ours | {"account": self.twilio, "provider": "twilio"}
        lines = [f"+1415555{line:04}" for line in new]
        assistants = Assistant.objects.bulk_create(
            Assistant(name=f"Assistant {line}", **ours) for line in new
        )
        PhoneNumber.objects.bulk_create(
            PhoneNumber(phone_number=line, status="active", assistant=self.assistant, **here)
            for line in lines
        )
        PhoneNumber.objects.bulk_create(  # assigned to nobody
            PhoneNumber(phone_number=f"+1312{line[5:]}", status="active", **here) for line in lines
        )
        purchases = Purchase.objects.bulk_create(
            Purchase(
                provider="twilio",
                phone_number=line,
                state="completed",
                request={},
                number=self.number,
                **ours,
            )
            for line in lines
        )
        happened = here | {"number": self.number}
        Call.objects.bulk_create(
            Call(call_id=line, started_at=NOON, assistant=assistant, **happened)
            for line, assistant in zip(lines, assistants, strict=True)
        )
        Message.objects.bulk_create(
            Message(message_id=line, received_at=NOON, assistant=assistant, **happened)
            for line, assistant in zip(lines, assistants, strict=True)
        )
        BulkPurchase.objects.bulk_create(
            BulkPurchase(idempotency_key=line, **ours | _MANY) for line in lines
        )
        BulkItem.objects.bulk_create(
            BulkItem(bulk=self.bulk, n=n, phone_number=line, purchase=purchase, lane=0)
            for n, line, purchase in zip(new, lines, purchases, strict=True)
        )
        VerifiedCallerId.objects.bulk_create(
            VerifiedCallerId(
                account=self.twilio, phone_number=f"+1212{line[5:]}", provider_id=line, **ours
            )
            for line in lines
        )
        ProviderAccount.objects.bulk_create(
            ProviderAccount(provider="telnyx", label=line, **ours) for line in lines
        )
        people = User.objects.bulk_create(
            User(email=f"{line[1:]}@office.example") for line in lines
        )
        Membership.objects.bulk_create(
            Membership(user=person, role="viewer", **ours) for person in people
        )
        ApiKey.objects.bulk_create(
            ApiKey(name=line, digest=line, scopes=[], **ours) for line in lines
        )
        EventEndpoint.objects.bulk_create(
            EventEndpoint(url="https://client.example/", **ours) for _ in lines
        )
        Event.objects.bulk_create(Event(type="purchase.completed", **ours) for _ in lines)
        AuditEvent.objects.bulk_create(
            AuditEvent(action="number.seen", actor_kind="system", object_id=line, **ours)
            for line in lines
        )

    def url(self, path: str) -> str:
        named = {
            "<phone_number>": self.number.phone_number,
            "<assistant_id>": self.assistant.pk,
            "<pk>": self.bulk.pk,
        }
        for name, value in named.items():
            path = path.replace(name, str(value))
        return path
