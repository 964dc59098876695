from numbers.models.bulk import BulkItem, BulkPurchase
from numbers.models.fallbacks import FallbackPurchase
from numbers.models.inventory import Comparison, Finding
from numbers.models.offers import Offer, ProviderSetup
from numbers.models.phone_numbers import PhoneNumber
from numbers.models.purchases import Purchase
from numbers.models.releases import Release

__all__ = [
    "BulkItem",
    "BulkPurchase",
    "Comparison",
    "FallbackPurchase",
    "Finding",
    "Offer",
    "PhoneNumber",
    "ProviderSetup",
    "Purchase",
    "Release",
]
