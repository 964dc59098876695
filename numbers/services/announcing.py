"""What happened to numbers, purchases and money, as customers' systems are told of it: see
`organizations.events.announcing`, which says why here, and what it costs. Each function is called
in the transaction of its cause, and costs no statement when nobody listens."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from burki.text import money
from numbers.models import PhoneNumber, Purchase
from numbers.services import spending
from organizations.credentials import lock_organization
from organizations.events import types
from organizations.events.announcing import News, announce
from organizations.models import Organization, ProviderAccount

State, Evidence = Purchase.State, Purchase.Evidence

# How a number came to be no longer the organization's.
RELEASED, GONE = "released", "gone"
_THRESHOLDS = {80: types.SPENDING_80, 100: types.SPENDING_100}
_MOVED = {
    State.COMPLETED: types.PURCHASE_COMPLETED,
    State.PENDING: types.PURCHASE_PENDING,
    State.REFUSED: types.PURCHASE_REFUSED,
}
_DECIDED = "decided"


def purchase_moved(purchase: Purchase, before: str, organization: Organization) -> None:
    """A purchase is completed, pending or refused, and was `before`. The end of one that was not
    settled is told twice: as what it is, for those who count numbers, and as settled."""
    if purchase.state not in _MOVED or not organization.has_event_endpoints:
        return
    data = _purchase(purchase)
    news = [News(type=_MOVED[purchase.state], data=data, url=_url_of(purchase))]
    if before != State.ORDERING and purchase.state != State.PENDING:
        settled = data | {"before": before, "how": _how(purchase)}
        news.append(News(type=types.PURCHASE_SETTLED, data=settled, url=_url_of(purchase)))
    announce(organization, *news)


def purchase_needs_person(purchase: Purchase, organization: Organization) -> None:
    if organization.has_event_endpoints:
        data = _purchase(purchase) | {"reason": purchase.attention_reason}
        news = News(type=types.PURCHASE_NEEDS_PERSON, data=data, url=_url_of(purchase))
        announce(organization, news)


def number_released(number: PhoneNumber, organization: Organization, *, how: str) -> None:
    if organization.has_event_endpoints:
        announce(organization, _of_number(types.NUMBER_RELEASED, number, how=how))


def number_repaired(number: PhoneNumber, done: Iterable[str], organization: Organization) -> None:
    """`done`: the names of what was set."""
    if organization.has_event_endpoints:
        news = _of_number(types.NUMBER_REPAIRED, number, settings=sorted(done))
        announce(organization, news)


def numbers_drifted(found: Mapping[PhoneNumber, Mapping[str, Any]]) -> None:
    """Numbers, of any organizations, whose drift is new, with what differs by name. Values are
    not told: somebody else's address may hold a password."""
    of: dict[int, list[News]] = {}
    for number, different in found.items():
        news = _of_number(types.NUMBER_DRIFTED, number, settings=sorted(different))
        of.setdefault(number.organization_id, []).append(news)
    for organization in Organization.objects.filter(pk__in=of) if of else ():
        announce(organization, *of[organization.pk])


def balance_low(account: ProviderAccount) -> None:
    """The platform's own account is not its customers' business."""
    if account.organization is None:
        return
    data = {
        "account_id": account.pk,
        "account": str(account),
        "provider": account.provider,
        "balance": money(account.balance),
        "currency": account.last_check.get("currency"),
        "threshold": money(account.low_balance_threshold),
    }
    url = f"{_api()}/organization/provider-accounts/{account.pk}"
    announce(account.organization, News(type=types.BALANCE_LOW, data=data, url=url))


def spending_reached(organization: Organization, committed: Decimal | None) -> None:
    """A claim brought this month's commitment to so much. Each threshold is told once a month;
    which was, is known from the row that the claim has locked."""
    limit = organization.monthly_limit
    if committed is None or limit is None:
        return
    reached = [percent for percent in _THRESHOLDS if committed * 100 >= limit * percent]
    _tell_spending(organization, reached, committed, refused=False)


def limit_stopped_purchase(organization: Organization) -> None:
    """A purchase was refused since it does not fit into the limit. Prices seldom add up to the
    limit itself: it is used up when most of it is committed and the next number does not fit."""
    with transaction.atomic():
        organization = lock_organization(organization.pk)
        limit = organization.monthly_limit
        committed = None if limit is None else spending.committed(organization)
        if committed is not None and committed * 100 >= limit * min(_THRESHOLDS):
            _tell_spending(organization, list(_THRESHOLDS), committed, refused=True)


def _tell_spending(
    organization: Organization, reached: list[int], committed: Decimal, *, refused: bool
) -> None:
    month = spending.month_start(timezone.now()).date()
    this_month = organization.spending_told_month == month
    told = organization.spending_told_percent if this_month else 0
    new = [percent for percent in reached if percent > told]
    if not new:
        return
    organization.spending_told_month, organization.spending_told_percent = month, max(new)
    organization.save(update_fields=["spending_told_month", "spending_told_percent"])
    data = {
        "month": f"{month:%Y-%m}",
        "committed": money(committed),
        "limit": money(organization.monthly_limit),
        "currency": organization.limit_currency,
        "purchase_refused": refused,
    }
    url = f"{_api()}/organization"
    news = [News(type=_THRESHOLDS[percent], data=data, url=url) for percent in new]
    announce(organization, *news)


def _purchase(purchase: Purchase) -> dict[str, Any]:
    refused = purchase.state == State.REFUSED
    return {
        "purchase_id": str(purchase.pk),
        "state": purchase.state,
        "provider": purchase.provider,
        "phone_number": purchase.phone_number,
        "number_id": purchase.number_id,
        "assistant_id": purchase.request.get("assistant_id"),
        "charged": purchase.charged,
        "monthly_cost": money(purchase.monthly_cost),
        "setup_cost": money(purchase.setup_cost),
        "currency": purchase.currency or None,
        "code": purchase.refusal_code or None,
        "retryable": purchase.retryable if refused else None,
        "hint": purchase.hint or None,
    }


def _how(purchase: Purchase) -> str:
    """How the end of a purchase came to be known."""
    if purchase.state == State.REFUSED:
        return purchase.evidence
    return _DECIDED if purchase.provider_status == _DECIDED else "found_at_provider"


def _of_number(event_type: str, number: PhoneNumber, **facts: Any) -> News:
    data = {
        "number_id": number.pk,
        "provider": number.provider,
        "phone_number": number.phone_number,
        "assistant_id": number.assistant_id,
        "friendly_name": number.friendly_name,
    } | facts
    return News(type=event_type, data=data, url=f"{_api()}/phone-numbers/{number.phone_number}")


def _url_of(purchase: Purchase) -> str:
    return f"{_api()}/phone-numbers/purchases/{purchase.pk}"


def _api() -> str:
    return f"{settings.PUBLIC_BASE_URL}/api/v1"
