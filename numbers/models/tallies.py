from django.db import models
from django.db.models import Q, Sum

from organizations.models import Organization


class _Tally(models.Model):
    """How many numbers of one kind an organization has, and what they cost a month.

    A trigger on the numbers adds a row for each change, in its transaction: what it left counts
    below zero. Nobody who writes waits for another, and the sum of a kind's rows is exact at any
    moment; `numbers.services.tallies.fold` makes one row of them now and then. No index could do
    it: comparisons touch every number each hour, so that nothing would be read from one alone.
    """

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="+", db_constraint=False
    )
    provider = models.CharField(max_length=10)
    currency = models.CharField(max_length=3)
    until = models.DateField(null=True)  # the month in which they were released
    numbers = models.IntegerField()
    monthly = models.DecimalField(max_digits=20, decimal_places=5, null=True)
    folded = models.BooleanField(db_default=False)

    KIND: tuple[str, ...] = ()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.numbers} of {self.organization_id}"


class NumberTallyQuerySet(models.QuerySet):
    def owned(self) -> "NumberTallyQuerySet":
        """Of all that count against a limit: those that are just being bought, too."""
        return self.exclude(status="released")

    def inventory(self) -> "NumberTallyQuerySet":
        return self.exclude(status__in=["claimed", "released"])

    def total(self) -> int:
        """How many numbers that is."""
        return self.aggregate(n=Sum("numbers"))["n"] or 0


class NumberTally(_Tally):
    """By account and how numbers stand."""

    account_id = models.BigIntegerField()
    status = models.CharField(max_length=10)
    assigned = models.BooleanField()
    drifted = models.BooleanField()
    priced = models.IntegerField()  # how many have a known price

    KIND = ("organization_id", "account_id", "provider", "currency", "status", "assigned",
            "drifted", "until")  # fmt: skip
    SUMS = ("numbers", "priced", "monthly")

    objects = NumberTallyQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "account_id", "provider", "currency", "status", "assigned",
                        "drifted", "until"],
                condition=Q(folded=True), nulls_distinct=False, name="number_tally_folded",
            )
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["id"], condition=Q(folded=False), name="number_tally_to_fold")
        ]


class CostTally(_Tally):
    """By the months in which numbers came (`since`) and went, and by assistant. Those without a
    price have no currency. Without numbers whose release has no date: nobody knows their months."""

    assistant_id = models.BigIntegerField(null=True)
    since = models.DateField()

    KIND = ("organization_id", "provider", "assistant_id", "currency", "since", "until")
    SUMS = ("numbers", "monthly")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "provider", "assistant_id", "currency", "since", "until"],
                condition=Q(folded=True), nulls_distinct=False, name="cost_tally_folded",
            )
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["id"], condition=Q(folded=False), name="cost_tally_to_fold")
        ]
