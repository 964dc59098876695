import contextlib
from datetime import timedelta
from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from organizations.crypto import CredentialsUnreadable, decrypt, encrypt, rotate
from organizations.models.organizations import Organization

PREVIOUS_SECRET_COUNTS = timedelta(hours=24)
_ENCRYPTED = ("encrypted_credentials", "encrypted_previous")
SECRET_FIELDS = (*_ENCRYPTED, "secret_replaced_at")


class Provider(models.TextChoices):
    TWILIO = "twilio", "Twilio"
    TELNYX = "telnyx", "Telnyx"


class ProviderAccount(models.Model):
    """A set of credentials at a provider, and the identity of the account behind them.

    The identity never changes: another Twilio account SID is another row. Numbers and purchases
    point at the row that bought them and are managed through it for ever.
    """

    class Source(models.TextChoices):
        ORGANIZATION = "organization"
        ENVIRONMENT = "environment", "environment (the platform's own)"

    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="provider_accounts",
    )
    provider = models.CharField(max_length=10, choices=Provider)
    source = models.CharField(max_length=12, choices=Source, default=Source.ORGANIZATION)
    label = models.CharField(max_length=100, blank=True)
    account_sid = models.CharField("Twilio account SID", max_length=34, blank=True)
    encrypted_credentials = models.TextField(blank=True, editable=False)
    # What a rotation replaced: the provider may sign with it for a while.
    encrypted_previous = models.TextField(blank=True, editable=False)
    secret_replaced_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Which key the environment's row was last used with, to notice that it was replaced.
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    connection_id = models.CharField("Telnyx connection id", max_length=64, blank=True)
    messaging_profile_id = models.CharField("Telnyx messaging profile", max_length=64, blank=True)
    public_key = models.CharField("Telnyx public key", max_length=64, blank=True)
    is_default = models.BooleanField(
        default=False, help_text="Used when an assistant names no account of its own."
    )
    only_for_assistants = models.BooleanField(
        default=False,
        help_text="Used by the assistants that name it, and for nothing else of the organization.",
    )
    is_active = models.BooleanField(default=True)
    low_balance_threshold = models.DecimalField(
        max_digits=12,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text="Warn when the balance at the provider is below this. Empty: never.",
    )
    last_checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_check = models.JSONField(default=dict, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "provider"],
                condition=Q(is_default=True),
                name="provider_account_one_default",
            ),
            models.UniqueConstraint(
                fields=["organization", "provider", "account_sid"],
                condition=~Q(account_sid=""),
                nulls_distinct=False,
                name="provider_account_identity",
            ),
            models.UniqueConstraint(
                fields=["fingerprint"],
                condition=~Q(fingerprint=""),
                name="provider_account_fingerprint",
            ),
            models.CheckConstraint(
                condition=Q(source="organization", organization__isnull=False)
                | Q(
                    source="environment",
                    organization__isnull=True,
                    encrypted_credentials="",
                ),
                name="provider_account_source",
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(only_for_assistants=False),
                name="provider_account_default_is_for_all",
                violation_error_message="The default account cannot be only for assistants.",
            ),
        ]

    def __str__(self) -> str:
        name = self.label or (f"…{self.account_sid[-4:]}" if self.account_sid else self.source)
        return f"{self.get_provider_display()} ({name})"

    def clean(self) -> None:
        """The organization's first account at a provider is the default without saying so."""
        undecided = not (self.is_default or self.only_for_assistants)
        if self._state.adding and self.organization_id and undecided:
            others = ProviderAccount.objects.filter(
                organization=self.organization_id,
                provider=self.provider,
                only_for_assistants=False,
            )
            self.is_default = not others.exists()

    def reencrypt(self) -> list[str]:
        """Bring the stored secret under the newest key; the names of the fields that changed.

        Raises `organizations.crypto.CredentialsUnreadable`.
        """
        if not self._previous_counts:
            self.encrypted_previous = ""
        held = [name for name in _ENCRYPTED if getattr(self, name)]
        for name in held:
            setattr(self, name, rotate(getattr(self, name)))
        return [*_ENCRYPTED] if held else []

    @property
    def balance(self) -> Decimal | None:
        """What could be spent at the last check; None if nobody knows."""
        told = self.last_check.get("balance")
        return None if told is None else Decimal(told)

    @property
    def low_balance(self) -> bool:
        """Whether the balance was below the threshold at the last check."""
        threshold, balance = self.low_balance_threshold, self.balance
        return threshold is not None and balance is not None and balance < threshold

    @property
    def secret(self) -> str:
        """The Twilio auth token or Telnyx API key in clear; never shown, never logged.

        Raises `organizations.crypto.CredentialsUnreadable` when no CREDENTIALS_KEY opens it.
        """
        if not self.encrypted_credentials:
            return ""
        return decrypt(self.encrypted_credentials)["secret"]

    @secret.setter
    def secret(self, value: str) -> None:
        """The one so far is kept beside it for `PREVIOUS_SECRET_COUNTS`. Save `SECRET_FIELDS`."""
        if self.encrypted_credentials and not self._is(value):
            self.encrypted_previous = self.encrypted_credentials
            self.secret_replaced_at = timezone.now()
        self.encrypted_credentials = encrypt({"secret": value}) if value else ""

    def _is(self, secret: str) -> bool:
        try:
            return self.secret == secret
        except CredentialsUnreadable:
            return False

    @property
    def recent_secrets(self) -> list[str]:
        """The secret, and for a while the one that it replaced: the provider signs its requests to
        us with either. Unreadable ones are left out."""
        tokens = [self.encrypted_credentials]
        if self._previous_counts:
            tokens.append(self.encrypted_previous)
        found = []
        for token in filter(None, tokens):
            with contextlib.suppress(CredentialsUnreadable):
                found.append(decrypt(token)["secret"])
        return found

    @property
    def _previous_counts(self) -> bool:
        replaced = self.secret_replaced_at
        return replaced is not None and timezone.now() - replaced < PREVIOUS_SECRET_COUNTS

    @property
    def secret_hint(self) -> str:
        """The secret's last four characters, for people to tell keys apart."""
        try:
            return f"…{self.secret[-4:]}" if self.encrypted_credentials else ""
        except CredentialsUnreadable:
            return "unreadable"
