from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from organizations import audit
from organizations.actors import Actor
from organizations.crypto import CredentialsUnreadable, rotate
from organizations.models import ProviderAccount


class Command(BaseCommand):
    help = (
        "Encrypt all stored provider credentials under the first key of CREDENTIALS_KEY. "
        "Put the new key in front of the old one, restart, run this, then drop the old key."
    )

    def handle(self, **options):
        actor, done, unreadable = Actor.system("rotate_credentials"), 0, []
        for pk in ProviderAccount.objects.exclude(encrypted_credentials="").values_list(
            "pk", flat=True
        ):
            with transaction.atomic():
                account = ProviderAccount.objects.select_for_update().get(pk=pk)
                try:
                    account.encrypted_credentials = rotate(account.encrypted_credentials)
                except CredentialsUnreadable:
                    unreadable.append(str(account))
                    continue
                account.save(update_fields=["encrypted_credentials", "updated_at"])
                audit.record(
                    actor,
                    "provider_account.reencrypted",
                    account,
                    organization=account.organization,
                )
                done += 1
        self.stdout.write(f"{done} re-encrypted.")
        if unreadable:
            raise CommandError(f"No key opens: {', '.join(unreadable)}. Keep the old keys.")
