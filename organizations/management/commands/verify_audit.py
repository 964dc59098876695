from django.core.management.base import BaseCommand, CommandError

from burki.text import instant
from organizations.models import Organization
from organizations.sealing import seal_events, verify


class Command(BaseCommand):
    help = (
        "Seal the audit events that are not sealed yet, then compute every chain anew and report "
        "the first place where one is broken. Ends with 1 when any is. See docs/audit.md."
    )

    def add_arguments(self, parser):
        parser.add_argument("--organization", metavar="SLUG", help="only this one's chain")
        parser.add_argument(
            "--known",
            metavar="HASH",
            default="",
            help="a hash that an earlier run printed: with --organization, it must still be there",
        )

    def handle(self, *, organization, known, **options):
        if known and not organization:
            raise CommandError("--known needs --organization.")
        chains = list(Organization.objects.order_by("slug"))
        if organization:
            chains = [one for one in chains if one.slug == organization]
            if not chains:
                raise CommandError(f"There is no organization {organization!r}.")
        else:
            chains.append(None)  # what belongs to no organization
        seal_events()
        broken = []
        for chain in chains:
            name = chain.slug if chain else "(no organization)"
            found = verify(chain, known=known)
            if found.broken is not None:
                broken.append(f"{name}: {found.broken}")
            elif known and not found.knows:
                broken.append(f"{name}: the hash {known} is not in the chain any more.")
            else:
                until = f", sealed until {instant(found.until)}" if found.until else ""
                self.stdout.write(f"{name}: {found.events} events in order{until}, {found.head}")
        if broken:
            raise CommandError("\n".join(broken))
