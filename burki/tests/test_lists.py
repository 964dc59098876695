"""Every list costs the same number of queries, whether it shows ten rows or two hundred."""

import json

import pytest

from burki.tests.office import Asked, Office, queries_of
from burki.tests.routes import (
    ASSISTANTS,
    AUDIT,
    ENDPOINTS,
    EVENTS,
    INVENTORY,
    KEYS,
    NUMBERS,
    ORGANIZATION,
    ROUTES,
)

pytestmark = pytest.mark.django_db

# Paths of lists, and how they are asked for two hundred rows at once.
LISTS = {
    NUMBERS: "limit=200",
    f"{NUMBERS}/purchases": "limit=200",
    f"{NUMBERS}/<phone_number>/calls": "limit=200",
    f"{NUMBERS}/<phone_number>/messages": "limit=200",
    f"{NUMBERS}/bulk-purchases": "limit=200",
    f"{NUMBERS}/bulk-purchases/<pk>/numbers": "limit=200",
    f"{NUMBERS}/reports/unused": "limit=200&days=0",
    f"{NUMBERS}/reports/unused.csv": "days=0",
    ASSISTANTS: "limit=200",
    f"{ASSISTANTS}/export": "",
    f"{ASSISTANTS}/<assistant_id>/phone-numbers": "limit=200",
    f"{ASSISTANTS}/<assistant_id>/available-phone-numbers": "limit=200",
    INVENTORY: "limit=200",
    f"{INVENTORY}/available": "limit=200",
    f"{ORGANIZATION}/provider-accounts": "limit=200",
    KEYS: "limit=200",
    ENDPOINTS: "limit=200",
    EVENTS: "limit=200",
    AUDIT: "limit=200",
    f"{AUDIT}.csv": "",
}
# The same paths, asked for something else.
MORE_LISTS = [(INVENTORY, "limit=200&is_verified_caller_id=true")]
# What answers one thing, or the same for everybody.
NO_LISTS = {
    f"{NUMBERS}/<phone_number>",
    f"{NUMBERS}/<phone_number>/diagnose",
    f"{NUMBERS}/<phone_number>/webhooks",
    f"{NUMBERS}/purchases/<purchase_id>",
    f"{NUMBERS}/bulk-purchases/<pk>",
    # Sums, whose number does not grow with that of the rows.
    *(
        f"{NUMBERS}/reports/{name}{ending}"
        for name in ("spending", "price-comparison")
        for ending in ("", ".csv")
    ),
    f"{NUMBERS}/countries",
    f"{ASSISTANTS}/count",
    f"{ASSISTANTS}/me/organization",
    f"{ASSISTANTS}/cloned-voices",
    f"{ASSISTANTS}/providers",
    f"{ASSISTANTS}/by-phone/<phone_number>",
    f"{ASSISTANTS}/<assistant_id>",
    ORGANIZATION,
    f"{ORGANIZATION}/configuration-status",
    f"{ORGANIZATION}/provider-accounts/<account_id>",
    "/api/v1/users/me",
    f"{ENDPOINTS}/<endpoint_id>",
    f"{EVENTS}/<event_id>",
}


def test_every_path_that_reads_is_a_list_or_known_to_be_none():
    reads = {route.path for route in ROUTES if route.method == "GET"}

    assert reads == LISTS.keys() | NO_LISTS


def shown(asked: Asked) -> int:
    """How many rows there are in a list's answer, whichever shape it has."""
    if asked.answer["Content-Type"].startswith("text/csv"):
        return len(asked.content.splitlines()) - 1
    told = json.loads(asked.content)
    if isinstance(told, list):
        return len(told)
    return max(len(value) for value in told.values() if isinstance(value, list))


def test_two_hundred_rows_cost_as_many_queries_as_ten(client, organization):
    office = Office(organization)
    urls = [f"{office.url(path)}?{query}" for path, query in [*LISTS.items(), *MORE_LISTS]]
    client.get(urls[0])  # the key's first use is noted

    office.grow(10)
    few = {url: queries_of(client, url) for url in urls}
    office.grow(200)
    many = {url: queries_of(client, url) for url in urls}

    assert {url: asked.count for url, asked in many.items()} == {
        url: asked.count for url, asked in few.items()
    }
    assert max(asked.count for asked in many.values()) <= 6
    for url in urls:  # some lists show numbers and caller ids, or all numbers
        assert 10 <= shown(few[url]) <= 42 and shown(many[url]) >= 200, url
