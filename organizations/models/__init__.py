from organizations.models.accounts import Provider, ProviderAccount
from organizations.models.api_keys import ApiKey
from organizations.models.audit import AppendOnlyError, AuditEvent, AuditSeal, ProtectedQuerySet
from organizations.models.events import Event, EventAttempt, EventDelivery, EventEndpoint
from organizations.models.organizations import Membership, Organization, Role
from organizations.models.users import User

__all__ = [
    "ApiKey",
    "AppendOnlyError",
    "AuditEvent",
    "AuditSeal",
    "Event",
    "EventAttempt",
    "EventDelivery",
    "EventEndpoint",
    "Membership",
    "Organization",
    "ProtectedQuerySet",
    "Provider",
    "ProviderAccount",
    "Role",
    "User",
]
