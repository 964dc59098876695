"""Telnyx, through its REST API v2: https://developers.telnyx.com/api.

An order is asynchronous: it is accepted, then it succeeds or fails. Webhook addresses lie on a
Call Control application and a messaging profile, which the order names. Telnyx's own package is
not used, because it repeats orders by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import replace
from typing import Any

from numbers import clocks
from numbers.clocks import Deadline
from numbers.e164 import country_of, is_e164, national_digits, number_type_of, without_country_code
from numbers.exceptions import (
    OutcomeUnknown,
    ProviderError,
    ProviderRefused,
    ProviderUnreachable,
    UnsupportedCriteria,
)
from numbers.providers import telnyx_account, telnyx_connections
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
    OrderState,
    OwnedNumber,
    Price,
    Routing,
    SearchCriteria,
    Sighting,
    Standing,
)
from numbers.providers.telnyx_answers import (
    is_gone,
    read_available,
    read_countries,
    read_order,
    rows,
    to_listed,
    to_order,
    to_owned,
)
from numbers.providers.telnyx_client import TelnyxClient

_POLLS = (0.1, 0.2, 0.4, 0.8, 1.0, 1.5, 2.0)  # seconds between looks, after the first
_NORTH_AMERICA = ("US", "CA")
# They stay: starting one took half a millisecond of each purchase. As many as a web process has
# threads.
_LOOKERS = ThreadPoolExecutor(max_workers=64, thread_name_prefix="telnyx-look")


class TelnyxProvider(NumberProvider):
    name = "telnyx"
    uses_connections = True
    sells_only_offers = True
    keeps_names = False

    def __init__(self, credentials: Credentials, deadline: Deadline):
        super().__init__(credentials, deadline)
        self._client = TelnyxClient(credentials, deadline)

    def search(self, criteria: SearchCriteria) -> list[AvailableNumber]:
        if criteria.region and criteria.country_code not in _NORTH_AMERICA:
            raise UnsupportedCriteria(
                "Telnyx searches by region in the US and Canada only: use area_code or locality."
            )
        where, digits = "contains", criteria.contains
        if digits.startswith("+"):  # Telnyx's filters on digits never hold the country code
            where = "starts_with"
            digits = without_country_code(digits, criteria.country_code)
            if digits is None:
                return []
        filters = {
            "filter[country_code]": criteria.country_code,
            "filter[phone_number_type]": criteria.number_type,
            "filter[national_destination_code]": criteria.area_code,
            f"filter[phone_number][{where}]": digits,
            "filter[locality]": criteria.locality,
            "filter[administrative_area]": criteria.region,
            "filter[best_effort]": "false",  # never numbers outside of what was asked
            "filter[limit]": str(criteria.limit),
        }
        data = self._client.get(
            "/available_phone_numbers",
            {k: v for k, v in filters.items() if v},
            clocks.READ,
        )
        return [
            read_available(item, criteria.country_code, criteria.number_type)
            for item in rows(data)
            if is_e164(item.get("phone_number"))
        ][: criteria.limit]

    def inspect(self, phone_number: str) -> Standing:
        """One search for exactly this number: Telnyx then lets the account order it. What is not
        for sale may be in the account already."""
        offer = self._find_offer(phone_number)
        owned = None if offer else self.find_number(phone_number)
        return Standing(offer=offer, owned=owned)

    def _find_offer(self, phone_number: str) -> AvailableNumber | None:
        # Telnyx's filters on digits never hold the country code.
        filters = {
            "filter[country_code]": country_of(phone_number),
            "filter[phone_number][starts_with]": national_digits(phone_number),
            "filter[best_effort]": "false",
            "filter[limit]": "5",
        }
        data = self._client.get("/available_phone_numbers", filters, clocks.READ)
        for item in rows(data):
            if item.get("phone_number") == phone_number:
                return read_available(item, country_of(phone_number), number_type_of(phone_number))
        return None

    def price(self, country: str, number_type: str, *, ask: bool = True) -> Price:
        return Price()  # Telnyx has no price list: each offer carries its price

    def buy(self, request: BuyRequest, *, may_send: Callable[[], bool]) -> Order:
        """SPENDS MONEY. `POST /number_orders`; once more, after a search for exactly this number,
        if Telnyx says that it was not searched for (85000)."""
        try:
            return self._order(request, may_send)
        except ProviderRefused as refusal:
            if refusal.provider_code != "85000":
                raise
            try:
                self._find_offer(request.phone_number)
            except ProviderError:
                raise refusal from None
        return self._order(request, may_send)

    def _order(self, request: BuyRequest, may_send: Callable[[], bool]) -> Order:
        """SPENDS MONEY. The one POST."""
        body: dict[str, Any] = {
            "phone_numbers": [{"phone_number": request.phone_number}],
            "customer_reference": request.reference,
        }
        if request.routing.connection_id:
            body["connection_id"] = request.routing.connection_id
        if request.routing.messaging_profile_id:
            body["messaging_profile_id"] = request.routing.messaging_profile_id
        if not may_send():
            raise ProviderRefused(
                code="unavailable",
                hint="It was too late to send the order. Try again, with a new Idempotency-Key.",
                retryable=True,
            )
        data = self._client.send(
            "POST", "/number_orders", clocks.ORDER_POST, spends=True, json=body
        ).get("data")
        try:
            return to_order(data, request.phone_number)
        except (TypeError, KeyError, AttributeError) as error:
            raise OutcomeUnknown(
                provider_message="Telnyx's answer does not name the number ordered."
            ) from error

    def follow(self, order: Order, phone_number: str) -> Order:
        try:
            if order.state == OrderState.PENDING and not order.blocked:
                order = self._first_look(order, phone_number)
            for pause in _POLLS:
                if order.state != OrderState.PENDING or order.blocked:
                    break
                pause = clocks.scaled(pause)
                if pause >= self.deadline.remaining():
                    break
                time.sleep(pause)
                order = self._get_order(order.order_id, phone_number) or order
            if order.blocked and order.state == OrderState.PENDING:
                self.cancel_order(order)
                order = self._get_order(order.order_id, phone_number) or order
            return self._completed(order, phone_number)
        except ProviderError:
            return order

    def _first_look(self, order: Order, phone_number: str) -> Order:
        """Ask for the order and for its number at the same time: where the order is done by now,
        the purchase takes no third round trip."""
        looking = _LOOKERS.submit(copy_context().run, self.find_number, phone_number)
        try:
            order = self._get_order(order.order_id, phone_number) or order
        finally:
            if not looking.cancel():
                wait([looking])  # no request outlives its purchase
        try:
            number = looking.result()
        except (ProviderError, CancelledError):
            number = None
        return replace(order, number=number) if order.state == OrderState.COMPLETED else order

    def look_for(self, *, reference: str, phone_number: str, order_id: str) -> Look:
        order = self._get_order(order_id, phone_number) if order_id else None
        if order is None:
            order = self._find_order(reference, phone_number)
        if order is not None:
            order = self._completed(order, phone_number)
            return Look(sighting=Sighting.FOUND, order=order, number=order.number)
        number = self.find_number(phone_number)
        if number is None:
            return Look(sighting=Sighting.ABSENT)
        if number.reference != reference:
            return Look(sighting=Sighting.FOREIGN, number=number)
        order = Order(
            state=OrderState.COMPLETED if number.in_service else OrderState.PENDING,
            order_id="",
            status=str(number.raw["status"] or "listed"),
            number=number,
            created_at=number.created_at,
        )
        return Look(sighting=Sighting.FOUND, order=order, number=number)

    def find_number(self, phone_number: str, *, whole: bool = False) -> OwnedNumber | None:
        # The filter wants digits only and matches parts of numbers as well.
        filters = {"filter[phone_number]": phone_number.lstrip("+")}
        if not whole:  # rather without the profile than not at all
            filters["handle_messaging_profile_error"] = "true"
        for item in self._client.pages("/phone_numbers", filters):
            if item.get("phone_number") == phone_number and not is_gone(item):
                return to_owned(item)
        return None

    def list_numbers(self) -> Iterator[OwnedNumber]:
        # Never with handle_messaging_profile_error: it leaves out the profiles when Telnyx cannot
        # tell them, and every number would seem to have lost its own.
        items = self._client.pages("/phone_numbers", {})
        return (to_listed(item) for item in items if not is_gone(item))

    def check_account(self) -> AccountStanding:
        return telnyx_account.check(self._client)

    def countries(self) -> list[Country]:
        return read_countries(self._client.get("/country_coverage", {}, clocks.READ).get("data"))

    def destinations(self, number: OwnedNumber) -> Destinations:
        """They lie on its application and its profile."""
        return telnyx_connections.destinations(self._client, number.routing)

    def all_destinations(self, shelf: Endpoints) -> Callable[[OwnedNumber], Destinations]:
        return telnyx_connections.all_destinations(self._client, shelf)

    def cancel_order(self, order: Order) -> None:
        for sub_order in order.sub_order_ids:
            self._client.send("PATCH", f"/sub_number_orders/{sub_order}/cancel", clocks.READ)

    def configure(
        self,
        number_id: str,
        routing: Routing,
        friendly_name: str = "",
        *,
        clear: Collection[str] = (),
    ) -> None:
        if routing.connection_id:
            self._client.send(
                "PATCH",
                f"/phone_numbers/{number_id}",
                clocks.READ,
                json={"connection_id": routing.connection_id},
            )
        if routing.messaging_profile_id or "messaging_profile_id" in clear:  # "" takes it away
            self._client.send(
                "PATCH",
                f"/phone_numbers/{number_id}/messaging",
                clocks.READ,
                json={"messaging_profile_id": routing.messaging_profile_id},
            )

    def check_routing(
        self, routing: Routing, *, webhook_url: str, set_missing: bool = True
    ) -> None:
        telnyx_connections.check(
            self._client, routing, webhook_url=webhook_url, set_missing=set_missing
        )

    def set_webhooks(
        self, routing: Routing, *, voice_url: str = "", sms_url: str = "", api_version: str = "2"
    ) -> None:
        telnyx_connections.set_webhooks(
            self._client, routing, voice_url=voice_url, sms_url=sms_url, api_version=api_version
        )

    def put_back(self, number_id: str, settings: dict[str, str]) -> None:
        self.configure(number_id, Routing(**settings))

    def make_routing(self, *, name: str, webhook_url: str) -> Routing:
        return telnyx_connections.make(self._client, name=name, webhook_url=webhook_url)

    def public_key(self) -> str:
        return telnyx_connections.public_key(self._client)

    def make_voice_route(self, *, name: str, voice_url: str) -> Routing:
        return telnyx_connections.make_voice_route(self._client, name=name, voice_url=voice_url)

    def still_owns(self, number_id: str, phone_number: str) -> bool:
        try:
            data = self._client.get(f"/phone_numbers/{number_id}", {}).get("data")
        except ProviderRefused as refusal:
            if refusal.status != 404:
                raise
        else:
            if not isinstance(data, dict):
                raise ProviderUnreachable(provider_message="Telnyx's answer could not be read.")
            if not is_gone(data):
                return True
        listed = self.find_number(phone_number)
        return listed is not None and listed.number_id == number_id

    def release(self, number_id: str) -> None:
        # No money, but its outcome matters alike.
        self._client.send("DELETE", f"/phone_numbers/{number_id}", clocks.ORDER_POST, spends=True)

    # --- Orders ----------------------------------------------------------------------------------

    def _get_order(self, order_id: str, phone_number: str) -> Order | None:
        try:
            data = self._client.get(f"/number_orders/{order_id}", {}).get("data")
        except ProviderRefused as refusal:
            if refusal.status == 404:
                return None
            raise
        return read_order(data, phone_number)

    def _find_order(self, reference: str, phone_number: str) -> Order | None:
        """The order with our tag. The list does not tell the items' states: it is read by id."""
        filters = {"filter[customer_reference]": reference}
        found = [
            row
            for row in self._client.pages("/number_orders", filters)
            if row.get("customer_reference") == reference and row.get("id")
        ]
        orders = [self._get_order(str(row["id"]), phone_number) for row in found]
        if None in orders:
            raise ProviderUnreachable(provider_message="Telnyx does not show an order it lists.")
        # One purchase makes one order; were there two, the one that bought counts.
        rank = {OrderState.COMPLETED: 0, OrderState.PENDING: 1, OrderState.REFUSED: 2}
        return min((o for o in orders if o), key=lambda o: rank[o.state], default=None)

    def _completed(self, order: Order, phone_number: str) -> Order:
        """The order with its number, if it succeeded. A withdrawn order counts as refused only
        when the number is not in the account."""
        if order.state == OrderState.PENDING or order.number is not None:
            return order
        withdrawn = order.status in ("cancelled", "deleted")
        if order.state == OrderState.REFUSED and not withdrawn:
            return order
        number = self.find_number(phone_number)
        if order.state == OrderState.REFUSED:
            return order if number is None else replace(order, state=OrderState.PENDING)
        return replace(order, number=number)
