"""What reaches us from the providers: the inbox of their webhooks, and the light records of calls
and messages that the worker makes of it."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from assistants.models import Assistant
from burki.db import PENDING_KB
from numbers.models.phone_numbers import PhoneNumber
from organizations.crypto import rotate
from organizations.models import Organization, Provider, ProviderAccount


class WebhookDelivery(models.Model):
    """One event of a provider, verified, as it came. Kept for `WEBHOOK_RETENTION_DAYS`.

    The row is the claim: an event that comes again finds it, gets the same answer and causes
    nothing. Keys are unique within the account whose key signed them, so that one tenant cannot
    use up another's.
    """

    class Kind(models.TextChoices):
        CALL = "call", "call that asks what to do"
        CALL_ANSWERED = "call_answered"
        CALL_SPOKEN = "call_spoken", "what we said on a call is over"
        CALL_ENDED = "call_ended"
        MESSAGE = "message"
        ORDER = "order", "end of a number order"
        OTHER = "other", "other (stored and acknowledged)"

    account = models.ForeignKey(
        ProviderAccount, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    provider = models.CharField(max_length=10, choices=Provider)
    kind = models.CharField(max_length=15, choices=Kind)
    event_type = models.CharField(max_length=60, help_text="The provider's own word.")
    event_key = models.CharField(max_length=255)
    body = models.BinaryField(help_text="As it came.")
    # What was decided and answered right away (Twilio); a repeat is answered from here.
    decision = models.JSONField(default=dict, blank=True)
    answer = models.TextField(blank=True)
    deliveries = models.PositiveIntegerField(default=1, help_text="How often it was delivered.")
    received_at = models.DateTimeField(db_default=Now())
    processed_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Failures to process it.")
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        permissions = [("reprocess_webhookdelivery", "Can process failed deliveries again")]
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["account", "event_key"], name="webhook_event_once")
        ]
        indexes = [
            models.Index(fields=["received_at"], name="webhook_age"),
            models.Index(
                fields=["-id"], condition=Q(processed_at=None), name="webhook_unprocessed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} from {self.provider}"

    @property
    def text(self) -> str:
        """The body for people."""
        return (
            bytes(self.body).decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        )


class Direction(models.TextChoices):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class _Activity(models.Model):
    """What calls and messages share. The numbers are as the provider wrote them. Foreign keys have
    no index of their own where one of the model's begins with them."""

    account = models.ForeignKey(
        ProviderAccount, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    provider = models.CharField(max_length=10, choices=Provider)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    # None for a number whose purchase is not settled: that row may still go.
    number = models.ForeignKey(
        PhoneNumber,
        on_delete=models.PROTECT,
        null=True,
        related_name="%(class)ss",
        db_index=False,
    )
    assistant = models.ForeignKey(Assistant, on_delete=models.SET_NULL, null=True, related_name="+")
    from_number = models.CharField("from", max_length=128, blank=True)
    to_number = models.CharField("to", max_length=128, blank=True)
    direction = models.CharField(max_length=10, choices=Direction, default=Direction.INBOUND)

    class Meta:
        abstract = True


class Call(_Activity):
    """A call of one of our numbers. Events may come in any order; its status only goes forward."""

    class Status(models.TextChoices):
        RINGING = "ringing"
        ANSWERED = "answered"
        REFUSED = "refused", "refused (nobody there to answer)"
        COMPLETED = "completed"
        FAILED = "failed", "failed (busy, no answer, cancelled)"

    class AnsweredWith(models.TextChoices):
        STREAM = "stream", "the assistant's media stream"
        GREETING = "greeting", "the assistant's greeting"
        NOTHING = "nothing", "a refusal"

    # Its index is `call_by_assistant`, which answers the statistics alone.
    assistant = models.ForeignKey(
        Assistant, on_delete=models.SET_NULL, null=True, related_name="calls", db_index=False
    )
    call_id = models.CharField(max_length=255, help_text="CallSid, or call_control_id.")
    answered_with = models.CharField(max_length=10, choices=AnsweredWith, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.RINGING)
    ended_because = models.CharField(max_length=60, blank=True, help_text="The provider's word.")
    started_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    duration_seconds = models.PositiveIntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "call_id"], name="call_once")]
        indexes = [
            models.Index(fields=["number", "-id"], name="call_by_number"),
            models.Index(fields=["number", "-started_at", "-id"], name="call_of_number_by_time"),
            models.Index(fields=["organization", "-started_at", "-id"], name="call_by_time"),
            models.Index(  # few are
                fields=["organization", "-started_at", "-id"],
                condition=Q(direction="outbound"),
                name="call_outbound",
            ),
            GinIndex(  # a part of either number
                "organization",
                OpClass("from_number", "gin_trgm_ops"),
                OpClass("to_number", "gin_trgm_ops"),
                name="call_by_text",
                gin_pending_list_limit=PENDING_KB,
            ),
            models.Index(
                fields=["assistant"], include=["duration_seconds"], name="call_by_assistant"
            ),
        ]

    def __str__(self) -> str:
        return f"call of {self.to_number}"


