"""Background work: e-mails, events to customers, seals of the audit. All tasks are idempotent, but
for an e-mail that may come twice.

E-mails are sent in the background: a slow mail server keeps nobody waiting, a failing one is tried
again, and how long an answer takes does not tell whether somebody has a login.
"""

from uuid import UUID

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from organizations import mail
from organizations.events import delivering, mailing
from organizations.models import Membership, User
from organizations.sealing import seal_events

_AGAIN = RetryStrategy(max_attempts=6, exponential_wait=5)


@app.task(name="organizations.tasks.send_invitation", queue="default", retry=_AGAIN)
def send_invitation(*, membership_id: int) -> None:
    found = Membership.objects.select_related("user", "organization").filter(pk=membership_id)
    if (membership := found.first()) is not None:
        mail.send_invitation(membership)


@app.task(name="organizations.tasks.send_password_link", queue="default", retry=_AGAIN)
def send_password_link(*, user_id: int) -> None:
    """To somebody who may sign in; to nobody else, as if nothing had been asked."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is not None:
        mail.send_password_link(user)


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


@app.periodic(cron="* * * * *")
@app.task(name="organizations.tasks.seal_audit", queue="default", queueing_lock="seal_audit")
def seal_audit(timestamp: int) -> None:
    seal_events()
