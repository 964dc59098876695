"""The optional second factor: codes of an authenticator app (TOTP), and recovery codes for the day
when the app is lost.

A session begins only after every factor (`organizations.views`), so that nothing behind the
sign-in has to ask again: staff pages, the API's sessions, the Django admin. Switching the factor
on or off ends the person's other sessions (`User.sessions_since`).

At rest, the app's secret (`otp_totp_totpdevice.key`) and the unused recovery codes
(`otp_static_statictoken.token`) are in django-otp's tables in clear: it has to compute codes from
the one and compares the others. Whoever reads the database has this factor, and still needs the
password, of which there is only a hash. The admin does not show either.
"""

import re

from django.contrib.auth import update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django_otp import devices_for_user
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from burki.errors import InvalidRequest
from organizations import audit
from organizations.actors import Actor
from organizations.models import User

RECOVERY_CODES = 10
_SEPARATORS = re.compile(r"[\s\-]")


def has_second_factor(user: User) -> bool:
    return TOTPDevice.objects.filter(user=user, confirmed=True).exists()


def begin(user: User) -> TOTPDevice:
    """A new secret, which counts nothing until `confirm` has seen a code of it. Raises
    `InvalidRequest` when there is a second factor already."""
    with transaction.atomic():
        _lock(user)
        if has_second_factor(user):
            raise InvalidRequest("Two-factor sign-in is on already.")
        TOTPDevice.objects.filter(user=user, confirmed=False).delete()
        return TOTPDevice.objects.create(user=user, name="authenticator app", confirmed=False)


def begun(user: User) -> TOTPDevice | None:
    """The secret that waits for its first code."""
    return TOTPDevice.objects.filter(user=user, confirmed=False).order_by("-pk").first()


def confirm(*, actor: Actor, code: str) -> list[str] | None:
    """Switch the second factor on, when the code is one of the secret that was begun; the recovery
    codes, which exist nowhere else in readable form afterwards. None for a wrong code."""
    user = actor.user
    with transaction.atomic():
        _lock(user)
        device = begun(user)
        if device is None or has_second_factor(user) or not device.verify_token(_plain(code)):
            return None
        device.confirmed = True
        device.save(update_fields=["confirmed"])
        _end_sessions(user)
        audit.record(actor, "user.two_factor_on", user, organization=None)
        return _recovery_codes(user)


def accepts(*, actor: Actor, code: str) -> bool:
    """Whether the code is the app's, of now and not used before, or a recovery code, which is used
    up by this."""
    with transaction.atomic():
        for device in devices_for_user(actor.user, for_verify=True):
            if device.verify_token(_plain(code)):
                if isinstance(device, StaticDevice):
                    left = recovery_codes_left(actor.user)
                    audit.record(
                        actor, "user.recovery_code_used", actor.user, organization=None, left=left
                    )
                return True
    return False


def recovery_codes_left(user: User) -> int:
    return StaticToken.objects.filter(device__user=user).count()


def renew_recovery_codes(*, actor: Actor) -> list[str]:
    """New ones; those before count no more."""
    with transaction.atomic():
        _lock(actor.user)
        if not has_second_factor(actor.user):
            raise InvalidRequest("Two-factor sign-in is off.")
        audit.record(actor, "user.recovery_codes_renewed", actor.user, organization=None)
        return _recovery_codes(actor.user)


def switch_off(*, actor: Actor, user: User) -> None:
    """Signing in takes the password alone from now on; without a second factor nothing changes."""
    with transaction.atomic():
        _lock(user)
        if not has_second_factor(user):
            return
        TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
        _end_sessions(user)
        audit.record(actor, "user.two_factor_off", user, organization=None)


def keep_session(request: HttpRequest) -> None:
    """After the factor was switched: the session that did it goes on."""
    update_session_auth_hash(request, request.user)


def _recovery_codes(user: User) -> list[str]:
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="recovery codes")
    codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=code) for code in codes)
    return [f"{code[:4]}-{code[4:]}" for code in codes]


def _end_sessions(user: User) -> None:
    user.sessions_since = timezone.now()
    user.save(update_fields=["sessions_since"])


def _lock(user: User) -> None:
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _plain(code: str) -> str:
    """As people type it: in groups, in capitals."""
    return _SEPARATORS.sub("", code).lower()
