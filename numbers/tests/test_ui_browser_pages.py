"""Every staff page in a real browser, with something on it, wide and narrow, light and dark: no
serious finding of axe-core, nothing wider than the window, nothing wrong in the console, nothing
asked of another host.

The last test asks whether a page was forgotten: it needs all the others of this module.
"""

from base64 import b32decode
from uuid import uuid4

import pytest
from django.template.loader import render_to_string
from django.urls import reverse
from django_otp.oath import totp
from playwright.sync_api import Page, expect

from burki.tests.processes import STAFF, running_world
from numbers.tests import demo
from numbers.tests.browser import (
    CLOCK_SCALE,
    SETTLE_CLOCK_SCALE,
    Examiner,
    browsing,
    confirm_address,
    need_tools,
    sign_in,
)
from numbers.tests.demo import ADMIN, AGENT, MEMBER, OWNER, VIEWER
from numbers.ui.urls import urlpatterns as number_pages
from organizations.urls import urlpatterns as organization_pages

pytestmark = pytest.mark.slow

# What answers a form alone, with another page.
FORMS_ALONE = {
    "purchase-look",
    "settings-credential-check",
    "settings-credential-default",
    "settings-credential-enable",
    "number-name",
    "number-assistant",
    "number-check",
    "number-call",
    "number-text",
    "sign-out",
    "settings-member-invite",
    "event-endpoint-rotate-page",
    "event-endpoint-test-page",
    "event-endpoint-enable-page",
    "event-again",
}
# Parts of pages, and CSV.
NO_PAGES = {"search-results", "number-row", "assistant-options", "numbers-export", "audit-csv"}


@pytest.fixture(scope="module")
def world():
    need_tools()
    with running_world(CLOCK_SCALE, SETTLE_CLOCK_SCALE) as world:
        yield world


@pytest.fixture(scope="module")
def found(world) -> demo.Demo:
    return demo.furnish(world)


@pytest.fixture(scope="module")
def site(world, found):
    with world.web() as web, browsing(world, web) as site:
        yield site


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    need_tools()
    return Examiner()


@pytest.fixture
def examine(examiner):
    """Examines the page that is open; at the end nothing was found."""
    examiner.findings.clear()
    yield examiner.examine
    assert examiner.findings == []


@pytest.fixture
def visit(examine):
    """Opens pages, one after the other, and examines them."""

    def visit(page: Page, *addresses: str) -> None:
        for address in addresses:
            page.goto(address)
            examine(page, address)

    return visit


LARGE = "large@example.com"
# Run in the world: an organization with two hundred of everything.
_MAKE_LARGE = f"""
from burki.testing import make_organization, make_user
from burki.tests.office import Office
large = make_organization("Large")
Office(large).grow(200)
make_user(large, "owner", {LARGE!r})
"""
# What the network brought for the page that is open, headers included.
_TRANSFERRED = """
[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, one) => sum + one.transferSize, 0)
"""


def press(page: Page, button: str) -> None:
    with page.expect_navigation():
        page.get_by_role("button", name=button).click()


# --- Numbers and purchases ------------------------------------------------------------------------


def test_lists_and_what_they_say_when_nothing_fits(open_page, visit):
    page = open_page(ADMIN)
    visit(page, "/", "/purchases", "/purchases?search=999999", "/purchases?state=x")
    visit(page, "/numbers?search=999999", "/numbers?unused=0&cost_from=-1")
    visit(page, "/numbers/unused?days=0", "/spending", "/calls", "/calls?day=2020-01-01")
    visit(page, "/assistants", "/buy/many/all", "/audit", "/audit?action=purchase")


def test_the_list_of_numbers_while_one_works_in_it(open_page, examine):
    page = open_page(ADMIN)
    page.goto("/numbers")
    examine(page, "as it opens")
    page.get_by_role("checkbox").last.check()
    page.get_by_role("link", name="Edit").first.click()
    page.wait_for_selector("tr.editing")
    examine(page, "editing, and one selected")


def test_searching_and_confirming(open_page, visit):
    page = open_page(ADMIN, expected=(400,))
    visit(page, "/buy", "/buy?area_code=415", "/buy?area_code=4")
    visit(page, confirm_address("telnyx", demo.FOR_SALE), confirm_address("twilio", "1"))


