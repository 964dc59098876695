"""What is told to customers' own systems: where to, what, and what became of telling it."""

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from burki.ids import uuid7
from organizations.crypto import decrypt, encrypt, rotate
from organizations.models.organizations import Organization

PREVIOUS_SIGNS_FOR = timedelta(hours=24)


class EventEndpoint(models.Model):
    """An address of an organization that events are POSTed to, signed (Standard Webhooks). The
    secret that a rotation replaced signs beside the new one for a while."""

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="event_endpoints"
    )
    url = models.CharField("URL", max_length=500)
    description = models.CharField(max_length=200, blank=True)
    event_types = ArrayField(
        models.CharField(max_length=40), default=list, blank=True, help_text="Empty: all."
    )
    encrypted_secret = models.TextField(editable=False)
    encrypted_previous = models.TextField(blank=True, editable=False)
    secret_rotated_at = models.DateTimeField(null=True, editable=False)
    is_active = models.BooleanField(default=True)
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_because = models.CharField(max_length=200, blank=True, editable=False)
    # Since when nothing but failures; None after a success.
    failing_since = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        """The host alone: the rest of an address may be secret."""
        return urlsplit(self.url).hostname or "endpoint"

    def replace_secret(self, secret: str) -> None:
        """Sign with `secret` from now on; the one so far signs as well for a while."""
        if self.encrypted_secret:
            self.encrypted_previous = self.encrypted_secret
            self.secret_rotated_at = timezone.now()
        self.encrypted_secret = encrypt({"secret": secret})

    @property
    def secrets(self) -> list[str]:
        """What signs now, the newest first.

        Raises `organizations.crypto.CredentialsUnreadable`.
        """
        tokens = [self.encrypted_secret]
        if self.previous_signs_until and timezone.now() < self.previous_signs_until:
            tokens.append(self.encrypted_previous)
        return [decrypt(token)["secret"] for token in tokens]

    @property
    def previous_signs_until(self) -> datetime | None:
        rotated = self.secret_rotated_at
        return rotated + PREVIOUS_SIGNS_FOR if rotated and self.encrypted_previous else None

    @property
    def state(self) -> str:
        if not self.is_active:
            return "disabled"
        return "failing" if self.failing_since else "active"

    def wants(self, event_type: str) -> bool:
        return not self.event_types or event_type in self.event_types

    def reencrypt(self) -> list[str]:
        """Bring the secrets under the newest key; the names of the fields that changed.

        Raises `organizations.crypto.CredentialsUnreadable`.
        """
        held = [n for n in ("encrypted_secret", "encrypted_previous") if getattr(self, n)]
        for name in held:
            setattr(self, name, rotate(getattr(self, name)))
        return held


class Event(models.Model):
    """Something that happened, as customers are told of it. Written in the transaction of the
    change itself; kept for `EVENT_RETENTION_DAYS`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="events", db_index=False
    )
    type = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    url = models.CharField(max_length=500, help_text="Where the truth can be read.")
    # Of a test: the only one that gets it.
    endpoint = models.ForeignKey(
        EventEndpoint, on_delete=models.CASCADE, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    spread_at = models.DateTimeField(null=True)  # when its deliveries were made
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-id"], name="event_by_organization"),
            models.Index(fields=["created_at"], name="event_age"),
            models.Index(fields=["id"], condition=Q(spread_at=None), name="event_to_spread"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.public_id}"

    @property
    def public_id(self) -> str:
        """Its id outside, also the `webhook-id` of every try."""
        return f"evt_{self.pk.hex}"


class EventDelivery(models.Model):
    """One event for one endpoint."""

    class State(models.TextChoices):
        PENDING = "pending", "being delivered"
        DELIVERED = "delivered"
        FAILED = "failed", "failed (given up after every try)"
        ABANDONED = "abandoned", "abandoned (the endpoint was disabled)"

    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    endpoint = models.ForeignKey(EventEndpoint, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    tries = models.PositiveSmallIntegerField(default=0, help_text="Since it was last asked for.")
    next_attempt_at = models.DateTimeField(null=True, default=timezone.now)
    # While one worker sends it; if that is killed, another may begin when this is over.
    leased_until = models.DateTimeField(null=True)
    last_status = models.PositiveSmallIntegerField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "event deliveries"
        constraints = [
            models.UniqueConstraint(fields=["event", "endpoint"], name="event_delivery_once")
        ]
        indexes = [
            models.Index(
                fields=["endpoint", "next_attempt_at"],
                condition=Q(state="pending"),
                name="event_delivery_due",
            ),
            # What few are: asked for by those who look for trouble.
            models.Index(
                fields=["state", "event"],
                condition=~Q(state="delivered"),
                name="event_delivery_not_delivered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.endpoint}: {self.state}"


class EventAttempt(models.Model):
    """One try to deliver: a status, or the error for which there is none."""

    delivery = models.ForeignKey(EventDelivery, on_delete=models.CASCADE, related_name="attempts")
    at = models.DateTimeField(default=timezone.now)
    status_code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)
    milliseconds = models.PositiveIntegerField()
    answer = models.CharField(max_length=500, blank=True, help_text="Its first characters.")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.delivery_id} at {self.at}: {self.status_code or self.error}"
