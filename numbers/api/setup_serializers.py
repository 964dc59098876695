"""Requests and answers about how a number is set at its provider."""

from typing import Any

from rest_framework import serializers

from burki.fields import StrictBoolean, optional_text
from burki.text import instant
from numbers.api.fields import AnyTextField
from numbers.services.countries import CountryForSale
from numbers.services.diagnosing import Diagnosis, Reading
from numbers.services.evidence import shown
from numbers.services.lookup import NO_PROVIDER, NOT_E164
from numbers.services.webhooks import URL_MAX, WebhooksUpdated


class WebhooksRequest(serializers.Serializer):
    """What the number and the actions mean is checked by the service, in its order."""

    phone_number = AnyTextField(message=NOT_E164)
    voice_webhook_url = optional_text(
        URL_MAX,
        f"voice_webhook_url must be an http or https address of at most {URL_MAX} characters",
        default="",
    )
    disable_sms = StrictBoolean(required=False, allow_null=True, default=False)
    enable_sms = StrictBoolean(required=False, allow_null=True, default=False)
    provider = AnyTextField(message=NO_PROVIDER, required=False, allow_null=True, default=None)

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        """Null means "not given"."""
        return data | {
            "voice_webhook_url": data["voice_webhook_url"] or "",
            "disable_sms": bool(data["disable_sms"]),
            "enable_sms": bool(data["enable_sms"]),
        }


def countries_answer(
    countries: list[CountryForSale], *, provider: str, objects: bool
) -> dict[str, Any]:
    """Two generations of clients read `country_codes` differently: as strings, or as objects."""
    codes = [country.code for country in countries]
    answer = {"success": True, "country_codes": codes, "provider": provider}
    if objects:
        answer["country_codes"] = [
            {"code": c.code, "name": c.name, "phone_code": c.phone_code} for c in countries
        ]
        answer["codes"] = codes
    return answer


def webhooks_answer(reading: Reading) -> dict[str, Any]:
    voice = shown(reading.destinations.voice_url) or None
    sms = shown(reading.destinations.sms_url) or None
    describe = _telnyx_configuration if reading.number.provider == "telnyx" else _twilio
    return {
        "success": True,
        "phone_number": reading.number.phone_number,
        "provider": reading.number.provider,
        "voice_webhook_url": voice,
        "sms_webhook_url": sms,
        "configuration": {
            "voice_webhook_url": voice,
            "sms_webhook_url": sms,
            **describe(reading),
        },
    }


def _twilio(reading: Reading) -> dict[str, Any]:
    owned = reading.owned
    return {
        "voice_method": owned.overrides.get("voice_method", "POST"),
        "sms_method": owned.overrides.get("sms_method", "POST"),
        "status_callback_url": shown(owned.routing.status_callback) or None,
        "status_callback_method": owned.raw.get("status_callback_method") or None,
        "phone_number_sid": owned.number_id,
        "friendly_name": shown(owned.friendly_name) or None,
        # With one of these set, Twilio ignores the address above.
        **{name: value for name, value in owned.overrides.items() if name.endswith("_sid")},
    }


def _telnyx_configuration(reading: Reading) -> dict[str, Any]:
    owned, there = reading.owned, reading.destinations
    application, profile = there.application, there.profile
    return {
        "voice_webhook_failover_url": application and (shown(application.failover_url) or None),
        "sms_webhook_failover_url": profile and (shown(profile.failover_url) or None),
        "connection_id": owned.routing.connection_id or None,
        "messaging_profile_id": owned.routing.messaging_profile_id or None,
        "phone_number_id": owned.number_id,
        "status": owned.raw.get("status"),
        "features": _features(reading.number.capabilities),
    }


def webhooks_updated_answer(done: WebhooksUpdated) -> dict[str, Any]:
    number, count = done.number, len(done.updated)
    return {
        "success": True,
        "phone_number": number.phone_number,
        "provider": number.provider,
        "updated_webhooks": done.updated,
        "message": f"Successfully updated {count} webhook(s) for {number} via {number.provider}",
    }


def diagnosis_answer(found: Diagnosis) -> dict[str, Any]:
    """The fields that existing clients know, and the verdict."""
    number = found.number
    diagnosis = {"phone_number": number.phone_number, "provider": number.provider}
    if found.error is not None:
        told = f"{number.get_provider_display()} could not be asked: {found.error.detail}"
        diagnosis |= {"found": None, "error": told, "code": found.error.code}
    elif found.owned is None:
        told = f"The {number.get_provider_display()} account does not have {number}."
        diagnosis |= {"found": False, "error": told}
    else:
        diagnosis |= {"found": True} | _as_found(found)
    summary = "Calls reach their destination." if found.ok else found.problems[0].what
    verdict = {
        "ok": found.ok,
        "summary": summary,
        "problems": [
            {"what": p.what, "is": p.has, "should_be": p.should_be, "do": p.do}
            for p in found.problems
        ],
        "notes": found.notes,
    }
    return {
        "success": True,
        "phone_number": number.phone_number,
        "diagnosis": diagnosis | {"verdict": verdict},
    }


def _as_found(found: Diagnosis) -> dict[str, Any]:
    owned, there = found.owned, found.destinations
    application = there.application and {
        "id": there.application.endpoint_id,
        "name": there.application.name,
        "webhook_event_url": shown(there.application.webhook_url) or None,
    }
    connection = owned.routing.connection_id or None
    return {
        "phone_number_id": owned.number_id,
        "connection_id": connection,
        "status": owned.raw.get("status"),
        "features": _features(found.number.capabilities),
        "messaging_profile_id": owned.routing.messaging_profile_id or None,
        "connection_info": application
        and application | {"type": "call_control", "active": there.application.active},
        # The number's own alone: the others of the account are nobody's business here.
        "call_control_applications": [application | {"connection_id": connection}]
        if application
        else [],
        "voice_configuration": {
            "voice_webhook_url": shown(there.voice_url) or None,
            "sms_webhook_url": shown(there.sms_url) or None,
        },
        "assigned_call_control_app_id": application and application["id"],
        "raw_phone_data": {
            "id": owned.number_id,
            "phone_number": owned.phone_number,
            "status": owned.raw.get("status"),
            "friendly_name": shown(owned.friendly_name) or None,
            "purchased_at": instant(owned.created_at),
        },
    }


def _features(capabilities: dict[str, bool]) -> list[str]:
    return [name for name in ("voice", "sms", "mms", "fax") if capabilities.get(name)]
