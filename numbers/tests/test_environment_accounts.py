"""The platform's own accounts: rows without a secret, told apart by Twilio's SID, and by what a
Telnyx key can read."""

import pytest
from django.db import IntegrityError, transaction

from burki.testing import CONNECTION, PROFILE, make_organization, orders_sent
from numbers.models import PhoneNumber, Purchase
from numbers.services.accounts import credentials_of
from numbers.tests.money import NUMBERS, ORDERS, buy, settle, word
from organizations.models import ProviderAccount

SID, OTHER_SID = "AC" + "e" * 32, "AC" + "f" * 32
TOKEN = "environment-token-9e1c"
# In the sandbox, what stands before the full stop is the account.
KEY, NEW_KEY, OTHERS_KEY = "KEYplatform.first-9e1c", "KEYplatform.second-77aa", "KEYother.first-1"

pytestmark = pytest.mark.django_db
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])


@pytest.fixture
def guest(settings, sandbox):
    """An organization without accounts, and a platform that has both."""
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = SID, TOKEN
    settings.TELNYX_API_KEY = KEY
    return make_organization("Guest", accounts=False)


def rows(provider: str) -> list[ProviderAccount]:
    return list(ProviderAccount.objects.filter(provider=provider).order_by("pk"))


@both
def test_the_row_of_the_environment_s_account_holds_no_secret(provider, guest):
    buy(guest, provider)
    buy(guest, provider, NUMBERS[provider][:-1] + "9")

    (row,) = rows(provider)
    assert (row.source, row.organization) == ("environment", None)
    assert (row.encrypted_credentials, row.secret, row.secret_hint) == ("", "", "")
    assert row.account_sid == (SID if provider == "twilio" else "")
    stored = {str(getattr(row, field.attname)) for field in row._meta.concrete_fields}
    assert not [text for text in stored if TOKEN in text or KEY in text or "9e1c" in text]


def test_the_database_refuses_a_secret_in_the_environment_s_row(guest):
    buy(guest)
    row = rows("twilio")[0]
    row.secret = TOKEN

    with pytest.raises(IntegrityError, match="provider_account_source"), transaction.atomic():
        row.save()


@pytest.mark.parametrize(
    ("provider", "missing"),
    [("twilio", "TWILIO_ACCOUNT_SID"), ("twilio", "TWILIO_AUTH_TOKEN")],
)
def test_an_environment_that_names_half_of_an_account_stops(
    provider, missing, guest, sandbox, settings
):
    setattr(settings, missing, "")

    assert word(lambda: buy(guest, provider)) == "not_configured"

    assert sandbox.requests() == []
    assert "incomplete" in Purchase.objects.get().hint


@both
def test_a_disabled_environment_account_stops(provider, guest, sandbox):
    buy(guest, provider)
    ProviderAccount.objects.update(is_active=False)
    sandbox.clear_requests()

    other = NUMBERS[provider][:-1] + "9"
    assert word(lambda: buy(guest, provider, other)) == "not_configured"

    assert sandbox.requests() == []
    assert PhoneNumber.objects.count() == 1


@both
def test_a_wrong_environment_secret_is_refused_by_the_provider_and_buys_nothing(
    provider, guest, sandbox, settings
):
    settings.TWILIO_AUTH_TOKEN = "wrong"
    settings.TELNYX_API_KEY = "KEYplatform.wrong"

    assert word(lambda: buy(guest, provider)) == "invalid_credentials"

    assert orders_sent(sandbox) == []
    assert sandbox.owned() == []


def test_another_twilio_sid_is_another_row_and_a_new_token_is_not(guest, sandbox, settings):
    buy(guest, "twilio", "+14155551230")
    settings.TWILIO_AUTH_TOKEN = "environment-token-of-next-year"
    buy(guest, "twilio", "+14155551231")
    assert len(rows("twilio")) == 1

    settings.TWILIO_ACCOUNT_SID = OTHER_SID
    buy(guest, "twilio", "+14155551232")

    first, second = rows("twilio")
    assert (first.account_sid, second.account_sid) == (SID, OTHER_SID)
    numbers = PhoneNumber.objects.order_by("phone_number")
    assert [number.account for number in numbers] == [first, first, second]


def test_an_old_twilio_account_is_not_asked_with_the_new_one_s_token(guest, sandbox, settings):
    sandbox.add_fault(method="POST", path=ORDERS["twilio"], action="drop")
    assert word(lambda: buy(guest)) == "outcome_unknown"
    settings.TWILIO_ACCOUNT_SID = OTHER_SID
    sandbox.clear_requests()

    settled = settle(Purchase.objects.get())

    assert settled.state == "uncertain"
    assert "another Twilio account" in settled.attention_reason
    assert sandbox.requests() == []


