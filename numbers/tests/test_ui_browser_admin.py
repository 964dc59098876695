"""The Django admin in a real browser: buying for two assistants at once, and every page under the
strict Content-Security-Policy, with nothing wrong in the console and nothing asked of others."""

import re

import pytest
from playwright.sync_api import Page, expect

from burki.tests.processes import STAFF, running_world
from numbers.tests.browser import CLOCK_SCALE, SETTLE_CLOCK_SCALE, Examiner, browsing, need_tools

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site():
    need_tools()
    with running_world(CLOCK_SCALE, SETTLE_CLOCK_SCALE) as world:
        world.make_tenants(Acme={}, Globex={})
        world.make_staff()
        for name in ("Front desk", "Sales"):
            world.manage("create_assistant", "--organization", "acme", name)
        with world.web() as web, browsing(world, web) as site:
            yield site


@pytest.fixture
def page(open_page):
    """Of staff who have signed in at the admin's own address."""
    page = open_page()
    page.goto("/admin/login/")
    page.locator("#id_username").fill(STAFF[0])
    page.locator("#id_password").fill(STAFF[1])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/admin/")
    return page


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


def test_our_own_pages_of_the_admin_have_no_serious_finding(site, page):
    """Between Django's header and its side bar, which are Django's."""
    examiner = Examiner()

    def examine(name: str) -> None:
        examiner.examine(page, name, part="#content")

    attempt, lost = site.world.attempt("telnyx"), site.world.attempt("twilio", "0011")
    page.goto("/admin/numbers/phonenumber/purchase/")
    expect(page.locator(".select2-container")).to_be_visible()
    examine("for whom")
    for wanted in (attempt, lost):
        page.goto("/admin/assistants/assistant/")
        page.get_by_role("row", name=re.compile("Sales")).get_by_role("checkbox").check()
        page.get_by_label("Action:").select_option("Purchase number")
        page.get_by_role("button", name="Go").click()
        page.wait_for_url(re.compile("/purchase/"))
        if wanted == attempt:
            page.get_by_label("Area code").fill("212")
            page.get_by_role("button", name="Search numbers").click()
            expect(page.get_by_role("button", name="Choose").first).to_be_visible()
            examine("choose")
            page.get_by_role("button", name="Continue").click()
            examine("choose, with an error")
        page.get_by_label("Provider").select_option(wanted.provider.title())
        page.get_by_label("Phone number").fill(wanted.phone_number)
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("button", name="Buy 1 number")).to_be_visible()
        examine("confirm")
        page.get_by_role("button", name="Buy 1 number").click()
        page.wait_for_url(re.compile("/admin/numbers/purchase/.+/change/"))
    page.get_by_role("link", name="Look at the provider").click()
    expect(page.get_by_role("button", name="Record the decision")).to_be_visible()
    examine("settle")
    page.goto(f"/admin/numbers/phonenumber/?q={attempt.phone_number[1:]}")
    go_for_all(page, "Release")
    expect(page.get_by_role("button", name="Yes, I’m sure")).to_be_visible()
    examine("release")

    assert not examiner.findings, "\n".join(map(str, examiner.findings))
