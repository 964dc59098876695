from django.db import models

from numbers.models.purchases import Purchase
from numbers.models.releases import Release
from organizations.models import AppendOnlyError, Organization, ProtectedQuerySet


class ReplayKey(models.Model):
    """An idempotency key that was answered from a row which another request had made. It names
    that row from then on, for ever; written once, never changed. A trigger in the database keeps
    it from becoming another row's own key as well."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    idempotency_key = models.CharField(max_length=300, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ProtectedQuerySet.as_manager()

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "idempotency_key"], name="%(class)s_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.idempotency_key} of {self.organization}"

    def delete(self, *args, **kwargs):
        raise AppendOnlyError("Idempotency keys are never forgotten.")


class PurchaseReplayKey(ReplayKey):
    purchase = models.ForeignKey(Purchase, on_delete=models.PROTECT, related_name="replay_keys")


class ReleaseReplayKey(ReplayKey):
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="replay_keys")
