"""Changing where one number sends its calls and messages, at its provider and in our row.

Only the number itself is changed: Telnyx's connections and messaging profiles are shared by the
numbers of an organization, so an address of its own is a connection of its own, and a number
without messages is one without a profile.
"""

from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.db.models.functions import Now

from assistants.models import Assistant
from burki.errors import InvalidRequest
from burki.text import is_clean
from numbers import jobs
from numbers.e164 import is_e164
from numbers.exceptions import (
    NumberConflict,
    NumberGone,
    ProviderError,
    ProviderUnreachable,
    RequestFailed,
)
from numbers.models import PhoneNumber
from numbers.providers.base import NumberProvider, OwnedNumber, Routing
from numbers.services import evidence
from numbers.services.lookup import NOT_E164, at_provider, driver_of, live_numbers, require_active
from numbers.services.routing import (
    TWILIO_NO_SMS_URL,
    prepare_connections,
    public_url,
    telnyx_webhook_url,
    voice_url_of,
)
from numbers.services.settling import lock_organization
from organizations import audit
from organizations.actors import Actor
from organizations.models import Organization
from organizations.permissions import NUMBERS_WRITE

Status = PhoneNumber.Status

URL_MAX = 500
_URL = URLValidator(schemes=["http", "https"])
_TRIES = 3


