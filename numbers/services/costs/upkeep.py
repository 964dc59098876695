"""Keeping what numbers cost up to date with what their providers say."""

from collections import defaultdict
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from burki.logs import emit
from burki.text import money
from numbers import clocks
from numbers.clocks import Deadline
from numbers.models import PhoneNumber
from numbers.providers.base import Price
from numbers.providers.registry import driver_for
from numbers.services.accounts import credentials_of
from organizations import audit
from organizations.actors import Actor
from organizations.credentials import lock_organization
from organizations.models import ProviderAccount

_AT_A_TIME = 500


def refresh_prices(account: ProviderAccount, *, actor: Actor) -> int:
    """Ask the price list of the account's provider what its active numbers cost now, and keep what
    changed; returns how many numbers have another price. Each change is in the audit, as
    `number.price_changed` with what it was and is.

    One request for each country, none where the provider has no price list (Telnyx tells prices
    with its offers alone, and no offer is made of a number that is owned). What the provider does
    not tell stays as it is. The set-up fee was paid once: it is filled in when it is not known or
    was in another currency, and otherwise stays what it was.

    Raises `NotConfigured`.
    """
    driver = driver_for(credentials_of(account), Deadline.after(clocks.PRICES))
    numbers = PhoneNumber.objects.filter(account=account, status=PhoneNumber.Status.ACTIVE)
    kinds = numbers.order_by("country", "number_type").values_list("country", "number_type")
    changed = 0
    for country, number_type in kinds.distinct():
        if driver.deadline.expired:
            break  # what is left waits for another day
        price = driver.price(country, number_type)
        if price.monthly is not None:
            alike = numbers.filter(country=country, number_type=number_type)
            changed += _keep(alike, price, actor)
    emit("prices.refreshed", account=account.pk, changed=changed)
    return changed


def _keep(numbers: QuerySet[PhoneNumber], price: Price, actor: Actor) -> int:
    """Set the price of those that have another one, each organization by itself."""
    other = ~Q(monthly_cost=price.monthly) | ~Q(currency=price.currency)
    if price.setup is not None:
        other |= Q(setup_cost=None)
    stale = numbers.filter(other)
    owners = list(stale.order_by().values_list("organization", flat=True).distinct())
    return sum(_keep_in(owner, stale.filter(organization=owner), price, actor) for owner in owners)


def _keep_in(owner: int, stale: QuerySet[PhoneNumber], price: Price, actor: Actor) -> int:
    changed = 0
    while True:
        with transaction.atomic():
            organization = lock_organization(owner)
            rows = list(stale.select_for_update(no_key=True).order_by("pk")[:_AT_A_TIME])
            alike: dict[tuple[Any, ...], list[PhoneNumber]] = defaultdict(list)
            for row in rows:
                alike[row.monthly_cost, row.setup_cost, row.currency].append(row)
            for (monthly, setup, currency), found in alike.items():
                new = {"monthly_cost": price.monthly, "currency": price.currency}
                if price.setup is not None and (setup is None or currency != price.currency):
                    new["setup_cost"] = price.setup
                PhoneNumber.objects.filter(pk__in=[row.pk for row in found]).update(**new)
                old = {"monthly_cost": monthly, "setup_cost": setup, "currency": currency}
                audit.record_each(
                    actor,
                    "number.price_changed",
                    found,
                    organization=organization,
                    old=_told(old),
                    new=_told(old | new),
                )
        changed += len(rows)
        if len(rows) < _AT_A_TIME:
            return changed


def _told(price: dict[str, Any]) -> dict[str, str | None]:
    return {
        "monthly_cost": money(price["monthly_cost"]),
        "setup_cost": money(price["setup_cost"]),
        "currency": price["currency"] or None,
    }
