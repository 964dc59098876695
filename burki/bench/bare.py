"""What the providers' own client libraries need for an order, without us: the baseline."""

import uuid

import requests
import twilio.rest.api.v2010  # noqa: F401  (else the package imports it in the first order)
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from burki.testing import CONNECTION, PROFILE
from burki.tests.processes import PLATFORM_KEY, PLATFORM_SID

SECONDS = 15


class _ToSandbox(TwilioHttpClient):
    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def request(self, method, url, *arguments, **named):
        url = url.replace("https://api.twilio.com", self._url)
        return super().request(method, url, *arguments, **named)


class Bare:
    """One client of each provider, with a kept connection."""

    def __init__(self, sandbox: str) -> None:
        self._twilio = Client(PLATFORM_SID, "a-token", http_client=_ToSandbox(sandbox))
        self._telnyx = requests.Session()
        self._telnyx.headers["Authorization"] = f"Bearer {PLATFORM_KEY}"
        self._telnyx_url = f"{sandbox}/v2"

    def order(self, provider: str, number: str) -> None:
        {"twilio": self._order_at_twilio, "telnyx": self._order_at_telnyx}[provider](number)

    def _order_at_twilio(self, number: str) -> None:
        self._twilio.incoming_phone_numbers.create(
            phone_number=number,
            friendly_name=number,
            voice_url="https://numbers.example/twiml",
            voice_method="POST",
            sms_url="https://numbers.example/twiml",
            sms_method="POST",
            status_callback="https://numbers.example/twilio-status",
        )

    def find_telnyx(self, count: int) -> list[str]:
        """Telnyx sells an account only what it searched for."""
        found: list[str] = []
        for area in ("617", "303", "404", "202", "702"):
            answer = self._telnyx.get(
                f"{self._telnyx_url}/available_phone_numbers",
                params={
                    "filter[country_code]": "US",
                    "filter[national_destination_code]": area,
                    "filter[limit]": count,
                },
                timeout=SECONDS,
            )
            found += [number["phone_number"] for number in answer.json()["data"]]
        return found[:count]

    def _order_at_telnyx(self, number: str) -> None:
        """Order, and look at it once."""
        body = {
            "phone_numbers": [{"phone_number": number}],
            "connection_id": CONNECTION,
            "messaging_profile_id": PROFILE,
            "customer_reference": str(uuid.uuid4()),
        }
        orders = f"{self._telnyx_url}/number_orders"
        order = self._telnyx.post(orders, json=body, timeout=SECONDS).json()["data"]
        done = self._telnyx.get(f"{orders}/{order['id']}", timeout=SECONDS).json()["data"]
        assert done["status"] == "success", done
