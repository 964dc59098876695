from typing import Any

from django.db import models
from django.db.models.functions import Now

from burki.rows import NOW, In, update
from numbers.exceptions import LostRace
from organizations.models import AppendOnlyError, ProtectedQuerySet


class Settled(models.Model):
    """Something asked of a provider once, whose outcome may have to be looked for. Kept for ever.

    `state` moves only by `move_to`, along `TRANSITIONS`.
    """

    TRANSITIONS: dict[str, frozenset[str]] = {}

    # Why the provider, or we, did not do it.
    refusal_code = models.CharField(max_length=40, blank=True)
    retryable = models.BooleanField(default=False)
    hint = models.CharField(max_length=300, blank=True)
    provider_code = models.CharField(max_length=40, blank=True)
    provider_message = models.CharField(max_length=500, blank=True)

    # What was looked for, and when to look again.
    looks = models.JSONField(default=list, help_text="What each look at the provider saw.")
    empty_looks = models.PositiveSmallIntegerField(default=0)
    first_empty_look_at = models.DateTimeField(null=True)
    next_look_at = models.DateTimeField(null=True)
    needs_attention_at = models.DateTimeField(null=True)
    attention_reason = models.CharField(max_length=300, blank=True)

    claimed_at = models.DateTimeField(db_default=Now())
    recorded_at = models.DateTimeField(null=True)
    actor_label = models.CharField("made by", max_length=254)

    objects = ProtectedQuerySet.as_manager()

    class Meta:
        abstract = True

    def delete(self, *args, **kwargs):
        raise AppendOnlyError(f"{type(self).__name__} rows are never deleted.")

    def may_move_from(self) -> dict[str, Any]:
        """What the row must still have when it moves, beside its state."""
        return {}

    def move_to(self, state: str, **values: Any) -> None:
        """Compare-and-swap to `state`, writing `values` with it. What the database computes of
        them is read when somebody asks for it.

        Raises `LostRace` when the row is no longer in the state that this object knows.
        """
        if state not in self.TRANSITIONS[self.state]:
            raise ValueError(f"A {type(self).__name__} never goes from {self.state} to {state}.")
        values |= {"state": state, "recorded_at": NOW}
        expected = {"id": self.pk, "state": self.state, **self.may_move_from()}
        if not update(type(self), values, where=expected):
            raise LostRace(f"{type(self).__name__} {self.pk} is no longer {self.state}.")
        for name, value in values.items():
            if type(value) is In:
                self.__dict__.pop(name, None)
            else:
                setattr(self, name, value)
        self._state.fields_cache.clear()  # what it points at may have changed with it