def test_purchases_in_every_state(open_page, visit, found):
    page = open_page(ADMIN)
    names = ("bought", "refused", "pending", "in_doubt", "needs_person")
    visit(page, *(f"/purchases/{getattr(found, name)}" for name in names))


def test_deciding_by_hand(open_page, examine, found):
    page = open_page(ADMIN)
    page.goto(f"/purchases/{found.in_doubt}")
    press(page, "Look at Twilio now")
    expect(page.get_by_role("button", name="Record the decision")).to_be_visible()
    examine(page)


def test_many_at_once_running_done_and_stopped(open_page, visit, examine, found):
    page = open_page(ADMIN, expected=(400,))
    visit(page, "/buy/many", f"/buy/many/{found.bulk_done}", f"/buy/many/{found.bulk_running}")
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.goto("/buy/many")
    page.get_by_label("These, which I name").check()
    page.get_by_role("textbox", name="Numbers").fill("hello")
    press(page, "See what it costs")
    expect(page.get_by_text("line 1 “hello”")).to_be_visible()
    examine(page, "many, with an error")
    page.goto("/buy/many")
    page.get_by_label("How many").fill("50")
    page.get_by_label("Area code").fill("202")
    press(page, "See what it costs")
    examine(page)

    visit(page, f"/buy/many/{found.bulk_running}/stop")
    press(page, "Stop buying")
    expect(page.get_by_role("heading", name="Stopped by a person")).to_be_visible()
    examine(page, "stopped")


def test_a_number_its_changes_and_its_end(open_page, visit, examine, found):
    page = open_page(ADMIN)
    number, drifted = f"/numbers/{found.number}", f"/numbers/{found.drifted}"
    chosen = f"number={found.number}&number={found.drifted}"
    visit(page, number, f"{number}/history", f"/numbers/assign?{chosen}")
    visit(page, drifted, f"{drifted}/repair")
    press(page, "Overwrite and repair webhooks")
    examine(page, "repaired")
    visit(page, f"{drifted}/restore")
    page.goto(number)
    press(page, "Call it")
    examine(page, "called")
    visit(page, f"/numbers/release?{chosen}", f"/numbers/release/{uuid4()}?{chosen}")
    press_on = f"/numbers/release?number={found.number}"
    page.goto(press_on)
    press(page, "Release")
    examine(page, "released")


def test_assistants(open_page, visit, examine, found):
    page = open_page(ADMIN)
    one = f"/assistants/{found.assistant}"
    visit(page, "/assistants/new", one, f"{one}/edit", f"{one}/delete", f"{one}/secret")
    press(page, "Make a new secret")
    expect(page.get_by_role("heading", name="New signing secret")).to_be_visible()
    examine(page, "the secret, shown once")


# --- Settings -------------------------------------------------------------------------------------


def test_credentials(open_page, visit, examine, found):
    page = open_page(ADMIN, expected=(400,))
    one = f"/settings/credentials/{found.account}"
    visit(page, "/settings/credentials", one, f"{one}/secret", f"{one}/disable")
    visit(page, "/settings/credentials/add/telnyx", "/settings/credentials/add/twilio")
    page.get_by_label("Account SID").fill("AC" + "9" * 32)
    page.get_by_label("Auth token").fill("wrong")
    press(page, "Add credentials")
    examine(page, "credentials that are none")


def test_keys(open_page, visit, examine, found):
    page = open_page(ADMIN)
    one = f"/settings/api-keys/{found.key}"
    visit(page, "/settings/api-keys", one, f"{one}/revoke", "/settings/api-keys/new")
    page.get_by_role("textbox", name="Name").fill("Night report")
    press(page, "Create API key")
    expect(page.get_by_text("Copy the key now.")).to_be_visible()
    examine(page, "the key, shown once")


def test_members_and_the_organization(open_page, visit, found):
    one = f"/settings/members/{found.member}"
    page = open_page(OWNER)
    visit(page, "/settings/members", "/settings/members/add", one, f"{one}/remove")
    visit(page, "/settings/organization")


def test_events(open_page, visit, examine, found):
    page = open_page(ADMIN)
    one = f"/settings/events/endpoints/{found.endpoint}"
    visit(page, "/settings/events", one, f"{one}/disable", f"{one}/delete")
    visit(page, f"/settings/events/{found.event}", "/settings/events/add")
    page.get_by_label("URL").fill("https://hooks.northwind.example/second")
    press(page, "Add endpoint")
    expect(page.get_by_text("Copy the signing secret now")).to_be_visible()
    examine(page, "the secret, shown once")


