"""Where Telnyx numbers send their calls: a connection and a profile that somebody named, checked
before ordering, or our own, made once per account and organization."""

import pytest
import requests
from django.core.cache import cache

from burki.testing import (
    CONNECTION,
    PROFILE,
    in_threads,
    make_assistant,
    make_organization,
    orders_sent,
)
from numbers.exceptions import PurchaseRefused
from numbers.models import PhoneNumber, ProviderSetup, Purchase
from numbers.tests.money import at_event, buy, slow_writes, word

WEBHOOK = "https://burki.test/telnyx-webhook"
PLAIN = "9999999999999999999"  # a connection of the sandbox that is no Call Control application
OURS = "1888888888888888888"
APPLICATIONS, PROFILES = "/v2/call_control_applications", "/v2/messaging_profiles"

pytestmark = pytest.mark.django_db


@pytest.fixture
def bare(organization):
    """An organization whose Telnyx account names neither connection nor profile."""
    organization.provider_accounts.update(connection_id="", messaging_profile_id="")
    return organization


def name(organization, **fields) -> None:
    organization.provider_accounts.filter(provider="telnyx").update(**fields)


def posts(sandbox, path: str) -> list:
    return [request for request in sandbox.requests(method="POST") if request.path == path]


def refused(sandbox, organization, **request) -> str:
    """The purchase is refused as not configured, without an order; returns the hint."""
    assert word(lambda: buy(organization, "telnyx", **request)) == "not_configured"
    assert orders_sent(sandbox) == []
    assert sandbox.requests(method="POST") == []
    purchase = Purchase.objects.get()
    assert (purchase.state, purchase.refusal_code) == ("refused", "not_configured")
    assert PhoneNumber.objects.count() == 0
    return purchase.hint


def test_an_assistant_s_connection_goes_before_the_account_s(organization, assistant, sandbox):
    sandbox.set_account("KEYacme", connections=[OURS])
    assistant.telnyx_connection_id = OURS
    assistant.save()

    buy(organization, "telnyx", "+14155555600", assistant_id=assistant.pk)
    buy(organization, "telnyx", "+14155555601")

    overridden, usual = PhoneNumber.objects.order_by("phone_number")
    assert (overridden.connection_id, usual.connection_id) == (OURS, CONNECTION)
    assert overridden.messaging_profile_id == usual.messaging_profile_id == PROFILE
    purchases = Purchase.objects.order_by("phone_number")
    assert [purchase.connection_id for purchase in purchases] == [OURS, CONNECTION]
    assert [order.body["connection_id"] for order in orders_sent(sandbox)] == [OURS, CONNECTION]


@pytest.mark.parametrize("level", ["account", "assistant", "environment"])
@pytest.mark.parametrize("connection", [PLAIN, "1777777777777777777"])
def test_a_named_connection_that_is_no_call_control_application_stops_before_ordering(
    connection, level, organization, sandbox, settings
):
    assistant = make_assistant(organization)
    if level == "account":
        name(organization, connection_id=connection)
    elif level == "assistant":
        assistant.telnyx_connection_id = connection
        assistant.save()
    else:
        organization.provider_accounts.all().delete()
        settings.TELNYX_API_KEY = "KEYenvironment.1"
        settings.TELNYX_CONNECTION_ID = connection

    hint = refused(sandbox, organization, assistant_id=assistant.pk)

    assert f"{connection} is not a Call Control application of this account" in hint


def test_a_connection_of_another_account_stops(organization, sandbox):
    sandbox.set_account("KEYglobex", connections=[OURS])
    name(organization, connection_id=OURS)

    assert "is not a Call Control application of this account" in refused(sandbox, organization)


def test_a_named_profile_that_is_not_there_stops(organization, sandbox):
    profile = "40017000-0000-4000-8000-00000000dead"
    name(organization, messaging_profile_id=profile)

    assert f"{profile} is not in this account" in refused(sandbox, organization)


