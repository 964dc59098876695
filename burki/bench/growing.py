"""A million numbers over a thousand organizations, and everything that belongs to them: written by
PostgreSQL itself, as copies of what a real purchase wrote. In the benchmark's own database.

Reads `{"numbers": …, "organizations": …}` from standard input.

Numbers come in the order of time and those of all organizations are mixed, as they are in life: a
tenth of each table's pages belongs to the largest tenant, and it is nowhere alone.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "burki.settings")

import django  # noqa: E402

django.setup()

from django.db import connection  # noqa: E402
from django.db.models import Model  # noqa: E402

from assistants.models import Assistant  # noqa: E402
from burki.bench import copies  # noqa: E402
from numbers.models import PhoneNumber  # noqa: E402
from organizations.models import (  # noqa: E402
    EventEndpoint,
    Membership,
    Organization,
    ProviderAccount,
    User,
)

AT_ONCE = 2  # connections that write
PEOPLE = 50
# The newest of a tenant's assistants, and the first, have its numbers: an answer tells at most a
# hundred of one, and in both tenants that are compared each has about as many or more. Were they
# spread over all, those of the small one would have three, and a longer answer be compared with a
# shorter one.
ANSWERING = 10


@dataclass(frozen=True)
class Size:
    """How much there is: `numbers` live ones, a tenth in the largest tenant, whose time is compared
    with that of the `small` one. For each twenty, one more was released."""

    numbers: int = 1_000_000
    organizations: int = 1_000

    @property
    def large(self) -> int:
        return self.numbers // 10

    @property
    def small(self) -> int:
        return min(1_000, self.numbers // 100)

    @property
    def rows(self) -> int:
        return self.numbers + self.numbers // 20


def main() -> None:
    size = Size(**json.load(sys.stdin))
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET max_wal_size = '8GB'")
        cursor.execute("SELECT pg_reload_conf()")
    _tenants(size)
    texts = _put_off()
    _timed("numbers", lambda: _numbers(size))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = [pool.submit(_timed, part.__name__, part, size) for part in copies.PARTS]
        for one in done:
            one.result()
    _timed("the indexes of texts", _catch_up, texts)
    _timed("the rest", _tidy_up)
    print(f"grown in {time.perf_counter() - began:.0f} s")


def _timed(name: str, part: Callable, *arguments: object) -> None:
    began = time.perf_counter()
    with connection.cursor() as cursor:
        # Rows are related by construction, so that nothing is gained by looking each relation up.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET synchronous_commit = off")
    part(*arguments)
    connection.close()
    print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)


def _tenants(size: Size) -> None:
    """Organizations with accounts, assistants, people and an event endpoint; the table
    `bench_tenant` says who has which numbers."""
    tenants = list(Organization.objects.filter(name__startswith="Tenant ").order_by("pk"))
    tenants += Organization.objects.bulk_create(
        Organization(name=f"Organization {n}", slug=f"organization-{n}")
        for n in range(len(tenants), size.organizations)
    )
    twilio, telnyx = (
        ProviderAccount.objects.filter(organization=tenants[2], provider=provider).get()
        for provider in ("twilio", "telnyx")
    )
    for template in (twilio, telnyx):
        ProviderAccount.objects.bulk_create(
            _copied(
                template,
                organization=other,
                account_sid=template.account_sid and f"AC{other.pk:032x}",
            )
            for other in tenants
            if not other.name.startswith("Tenant ")
        )
    # As many in both that are compared: what is measured is the numbers.
    Assistant.objects.bulk_create(
        Assistant(
            organization=tenant,
            name=f"Assistant {n}",
            media_stream_url="wss://stream.example/media",
        )
        for slot, tenant in enumerate(tenants)
        for n in range(300 if slot < 2 else 3)
    )
    EventEndpoint.objects.bulk_create(
        EventEndpoint(organization=tenant, url="http://127.0.0.1:9/events") for tenant in tenants
    )
    people = User.objects.bulk_create(User(email=f"person{n}@example.com") for n in range(PEOPLE))
    Membership.objects.bulk_create(
        Membership(organization=tenant, user=person, role="member")
        for tenant in tenants[:2]
        for person in people
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """CREATE TABLE bench_tenant AS
               SELECT row_number() OVER (ORDER BY id) - 1 AS slot, id AS organization_id,
                   (SELECT id FROM organizations_provideraccount account
                    WHERE organization_id = tenant.id AND provider = 'twilio') AS twilio,
                   (SELECT id FROM organizations_provideraccount account
                    WHERE organization_id = tenant.id AND provider = 'telnyx') AS telnyx,
                   (SELECT min(id) FROM organizations_eventendpoint endpoint
                    WHERE organization_id = tenant.id) AS endpoint,
                   (SELECT array_agg(id ORDER BY id) FROM assistants_assistant
                    WHERE organization_id = tenant.id) AS assistants
               FROM organizations_organization tenant"""
        )
        cursor.execute("ANALYZE")


def _copied(template: Model, **over: object) -> Model:
    fields = {f.attname: getattr(template, f.attname) for f in template._meta.concrete_fields}
    del fields["id"], fields["organization_id"]
    return type(template)(**fields | over)


def _numbers(size: Size) -> None:
    template = PhoneNumber.objects.filter(organization__name="Tenant 0").earliest("pk")
    every = max(1, (size.numbers - size.large) // size.small)
    copies.insert(
        template,
        {
            "id": f"{copies.FIRST} + g",
            "organization_id": "tenant.organization_id",
            "provider": "made.provider",
            "account_id": "CASE made.provider WHEN 'twilio' THEN twilio ELSE telnyx END",
            # 2 % are nobody's, 20 % the first one's.
            "assistant_id": "CASE WHEN h % 50 = 0 THEN NULL WHEN h % 50 < 11 THEN assistants[1]"
            " ELSE assistants[cardinality(assistants)"
            f" - h / 50 % least({ANSWERING}, cardinality(assistants))] END",
            "assigned_at": "CASE WHEN h % 50 > 0 THEN made.bought_at END",
            "phone_number": "'+1' || 2000000000 + g::bigint * 3141592653 % 8000000000",
            "provider_number_id": "CASE made.provider WHEN 'twilio' THEN 'PN' || md5(g::text)"
            " ELSE (1000000000000000000 + g)::text END",
            "friendly_name": "(ARRAY['Support', 'Sales', 'Reception', 'Berlin office',"
            " 'Night shift', 'Emergency line', 'Billing', 'Front desk'])[1 + h % 8] || ' ' || g",
            "status": "CASE WHEN g % 21 = 0 THEN 'released' WHEN h % 200 = 0 THEN 'pending'"
            " WHEN h % 1000 = 1 THEN 'releasing' ELSE 'active' END",
            "released_at": "CASE WHEN g % 21 = 0 THEN made.bought_at + h % 600 *"
            " (now() - made.bought_at) / 600 END",
            "monthly_cost": "CASE WHEN h % 100 = 2 THEN NULL WHEN h % 20 = 3 THEN 2.15"
            " WHEN made.provider = 'twilio' THEN 1.15 ELSE 1.00 END",
            "setup_cost": "CASE WHEN h % 20 = 3 THEN 1.00 ELSE 0 END",
            "currency": "CASE WHEN h % 100 = 2 THEN '' ELSE 'USD' END",
            "purchased_at": "made.bought_at",
            "created_at": "made.bought_at",
            "updated_at": "made.bought_at",
            "last_activity_at": "CASE WHEN h % 5 > 0"
            " THEN greatest(made.bought_at, now() - h % 90 * interval '1 day') END",
            "webhook_verdict": "CASE h % 200 WHEN 4 THEN 'drifted' WHEN 5 THEN 'unreachable'"
            " WHEN 6 THEN '' ELSE 'verified' END",
            "webhook_checked_at": "now() - h % 60 * interval '1 minute'",
            "webhook_verified_at": "now() - h % 60 * interval '1 minute'",
        },
        f"""(SELECT g, h, now() - interval '700 days' * (1 - g / {size.rows}.0) AS bought_at,
                CASE WHEN h % 4 = 0 THEN 'telnyx' ELSE 'twilio' END AS provider,
                CASE WHEN live % 10 = 0 THEN 0
                     WHEN (live - live / 10) % {every} = 0 THEN 1
                     ELSE 2 + (live - live / 10) % {size.organizations - 2} END AS slot
             FROM (SELECT g, hashint4(g) & 2147483647 AS h, g - g / 21 AS live
                   FROM generate_series(1, {size.rows}) g) counted) made
            JOIN bench_tenant tenant USING (slot)""",
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE numbers_phonenumber")


def _put_off() -> dict[str, str]:
    """Indexes of parts of words set all new rows aside. Their names, and how many kilobytes they
    set aside else."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT relname, substring(array_to_string(reloptions, ' ')
                   FROM 'gin_pending_list_limit=([0-9]+)')
               FROM pg_class JOIN pg_am ON pg_am.oid = relam WHERE amname = 'gin'"""
        )
        texts = dict(cursor.fetchall())
        for name in texts:
            cursor.execute(f"ALTER INDEX {name} SET (gin_pending_list_limit = 2000000)")
    return texts


def _catch_up(texts: dict[str, str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '1GB'")
        for name, limit in texts.items():
            cursor.execute("SELECT gin_clean_pending_list(%s)", [name])
            cursor.execute(f"ALTER INDEX {name} SET (gin_pending_list_limit = {limit})")


def _tidy_up() -> None:
    """Keys go on where the copies end; and what autovacuum does in a quiet hour."""
    with connection.cursor() as cursor:
        for model in (PhoneNumber, *copies.KEYED):
            table = model._meta.db_table
            cursor.execute(
                f"""SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"""
            )
        cursor.execute("DROP TABLE bench_tenant")
        cursor.execute("SELECT recount_numbers()")  # triggers were off
        cursor.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    main()
