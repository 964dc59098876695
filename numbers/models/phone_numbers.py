from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce, Greatest, Now, Upper

from assistants.models import Assistant
from burki.db import PENDING_KB
from numbers.models.fields import validate_e164
from organizations.models import (
    AppendOnlyError,
    Organization,
    ProtectedQuerySet,
    Provider,
    ProviderAccount,
)

# A number that was adopted was bought long before we could see whether anybody calls it.
UNUSED_SINCE = Coalesce("last_activity_at", Greatest("purchased_at", "created_at"))


class PhoneNumberQuerySet(ProtectedQuerySet):
    def inventory(self):
        """What the organization has or had: everything but claims of purchases under way."""
        return self.exclude(status=PhoneNumber.Status.CLAIMED)

    def live(self):
        return self.exclude(status=PhoneNumber.Status.RELEASED)

    def visible_to(self, organization: Organization):
        return self.inventory().filter(organization=organization)

    def update(self, **values):
        """As Django's, which leaves `updated_at` alone: here it moves with every change."""
        return super().update(**({"updated_at": Now()} | values))

    update.alters_data = True


class PhoneNumber(models.Model):
    """A number that an organization has, had, or is just buying.

    Its row is the claim: the unique index over live rows decides who may buy a number, across all
    accounts and organizations. `claimed → active | pending`, `pending → active`,
    `active → releasing → released | active`. Rows stay for ever, but for a claim whose purchase is
    refused (a trigger in the database refuses every other deletion, and changes of identity).
    """

    class Status(models.TextChoices):
        CLAIMED = "claimed"
        PENDING = "pending"
        ACTIVE = "active"
        RELEASING = "releasing"
        RELEASED = "released"

    class Verdict(models.TextChoices):
        VERIFIED = "verified"  # the provider has everything as it should be
        DRIFTED = "drifted"  # it has something else
        UNREACHABLE = "unreachable"  # it could not be asked, or does not list a new number yet

    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="phone_numbers"
    )
    account = models.ForeignKey(
        ProviderAccount, on_delete=models.PROTECT, related_name="phone_numbers"
    )
    assistant = models.ForeignKey(
        Assistant,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="phone_numbers",
    )
    provider = models.CharField(max_length=10, choices=Provider)
    phone_number = models.CharField(max_length=16, validators=[validate_e164])
    provider_number_id = models.CharField(
        "provider's id",
        max_length=64,
        blank=True,
        help_text="Twilio SID, or Telnyx number id.",
    )
    friendly_name = models.CharField(max_length=64)
    status = models.CharField(max_length=10, choices=Status, default=Status.CLAIMED)

    capabilities = models.JSONField(default=dict, help_text="As the provider reported them.")
    country = models.CharField(max_length=2, blank=True)
    region = models.CharField(max_length=100, blank=True)
    locality = models.CharField(max_length=100, blank=True)
    number_type = models.CharField(max_length=20, default="local")

    monthly_cost = models.DecimalField(max_digits=12, decimal_places=5, null=True, blank=True)
    setup_cost = models.DecimalField(max_digits=12, decimal_places=5, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)

    # What we set at the provider.
    voice_url = models.CharField(max_length=500, blank=True)
    sms_url = models.CharField(max_length=500, blank=True)
    status_callback = models.CharField(max_length=500, blank=True)
    connection_id = models.CharField(max_length=64, blank=True)
    messaging_profile_id = models.CharField(max_length=64, blank=True)
    # What the customer chose instead of us, when they did; comparisons and repairs respect it.
    voice_webhook_url = models.CharField(
        max_length=500, blank=True, help_text="The customer's own address for calls."
    )
    sms_disabled = models.BooleanField(default=False)

    assigned_at = models.DateTimeField(null=True, blank=True)
    # What the provider was last seen to have: written by `numbers.services.proof` alone.
    webhook_verdict = models.CharField(max_length=11, choices=Verdict, blank=True)
    webhook_checked_at = models.DateTimeField(null=True, blank=True)
    webhook_verified_at = models.DateTimeField(null=True, blank=True)
    webhook_differences = models.JSONField(default=dict, blank=True)
    webhook_detail = models.CharField(max_length=1000, blank=True, help_text="In words.")
    webhook_base_url = models.CharField(
        max_length=300, blank=True, help_text="PUBLIC_BASE_URL when it was last verified."
    )

    purchased_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    # Of a call or message, to some minutes: not written for every one.
    last_activity_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PhoneNumberQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"  # so that deleting an assistant moves `updated_at`, too
        permissions = [
            ("purchase_phonenumber", "Can purchase numbers (spends money)"),
            ("release_phonenumber", "Can release numbers"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "phone_number"],
                condition=~Q(status="released"),
                name="phone_number_one_owner",
            ),
        ]
        indexes = [
            models.Index(
                fields=["organization", "-id"],
                include=["status", "assistant"],  # what is skipped is judged by these
                condition=~Q(status="claimed"),
                name="phone_number_newest",
            ),
            models.Index(fields=["organization", "phone_number"], name="phone_number_lookup"),
            # The sorts of the list; those by number and by age have the two above.
            models.Index(
                fields=["organization", "monthly_cost", "id"],
                condition=~Q(status="claimed"),
                name="phone_number_by_cost",
            ),
            models.Index(
                fields=["organization", "last_activity_at", "id"],
                condition=~Q(status="claimed"),
                name="phone_number_by_use",
            ),
            # What few numbers are, so that nobody reads all to find that there is none.
            models.Index(
                fields=["organization", "status", "-id"],
                condition=~Q(status="active"),
                name="phone_number_not_active",
            ),
            models.Index(
                fields=["organization", "-id"],
                include=["status"],
                condition=Q(assistant=None) & ~Q(status="claimed"),
                name="phone_number_unassigned",
            ),
            models.Index(
                fields=["organization", "webhook_verdict", "-id"],
                condition=Q(status="active") & ~Q(webhook_verdict="verified"),
                name="phone_number_not_verified",
            ),
            models.Index(
                fields=["organization", "country", "-id"],
                condition=~Q(status="claimed"),
                name="phone_number_by_country",
            ),
            # A part of the number or of its name, among the organization's own.
            GinIndex(
                "organization",
                OpClass("phone_number", "gin_trgm_ops"),
                OpClass(Upper("friendly_name"), "gin_trgm_ops"),
                name="phone_number_by_text",
                gin_pending_list_limit=PENDING_KB,
            ),
            models.Index(
                fields=["assistant", "-id"],
                include=["status", "last_activity_at"],  # what the assistants' list tells of them
                name="phone_number_of_assistant",
            ),
            models.Index(
                "organization",
                UNUSED_SINCE,
                "id",
                # Of all unused ones it is asked how many there are and what they cost.
                include=[
                    "last_activity_at",
                    "purchased_at",
                    "created_at",
                    "currency",
                    "monthly_cost",
                    "status",
                    "provider",
                    "assistant",
                ],
                condition=Q(status="active"),
                name="phone_number_unused_cost",
            ),
        ]

    def __str__(self) -> str:
        return self.phone_number

    def delete(self, *args, **kwargs):
        raise AppendOnlyError("Phone numbers are released, never deleted.")

    def drop_claim(self) -> None:
        """Remove the claim of a purchase that was refused. Nothing else ever deletes a row."""
        rows = PhoneNumber.objects.filter(pk=self.pk, status=PhoneNumber.Status.CLAIMED)
        rows._raw_delete(rows.db)

    @property
    def is_live(self) -> bool:
        return self.status not in (self.Status.CLAIMED, self.Status.RELEASED)
