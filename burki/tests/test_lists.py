"""Every list costs the same number of queries, whether it shows ten rows or two hundred."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from burki.tests.office import Office
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


@pytest.fixture
def office(organization):
    return Office(organization)


def shown(answer) -> int:
    """How many rows there are in a list's answer, whichever shape it has."""
    assert answer.status_code == 200
    if answer["Content-Type"].startswith("text/csv"):
        return len(answer.getvalue().splitlines()) - 1
    told = answer.json()
    if isinstance(told, list):
        return len(told)
    return max(len(value) for value in told.values() if isinstance(value, list))


@pytest.mark.parametrize("path", LISTS)
def test_two_hundred_rows_cost_as_many_queries_as_ten(client, office, path):
    url = f"{office.url(path)}?{LISTS[path]}"
    client.get(url)  # the key's first use is noted

    def asked(rows: int) -> tuple[int, int]:
        office.grow(rows)
        with CaptureQueriesContext(connection) as queries:
            found = shown(client.get(url))
        return found, len(queries)

    few, queries = asked(10)
    many, later = asked(200)

    assert 10 <= few <= 22 and many >= 200  # some lists show numbers and caller ids, or all numbers
    assert later == queries <= 6
