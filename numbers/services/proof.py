"""The proof that a number really asks us: what the provider was last seen to have for it.

A verdict is read back after every change of one number, and by each comparison of an account for
all of its numbers at once. It says what was seen at a moment, of a row that has not changed since.
Nothing is changed at the provider.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F

from burki.logs import emit
from burki.text import plain
from numbers import clocks, jobs
from numbers.clocks import Deadline
from numbers.exceptions import InventoryConflict, ProviderError
from numbers.models import PhoneNumber
from numbers.providers.base import OwnedNumber
from numbers.providers.registry import driver_for
from numbers.services import evidence, findings
from numbers.services.accounts import credentials_of
from numbers.services.evidence import Differences
from numbers.services.settling import database_now
from organizations.actors import Actor
from organizations.permissions import NUMBERS_WRITE

Status, Verdict = PhoneNumber.Status, PhoneNumber.Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look said about `number`, the row as it was read before the look."""

    number: PhoneNumber
    differences: Differences = field(default_factory=dict)
    trouble: str = ""  # why the provider could not be asked, or did not tell

    @property
    def verdict(self) -> PhoneNumber.Verdict:
        if self.trouble:
            return Verdict.UNREACHABLE
        return Verdict.DRIFTED if self.differences else Verdict.VERIFIED

    @property
    def detail(self) -> str:
        return plain(self.trouble or evidence.in_words(self.differences), 1000)


def verify_number(*, actor: Actor, number: PhoneNumber) -> PhoneNumber:
    """Read back what the provider has for an active number and keep the verdict, which is in the
    returned row. That the provider cannot be asked is a verdict as well, not an error.

    Raises `PermissionDenied`, and `InventoryConflict` when the number is not active (any more).
    """
    actor.require(NUMBERS_WRITE, number.organization)
    if number.status != Status.ACTIVE:
        raise InventoryConflict(f"{number} is not active.")
    began = database_now()
    try:
        driver = driver_for(credentials_of(number.account), Deadline.after(clocks.REQUEST))
        owned, different = evidence.look_at(number, driver)
        seen = judged(number, owned, different, at=began)
    except ProviderError as error:
        seen = Seen(number=number, trouble=trouble(error))
    keep(seen, at=began)
    now = PhoneNumber.objects.select_related("organization", "account", "assistant")
    number = now.get(pk=number.pk)
    if number.status != Status.ACTIVE:
        raise InventoryConflict(f"{number} is no longer active.")
    return number


def verify_and_look_again(phone_number_ids: Sequence[int], *, tries: int, actor: Actor) -> None:
    """Verify numbers after a change of them, one after the other, and those for which the provider
    does not show what was set again later, a few times. Nothing happens to a number that is not
    active any more."""
    again = []
    for pk in phone_number_ids:
        rows = PhoneNumber.objects.select_related("organization", "account")
        number = rows.filter(pk=pk, status=Status.ACTIVE).first()
        if number is None:
            continue
        with contextlib.suppress(InventoryConflict):  # released meanwhile
            if verify_number(actor=actor, number=number).webhook_verdict != Verdict.VERIFIED:
                again.append(pk)
    if tries < len(clocks.VERIFY_AGAIN):
        wait = clocks.after(clocks.VERIFY_AGAIN[tries])
        jobs.verify_numbers_later(again, after=wait, tries=tries + 1)


def trouble(error: ProviderError) -> str:
    return f"{error.detail} {error.hint}".strip()


def judged(
    number: PhoneNumber, owned: OwnedNumber | None, different: Differences, *, at: datetime
) -> Seen:
    """What a look that found `owned` says. Lists lag behind: that a number is missing says nothing
    as long as it is new."""
    new = at - number.created_at < clocks.after(clocks.FINDING_IS_SURE_AFTER)
    if owned is None and new:
        return Seen(number=number, trouble="The provider does not list the number yet.")
    return Seen(number=number, differences=different)


def keep(seen: Seen, *, at: datetime) -> None:
    """Write down the verdict on one number, and its drift among the findings."""
    with transaction.atomic():
        if keep_all([seen], at=at) and not seen.trouble and "number" not in seen.differences:
            findings.note_drift(seen.number, seen.differences, seen_at=at)


def keep_all(seen: Sequence[Seen], *, at: datetime) -> int:
    """Write down verdicts of looks that began `at`, a batch of them: on rows that are active,
    unchanged since they were read, and not judged by a later look. Returns how many were
    written."""
    with transaction.atomic():
        return _keep({one.number.pk: one for one in seen}, at)


def _keep(seen: dict[int, Seen], at: datetime) -> int:
    rows = PhoneNumber.objects.select_for_update(no_key=True).order_by("pk")
    fresh = [
        row
        for row in rows.filter(pk__in=seen)
        if (row.webhook_checked_at is None or row.webhook_checked_at <= at)
        and findings.state_of(row) == findings.state_of(seen[row.pk].number)
    ]
    verified = [row.pk for row in fresh if seen[row.pk].verdict == Verdict.VERIFIED]
    PhoneNumber.objects.filter(pk__in=verified).update(
        webhook_verdict=Verdict.VERIFIED,
        webhook_checked_at=at,
        webhook_verified_at=at,
        webhook_differences={},
        webhook_detail="",
        webhook_base_url=settings.PUBLIC_BASE_URL,
        updated_at=F("updated_at"),  # looking changes nothing
    )
    same, others = [], []
    for row in fresh:
        one = seen[row.pk]
        verdict = (one.verdict, one.differences, one.detail)
        if one.verdict == Verdict.VERIFIED:
            continue
        if verdict == (row.webhook_verdict, row.webhook_differences, row.webhook_detail):
            same.append(row.pk)
            continue
        row.webhook_verdict, row.webhook_differences, row.webhook_detail = verdict
        row.webhook_checked_at = at
        others.append(row)
    PhoneNumber.objects.filter(pk__in=same).update(
        webhook_checked_at=at, updated_at=F("updated_at")
    )
    PhoneNumber.objects.bulk_update(
        others,
        [
            "webhook_verdict",
            "webhook_checked_at",
            "webhook_differences",
            "webhook_detail",
            "updated_at",  # as it was: looking changes nothing
        ],
    )
    emit("number.judged", verified=len(verified), otherwise=len(same) + len(others))
    return len(fresh)
