from django.core.management.base import BaseCommand, CommandError

from burki.commands import clear_errors
from organizations.actors import Actor
from organizations.models import Organization
from organizations.permissions import SCOPES
from organizations.services import create_api_key


class Command(BaseCommand):
    help = "Make an API key; prints the key alone. It is shown this once."

    def add_arguments(self, parser):
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True)
        parser.add_argument(
            "--scope",
            action="append",
            choices=sorted(SCOPES),
            help="May be given several times; all scopes without it.",
        )

    def handle(self, *, organization, name, scope, **options):
        tenant = Organization.objects.filter(slug=organization).first()
        if tenant is None:
            raise CommandError(f"There is no organization with the slug '{organization}'.")
        actor = Actor.system("create_api_key")
        with clear_errors():
            _, text = create_api_key(actor=actor, organization=tenant, name=name, scopes=scope)
        self.stdout.write(text)