def test_a_named_connection_that_reports_elsewhere_stops_and_is_left_alone(organization, sandbox):
    elsewhere = {"id": OURS, "webhook_event_url": "https://elsewhere.test/hook"}
    sandbox.set_account("KEYacme", connections=[elsewhere])
    name(organization, connection_id=OURS)

    assert "reports to another address" in refused(sandbox, organization)

    assert sandbox.requests(method="PATCH", path_contains=OURS) == []


def test_a_named_connection_with_the_old_webhook_version_stops(organization, sandbox):
    old = {"id": OURS, "webhook_event_url": WEBHOOK, "webhook_api_version": "1"}
    sandbox.set_account("KEYacme", connections=[old])
    name(organization, connection_id=OURS)

    assert "webhook API version 2" in refused(sandbox, organization)


def test_a_named_connection_is_checked_once_in_a_while(organization, sandbox):
    buy(organization, "telnyx", "+14155555600")
    assert len(sandbox.requests(path_contains=CONNECTION, method="GET")) == 1

    buy(organization, "telnyx", "+14155555601")
    assert len(sandbox.requests(path_contains=CONNECTION, method="GET")) == 1

    cache.clear()  # ten minutes later
    buy(organization, "telnyx", "+14155555602")
    assert len(sandbox.requests(path_contains=CONNECTION, method="GET")) == 2


def test_a_connection_and_a_profile_are_made_once(bare, sandbox):
    buy(bare, "telnyx", "+14155555600")
    buy(bare, "telnyx", "+14155555601")

    (application,), (profile,) = posts(sandbox, APPLICATIONS), posts(sandbox, PROFILES)
    assert application.body == {
        "application_name": "Burki acme (burki.test)",
        "webhook_event_url": WEBHOOK,
        "webhook_api_version": "2",
    }
    assert (profile.body["name"], profile.body["webhook_url"]) == (
        "Burki acme (burki.test)",
        WEBHOOK,
    )
    assert profile.body["webhook_api_version"] == "2"
    setup = ProviderSetup.objects.get()
    ids = (setup.connection_id, setup.messaging_profile_id)
    assert "" not in ids
    for number in PhoneNumber.objects.all():
        assert (number.connection_id, number.messaging_profile_id) == ids
    for owned in sandbox.owned():
        assert (owned["connection_id"], owned["messaging_profile_id"]) == ids


@pytest.mark.django_db(transaction=True)
def test_first_purchases_at_once_make_one_connection_and_one_profile(
    bare, sandbox, settings, monkeypatch
):
    settings.CLOCK_SCALE = 1
    monkeypatch.setattr(sandbox, "latency", 0.03)

    calls = [lambda n=n: buy(bare, "telnyx", f"+1415555560{n}") for n in range(6)]

    with slow_writes("numbers_providersetup", "INSERT", seconds=0.1):  # so that several try
        results = in_threads(*calls)

    assert list(map(word, results)) == ["completed"] * 6
    assert len(posts(sandbox, APPLICATIONS)) == len(posts(sandbox, PROFILES)) == 1
    connections = PhoneNumber.objects.values_list("connection_id", flat=True).distinct()
    assert list(connections) == [ProviderSetup.objects.get().connection_id]


def test_two_organizations_in_one_account_get_a_connection_each(sandbox, settings):
    settings.TELNYX_API_KEY = "KEYenvironment.1"
    one, other = (make_organization(name, accounts=False) for name in ("One", "Other"))

    buy(one, "telnyx", "+14155555600")
    buy(other, "telnyx", "+14155555601")

    names = [request.body["application_name"] for request in posts(sandbox, APPLICATIONS)]
    assert names == ["Burki one (burki.test)", "Burki other (burki.test)"]
    assert len(set(PhoneNumber.objects.values_list("connection_id", flat=True))) == 2


