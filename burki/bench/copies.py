"""What belongs to the numbers that `burki.bench.growing` made: a function for each part, which two
connections write side by side."""

from typing import TYPE_CHECKING

from django.db import connection
from django.db.models import Model
from django.db.models.expressions import DatabaseDefault
from django.utils import timezone

from numbers.models import (
    BulkItem,
    BulkPurchase,
    Call,
    Finding,
    HandoverAttempt,
    Message,
    Offer,
    Purchase,
    Release,
    VerifiedCallerId,
    WebhookDelivery,
)
from organizations.models import (
    ApiKey,
    AuditEvent,
    Event,
    EventAttempt,
    EventDelivery,
    User,
)

if TYPE_CHECKING:
    from burki.bench.growing import Size

FIRST = 1_000_000  # the key after which those of copied numbers begin
KEYED = (WebhookDelivery, Message, EventDelivery)  # with keys that were chosen here
_COPIES = f"numbers_phonenumber number WHERE number.id > {FIRST}"
# Of a number: any figure, and its place in time.
_H = "(hashint8(number.id) & 2147483647)"


def _uuid7(moment: str, more: str) -> str:
    """SQL of a key that sorts by a moment."""
    head = f"lpad(to_hex((extract(epoch FROM {moment}) * 1000)::bigint), 12, '0')"
    return f"({head} || '7000' || '8000' || lpad(to_hex({more}), 12, '0'))::uuid"


_KEY = _uuid7("number.purchased_at", "number.id")
_REFUSED_KEY = _uuid7("number.purchased_at", "number.id + 100000000")


def insert(template: Model, columns: dict[str, str], rows: str) -> None:
    """One copy of a row for each of `rows` (what follows FROM); `columns` are SQL, all others are
    as the template has them, but for a key that the database makes."""
    names, values, parameters = [], [], []
    for field in template._meta.concrete_fields:
        value = field.pre_save(template, add=True)
        if field.attname in columns:
            values.append(columns[field.attname])
        elif field.primary_key or isinstance(value, DatabaseDefault):
            continue
        else:
            values.append("%s")
            parameters.append(field.get_db_prep_save(value, connection))
        names.append(f'"{field.column}"')
    # Percent signs are SQL's own but for the parameters that were put in here.
    told = ", ".join(v if v == "%s" else v.replace("%", "%%") for v in values)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {template._meta.db_table} ({', '.join(names)}) "
            f"SELECT {told} FROM {rows.replace('%', '%%')}",
            parameters,
        )


def purchases(size: "Size") -> None:
    """The one that brought each number, with set-up fee; and one in thirty that was refused."""
    template = Purchase.objects.filter(organization__name="Tenant 0").earliest("pk")
    told = {
        "id": _KEY,
        "organization_id": "number.organization_id",
        "account_id": "number.account_id",
        "number_id": "number.id",
        "provider": "number.provider",
        "phone_number": "number.phone_number",
        "request": "jsonb_build_object('provider', number.provider, 'phone_number',"
        " number.phone_number, 'assistant_id', number.assistant_id, 'friendly_name',"
        " number.friendly_name, 'max_setup_cost', NULL, 'max_monthly_cost', NULL)",
        "idempotency_key": "'api:' || number.id",
        "state": "CASE number.status WHEN 'pending' THEN 'pending' ELSE 'completed' END",
        "next_look_at": "CASE number.status WHEN 'pending' THEN now() + interval '1 day' END",
        "provider_number_id": "number.provider_number_id",
        "monthly_cost": "number.monthly_cost",
        "setup_cost": "number.setup_cost",
        "currency": "number.currency",
        "claimed_at": "number.purchased_at",
        "recorded_at": "number.purchased_at",
    }
    insert(template, told, _COPIES)
    refused = {
        "id": _REFUSED_KEY,
        "number_id": "NULL",
        "idempotency_key": "'api:refused-' || number.id",
        "phone_number": "'+1' || (2000000000 + number.id)",
        "state": "'refused'",
        "evidence": "'provider_said_no'",
        "refusal_code": "'number_unavailable'",
        "details": "'{}'",
        "provider_number_id": "''",
        "next_look_at": "NULL",
        "needs_attention_at": "CASE WHEN number.id % 3000 = 0 THEN now() END",
    }
    insert(template, told | refused, f"{_COPIES} AND number.id % 30 = 0")
    _bulks(size)


