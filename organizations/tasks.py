"""E-mails are sent in the background: a slow mail server keeps nobody waiting, a failing one is
tried again, and how long an answer takes does not tell whether somebody has a login."""

from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from organizations import mail
from organizations.models import Membership, User

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
