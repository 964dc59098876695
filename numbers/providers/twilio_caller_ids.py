"""Verified caller ids: numbers of others that a Twilio account may call from.
https://www.twilio.com/docs/voice/api/outgoing-caller-ids"""

from __future__ import annotations

from dataclasses import dataclass, field

from numbers import clocks
from numbers.clocks import Deadline
from numbers.exceptions import AlreadyVerified, ProviderRefused
from numbers.providers.base import Credentials
from numbers.providers.twilio_answers import require_whole
from numbers.providers.twilio_client import TwilioClient

_PAGE = 1000
_ALREADY = ("21449", "21450")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerId:
    provider_id: str
    phone_number: str
    friendly_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A call that asks whoever answers the number for the code."""

    phone_number: str
    code: str = field(repr=False)


class TwilioCallerIds:
    """One account, one deadline."""

    def __init__(self, credentials: Credentials, deadline: Deadline):
        self._client = TwilioClient(credentials, deadline)

    def list(self) -> list[CallerId]:
        """Every caller id of the account, all pages. Only a complete answer counts: anything less
        raises."""
        found: list[CallerId] = []
        with self._client.reading(clocks.READ):
            page = self._client.rest.outgoing_caller_ids.page(page_size=_PAGE)
        while page is not None:
            with self._client.reading(clocks.READ):
                require_whole(page)
                for item in page:
                    if not (item.sid and item.phone_number):
                        raise ValueError("a caller id without its number")
                    found.append(
                        CallerId(
                            provider_id=str(item.sid),
                            phone_number=str(item.phone_number),
                            friendly_name=str(item.friendly_name or ""),
                        )
                    )
                page = page.next_page()
        return found

    def verify(self, phone_number: str, friendly_name: str) -> Verification:
        """Have Twilio call the number now and ask for a code. Raises `AlreadyVerified`."""
        fields = {"friendly_name": friendly_name} if friendly_name else {}
        try:
            with self._client.reading(clocks.READ):
                made = self._client.rest.validation_requests.create(
                    phone_number=phone_number, **fields
                )
                if made.phone_number != phone_number or not made.validation_code:
                    raise ValueError("not a verification of this number")
        except ProviderRefused as refusal:
            if refusal.provider_code not in _ALREADY:
                raise
            raise AlreadyVerified(
                f"{phone_number} is verified in the Twilio account already.",
                hint="Sync the verified caller ids.",
            ) from None
        return Verification(phone_number=phone_number, code=str(made.validation_code))
