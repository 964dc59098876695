"""The documentation's example bodies: the specification's, and what the sandbox answers. A test
compares their shapes with the schemas and their words with real answers."""

from typing import Any

NUMBER = "+14155551234"
PURCHASE_ID = "019bb0d4-6c1e-7d0a-9f3b-2f6f0a1c4e55"
STATUS_URL = f"https://api.burki.dev/phone-numbers/purchases/{PURCHASE_ID}"

_WHEN = "2024-01-15T10:30:00Z"
_CAPABILITIES = {"voice": True, "sms": True, "mms": True, "fax": False}
_TELNYX_ID = "2352404925714069283"
_CONNECTION = "1234567890"
_PROFILE = "40017000-0000-4000-8000-000000000001"
_TWIML = "https://api.burki.dev/twiml"


def _for_sale(phone_number: str, provider: str, cost: str) -> dict[str, Any]:
    return {
        "phone_number": phone_number,
        "friendly_name": phone_number,
        "locality": "San Francisco",
        "region": "CA",
        "country_code": "US",
        "iso_country": "US",
        "number_type": "local",
        "capabilities": _CAPABILITIES,
        "cost": cost,
        "monthly_cost": cost,
        "setup_cost": "0.00",
        "currency": "USD",
        "provider": provider,
    }


SEARCH = {
    "success": True,
    "numbers": [_for_sale(NUMBER, "telnyx", "1.00")],
    "total_found": 1,
    "provider": "telnyx",
}
SEARCH_ALL = {
    "success": True,
    "numbers": [
        _for_sale(NUMBER, "telnyx", "1.00"),
        _for_sale("+14155551000", "twilio", "1.15"),
    ],
    "total_found": 2,
    "provider": "all",
    "providers": {
        "twilio": {"success": True, "count": 1},
        "telnyx": {"success": True, "count": 1},
    },
}

PURCHASES: dict[str, Any] = {
    "Telnyx": {
        "phone_number": NUMBER,
        "provider": "telnyx",
        "assistant_id": 123,
        "friendly_name": "San Francisco Support Line",
    },
    "Twilio": {
        "phone_number": "+18005551234",
        "provider": "twilio",
        "assistant_id": 202,
        "friendly_name": "Premium Brand Support",
    },
    "With a price lock": {
        "phone_number": NUMBER,
        "provider": "telnyx",
        "max_monthly_cost": "1.50",
        "max_setup_cost": "0.00",
    },
    "With fallback": {
        "phone_number": "+14155550001",
        "provider": "telnyx",
        "fallback": {"same_area_code": True, "max_monthly_cost": "1.50", "attempts": 3},
    },
}

BOUGHT_TELNYX = {
    "success": True,
    "phone_number": NUMBER,
    "provider": "telnyx",
    "purchase_details": {
        "id": "ORD_12345",
        "phone_number": NUMBER,
        "status": "completed",
        "connection_id": _CONNECTION,
        "date_created": _WHEN,
    },
    "message": f"Successfully purchased phone number {NUMBER} from telnyx",
}
BOUGHT_TWILIO = {
    "success": True,
    "phone_number": "+18005551234",
    "provider": "twilio",
    "purchase_details": {
        "sid": "PN93deecd4411d4ef7851063ad6305ac72",
        "friendly_name": "Premium Brand Support",
        "voice_url": _TWIML,
        "sms_url": _TWIML,
        "capabilities": _CAPABILITIES,
        "date_created": _WHEN,
    },
    "message": "Successfully purchased phone number +18005551234 from twilio",
}
PENDING = BOUGHT_TELNYX | {
    "purchase_details": BOUGHT_TELNYX["purchase_details"] | {"status": "pending"},
    "message": f"Order for phone number {NUMBER} accepted by telnyx, activation pending",
}
BOUGHT_INSTEAD = BOUGHT_TELNYX | {
    "requested_phone_number": "+14155550001",
    "attempts": [
        {
            "phone_number": "+14155550001",
            "provider": "telnyx",
            "state": "refused",
            "code": "number_unavailable",
            "purchase_id": "019bb0d4-6b02-7c55-8e10-6f3c9d2b7a01",
        },
        {
            "phone_number": NUMBER,
            "provider": "telnyx",
            "state": "completed",
            "code": None,
            "purchase_id": PURCHASE_ID,
        },
    ],
}

