"""Whose credentials pay: the assistant's, else the organization's, else the platform's; never
mixed, and a set that cannot be used stops instead of falling through."""

import base64
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from burki.testing import (
    in_threads,
    make_assistant,
    make_organization,
    make_telnyx_account,
    make_twilio_account,
    orders_sent,
    post,
)
from numbers.models import PhoneNumber, Purchase
from numbers.tests.money import ORDERS, buy, grow_older, settle, word
from organizations.models import AuditEvent

PURCHASE = "/phone-numbers/purchase"
ASSISTANTS_SID, ENVIRONMENT_SID = "AC" + "5" * 32, "AC" + "e" * 32
# The account as the sandbox logs it: Twilio's SID, what stands before a Telnyx key's full stop.
ENVIRONMENT = {"twilio": ENVIRONMENT_SID, "telnyx": "KEYenvironment"}
ASSISTANTS = {"twilio": ASSISTANTS_SID, "telnyx": "KEYassistant"}

pytestmark = pytest.mark.django_db
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])


@pytest.fixture
def environment(settings):
    """The platform has accounts at both providers."""
    settings.TWILIO_ACCOUNT_SID = ENVIRONMENT_SID
    settings.TWILIO_AUTH_TOKEN = "environment-token-9e1c"
    settings.TELNYX_API_KEY = "KEYenvironment.first-9e1c"


def account_of(organization, provider: str):
    return organization.provider_accounts.get(provider=provider, is_default=True)


def name_of(organization, provider: str) -> str:
    own = account_of(organization, provider)
    return {"twilio": own.account_sid, "telnyx": f"KEY{organization.slug}"}[provider]


def give_account(assistant, provider: str):
    """An account of its own for the assistant, in its organization."""
    if provider == "twilio":
        account = make_twilio_account(
            assistant.organization, account_sid=ASSISTANTS_SID, is_default=False
        )
    else:
        account = make_telnyx_account(
            assistant.organization, secret="KEYassistant.first", is_default=False
        )
    setattr(assistant, f"{provider}_account", account)
    assistant.save()
    return account


def asked(sandbox) -> set[str]:
    return {request.account for request in sandbox.requests()}


def stopped(sandbox, organization, provider: str, **request) -> str:
    """The purchase is refused as not configured, nothing was sent anywhere; returns the hint."""
    assert word(lambda: buy(organization, provider, **request)) == "not_configured"
    assert sandbox.requests() == []
    purchase = Purchase.objects.get(organization=organization)
    assert (purchase.state, purchase.refusal_code) == ("refused", "not_configured")
    assert (purchase.evidence, purchase.account, purchase.number) == ("not_sent", None, None)
    assert PhoneNumber.objects.count() == 0
    assert AuditEvent.objects.get(action="purchase.refused").data["code"] == "not_configured"
    return purchase.hint


@both
@pytest.mark.parametrize("level", ["assistant", "organization", "environment"])
def test_the_first_level_that_has_an_account_pays(level, provider, environment, sandbox):
    organization = make_organization("Acme", accounts=level != "environment")
    assistant = make_assistant(organization)
    expected = ENVIRONMENT[provider]
    if level == "assistant":
        give_account(assistant, provider)
        expected = ASSISTANTS[provider]
    elif level == "organization":
        expected = name_of(organization, provider)

    bought = buy(organization, provider, assistant_id=assistant.pk)

    assert asked(sandbox) == {expected}
    assert [owned["account"] for owned in sandbox.owned()] == [expected]
    account = PhoneNumber.objects.get().account
    assert bought.purchase.account == account
    assert account.source == ("environment" if level == "environment" else "organization")
    assert account.provider == provider


@both
def test_an_assistant_s_account_at_one_provider_says_nothing_about_the_other(
    provider, organization, assistant, sandbox
):
    give_account(assistant, {"twilio": "telnyx", "telnyx": "twilio"}[provider])

    buy(organization, provider, assistant_id=assistant.pk)

    assert asked(sandbox) == {name_of(organization, provider)}


