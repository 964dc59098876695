from django.core.management.base import BaseCommand, CommandError

from assistants.services import create_assistant
from burki.commands import clear_errors
from organizations.actors import Actor
from organizations.models import Organization


class Command(BaseCommand):
    help = "Make an assistant; prints its id."

    def add_arguments(self, parser):
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("name")

    def handle(self, *, organization, name, **options):
        tenant = Organization.objects.filter(slug=organization).first()
        if tenant is None:
            raise CommandError(f"There is no organization with the slug '{organization}'.")
        actor = Actor.system("create_assistant")
        with clear_errors():
            assistant = create_assistant(actor=actor, organization=tenant, name=name)
        self.stdout.write(str(assistant.pk))
