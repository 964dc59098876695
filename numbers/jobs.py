"""Background jobs by name. Deferred in the transaction of the row that they serve, they exist if
and only if the row does; the tasks themselves are in `numbers.tasks`, which imports services."""

from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from procrastinate.contrib.django import app


def settle_purchase_later(purchase_id: UUID, *, after: timedelta) -> None:
    """Look at a purchase again after a while. Any number of such jobs is harmless."""
    app.configure_task(
        "numbers.tasks.settle_purchase",
        queue="settle",
        schedule_at=timezone.now() + after,
    ).defer(purchase_id=str(purchase_id))


def finish_number_later(phone_number_id: int, *, after: timedelta) -> None:
    """Complete what a purchase could not in time: the number's own id, its routing, its price."""
    app.configure_task(
        "numbers.tasks.finish_number",
        queue="settle",
        schedule_at=timezone.now() + after,
    ).defer(phone_number_id=phone_number_id)
