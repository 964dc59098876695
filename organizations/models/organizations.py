from functools import cached_property

from django.conf import settings as django_settings
from django.core.validators import MinValueValidator
from django.db import models

from organizations.crypto import decrypt, encrypt, rotate


class Organization(models.Model):
    """A tenant. It owns assistants, provider accounts, purchases and phone numbers."""

    name = models.CharField(max_length=100)
    slug = models.SlugField(max_length=100, unique=True)
    description = models.TextField(blank=True)
    domain = models.CharField(max_length=253, blank=True)
    settings = models.JSONField(
        default=dict, blank=True, help_text="Kept for clients of the API; nothing here reads it."
    )
    encrypted_api_keys = models.TextField(blank=True, editable=False)
    is_active = models.BooleanField(default=True)
    may_use_platform_accounts = models.BooleanField(
        default=True,
        help_text="May buy with the platform's own provider accounts when it has none.",
    )
    monthly_limit = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Most money that numbers may cost in a calendar month (UTC). Empty: no limit.",
    )
    limit_currency = models.CharField(max_length=3, default="USD")
    number_limit = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Most numbers owned at a time. Empty: no limit.",
    )
    # How much of the limit was last told of, and in which month: each threshold once.
    spending_told_month = models.DateField(null=True, editable=False)
    spending_told_percent = models.PositiveSmallIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    members = models.ManyToManyField(
        django_settings.AUTH_USER_MODEL,
        through="organizations.Membership",
        related_name="organizations",
    )

    def __str__(self) -> str:
        return self.name

    @cached_property
    def has_event_endpoints(self) -> bool:
        """Whether anybody listens to events. `organizations.credentials.lock_organization` reads
        it along, so that nobody pays a statement for it."""
        return self.event_endpoints.filter(is_active=True).exists()

    @property
    def api_keys_of_others(self) -> dict[str, str]:
        """Keys of other services by name, in clear: kept for clients of the API, never shown.

        Raises `organizations.crypto.CredentialsUnreadable`.
        """
        return decrypt(self.encrypted_api_keys) if self.encrypted_api_keys else {}

    @api_keys_of_others.setter
    def api_keys_of_others(self, keys: dict[str, str]) -> None:
        self.encrypted_api_keys = encrypt(keys) if keys else ""

    def reencrypt(self) -> list[str]:
        """Bring what is encrypted under the newest key; the names of the fields that changed.

        Raises `organizations.crypto.CredentialsUnreadable`.
        """
        if not self.encrypted_api_keys:
            return []
        self.encrypted_api_keys = rotate(self.encrypted_api_keys)
        return ["encrypted_api_keys"]


class Role(models.TextChoices):
    VIEWER = "viewer"
    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"


class Membership(models.Model):
    """A user's role in an organization."""

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="memberships"
    )
    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=10, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "user"], name="membership_unique")
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role}"
