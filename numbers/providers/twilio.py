"""Twilio, through its official package: https://www.twilio.com/docs/phone-numbers/api.

One POST buys a number and sets its webhooks, and its answer is final.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from decimal import Decimal, InvalidOperation

import twilio.rest.api.v2010
import twilio.rest.pricing.v1  # noqa: F401  (the SDK would import both in somebody's request)
from django.core.cache import cache

from numbers import clocks
from numbers.clocks import Deadline
from numbers.e164 import is_e164
from numbers.exceptions import (
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    UnsupportedCriteria,
)
from numbers.providers import twilio_account
from numbers.providers.base import (
    AccountStanding,
    AvailableNumber,
    BuyRequest,
    Country,
    Credentials,
    Destinations,
    Endpoints,
    Look,
    NumberProvider,
    Order,
    OwnedNumber,
    Price,
    Routing,
    SearchCriteria,
    Sighting,
    Standing,
    amount,
)
from numbers.providers.twilio_answers import (
    priced,
    require_whole,
    to_available,
    to_country,
    to_listed,
    to_order,
    to_owned,
)
from numbers.providers.twilio_client import TwilioClient

_NUMBER_SID = re.compile(r"PN[0-9a-fA-F]{32}")
_NORTH_AMERICA = ("US", "CA")
_PRICE_NAMES = {"local": "local", "toll_free": "toll free", "mobile": "mobile"}
_PAGE = 1000


class TwilioProvider(NumberProvider):
    name = "twilio"
    uses_connections = False
    sells_only_offers = False
    keeps_names = True

    def __init__(self, credentials: Credentials, deadline: Deadline):
        super().__init__(credentials, deadline)
        self._client = TwilioClient(credentials, deadline)

    def search(self, criteria: SearchCriteria) -> list[AvailableNumber]:
        country = criteria.country_code
        if country not in _NORTH_AMERICA and (criteria.area_code or criteria.region):
            raise UnsupportedCriteria(
                "Twilio searches by area_code and region in the US and Canada only: "
                "use contains or locality."
            )
        offered = self._client.rest.available_phone_numbers(country)
        kind = getattr(
            offered,
            {"local": "local", "toll_free": "toll_free"}.get(criteria.number_type, "mobile"),
        )
        wanted = {
            "area_code": criteria.area_code,
            "contains": criteria.contains,
            "in_locality": criteria.locality,
            "in_region": criteria.region,
        }
        with self._client.reading(clocks.READ):
            page = kind.page(page_size=criteria.limit, **{k: v for k, v in wanted.items() if v})
            found = [
                to_available(item, criteria.number_type)
                for item in page
                if is_e164(item.phone_number)
            ]
        if not found:
            return []
        price = self.price(country, criteria.number_type)
        return [priced(number, price) for number in found]

    def price(self, country: str, number_type: str, *, ask: bool = True) -> Price:
        """The account's price for such a number, from the Pricing API (kept for some hours per
        account and country). An unknown price when Twilio cannot tell."""
        cache_key = f"twilio-prices:{self.credentials.key}:{country}"
        prices = cache.get(cache_key)
        if prices is None and not ask:
            return Price()
        if prices is None:
            try:
                with self._client.reading(clocks.READ):
                    answer = self._client.rest.pricing.v1.phone_numbers.countries(country).fetch()
                    prices = {
                        item["number_type"]: (
                            item["current_price"],
                            answer.price_unit.upper(),
                        )
                        for item in answer.phone_number_prices
                    }
            except ProviderError:
                return Price()
            cache.set(cache_key, prices, clocks.PRICE_LIST_IS_FRESH.total_seconds())
        monthly, currency = prices.get(_PRICE_NAMES.get(number_type, ""), (None, ""))
        try:
            # Twilio sells numbers without a set-up fee.
            return Price(monthly=amount(monthly), setup=Decimal(0), currency=currency)
        except (InvalidOperation, TypeError):
            return Price()

    def inspect(self, phone_number: str) -> Standing:
        """One `GET IncomingPhoneNumbers?PhoneNumber=`: buying a number that is in the account
        already would succeed, and overwrite its webhooks."""
        return Standing(owned=self.find_number(phone_number))

    def buy(self, request: BuyRequest, *, may_send: Callable[[], bool]) -> Order:
        """SPENDS MONEY. `POST IncomingPhoneNumbers.json`; again without the SMS fields if Twilio
        says that the number has no SMS (21407)."""
        try:
            return self._order(request, may_send, sms=bool(request.routing.sms_url))
        except ProviderRefused as refusal:
            if refusal.provider_code != "21407" or not request.routing.sms_url:
                raise
        return self._order(request, may_send, sms=False)

    def _order(self, request: BuyRequest, may_send: Callable[[], bool], *, sms: bool) -> Order:
        """SPENDS MONEY. The one POST."""
        routing = request.routing
        fields = {
            "phone_number": request.phone_number,
            "friendly_name": request.friendly_name,
            "voice_url": routing.voice_url,
            "voice_method": "POST",
            "status_callback": routing.status_callback,
            "status_callback_method": "POST",
        }
        if sms:
            fields |= {"sms_url": routing.sms_url, "sms_method": "POST"}
        if not may_send():
            raise ProviderRefused(
                code="unavailable",
                hint="It was too late to send the order. Try again, with a new Idempotency-Key.",
                retryable=True,
            )
        with self._client.spending(clocks.ORDER_POST):
            number = to_owned(self._client.rest.incoming_phone_numbers.create(**fields))
            if number.phone_number != request.phone_number or not _NUMBER_SID.fullmatch(
                number.number_id
            ):
                raise OutcomeUnknown(provider_message="Twilio's answer names another number.")
        return to_order(number)

    def follow(self, order: Order, phone_number: str) -> Order:
        return order  # Twilio's answer is final

    def look_for(self, *, reference: str, phone_number: str, order_id: str) -> Look:
        number = self.find_number(phone_number)
        if number is None:
            return Look(sighting=Sighting.ABSENT)
        if number.reference != reference:
            return Look(sighting=Sighting.FOREIGN, number=number)
        return Look(sighting=Sighting.FOUND, order=to_order(number), number=number)

    def find_number(self, phone_number: str, *, whole: bool = False) -> OwnedNumber | None:
        with self._client.reading(clocks.LOOKUPS):
            # The filter matches parts of numbers as well: all pages are read and compared.
            for item in self._client.rest.incoming_phone_numbers.list(
                phone_number=phone_number, page_size=100
            ):
                if item.phone_number == phone_number:
                    return to_owned(item)
        return None

    def list_numbers(self) -> Iterator[OwnedNumber]:
        with self._client.reading(clocks.READ):
            page = self._client.rest.incoming_phone_numbers.page(page_size=_PAGE)
        while page is not None:
            with self._client.reading(clocks.READ):
                require_whole(page)
                found = [to_listed(item) for item in page]
            yield from found
            with self._client.reading(clocks.READ):
                page = page.next_page()

    def check_account(self) -> AccountStanding:
        return twilio_account.check(self._client)

    def countries(self) -> list[Country]:
        with self._client.reading(clocks.READ):
            return [to_country(item) for item in self._client.rest.available_phone_numbers.list()]

    def destinations(self, number: OwnedNumber) -> Destinations:
        """They lie on the number itself."""
        return Destinations(voice_url=number.routing.voice_url, sms_url=number.routing.sms_url)

    def all_destinations(self, shelf: Endpoints) -> Callable[[OwnedNumber], Destinations]:
        return self.destinations

    def cancel_order(self, order: Order) -> None:
        """Twilio has no orders to cancel."""

    def configure(
        self,
        number_id: str,
        routing: Routing,
        friendly_name: str = "",
        *,
        clear: Collection[str] = (),
    ) -> None:
        fields = {
            "friendly_name": friendly_name,
            "voice_url": routing.voice_url,
            "voice_method": "POST" if routing.voice_url else "",
            "sms_url": routing.sms_url,
            "sms_method": "POST" if routing.sms_url else "",
            "status_callback": routing.status_callback,
            "status_callback_method": "POST" if routing.status_callback else "",
        }
        fields = {k: v for k, v in fields.items() if v}
        # A method is set with its address; an application or trunk has to be taken away.
        fields |= {name: "" for name in clear if name.endswith("_sid")}
        with self._client.reading(clocks.READ):
            self._client.rest.incoming_phone_numbers(number_id).update(**fields)

    def check_routing(
        self, routing: Routing, *, webhook_url: str, set_missing: bool = True
    ) -> None:
        """Twilio's addresses lie on the number itself."""

    def set_webhooks(
        self, routing: Routing, *, voice_url: str = "", sms_url: str = "", api_version: str = "2"
    ) -> None:
        """Twilio's addresses lie on the number itself."""

    def put_back(self, number_id: str, settings: dict[str, str]) -> None:
        with self._client.reading(clocks.READ):
            self._client.rest.incoming_phone_numbers(number_id).update(**settings)

    def make_routing(self, *, name: str, webhook_url: str) -> Routing:
        return Routing()

    def public_key(self) -> str:
        return ""  # Twilio signs with the auth token

    def make_voice_route(self, *, name: str, voice_url: str) -> Routing:
        return Routing(voice_url=voice_url)

    def still_owns(self, number_id: str, phone_number: str) -> bool:
        try:
            with self._client.reading(clocks.LOOKUPS):
                self._client.rest.incoming_phone_numbers(number_id).fetch()
            return True
        except ProviderRefused as refusal:
            if refusal.status != 404:
                raise
        listed = self.find_number(phone_number)
        return listed is not None and listed.number_id == number_id

    def release(self, number_id: str) -> None:
        with self._client.spending(clocks.ORDER_POST):  # no money, but its outcome matters alike
            self._client.rest.incoming_phone_numbers(number_id).delete()