def _bulks(size: "Size") -> None:
    """A thousandth of both tenants' numbers was asked for a thousand at a time."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT id, organization_id, row_number() OVER (
                   PARTITION BY organization_id ORDER BY id) AS n
               INTO TEMPORARY bench_bought FROM numbers_purchase
               WHERE state = 'completed' AND organization_id IN (
                   SELECT organization_id FROM bench_tenant WHERE slot < 2)"""
        )
    bulk = BulkPurchase(
        provider="twilio",
        quantity=1000,
        state="completed",
        ended_at=timezone.now(),
        request={"provider": "twilio", "quantity": 1000, "criteria": {}, "assistant_id": None},
    )
    insert(
        bulk,
        {
            "id": "id",
            "organization_id": "organization_id",
            "idempotency_key": "'api:bulk-' || id",
            "created_at": "now() - interval '1 hour' * n / 100",
        },
        "bench_bought WHERE n % 1000 = 1",
    )
    insert(
        BulkItem(lane=0, monthly_cost="1.15", setup_cost="0"),
        {
            "bulk_id": "bulk.id",
            "n": "(item.n - 1) % 1000",
            "phone_number": "purchase.phone_number",
            "purchase_id": "item.id",
        },
        """bench_bought item JOIN numbers_purchase purchase USING (id)
           JOIN bench_bought bulk ON bulk.organization_id = item.organization_id
               AND bulk.n = item.n - (item.n - 1) % 1000""",
    )


def audit(size: "Size") -> None:
    """Both events of each purchase by key, and one in four more by a person."""
    template = AuditEvent.objects.filter(
        organization__name="Tenant 0", action="purchase.completed"
    ).earliest("pk")
    first = User.objects.filter(email__startswith="person").earliest("pk").pk
    by_person = "happened = 'number.assigned'"

    def either(of_assignment: str, of_purchase: str) -> str:
        return f"CASE WHEN {by_person} THEN {of_assignment} ELSE {of_purchase} END"

    insert(
        template,
        {
            "organization_id": "number.organization_id",
            "action": "happened",
            "object_type": either("'numbers.PhoneNumber'", "'numbers.Purchase'"),
            "object_id": either("number.id::text", f"{_KEY}::text"),
            "object_label": "number.phone_number",
            "data": either(
                "jsonb_build_object('assistant_id', number.assistant_id)",
                "jsonb_build_object('provider', number.provider, 'state', 'completed')",
            ),
            "actor_kind": either("'user'", "'api_key'"),
            "actor_label": either(
                f"'person' || {_H} % 50 || '@example.com'", f"'{template.actor_label}'"
            ),
            "user_id": either(f"{first} + {_H} % 50", "NULL"),
            "api_key_id": either("NULL", str(template.api_key_id)),
            "request_id": either("md5('assigned' || number.id)", "md5(number.id::text)"),
            "created_at": "number.purchased_at",
        },
        f"""(SELECT * FROM {_COPIES} ORDER BY id) number
            CROSS JOIN LATERAL (VALUES ('purchase.claimed'), ('purchase.completed'),
                ('number.assigned')) event (happened)
            WHERE happened <> 'number.assigned' OR number.id % 4 = 0""",
    )


def calls(size: "Size") -> None:
    """One to each number."""
    insert(
        Call(answered_with="stream", status="completed", duration_seconds=61, direction="inbound"),
        _activity
        | {
            "call_id": "'CA' || md5(number.id::text)",
            "started_at": _WHEN,
            "answered_at": _WHEN,
            "ended_at": f"{_WHEN} + interval '61 seconds'",
        },
        _COPIES,
    )


_WHEN = f"greatest(number.purchased_at, now() - {_H} % 7776000 * interval '1 second')"
_activity = {
    "account_id": "number.account_id",
    "provider": "number.provider",
    "organization_id": "number.organization_id",
    "number_id": "number.id",
    "assistant_id": "number.assistant_id",
    "from_number": f"'+1415' || 2000000 + {_H} % 8000000",
    "to_number": "number.phone_number",
}


def messages(size: "Size") -> None:
    """One to every other number, handed over at the first try, with its event in the inbox."""
    every_other = f"{_COPIES} AND number.id % 2 = 0"
    insert(
        WebhookDelivery(
            kind="message", event_type="message", answer="<Response/>", deliveries=1,
            processed_at=timezone.now(),
        ),
        {
            "id": "number.id",
            "account_id": "number.account_id",
            "provider": "number.provider",
            "event_key": "'SM' || md5(number.id::text)",
            "body": "convert_to('MessageSid=SM' || md5(number.id::text) || '&To=' ||"
            " number.phone_number || '&Body=' || repeat('Thank you, see you tomorrow. ', 4),"
            " 'UTF8')",
            "received_at": f"now() - {_H} % 2592000 * interval '1 second'",
        },
        every_other,
    )  # fmt: skip
    insert(
        Message(status="handed_over", direction="inbound"),
        _activity
        | {
            "id": "number.id",
            "delivery_id": "number.id",
            "message_id": "'SM' || md5(number.id::text)",
            "received_at": _WHEN,
            "handed_over_at": _WHEN,
        },
        every_other,
    )
    insert(
        HandoverAttempt(host="client.example", status_code=200, milliseconds=41),
        {"message_id": "number.id", "at": _WHEN},
        every_other,
    )


