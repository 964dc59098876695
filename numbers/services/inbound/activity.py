"""Which of our numbers an event is about, and that it is in use."""

from datetime import datetime

from django.db.models import F, Q

from numbers import clocks
from numbers.models import PhoneNumber
from numbers.services.inbound.events import InboundEvent
from numbers.services.inbound.keys import numbers_of
from organizations.models import ProviderAccount


def number_in(account: ProviderAccount, event: InboundEvent) -> PhoneNumber | None:
    """The number in this very account that a verified event is about."""
    found = numbers_of(account.provider, event.ours)
    by_number = {number.phone_number: number for number in found if number.account == account}
    return next((by_number[n] for n in event.ours if n in by_number), None)


def note_activity(number: PhoneNumber, at: datetime) -> None:
    """Remember when the number was last in use, to some minutes: a busy number's row is not
    written for every call."""
    long_ago = at - clocks.ACTIVITY_IS_NOTED_EVERY
    if number.last_activity_at is None or number.last_activity_at < long_ago:
        PhoneNumber.objects.filter(
            Q(last_activity_at=None) | Q(last_activity_at__lt=long_ago), pk=number.pk
        ).update(last_activity_at=at, updated_at=F("updated_at"))
