"""Provider accounts on the settings pages: tried before they are stored, never shown again, and
nothing changes for those who may not."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from burki.testing import (
    PROFILE,
    TWILIO_TOKEN,
    make_assistant,
    make_browser,
    make_organization,
    make_telnyx_account,
    make_twilio_account,
)
from numbers.tests.money import buy
from organizations.models import AuditEvent, ProviderAccount

pytestmark = pytest.mark.django_db
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])

LIST = "/settings/credentials"
SECRETS = {"twilio": "entered-token-77aa", "telnyx": "KEYentered.first-77aa"}
GIVEN = {
    "twilio": {"account_sid": "AC" + "7" * 32, "secret": SECRETS["twilio"]},
    "telnyx": {"secret": SECRETS["telnyx"]},
}


@pytest.fixture
def browser(organization):
    return make_browser(organization, "admin")


def account_of(organization, provider="twilio") -> ProviderAccount:
    return organization.provider_accounts.get(provider=provider)


def at(account, path="") -> str:
    return f"{LIST}/{account.pk}{path}"


def text(response) -> str:
    return response.content.decode()


def words(response) -> str:
    """As people read it."""
    return " ".join(re.sub(r"<[^>]+>", " ", text(response)).split())


def stored() -> tuple:
    rows = list(ProviderAccount.objects.order_by("pk").values())
    return rows, AuditEvent.objects.count()


# --- Adding -------------------------------------------------------------------------------------


@both
def test_credentials_are_tried_stored_and_told_of(provider, sandbox):
    organization = make_organization("Bare", accounts=False)
    browser = make_browser(organization, "admin")

    done = browser.post(f"{LIST}/add/{provider}", GIVEN[provider] | {"label": "Main"}, follow=True)

    account = account_of(organization, provider)
    assert done.redirect_chain == [(at(account), 303)]
    assert account.secret == SECRETS[provider]
    assert (account.label, account.is_default, account.last_check["ok"]) == ("Main", True, True)
    assert {request.method for request in sandbox.requests()} == {"GET"}
    assert "accepted the credentials. The account is in order." in words(done)
    assert "$100.00" in words(done) and "ends in …77aa" in words(done)
    assert SECRETS[provider] not in text(done)
    assert AuditEvent.objects.get(action="provider_account.added").user == browser.user
    buy(organization, provider)  # and they are used


@both
@pytest.mark.parametrize(("use", "is_default"), [("default", True), ("beside", False)])
def test_a_second_account_pays_only_when_that_is_said(
    provider, use, is_default, browser, organization, sandbox
):
    old = account_of(organization, provider)

    browser.post(f"{LIST}/add/{provider}", GIVEN[provider] | {"use": use})

    new = ProviderAccount.objects.order_by("-pk").first()
    old.refresh_from_db()
    assert (new.is_default, old.is_default) == (is_default, not is_default)


@both
@pytest.mark.parametrize(
    ("status", "told"), [(401, "refused these credentials"), (503, "could not be asked about")]
)
def test_what_the_provider_does_not_accept_is_not_stored_and_not_shown_again(
    provider, status, told, browser, organization, sandbox
):
    account, before = account_of(organization, provider), stored()

    for address, given in (
        (f"{LIST}/add/{provider}", GIVEN[provider] | {"use": "default", "label": "Kept"}),
        (at(account, "/secret"), {"secret": SECRETS[provider]}),
    ):
        sandbox.add_fault(method="GET", status=status)
        answer = browser.post(address, given)
        assert answer.status_code == 400
        assert told in words(answer)
        assert SECRETS[provider] not in text(answer)

    assert stored() == before


@pytest.mark.parametrize(
    ("provider", "over", "told"),
    [
        ("twilio", {"secret": ""}, "This field is required."),
        ("twilio", {"secret": "short"}, "8 to 256"),
        ("twilio", {"account_sid": "AC1"}, "32 hexadecimal digits"),
        ("twilio", {"use": ""}, "This field is required."),
        ("telnyx", {"connection_id": "../balance"}, "connection id is at most"),
        ("telnyx", {"public_key": "no base64!"}, "public key is at most"),
        ("telnyx", {"label": "a\tb"}, "without control characters"),
    ],
)
def test_a_wrong_form_asks_nobody_stores_nothing_and_forgets_the_secret(
    provider, over, told, browser, organization, sandbox
):
    before = stored()

    answer = browser.post(f"{LIST}/add/{provider}", GIVEN[provider] | {"use": "default"} | over)

    assert answer.status_code == 400
    assert told in words(answer)
    assert SECRETS[provider] not in text(answer)
    assert stored() == before
    assert sandbox.requests() == []


def test_an_account_that_is_there_is_not_added_twice(browser, organization, sandbox):
    account, before = account_of(organization), stored()
    given = {"account_sid": account.account_sid, "secret": SECRETS["twilio"], "use": "default"}

    answer = browser.post(f"{LIST}/add/twilio", given)

    assert "This account is there already" in words(answer)
    assert stored() == before


def test_there_are_two_providers(browser):
    assert browser.get(f"{LIST}/add/acme").status_code == 404


# --- One account --------------------------------------------------------------------------------


def test_a_new_secret_of_the_same_account_takes_the_place_of_the_old(
    browser, organization, sandbox
):
    account = account_of(organization)

    done = browser.post(at(account, "/secret"), {"secret": SECRETS["twilio"]}, follow=True)

    after = account_of(organization)
    assert (after.pk, after.secret) == (account.pk, SECRETS["twilio"])
    assert after.recent_secrets == [SECRETS["twilio"], TWILIO_TOKEN]
    assert "is replaced. The account is in order." in words(done)
    event = AuditEvent.objects.get(action="provider_account.secret_replaced")
    assert (event.data["before"], event.data["secret"]) == ("…7f3a", "…77aa")


def test_a_key_of_another_account_is_refused(browser, organization, sandbox):
    buy(organization, "telnyx")
    account, before = account_of(organization, "telnyx"), stored()

    answer = browser.post(at(account, "/secret"), {"secret": "KEYother.first-77aa"})

    assert "nothing shows that they belong to Telnyx" in words(answer)
    assert stored() == before


@both
def test_a_check_says_how_the_account_stands(provider, browser, organization, sandbox):
    account = account_of(organization, provider)
    assert "It was never checked." in words(browser.get(at(account)))

    page = words(browser.post(at(account, "/check"), follow=True))

    assert f"{account.get_provider_display()} answered. The account is in order." in page
    assert "May order numbers" in page and "$100.00" in page
    if provider == "telnyx":
        assert f"Messaging profile {PROFILE} can be used" in page


def test_a_low_balance_is_warned_of_everywhere(browser, organization, sandbox):
    account = account_of(organization)
    browser.post(at(account), {"label": "", "low_balance_threshold": "150"})

    told = words(browser.post(at(account, "/check"), follow=True))
    listed = words(browser.get(LIST))

    warning = "The balance of Twilio (…aaa1) is 100.00 USD, below 150.00."
    warning = warning.replace("aaa1", account.account_sid[-4:])
    assert warning in told and warning in listed
    assert "Low balance" in listed


def test_a_check_that_fails_changes_nothing(browser, organization, sandbox):
    account, before = account_of(organization), stored()
    sandbox.add_fault(method="GET", status=503)

    page = words(browser.post(at(account, "/check"), follow=True))

    assert "Twilio could not be asked about the account. Nothing was changed." in page
    assert stored() == before


def test_settings_are_stored_without_asking_and_a_connection_with(browser, organization, sandbox):
    account = account_of(organization, "telnyx")
    given = {
        "label": "Line one",
        "low_balance_threshold": "7.50",
        "connection_id": account.connection_id,
        "messaging_profile_id": account.messaging_profile_id,
        "public_key": account.public_key,
    }

    assert browser.post(at(account), given).status_code == 303
    assert sandbox.requests() == []
    wrong = browser.post(at(account), given | {"connection_id": "999", "label": "Line two"})

    account.refresh_from_db()
    assert (account.label, str(account.low_balance_threshold)) == ("Line one", "7.50")
    assert wrong.status_code == 400
    assert account.connection_id != "999"
    assert sandbox.requests() != []


def test_what_is_posted_beside_the_form_changes_nothing(browser, organization, other_organization):
    account, other = account_of(organization), other_organization.pk
    before = ProviderAccount.objects.filter(pk=account.pk).values().get()

    browser.post(
        at(account),
        {
            "label": "Mine",
            "organization": other,
            "account_sid": "AC" + "0" * 32,
            "is_default": "",
            "is_active": "",
            "encrypted_credentials": "x",
            "connection_id": "1",
        },
    )

    after = ProviderAccount.objects.filter(pk=account.pk).values().get()
    assert {name for name in after if after[name] != before[name]} == {"label", "updated_at"}


def test_another_account_becomes_the_default(browser, organization):
    old = account_of(organization)
    new = make_twilio_account(organization, account_sid="AC" + "7" * 32, is_default=False)

    page = words(browser.post(at(new, "/default"), follow=True))

    old.refresh_from_db(), new.refresh_from_db()
    assert (old.is_default, new.is_default) == (False, True)
    assert "pays for new numbers from now on" in page


@pytest.mark.parametrize(
    ("provider", "calls"),
    [
        ("twilio", "Calls to them are still answered."),
        ("telnyx", "Calls to them are not answered."),
    ],
)
def test_disabling_asks_once_names_what_depends_on_it_and_can_be_undone(
    provider, calls, browser, organization, sandbox
):
    buy(organization, provider)
    account = account_of(organization, provider)
    make_assistant(organization, **{f"{provider}_account_id": account.pk})

    asked = words(browser.get(at(account, "/disable")))
    account.refresh_from_db()
    assert account.is_active
    assert "1 number depends on it. They cannot be configured" in asked and calls in asked
    assert "1 assistant names it" in asked
    assert "The platform’s account does not step in." in asked
    browser.post(at(account, "/disable"))
    account.refresh_from_db()
    assert not account.is_active
    assert "is disabled: enable it" in words(browser.get(LIST))

    browser.post(at(account, "/enable"))
    account.refresh_from_db()
    assert account.is_active and account.is_default


# --- The list -----------------------------------------------------------------------------------


def test_without_an_account_the_page_says_who_pays(settings):
    organization = make_organization("Bare", accounts=False)
    browser = make_browser(organization, "owner")
    settings.TWILIO_ACCOUNT_SID = settings.TWILIO_AUTH_TOKEN = "set"

    page = words(browser.get(LIST))

    assert "Twilio The platform’s own account." in page
    assert "Enter Telnyx credentials for the organization." in page
    assert "No accounts of your own yet" in page


def test_two_hundred_accounts_cost_as_many_queries_as_ten_and_are_paged(browser, organization):
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get(LIST).status_code == 200
        return len(caught)

    template = account_of(organization)

    def more(start: int, count: int) -> None:
        ProviderAccount.objects.bulk_create(
            ProviderAccount(
                organization=organization,
                provider="twilio",
                account_sid=f"AC{n:032x}",
                encrypted_credentials=template.encrypted_credentials,
            )
            for n in range(start, start + count)
        )

    more(0, 10)
    few = queries()
    more(10, 190)
    assert queries() == few
    page = text(browser.get(LIST))
    assert page.count('class="main"') == 50 and 'rel="next"' in page
    assert len(page) < 150_000


# --- Who may ------------------------------------------------------------------------------------

GETS = ("", "/add/twilio", "/{pk}", "/{pk}/secret", "/{pk}/disable")
POSTS = ("/add/twilio", "/{pk}", *(f"/{{pk}}/{verb}" for verb in
         ("check", "secret", "default", "disable", "enable")))  # fmt: skip


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_lower_roles_neither_see_nor_change_accounts(role, organization, sandbox):
    browser, before = make_browser(organization, role), stored()
    pk = account_of(organization).pk

    for path in GETS:
        assert browser.get(LIST + path.format(pk=pk)).status_code == 403, path
    for path in POSTS:
        answer = browser.post(LIST + path.format(pk=pk), GIVEN["twilio"] | {"label": "x"})
        assert answer.status_code == 403, path

    assert LIST not in text(browser.get("/"))
    assert stored() == before and sandbox.requests() == []


def test_another_organizations_account_is_not_found(organization, other_organization, sandbox):
    browser, before = make_browser(other_organization, "owner"), stored()
    pk = account_of(organization).pk

    for path in GETS[2:]:
        theirs, nobodys = (browser.get(LIST + path.format(pk=n)) for n in (pk, 10**6))
        assert theirs.status_code == nobodys.status_code == 404
        assert text(theirs) == text(nobodys)
    for path in POSTS[1:]:
        answer = browser.post(LIST + path.format(pk=pk), {"secret": SECRETS["twilio"]})
        assert answer.status_code == 404, path

    assert stored() == before and sandbox.requests() == []
    assert account_of(organization).account_sid not in text(browser.get(LIST))


def test_the_platforms_accounts_are_nobodys(browser, db):
    platform = ProviderAccount.objects.create(
        source="environment", provider="telnyx", label="the platform's own"
    )

    assert browser.get(at(platform)).status_code == 404
    assert browser.post(at(platform, "/check")).status_code == 404


def test_no_page_holds_more_of_a_secret_than_four_characters(browser, organization, sandbox):
    make_telnyx_account(organization, secret="KEYacme.other-qwertyuiop", is_default=False)
    for account in organization.provider_accounts.all():
        browser.post(at(account, "/check"))
        for path in ("", "/secret", "/disable"):
            page = text(browser.get(at(account, path)))
            assert account.secret[-4:] in page or path == "/disable"
            assert account.secret[-5:] not in page
    page = text(browser.get(LIST))
    assert all(a.secret[-5:] not in page for a in organization.provider_accounts.all())