def offers(size: "Size") -> None:
    """As many as there are numbers, in the ninety days for which they are kept."""
    area = f"(200 + {_H} % 300)"
    insert(
        Offer(
            capabilities={"voice": True, "sms": True, "mms": True}, currency="USD", country="US",
            locality="San Francisco", setup_cost="0", number_type="local",
        ),
        {
            "account_id": "number.account_id",
            "provider": "number.provider",
            "phone_number": f"'+1' || {area} || lpad((number.id % 10000000)::text, 7, '0')",
            "monthly_cost": f"CASE number.provider WHEN 'twilio' THEN 1.15 ELSE 1.00 END"
            f" + {_H} % 3 * 0.1",
            "region": f"chr(65 + {area} % 10) || 'A'",
            "seen_at": f"now() - interval '90 days' * (1 - (number.id - {FIRST}) / {size.rows}.0)",
        },
        _COPIES,
    )  # fmt: skip


def events(size: "Size") -> None:
    """Of the purchases of the last month and more, each delivered at the first try."""
    lately = (
        "numbers_phonenumber number JOIN bench_tenant tenant USING (organization_id)"
        f" WHERE number.id > {FIRST + size.rows * 9 // 10}"
    )
    insert(
        Event(type="purchase.completed", data={"provider": "twilio", "state": "completed"}),
        {
            "id": _KEY,
            "organization_id": "number.organization_id",
            "url": f"'https://numbers.example/purchases/' || {_KEY}",
            "created_at": "number.purchased_at",
            "spread_at": "number.purchased_at",
        },
        lately,
    )
    insert(
        EventDelivery(state="delivered", tries=1, next_attempt_at=None, last_status=200),
        {
            "id": "number.id",
            "event_id": _KEY,
            "endpoint_id": "tenant.endpoint",
            "delivered_at": "number.purchased_at",
        },
        lately,
    )
    insert(
        EventAttempt(status_code=200, milliseconds=33),
        {"delivery_id": "number.id", "at": "number.purchased_at"},
        lately,
    )


def releases(size: "Size") -> None:
    """Of the numbers that were released; findings of one in a hundred, mostly closed."""
    insert(
        Release(state="released", actor_label="test"),
        {
            "id": _uuid7("number.released_at", "number.id"),
            "organization_id": "number.organization_id",
            "number_id": "number.id",
            "idempotency_key": "'api:' || number.id",
            "claimed_at": "number.released_at",
            "recorded_at": "number.released_at",
        },
        f"{_COPIES} AND status = 'released'",
    )
    insert(
        Finding(kind="drift", details={"voice_url": "https://elsewhere.example/"}),
        {
            "account_id": "number.account_id",
            "organization_id": "number.organization_id",
            "number_id": "number.id",
            "phone_number": "number.phone_number",
            "first_seen_at": "number.purchased_at",
            "last_seen_at": "now()",
            "resolved_at": "CASE WHEN number.id % 7 > 0 THEN now() END",
            "resolution": "CASE WHEN number.id % 7 > 0 THEN 'repaired' ELSE '' END",
        },
        f"{_COPIES} AND {_H} % 100 = 4 AND status <> 'released'",
    )


def jobs(size: "Size") -> None:
    """Those that are done and kept for a while, and one in a hundred that waits for its time."""
    with connection.cursor() as cursor:
        cursor.execute(
            """WITH made AS (
                   INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, attempts,
                       scheduled_at)
                   SELECT CASE g %% 3 WHEN 0 THEN 'settle' ELSE 'default' END,
                       'numbers.tasks.verify_numbers',
                       jsonb_build_object('tries', 0, 'phone_number_ids', jsonb_build_array(g)),
                       CASE WHEN g %% 100 = 0 THEN 'todo' ELSE 'succeeded'
                           END::procrastinate_job_status, 1,
                       now() + CASE WHEN g %% 100 = 0 THEN interval '1 day'
                           ELSE interval '-1 day' END
                   FROM generate_series(1, %s) g RETURNING id, status)
               INSERT INTO procrastinate_events (job_id, type, at)
               SELECT id, happened::procrastinate_job_event_type, now() - interval '1 day'
               FROM made CROSS JOIN (VALUES ('deferred'), ('started'), ('succeeded'))
                   event (happened)
               WHERE status = 'succeeded' OR happened = 'deferred'""",
            [size.numbers // 5],
        )


def settings_of_tenants(size: "Size") -> None:
    """Keys and verified caller ids: as many in both tenants that are compared."""
    two = "bench_tenant tenant CROSS JOIN generate_series(1, 200) g WHERE slot < 2"
    insert(
        ApiKey(name="Another", scopes=["numbers:read"], prefix="burki_000000"),
        {
            "organization_id": "organization_id",
            "digest": "encode(sha256(convert_to(slot || '-' || g, 'UTF8')), 'hex')",
        },
        two,
    )
    insert(
        VerifiedCallerId(friendly_name="Office"),
        {
            "organization_id": "organization_id",
            "account_id": "twilio",
            "phone_number": "'+1415' || 5550000 + g",
            "provider_id": "'PN' || md5(slot || '-' || g)",
        },
        two,
    )


# The longest first, so that both connections end at about the same time.
PARTS = (
    audit, purchases, calls, messages, offers, events, jobs, releases, settings_of_tenants,
)  # fmt: skip
