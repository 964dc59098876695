"""The staff pages in a real browser, at real processes: server, sandbox and a worker that settles.

With and without JavaScript, wide and narrow, light and dark; no error in the console, nothing that
the Content-Security-Policy forbids, no serious finding of axe-core.
"""

import os
import re
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from burki.tests.processes import STAFF, Web, World, running_world

pytestmark = pytest.mark.slow

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
AXE = settings.BASE_DIR / ".tools/node_modules/axe-core/axe.min.js"
CLOCK_SCALE, SETTLE_CLOCK_SCALE = 0.4, 0.1
MEMBER, ADMIN, OWNER, NEW, TWO = (
    f"{name}@example.com" for name in ("member", "admin", "owner", "new", "two")
)
SERIOUS = {"serious", "critical"}


class Site:
    def __init__(self, world: World, web: Web, browser: Browser):
        self.world, self.web, self.browser = world, web, browser
        self._signed_in: dict[str, dict] = {}

    def context(self, email: str = "", **over) -> BrowserContext:
        """A window of its own; with an `email`, of somebody who is signed in."""
        if email and email not in self._signed_in:
            context = self.context()
            sign_in(context.new_page(), email)
            self._signed_in[email] = context.storage_state()
            context.close()
        context = self.browser.new_context(
            base_url=self.web.url, storage_state=self._signed_in.get(email), **over
        )
        context.set_default_timeout(15_000)
        return context

    def number(self, provider: str, digits: str = "") -> str:
        return self.world.attempt(provider, digits).phone_number


@pytest.fixture(scope="module")
def site():
    """The browser lives as long as this module: while it does, nothing else can run asyncio."""
    if not CHROMIUM.exists() or not AXE.exists():
        pytest.skip("`make tools` installs Chromium and axe-core.")
    with running_world(CLOCK_SCALE, SETTLE_CLOCK_SCALE) as world:
        world.make_tenants(Acme={}, Fresh={"accounts": False}, Globex={})
        for tenant, role, email in (
            ("Acme", "member", MEMBER),
            ("Acme", "admin", ADMIN),
            ("Acme", "owner", OWNER),
            ("Fresh", "admin", NEW),
            ("Acme", "viewer", TWO),
            ("Globex", "owner", TWO),
        ):
            world.make_member(tenant, email, role)
        world.manage("create_assistant", "--organization", "acme", "Front desk")
        with world.web() as web, world.worker(), sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=str(CHROMIUM),
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
            try:
                yield Site(world, web, browser)
            finally:
                browser.close()


@pytest.fixture
def open_page(site):
    """Opens a page; at the end nothing had gone wrong in any of them and nothing had been asked of
    another host. `expected` are statuses that the console reports as failures and are none."""
    contexts, troubles = [], []

    def open_(email: str = "", *, expected: tuple[int, ...] = (), **over) -> Page:
        context = site.context(email, **over)
        contexts.append(context)
        page = context.new_page()

        def on_console(message) -> None:
            known = any(f"status of {status}" in message.text for status in expected)
            if message.type in ("error", "warning") and not known:
                troubles.append(message.text)

        page.on("console", on_console)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(site.web.url) else troubles.append(request.url)
            ),
        )
        return page

    yield open_
    for context in contexts:
        context.close()
    assert troubles == []


def sign_in(page: Page, email: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(STAFF[1])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile(r"/(?!sign-in)[^/]*$|/organizations/switch$"))


def buy(page: Page, provider: str, number: str) -> None:
    page.goto(f"/buy/confirm?provider={provider}&phone_number={number.replace('+', '%2B')}")
    page.get_by_role("button", name="Buy number for").click()
    page.wait_for_url(re.compile("/purchases/"))


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
    page.goto(f"/buy/confirm?provider=twilio&phone_number={number.replace('+', '%2B')}")
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
    number = attempt.phone_number.replace("+", "%2B")
    page.goto(f"/buy/confirm?provider=twilio&phone_number={number}")
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
    number = attempt.phone_number.replace("+", "%2B")
    page.goto(f"/buy/confirm?provider=telnyx&phone_number={number}")
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


# --- For everybody --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def addresses(site) -> dict[str, str]:
    """Every kind of page, with something on it."""
    context = site.context(ADMIN)
    page = context.new_page()
    found = {}
    for name, provider, digits in (
        ("bought", "twilio", ""),
        ("refused", "telnyx", "0001"),
        ("in doubt", "twilio", "0011"),
    ):
        buy(page, provider, site.number(provider, digits))
        found[name] = page.url
    page.get_by_role("button", name="Look at Twilio now").click()
    found["decide"] = page.url
    page.goto(found["bought"])
    page.get_by_role("link", name="See the number").click()
    found["number"] = page.url
    # The session knows now what was seen.
    site._signed_in[ADMIN] = context.storage_state()
    context.close()
    fresh = site.number("telnyx").replace("+", "%2B")
    return found | {
        "overview": "/",
        "search": "/buy",
        "results": "/buy?area_code=415",
        "wrong search": "/buy?area_code=4",
        "exact": "/buy/confirm?provider=twilio&phone_number=1",
        "confirm": f"/buy/confirm?provider=telnyx&phone_number={fresh}",
        "purchases": "/purchases",
        "spending": "/spending",
        "unused numbers": "/numbers/unused?days=0",
        "no purchases": "/purchases?search=999999",
        "wrong filter": "/purchases?state=x",
        "numbers": "/numbers",
        "not found": "/numbers/999999",
        "credentials": "/settings/credentials",
        "add credentials": "/settings/credentials/add/telnyx",
        "keys": "/settings/api-keys",
        "new key": "/settings/api-keys/new",
        "organization": "/settings/organization",
        "account": "/account",
        "password": "/account/password",
        "two-factor": "/account/two-factor",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_no_page_has_a_serious_finding_of_axe(site, addresses, scheme, width):
    source, found, wide = AXE.read_text(), [], []
    over = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    visits = [(ADMIN, name, address) for name, address in addresses.items()]
    visits += [("", "sign in", "/sign-in"), (NEW, "first steps", "/")]
    visits += [("", "forgot password", "/forgot-password"), (OWNER, "members", "/settings/members")]
    visits += [(OWNER, "add member", "/settings/members/add")]
    visits += [(TWO, "switch", "/organizations/switch"), (TWO, "not allowed", "/buy/confirm")]
    for email, name, address in visits:
        context = site.context(email, **over)
        page = context.new_page()
        page.goto(address, wait_until="networkidle")
        page.evaluate(source)
        told = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        found += [
            (name, violation["id"], [node["target"] for node in violation["nodes"]][:3])
            for violation in told["violations"]
            if violation["impact"] in SERIOUS
        ]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(name)
        context.close()

    assert found == []
    assert wide == []
