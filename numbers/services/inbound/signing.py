"""The secret that signs requests to an assistant's own webhook (Standard Webhooks): made when it is
first needed, shown once, to the person who rotates it."""

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from assistants.models import Assistant
from burki.outgoing import new_secret
from numbers.models import SigningSecret
from organizations import audit
from organizations.actors import Actor
from organizations.crypto import decrypt, encrypt
from organizations.permissions import ASSISTANTS_WRITE

PREVIOUS_SIGNS_FOR = timedelta(hours=24)


def signing_secrets(assistant: Assistant) -> list[str]:
    """What signs now, the newest first: after a rotation the old secret signs as well for a day,
    so that the receiver can change over without losing a message."""
    row = SigningSecret.objects.filter(pk=assistant.pk).first()
    if row is None:
        try:
            with transaction.atomic():
                row = SigningSecret.objects.create(
                    assistant=assistant, encrypted_secret=_encrypted(new_secret())
                )
        except IntegrityError:  # another worker made it
            row = SigningSecret.objects.get(pk=assistant.pk)
    found = [row.encrypted_secret]
    if row.encrypted_previous and timezone.now() - row.rotated_at < PREVIOUS_SIGNS_FOR:
        found.append(row.encrypted_previous)
    return [decrypt(token)["secret"] for token in found]


@transaction.atomic
def rotate_signing_secret(*, actor: Actor, assistant: Assistant) -> str:
    """A new secret, in clear text, which is shown nowhere else afterwards."""
    actor.require(ASSISTANTS_WRITE, assistant.organization)
    secret = new_secret()
    row, new = SigningSecret.objects.select_for_update(of=["self"]).get_or_create(
        assistant=assistant, defaults={"encrypted_secret": _encrypted(secret)}
    )
    if not new:
        row.encrypted_previous, row.encrypted_secret = row.encrypted_secret, _encrypted(secret)
        row.rotated_at = timezone.now()
        row.save()
    audit.record(
        actor,
        "assistant.signing_secret_rotated",
        assistant,
        organization=assistant.organization,
        secret=f"…{secret[-4:]}",
    )
    return secret


def _encrypted(secret: str) -> str:
    return encrypt({"secret": secret})
