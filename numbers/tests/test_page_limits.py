"""The staff pages and the admin that buy and ask providers have the limits of the API, and tell
people so."""

import re

import pytest
from django.test import Client

from burki.testing import (
    TELNYX_NUMBER,
    TWILIO_NUMBER,
    make_assistant,
    make_browser,
    make_client,
    make_user,
    orders_sent,
    post,
)
from numbers.models import BulkPurchase, Purchase
from numbers.tests import test_ui_many as many
from numbers.tests.test_admin_purchase import confirm, filled_in, page_for, quotes, said
from numbers.tests.test_admin_purchase import text as told
from numbers.tests.test_ui_buying import buy, look

pytestmark = pytest.mark.django_db

SLOW_DOWN = re.compile(r"Too many requests\. Try again in [0-9]+ seconds?\.")


@pytest.fixture
def browser(organization, sandbox):
    return make_browser(organization, "member")


@pytest.fixture
def boss(sandbox):
    browser = Client()
    browser.force_login(make_user(None, "boss", is_staff=True, is_superuser=True))
    return browser


def assert_told_to_wait(response) -> None:
    assert response.status_code == 429
    assert response["Retry-After"].isdecimal() and int(response["Retry-After"]) >= 1
    assert SLOW_DOWN.search(told(response))


@pytest.mark.parametrize("rate", ["purchase", "purchase_organization"])
def test_a_person_buys_no_more_than_may_be_and_can_send_the_page_again(
    browser, limited, sandbox, rate
):
    pages = [look(browser), look(browser, TELNYX_NUMBER, "telnyx")]
    limited(**{rate: "1/day"})
    assert buy(browser, pages[0]).status_code == 303
    sandbox.clear_requests()

    refused = buy(browser, pages[1])

    assert_told_to_wait(refused)
    assert orders_sent(sandbox) == []
    assert Purchase.objects.get().phone_number == TWILIO_NUMBER
    limited()
    assert buy(browser, refused).status_code == 303
    assert Purchase.objects.count() == 2


def test_pages_and_programs_of_an_organization_share_what_it_may_buy(
    browser, organization, limited, sandbox
):
    page = look(browser)
    limited(purchase_organization="1/day")
    wanted = {"provider": "telnyx", "phone_number": TELNYX_NUMBER}
    bought = post(make_client(organization), "/phone-numbers/purchase", wanted)
    assert bought.status_code == 200
    sandbox.clear_requests()

    assert_told_to_wait(buy(browser, page))
    assert orders_sent(sandbox) == []


@pytest.mark.parametrize("rate", ["search", "search_organization"])
@pytest.mark.parametrize(
    "address", ["/buy?area_code=415", "/buy/results?provider=twilio&area_code=415"]
)
def test_a_person_searches_no_more_than_may_be(browser, limited, sandbox, address, rate):
    limited(**{rate: "1/day"})
    assert browser.get(address).status_code == 200
    sandbox.clear_requests()

    assert_told_to_wait(browser.get(address))
    assert_told_to_wait(look(browser))
    assert sandbox.requests() == []


def test_a_script_puts_the_column_that_says_so_into_the_page(browser):
    assert '{"code": "[23]..|429", "swap": true}' in browser.get("/buy").content.decode()


def test_opening_the_search_page_is_no_search(browser, limited):
    limited(search="1/day")

    assert {browser.get("/buy").status_code for _ in range(3)} == {200}


def test_a_person_asks_for_many_no_more_often_than_may_be(browser, limited, sandbox):
    first, second = (many.confirm(browser, many.say(browser)) for _ in range(2))
    limited(purchase="1/day")
    assert many.buy(browser, first).status_code == 303

    refused = many.buy(browser, second)

    assert_told_to_wait(refused)
    assert BulkPurchase.objects.count() == 1


def test_what_many_would_cost_is_asked_no_more_often_than_may_be(browser, limited, sandbox):
    address = many.say(browser).url
    limited(search="1/day")
    assert browser.get(address).status_code == 200
    sandbox.clear_requests()

    assert_told_to_wait(browser.get(address))
    assert sandbox.requests() == []


def test_the_admin_buys_all_of_a_page_within_the_limits_or_nothing(
    boss, assistant, organization, limited, sandbox
):
    address = page_for(assistant, make_assistant(organization, "Sales"))
    rows = [
        filled_in(row, number)
        for row, number in zip(
            organization.assistants.order_by("pk"), (TWILIO_NUMBER, "+14155551235"), strict=True
        )
    ]
    offered = quotes(confirm(boss, address, *rows))
    assert len(offered) == 2
    limited(purchase_organization="1/day")
    sandbox.clear_requests()

    refused = boss.post(address, {"quote": offered, "buy": "yes"})

    assert_told_to_wait(refused)
    assert ["Nothing was bought." in one for one in said(refused)] == [True]
    assert not Purchase.objects.exists() and sandbox.requests() == []
    limited()
    assert boss.post(address, {"quote": offered, "buy": "yes"}).status_code == 302
    assert Purchase.objects.count() == 2


def test_the_admin_asks_providers_no_more_often_than_may_be(boss, assistant, limited, sandbox):
    address, row = page_for(assistant), filled_in(assistant)
    limited(search="1/day")
    search = {"search": f"assistant-{assistant.pk}"} | row
    assert boss.post(address, search).status_code == 200
    sandbox.clear_requests()

    assert_told_to_wait(boss.post(address, search))
    assert_told_to_wait(confirm(boss, address, row))
    assert sandbox.requests() == []
