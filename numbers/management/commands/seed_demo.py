"""Demo data for `make run`: made through the services, so that what is shown is what they do."""

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from assistants.services import create_assistant
from numbers.exceptions import PurchaseError
from numbers.services.purchase import purchase_number
from numbers.services.search import clean_criteria, search_numbers
from organizations.actors import Actor
from organizations.credentials import store_credentials
from organizations.models import Membership, Organization, Role, User
from organizations.services import create_api_key, create_organization

ACTOR = Actor.system("seed_demo")
EMAIL, PASSWORD = "staff@example.com", "burki-demo"

# name, [(assistant, greeting)], [(provider, area code)]
TENANTS = [
    (
        "Acme Dental",
        [("Front desk", "Acme Dental, how can I help?"), ("After hours", "We are closed now.")],
        [("twilio", "415"), ("telnyx", "415"), ("telnyx", "212")],
    ),
    ("Globex Travel", [("Bookings", "Globex Travel, where to?")], [("telnyx", "312")]),
]

# One assistant answers with a stream (to nowhere), the others with their greeting; the sandbox
# stands in for the webhooks that take their messages.
STREAMED, STREAM = "After hours", "wss://voice.example.com/streams"


class Command(BaseCommand):
    help = (
        "Make two demo organizations with assistants, a staff login, an API key, and numbers "
        "bought at the sandbox. Does nothing that is done already. Only with SANDBOX=true."
    )

    def add_arguments(self, parser):
        parser.add_argument("--key-file", type=Path, required=True, help="Where the key is kept.")

    def handle(self, *, key_file, **options):
        if not settings.SANDBOX:
            raise CommandError("Demo numbers are bought: this needs SANDBOX=true.")
        user = User.objects.filter(email=EMAIL).first() or User.objects.create_superuser(
            EMAIL, PASSWORD, full_name="Demo Staff"
        )
        for tenant in TENANTS:
            self.make_tenant(user, *tenant)
        first = Organization.objects.get(name=TENANTS[0][0])
        self.keep_key(first, user, key_file)

    def make_tenant(self, user: User, name: str, assistants: list, numbers: list) -> None:
        if Organization.objects.filter(name=name).exists():
            return
        organization = create_organization(actor=ACTOR, name=name)
        Membership.objects.create(organization=organization, user=user, role=Role.OWNER)
        sid = f"AC{organization.pk:032x}"
        store_credentials(
            actor=ACTOR, organization=organization, provider="twilio", account_sid=sid,
            secret="sandbox-twilio-token",
        )  # fmt: skip
        store_credentials(
            actor=ACTOR, organization=organization, provider="telnyx",
            secret=f"KEYsandbox{organization.pk}.0123456789",
        )  # fmt: skip
        inbox = f"{settings.TWILIO_API_BASE_URL}/_sandbox/inbox"  # shows what was handed over
        made = [
            create_assistant(
                actor=ACTOR,
                organization=organization,
                name=assistant,
                greeting=greeting,
                media_stream_url=STREAM if assistant == STREAMED else "",
                sms_webhook_url=inbox if settings.ALLOW_PRIVATE_WEBHOOKS else "",
            )
            for assistant, greeting in assistants
        ]
        for position, (provider, area_code) in enumerate(numbers):
            self.buy(organization, provider, area_code, made[position % len(made)])

    def buy(
        self, organization: Organization, provider: str, area_code: str, assistant: Any
    ) -> None:
        number = self.offered(organization, provider, area_code)
        try:
            purchase_number(
                actor=ACTOR, organization=organization, provider=provider, phone_number=number,
                assistant_id=assistant.pk, friendly_name=f"{assistant.name} {area_code}",
                idempotency_key=None,
            )  # fmt: skip
        except PurchaseError as error:
            self.stderr.write(f"{number} was not bought: {error.detail} {error.facts.get('hint')}")

    def offered(self, organization: Organization, provider: str, area_code: str) -> str:
        result = search_numbers(
            actor=ACTOR,
            organization=organization,
            provider=provider,
            criteria=clean_criteria(area_code=area_code, limit=1),
        )
        return result.numbers[0].number.phone_number

    def keep_key(self, organization: Organization, user: User, key_file: Path) -> None:
        """Keys are shown once; the demo's is kept in a file, so that the next run can show it."""
        if not key_file.exists():
            _, key = create_api_key(
                actor=ACTOR, organization=organization, name="demo", created_by=user
            )
            key_file.touch(mode=0o600)
            key_file.write_text(json.dumps({"key": key}))
        facts = json.loads(key_file.read_text())
        facts |= {
            "email": EMAIL,
            "password": PASSWORD,
            "assistant_id": organization.assistants.order_by("pk").first().pk,
            "number": self.offered(organization, "telnyx", "415"),
        }
        key_file.write_text(json.dumps(facts, indent=1))
        os.chmod(key_file, 0o600)