# --- One's own account ----------------------------------------------------------------------------


def test_signing_in_and_passwords(open_page, visit, examine, found):
    page = open_page(expected=(400,))
    visit(page, "/forgot-password", "/forgot-password/sent", found.set_password)
    visit(page, found.set_password.rpartition("/")[0] + "/used-up", "/sign-in")
    page.get_by_label("E-mail address").fill("nobody@northwind.example")
    page.get_by_label("Password").fill("wrong")
    press(page, "Sign in")
    examine(page, "a wrong password")
    page = open_page(MEMBER, expected=(400,))
    visit(page, "/account", "/account/password")
    for label in ("New password", "New password again"):
        page.get_by_label(label, exact=True).fill("12345")
    page.get_by_label("Your password").fill("wrong")
    press(page, "Change password")
    examine(page, "a password that is none")


def test_the_second_factor(open_page, visit, examine):
    page = open_page(MEMBER)
    visit(page, "/account/two-factor")
    page.get_by_label("Your password").fill(STAFF[1])
    press(page, "Set up two-factor sign-in")
    examine(page)
    secret = page.locator("[data-copy]").first.get_attribute("data-copy")
    page.get_by_label("Code").fill(f"{totp(b32decode(secret)):06}")
    press(page, "Switch on")
    expect(page.get_by_text("Keep these codes now.")).to_be_visible()
    examine(page)
    visit(page, "/account/two-factor", "/account/two-factor/new-codes", "/account/two-factor/off")

    page = open_page()
    sign_in(page, MEMBER)
    expect(page.get_by_role("heading", name="Enter a code")).to_be_visible()
    examine(page)


def test_people_in_several_organizations(open_page, visit):
    visit(open_page(AGENT), "/organizations/switch")


# --- When something is wrong ----------------------------------------------------------------------


def test_pages_that_say_no(open_page, visit, examine):
    viewer = open_page(VIEWER, expected=(403,))
    visit(viewer, "/buy")
    expect(viewer.get_by_role("heading", name="Your role does not allow this")).to_be_visible()
    page = open_page(ADMIN, expected=(400, 403, 404))
    visit(page, "/numbers/999999", "/numbers?key=x")
    page.goto("/assistants/new")
    page.get_by_label("Name").fill("Nobody")
    page.context.clear_cookies(name="csrftoken")
    page.get_by_role("button", name="Create assistant").click()
    expect(page.get_by_role("heading", name="Open the page again, then send it")).to_be_visible()
    examine(page, "a form without its token")
    page.set_content(render_to_string("500.html"))
    expect(page.get_by_role("heading", name="We failed to make this page")).to_be_visible()
    examine(page, "our own failure")


def test_full_pages_transfer_less_than_150_kilobytes(world, open_page):
    world.manage("shell", "--no-imports", "-c", _MAKE_LARGE)
    transferred = {}
    for address in ("/", "/numbers", "/purchases", "/calls", "/spending", "/audit"):
        page = open_page(LARGE)  # in a window of its own: nothing is cached
        page.goto(address, wait_until="networkidle")
        transferred[address] = page.evaluate(_TRANSFERRED)

    assert {address: size for address, size in transferred.items() if size >= 150_000} == {}
    assert min(transferred.values()) > 50_000  # the style sheet and the scripts were counted


def test_no_page_was_forgotten(site, examiner):
    """Every address that is not in the short lists above was examined by a test before this one;
    and those that are answer no GET, or no page."""
    routes = {route.name: route for route in [*number_pages, *organization_pages]}
    assert routes.keys() - examiner.visited == FORMS_ALONE | NO_PAGES

    context = site.context(OWNER)
    answers = {}
    for name in FORMS_ALONE:
        given = {key: uuid4() if "UUID" in type(kind).__name__ else 999_999
                 for key, kind in routes[name].pattern.converters.items()}  # fmt: skip
        answers[name] = context.request.get(reverse(name, kwargs=given), max_redirects=0).status
    context.close()
    assert answers == dict.fromkeys(FORMS_ALONE, 405)
