from django.db import models
from django.db.models import Q

from numbers.models.fields import uuid7
from numbers.models.phone_numbers import PhoneNumber
from numbers.models.settling import Settled
from organizations.models import Organization


class Release(Settled):
    """One attempt to give a number back to its provider, and what became of it."""

    class State(models.TextChoices):
        RELEASING = "releasing"  # claimed; the request may be on its way
        UNCERTAIN = "uncertain"  # the request left and its outcome is not known
        RELEASED = "released"  # gone from the account
        REFUSED = "refused"  # still ours

    TRANSITIONS = {
        State.RELEASING: frozenset({State.RELEASED, State.REFUSED, State.UNCERTAIN}),
        State.UNCERTAIN: frozenset({State.RELEASED, State.REFUSED}),
        State.RELEASED: frozenset(),
        State.REFUSED: frozenset(),
    }

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="releases"
    )
    number = models.ForeignKey(PhoneNumber, on_delete=models.PROTECT, related_name="releases")
    idempotency_key = models.CharField(max_length=300, null=True, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.RELEASING)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "idempotency_key"], name="release_idempotency_key"
            ),
            models.UniqueConstraint(
                fields=["number"],
                condition=Q(state__in=["releasing", "uncertain"]),
                name="release_one_at_a_time",
            ),
        ]
        indexes = [
            models.Index(fields=["organization", "-id"], name="release_by_organization"),
            models.Index(
                fields=["next_look_at"],
                condition=Q(next_look_at__isnull=False),
                name="release_to_settle",
            ),
        ]

    def __str__(self) -> str:
        return f"release of {self.number}"
