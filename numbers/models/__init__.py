from numbers.models.offers import Offer, ProviderSetup
from numbers.models.phone_numbers import PhoneNumber
from numbers.models.purchases import Purchase

__all__ = ["Offer", "PhoneNumber", "ProviderSetup", "Purchase"]
