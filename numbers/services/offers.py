"""What providers offered: written by every search, relied on for a quarter of an hour."""

from django.utils import timezone

from burki.rows import Columns, fetch
from numbers import clocks
from numbers.models import Offer, PhoneNumber, Purchase
from numbers.providers.base import AvailableNumber
from organizations.models import ProviderAccount

Evidence = Purchase.Evidence


def keep_offers(account: ProviderAccount, found: list[AvailableNumber]) -> list[Offer]:
    """Remember what a search in `account` found."""
    return Offer.objects.bulk_create(
        Offer(
            account=account,
            provider=account.provider,
            phone_number=number.phone_number,
            monthly_cost=number.price.monthly,
            setup_cost=number.price.setup,
            currency=number.price.currency[:3],
            capabilities=number.capabilities,
            country=number.country[:2],
            region=number.region[:100],
            locality=number.locality[:100],
            number_type=number.number_type,
        )
        for number in found
    )


# Two evidences are certain: the number did not come into the account.
_OFFER = Columns(Offer)
_FRESH = f"""
    SELECT {_OFFER.of("offer")} FROM {Offer._meta.db_table} offer
    WHERE account_id = %s AND phone_number = %s AND seen_at >= %s
      AND NOT EXISTS (
        SELECT FROM {Purchase._meta.db_table} tried
        WHERE tried.provider = offer.provider AND tried.phone_number = offer.phone_number
          AND tried.claimed_at >= offer.seen_at
          AND tried.evidence NOT IN ('{Evidence.PROVIDER_SAID_NO}', '{Evidence.NOT_SENT}'))
      AND NOT EXISTS (
        SELECT FROM {PhoneNumber._meta.db_table} held
        WHERE held.provider = offer.provider AND held.phone_number = offer.phone_number
          AND held.status <> '{PhoneNumber.Status.RELEASED}')
    ORDER BY seen_at DESC LIMIT 1
"""


def fresh_offer(account: ProviderAccount, phone_number: str) -> Offer | None:
    """The latest offer of the number to this account, if it is fresh, nobody here has the number,
    and nobody tried to buy it since: after that it no longer proves that the account does not have
    it."""
    since = timezone.now() - clocks.OFFER_IS_FRESH
    found = fetch(_FRESH, [account.pk, phone_number, since])
    return _OFFER.row(found[0]) if found else None


def purge_offers() -> int:
    """Forget offers older than 90 days; returns how many."""
    old = Offer.objects.filter(seen_at__lt=timezone.now() - clocks.OFFERS_ARE_KEPT)
    return old.delete()[0]
