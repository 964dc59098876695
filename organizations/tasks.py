"""Background work of events: thin tasks around `organizations.events`. All are idempotent."""

from uuid import UUID

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from organizations.events import delivering, mailing

_AGAIN = RetryStrategy(max_attempts=6, exponential_wait=4)  # of trouble on our own side


@app.task(name="organizations.tasks.spread_events", queue="default", retry=_AGAIN)
def spread_events(*, event_ids: list[str]) -> None:
    for pk in event_ids:
        delivering.spread(UUID(pk))


@app.task(name="organizations.tasks.deliver", queue="default", retry=_AGAIN)
def deliver(*, endpoint_id: int) -> None:
    delivering.deliver_next(endpoint_id)


@app.task(name="organizations.tasks.mail_event", queue="default", retry=_AGAIN)
def mail_event(*, event_id: str) -> None:
    mailing.mail_event(UUID(event_id))


@app.task(name="organizations.tasks.mail_endpoint_disabled", queue="default", retry=_AGAIN)
def mail_endpoint_disabled(*, endpoint_id: int) -> None:
    mailing.mail_endpoint_disabled(endpoint_id)


@app.periodic(cron="* * * * *")
@app.task(name="organizations.tasks.sweep_events", queue="default", queueing_lock="sweep_events")
def sweep_events(timestamp: int) -> None:
    delivering.sweep()


@app.periodic(cron="7 3 * * *")
@app.task(name="organizations.tasks.purge_events", queue="default", queueing_lock="purge_events")
def purge_events(timestamp: int) -> None:
    delivering.purge()
