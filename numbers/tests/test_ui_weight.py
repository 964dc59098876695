"""What a browser transfers for a page whose lists are full: everything that the page needs, its
document compressed, the static files even as they are (production compresses them as well)."""

from pathlib import Path

import pytest
from django.contrib.staticfiles import finders

from assistants.models import Assistant
from burki.testing import make_browser
from burki.tests.office import Office
from numbers.models import PhoneNumber

pytestmark = pytest.mark.django_db

MOST = 150_000  # bytes
FILES = (
    "burki/app.css",
    "burki/app.js",
    "burki/icons.svg",
    "burki/mark.svg",
    "django_htmx/htmx-2.min.js",
)
NAME = "Main line of the branch office in San Francisco, second floor"
FULL = (
    "/",
    "/numbers",
    "/numbers/{number}",
    "/numbers/{number}/history",
    "/numbers/unused?days=0",
    "/numbers/assign?{selected}",
    "/numbers/release?{selected}",
    "/purchases",
    "/buy?area_code=415",
    "/buy/many/all",
    "/buy/many/{bulk}",
    "/calls",
    "/spending",
    "/assistants",
    "/assistants/{assistant}",
    "/settings/credentials",
    "/settings/api-keys",
    "/settings/members",
    "/settings/events",
    "/audit",
)


def test_a_full_page_weighs_less_than_150_kilobytes(organization, sandbox):
    office = Office(organization)
    office.grow(200)
    browser = make_browser(organization, "owner")
    PhoneNumber.objects.update(friendly_name=NAME, monthly_cost="1.15", currency="USD")
    Assistant.objects.update(greeting=NAME)
    numbers = PhoneNumber.objects.values_list("pk", flat=True)[:50]  # a page of the list
    found = {
        "number": office.number.pk,
        "bulk": office.bulk.pk,
        "assistant": office.assistant.pk,
        "selected": "&".join(f"number={pk}" for pk in numbers),
    }
    files = sum(Path(finders.find(name)).stat().st_size for name in FILES)

    heavy = {}
    for address in FULL:
        response = browser.get(address.format(**found), headers={"Accept-Encoding": "gzip"})
        assert (response.status_code, response["Content-Encoding"]) == (200, "gzip"), address
        if len(response.content) + files >= MOST:
            heavy[address] = len(response.content) + files

    assert heavy == {}
