"""`make screenshots`: pictures of the main pages with demo data, for people to look at: light and
dark, wide and narrow, in .data/screenshots."""

import os
import sys

import django
from playwright.sync_api import Page

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "burki.settings")
django.setup()

from django.conf import settings  # noqa: E402

from burki.tests.processes import STAFF, running_world  # noqa: E402
from numbers.tests import demo  # noqa: E402
from numbers.tests.browser import (  # noqa: E402
    CLOCK_SCALE,
    SCHEMES,
    WIDTHS,
    browsing,
    confirm_address,
)

FOLDER = settings.DATA_DIR / "screenshots"
_TALLEST = 1800  # of the wide pictures and the narrow ones; longer pages are cut


def pages(found: demo.Demo) -> dict[str, tuple[str, str]]:
    """Who looks at which address, by the name of the picture."""
    number = f"/numbers/{found.number}"
    confirm = f"{confirm_address('telnyx', demo.FOR_SALE)}&assistant={found.assistant}"
    addresses = {
        "overview": "/",
        "search": "/buy?area_code=415",
        "confirm": confirm,
        "bought": f"/purchases/{found.bought}",
        "refused": f"/purchases/{found.refused}",
        "pending": f"/purchases/{found.pending}",
        "in-doubt": f"/purchases/{found.in_doubt}",
        "buy-many": "/buy/many",
        "bulk": f"/buy/many/{found.bulk_running}",
        "bulks": "/buy/many/all",
        "numbers": "/numbers",
        "number": number,
        "drifted": f"/numbers/{found.drifted}",
        "repair": f"/numbers/{found.drifted}/repair",
        "release": f"/numbers/release?number={found.number}",
        "purchases": "/purchases",
        "calls": "/calls",
        "spending": "/spending",
        "unused": "/numbers/unused?days=0",
        "assistants": "/assistants",
        "assistant": f"/assistants/{found.assistant}",
        "credentials": "/settings/credentials",
        "credential": f"/settings/credentials/{found.account}",
        "api-keys": "/settings/api-keys",
        "organization": "/settings/organization",
        "events": "/settings/events",
        "audit": "/audit",
        "not-found": "/numbers/999999",
    }
    shown = {name: (demo.ADMIN, address) for name, address in addresses.items()}
    return shown | {
        "sign-in": ("", "/sign-in"),
        "members": (demo.OWNER, "/settings/members"),
        "no-right": (demo.VIEWER, "/buy"),
        "switch": (demo.AGENT, "/organizations/switch"),
        "admin-numbers": (STAFF[0], "/admin/numbers/phonenumber/"),
    }


def take(page: Page, address: str, name: str) -> None:
    page.goto(address, wait_until="networkidle")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        height = min(page.evaluate("document.documentElement.scrollHeight"), _TALLEST)
        page.set_viewport_size({"width": width, "height": max(height, 800)})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.screenshot(path=FOLDER / f"{name}-{scheme}-{width}.png", animations="disabled")


def main(wanted: list[str]) -> None:
    """All pictures, or those whose names are given."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with running_world(CLOCK_SCALE) as world:
        found = demo.furnish(world)
        with world.web() as web, browsing(world, web) as site:
            for name, (email, address) in pages(found).items():
                if wanted and name not in wanted:
                    continue
                context = site.context(email)
                take(context.new_page(), address, name)
                context.close()
    sys.stdout.write(f"Pictures are in {os.path.relpath(FOLDER)}.\n")


if __name__ == "__main__":
    main(sys.argv[1:])
