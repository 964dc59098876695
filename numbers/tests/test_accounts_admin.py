"""Provider accounts in the admin: no secret is stored that its provider does not accept, and a row
keeps its identity."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from burki.testing import TELNYX_KEY, TWILIO_TOKEN, make_organization, make_user
from numbers.tests.money import buy
from organizations.models import AuditEvent, ProviderAccount

LIST = "/admin/organizations/provideraccount/"
SID = "AC" + "7" * 32

pytestmark = pytest.mark.django_db
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])


@pytest.fixture
def browser():
    client = Client()
    client.force_login(make_user(None, "", "root@example.com", is_staff=True, is_superuser=True))
    return client


def account_of(organization, provider: str) -> ProviderAccount:
    return organization.provider_accounts.get(provider=provider)


def change(browser, account, **over):
    fields = {
        "label": account.label,
        "connection_id": account.connection_id,
        "messaging_profile_id": account.messaging_profile_id,
        "public_key": account.public_key,
        "low_balance_threshold": "",
        "make_default": "on" if account.is_default else "",
        "is_active": "on",
        "secret": "",
    } | over
    return browser.post(f"{LIST}{account.pk}/change/", fields)


def add(browser, owner, provider: str, **over):
    fields = {"organization": owner.pk, "provider": provider, "is_active": "on"}
    own = {"account_sid": SID, "secret": "entered-token-77aa"}
    if provider == "telnyx":
        own = {"secret": "KEYentered.first-77aa"}
    return browser.post(f"{LIST}add/", fields | own | over)


def check_now(browser, *accounts) -> str:
    body = {"action": "check_now", "_selected_action": [account.pk for account in accounts]}
    return browser.post(LIST, body, follow=True).content.decode()


def stored() -> list[dict]:
    return list(ProviderAccount.objects.order_by("pk").values())


@both
def test_an_account_is_tried_and_added(provider, browser, sandbox):
    organization = make_organization("Bare", accounts=False)

    answer = add(browser, organization, provider, label="Main", low_balance_threshold="7.50")

    assert answer.status_code == 302, answer.content.decode()
    account = account_of(organization, provider)
    assert account.secret.endswith("77aa")
    assert (account.label, account.is_default, account.is_active) == ("Main", True, True)
    assert str(account.low_balance_threshold) == "7.50"
    assert account.last_check["ok"] is True
    assert {request.method for request in sandbox.requests()} == {"GET"}
    actions = AuditEvent.objects.filter(action__startswith="provider_account")
    assert [event.action for event in actions.order_by("pk")] == [
        "provider_account.added",
        "provider_account.changed",
    ]


@both
@pytest.mark.parametrize("status", [401, 403, 503])
def test_a_secret_that_is_not_accepted_is_not_stored(
    provider, status, browser, organization, sandbox
):
    account, before = account_of(organization, provider), stored()
    events = AuditEvent.objects.count()

    for send in (
        lambda: change(browser, account, secret="entered-token-77aa", label="New"),
        lambda: add(browser, organization, provider),
    ):
        sandbox.add_fault(method="GET", status=status)
        answer = send()
        assert answer.status_code == 200
        page = answer.content.decode()
        reason = "could not be asked" if status == 503 else "refused these credentials"
        assert f"{provider.capitalize()} {reason}" in page
        assert "77aa" not in page

    assert stored() == before
    assert AuditEvent.objects.count() == events


def test_a_new_twilio_token_is_tried_and_stored(browser, organization, sandbox):
    account = account_of(organization, "twilio")

    assert change(browser, account, secret="rotated-token-77aa").status_code == 302

    after = account_of(organization, "twilio")
    assert (after.pk, after.secret) == (account.pk, "rotated-token-77aa")
    assert after.last_check["balance"] == "100.00"
    replaced = AuditEvent.objects.get(action="provider_account.secret_replaced")
    assert (replaced.data["before"], replaced.data["secret"]) == ("…7f3a", "…77aa")


def test_a_telnyx_key_is_replaced_by_one_that_reads_what_we_remember(
    browser, organization, sandbox
):
    buy(organization, "telnyx")
    account = account_of(organization, "telnyx")

    assert change(browser, account, secret="KEYacme.second-77aa").status_code == 302

    assert account_of(organization, "telnyx").secret == "KEYacme.second-77aa"


@pytest.mark.parametrize("key", ["KEYother.first-77aa", "KEYacme.second-77aa"])
def test_a_telnyx_key_of_which_nothing_tells_is_refused(key, browser, organization, sandbox):
    """Another account's; or, as nothing was bought, nobody knows whose."""
    if key.startswith("KEYother"):
        buy(organization, "telnyx")
    before = stored()

    answer = change(browser, account_of(organization, "telnyx"), secret=key, label="New")

    assert answer.status_code == 200
    page = answer.content.decode()
    assert "nothing shows that they belong to Telnyx (organization)" in page
    assert "Enter them as another provider account." in page
    assert stored() == before


