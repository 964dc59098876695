from typing import Any

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q

from burki.db import PENDING_KB
from numbers.models.fallbacks import FallbackPurchase
from numbers.models.fields import uuid7, validate_e164
from numbers.models.phone_numbers import PhoneNumber
from numbers.models.settling import Settled
from organizations.models import (
    Organization,
    Provider,
    ProviderAccount,
)


class Purchase(Settled):
    """One attempt to buy a number: what was asked, what became of it, and how we know.

    Its id is our tag at the provider (Telnyx `customer_reference`, Twilio `StatusCallback`).
    """

    class State(models.TextChoices):
        ORDERING = "ordering"  # claimed; the order may be on its way
        COMPLETED = "completed"  # bought
        PENDING = "pending"  # accepted by the provider, not active yet
        REFUSED = "refused"  # not bought, nothing charged
        UNCERTAIN = "uncertain"  # the order left and its outcome is not known

    class Evidence(models.TextChoices):
        """How we know that a refused purchase bought nothing."""

        PROVIDER_SAID_NO = "provider_said_no", "the provider said no"
        NOT_FOUND = "not_found", "not found at the provider (an inference)"
        NOT_SENT = "not_sent", "the order was not sent"
        DECIDED = "decided", "a person decided, after looking"

    TRANSITIONS: dict[str, frozenset[str]] = {
        State.ORDERING: frozenset({State.COMPLETED, State.PENDING, State.REFUSED, State.UNCERTAIN}),
        State.PENDING: frozenset({State.COMPLETED, State.REFUSED}),
        State.UNCERTAIN: frozenset({State.COMPLETED, State.PENDING, State.REFUSED}),
        # Only a refusal that was inferred (NOT_FOUND): positive evidence beats an inference.
        State.REFUSED: frozenset({State.COMPLETED, State.PENDING}),
        State.COMPLETED: frozenset(),
    }
    LIVE = (State.ORDERING, State.PENDING, State.UNCERTAIN)

    # Of the refusal that was recorded just now, see `ProviderError`. Not stored: soon it means
    # nothing any more.
    retry_in: int | None = None

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="purchases"
    )
    account = models.ForeignKey(
        ProviderAccount, on_delete=models.PROTECT, null=True, related_name="purchases"
    )
    number = models.ForeignKey(
        PhoneNumber, on_delete=models.PROTECT, null=True, related_name="purchases"
    )

    # One of several attempts under one key, if others were allowed.
    fallback = models.ForeignKey(
        FallbackPurchase, on_delete=models.PROTECT, null=True, related_name="attempts"
    )
    attempt = models.PositiveSmallIntegerField(default=1)

    # What was asked. Repeats are compared with `request`, never with the number's present state.
    provider = models.CharField(max_length=10, choices=Provider)
    phone_number = models.CharField(max_length=16, validators=[validate_e164])
    request = models.JSONField(default=dict)
    idempotency_key = models.CharField(max_length=300, null=True, editable=False)

    state = models.CharField(max_length=10, choices=State, default=State.ORDERING)

    # What the provider said.
    order_id = models.CharField("Telnyx order id", max_length=64, blank=True)
    provider_number_id = models.CharField("provider's number id", max_length=64, blank=True)
    provider_status = models.CharField(max_length=64, blank=True)
    details = models.JSONField(default=dict, help_text="`purchase_details` of the answer.")
    connection_id = models.CharField(max_length=64, blank=True)
    messaging_profile_id = models.CharField(max_length=64, blank=True)
    monthly_cost = models.DecimalField(max_digits=12, decimal_places=5, null=True)
    setup_cost = models.DecimalField(max_digits=12, decimal_places=5, null=True)
    currency = models.CharField(max_length=3, blank=True)

    evidence = models.CharField(max_length=20, choices=Evidence, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["fallback", "attempt"], name="purchase_attempt_once"),
            models.UniqueConstraint(
                fields=["organization", "idempotency_key"],
                name="purchase_idempotency_key",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="purchase_by_organization"),
            models.Index(fields=["number"], name="purchase_by_number"),
            models.Index(fields=["provider", "phone_number", "-id"], name="purchase_by_phone"),
            # A part of the number.
            GinIndex(
                "organization",
                OpClass("phone_number", "gin_trgm_ops"),
                name="purchase_by_text",
                gin_pending_list_limit=PENDING_KB,
            ),
            # What few purchases are.
            models.Index(
                fields=["organization", "state", "-id"],
                condition=~Q(state="completed"),
                name="purchase_not_completed",
            ),
            # What was committed in set-up fees in a month: summed from the index alone.
            models.Index(
                fields=["organization", "claimed_at"],
                include=["state", "provider", "currency", "setup_cost", "number"],
                condition=Q(setup_cost__gt=0),
                name="purchase_setup_fees",
            ),
            models.Index(
                fields=["organization"],
                condition=Q(needs_attention_at__isnull=False),
                name="purchase_needs_person",
            ),
            models.Index(
                fields=["organization"], condition=Q(state="uncertain"), name="purchase_in_doubt"
            ),
            models.Index(
                fields=["next_look_at"],
                condition=Q(next_look_at__isnull=False),
                name="purchase_to_settle",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.phone_number} from {self.provider}"

    @property
    def charged(self) -> bool | None:
        """Whether the provider charges for it; None while that is not known."""
        if self.state in (self.State.COMPLETED, self.State.PENDING):
            return True
        return False if self.state == self.State.REFUSED else None

    def may_move_from(self) -> dict[str, Any]:
        """A provider's own refusal is final; one that was only inferred is not."""
        refused = self.state == self.State.REFUSED
        return {"evidence": self.Evidence.NOT_FOUND} if refused else {}
