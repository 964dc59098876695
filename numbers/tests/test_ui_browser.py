"""The staff pages in a real browser, at real processes: server, sandbox and a worker that settles.

With and without JavaScript, wide and narrow; no error in the console, nothing that the
Content-Security-Policy forbids, nothing asked of others.
"""

import re

import pytest
from playwright.sync_api import expect

from burki.tests.processes import running_world
from numbers.tests.browser import (
    CLOCK_SCALE,
    SETTLE_CLOCK_SCALE,
    browsing,
    buy,
    confirm_address,
    need_tools,
    sign_in,
)

pytestmark = pytest.mark.slow

MEMBER, ADMIN, VIEWER, TWO = (
    f"{name}@example.com" for name in ("member", "admin", "viewer", "two")
)


@pytest.fixture(scope="module")
def site():
    need_tools()
    with running_world(CLOCK_SCALE, SETTLE_CLOCK_SCALE) as world:
        world.make_tenants(Acme={}, Globex={})
        for tenant, role, email in (
            ("Acme", "member", MEMBER),
            ("Acme", "admin", ADMIN),
            ("Acme", "viewer", VIEWER),
            ("Acme", "viewer", TWO),
            ("Globex", "owner", TWO),
        ):
            world.make_member(tenant, email, role)
        world.manage("create_assistant", "--organization", "acme", "Front desk")
        with world.web() as web, world.worker(), browsing(world, web) as site:
            yield site


# --- The main path --------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [True, False], ids=["with_script", "without_script"])
@pytest.mark.parametrize("width", [1280, 360])
def test_sign_in_search_confirm_bought(site, open_page, script, width):
    page = open_page(java_script_enabled=script, viewport={"width": width, "height": 800})
    page.goto("/numbers")
    sign_in(page, MEMBER)
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme")

    page.goto("/buy")
    page.get_by_label("Area code").fill("415")
    page.get_by_role("button", name="Search").click()
    for provider in ("Twilio", "Telnyx"):
        column = page.get_by_role("region", name=provider)
        expect(column.get_by_role("link", name="Buy")).to_have_count(20)
    assert "area_code=415" in page.url

    column.get_by_role("link", name="Buy").first.click()
    page.wait_for_url(re.compile("/buy/confirm"))
    number = page.locator(".big-number .phone").get_attribute("title")
    page.get_by_label("Assistant").select_option("Front desk")
    if not script:
        page.get_by_role("button", name="Show what changes").click()
    expect(page.get_by_text("Calls are answered by Front desk")).to_be_visible()
    page.get_by_label("Name").fill("Front desk 415")
    page.get_by_role("button", name="Buy number for $1.00 now, $1.00 a month").click()

    page.wait_for_url(re.compile("/purchases/"))
    expect(
        page.get_by_role("heading", name="Bought. $1.00 today, then $1.00 a month.")
    ).to_be_visible()
    page.get_by_role("link", name="See the number").click()
    expect(page.locator("h1 .phone")).to_have_attribute("title", number)
    expect(page.get_by_text("Front desk 415").first).to_be_visible()
    page.goto("/numbers?search=Front+desk+415")
    expect(page.get_by_text(re.compile("^Front desk 415$")).first).to_be_visible()
    scroll = "document.documentElement.scrollWidth - innerWidth"
    assert not script or page.evaluate(scroll) <= 0


def test_with_the_keyboard_alone(site, open_page):
    page = open_page(MEMBER)
    number = site.number("twilio")
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.goto(confirm_address("twilio", number))
    page.get_by_label("Name").focus()
    page.keyboard.type("By keyboard")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Buy number for")).to_be_focused()
    page.keyboard.press("Enter")

    page.wait_for_url(re.compile("/purchases/"))
    expect(page.get_by_role("heading", name="Bought. $1.15")).to_be_visible()


def test_an_impatient_person_clicks_twice_goes_back_and_clicks_again(site, open_page):
    page = open_page(MEMBER)
    attempt = site.world.attempt("twilio")
    page.goto(confirm_address("twilio", attempt.phone_number))
    page.get_by_role("button", name="Buy number for").dblclick()
    page.wait_for_url(re.compile("/purchases/"))
    result = page.url
    expect(page.get_by_role("heading", name="Bought. $1.15")).to_be_visible()

    page.go_back()
    expect(page.get_by_text("Your organization already has")).to_be_visible()
    page.go_forward()

    assert page.url == result
    assert site.world.posts(attempt) == 1


def test_a_form_that_is_sent_twice_without_a_script_is_one_order(site, open_page):
    page = open_page(MEMBER, java_script_enabled=False)
    attempt = site.world.attempt("telnyx")
    page.goto(confirm_address("telnyx", attempt.phone_number))
    page.get_by_role("button", name="Buy number for").dblclick()
    page.wait_for_url(re.compile("/purchases/"))

    expect(page.get_by_role("heading", name="Bought. $1.00")).to_be_visible()
    assert site.world.posts(attempt) == 1


# --- What becomes of a purchase -------------------------------------------------------------------


def test_a_refusal_leads_to_numbers_near_by(site, open_page):
    page = open_page(MEMBER)
    buy(page, "twilio", site.number("twilio", "0001"))

    expect(page.get_by_role("heading", name="Not bought. Nothing was charged")).to_be_visible()
    expect(page.get_by_role("region", name="Twilio").get_by_role("link", name="Buy")).to_have_count(
        5
    )
    page.get_by_role("link", name="Search near by").click()
    expect(
        page.get_by_role("region", name="Telnyx").get_by_role("link", name="Buy")
    ).not_to_have_count(0)


