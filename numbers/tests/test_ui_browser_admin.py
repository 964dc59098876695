"""The Django admin in a real browser: buying for two assistants at once, and every page under the
strict Content-Security-Policy, with nothing wrong in the console and nothing asked of others."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from burki.tests.processes import STAFF, running_world

pytestmark = pytest.mark.slow

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))


class Site:
    def __init__(self, world, web, browser):
        self.world, self.web, self.browser = world, web, browser


@pytest.fixture(scope="module")
def site():
    """The browser lives as long as this module: while it does, nothing else can run asyncio."""
    if not CHROMIUM.exists():
        pytest.skip("`make tools` installs Chromium.")
    with running_world(0.4, 0.1) as world:
        world.make_tenants(Acme={}, Globex={})
        world.make_staff()
        for name in ("Front desk", "Sales"):
            world.manage("create_assistant", "--organization", "acme", name)
        with world.web() as web, sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=str(CHROMIUM),
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
            try:
                yield Site(world, web, browser)
            finally:
                browser.close()


@pytest.fixture
def page(site):
    """Staff, signed in; at the end nothing was wrong with any page."""
    context = site.browser.new_context(base_url=site.web.url)
    context.set_default_timeout(15_000)
    page, troubles = context.new_page(), []
    page.on(
        "console",
        lambda message: (
            troubles.append(f"{page.url}: {message.text}")
            if message.type in ("error", "warning")
            else None
        ),
    )
    page.on("pageerror", lambda error: troubles.append(f"{page.url}: {error}"))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(site.web.url) else troubles.append(request.url)
        ),
    )
    page.goto("/admin/login/")
    page.locator("#id_username").fill(STAFF[0])
    page.locator("#id_password").fill(STAFF[1])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/admin/")
    yield page
    context.close()
    assert troubles == []


def go_for_all(page: Page, action: str) -> None:
    """Choose every row of the list, and what to do with them."""
    page.locator("#action-toggle").check()
    page.get_by_label("Action:").select_option(action)
    page.get_by_role("button", name="Go").click()


def row(page: Page, name: str):
    return page.get_by_role("group", name=name)


def test_two_assistants_at_once_get_a_number_each(site, page):
    """One searches, the other knows the number. The button is pressed twice."""
    known = site.world.attempt("telnyx")
    page.goto("/admin/assistants/assistant/")
    go_for_all(page, "Purchase number")
    page.wait_for_url(re.compile("/purchase/"))
    row(page, "Front desk (Acme)").get_by_label("Area code").fill("212")
    row(page, "Front desk (Acme)").get_by_role("button", name="Search numbers").click()
    choice = row(page, "Front desk (Acme)").get_by_role("button", name="Choose").first
    found = choice.inner_text().removeprefix("Choose ")
    choice.click()
    number = row(page, "Front desk (Acme)").get_by_label("Phone number")
    expect(number).to_have_value(found)
    row(page, "Sales (Acme)").get_by_label("Provider").select_option("Telnyx")
    row(page, "Sales (Acme)").get_by_label("Phone number").fill(known.phone_number)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("group", name=f"{found} for Front desk")).to_contain_text("It costs $1")
    page.get_by_role("button", name="Buy 2 numbers for $2").dblclick()

    page.wait_for_url("**/admin/assistants/assistant/")
    expect(page.get_by_text(f"{found} for Front desk (Acme) is bought.").first).to_be_visible()
    expect(
        page.get_by_text(f"{known.phone_number} for Sales (Acme) is bought.").first
    ).to_be_visible()
    assert site.world.posts(known) == 1
    assert len(site.world.sandbox.owned()) == 2
    site.world.assert_inventories_agree()


def test_the_button_of_the_numbers_list_finds_the_organization(site, page):
    attempt = site.world.attempt("twilio")
    page.goto("/admin/numbers/phonenumber/")
    page.get_by_role("link", name="Purchase number").click()
    expect(page.locator(".select2-container")).to_be_visible()  # replaces the plain one
    page.get_by_role("combobox").click()
    page.get_by_role("searchbox").last.fill("Glob")
    page.get_by_role("option", name="Globex").click()
    page.get_by_role("button", name="Continue").click()
    row(page, "Globex").get_by_label("Phone number").fill(attempt.phone_number)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Buy 1 number for $1.15 a month").click()

    page.wait_for_url(re.compile("/admin/numbers/purchase/.+/change/"))
    expect(page.get_by_text(f"{attempt.phone_number} for Globex is bought.")).to_be_visible()
    assert site.world.posts(attempt) == 1


def test_every_page_of_the_admin_obeys_the_policy(site, page):
    page.goto("/admin/")
    links = page.eval_on_selector_all("#content a", "links => links.map(a => a.pathname)")
    lists = sorted({link for link in links if re.fullmatch(r"/admin/\w+/\w+/", link)})
    assert len(lists) > 18

    for address in lists:
        assert page.goto(address, wait_until="networkidle").status == 200
        first = page.locator("#result_list tbody th a").first
        if first.count():
            first.click()
            page.wait_for_load_state("networkidle")
    for address in sorted({link for link in links if link.endswith("/add/")}):
        assert page.goto(address, wait_until="networkidle").status == 200


def test_releasing_asks_first(site, page):
    attempt = site.world.attempt("twilio")
    page.goto("/admin/organizations/organization/")
    page.get_by_role("row", name=re.compile("Globex")).get_by_role("checkbox").check()
    page.get_by_label("Action:").select_option("Purchase number")
    page.get_by_role("button", name="Go").click()
    page.get_by_label("Phone number").fill(attempt.phone_number)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Buy 1 number").click()
    page.wait_for_url(re.compile("/admin/numbers/purchase/.+/change/"))

    page.goto(f"/admin/numbers/phonenumber/?q={attempt.phone_number[1:]}")
    go_for_all(page, "Release")
    expect(page.get_by_text("it stops costing, calls to it fail")).to_be_visible()
    page.get_by_role("button", name="Yes, I’m sure").click()

    expect(page.get_by_text(f"{attempt.phone_number} is released.")).to_be_visible()
    site.world.assert_inventories_agree(attempt)
