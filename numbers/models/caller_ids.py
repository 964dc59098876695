from django.db import models

from numbers.models.fields import validate_e164
from organizations.models import Organization, ProviderAccount


class VerifiedCallerId(models.Model):
    """A number of somebody else's that Twilio lets an organization call from, because a person who
    answers it has proved that they may. A copy of what the organization's own Twilio account
    lists, as of the last synchronization.

    No `PhoneNumber`: it is not bought, routed, assigned or released, and the same number may be
    verified by many organizations. Its ids begin where no id of a phone number will ever be, so
    that lists may show both.
    """

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="verified_caller_ids"
    )
    account = models.ForeignKey(
        ProviderAccount, on_delete=models.PROTECT, related_name="verified_caller_ids"
    )
    phone_number = models.CharField(max_length=16, validators=[validate_e164])
    friendly_name = models.CharField(max_length=64, blank=True)
    provider_id = models.CharField("provider's id", max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "phone_number"], name="verified_caller_id_once"
            )
        ]
        indexes = [models.Index(fields=["organization", "-id"], name="caller_id_by_organization")]

    def __str__(self) -> str:
        return self.phone_number


class CallerIdCall(models.Model):
    """That an organization had a number called to verify it, kept for as long as it must not be
    called again."""

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    phone_number = models.CharField(max_length=16, validators=[validate_e164])
    called_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "phone_number"], name="caller_id_call_once"
            )
        ]

    def __str__(self) -> str:
        return f"call of {self.phone_number}"