def test_a_pending_order_becomes_bought_before_ones_eyes(site, open_page):
    page = open_page(MEMBER)
    buy(page, "telnyx", "+14155550050")

    expect(page.get_by_role("heading", name="Bought. $1.00")).to_be_visible(timeout=40_000)


def test_in_doubt_an_admin_looks_and_decides(site, open_page):
    page = open_page(ADMIN)
    buy(page, "twilio", site.number("twilio", "0011"))
    expect(page.get_by_role("heading", name="Twilio has not confirmed yet")).to_be_visible()

    page.get_by_role("button", name="Look at Twilio now").click()
    page.wait_for_url(re.compile("/decide$"))
    page.get_by_label("This purchase bought nothing: close it").check()
    page.get_by_label("Why").fill("Twilio support, ticket 7")
    page.get_by_role("button", name="Record the decision").click()

    expect(page.get_by_role("heading", name="Not bought. Nothing was charged")).to_be_visible()
    expect(page.get_by_text("Twilio support, ticket 7")).to_be_visible()


# --- Lists, organizations -------------------------------------------------------------------------


def test_filters_work_while_one_types_and_stay_in_the_address(site, open_page):
    page = open_page(MEMBER)
    buy(page, "twilio", site.number("twilio"))
    page.goto("/purchases")
    page.get_by_label("State").select_option("Refused")
    page.wait_for_url(re.compile("state=refused"))
    expect(page.get_by_role("row", name=re.compile("Bought"))).to_have_count(0)
    page.get_by_label("Number", exact=True).press_sequentially("999999")
    expect(page.get_by_role("heading", name="No purchase fits")).to_be_visible()

    page.reload()
    expect(page.get_by_role("heading", name="No purchase fits")).to_be_visible()
    expect(page.get_by_label("Number", exact=True)).to_have_value("999999")
    page.get_by_role("link", name="Clear").click()
    expect(page.get_by_role("row").nth(1)).to_be_visible()


def test_switching_the_organization(site, open_page):
    page = open_page(TWO)
    page.goto("/organizations/switch")
    page.get_by_role("button", name="Open Acme").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Acme")

    side = page.get_by_role("complementary")
    side.locator("summary").click()
    side.get_by_role("button", name="Globex").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Globex")
    side.get_by_role("button", name="Sign out").click()
    page.wait_for_url(re.compile("/sign-in"))


# --- Stale pages, and pages sent by hand ----------------------------------------------------------


def test_two_tabs_going_back_and_reloading_are_one_purchase(site, open_page):
    """Both tabs were opened before anything was bought."""
    first = open_page(MEMBER)
    attempt = site.world.attempt("twilio")
    stale = first.context.new_page()
    for tab in (first, stale):
        tab.goto(confirm_address("twilio", attempt.phone_number))
        expect(tab.get_by_role("button", name="Buy number for")).to_be_visible()

    first.get_by_role("button", name="Buy number for").click()
    first.wait_for_url(re.compile("/purchases/"))
    result = first.url
    stale.get_by_role("button", name="Buy number for").click()
    stale.wait_for_url(re.compile("/purchases/"))
    assert stale.url == result

    first.reload()
    expect(first.get_by_role("heading", name="Bought. $1.15")).to_be_visible()
    first.go_back()
    expect(first.get_by_text("Your organization already has")).to_be_visible()
    expect(first.get_by_role("button", name="Buy number for")).to_have_count(0)
    assert site.world.posts(attempt) == 1
    site.world.assert_inventories_agree(attempt)


def test_going_back_without_a_script_and_sending_the_old_form_again_buys_nothing_new(
    site, open_page
):
    """As a browser does that keeps the page: the same form, with the same key."""
    page = open_page(MEMBER, java_script_enabled=False)
    attempt = site.world.attempt("telnyx")
    page.goto(confirm_address("telnyx", attempt.phone_number))
    form = page.locator("form:has([name=quote])")
    sent = {
        name: form.locator(f"input[name={name}]").input_value()
        for name in ("csrfmiddlewaretoken", "quote")
    }
    page.get_by_role("button", name="Buy number for").click()
    page.wait_for_url(re.compile("/purchases/"))

    again = page.context.request.post("/buy/confirm", form=sent | {"assistant": ""})

    assert again.url == page.url
    assert "Bought. $1.00 today" in again.text()
    assert site.world.posts(attempt) == 1


def test_a_viewer_sees_no_buying_and_gets_403_when_sending_by_hand(site, open_page):
    attempt = site.world.attempt("twilio")
    member = open_page(MEMBER)
    member.goto(confirm_address("twilio", attempt.phone_number))
    quote = member.locator("input[name=quote]").input_value()
    page = open_page(VIEWER)
    for address in ("/", "/numbers", "/purchases", "/assistants"):
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("link", name=re.compile("Buy"))).to_have_count(0)
    page.goto("/account")
    token = page.locator("input[name=csrfmiddlewaretoken]").first.input_value()

    sent = {"csrfmiddlewaretoken": token, "quote": quote, "assistant": ""}
    answer = page.context.request.post("/buy/confirm", form=sent)

    assert answer.status == 403
    assert "Your role does not allow this" in answer.text()
    assert site.world.posts(attempt) == 0


# --- The description of the API -------------------------------------------------------------------


def test_the_description_of_the_api_opens(site, open_page):
    page = open_page()
    page.goto("/docs")

    operation = page.locator(".opblock", has_text="/phone-numbers/purchase").first
    expect(operation).to_be_visible(timeout=60_000)