@both
def test_an_assistant_s_account_serves_that_assistant_only(
    provider, organization, assistant, sandbox
):
    give_account(assistant, provider)
    other = make_assistant(organization, "Sales")

    buy(organization, provider, assistant_id=other.pk)

    assert asked(sandbox) == {name_of(organization, provider)}


def without_secret(account):
    account.encrypted_credentials = ""


def disabled(account):
    account.is_active = False


def unreadable(account):
    lost_key = Fernet(Fernet.generate_key())
    account.encrypted_credentials = lost_key.encrypt(b'{"secret": "x"}').decode()


def without_sid(account):
    account.account_sid = ""


BROKEN = [
    ("twilio", without_secret, "is incomplete: it needs its auth token and account SID"),
    ("twilio", without_sid, "is incomplete: it needs its auth token and account SID"),
    ("twilio", disabled, "is disabled: enable it"),
    ("twilio", unreadable, "cannot be read. Enter them again"),
    ("telnyx", without_secret, "is incomplete: it needs its API key"),
    ("telnyx", disabled, "is disabled: enable it"),
    ("telnyx", unreadable, "cannot be read. Enter them again"),
]


@pytest.mark.parametrize(("provider", "breaking", "hint"), BROKEN)
@pytest.mark.parametrize("level", ["assistant", "organization"])
def test_an_account_that_cannot_be_used_stops_the_purchase(
    level, provider, breaking, hint, organization, assistant, environment, sandbox
):
    account = account_of(organization, provider)
    if level == "assistant":
        account = give_account(assistant, provider)
    breaking(account)
    account.save()

    assert hint in stopped(sandbox, organization, provider, assistant_id=assistant.pk)


@both
def test_accounts_of_which_none_is_the_default_stop_the_purchase(
    provider, organization, environment, sandbox
):
    organization.provider_accounts.update(is_default=False)

    assert "default" in stopped(sandbox, organization, provider)


@both
def test_without_any_credentials_the_purchase_stops(provider, sandbox):
    organization = make_organization("Poor", accounts=False)

    hint = stopped(sandbox, organization, provider)

    assert hint == f"Enter {provider.title()} credentials for the organization."


@both
def test_an_organization_that_may_not_use_the_platform_s_accounts_stops(
    provider, environment, sandbox
):
    organization = make_organization("Own", accounts=False, may_use_platform_accounts=False)

    assert "may not use the platform's" in stopped(sandbox, organization, provider)


@both
def test_an_organization_that_may_not_use_them_buys_with_its_own(
    provider, organization, environment, sandbox
):
    organization.may_use_platform_accounts = False
    organization.save()

    assert word(lambda: buy(organization, provider)) == "completed"
    assert asked(sandbox) == {name_of(organization, provider)}


@both
def test_an_assistant_that_points_at_another_organization_s_account_stops(
    provider, organization, other_organization, assistant, environment, sandbox
):
    setattr(assistant, f"{provider}_account", account_of(other_organization, provider))
    with pytest.raises(ValidationError, match="account of this organization"):
        assistant.full_clean()
    assistant.save()

    hint = stopped(sandbox, organization, provider, assistant_id=assistant.pk)

    assert hint == "The assistant's provider account is not this organization's."
    assert other_organization.name not in hint


@both
def test_an_assistant_that_points_at_an_account_of_the_other_provider_stops(
    provider, organization, assistant, environment, sandbox
):
    wrong = account_of(organization, {"twilio": "telnyx", "telnyx": "twilio"}[provider])
    setattr(assistant, f"{provider}_account", wrong)
    assistant.save()

    stopped(sandbox, organization, provider, assistant_id=assistant.pk)


def test_not_configured_is_a_500_that_charged_nothing(sandbox, organization, client):
    organization.provider_accounts.update(is_active=False)

    response = post(client, PURCHASE, {"provider": "twilio", "phone_number": "+14155551234"})

    assert response.status_code == 500
    assert response.json()["detail"] == "Failed to purchase phone number from twilio"
    assert (response.json()["code"], response.json()["charged"]) == ("not_configured", False)
    assert "disabled" in response.json()["hint"]


