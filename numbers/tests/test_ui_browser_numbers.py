"""The pages about numbers in a real browser: buy, call, assign, release; many at once."""

import re

import pytest
from playwright.sync_api import Page, expect

from burki.tests.processes import free_port, running_world, wait_until
from numbers.tests.browser import (
    CLOCK_SCALE,
    SETTLE_CLOCK_SCALE,
    Site,
    browsing,
    buy,
    need_tools,
)

pytestmark = pytest.mark.slow

ADMIN = "admin@example.com"


ASSISTANTS = """
from burki.testing import make_assistant
from organizations.models import Organization
acme = Organization.objects.get(slug="acme")
make_assistant(acme, "Greeter", greeting="Acme, good morning.")
make_assistant(acme, "Streamer", media_stream_url="wss://voice.example.com/s")
"""


@pytest.fixture(scope="module")
def site():
    """Calls reach our server: the sandbox is told where it really is."""
    need_tools()
    with running_world(CLOCK_SCALE, SETTLE_CLOCK_SCALE) as world:
        world.make_tenants(Acme={})
        world.make_member("Acme", ADMIN, "admin")
        world.manage("create_assistant", "--organization", "acme", "Front desk")
        world.manage("shell", "--no-imports", "-c", ASSISTANTS)
        port = free_port()
        here = {"PUBLIC_BASE_URL": f"http://127.0.0.1:{port}"}
        with (
            world.web(port=port, **here) as web,
            world.worker("settle", "calls", "default", **here),
            browsing(world, web) as site,
        ):
            yield site


def bought(site: Site, page: Page, provider: str = "twilio") -> str:
    """A new number; its page is open."""
    number = site.number(provider)
    buy(page, provider, number)
    page.get_by_role("link", name="See the number").click()
    page.wait_for_url(re.compile(r"/numbers/\d+$"))
    return number


@pytest.mark.parametrize("script", [True, False], ids=["with_script", "without_script"])
@pytest.mark.parametrize("width", [1280, 360])
def test_buy_call_assign_release(site, open_page, script, width):
    page = open_page(ADMIN, java_script_enabled=script, viewport={"width": width, "height": 800})
    bought(site, page)
    expect(page.get_by_text("Nobody answers this number.")).to_be_visible()
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("Everything is set as it should be").first).to_be_visible()

    page.get_by_role("button", name="Call it").click()
    expect(page.get_by_role("heading", name="The call")).to_be_visible()
    expect(page.get_by_text("<Reject")).to_be_visible()
    page.get_by_label("Assistant").select_option("Front desk")
    page.get_by_role("button", name="Assign", exact=True).click()
    expect(page.get_by_text("Front desk answers +1")).to_be_visible()
    page.get_by_label("Text message").fill("Are you open?")
    page.get_by_role("button", name="Text it").click()
    expect(page.get_by_role("heading", name="The message")).to_be_visible()

    page.get_by_role("link", name="Release number").click()
    expect(page.get_by_text("It may be lost for ever.")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Release [+]1")).click()
    expect(page.get_by_text("is released: Twilio has it back.")).to_be_visible()
    expect(page.get_by_text("Released").first).to_be_visible()
    expect(page.get_by_role("link", name="Release number")).to_have_count(0)


@pytest.mark.parametrize("script", [True, False], ids=["with_script", "without_script"])
@pytest.mark.parametrize(
    ("provider", "assistant", "answer"),
    [
        ("twilio", "Greeter", "<Say"),
        ("twilio", "Streamer", "<Connect>"),
        ("telnyx", "Greeter", '"action": "speak"'),
        ("telnyx", "Streamer", '"stream_url": "wss://voice.example.com/s"'),
    ],
)
def test_a_bought_number_answers(site, open_page, script, provider, assistant, answer):
    page = open_page(ADMIN, java_script_enabled=script)
    bought(site, page, provider)
    page.get_by_label("Assistant").select_option(assistant)
    page.get_by_role("button", name="Assign", exact=True).click()
    expect(page.get_by_text(f"{assistant} answers +1")).to_be_visible()
    expect(page.get_by_text("Nothing has reached this number yet.")).to_be_visible()

    page.get_by_role("button", name="Call it").click()
    expect(page.get_by_role("heading", name="The call")).to_be_visible()
    expect(page.get_by_text(answer)).to_be_visible()
    if provider == "telnyx":
        expect(page.get_by_text('"action": "answer"')).to_be_visible()
    expect(page.get_by_text("Nothing has reached this number yet.")).to_have_count(0)
    row = page.locator("section", has=page.get_by_role("heading", name="Calls and messages"))
    row = row.get_by_role("listitem").filter(has_text="Call from +1 415-555-0199")
    if script:  # the page learns of it by itself
        expect(row.get_by_text("Ended")).to_be_visible(timeout=30_000)
    else:
        wait_until(lambda: page.reload() and row.get_by_text("Ended").count(), "it is in the list")
    expect(row).to_have_count(1)
    expect(row).to_contain_text(assistant)
    history = page.locator("section", has=page.get_by_role("heading", name="History", exact=True))
    expect(history.get_by_text("Call from +1 415-555-0199")).to_be_visible()


def test_drift_is_repaired_and_put_back(site, open_page):
    page = open_page(ADMIN)
    number = bought(site, page)
    site.world.sandbox.alter(number, voice_url="https://elsewhere.example.com/voice")
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("Drifted").first).to_be_visible()

    page.get_by_role("link", name="Repair webhooks").click()
    expect(page.get_by_text("https://elsewhere.example.com/voice")).to_be_visible()
    page.get_by_role("button", name="Overwrite and repair webhooks").click()
    expect(page.get_by_text("Repaired, and read back")).to_be_visible()
    page.get_by_role("link", name="Restore the earlier setting").click()
    page.get_by_role("button", name="Restore the earlier setting").click()
    expect(page.get_by_text("Put back.")).to_be_visible()
    assert site.world.sandbox._state.numbers[number]["voice_url"].startswith("https://elsewhere")