def test_the_same_account_is_not_added_twice(browser, organization, sandbox):
    before = stored()

    twilio = add(
        browser, organization, "twilio", account_sid=account_of(organization, "twilio").account_sid
    )
    telnyx = add(browser, organization, "telnyx", secret=TELNYX_KEY)

    assert (twilio.status_code, telnyx.status_code) == (200, 200)
    assert "This account is there already" in telnyx.content.decode()
    assert stored() == before


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"secret": ""}, "Enter the auth token or API key."),
        ({"organization": ""}, "Choose the organization that it belongs to."),
        ({"secret": "short"}, "8 to 256"),
        ({"account_sid": "AC1"}, "32 hexadecimal digits"),
        ({"connection_id": "../balance"}, "connection id is at most"),
        ({"public_key": "no base64!"}, "public key is at most"),
        ({"low_balance_threshold": "-1"}, "greater than or equal to 0"),
    ],
)
def test_a_wrong_form_asks_nobody_and_stores_nothing(browser, organization, sandbox, over, words):
    before = stored()

    answer = add(browser, organization, "twilio", **over)

    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert stored() == before
    assert sandbox.requests() == []


def test_other_fields_change_without_asking_the_provider(browser, organization, sandbox):
    account = account_of(organization, "twilio")

    answer = change(browser, account, label="Main", low_balance_threshold="5", account_sid=SID)

    assert answer.status_code == 302
    after = account_of(organization, "twilio")
    assert (after.label, str(after.low_balance_threshold)) == ("Main", "5.00")
    assert (after.account_sid, after.secret) == (account.account_sid, TWILIO_TOKEN)
    event = AuditEvent.objects.get(action="provider_account.changed")
    assert event.data == {"fields": ["label", "low_balance_threshold"]}
    assert sandbox.requests() == []


def test_a_second_default_takes_the_role_from_the_first(browser, organization, sandbox):
    first = account_of(organization, "twilio")

    added = add(browser, organization, "twilio", make_default="on")

    second = organization.provider_accounts.get(provider="twilio", account_sid=SID)
    first.refresh_from_db()
    assert (added.status_code, first.is_default, second.is_default) == (302, False, True)

    assert change(browser, first, make_default="on").status_code == 302
    first.refresh_from_db(), second.refresh_from_db()
    assert (first.is_default, second.is_default) == (True, False)
    event = AuditEvent.objects.filter(action="provider_account.changed").latest("pk")
    assert (event.object_id, event.data) == (str(first.pk), {"fields": ["is_default"]})


def test_a_default_is_handed_over_and_never_merely_given_up(browser, organization, sandbox):
    account = account_of(organization, "twilio")

    given_up = change(browser, account, make_default="")
    hidden = change(browser, account, only_for_assistants="on")

    page = given_up.content.decode()
    assert "Make another account the default instead: one has to be." in page
    assert "The default account cannot be only for assistants." in hidden.content.decode()
    assert "provider_account_one_default" not in page
    account.refresh_from_db()
    assert (account.is_default, account.only_for_assistants) == (True, False)


def test_the_permission_without_a_role_changes_nobodys_account(organization, sandbox):
    staff = make_user(None, "", "staff@example.com", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__endswith="provideraccount"))
    client = Client()
    client.force_login(staff)
    account = account_of(organization, "twilio")

    assert client.get(f"{LIST}{account.pk}/change/").status_code == 200
    assert change(client, account, label="Mine").status_code == 403
    added = add(client, organization, "twilio")
    assert "lacks the scope" in added.content.decode()
    account.refresh_from_db()
    assert (account.label, organization.provider_accounts.count()) == ("", 2)


def test_the_environment_s_row_is_only_looked_at(browser, sandbox):
    row = ProviderAccount.objects.create(source="environment", provider="telnyx", fingerprint="f")

    assert browser.get(f"{LIST}{row.pk}/change/").status_code == 200
    assert change(browser, row, secret="KEYentered.first-77aa").status_code == 403
    assert sandbox.requests() == []


def test_who_may_not_change_accounts_tries_no_secret(organization, sandbox):
    client = Client()
    client.force_login(make_user(None, "", "staff@example.com", is_staff=True))
    account = account_of(organization, "twilio")

    assert change(client, account, secret="entered-token-77aa").status_code == 403
    assert add(client, organization, "twilio").status_code == 403

    assert sandbox.requests() == []


def test_check_now_says_of_each_account_how_it_stands(browser, organization, sandbox):
    twilio, telnyx = (account_of(organization, name) for name in ("twilio", "telnyx"))
    ProviderAccount.objects.update(low_balance_threshold="101")
    sandbox.set_account("KEYacme", active=False)

    page = check_now(browser, twilio, telnyx)

    assert f"{twilio}: The balance of {twilio} is 100.00 USD, below 101.00." in page
    assert f"{telnyx}: The Telnyx account is inactive, maybe out of funds: add funds." in page
    ProviderAccount.objects.update(low_balance_threshold=None)
    assert f"{twilio}: in order, balance 100.00 USD" in check_now(browser, twilio)
    sandbox.add_fault(method="GET", status=503)
    page = check_now(browser, twilio)
    assert f"{twilio}: Twilio could not be asked about the account." in page


def test_the_list_shows_balance_and_warnings(browser, organization, sandbox):
    account = account_of(organization, "twilio")
    check_now(browser, account)
    ProviderAccount.objects.filter(pk=account.pk).update(low_balance_threshold="250")

    page = browser.get(LIST).content.decode()

    assert "100.00 USD" in page
    assert f"The balance of {account} is 100.00 USD, below 250.00." in page
    shown = browser.get(f"{LIST}{account.pk}/change/").content.decode()
    assert "below 250.00" in shown
