"""Plain functions for tests of the inventory; the cast is in `burki.testing`."""

from datetime import timedelta
from typing import Any

from burki.testing import CONNECTION, PROFILE, SYSTEM, TELNYX_NUMBER, TWILIO_NUMBER
from numbers.inventory import Report, compare_account
from numbers.models import Comparison, Finding, PhoneNumber
from numbers.services.purchase import purchase_number
from organizations.models import Organization, ProviderAccount

NUMBERS = {"twilio": TWILIO_NUMBER, "telnyx": TELNYX_NUMBER}
ORPHAN = "+14155552001"
ELSEWHERE = "https://elsewhere.test/hook"
TWIML, WEBHOOK = "https://burki.test/twiml", "https://burki.test/telnyx-webhook"
APPLICATION, TRUNK = "AP" + "1" * 32, "TK" + "1" * 32
LISTS = {"twilio": "IncomingPhoneNumbers.json", "telnyx": "/phone_numbers$"}  # their paths


def account_of(organization: Organization, provider: str) -> ProviderAccount:
    return organization.provider_accounts.get(provider=provider)


def bought(organization: Organization, provider: str, phone_number: str = "") -> PhoneNumber:
    return purchase_number(
        actor=SYSTEM,
        organization=organization,
        provider=provider,
        phone_number=phone_number or NUMBERS[provider],
        assistant_id=None,
        friendly_name="",
        idempotency_key=None,
    ).purchase.number


def own(sandbox, account: ProviderAccount, phone_number: str = ORPHAN, **over: Any) -> dict:
    """Put a number into the account as if it had been bought elsewhere."""
    named = account.account_sid or account.secret.split(".")[0]
    return sandbox.own(provider=account.provider, account=named, phone_number=phone_number, **over)


def compared(account: ProviderAccount, *, dry_run: bool = False) -> Report:
    """The report of a comparison that must work."""
    report = compare_account(account, actor=SYSTEM, dry_run=dry_run)
    assert report.failure is None
    return report


def finding_of(account: ProviderAccount, kind: str) -> Finding:
    """The one open finding of this kind, after a comparison."""
    compared(account)
    return Finding.objects.open().get(account=account, kind=kind)


def minutes_pass() -> None:
    """As if everything had been found an hour earlier."""
    hour = timedelta(hours=1)
    for finding in Finding.objects.all():
        finding.first_seen_at -= hour
        finding.last_seen_at -= hour
        finding.save()
    for comparison in Comparison.objects.all():
        comparison.began_at -= hour
        comparison.save()


def connection_is(sandbox, **fields: Any) -> None:
    """Change the Call Control application that Acme's Telnyx account names."""
    there = {"application_name": "Desk", "webhook_event_url": WEBHOOK} | fields
    sandbox.set_account("KEYacme", connections=[{"id": CONNECTION} | there])


def profile_is(sandbox, **fields: Any) -> None:
    there = {"name": "Desk", "webhook_url": WEBHOOK} | fields
    sandbox.set_account("KEYacme", messaging_profiles=[{"id": PROFILE} | there])


def changes_sent(sandbox) -> list[Any]:
    """Every request that could have changed something at a provider."""
    return [request for request in sandbox.requests() if request.method != "GET"]