def test_what_a_crash_left_behind_is_found_by_its_name(bare, sandbox):
    left = {"id": OURS, "application_name": "Burki acme (burki.test)"}
    similar = {"id": "1666666666666666666", "application_name": "Burki acme (burki.test) 2"}
    sandbox.set_account("KEYacme", connections=[similar, left])

    buy(bare, "telnyx")

    assert posts(sandbox, APPLICATIONS) == []
    assert len(posts(sandbox, PROFILES)) == 1
    assert PhoneNumber.objects.get().connection_id == OURS
    (patch,) = sandbox.requests(method="PATCH", path_contains=OURS)
    assert patch.body["webhook_event_url"] == WEBHOOK


@pytest.mark.parametrize("path", [APPLICATIONS, PROFILES])
def test_a_connection_that_cannot_be_made_buys_nothing_and_is_made_the_next_time(
    path, bare, sandbox
):
    sandbox.add_fault(method="POST", path=f"{path}$", status=500)

    assert word(lambda: buy(bare, "telnyx")) == "provider_unreachable"
    assert orders_sent(sandbox) == []
    assert PhoneNumber.objects.count() == 0

    assert word(lambda: buy(bare, "telnyx")) == "completed"
    made = [p for p in posts(sandbox, APPLICATIONS) if p.status == 201]
    assert len(made) == 1
    assert len(orders_sent(sandbox)) == 1


def test_only_what_is_not_named_is_made(bare, sandbox):
    name(bare, connection_id=CONNECTION)

    buy(bare, "telnyx")

    number = PhoneNumber.objects.get()
    setup = ProviderSetup.objects.get()
    assert number.connection_id == CONNECTION
    assert number.messaging_profile_id == setup.messaging_profile_id != ""


def test_another_public_address_gets_a_connection_of_its_own(bare, sandbox, settings):
    buy(bare, "telnyx", "+14155555600")
    settings.PUBLIC_BASE_URL = "https://new.test"

    buy(bare, "telnyx", "+14155555601")

    first, second = PhoneNumber.objects.order_by("phone_number")
    assert first.connection_id != second.connection_id
    assert posts(sandbox, APPLICATIONS)[1].body["webhook_event_url"] == (
        "https://new.test/telnyx-webhook"
    )
    assert ProviderSetup.objects.get().connection_id == second.connection_id


def test_twilio_makes_no_connection(bare, sandbox):
    buy(bare, "twilio")

    assert ProviderSetup.objects.count() == 0
    assert sandbox.requests(provider="telnyx") == []


# --- Deleted at Telnyx, outside of us -------------------------------------------------------------

SETTINGS = {"connection_id": APPLICATIONS, "messaging_profile_id": PROFILES}
each_setting = pytest.mark.parametrize("setting", SETTINGS)


def deleted_there(sandbox, setting: str, value: str, key: str = "KEYacme") -> None:
    """As its owner does it in Telnyx's portal."""
    address = f"{sandbox.url}{SETTINGS[setting]}/{value}"
    done = requests.delete(address, headers={"Authorization": f"Bearer {key}"}, timeout=10)
    assert done.status_code == 200


@each_setting
def test_what_we_made_and_was_deleted_there_is_made_again_by_the_next_purchase(
    setting, bare, sandbox
):
    buy(bare, "telnyx", "+14155555600")
    first = ProviderSetup.objects.get()
    deleted_there(sandbox, setting, getattr(first, setting))

    with pytest.raises(PurchaseRefused) as caught:
        buy(bare, "telnyx", "+14155555601", idempotency_key="api:k")

    purchase = caught.value.purchase
    assert (purchase.refusal_code, purchase.retryable) == ("provider_error", True)
    assert purchase.provider_code in ("85004", "85005")
    assert "Try again, with a new Idempotency-Key" in purchase.hint
    assert caught.value.facts["charged"] is False

    again = buy(bare, "telnyx", "+14155555601", idempotency_key="api:k2").purchase

    assert again.state == "completed"
    second = ProviderSetup.objects.get()
    (other,) = set(SETTINGS) - {setting}
    assert getattr(second, setting) != getattr(first, setting)
    assert getattr(second, other) == getattr(first, other)  # found by its name
    assert getattr(again.number, setting) == getattr(second, setting)
    assert len(posts(sandbox, SETTINGS[setting])) == 2
    assert len(posts(sandbox, SETTINGS[other])) == 1