PREVIEW = {
    "success": True,
    "phone_number": NUMBER,
    "provider": "telnyx",
    "allowed": True,
    "problem": None,
    "price": {
        "due_now": "1.00",
        "monthly_cost": "1.00",
        "setup_cost": "0.00",
        "currency": "USD",
    },
    "limit": {
        "monthly_limit": "10.00",
        "committed": "3.15",
        "left_after": "5.85",
        "currency": "USD",
        "number_limit": None,
        "numbers_after": 3,
    },
    "provider_account": {"id": 2, "label": "Telnyx (organization)", "level": "organization"},
    "webhooks": {
        "voice_url": None,
        "sms_url": None,
        "connection_id": _CONNECTION,
        "messaging_profile_id": _PROFILE,
    },
    "assistant": {"id": 123, "name": "Support", "ready": True},
    "warnings": [],
}

RELEASED = {
    "success": True,
    "phone_number": NUMBER,
    "provider": "telnyx",
    "message": f"Successfully released phone number {NUMBER} from telnyx",
}

NUMBER_RECORD = {
    "id": 1,
    "phone_number": NUMBER,
    "friendly_name": "San Francisco Support Line",
    "provider": "telnyx",
    "status": "active",
    "is_active": True,
    "provider_number_id": _TELNYX_ID,
    "twilio_sid": _TELNYX_ID,
    "provider_account_id": 2,
    "capabilities": _CAPABILITIES,
    "country_code": "US",
    "region": "CA",
    "locality": "San Francisco",
    "number_type": "local",
    "monthly_cost": "1.00",
    "setup_cost": "0.00",
    "currency": "USD",
    "assistant": {"id": 123, "name": "Support", "is_active": True},
    "assistant_id": 123,
    "voice_url": None,
    "sms_url": None,
    "connection_id": _CONNECTION,
    "messaging_profile_id": _PROFILE,
    "voice_webhook_url": None,
    "sms_enabled": True,
    "is_verified_caller_id": False,
    "webhook_check": {
        "verdict": None,
        "checked_at": None,
        "verified_at": None,
        "detail": None,
        "differences": {},
    },
    "sip_trunk_id": None,
    "allowed_country_codes": None,
    "flow": None,
    "assigned_at": _WHEN,
    "purchased_at": _WHEN,
    "released_at": None,
    "last_activity_at": None,
    "created_at": _WHEN,
    "updated_at": _WHEN,
}

PURCHASE_RECORD = {
    "id": PURCHASE_ID,
    "state": "completed",
    "charged": True,
    "phone_number": NUMBER,
    "provider": "telnyx",
    "assistant_id": 123,
    "friendly_name": "San Francisco Support Line",
    "made_by": "production (burki_brr7r2…)",
    "monthly_cost": "1.00",
    "setup_cost": "0.00",
    "currency": "USD",
    "purchase_details": BOUGHT_TELNYX["purchase_details"],
    "refusal": None,
    "needs_attention": None,
    "claimed_at": _WHEN,
    "recorded_at": _WHEN,
    "next_look_at": None,
}
REFUSED_RECORD = PURCHASE_RECORD | {
    "state": "refused",
    "charged": False,
    "purchase_details": None,
    "refusal": {
        "code": "number_unavailable",
        "evidence": "provider_said_no",
        "provider_code": "85001",
        "hint": "Somebody else has it: search and choose another.",
        "retryable": False,
    },
}
SETTLED = PURCHASE_RECORD | {"saw": "It is completed now.", "choices": []}

SYNCED = {
    "success": True,
    "message": "Successfully synced 3 phone numbers: Twilio: 1, Telnyx: 2",
    "synced_count": 3,
    "adopted_count": 1,
    "findings": {"orphan": 0, "ghost": 0, "drift": 0},
}
