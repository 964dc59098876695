"""Rows by the million, copied from those of one purchase. In the benchmark's own database."""

from django.db import connection

from assistants.models import Assistant
from numbers.models import Call, Message, PhoneNumber, Purchase
from organizations.models import AuditEvent, Organization

_AT_A_TIME = 50_000


def grow(*, large: int, small: int, others: int) -> None:
    """The first tenant gets `large` numbers with their purchases and audit, the second `small`,
    as do `others` organizations that are made; every number had a call."""
    first, second = Organization.objects.filter(name__in=["Tenant 0", "Tenant 1"]).order_by("name")
    with connection.cursor() as cursor:
        # Copies of rows that were checked when they were made: foreign keys hold by construction.
        cursor.execute("SET session_replication_role = replica")
        _fill(first, large, start=0)
        _fill(second, small, start=large)
        for n in range(others):
            other = Organization.objects.create(name=f"Other {n}", slug=f"other-{n}")
            _fill(other, small - 100, start=large + small + n * small, template=second)
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("VACUUM ANALYZE")


def _fill(
    organization: Organization, count: int, *, start: int, template: Organization | None = None
) -> None:
    origin = template or organization
    number = PhoneNumber.objects.filter(organization=origin).order_by("pk").first()
    purchase = Purchase.objects.filter(organization=origin).order_by("pk").first()
    event = AuditEvent.objects.filter(organization=origin, action="purchase.completed").first()
    assistants = Assistant.objects.bulk_create(
        Assistant(organization=organization, name=f"Assistant {n}") for n in range(50)
    )
    base = {"organization_id": organization.pk}
    first = assistants[0].pk
    for at in range(start, start + count, _AT_A_TIME):
        step = min(_AT_A_TIME, start + count - at)
        # One in a hundred is pending, one in ten is Telnyx's, one in fifty has no assistant.
        _copy(PhoneNumber, number.pk, at, step, base, {
            "id": "10000000 + g",
            "phone_number": "'+1' || (2000000000 + g)",
            "provider_number_id": "'PN' || lpad(g::text, 32, '0')",
            "status": "CASE WHEN g % 100 = 0 THEN 'pending' ELSE 'active' END",
            "provider": "CASE WHEN g % 10 = 0 THEN 'telnyx' ELSE 'twilio' END",
            "assistant_id": f"CASE WHEN g % 50 = 0 THEN NULL ELSE {first} + g % 50 END",
            "purchased_at": "now() - (g % 700) * interval '1 day'",
            "last_activity_at": "CASE WHEN g % 3 = 0 THEN NULL"
                                " ELSE now() - (g % 90) * interval '1 day' END",
            "webhook_verdict": "CASE WHEN g % 200 = 0 THEN 'drifted' ELSE 'verified' END",
        })  # fmt: skip
        _copy(Purchase, purchase.pk, at, step, base, {
            "id": "('01900000-0000-7000-8000-' || lpad(to_hex(g), 12, '0'))::uuid",
            "number_id": "10000000 + g",
            "phone_number": "'+1' || (2000000000 + g)",
            "idempotency_key": "'copy:' || g",
            "claimed_at": "now() - (g % 700) * interval '1 day'",
            "state": "CASE WHEN g % 50 = 7 THEN 'refused' ELSE 'completed' END",
        })  # fmt: skip
        _copy(AuditEvent, event.pk, at, step, base, {
            "id": "10000000 + g",
            "object_id": "'01900000-0000-7000-8000-' || lpad(to_hex(g), 12, '0')",
            "created_at": "now() - (g % 700) * interval '1 day'",
        })  # fmt: skip
        _happened(number, organization, at, step)


def _copy(model, pk, start: int, count: int, base: dict, columns: dict[str, str]) -> None:
    """`count` copies of a row, whose `columns` are SQL of the running number `g`."""
    table = model._meta.db_table
    pairs = ", ".join(f"'{name}', {value}" for name, value in (base | columns).items())
    pairs = pairs.replace("%", "%%")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO {table}
                SELECT made.* FROM {table} template, generate_series(%s, %s) g,
                    LATERAL jsonb_populate_record(
                        template, jsonb_build_object({pairs})) made
                WHERE template.id = %s""",
            [start, start + count - 1, pk],
        )


def _happened(number: PhoneNumber, organization: Organization, start: int, count: int) -> None:
    """A call to each number; a message to each fourth."""
    with connection.cursor() as cursor:
        for model, key, when, each in (
            (Call, "call_id", "started_at", 1), (Message, "message_id", "received_at", 4),
        ):  # fmt: skip
            rest = {
                Call: ("answered_with, status, ended_because", "'stream', 'completed', ''"),
                Message: ("status, media_count", "'handed_over', 0"),
            }[model]
            cursor.execute(
                f"""INSERT INTO {model._meta.db_table} (account_id, provider, organization_id,
                        number_id, from_number, to_number, direction, {key}, {when}, {rest[0]})
                    SELECT %s, 'twilio', %s, 10000000 + g, '+14155550199',
                        '+1' || (2000000000 + g), 'inbound', 'made-' || g,
                        now() - (g %% 90) * interval '1 day', {rest[1]}
                    FROM generate_series(%s, %s, %s) g""",
                [number.account_id, organization.pk, start, start + count - 1, each],
            )