class Message(_Activity):
    """A text message to one of our numbers, and what became of handing it to its assistant. The
    text itself is in the inbox only, for as long as that keeps it."""

    class Status(models.TextChoices):
        RECEIVED = "received", "received (being handed over)"
        HANDED_OVER = "handed_over"
        FAILED = "failed", "failed (not handed over; given up)"
        UNHANDLED = "unhandled", "unhandled (no assistant takes messages)"

    delivery = models.ForeignKey(
        WebhookDelivery, on_delete=models.SET_NULL, null=True, related_name="messages"
    )
    message_id = models.CharField(max_length=255, help_text="MessageSid, or Telnyx message id.")
    status = models.CharField(max_length=11, choices=Status, default=Status.RECEIVED)
    media_count = models.PositiveSmallIntegerField(default=0)
    received_at = models.DateTimeField()
    handed_over_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "message_id"], name="message_once")
        ]
        indexes = [
            models.Index(fields=["number", "-id"], name="message_by_number"),
            models.Index(
                fields=["number", "-received_at", "-id"], name="message_of_number_by_time"
            ),
            models.Index(fields=["organization", "-received_at", "-id"], name="message_by_time"),
            models.Index(  # few are
                fields=["organization", "-received_at", "-id"],
                condition=Q(direction="outbound"),
                name="message_outbound",
            ),
            GinIndex(  # a part of either number
                "organization",
                OpClass("from_number", "gin_trgm_ops"),
                OpClass("to_number", "gin_trgm_ops"),
                name="message_by_text",
                gin_pending_list_limit=PENDING_KB,
            ),
        ]

    def __str__(self) -> str:
        return f"message to {self.to_number}"


class HandoverAttempt(models.Model):
    """One try to hand a message to its assistant's webhook."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="attempts")
    host = models.CharField(max_length=255, help_text="Of the webhook; the rest may be secret.")
    status_code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)
    milliseconds = models.PositiveIntegerField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.message} to {self.host}: {self.status_code or self.error}"


class SigningSecret(models.Model):
    """What signs the requests to an assistant's own webhooks (Standard Webhooks). The secret that
    a rotation replaced signs beside the new one for a while."""

    assistant = models.OneToOneField(
        Assistant, on_delete=models.CASCADE, primary_key=True, related_name="signing_secret"
    )
    encrypted_secret = models.TextField(editable=False)
    encrypted_previous = models.TextField(blank=True, editable=False)
    rotated_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"signing secret of {self.assistant}"

    @property
    def organization(self) -> Organization:
        return self.assistant.organization

    def reencrypt(self) -> list[str]:
        """Bring the secrets under the newest key; the names of the fields that changed.

        Raises `organizations.crypto.CredentialsUnreadable`.
        """
        held = [n for n in ("encrypted_secret", "encrypted_previous") if getattr(self, n)]
        for name in held:
            setattr(self, name, rotate(getattr(self, name)))
        return held
