from collections.abc import Iterable

from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from django.db.models import Count, OuterRef, Sum

from assistants import opaque
from assistants.fields import ExactJSONField
from organizations.models import ApiKey, Organization, Provider, ProviderAccount, User

LANGUAGE = r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}"  # a language tag, such as en-US
NUMBERS_TOLD = 100  # of one assistant, in an answer


class AssistantQuerySet(models.QuerySet):
    def of(self, organization: Organization) -> "AssistantQuerySet":
        return self.filter(organization=organization)

    def answering(self, phone_number: str) -> "AssistantQuerySet":
        """Those that a live number is assigned to, the newest number's first."""
        numbers = _live_numbers().filter(phone_number=phone_number)
        return self.filter(phone_numbers__in=numbers).order_by("-phone_numbers__pk")

    def told(self) -> "AssistantQuerySet":
        """With everything that an answer tells of an assistant, in one query for any number of
        rows: `numbers_told` are its numbers, but for those only being bought or given back; of
        very many the newest `NUMBERS_TOLD`."""
        numbers = _live_numbers().filter(assistant=OuterRef("pk")).order_by("-pk")
        return self.select_related("twilio_account", "telnyx_account").annotate(
            numbers_told=ArraySubquery(numbers.values("phone_number")[:NUMBERS_TOLD])
        )


def _live_numbers() -> models.QuerySet:
    """This app may not import phone numbers; it reaches them over their relation to it."""
    numbers = Assistant._meta.get_field("phone_numbers").related_model
    return numbers.objects.inventory().live()


def call_statistics(assistants: Iterable["Assistant"]) -> dict[int, dict[str, int]]:
    """Of each, by its id, how many calls it had and how many seconds they lasted together, in one
    query. Reached as phone numbers are."""
    found = {row.pk: {"call_count": 0, "total_duration": 0} for row in assistants}
    calls = Assistant._meta.get_field("calls").related_model
    groups = calls.objects.filter(assistant__in=found).order_by().values_list("assistant")
    for pk, count, seconds in groups.annotate(n=Count("*"), seconds=Sum("duration_seconds")):
        found[pk] = {"call_count": count, "total_duration": seconds or 0}
    return found


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
    webhook_url = models.CharField(
        "webhook URL",
        max_length=500,
        blank=True,
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="Told of the assistant's calls.",
    )
    messaging_service_sid = models.CharField(
        "Twilio messaging service", max_length=64, blank=True, help_text="Such as MG…"
    )
    settings = ExactJSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="Kept for the assistant's clients; secrets in it are encrypted.",
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
    created_by = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
    )
    created_by_key = models.ForeignKey(
        ApiKey, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AssistantQuerySet.as_manager()

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
        return self.twilio_account if provider == Provider.TWILIO else self.telnyx_account

    @property
    def settings_in_clear(self) -> dict:
        """The settings with their secrets, for who answers the calls. Never show or log it.

        Raises `organizations.crypto.CredentialsUnreadable`.
        """
        return opaque.opened(self.settings)

    def reencrypt(self) -> list[str]:
        """Bring stored secrets under the newest key; the names of the fields that changed.

        Raises `organizations.crypto.CredentialsUnreadable`.
        """
        if not opaque.holds_secrets(self.settings):
            return []
        self.settings = opaque.reencrypted(self.settings)
        return ["settings"]
