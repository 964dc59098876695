from django.db import models
from django.db.models import Q

from numbers.models.phone_numbers import PhoneNumber
from organizations.models import Organization, ProviderAccount


class Comparison(models.Model):
    """The last comparison of an account that was recorded. Its lock puts recordings in a row; one
    that began earlier than the last is too late to tell anything."""

    account = models.OneToOneField(
        ProviderAccount, on_delete=models.CASCADE, primary_key=True, related_name="comparison"
    )
    began_at = models.DateTimeField(null=True)
    listed = models.PositiveIntegerField(default=0, help_text="Numbers that the provider listed.")

    def __str__(self) -> str:
        return f"{self.account} at {self.began_at}"


class FindingQuerySet(models.QuerySet):
    def open(self):
        return self.filter(resolved_at=None)

    def visible_to(self, organization: Organization):
        return self.filter(organization=organization)


class Finding(models.Model):
    """What an account at a provider and our rows disagree about. Found by comparing them, closed
    by a comparison that no longer sees it or by what a person did about it; it changes nothing by
    itself. Closed ones stay as history.

    It belongs to the account's organization. In the platform's accounts, a number that is unknown
    to us belongs to nobody, and one of ours to the organization that has it.
    """

    class Kind(models.TextChoices):
        ORPHAN = "orphan", "orphan (billed there, unknown here)"
        GHOST = "ghost", "ghost (active here, gone there)"
        DRIFT = "drift", "drift (set otherwise there than here)"

    class Resolution(models.TextChoices):
        NOT_SEEN = "not_seen", "no longer seen"
        ADOPTED = "adopted"
        CLOSED = "closed"
        REPAIRED = "repaired"

    account = models.ForeignKey(ProviderAccount, on_delete=models.PROTECT, related_name="findings")
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, null=True, related_name="findings"
    )
    number = models.ForeignKey(
        PhoneNumber, on_delete=models.PROTECT, null=True, related_name="findings"
    )
    kind = models.CharField(max_length=10, choices=Kind)
    phone_number = models.CharField(max_length=32)  # as the provider writes it
    details = models.JSONField(default=dict, help_text="What the provider said.")

    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(
        null=True, help_text="An orphan or ghost: seen again, at least ten minutes later."
    )
    resolved_at = models.DateTimeField(null=True)
    resolution = models.CharField(max_length=10, choices=Resolution, blank=True)

    objects = FindingQuerySet.as_manager()

    class Meta:
        permissions = [("act_on_finding", "Can adopt orphans, close ghosts and repair numbers")]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "kind", "phone_number"],
                condition=Q(resolved_at=None),
                name="finding_open_once",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="finding_by_organization"),
            models.Index(fields=["number"], name="finding_by_number"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.phone_number}"
