import hashlib
import secrets
import string
from datetime import timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from organizations.models.organizations import Organization
from organizations.permissions import SCOPES

# A key's last use is kept to this precision, so that a busy key costs no write per request.
LAST_USE_PRECISION = timedelta(minutes=5)
_ALPHABET = string.ascii_lowercase + string.digits


def digest(key: str) -> str:
    """What is stored of a key. Keys are 32 random characters, so a plain SHA-256 is enough."""
    return hashlib.sha256(key.encode()).hexdigest()


class ApiKey(models.Model):
    """A program's way in: `burki_` and 32 random characters, shown once, stored as a digest."""

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="api_keys"
    )
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12, help_text="The key's first characters, to tell keys.")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=40, choices=[(s, s) for s in SCOPES]))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="The key never exceeds this person's present role. Empty: made by a command.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @staticmethod
    def generate() -> str:
        return "burki_" + "".join(secrets.choice(_ALPHABET) for _ in range(32))

    @property
    def is_usable(self) -> bool:
        return self.revoked_at is None and (
            self.expires_at is None or self.expires_at > timezone.now()
        )

    def touch(self) -> None:
        """Remember that the key was used, with at most one write in `LAST_USE_PRECISION`."""
        now = timezone.now()
        if self.last_used_at is None or self.last_used_at < now - LAST_USE_PRECISION:
            stale = Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USE_PRECISION)
            ApiKey.objects.filter(stale, pk=self.pk).update(last_used_at=now)
