"""An office as it is after some months: what the pictures show, and what every page is examined
with. Bought at the sandbox through the services; then grown old."""

import contextlib
import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlsafe_base64_encode

from assistants.models import Assistant
from burki.errors import BurkiError
from burki.testing import make_assistant, make_organization
from burki.tests.processes import STAFF, World
from numbers.models import Call, Message, PhoneNumber, Purchase
from numbers.services.bulk import ask_for_many
from numbers.services.checking import check_account
from numbers.services.proof import verify_number
from numbers.services.purchase import purchase_number
from numbers.services.search import clean_criteria, search_numbers
from organizations.actors import Actor
from organizations.models import EventDelivery, EventEndpoint, Membership, Organization, User
from organizations.services import create_api_key
from organizations.tests.customers import Customer, listen, work_off

OFFICE, AGENCY = "Northwind Clinics", "Globex Travel"
OWNER, ADMIN, MEMBER, VIEWER = (
    f"{name}@northwind.example" for name in ("maria", "ben", "priya", "tom")
)
AGENT = "lena@globex.example"  # in both
FOR_SALE = "+16175555004"  # at Telnyx
_PEOPLE = (
    (OWNER, "Maria Keller", "owner"),
    (ADMIN, "Ben Okafor", "admin"),
    (MEMBER, "Priya Nair", "member"),
    (VIEWER, "Tom Lindqvist", "viewer"),
)
_ASSISTANTS = {
    "Front desk": "Northwind Clinics, how can I help?",
    "After hours": "We are closed now. Is it urgent?",
    "Appointment reminders": "A reminder from Northwind Clinics.",
}
# provider, area code, assistant, name, months ago
_NUMBERS = (
    ("twilio", "415", "Front desk", "San Francisco main line", 7),
    ("telnyx", "415", "After hours", "San Francisco nights", 7),
    ("twilio", "212", "Front desk", "New York main line", 5),
    ("telnyx", "212", "Appointment reminders", "New York reminders", 5),
    ("telnyx", "312", "Front desk", "Chicago main line", 4),
    ("twilio", "206", "Front desk", "Seattle main line", 2),
    ("telnyx", "206", "After hours", "Seattle nights", 2),
    ("twilio", "305", "", "Miami campaign, spring", 2),
    ("telnyx", "617", "Appointment reminders", "Boston reminders", 1),
)
_BULK, _BULK_RUNNING = 6, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Where things are: the ids of what the pages are about."""

    number: int
    drifted: int
    assistant: int
    account: int
    bought: str
    refused: str
    in_doubt: str
    needs_person: str
    pending: str
    bulk_done: str
    bulk_running: str
    endpoint: int
    event: str
    key: int
    member: int
    set_password: str  # an address


def furnish(world: World) -> Demo:
    """Fill an empty world. No worker may be running; afterwards none has to be: what is being
    bought, pending or in doubt stays so."""
    world.sandbox.set_account("KEYnorthwind-clinics", balance="8.40")
    found = _inside(world, "stock")
    with world.worker("bulk"):
        _wait_for(world, found["bulk_done"], _BULK)
    world.sandbox.alter(found.pop("changed"), voice_url="https://old.northwind.example/voice")
    found |= _inside(world, "look")
    world.sandbox.add_fault(method="POST", times=None, delay=1.0)  # so that it is seen half-way
    with world.worker("bulk"):
        _wait_for(world, found["bulk_running"], 9)
    world.sandbox.clear_faults()
    return Demo(**found)


def _inside(world: World, name: str) -> dict[str, Any]:
    """Run one of the functions below in the world's own process, at its database."""
    code = f"from numbers.tests import demo; print(demo.json.dumps(demo.{name}()))"
    return json.loads(world.manage("shell", "--no-imports", "-c", code).splitlines()[-1])


