"""One story in a real browser, from the first sign-in to the last release, for a tenant that has
nothing yet and may not use the platform's accounts."""

import re

import pytest
from playwright.sync_api import Page, expect

from burki.testing import orders_sent
from burki.tests.processes import free_port, running_world
from numbers.e164 import display
from numbers.tests.browser import (
    CLOCK_SCALE,
    SETTLE_CLOCK_SCALE,
    browsing,
    need_tools,
    sign_in,
)

pytestmark = pytest.mark.slow

WITH_SCRIPT, WITHOUT = "with@example.com", "without@example.com"


@pytest.fixture(scope="module")
def site():
    """Calls reach our server: the sandbox is told where it really is."""
    need_tools()
    with running_world(CLOCK_SCALE, SETTLE_CLOCK_SCALE) as world:
        nothing = {"accounts": False, "may_use_platform_accounts": False}
        world.make_tenants(Modern=nothing, Plain=nothing)
        world.make_member("Modern", WITH_SCRIPT, "admin")
        world.make_member("Plain", WITHOUT, "admin")
        port = free_port()
        here = {"PUBLIC_BASE_URL": f"http://127.0.0.1:{port}"}
        with (
            world.web(port=port, **here) as web,
            world.worker("settle", "calls", "default", **here),
            browsing(world, web) as site,
        ):
            yield site


def enter_credentials(page: Page, provider: str, **fields: str) -> None:
    """They are tried, stored, and then checked once more by hand."""
    page.get_by_role("link", name="Add credentials").first.click()
    page.get_by_role("link", name=provider, exact=True).click()
    for label, value in fields.items():
        page.get_by_label(label.replace("_", " ")).fill(value)
    page.get_by_role("button", name="Add credentials").click()
    expect(page.get_by_text(f"{provider} accepted the credentials.")).to_be_visible()
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("May order numbers")).to_be_visible()
    expect(page.get_by_text("$100.00").first).to_be_visible()


@pytest.mark.parametrize(
    ("email", "digit", "provider", "script"),
    [(WITH_SCRIPT, "1", "Twilio", True), (WITHOUT, "2", "Telnyx", False)],
    ids=["with_script", "without_script"],
)
def test_from_nothing_to_a_number_that_answers_and_back(
    site, open_page, email, digit, provider, script
):
    page = open_page(java_script_enabled=script)
    sign_in(page, email)
    expect(page.get_by_role("heading", name="Three steps to the first number")).to_be_visible()

    page.get_by_role("link", name="Enter credentials").click()
    enter_credentials(page, "Twilio", Account_SID="AC" + 32 * digit, Auth_token=32 * digit)
    page.get_by_role("link", name="Credentials").first.click()
    enter_credentials(page, "Telnyx", API_key=f"KEY{8 * digit}.{16 * digit}")

    page.goto("/")
    page.get_by_role("link", name="Create assistant").click()
    page.get_by_label("Name").fill("Front desk")
    page.get_by_label("Greeting").fill("Good morning")
    page.get_by_role("button", name="Create assistant").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Front desk")

    page.goto("/")
    page.get_by_role("link", name="Find a number").click()
    page.get_by_label("Area code").fill("206")
    page.get_by_role("button", name="Search").click()
    for name in ("Twilio", "Telnyx"):
        offered = page.get_by_role("region", name=name).get_by_role("link", name="Buy")
        expect(offered).to_have_count(20)
    page.get_by_role("region", name=provider).get_by_role("link", name="Buy").first.click()
    page.wait_for_url(re.compile("/buy/confirm"))
    number = page.locator(".big-number .phone").get_attribute("title")
    page.get_by_role("button", name="Buy number for").click()
    page.wait_for_url(re.compile("/purchases/"))
    expect(page.get_by_role("heading", name="Bought. $1")).to_be_visible()

    page.get_by_role("link", name="See the number").click()
    expect(page.get_by_text("Nobody answers this number.")).to_be_visible()
    page.get_by_label("Assistant").select_option("Front desk")
    page.get_by_role("button", name="Assign", exact=True).click()
    expect(page.get_by_text("Front desk answers +1")).to_be_visible()

    page.get_by_role("button", name="Call it").click()
    expect(page.get_by_role("heading", name="The call")).to_be_visible()
    expect(page.get_by_text("Good morning").first).to_be_visible()
    page.goto("/calls")
    call = page.get_by_role("row").filter(has=page.get_by_role("link", name=display(number)))
    # The record is made of the provider's events, by the worker.
    site.world.wait_until(lambda: page.reload() and call.count(), "the call is recorded")
    expect(call).to_contain_text("Front desk")

    call.get_by_role("link").click()
    page.get_by_role("link", name="Release number").click()
    page.get_by_role("button", name=re.compile("^Release [+]1")).click()
    expect(page.get_by_text(f"is released: {provider} has it back.")).to_be_visible()
    assert number not in {one["phone_number"] for one in site.world.sandbox.owned()}
    assert sum(number in str(sent.body) for sent in orders_sent(site.world.sandbox)) == 1
