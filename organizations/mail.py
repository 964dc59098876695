"""The e-mails that we send. Links in them lead to PUBLIC_BASE_URL, never to what a request calls
our host."""

from typing import Any

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from organizations.models import Membership, User


def send_invitation(membership: Membership) -> None:
    """That somebody is a member now; with a link to set a password if they have none."""
    user, organization = membership.user, membership.organization
    context = {
        "organization": organization,
        "role": membership.role,
        "link": None if user.has_usable_password() else _password_link(user),
    }
    subject = f"You are a member of {organization} at Burki Numbers"
    _send(user, subject, "organizations/mail/invitation.txt", context)


def send_password_link(user: User) -> None:
    _send(
        user,
        "Set a new password for Burki Numbers",
        "organizations/mail/password.txt",
        {"link": _password_link(user)},
    )


def _password_link(user: User) -> str:
    """Works once, and for PASSWORD_RESET_TIMEOUT."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    path = reverse("set-password", args=[uid, default_token_generator.make_token(user)])
    return f"{settings.PUBLIC_BASE_URL}{path}"


def _send(user: User, subject: str, template: str, context: dict[str, Any]) -> None:
    site = {"site": settings.PUBLIC_BASE_URL, "days": settings.PASSWORD_RESET_TIMEOUT // 86_400}
    body = render_to_string(template, context | site | {"email": user.email})
    one_line = " ".join(subject.split())  # names may have line breaks, headers may not
    send_mail(one_line, body, None, [user.email])
