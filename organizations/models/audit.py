from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from burki.db import PENDING_KB
from organizations.models.organizations import Organization


class AppendOnlyError(TypeError):
    """Somebody tried to change or delete what must stay as it was."""


class ProtectedQuerySet(models.QuerySet):
    """A query set whose rows cannot be deleted in bulk; triggers in the database say the same."""

    def delete(self):
        raise AppendOnlyError(f"{self.model.__name__} rows are never deleted.")


class AppendOnlyQuerySet(ProtectedQuerySet):
    def update(self, **values):
        raise AppendOnlyError(f"{self.model.__name__} rows are never changed.")

    def bulk_update(self, *args, **kwargs):
        raise AppendOnlyError(f"{self.model.__name__} rows are never changed.")


class AuditEvent(models.Model):
    """Who did what to which object, when and from where. Written in the transaction of the change
    itself; never changed, never deleted (a trigger in the database refuses both)."""

    class ActorKind(models.TextChoices):
        USER = "user"
        API_KEY = "api_key", "API key"
        SYSTEM = "system"

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, related_name="audit_events"
    )
    actor_kind = models.CharField(max_length=10, choices=ActorKind)
    actor_label = models.CharField(max_length=254)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    api_key = models.ForeignKey(
        "organizations.ApiKey", on_delete=models.PROTECT, null=True, related_name="+"
    )
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=40)
    object_label = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict)
    ip = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-id"], name="audit_by_organization"),
            models.Index(fields=["object_type", "object_id"], name="audit_by_object"),
            # What the log is filtered by. Patterns, so that they bear the first word of an action.
            models.Index(
                "organization",
                OpClass("action", "varchar_pattern_ops"),
                F("id").desc(),
                name="audit_by_action",
            ),
            models.Index(fields=["organization", "object_type", "-id"], name="audit_by_type"),
            models.Index(fields=["organization", "created_at"], name="audit_by_time"),
            models.Index(
                fields=["request_id"], condition=~Q(request_id=""), name="audit_by_request"
            ),
            GinIndex(
                "organization",
                OpClass(Upper("actor_label"), "gin_trgm_ops"),
                name="audit_by_actor_text",
                gin_pending_list_limit=PENDING_KB,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_label}"

    def save(self, *args, **kwargs) -> None:
        if not self._state.adding:
            raise AppendOnlyError("Audit events are never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args, **kwargs):
        raise AppendOnlyError("Audit events are never deleted.")


class AuditSeal(models.Model):
    """A link of the chain that protects an organization's audit events: which events it covers, and
    a hash of each, made over its content and the hash of the event before it. The first hash of a
    link is made over the last one of the link before it.

    Written in the background (`organizations.sealing`), so that a change costs no statement more.
    Never changed, never deleted, and no two links follow the same one.
    """

    organization = models.ForeignKey(
        Organization,
        on_delete=models.PROTECT,
        null=True,
        related_name="audit_seals",
        db_index=False,
        help_text="Empty: the events that belong to no organization.",
    )
    first_id = models.BigIntegerField("first event")
    last_id = models.BigIntegerField("last event")
    last_at = models.DateTimeField("sealed until", help_text="When the last event happened.")
    event_ids = ArrayField(models.BigIntegerField())
    hashes = ArrayField(models.CharField(max_length=64))
    previous = models.CharField("hash before", max_length=64)
    hash = models.CharField(max_length=64)
    sealed_at = models.DateTimeField(auto_now_add=True)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "previous"],
                nulls_distinct=False,
                name="audit_seal_one_follows",
            )
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="audit_seal_by_organization"),
            models.Index(fields=["-last_id"], name="audit_seal_newest"),
        ]

    def __str__(self) -> str:
        return f"events {self.first_id} to {self.last_id}"

    def save(self, *args, **kwargs) -> None:
        if not self._state.adding:
            raise AppendOnlyError("Audit seals are never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args, **kwargs):
        raise AppendOnlyError("Audit seals are never deleted.")
