"""Numbers near by one that is gone: offered at once, at both providers, with or without a script,
and with what had been chosen already."""

import re

import pytest

from burki.testing import make_assistant, make_browser, make_organization, orders_sent
from numbers.tests.rows import make_number
from numbers.tests.test_ui_buying import buy, look, words
from organizations.models import ProviderAccount

pytestmark = pytest.mark.django_db

TAKEN = "+14155550001"  # offered by searches, refused at purchase
SCRIPT = {"headers": {"HX-Request": "true"}}


@pytest.fixture
def browser(organization, sandbox):
    return make_browser(organization, "member")


def text(response) -> str:
    return response.content.decode().replace("&amp;", "&")


def refused(browser, assistant):
    """What a purchase answers that came too late."""
    chosen = {"assistant": assistant.pk, "friendly_name": "Front desk"}
    return buy(browser, look(browser, TAKEN, **chosen), **chosen)


def by_script(page) -> str:
    return re.search(r'hx-get="(/buy\?[^"]+)" hx-trigger="load" hx-select="#results"', text(page))[
        1
    ]


def columns_of(browser, address) -> list[str]:
    """What a script puts into the page: first both columns that wait, then what each asks for."""
    waiting = text(browser.get(address, **SCRIPT))
    later = re.findall(r'hx-get="(/buy/results[^"]+)"', waiting)
    return [text(browser.get(one, **SCRIPT)) for one in later]


def test_a_refused_purchase_offers_a_few_of_both_providers_without_waiting_for_them(
    browser, assistant, sandbox
):
    bought = refused(browser, assistant)
    sandbox.clear_requests()

    page = browser.get(bought.url)
    assert sandbox.requests() == []
    columns = columns_of(browser, by_script(page))

    assert [re.search(r'aria-label="(\w+)"', c)[1] for c in columns] == ["Twilio", "Telnyx"]
    chosen = f"&assistant={assistant.pk}&friendly_name=Front+desk"
    for column in columns:
        offered = re.findall(r"phone_number=%2B(\d+)([^\"]*)", column)
        assert len(offered) == 5 and TAKEN[1:] not in dict(offered)
        assert {number[:4] for number, _ in offered} == {"1415"}
        assert {rest for _, rest in offered} == {chosen}
    assert orders_sent(sandbox) == []


def test_without_a_script_a_link_shows_them_and_keeps_what_was_chosen(browser, assistant):
    bought = refused(browser, assistant)

    link = re.search(r'href="(/buy\?[^"]+)">Search near by', text(browser.get(bought.url)))[1]
    page = browser.get(link)
    (offered,) = {
        rest for rest in re.findall(r"/buy/confirm\?provider=\w+&phone_number=%2B1415\d+([^\"]*)",
                                    text(page))
    }  # fmt: skip
    confirm = browser.get(re.search(r'href="(/buy/confirm[^"]+)">Buy', text(page))[1])

    assert offered == f"&assistant={assistant.pk}&friendly_name=Front+desk"
    assert 'value="415"' in text(page) and "The number will be for Support." in words(page)
    assert text(page).count('type="hidden" name="assistant"') == 1
    assert f'value="{assistant.pk}" selected' in text(confirm)
    assert 'value="Front desk"' in text(confirm)


def test_the_confirm_page_of_a_number_that_is_gone_offers_others(browser, assistant, sandbox):
    other = make_organization("Other")
    make_number(other, 1234)
    sandbox.clear_requests()

    page = look(browser, "+14155551234", assistant=assistant.pk)

    assert "This number is not for sale any more. Nothing was bought." in words(page)
    link = re.search(r'href="([^"]+)">Show numbers near by', text(page))[1]
    near = f"country_code=US&area_code=415&number_type=local&assistant={assistant.pk}"
    assert link == f"/buy?{near}"
    assert by_script(page) == f"/buy?{near}&gone=%2B14155551234"
    assert sandbox.requests() == []
    assert len(columns_of(browser, by_script(page))) == 2


def test_what_is_refused_for_another_reason_offers_no_others(browser, organization):
    ProviderAccount.objects.filter(provider="twilio").update(is_active=False)

    page = text(look(browser))

    assert "is disabled: enable it." in page
    assert "near by" not in page and "gone=" not in page


@pytest.mark.parametrize("named", ["0", "x", "9" * 30, "another"])
def test_an_assistant_of_nobody_here_is_left_out(browser, named):
    if named == "another":
        named = make_assistant(make_organization("Other")).pk

    page = browser.get("/buy", {"area_code": "415", "assistant": named})

    assert page.status_code == 200 and "phone_number=%2B1415" in text(page)
    assert "The number will be for" not in words(page) and "assistant=" not in text(page)


def test_a_search_for_an_assistant_asks_the_account_that_would_pay(
    browser, organization, assistant, sandbox
):
    own = ProviderAccount(organization=organization, provider="twilio", label="Own",
                          account_sid="AC" + "b" * 32, secret="own-token-of-support",
                          only_for_assistants=True)  # fmt: skip
    own.save()
    assistant.twilio_account = own
    assistant.save()

    browser.get("/buy", {"provider": "twilio", "area_code": "415", "assistant": assistant.pk})

    (asked,) = (one for one in sandbox.requests() if "AvailablePhoneNumbers" in one.path)
    assert own.account_sid in asked.path
