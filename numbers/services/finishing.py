"""Completing a bought number: what the purchase could not find out or set within its deadline."""

from typing import Any

from numbers import clocks
from numbers.clocks import Deadline
from numbers.models import PhoneNumber
from numbers.providers.base import NumberProvider, Routing
from numbers.providers.registry import driver_for
from numbers.services import spending
from numbers.services.accounts import credentials_of
from organizations import audit
from organizations.actors import Actor


def finish_number(phone_number_id: int, *, actor: Actor) -> PhoneNumber:
    """Fetch the number's own id at the provider, set its connection and profile if the order did
    not, and fill in a missing price. Does nothing to a number that lacks nothing.

    Raises `ProviderError`; safe to try again.
    """
    number = PhoneNumber.objects.select_related("account").get(pk=phone_number_id)
    if number.status != PhoneNumber.Status.ACTIVE:
        return number
    driver = driver_for(credentials_of(number.account), Deadline.after(clocks.REQUEST))
    changed: dict[str, Any] = {}
    if driver.uses_connections or not number.provider_number_id:
        changed |= _identify(number, driver)
    if number.monthly_cost is None:
        price = driver.price(number.country, number.number_type)
        if price.monthly is not None:
            changed |= {
                "monthly_cost": price.monthly,
                "setup_cost": price.setup,
                "currency": price.currency,
            }
    if changed:
        PhoneNumber.objects.filter(pk=number.pk).update(**changed)
        told = {k: spending.money(v) if k.endswith("_cost") else v for k, v in changed.items()}
        audit.record(actor, "number.finished", number, organization=number.organization, **told)
        number.refresh_from_db()
    return number


def _identify(number: PhoneNumber, driver: NumberProvider) -> dict[str, Any]:
    owned = driver.find_number(number.phone_number)
    if owned is None:
        return {}
    there = (owned.routing.connection_id, owned.routing.messaging_profile_id)
    if driver.uses_connections and there != (
        number.connection_id,
        number.messaging_profile_id,
    ):
        driver.configure(
            owned.number_id,
            Routing(
                connection_id=number.connection_id,
                messaging_profile_id=number.messaging_profile_id,
            ),
        )
    if number.provider_number_id == owned.number_id:
        return {}
    return {"provider_number_id": owned.number_id}