def test_numbers_are_edited_in_the_list_and_released_together(site, open_page):
    page = open_page(ADMIN)
    numbers = [bought(site, page, provider) for provider in ("twilio", "telnyx")]
    page.goto("/numbers")
    rows = page.locator("tbody tr")

    rows.first.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Assistant").last).to_be_focused()
    page.get_by_label("Name", exact=True).fill("Line from the list")
    page.get_by_role("button", name="Rename").click()
    expect(rows.first.get_by_text("Line from the list")).to_be_visible()

    expect(page.get_by_role("button", name="Release numbers")).to_be_hidden()
    rows.nth(0).get_by_role("checkbox").check()
    rows.nth(1).get_by_role("checkbox").check()
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.get_by_role("button", name="Assign numbers").click()
    page.get_by_label("Assistant").select_option("Front desk")
    page.get_by_role("button", name="Assign 2 numbers").click()
    expect(page.get_by_text("2 numbers are answered by Front desk now.")).to_be_visible()

    page.get_by_label("Select all on this page").check()
    page.get_by_label("Select all on this page").uncheck()
    rows.nth(0).get_by_role("checkbox").check()
    rows.nth(1).get_by_role("checkbox").check()
    page.get_by_role("button", name="Release numbers").click()
    page.get_by_role("button", name="Release 2 numbers").dblclick()
    expect(page.get_by_role("heading", name="2 of 2 released")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="2 of 2 released")).to_be_visible()
    owned = {one["phone_number"] for one in site.world.sandbox.owned()}
    assert not owned & set(numbers)


def test_the_list_is_exported(site, open_page):
    page = open_page(ADMIN)
    number = bought(site, page)
    page.goto(f"/numbers?search={number[1:]}")

    with page.expect_download() as download:
        page.get_by_role("link", name="Export all as CSV").click()

    assert number in download.value.path().read_text("utf-8-sig")
    assert download.value.suggested_filename.startswith("numbers-acme-")
