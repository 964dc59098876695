"""What the benchmark of a million numbers looks at is every list that there is."""

import re
from collections.abc import Iterable

from django.urls import resolve

from burki.bench.pages import FILES, PAGES, REPORTS
from burki.tests.routes import NUMBERS
from burki.tests.test_lists import LISTS
from numbers.ui.urls import urlpatterns as staff_pages
from organizations.urls import urlpatterns as sign_in_pages

SUMS = {
    f"{NUMBERS}/reports/{name}{ending}"
    for name in ("spending", "price-comparison")
    for ending in ("", ".csv")
}
# Pages that show one thing, ask for something, or belong to a person.
NO_LISTS = {
    "search-results", "assistant-options", "confirm", "buy-many",
    "buy-many-confirm", "bulk-stop", "purchase",
    "purchase-look", "purchase-decide", "release", "release-result", "assign", "number",
    "number-row", "number-name", "number-assistant", "number-check", "number-repair",
    "number-restore", "number-call", "number-text", "assistant-new", "assistant-edit",
    "assistant-delete", "assistant-secret", "settings-organization", "settings-credential",
    "settings-credential-add", "settings-credential-check", "settings-credential-secret",
    "settings-credential-default", "settings-credential-disable", "settings-credential-enable",
    "settings-key-new", "settings-key", "settings-key-made", "settings-key-revoke",
    "settings-member-add", "settings-member", "settings-member-remove", "settings-member-invite",
    "event", "event-again", "event-endpoint-add", "event-endpoint-page",
    *(f"event-endpoint-{verb}-page" for verb in ("rotate", "test", "enable", "disable", "delete")),
    "sign-in", "second-factor", "sign-out", "switch-organization", "forgot-password",
    "forgot-password-sent", "set-password", "account", "change-password", "two-factor",
    "two-factor-set-up", "two-factor-codes", "two-factor-new-codes", "two-factor-off",
}  # fmt: skip
PLACE = {
    "bulk": "01900000-0000-7000-8000-000000000000",
    "pk": "01900000-0000-7000-8000-000000000000",
    "phone_number": "+14155550100",
    "assistant": "1",
    "assistant_id": "1",
    "number": "1",
}


def routes(paths: Iterable[str]) -> set[str]:
    """The patterns that these paths lead to, whose places are `{named}` or `<named>`."""
    bare = (path.partition("?")[0] for path in paths)
    filled = (re.sub(r"[{<](\w+)[}>]", lambda place: PLACE[place[1]], path) for path in bare)
    return {f"/{resolve(path).route}" for path in filled}


ASKED = (PAGES | FILES).values()


def test_the_benchmark_asks_for_every_list_and_report_of_the_api():
    assert routes(LISTS.keys() | SUMS) - routes(ASKED) == set()


def test_the_benchmark_asks_for_every_page_that_shows_a_list():
    pages = {page.name: f"/{page.pattern}" for page in (*staff_pages, *sign_in_pages)}
    asked = routes(ASKED)

    assert {name for name, route in pages.items() if route not in asked} == NO_LISTS


def test_every_report_is_one_of_the_paths():
    assert set(REPORTS) <= (PAGES | FILES).keys()
