"""Giving a number back: claim, call, record, on the account that owns it.

The number keeps its row, and with it its place in the unique index, until it is known to be gone.
"""

import contextlib
import logging
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from burki.errors import InvalidRequest
from burki.logs import bound, emit
from numbers import clocks, jobs
from numbers.clocks import Deadline
from numbers.e164 import is_e164
from numbers.exceptions import (
    IdempotencyKeyReused,
    LostRace,
    NumberNotFound,
    NumberNotReleasable,
    NumberWasBoughtAgain,
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    ProviderUnreachable,
    ReleaseInProgress,
    ReleaseRefused,
    ReleaseUncertain,
)
from numbers.models import PhoneNumber, Release
from numbers.providers.base import Credentials
from numbers.providers.registry import driver_for
from numbers.reconcile import look_at_release
from numbers.services import settling
from numbers.services.accounts import credentials_of
from numbers.services.release_recording import record_released, record_still_ours
from numbers.services.release_recording import record_uncertain as record_unknown
from numbers.services.replays import named_by_key, remember_key
from organizations import audit
from organizations.actors import Actor
from organizations.models import Organization, Provider
from organizations.permissions import NUMBERS_RELEASE

logger = logging.getLogger(__name__)

State, Status = Release.State, PhoneNumber.Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A release that is done. `replayed`: it was done before this request."""

    release: Release
    replayed: bool = False


def release_number(
    *,
    actor: Actor,
    organization: Organization,
    phone_number: str,
    provider: str | None,
    idempotency_key: str | None,
) -> Released:
    """Give `phone_number` back to its provider: it stops costing, and anybody may buy it.

    `provider` may be None; if given, it must be the number's. One request to the provider, in at
    most 25 seconds. Raises `InvalidRequest`, `PermissionDenied`, `NumberNotFound`,
    `NumberNotReleasable` (its purchase is not settled), `NumberWasBoughtAgain`,
    `ReleaseInProgress`; and with a recorded release: `ReleaseRefused` (the number is still ours),
    `ReleaseUncertain` (being settled).
    """
    deadline = Deadline.after(clocks.REQUEST)
    provider = _clean(phone_number, provider)
    actor.require(NUMBERS_RELEASE, organization)
    repeat = _repeat_of_key(organization, phone_number, provider, idempotency_key)
    if repeat is not None:
        return answer(repeat, replayed=True)
    number = _find(organization, phone_number, provider)
    if number.status != Status.ACTIVE:
        return _answer_held(number, idempotency_key)

    refused, number_id = None, number.provider_number_id
    try:
        credentials = credentials_of(number.account)
        number_id = number_id or _find_id(number, credentials, deadline)
    except ProviderError as error:
        refused = error
    claiming_since = clocks.now()
    try:
        release = _claim(number, number_id, actor, idempotency_key)
    except (IntegrityError, LostRace):  # somebody was faster, or used the key
        repeat = _repeat_of_key(organization, phone_number, provider, idempotency_key)
        if repeat is not None:
            return answer(repeat, replayed=True)
        return _answer_held(_find(organization, phone_number, provider), idempotency_key)
    emit("release.claimed", release=release.pk)
    if refused is not None:
        return answer(record_still_ours(release, refused, actor=actor))
    try:
        with bound(release=release.pk):
            release = _call_and_record(
                release, credentials, number_id, actor, deadline, claiming_since
            )
    except Exception:
        # The request may have left; the release's settle job exists since the claim.
        facts = {"release": str(release.pk)}
        logger.exception("release %s could not be recorded", release.pk, extra=facts)
        raise ReleaseUncertain(release=release) from None
    return answer(release)


def answer(release: Release, *, replayed: bool = False) -> Released:
    """The truth of a release: returned when the number is gone, raised otherwise."""
    match release.state:
        case State.RELEASED:
            return Released(release=release, replayed=replayed)
        case State.REFUSED:
            raise ReleaseRefused(release=release, replayed=replayed)
        case State.UNCERTAIN:
            raise ReleaseUncertain(release=release, replayed=replayed)
    raise ReleaseInProgress(release=release)


def _clean(phone_number: str, provider: str | None) -> str | None:
    if not is_e164(phone_number):
        raise InvalidRequest("Phone number must be in E.164 format (e.g., +1234567890)")
    provider = provider.lower() if provider else None
    if provider is not None and provider not in Provider.values:
        raise InvalidRequest("Provider must be 'twilio' or 'telnyx'")
    return provider


def _repeat_of_key(
    organization: Organization, phone_number: str, provider: str | None, key: str | None
) -> Release | None:
    release = named_by_key(Release, organization, key)
    if release is None:
        return None
    number = release.number
    if number.phone_number != phone_number or provider not in (None, number.provider):
        raise IdempotencyKeyReused()
    newer = PhoneNumber.objects.live().filter(
        organization=organization,
        provider=number.provider,
        phone_number=phone_number,
        pk__gt=number.pk,
    )
    if newer.exists():
        raise NumberWasBoughtAgain(release=release)
    return release


def _find(organization: Organization, phone_number: str, provider: str | None) -> PhoneNumber:
    """The row that is meant: the live one, else the last one that was released."""
    rows = list(
        PhoneNumber.objects.select_related("account", "organization")
        .filter(organization=organization, phone_number=phone_number)
        .order_by("-pk")
    )
    live = [row for row in rows if row.status != Status.RELEASED]
    candidates = [row for row in live or rows[:1] if provider in (None, row.provider)]
    if not rows:
        raise NumberNotFound(phone_number)
    if not candidates:
        raise InvalidRequest(f"Phone number {phone_number} is at {rows[0].provider}")
    if len(candidates) > 1:
        raise InvalidRequest(f"Phone number {phone_number} is at both providers: say which")
    return candidates[0]


def _answer_held(number: PhoneNumber, key: str | None) -> Released:
    """What to say when the number is not simply active; nothing is sent."""
    if number.status in (Status.CLAIMED, Status.PENDING):
        raise NumberNotReleasable(
            f"The purchase of {number.phone_number} is not settled yet.",
            hint="Wait until it is completed or refused.",
        )
    release = number.releases.order_by("-pk").first()
    if release is None:  # closed by hand: there is nothing left to release
        raise NumberNotFound(number.phone_number)
    release.number = number
    if release.state != State.RELEASING:
        # A number that is bought again must not be released by this key: it names this release.
        held = (number.organization, number.phone_number, number.provider, key)
        release = remember_key(release, key, lambda: _repeat_of_key(*held))
    return answer(release, replayed=number.status == Status.RELEASED)


def _find_id(number: PhoneNumber, credentials: Credentials, deadline: Deadline) -> str:
    """The provider's own id of a number whose purchase could not learn it."""
    found = driver_for(credentials, deadline.slice(clocks.LOOKUPS)).find_number(number.phone_number)
    if found is None:
        raise ProviderRefused(hint="The provider does not list this number: reconcile the account.")
    return found.number_id


