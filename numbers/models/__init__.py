from numbers.models.bulk import BulkItem, BulkPurchase
from numbers.models.caller_ids import CallerIdCall, VerifiedCallerId
from numbers.models.fallbacks import FallbackPurchase
from numbers.models.inbound import (
    Call,
    Direction,
    HandoverAttempt,
    Message,
    SigningSecret,
    WebhookDelivery,
)
from numbers.models.inventory import Comparison, Finding
from numbers.models.offers import Offer, ProviderSetup
from numbers.models.phone_numbers import PhoneNumber
from numbers.models.purchases import Purchase
from numbers.models.releases import Release
from numbers.models.replay_keys import PurchaseReplayKey, ReleaseReplayKey
from numbers.models.tallies import CostTally, NumberTally

__all__ = [
    "BulkItem",
    "BulkPurchase",
    "Call",
    "CallerIdCall",
    "Comparison",
    "CostTally",
    "Direction",
    "FallbackPurchase",
    "Finding",
    "HandoverAttempt",
    "Message",
    "NumberTally",
    "Offer",
    "PhoneNumber",
    "ProviderSetup",
    "Purchase",
    "PurchaseReplayKey",
    "Release",
    "ReleaseReplayKey",
    "SigningSecret",
    "WebhookDelivery",
    "VerifiedCallerId",
]
