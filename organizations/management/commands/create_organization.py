from django.core.management.base import BaseCommand

from burki.commands import clear_errors
from organizations.actors import Actor
from organizations.services import create_organization


class Command(BaseCommand):
    help = "Make a tenant; prints its slug."

    def add_arguments(self, parser):
        parser.add_argument("name")

    def handle(self, *, name, **options):
        actor = Actor.system("create_organization")
        with clear_errors():
            organization = create_organization(actor=actor, name=name)
        self.stdout.write(organization.slug)
