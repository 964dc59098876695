"""Buying many numbers in a real browser, with a worker that buys them; and assistants."""

import re

import pytest
from playwright.sync_api import Page, expect

from burki.testing import orders_sent
from burki.tests.processes import running_world
from numbers.tests.browser import CLOCK_SCALE, SETTLE_CLOCK_SCALE, browsing, need_tools

pytestmark = pytest.mark.slow

MEMBER = "member@example.com"
BOUGHT = 60_000  # milliseconds


@pytest.fixture(scope="module")
def site():
    need_tools()
    with running_world(CLOCK_SCALE, SETTLE_CLOCK_SCALE) as world:
        world.make_tenants(Acme={})
        world.enrich()
        world.make_member("Acme", MEMBER, "member")
        with (
            world.web() as web,
            world.worker("bulk", "settle"),
            browsing(world, web) as site,
        ):
            yield site


def ask(page: Page, quantity: int, area_code: str) -> None:
    page.goto("/buy/many")
    page.get_by_label("How many").fill(str(quantity))
    page.get_by_label("Area code").fill(area_code)
    page.get_by_role("button", name="See what it costs").click()
    page.wait_for_url(re.compile("/buy/many/confirm/"))


def orders(site, area_code: str) -> int:
    return sum(f"+1{area_code}" in str(sent.body) for sent in orders_sent(site.world.sandbox))


def test_many_are_bought_before_ones_eyes(site, open_page):
    page = open_page(MEMBER)
    ask(page, 6, "212")
    button = page.get_by_role("button", name="Buy 6 numbers for at most $6.90")
    button.dblclick()
    page.wait_for_url(re.compile(r"/buy/many/[0-9a-f-]{36}$"))

    expect(page.get_by_role("heading", name="Done: 6 of 6 bought")).to_be_visible(timeout=BOUGHT)
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
    expect(page.get_by_role("row", name=re.compile("Bought"))).to_have_count(6)
    expect(page.get_by_text("$6.90")).not_to_have_count(0)
    page.get_by_role("link", name=re.compile(r"See the number \+")).first.click()
    expect(page.locator("h1 .phone")).to_be_visible()
    page.go_back()
    page.go_back()  # to the page that asked
    expect(page.get_by_role("heading", name="Done: 6 of 6 bought")).to_be_visible()
    assert orders(site, "212") == 6


@pytest.fixture
def slow_provider(site):
    """So that there is something left to stop."""
    site.world.sandbox.add_fault(method="POST", times=None, delay=2 / CLOCK_SCALE)
    yield
    site.world.sandbox.clear_faults()


def test_stopping_keeps_what_was_bought(site, open_page, slow_provider):
    page = open_page(MEMBER)
    ask(page, 100, "312")
    page.get_by_label("To confirm, type the total: 115.00").fill("$115.00")
    page.get_by_role("button", name="Buy 100 numbers for at most $115.00").click()
    page.wait_for_url(re.compile(r"/buy/many/[0-9a-f-]{36}$"))
    address = page.url
    expect(page.get_by_text(re.compile(r"^[1-9]\d* bought"))).to_be_visible(timeout=BOUGHT)

    page.get_by_role("link", name="Stop buying").click()
    expect(page.get_by_text("What was bought stays, and goes on costing")).to_be_visible()
    page.get_by_role("button", name="Stop buying").click()

    page.wait_for_url(address)
    expect(page.get_by_role("heading", name="Stopped by a person")).to_be_visible()
    expect(page.get_by_role("link", name="Refresh")).to_have_count(0, timeout=BOUGHT)
    told = page.get_by_role("heading", name="Stopped by a person").inner_text()
    bought = int(re.search(r"(\d+) of 100 bought", told)[1])
    assert bought == orders(site, "312") < 100


def test_without_a_script_the_page_is_reloaded_by_hand(site, open_page):
    page = open_page(MEMBER, java_script_enabled=False)
    ask(page, 2, "206")
    page.get_by_role("button", name="Buy 2 numbers for at most $2.30").click()
    page.wait_for_url(re.compile(r"/buy/many/[0-9a-f-]{36}$"))

    def done() -> bool:
        refresh = page.get_by_role("link", name="Refresh")
        if refresh.count():
            refresh.click()
        return page.get_by_role("heading", name="Done: 2 of 2 bought").count() == 1

    site.world.wait_until(done, "both are bought")


def test_a_list_is_pasted_and_its_bad_line_named(site, open_page):
    page = open_page(MEMBER, expected=(400,))
    page.goto("/buy/many")
    expect(page.get_by_role("textbox", name="Numbers")).to_be_hidden()
    page.get_by_label("These, which I name").check()
    expect(page.get_by_label("How many")).to_be_hidden()
    page.get_by_role("textbox", name="Numbers").fill("+1 512 555 1301\nhello")
    page.get_by_role("button", name="See what it costs").click()
    expect(page.get_by_text("line 2 “hello”")).to_be_visible()

    page.get_by_role("textbox", name="Numbers").fill("+1 512 555 1301")
    page.get_by_role("button", name="See what it costs").click()

    expect(page.get_by_role("button", name="Buy 1 number for at most $1.15")).to_be_visible()


def test_an_assistant_is_created_changed_and_deleted(site, open_page):
    page = open_page(MEMBER)
    page.goto("/assistants")
    page.get_by_role("link", name="Create assistant").click()
    page.get_by_label("Name").fill("Night shift")
    page.get_by_label("Greeting").fill("Good evening")
    page.get_by_role("button", name="Create assistant").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Night shift")
    page.get_by_role("link", name="Change assistant").click()
    page.get_by_label("Not active: its callers are refused").check()
    page.get_by_role("button", name="Save assistant").click()
    expect(page.get_by_text("is not active: it will not answer")).to_be_visible()

    page.get_by_role("link", name="Delete assistant").click()
    page.get_by_role("button", name="Delete assistant").click()

    expect(page.get_by_text("Night shift is deleted.")).to_be_visible()