@transaction.atomic(durable=True)
def _claim(number: PhoneNumber, number_id: str, actor: Actor, key: str | None) -> Release:
    """Commit that we are about to release. Raises `LostRace`, `IntegrityError`."""
    organization = settling.lock_organization(number.organization_id)
    rows = PhoneNumber.objects.filter(pk=number.pk, status=Status.ACTIVE)
    if not rows.update(status=Status.RELEASING, provider_number_id=number_id):
        raise LostRace(f"{number} is no longer active.")
    number.status = Status.RELEASING
    doubt = clocks.after(clocks.DOUBT_AFTER)
    release = Release.objects.create(
        organization=organization,
        number=number,
        actor_label=actor.label,
        idempotency_key=key,
        next_look_at=Now() + doubt,
    )
    jobs.settle_later(release, after=doubt)
    audit.record(actor, "release.claimed", release, organization=organization)
    return release


def _call_and_record(
    release: Release,
    credentials: Credentials,
    number_id: str,
    actor: Actor,
    deadline: Deadline,
    claiming_since: float,
) -> Release:
    asking = deadline.without(clocks.RECORDING)
    refused = unknown = None
    emit("release.sending", release=release.pk)
    try:
        if clocks.now() - claiming_since > clocks.scaled(clocks.SEND_WITHIN):
            raise ProviderUnreachable(code="unavailable")
        driver_for(credentials, asking).release(number_id)
    except OutcomeUnknown as error:
        unknown = error
    except (ProviderRefused, ProviderUnreachable) as error:
        # 404 means gone only if a look agrees.
        refused, unknown = (None, error) if error.status == 404 else (error, None)
    outcome = refused.code if refused else "unknown" if unknown else "released"
    emit("release.answered", release=release.pk, outcome=outcome)

    def write(row: Release) -> Release:
        if refused is not None:
            return record_still_ours(row, refused, actor=actor)
        if unknown is not None:
            return record_unknown(row, reason=unknown.provider_message, actor=actor)
        return record_released(row, actor=actor)

    with contextlib.suppress(LostRace):
        settling.persistently(release, write, deadline)
    release = Release.objects.select_related("number").get(pk=release.pk)
    if release.state != State.UNCERTAIN:
        return release
    looking = driver_for(credentials, asking.slice(clocks.LOOKUPS))
    return look_at_release(release, number_id=number_id, driver=looking, actor=actor)
