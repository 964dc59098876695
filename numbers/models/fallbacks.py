from django.db import models

from numbers.models.fields import uuid7
from organizations.models import AppendOnlyError, Organization, ProtectedQuerySet


class FallbackPurchase(models.Model):
    """A purchase that may go on to other numbers: the request, its limits and its key. What was
    tried are purchases, numbered from 1; written once, never changed."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="fallback_purchases"
    )
    idempotency_key = models.CharField(max_length=300, editable=False)
    requested_phone_number = models.CharField(max_length=16)
    request = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProtectedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "idempotency_key"], name="fallback_idempotency_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.requested_phone_number} or another"

    def delete(self, *args, **kwargs):
        raise AppendOnlyError("Purchases are never deleted.")
