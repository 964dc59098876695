"""What the tests of money share: one way to buy, and ways to look in from outside our process."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

# Loaded now, so that the deadline of the first test's request does not pay for it.
import twilio.rest.api.v2010
import twilio.rest.pricing.v1  # noqa: F401
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.errors import BurkiError
from burki.testing import SYSTEM, TELNYX_NUMBER, TWILIO_NUMBER
from numbers import clocks
from numbers.models import Purchase
from numbers.reconcile import settle_purchase
from numbers.services.purchase import Purchased, purchase_number
from organizations.models import AuditEvent

NUMBERS = {"twilio": TWILIO_NUMBER, "telnyx": TELNYX_NUMBER}
ORDERS = {"twilio": "/IncomingPhoneNumbers.json", "telnyx": "/number_orders"}


def buy(organization, provider: str = "twilio", phone_number: str = "", **over: Any) -> Purchased:
    """Through the one service, as the system, without assistant, name or key."""
    fields = {
        "actor": SYSTEM,
        "assistant_id": None,
        "friendly_name": "",
        "idempotency_key": None,
    }
    return purchase_number(
        organization=organization,
        provider=provider,
        phone_number=phone_number or NUMBERS[provider],
        **(fields | over),
    )


def word(call: Callable[[], Purchased] | Any) -> str:
    """What became of a purchase in one word: its state, `replayed`, or the error's code."""
    try:
        result = call() if callable(call) else call
        if isinstance(result, Exception):
            raise result
    except BurkiError as error:
        return error.code
    return "replayed" if result.replayed else result.purchase.state


def deletes(sandbox) -> int:
    """How many requests to release a number the providers received."""
    return len(sandbox.requests(method="DELETE"))


@contextlib.contextmanager
def at_event(name: str, act: Callable[[], Any]) -> Iterator[None]:
    """Do `act` at the exact point where a service logs the event, once."""

    class Doing(logging.Handler):
        done = False

        def emit(self, record: logging.LogRecord) -> None:
            if record.event == name and not self.done:
                self.done = True
                act()

    logger, handler = logging.getLogger("burki.events"), Doing()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def inside(
    monkeypatch,
    sandbox,
    look: Callable[[], Any],
    *,
    method: str = "POST",
    path: str = "",
    after: bool = False,
    times: int = 1,
) -> list[Any]:
    """Do `look` inside the provider when a request whose path ends in `path` arrives, before it is
    carried out (or `after`, before it is answered). The list fills with what `look` returned."""
    seen: list[Any] = []
    answer, left = sandbox._answer, [times]
    one_at_a_time = threading.Lock()  # else two requests' looks would see each other

    def looking(request):
        if not left[0] or request.method != method or not request.path.endswith(path):
            return answer(request)
        left[0] -= 1
        given = answer(request) if after else None
        with one_at_a_time:
            try:
                seen.append(look())
            except Exception as error:
                seen.append(error)
            finally:
                connection.close()
        return given or answer(request)

    monkeypatch.setattr(sandbox, "_answer", looking)
    return seen


def suspend(monkeypatch, seconds: float) -> None:
    """The machine sleeps so many (unscaled) seconds: only a clock that counts suspension tells."""
    tell, asleep = time.clock_gettime, clocks.scaled(seconds)

    def later(clock: int) -> float:
        return tell(clock) + (asleep if clock == time.CLOCK_BOOTTIME else 0)

    monkeypatch.setattr(time, "clock_gettime", later)


@contextlib.contextmanager
def _trigger(table: str, operation: str, when: str, body: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            CREATE SEQUENCE bad_disk_seen;
            CREATE FUNCTION bad_disk() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN {body}; RETURN NEW; END $$;
            CREATE TRIGGER bad_disk BEFORE {operation} ON {table} FOR EACH ROW
                WHEN ({when}) EXECUTE FUNCTION bad_disk();
            """
        )
    connection.close()
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION bad_disk CASCADE; DROP SEQUENCE bad_disk_seen")


def failing_writes(table: str, operation: str, *, times: int, when: str = "TRUE"):
    """The database cannot write the table's rows the first `times` times: its disk is full."""
    body = f"""
        IF nextval('bad_disk_seen') <= {times} THEN
            RAISE EXCEPTION 'the disk is full' USING ERRCODE = 'disk_full';
        END IF"""
    return _trigger(table, operation, when, body)


def slow_writes(table: str, operation: str, *, seconds: float):
    """Every write of a row of the table takes a while."""
    return _trigger(table, operation, "TRUE", f"PERFORM pg_sleep({seconds})")


def settle_jobs(purchase: Purchase) -> list[ProcrastinateJob]:
    return list(
        ProcrastinateJob.objects.filter(
            task_name="numbers.tasks.settle_purchase", args={"purchase_id": str(purchase.pk)}
        ).order_by("id")
    )


def history(purchase: Purchase) -> list[str]:
    """The audit's actions on the purchase, oldest first."""
    events = AuditEvent.objects.filter(
        object_type="numbers.Purchase", object_id=str(purchase.pk)
    ).order_by("id")
    return [event.action for event in events]


def grow_older(purchase: Purchase, **by: Any) -> None:
    """Let the purchase's past lie further back; `by` maps its fields to spans."""
    row = Purchase.objects.get(pk=purchase.pk)
    older = {field: getattr(row, field) - span for field, span in by.items()}
    Purchase.objects.filter(pk=purchase.pk).update(**older)


def settle(purchase: Purchase) -> Purchase:
    return settle_purchase(purchase.pk, actor=SYSTEM)


def held_connections() -> int:
    """How many connections of this process's pool somebody holds. What threads of earlier tests
    still hold is there before: compare with a count taken after `connection.close()`."""
    stats = connection.pool.get_stats()
    return stats["pool_size"] - stats["pool_available"]
