"""Keyset paging: every row once, whatever is added meanwhile, and no page costs more than the
first."""

import json
from base64 import b64encode
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assistants.models import Assistant
from burki.paging import newest_first
from numbers.models import BulkPurchase, Call, Finding, Message, PhoneNumber, Purchase, Release
from organizations.models import AuditEvent, AuditSeal, Event

pytestmark = pytest.mark.django_db

LIST, PURCHASES = "/phone-numbers", "/phone-numbers/purchases"


def make_numbers(organization, count, first=1):
    account = organization.provider_accounts.get(provider="twilio")
    return PhoneNumber.objects.bulk_create(
        PhoneNumber(
            organization=organization,
            account=account,
            provider="twilio",
            phone_number=f"+1415{line:07}",
            friendly_name="x",
            status="active",
        )
        for line in range(first, first + count)
    )


def make_purchases(organization, count, first=1):
    return [
        Purchase.objects.create(
            id=UUID(int=line),
            organization=organization,
            provider="twilio",
            phone_number=f"+1415{line:07}",
            state="refused",
            refusal_code="number_unavailable",
            evidence="provider_said_no",
        )
        for line in range(first, first + count)
    ]


MAKERS = pytest.mark.parametrize(
    ("path", "make"),
    [
        (LIST, make_numbers),
        (PURCHASES, make_purchases),
        (f"/api/v1{LIST}", make_numbers),
        (f"/api/v1{PURCHASES}", make_purchases),
    ],
    ids=["numbers", "purchases", "v1 numbers", "v1 purchases"],
)


def page(client, url):
    response = client.get(url)
    assert response.status_code == 200, response.json()
    answer = response.json()
    return [item["id"] for item in answer["items"]], answer["next"], answer["previous"]


def expected(rows):
    """Ids as answers tell them, newest first."""
    return [row.pk if isinstance(row.pk, int) else str(row.pk) for row in reversed(rows)]


@MAKERS
def test_every_row_comes_once_page_by_page_and_back(client, organization, path, make):
    rows = expected(make(organization, 25))

    first, url, before_first = page(client, f"{path}?limit=10")
    second, next_url, _ = page(client, url)
    third, end, previous = page(client, next_url)

    assert [first, second, third] == [rows[:10], rows[10:20], rows[20:]]
    assert (before_first, end) == (None, None)
    assert urlsplit(url).path == path
    back, _, _ = page(client, previous)
    assert back == second


@MAKERS
def test_rows_added_meanwhile_shift_nothing(client, organization, path, make):
    rows = expected(make(organization, 9))
    first, url, _ = page(client, f"{path}?limit=3")

    make(organization, 5, first=100)
    second, url, _ = page(client, url)
    make(organization, 5, first=200)
    third, end, _ = page(client, url)

    assert first + second + third == rows
    assert end is None


def test_a_filter_stays_on_the_next_page(client, organization):
    rows = make_numbers(organization, 6)
    PhoneNumber.objects.filter(pk__in=[row.pk for row in rows[::2]]).update(status="pending")

    first, url, _ = page(client, f"{LIST}?limit=2&status=pending")
    second, end, _ = page(client, url)

    assert first + second == expected(rows[::2])
    assert end is None


def test_fifty_rows_without_a_limit_and_two_hundred_at_most(client, organization):
    make_numbers(organization, 201)

    assert len(page(client, LIST)[0]) == 50
    for limit in (1, 200):
        assert len(page(client, f"{LIST}?limit={limit}")[0]) == limit


@pytest.mark.parametrize("path", [LIST, PURCHASES])
def test_another_limit_is_a_400(client, path):
    client.raise_request_exception = False
    for limit in (
        *("0", "201", "-1", "+5", "", "abc", "1.5", "1e2", "٣", "\x00", "50 "),
        *("9" * 5_000, "000000001999999"),
    ):
        response = client.get(path, {"limit": limit})

        assert response.status_code == 400, limit[:20]
        assert response.json() == {
            "detail": "limit must be between 1 and 200",
            "code": "invalid_request",
        }


def cursor(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize("path", [LIST, PURCHASES])
def test_a_cursor_that_is_none_is_a_400(client, organization, path):
    make_numbers(organization, 1)
    make_purchases(organization, 1)
    client.raise_request_exception = False
    for given in (
        *("x", "%%%", "é", "A" * 10_000),
        *(cursor("p=x"), cursor("p="), cursor("p=1.5"), cursor("p=\x00")),
        *(cursor("o=x&p=1"), cursor("o=-1"), cursor("o=5")),
    ):
        response = client.get(path, {"cursor": given})

        assert response.status_code == 400, given[:20]
        assert response.json()["code"] == "invalid_request"
        assert response.json()["detail"].startswith("cursor ")


def multiply(row, count: int, **columns: str) -> None:
    """Copies of a row, by SQL; `columns` are expressions of `n`, 1 to `count`."""
    table = row._meta.db_table
    names = [f.column for f in row._meta.concrete_fields if f.column != "id" or "id" in columns]
    values = ", ".join(columns.get(name, f"r.{name}") for name in names)
    with connection.cursor() as sql:
        sql.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} "
            f"FROM {table} r, generate_series(1, {count}) n WHERE r.id = %s ORDER BY n",
            [row.pk],
        )
        sql.execute(f"ANALYZE {table}")


