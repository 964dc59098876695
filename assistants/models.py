from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models

from organizations.models import Organization, Provider, ProviderAccount


class Assistant(models.Model):
    """An AI voice assistant of an organization: who answers when one of its numbers is called."""

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="assistants"
    )
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True)
    greeting = models.TextField(
        blank=True, help_text="Spoken to callers when there is no media stream."
    )
    language = models.CharField(max_length=20, default="en-US", help_text="Such as en-US.")
    media_stream_url = models.CharField(
        max_length=500,
        blank=True,
        validators=[URLValidator(schemes=["wss"])],
        help_text="wss:// address that calls are connected to.",
    )
    sms_webhook_url = models.CharField(
        "SMS webhook URL",
        max_length=500,
        blank=True,
        validators=[URLValidator(schemes=["http", "https"])],
    )
    twilio_account = models.ForeignKey(
        ProviderAccount,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    telnyx_account = models.ForeignKey(
        ProviderAccount,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    telnyx_connection_id = models.CharField(
        max_length=64, blank=True, help_text="Instead of the account's own connection."
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["organization", "-id"], name="assistant_by_organization")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        for provider in Provider:
            account = self.account_for(provider)
            if account is None:
                continue
            if account.organization_id != self.organization_id or account.provider != provider:
                sentence = f"Choose a {provider.label} account of this organization."
                raise ValidationError({f"{provider}_account": sentence})

    def account_for(self, provider: str) -> ProviderAccount | None:
        """The account that this assistant names for a provider, if it names one."""
        return {
            Provider.TWILIO: self.twilio_account,
            Provider.TELNYX: self.telnyx_account,
        }[provider]
