from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from assistants.models import Assistant
from numbers.models.fields import uuid7, validate_e164
from numbers.models.purchases import Purchase
from organizations.models import AppendOnlyError, Organization, ProtectedQuerySet, Provider


class BulkPurchase(models.Model):
    """Many numbers to be bought one by one, by the worker, in the name of whoever asked. What was
    tried are its items; what became of each is told by the item's purchase."""

    class State(models.TextChoices):
        RUNNING = "running"
        COMPLETED = "completed"  # nothing is left to do
        STOPPED = "stopped"  # could not go on; `reason` says why
        CANCELLED = "cancelled"  # what was bought stays bought

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="bulk_purchases"
    )
    # Whose rights count, each time that a number is bought.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    api_key = models.ForeignKey(
        "organizations.ApiKey", on_delete=models.PROTECT, null=True, related_name="+"
    )
    idempotency_key = models.CharField(max_length=300, editable=False)
    request = models.JSONField(default=dict)  # what repeats are compared with

    provider = models.CharField(max_length=10, choices=Provider)
    quantity = models.PositiveIntegerField()
    # What to look for; empty when the numbers were named.
    criteria = models.JSONField(default=dict)
    assistant = models.ForeignKey(Assistant, on_delete=models.SET_NULL, null=True, related_name="+")
    friendly_name = models.CharField(max_length=64, blank=True)
    # Set-up fees and first months together, in the price's currency.
    max_total_cost = models.DecimalField(max_digits=12, decimal_places=5, null=True)
    max_monthly_cost = models.DecimalField(max_digits=12, decimal_places=5, null=True)
    max_setup_cost = models.DecimalField(max_digits=12, decimal_places=5, null=True)

    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    reason_code = models.CharField(max_length=40, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    # The provider asked us to slow down: until then nothing is sent to it for this purchase. How
    # often it did in a row decides how long that is.
    paused_until = models.DateTimeField(null=True)
    slow_downs = models.PositiveSmallIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    objects = ProtectedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "idempotency_key"], name="bulk_idempotency_key"
            )
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="bulk_by_organization"),
            models.Index(fields=["id"], condition=Q(state="running"), name="bulk_running"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} numbers from {self.provider}"

    @property
    def pause(self) -> datetime | None:
        """Until when it waits because the provider wants it to; None when it does not."""
        waits = self.state == self.State.RUNNING and self.paused_until is not None
        return self.paused_until if waits and self.paused_until > timezone.now() else None

    def delete(self, *args, **kwargs):
        raise AppendOnlyError("Bulk purchases are never deleted.")


class BulkItem(models.Model):
    """One number of a bulk purchase, tried once. Trying it again, after the provider asked us to
    slow down, is another item."""

    bulk = models.ForeignKey(BulkPurchase, on_delete=models.PROTECT, related_name="items")
    n = models.PositiveIntegerField()
    phone_number = models.CharField(max_length=16, validators=[validate_e164])
    tries = models.PositiveSmallIntegerField(default=1)
    monthly_cost = models.DecimalField(max_digits=12, decimal_places=5, null=True)
    setup_cost = models.DecimalField(max_digits=12, decimal_places=5, null=True)
    # The lane that took it: after a kill the same lane takes it up again, under the same key.
    lane = models.PositiveSmallIntegerField(null=True)
    purchase = models.ForeignKey(
        Purchase, on_delete=models.PROTECT, null=True, related_name="bulk_items"
    )
    # Why it was not bought, when there is no purchase that says so.
    code = models.CharField(max_length=40, blank=True)
    detail = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["bulk", "n"], name="bulk_item_n"),
            models.UniqueConstraint(
                fields=["bulk", "phone_number", "tries"], name="bulk_item_number"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.phone_number} ({self.n})"

    @property
    def outcome(self) -> str:
        """`waiting`, `buying`, `bought`, `pending`, `uncertain`, `refused`, `skipped`."""
        if self.purchase is not None:
            return _OUTCOMES[self.purchase.state]
        if self.code:
            return "skipped"
        return "waiting" if self.lane is None else "buying"


_OUTCOMES = {
    Purchase.State.ORDERING: "uncertain",
    Purchase.State.UNCERTAIN: "uncertain",
    Purchase.State.PENDING: "pending",
    Purchase.State.COMPLETED: "bought",
    Purchase.State.REFUSED: "refused",
}