@both
def test_a_number_and_its_purchase_keep_the_account_that_bought_them(
    provider, organization, other_organization, sandbox
):
    buy(organization, provider)
    account = account_of(organization, provider)
    foreign = account_of(other_organization, provider)

    for model in (PhoneNumber, Purchase):
        assert model.objects.get().account == account
        with pytest.raises(IntegrityError), transaction.atomic():
            model.objects.update(account=foreign)


@both
def test_a_purchase_is_settled_with_the_account_that_bought_it(
    provider, organization, environment, sandbox
):
    sandbox.add_fault(method="POST", path=ORDERS[provider], action="drop")
    assert word(lambda: buy(organization, provider)) == "outcome_unknown"
    bought_with = name_of(organization, provider)
    organization.provider_accounts.update(is_default=False)
    make_twilio_account(organization, account_sid="AC" + "7" * 32)
    make_telnyx_account(organization, secret="KEYnew.first")
    sandbox.clear_requests()

    settle(Purchase.objects.get())

    assert asked(sandbox) == {bought_with}


@both
def test_a_purchase_whose_account_cannot_be_used_any_more_needs_a_person(
    provider, organization, environment, sandbox
):
    sandbox.add_fault(method="POST", path=ORDERS[provider], action="drop")
    assert word(lambda: buy(organization, provider)) == "outcome_unknown"
    organization.provider_accounts.update(is_active=False)
    sandbox.clear_requests()

    for _ in range(4):
        settled = settle(Purchase.objects.get())
        grow_older(settled, first_empty_look_at=timedelta(minutes=5))

    assert (settled.state, settled.empty_looks) == ("uncertain", 1)  # the one of the request
    assert "disabled" in settled.attention_reason
    assert sandbox.requests() == []


@pytest.mark.django_db(transaction=True)
def test_the_secret_of_one_account_is_never_sent_with_the_ids_of_another(
    organization, other_organization, environment, sandbox, settings, monkeypatch
):
    settings.CLOCK_SCALE = 1
    assistant, guest = make_assistant(organization), make_organization("Guest", accounts=False)
    for provider in ("twilio", "telnyx"):
        give_account(assistant, provider)
    accounts = [
        account_of(organization, "twilio"),
        account_of(other_organization, "twilio"),
        assistant.twilio_account,
    ]
    for account in accounts:
        account.secret = f"token-of-{account.pk}"
        account.save()
    sent, answer = set(), sandbox._answer

    def noting(request):
        scheme, _, given = request.headers["authorization"].partition(" ")
        known = base64.b64decode(given).decode() if scheme == "Basic" else given
        sent.add((request.account if request.provider == "twilio" else "", known))
        return answer(request)

    monkeypatch.setattr(sandbox, "_answer", noting)
    buyers = [
        (organization, None),
        (organization, assistant.pk),
        (other_organization, None),
        (guest, None),
    ]

    results = in_threads(
        *[
            lambda n=n, o=o, a=a, p=p, d=d: buy(o, p, f"+1415555{d}70{n}", assistant_id=a)
            for n, (o, a) in enumerate(buyers)
            for p, d in (("twilio", 1), ("telnyx", 5))
        ]
    )

    assert list(map(word, results)) == ["completed"] * 8
    assert sent == {
        *((a.account_sid, f"{a.account_sid}:token-of-{a.pk}") for a in accounts),
        (ENVIRONMENT_SID, f"{ENVIRONMENT_SID}:environment-token-9e1c"),
        ("", "KEYacme.first-0123456789abcd"),
        ("", "KEYglobex.first-0123456789abcd"),
        ("", "KEYassistant.first"),
        ("", "KEYenvironment.first-9e1c"),
    }
    assert len(orders_sent(sandbox)) == 8