def test_a_new_telnyx_key_that_reads_a_number_of_ours_stays_on_the_row(guest, sandbox, settings):
    buy(guest, "telnyx", "+14155555600")
    settings.TELNYX_API_KEY = NEW_KEY
    sandbox.clear_requests()

    buy(guest, "telnyx", "+14155555601")

    (row,) = rows("telnyx")
    assert [number.account for number in PhoneNumber.objects.all()] == [row, row]
    proof = sandbox.requests()[0]
    assert (proof.method, proof.path) == ("GET", "/v2/phone_numbers")
    assert proof.query["filter[phone_number]"] == ["14155555600"]
    # It was proved once and is remembered.
    sandbox.clear_requests()
    buy(guest, "telnyx", "+14155555602")
    assert sandbox.requests()[0].path == "/v2/available_phone_numbers"


def test_a_new_telnyx_key_that_reads_our_connection_stays_on_the_row(guest, sandbox, settings):
    """Nothing was bought yet, but a connection was made."""
    assert word(lambda: buy(guest, "telnyx", "+14155550003")) == "insufficient_balance"
    assert PhoneNumber.objects.count() == 0
    settings.TELNYX_API_KEY = NEW_KEY

    buy(guest, "telnyx")

    assert len(rows("telnyx")) == 1


def test_a_telnyx_key_of_another_account_gets_a_row_of_its_own(guest, sandbox, settings):
    buy(guest, "telnyx", "+14155555600")
    settings.TELNYX_API_KEY = OTHERS_KEY

    buy(guest, "telnyx", "+14155555601")

    first, second = rows("telnyx")
    accounts = [number.account for number in PhoneNumber.objects.order_by("phone_number")]
    assert accounts == [first, second]
    assert [owned["account"] for owned in sandbox.owned()] == ["KEYplatform", "KEYother"]


@pytest.mark.parametrize("key", [NEW_KEY, OTHERS_KEY])
def test_a_new_telnyx_key_that_nothing_can_tell_of_gets_a_row_of_its_own(
    key, guest, sandbox, settings
):
    settings.TELNYX_CONNECTION_ID, settings.TELNYX_MESSAGING_PROFILE_ID = CONNECTION, PROFILE
    assert word(lambda: buy(guest, "telnyx", "+14155550003")) == "insufficient_balance"
    settings.TELNYX_API_KEY = key

    buy(guest, "telnyx")

    first, second = rows("telnyx")
    assert Purchase.objects.get(state="refused").account == first
    assert PhoneNumber.objects.get().account == second


def test_a_telnyx_key_that_comes_back_finds_its_row_again(guest, sandbox, settings):
    for number, key in enumerate((KEY, OTHERS_KEY, KEY)):
        settings.TELNYX_API_KEY = key
        buy(guest, "telnyx", f"+1415555560{number}")

    first, second = rows("telnyx")
    accounts = [number.account for number in PhoneNumber.objects.order_by("phone_number")]
    assert accounts == [first, second, first]


def test_a_new_key_of_an_earlier_telnyx_account_finds_its_row_again(guest, sandbox, settings):
    for number, key in enumerate((KEY, OTHERS_KEY, NEW_KEY)):
        settings.TELNYX_API_KEY = key
        buy(guest, "telnyx", f"+1415555560{number}")

    first, second = rows("telnyx")
    accounts = [number.account for number in PhoneNumber.objects.order_by("phone_number")]
    assert accounts == [first, second, first]
    assert credentials_of(first).secret == NEW_KEY


def test_an_old_telnyx_account_is_not_managed_with_a_stranger_s_key(guest, sandbox, settings):
    buy(guest, "telnyx", "+14155555600")
    sandbox.add_fault(method="POST", path=ORDERS["telnyx"], action="drop")
    assert word(lambda: buy(guest, "telnyx", "+14155555601")) == "outcome_unknown"
    settings.TELNYX_API_KEY = OTHERS_KEY

    settled = settle(Purchase.objects.get(phone_number="+14155555601"))

    assert (settled.state, settled.empty_looks) == ("uncertain", 1)  # the request's own look
    assert "another Telnyx account" in settled.attention_reason


def test_a_telnyx_that_cannot_tell_whose_key_it_is_buys_nothing(guest, sandbox, settings):
    buy(guest, "telnyx", "+14155555600")
    settings.TELNYX_API_KEY = NEW_KEY
    sandbox.add_fault(method="GET", path="/v2/phone_numbers$", status=503, times=None)
    sandbox.clear_requests()

    assert word(lambda: buy(guest, "telnyx", "+14155555601")) == "provider_unreachable"

    assert orders_sent(sandbox) == []
    assert len(rows("telnyx")) == 1


def test_the_environment_s_connection_serves_the_environment_s_account_only(
    guest, organization, sandbox, settings
):
    settings.TELNYX_CONNECTION_ID, settings.TELNYX_MESSAGING_PROFILE_ID = CONNECTION, PROFILE
    organization.provider_accounts.update(connection_id="", messaging_profile_id="")

    buy(guest, "telnyx", "+14155555600")
    buy(organization, "telnyx", "+14155555601")

    named, made = PhoneNumber.objects.order_by("phone_number")
    assert (named.connection_id, named.messaging_profile_id) == (CONNECTION, PROFILE)
    assert made.connection_id not in ("", CONNECTION)
    assert made.messaging_profile_id not in ("", PROFILE)
