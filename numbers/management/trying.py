"""What `sandbox_call` and `sandbox_text` share."""

import json

from django.core.management.base import BaseCommand, CommandError

from burki.errors import BurkiError
from numbers.models import PhoneNumber
from numbers.services.inbound.trying import SOMEBODY, Tried
from organizations.actors import Actor


class TryingCommand(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("number", help="In E.164 format, such as +14155551234.")
        parser.add_argument("--from", dest="from_number", default=SOMEBODY, metavar="NUMBER")

    def handle(self, *, number, from_number, **options):
        self.actor = Actor.system(self.__module__.rpartition(".")[2])
        row = (
            PhoneNumber.objects.live()
            .select_related("organization")
            .filter(phone_number=number)
            .order_by("pk")
            .first()
        )
        if row is None:
            raise CommandError(f"Nobody has {number} here.")
        try:
            self.tell(self.try_it(row, from_number, options))
        except BurkiError as error:
            raise CommandError(f"{error.detail} {error.facts.get('hint') or ''}".strip()) from None

    def try_it(self, number: PhoneNumber, from_number: str, options: dict) -> Tried:
        raise NotImplementedError

    def tell(self, tried: Tried) -> None:
        self.stdout.write(f"POST {tried.url}: {tried.status}\n{tried.answer}")
        for command in tried.commands:
            self.stdout.write(f"{command.pop('action')} {json.dumps(command)}")
        if not 200 <= tried.status < 300:
            raise CommandError("The number did not answer.")
