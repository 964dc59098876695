from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction

from organizations import audit
from organizations.actors import Actor
from organizations.crypto import CredentialsUnreadable

ACTOR = Actor.system("rotate_credentials")


class Command(BaseCommand):
    help = (
        "Encrypt all stored secrets under the first key of CREDENTIALS_KEY. "
        "Put the new key in front of the old one, restart, run this, then drop the old key."
    )

    def handle(self, **options):
        done, unreadable = 0, []
        # Every model that keeps secrets has the method; those of the apps above ours too.
        for model in [model for model in apps.get_models() if hasattr(model, "reencrypt")]:
            for pk in model.objects.order_by("pk").values_list("pk", flat=True):
                try:
                    done += reencrypt(model, pk)
                except CredentialsUnreadable:
                    unreadable.append(str(model.objects.get(pk=pk)))
        self.stdout.write(f"{done} re-encrypted.")
        if unreadable:
            raise CommandError(f"No key opens: {', '.join(unreadable)}. Keep the old keys.")


@transaction.atomic
def reencrypt(model: type[models.Model], pk: int) -> bool:
    """Whether the row holds a secret, which is under the newest key now."""
    row = model.objects.select_for_update(no_key=True).filter(pk=pk).first()
    changed = row.reencrypt() if row is not None else []
    if changed:
        row.save(update_fields=[*changed, "updated_at"])
        action = f"{model._meta.verbose_name.replace(' ', '_')}.reencrypted"
        # An organization is its own.
        audit.record(ACTOR, action, row, organization=getattr(row, "organization", row))
    return bool(changed)