@dataclass(slots=True)
class Plan:
    """What is to be set at the provider (`routing`, `clear`), written into our row (`row`), and
    said in the answer (`told`)."""

    routing: Routing = Routing()
    clear: list[str] = field(default_factory=list)
    row: dict[str, Any] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)

    def is_set(self, owned: OwnedNumber | None, driver: NumberProvider) -> bool:
        """Whether the provider has the number as planned. Raises `ProviderError`."""
        if owned is None:
            return False
        there, wanted = owned.routing, self.routing
        pairs = (
            (wanted.voice_url, there.voice_url),
            (wanted.sms_url, there.sms_url),
            (wanted.connection_id, there.connection_id),
            (wanted.messaging_profile_id, there.messaging_profile_id),
        )
        if any(ours and ours != theirs for ours, theirs in pairs):
            return False
        if "messaging_profile_id" in self.clear and there.messaging_profile_id:
            return False
        return (
            "voice" not in self.told or driver.destinations(owned).voice_url == self.told["voice"]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhooksUpdated:
    number: PhoneNumber
    updated: dict[str, str]


def update_webhooks(
    *,
    actor: Actor,
    organization: Organization,
    phone_number: str,
    voice_webhook_url: str,
    disable_sms: bool,
    enable_sms: bool,
    provider: str | None,
) -> WebhooksUpdated:
    """Send the number's calls to `voice_webhook_url` (our own address makes them come to us
    again), switch its messages off, or on. At the provider first; our row follows when the
    provider has it so, and comparisons and repairs then respect it.

    Raises `PermissionDenied`, `InvalidRequest`, `NumberNotFound`, `NumberConflict` when the number
    is not in service or somebody else changes it at the same moment, `NumberGone`, and
    `RequestFailed`: then our row is unchanged, and repeating the request is harmless.
    """
    actor.require(NUMBERS_WRITE, organization)
    rows = live_numbers(organization, phone_number) if is_e164(phone_number) else []
    if not (voice_webhook_url or disable_sms or enable_sms):
        raise InvalidRequest(
            "At least one action required: voice_webhook_url, disable_sms=true, or enable_sms=true"
        )
    if disable_sms and enable_sms:
        raise InvalidRequest("Cannot set both disable_sms and enable_sms to true")
    if not rows:
        raise InvalidRequest(NOT_E164)
    number = at_provider(rows, provider)
    if voice_webhook_url:
        _check_url(number, voice_webhook_url)
    if disable_sms or enable_sms:
        _check_sms(number, enable=enable_sms)
    require_active(number)

    failed = f"Failed to update webhooks for {number} via {number.provider}"
    changing = False
    try:
        driver = driver_of(number)
        owned = driver.find_number(number.phone_number, whole=True)
        if owned is None or not evidence.is_same_number(number, owned):
            raise NumberGone(number, failed)
        plan = Plan()
        if voice_webhook_url:
            _plan_voice(plan, number, owned, driver, voice_webhook_url)
        if disable_sms or enable_sms:
            _plan_sms(plan, number, owned, driver, enable=enable_sms)
        _tell(number, actor, "number.webhooks_changing", before=evidence.as_set_there(owned))
        changing = True
        _configure(plan, number, owned, driver)
        number = _record(plan, number, driver, actor)
    except ProviderError as error:
        if changing:
            _tell(number, actor, "number.webhooks_failed", code=error.code, wanted=plan.told)
        raise RequestFailed.because_of(failed, error) from error
    return WebhooksUpdated(number=number, updated=plan.told)


def _check_url(number: PhoneNumber, url: str) -> None:
    sentence = f"voice_webhook_url must be an http or https address of at most {URL_MAX} characters"
    if len(url) > URL_MAX or not is_clean(url):
        raise InvalidRequest(sentence)
    try:
        _URL(url)
    except ValidationError:
        raise InvalidRequest(sentence) from None
    if "@" in urlsplit(url).netloc:
        raise InvalidRequest(
            "voice_webhook_url must not contain a user name or password: addresses are kept and "
            "shown in clear"
        )
    ours = voice_url_of(number.provider)
    if url in (public_url("/twiml"), telnyx_webhook_url()) and url != ours:
        raise InvalidRequest(f"Our own address for calls at {number.provider} is {ours}")


def _check_sms(number: PhoneNumber, *, enable: bool) -> None:
    if enable and number.assistant is None:
        raise InvalidRequest(
            f"Phone number {number} is not assigned to any assistant. Assign it to an assistant "
            "with sms_webhook_url configured first."
        )
    if enable and not number.assistant.sms_webhook_url:
        raise InvalidRequest(
            f"Assistant '{number.assistant.name}' does not have sms_webhook_url configured. "
            "Configure it first."
        )
    if number.capabilities.get("sms") is False:
        raise InvalidRequest(f"Phone number {number} cannot send or receive messages.")


def _plan_voice(
    plan: Plan, number: PhoneNumber, owned: OwnedNumber, driver: NumberProvider, url: str
) -> None:
    ours = url == voice_url_of(number.provider)
    if not ours:
        host = settings.PUBLIC_BASE_URL.split("://", 1)[-1]
        name = f"Burki {number} of {number.organization.slug} ({host})"[:100]
        route = driver.make_voice_route(name=name, voice_url=url)
    elif driver.uses_connections:
        route = prepare_connections(
            driver, number.account, number.organization, _whose_connection(number)
        )
    else:
        route = Routing(voice_url=url)
    plan.routing = Routing(
        voice_url=route.voice_url,
        connection_id=route.connection_id,
        status_callback=number.status_callback,
    )
    plan.clear += [name for name in owned.overrides if not name.startswith("sms_")]
    plan.row |= {"voice_webhook_url": "" if ours else url}
    plan.row |= (
        {"connection_id": route.connection_id}
        if driver.uses_connections
        else {"voice_url": route.voice_url}
    )
    plan.told["voice"] = url


def _whose_connection(number: PhoneNumber) -> Assistant | None:
    """The number's assistant, if a connection that it names can be in the number's account."""
    assistant = number.assistant
    if assistant is None:
        return None
    account = assistant.account_for(number.provider)
    return assistant if account in (None, number.account) else None


def _plan_sms(
    plan: Plan, number: PhoneNumber, owned: OwnedNumber, driver: NumberProvider, *, enable: bool
) -> None:
    plan.row["sms_disabled"] = not enable
    if driver.uses_connections:
        profile = ""
        if enable:
            made = prepare_connections(driver, number.account, number.organization, None)
            profile = made.messaging_profile_id
        else:
            plan.clear.append("messaging_profile_id")
        plan.routing = replace(plan.routing, messaging_profile_id=profile)
        plan.row["messaging_profile_id"] = profile
        plan.told["sms"] = f"enabled ({telnyx_webhook_url()})" if enable else "disabled (empty URL)"
        return
    url = public_url("/twiml") if enable else TWILIO_NO_SMS_URL
    plan.clear += [name for name in owned.overrides if name.startswith("sms_")]
    plan.routing = replace(plan.routing, sms_url=url)
    plan.row["sms_url"] = url
    plan.told["sms"] = f"enabled ({url})" if enable else "disabled (demo URL)"


def _configure(plan: Plan, number: PhoneNumber, owned: OwnedNumber, driver: NumberProvider) -> None:
    try:
        driver.configure(owned.number_id, plan.routing, clear=plan.clear)
    except ProviderUnreachable:
        # It may have arrived, and only the answer been lost: a look tells.
        if not plan.is_set(driver.find_number(number.phone_number, whole=True), driver):
            raise


def _record(plan: Plan, number: PhoneNumber, driver: NumberProvider, actor: Actor) -> PhoneNumber:
    """Write the row if nobody has written it since it was read. Else the provider decides whose
    change is the last: two at the same moment must not leave the row saying one and the provider
    having the other."""
    for _ in range(_TRIES):
        with transaction.atomic(durable=True):
            organization = lock_organization(number.organization_id)
            # The moment as well: somebody may have written again what was there before.
            as_read = {name: getattr(number, name) for name in (*plan.row, "updated_at")}
            rows = PhoneNumber.objects.filter(pk=number.pk, status=Status.ACTIVE, **as_read)
            if rows.update(**plan.row, updated_at=Now()):
                audit.record(
                    actor,
                    "number.webhooks_changed",
                    number,
                    organization=organization,
                    **plan.row,
                )
                jobs.verify_numbers_later([number.pk])
                number.refresh_from_db()
                return number
        number = PhoneNumber.objects.select_related("account", "organization").get(pk=number.pk)
        require_active(number)
        if not plan.is_set(driver.find_number(number.phone_number, whole=True), driver):
            break
    raise NumberConflict(
        number,
        f"The webhooks of {number} were changed by somebody else at the same moment.",
        hint="Look at them, and repeat the request if they should be otherwise.",
    )


def _tell(number: PhoneNumber, actor: Actor, action: str, **facts: Any) -> None:
    with transaction.atomic(durable=True):
        organization = lock_organization(number.organization_id)
        if action == "number.webhooks_changing":
            number.refresh_from_db(fields=["status"])
            require_active(number)
        audit.record(actor, action, number, organization=organization, **facts)
