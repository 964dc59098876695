"""What providers offered: written by every search, relied on for a quarter of an hour."""

from django.db.models import Exists, OuterRef
from django.utils import timezone

from numbers import clocks
from numbers.models import Offer, Purchase
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


def fresh_offer(account: ProviderAccount, phone_number: str) -> Offer | None:
    """The latest offer of the number to this account, if it is fresh and nobody here tried to buy
    the number since: after that it no longer proves that the account does not have it."""
    tried = (
        Purchase.objects.filter(provider=account.provider, phone_number=phone_number)
        # These two are certain: the number did not come into the account.
        .exclude(evidence__in=(Evidence.PROVIDER_SAID_NO, Evidence.NOT_SENT))
        .filter(claimed_at__gte=OuterRef("seen_at"))
    )
    return (
        Offer.objects.filter(
            ~Exists(tried),
            account=account,
            phone_number=phone_number,
            seen_at__gte=timezone.now() - clocks.OFFER_IS_FRESH,
        )
        .order_by("-seen_at")
        .first()
    )


def purge_offers() -> int:
    """Forget offers older than 90 days; returns how many."""
    old = Offer.objects.filter(seen_at__lt=timezone.now() - clocks.OFFERS_ARE_KEPT)
    return old.delete()[0]