@each_setting
def test_a_named_one_that_was_deleted_there_stays_named_and_is_to_be_corrected(
    setting, organization, sandbox
):
    """It was checked a moment ago, so the order is sent."""
    buy(organization, "telnyx", "+14155555600")
    value = {"connection_id": CONNECTION, "messaging_profile_id": PROFILE}[setting]
    account = organization.provider_accounts.get(provider="telnyx")
    # Somebody names what we made: it is theirs to correct all the same.
    setup = ProviderSetup.objects.create(
        account=account,
        organization=organization,
        started_at=account.created_at,
        **{setting: value},
    )
    deleted_there(sandbox, setting, value)

    with pytest.raises(PurchaseRefused) as caught:
        buy(organization, "telnyx", "+14155555601")

    purchase = caught.value.purchase
    assert purchase.retryable is False
    assert "correct it in the settings" in purchase.hint
    for row in (account, setup):
        row.refresh_from_db()
        assert getattr(row, setting) == value
    assert posts(sandbox, SETTINGS[setting]) == []


def test_an_assistant_s_own_connection_is_never_replaced_by_ours(bare, assistant, sandbox):
    buy(bare, "telnyx", "+14155555600")
    ours = ProviderSetup.objects.get()
    sandbox.set_account("KEYacme", connections=[OURS])
    assistant.telnyx_connection_id = OURS
    assistant.save()
    buy(bare, "telnyx", "+14155555601", assistant_id=assistant.pk)
    deleted_there(sandbox, "connection_id", OURS)

    with pytest.raises(PurchaseRefused) as caught:
        buy(bare, "telnyx", "+14155555602", assistant_id=assistant.pk)

    assert "correct it in the settings" in caught.value.purchase.hint
    assert ProviderSetup.objects.get().connection_id == ours.connection_id
    assistant.refresh_from_db()
    assert assistant.telnyx_connection_id == OURS


def test_what_another_purchase_made_again_meanwhile_is_kept(bare, sandbox):
    buy(bare, "telnyx", "+14155555600")
    setup = ProviderSetup.objects.get()
    deleted_there(sandbox, "connection_id", setup.connection_id)
    made_again = "1888888888888888889"
    sandbox.set_account("KEYacme", connections=[made_again])

    def made_by_another() -> None:
        ProviderSetup.objects.update(connection_id=made_again)

    with at_event("purchase.sending", made_by_another), pytest.raises(PurchaseRefused) as caught:
        buy(bare, "telnyx", "+14155555601")

    assert caught.value.purchase.retryable is True
    assert ProviderSetup.objects.get().connection_id == made_again
    assert word(lambda: buy(bare, "telnyx", "+14155555601")) == "completed"


def test_a_setup_of_another_organization_in_the_account_is_kept(sandbox, settings):
    settings.TELNYX_API_KEY = "KEYenvironment.1"
    one, other = (make_organization(name, accounts=False) for name in ("One", "Other"))
    buy(one, "telnyx", "+14155555600")
    buy(other, "telnyx", "+14155555601")
    mine, theirs = (ProviderSetup.objects.get(organization=o) for o in (one, other))
    deleted_there(sandbox, "connection_id", mine.connection_id, key="KEYenvironment.1")

    assert word(lambda: buy(one, "telnyx", "+14155555602")) == "provider_error"

    assert ProviderSetup.objects.get(organization=one).connection_id == ""
    assert ProviderSetup.objects.get(organization=other).connection_id == theirs.connection_id