def explained(sql: str, how: str = "") -> dict:
    with connection.cursor() as explaining:
        explaining.execute(f"EXPLAIN ({how + ', ' if how else ''}FORMAT JSON) {sql}")
        (answer,) = explaining.fetchone()
    return (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]


def nodes(plan: dict) -> list[dict]:
    return [plan] + [node for child in plan.get("Plans", []) for node in nodes(child)]


@pytest.mark.parametrize("query", [{}, {"limit": "200"}])
@pytest.mark.parametrize("path", [LIST, PURCHASES])
def test_a_deep_page_reads_only_its_own_rows_from_an_index(
    client, organization, other_organization, path, query
):
    for tenant in (organization, other_organization):
        if path == LIST:
            (row,) = make_numbers(tenant, 1, first=tenant.pk)
            start = 2_000_000_000 + 100_000 * tenant.pk
            multiply(row, 10_000, phone_number=f"'+1' || ({start} + n)")
        else:
            (row,) = make_purchases(tenant, 1, first=tenant.pk)
            multiply(row, 10_000, id="gen_random_uuid()")
    model = PhoneNumber if path == LIST else Purchase
    # Where so few are left that all of them are a page or two, sorting them is as good.
    deep = model.objects.filter(organization=organization).order_by("-id")[7_000]

    with CaptureQueriesContext(connection) as captured:
        response = client.get(path, {"cursor": cursor(f"p={deep.pk}")} | query)

    limit = int(query.get("limit", 50))
    assert len(response.json()["items"]) == limit
    (sql,) = [q["sql"] for q in captured if f'FROM "{model._meta.db_table}"' in q["sql"]]
    plan = nodes(explained(sql, "ANALYZE"))
    assert not any("Sort" in node["Node Type"] for node in plan)
    (scan,) = [node for node in plan if node.get("Relation Name") == model._meta.db_table]
    assert scan["Node Type"] in ("Index Scan", "Index Only Scan")
    assert scan["Actual Rows"] == limit + 1
    assert scan.get("Rows Removed by Filter", 0) == 0


@pytest.mark.parametrize("path", [LIST, PURCHASES])
def test_a_page_reads_no_newer_rows_of_others(client, organization, other_organization, path):
    """One row in ten is the tenant's, and it bought nothing lately: reading backwards by the
    primary key looks cheap, and would pass all that the others bought since."""
    model = PhoneNumber if path == LIST else Purchase
    make = make_numbers if path == LIST else make_purchases
    (row,) = make(organization, 1)
    multiply(
        row,
        30_000,
        id="n + 1000" if path == LIST else "lpad(to_hex(n + 1000), 32, '0')::uuid",
        phone_number="'+1' || (2000000000 + n)",
        organization_id=f"CASE WHEN n < 20000 AND mod(n, 7) = 0 THEN {organization.pk}"
        f" ELSE {other_organization.pk} END",
    )

    with CaptureQueriesContext(connection) as captured:
        response = client.get(path, {"provider": "twilio"})

    assert len(response.json()["items"]) == 50
    (sql,) = [q["sql"] for q in captured if f'FROM "{model._meta.db_table}"' in q["sql"]]
    (scan,) = [
        node
        for node in nodes(explained(sql, "ANALYZE"))
        if node.get("Relation Name") == model._meta.db_table
    ]
    assert (scan["Actual Rows"], scan.get("Rows Removed by Filter", 0)) == (51, 0)


@pytest.mark.parametrize(
    ("model", "owner"),
    [
        *((model, "organization") for model in (PhoneNumber, Purchase, Release, BulkPurchase)),
        *((model, "organization") for model in (Assistant, Finding, AuditEvent, AuditSeal, Event)),
        *((Call, "number"), (Message, "number"), (PhoneNumber, "assistant")),
    ],
)
def test_no_index_on_keys_alone_bears_the_order_of_an_owners_list(model, owner):
    with connection.cursor() as cursor:
        for index in model._meta.indexes:
            if index.fields == [owner, "-id"]:
                cursor.execute(f"DROP INDEX {index.name}")
        cursor.execute("SET LOCAL enable_sort = off")  # but where nothing else is left

    for backwards in (False, True):
        with CaptureQueriesContext(connection) as captured:
            list(newest_first(model.objects.filter(**{owner: 1}), backwards=backwards)[:50])
        plan = nodes(explained(captured[0]["sql"]))

        assert any("Sort" in node["Node Type"] for node in plan), plan
