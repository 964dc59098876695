"""What everything that drives a real browser shares: Chromium at a running server, people who are
signed in, windows that report what goes wrong in them, and axe-core on a page."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.urls import Resolver404, resolve
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from burki.tests.processes import STAFF, Web, World

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
# What people with disabilities could not use; `make tools` installs both.
AXE = settings.BASE_DIR / ".tools/node_modules/axe-core/axe.min.js"
CLOCK_SCALE, SETTLE_CLOCK_SCALE = 0.4, 0.1
WIDTHS, SCHEMES = (1280, 360), ("light", "dark")
_HEIGHT = 800
_SERIOUS = {"serious", "critical"}
_PATIENCE = 20_000  # milliseconds: on a busy machine a page is late, not wrong
expect.set_options(timeout=_PATIENCE)


def need_tools() -> None:
    if not CHROMIUM.exists() or not AXE.exists():
        pytest.skip("`make tools` installs Chromium and axe-core.")


class Site:
    """A running server, and the browser that visits it."""

    def __init__(self, world: World, web: Web, browser: Browser):
        self.world, self.web, self.browser = world, web, browser
        self._signed_in: dict[str, Any] = {}

    def context(self, email: str = "", **over: Any) -> BrowserContext:
        """A window of its own; with an `email`, of somebody who is signed in."""
        if email and email not in self._signed_in:
            context = self.context()
            sign_in(context.new_page(), email)
            self._signed_in[email] = context.storage_state()
            context.close()
        context = self.browser.new_context(
            base_url=self.web.url, storage_state=self._signed_in.get(email), **over
        )
        context.set_default_timeout(_PATIENCE)
        return context

    @contextlib.contextmanager
    def watching(self) -> Iterator[Callable[..., Page]]:
        """Yields what opens a page in a window of its own. At the end nothing had gone wrong in
        any of them and nothing had been asked of another host. `expected` are statuses that the
        console reports as failures and are none."""
        contexts, troubles = [], []

        def open_(email: str = "", *, expected: tuple[int, ...] = (), **over: Any) -> Page:
            context = self.context(email, **over)
            contexts.append(context)
            watch(context, self.web.url, troubles, expected)
            return context.new_page()

        yield open_
        for context in contexts:
            context.close()
        assert not troubles, "\n".join(troubles)

    def number(self, provider: str, digits: str = "") -> str:
        return self.world.attempt(provider, digits).phone_number


@contextlib.contextmanager
def browsing(world: World, web: Web) -> Iterator[Site]:
    """While the browser lives, nothing else in this process can run asyncio."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=str(CHROMIUM),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        try:
            yield Site(world, web, browser)
        finally:
            browser.close()


def watch(
    context: BrowserContext, home: str, troubles: list[str], expected: tuple[int, ...] = ()
) -> None:
    """Note what the console complains of (what the Content-Security-Policy forbids is among it),
    what scripts throw, and what is asked of another host than `home`."""

    def on_console(message: Any) -> None:
        known = any(f"status of {status}" in message.text for status in expected)
        if message.type in ("error", "warning") and not known:
            troubles.append(f"{message.page and message.page.url}: {message.text}")

    def on_request(request: Any) -> None:
        if not request.url.startswith((f"{home}/", "data:", "blob:")):
            troubles.append(f"asked of another host: {request.url}")

    context.on("console", on_console)
    context.on("weberror", lambda error: troubles.append(f"{error.page.url}: {error.error}"))
    context.on("request", on_request)


class Examiner:
    """Examines pages with axe-core: wide and narrow, light and dark. `findings` are the serious
    ones and whatever is wider than the window; `visited` are the names of the routes."""

    def __init__(self) -> None:
        self.findings: list[tuple[Any, ...]] = []
        self.visited: set[str] = set()
        self._source = AXE.read_text()

    def examine(self, page: Page, name: str = "", *, part: str = "html") -> None:
        """`part` is a selector of what is ours, where the rest of a page is not."""
        page.wait_for_load_state("networkidle")
        path = urlsplit(page.url).path
        with contextlib.suppress(Resolver404):
            self.visited.add(resolve(path).url_name)
        page.evaluate(self._source)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": _HEIGHT})
            too_wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
            if too_wide and part == "html":
                self.findings.append((name or path, width, "wider than the window"))
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                self._run(page, part, name or path, width, scheme)

    def _run(self, page: Page, part: str, name: str, width: int, scheme: str) -> None:
        # A scheme changes colours and nothing else. Preloading would write style sheets into the
        # page, which its policy forbids.
        # The admin's select2 is Django's, and never ours to mend.
        context = {"include": [[part]], "exclude": [[".select2-container"]]}
        rules = {} if scheme == SCHEMES[0] else {"runOnly": ["color-contrast"]}
        told = page.evaluate(
            "([context, options]) => axe.run(context, options)",
            [context, {"resultTypes": ["violations"], "preload": False} | rules],
        )
        self.findings += [
            (name, width, scheme, found["id"], [node["target"] for node in found["nodes"]][:3])
            for found in told["violations"]
            if found["impact"] in _SERIOUS
        ]


def sign_in(page: Page, email: str, password: str = STAFF[1]) -> None:
    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile(r"/(?!sign-in$)[^/]*$|/sign-in/code$|/organizations/switch$"))


def confirm_address(provider: str, number: str) -> str:
    return f"/buy/confirm?provider={provider}&phone_number={number.replace('+', '%2B')}"


def buy(page: Page, provider: str, number: str) -> None:
    page.goto(confirm_address(provider, number))
    page.get_by_role("button", name="Buy number for").click()
    page.wait_for_url(re.compile("/purchases/"))