def _wait_for(world: World, bulk: str, count: int) -> None:
    query = """SELECT count(*) AS n FROM numbers_bulkitem item JOIN numbers_purchase purchase
               ON purchase.id = item.purchase_id
               WHERE item.bulk_id = %s AND purchase.state = 'completed'"""
    world.wait_until(lambda: world.postgres.rows(query, bulk)[0]["n"] >= count, "they are bought")


# --- Inside the world -----------------------------------------------------------------------------


def stock() -> dict[str, Any]:
    office = make_organization(OFFICE, monthly_limit=Decimal("120"))
    agency = make_organization(AGENCY)
    people = {}
    for email, name, role in _PEOPLE:
        user = User.objects.create_user(email, STAFF[1], full_name=name)
        people[email] = Membership.objects.create(organization=office, user=user, role=role)
    agent = User.objects.create_user(AGENT, STAFF[1], full_name="Lena Brandt")
    Membership.objects.create(organization=agency, user=agent, role="owner")
    Membership.objects.create(organization=office, user=agent, role="viewer")
    invited = User.objects.create_user("new@northwind.example")
    Membership.objects.create(organization=office, user=invited, role="member")
    User.objects.create_superuser(*STAFF, full_name="Operator")
    actor = Actor.for_user(people[ADMIN].user)
    assistants = {
        name: make_assistant(office, name, greeting=greeting)
        for name, greeting in _ASSISTANTS.items()
    }
    office.provider_accounts.filter(provider="telnyx").update(low_balance_threshold=10)
    for account in office.provider_accounts.all():
        check_account(actor=actor, account=account)
    endpoint = _endpoint(office)
    numbers = [_number(actor, office, assistants, *row) for row in _NUMBERS]
    purchases = {
        name: _purchase(actor, office, provider, number)
        for name, provider, number in (
            ("refused", "telnyx", "+13125550001"),
            ("pending", "telnyx", "+12065550052"),
            ("in_doubt", "twilio", "+12125550011"),
            ("needs_person", "twilio", "+16175550011"),
        )
    }
    Purchase.objects.filter(pk=purchases["needs_person"]).update(
        needs_attention_at=timezone.now(),
        attention_reason="Twilio lists the number, but not as this purchase set it.",
    )
    _talk(numbers)
    key, _ = create_api_key(
        actor=actor, organization=office, name="Booking system", created_by=people[ADMIN].user
    )
    drifted = numbers[5]
    return {
        "number": numbers[0].pk,
        "drifted": drifted.pk,
        "changed": drifted.phone_number,
        "assistant": assistants["Front desk"].pk,
        "account": drifted.account_id,
        "bought": str(Purchase.objects.get(number=numbers[0]).pk),
        "endpoint": endpoint.pk,
        "key": key.pk,
        "member": people[MEMBER].pk,
        "set_password": _set_password(invited),
        "bulk_done": _bulk(office, _BULK, "512"),
        **purchases,
    }


def look() -> dict[str, Any]:
    """Check every number at its provider, tell the customer's endpoint what happened, and ask for
    many more numbers."""
    for number in PhoneNumber.objects.filter(status="active").select_related("organization"):
        verify_number(actor=Actor.system("demo"), number=number)
    server = Customer()
    endpoint = EventEndpoint.objects.get()
    address = endpoint.url
    EventEndpoint.objects.update(url=server.url)
    work_off()
    server.shutdown()
    server.server_close()
    EventEndpoint.objects.update(url=address)
    delivered = EventDelivery.objects.exclude(attempts=None).latest("pk")
    office = Organization.objects.get(name=OFFICE)
    return {
        "event": str(delivered.event_id),
        "bulk_running": _bulk(office, _BULK_RUNNING, "303"),
    }


def _set_password(user: User) -> str:
    uid, token = urlsafe_base64_encode(str(user.pk).encode()), default_token_generator
    return reverse("set-password", args=[uid, token.make_token(user)])


def _endpoint(office: Organization) -> EventEndpoint:
    settings.ALLOW_PRIVATE_WEBHOOKS = True
    endpoint, _ = listen(office, "https://hooks.northwind.example/burki")
    return endpoint


