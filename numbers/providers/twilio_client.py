"""Requests to Twilio: its official package over our session, our deadline, our errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import twilio.rest.api.v2010
import twilio.rest.pricing.v1  # noqa: F401  (the SDK would import both in somebody's request)
from django.conf import settings
from twilio.base.exceptions import TwilioException
from twilio.http import HttpClient
from twilio.http.response import Response as SdkResponse
from twilio.rest import Client

from numbers.clocks import Deadline
from numbers.exceptions import OutcomeUnknown, ProviderUnreachable
from numbers.providers.base import Credentials
from numbers.providers.http import raise_for_error, read_json, session_for
from numbers.providers.twilio_answers import messages
from numbers.providers.twilio_codes import CODES

# What the SDK raises when a 2xx does not have the shape that it expects.
_UNREADABLE = (ValueError, TypeError, AttributeError, KeyError, RecursionError, TwilioException)
# The SDK takes whatever a page holds for its rows: without these it is no list.
_LISTS = {
    re.compile(r"/IncomingPhoneNumbers\.json$"): "incoming_phone_numbers",
    re.compile(r"/AvailablePhoneNumbers/\w\w/\w+\.json$"): "available_phone_numbers",
    re.compile(r"/AvailablePhoneNumbers\.json$"): "countries",
    re.compile(r"/OutgoingCallerIds\.json$"): "outgoing_caller_ids",
}


class TwilioClient:
    """One account, one deadline. `rest` is the package's client, to be used inside `reading` or
    `spending`."""

    def __init__(self, credentials: Credentials, deadline: Deadline):
        self._transport = _Transport(credentials, deadline)
        self.rest = Client(
            credentials.account_sid,
            credentials.secret,
            http_client=self._transport,
            environment={"none": ""},  # nothing from TWILIO_* variables of the process
        )

    @contextmanager
    def reading(self, seconds: float) -> Iterator[None]:
        """Requests that spend nothing, of at most `seconds` in all."""
        with self._transport.step(seconds, spends=False):
            try:
                yield
            except _UNREADABLE as error:
                raise ProviderUnreachable(
                    provider_message="Twilio's answer could not be read."
                ) from error

    @contextmanager
    def spending(self, seconds: float) -> Iterator[None]:
        """The one request whose outcome matters: what is not understood is `OutcomeUnknown`."""
        with self._transport.step(seconds, spends=True):
            try:
                yield
            except _UNREADABLE as error:
                raise OutcomeUnknown(
                    provider_message="Twilio's answer could not be read."
                ) from error


class _Transport(HttpClient):
    """Carries the SDK's requests over our session: our deadline, our addresses, our errors."""

    def __init__(self, credentials: Credentials, deadline: Deadline):
        super().__init__(None, False)
        self._key = credentials.key
        self._deadline = self._ends = deadline
        self._spends = False

    @contextmanager
    def step(self, seconds: float, *, spends: bool) -> Iterator[None]:
        """What follows takes at most `seconds`; whether it `spends` decides what errors mean."""
        self._ends, self._spends = self._deadline.slice(seconds), spends
        try:
            yield
        finally:
            self._ends, self._spends = self._deadline, False

    def request(
        self,
        method,
        url,
        params=None,
        data=None,
        headers=None,
        auth=None,
        timeout=None,
        allow_redirects=False,
    ) -> SdkResponse:
        address = urlsplit(url)
        pricing = (address.hostname or "").startswith("pricing.")
        base = settings.TWILIO_PRICING_BASE_URL if pricing else settings.TWILIO_API_BASE_URL
        path = f"{address.path}?{address.query}" if address.query else address.path
        response = session_for("twilio", self._key, base).request(
            method,
            path,
            deadline=self._ends,
            spends=self._spends,
            params=params,
            data=data,
            headers=headers,
            auth=auth,
        )
        raise_for_error(response, messages(response.text), CODES, spends=self._spends)
        if method == "DELETE" and response.status_code != 204:
            # The SDK takes every 2xx for done, whatever stood between Twilio and us said.
            raise OutcomeUnknown(provider_message="Twilio's answer could not be read.")
        listed = next((rows for path, rows in _LISTS.items() if path.search(address.path)), None)
        if method == "GET" and listed is not None:
            rows = read_json(response, spends=False).get(listed)
            if not isinstance(rows, list):
                raise ProviderUnreachable(provider_message="Twilio's answer could not be read.")
        return SdkResponse(response.status_code, response.text, response.headers)
