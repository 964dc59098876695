from django.db import models

from organizations.models import Provider, ProviderAccount


class Offer(models.Model):
    """What a provider offered to an account, and when. Written by every search; purged after 90
    days, until then the price history. A fresh one (15 minutes) gives a purchase its price and
    capabilities, and proves that the number is not in the account already."""

    # Its index is `offer_newest`.
    account = models.ForeignKey(
        ProviderAccount, on_delete=models.CASCADE, related_name="offers", db_index=False
    )
    provider = models.CharField(max_length=10, choices=Provider)
    phone_number = models.CharField(max_length=16)
    monthly_cost = models.DecimalField(max_digits=12, decimal_places=5, null=True)
    setup_cost = models.DecimalField(max_digits=12, decimal_places=5, null=True)
    currency = models.CharField(max_length=3, blank=True)
    capabilities = models.JSONField(default=dict)
    country = models.CharField(max_length=2, blank=True)
    region = models.CharField(max_length=100, blank=True)
    locality = models.CharField(max_length=100, blank=True)
    number_type = models.CharField(max_length=20, default="local")
    seen_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["account", "phone_number", "-seen_at"], name="offer_latest"),
            models.Index(fields=["account", "-id"], name="offer_newest"),
            models.Index(fields=["seen_at"], name="offer_age"),
        ]

    def __str__(self) -> str:
        return f"{self.phone_number} at {self.provider}"


class ProviderSetup(models.Model):
    """The Telnyx Call Control application and messaging profile that we made for an organization
    in an account, because nobody named any. Made once; the row is the claim for making them."""

    account = models.ForeignKey(ProviderAccount, on_delete=models.CASCADE, related_name="setups")
    organization = models.ForeignKey(
        "organizations.Organization", on_delete=models.PROTECT, related_name="+"
    )
    connection_id = models.CharField(max_length=64, blank=True)
    messaging_profile_id = models.CharField(max_length=64, blank=True)
    webhook_url = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "organization"], name="provider_setup_once")
        ]

    def __str__(self) -> str:
        return f"{self.account} for {self.organization}"