def _number(
    actor: Actor,
    office: Organization,
    assistants: dict[str, Assistant],
    provider: str,
    area: str,
    assistant: str,
    name: str,
    months: int,
) -> PhoneNumber:
    found = search_numbers(
        actor=actor,
        organization=office,
        provider=provider,
        criteria=clean_criteria(area_code=area, limit=1),
    )
    phone_number = found.numbers[0].number.phone_number
    _purchase(actor, office, provider, phone_number, assistants.get(assistant), name)
    rows = PhoneNumber.objects.filter(provider=provider, phone_number=phone_number)
    since = timezone.now() - timedelta(days=30 * months - 3)
    rows.update(purchased_at=since, created_at=since, assigned_at=since)
    Purchase.objects.filter(number=rows.get()).update(claimed_at=since, recorded_at=since)
    _backdate_audit(rows.get(), since)
    return rows.get()


def _backdate_audit(number: PhoneNumber, at: datetime) -> None:
    """What nothing in the program can do."""
    ids = [str(number.pk), str(Purchase.objects.get(number=number).pk)]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # no triggers
        cursor.execute(
            "UPDATE organizations_auditevent SET created_at = %s WHERE object_id = ANY(%s) "
            "AND object_type LIKE 'numbers.%%'",
            [at, ids],
        )


def _purchase(
    actor: Actor,
    office: Organization,
    provider: str,
    phone_number: str,
    assistant: Assistant | None = None,
    name: str = "",
) -> str:
    with contextlib.suppress(BurkiError):  # as it was meant: the row says what became of it
        purchase_number(
            actor=actor,
            organization=office,
            provider=provider,
            phone_number=phone_number,
            assistant_id=assistant and assistant.pk,
            friendly_name=name,
            idempotency_key=None,
        )
    return str(Purchase.objects.get(provider=provider, phone_number=phone_number).pk)


def _bulk(office: Organization, quantity: int, area: str) -> str:
    asked = ask_for_many(
        actor=Actor.for_user(User.objects.get(email=ADMIN)),
        organization=office,
        provider="twilio",
        quantity=quantity,
        criteria=clean_criteria(area_code=area),
        phone_numbers=None,
        assistant_id=office.assistants.get(name="Appointment reminders").pk,
        friendly_name="",
        idempotency_key=f"demo-{area}",
        max_total_cost=None,
        max_monthly_cost=None,
        max_setup_cost=None,
    )
    return str(asked.bulk.pk)


def _talk(numbers: list[PhoneNumber]) -> None:
    """Calls and messages of the last weeks, the same in every world; the one number that nobody
    answers is not called at all."""
    dice, now = random.Random(7), timezone.now()
    called = [number for number in numbers if number.assistant_id]
    calls, messages = [], []
    for n in range(70):
        number = dice.choice(called)
        at = now - timedelta(minutes=7 + n * 190 + dice.randrange(90))
        party = {
            "account_id": number.account_id,
            "provider": number.provider,
            "organization_id": number.organization_id,
            "number": number,
            "assistant_id": number.assistant_id,
            "from_number": f"+1{dice.choice(('650', '347', '708'))}555{dice.randrange(2000, 9999)}",
            "to_number": number.phone_number,
        }
        if n % 4 == 3:
            messages.append(
                Message(**party, message_id=f"demo-{n}", status="handed_over", received_at=at)
            )
            continue
        seconds = dice.randrange(20, 400)
        calls.append(
            Call(
                **party,
                call_id=f"demo-{n}",
                status="completed" if n % 9 else "failed",
                answered_with="greeting",
                started_at=at,
                answered_at=at,
                ended_at=at + timedelta(seconds=seconds),
                duration_seconds=seconds,
            )
        )
    Call.objects.bulk_create(calls)
    Message.objects.bulk_create(messages)
    for number in called:
        PhoneNumber.objects.filter(pk=number.pk).update(last_activity_at=now)
