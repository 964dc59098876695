"""What a tenant looks at: every list, filter, sort, overview and report of the program, where it
begins and deep in its midst. A test compares them with the routes.

`{words}` are places in the tenant's own lists: `PLACES`.
"""

from base64 import b64encode
from dataclasses import dataclass

from django.utils.http import urlencode

from burki.tests.processes import World

_NUMBER = "FROM numbers_phonenumber WHERE organization_id = %(organization)s"
_LIVE = f"{_NUMBER} AND status NOT IN ('claimed', 'released')"
_UNUSED = "coalesce(last_activity_at, greatest(purchased_at, created_at))"
_MICRO = "(extract(epoch FROM {0}) * 1000000)::bigint"
_NUMBER_IN_URL = "chr(37) || '2B' || substr(phone_number, 2)"
_AT = "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


def _of(table: str, what: str = "id::text", order: str = "id DESC", more: str = "") -> str:
    return f"""SELECT {what} AS place FROM {table}
               WHERE organization_id = %(organization)s {more} ORDER BY {order}"""


# SQL of a list as a place in it is named.
PLACES = {
    "number": f"SELECT id::text AS place {_LIVE} ORDER BY id DESC",
    "by_number": f"SELECT {_NUMBER_IN_URL} || '~' || id AS place {_LIVE} ORDER BY phone_number, id",
    "by_cost": f"SELECT monthly_cost || '~' || id AS place {_LIVE} AND monthly_cost IS NOT NULL"
    " ORDER BY monthly_cost, id",
    "by_use": f"SELECT {_AT.format('last_activity_at')} || '~' || id AS place {_LIVE}"
    " AND last_activity_at IS NOT NULL ORDER BY last_activity_at, id",
    "unused": f"SELECT {_MICRO.format(_UNUSED)} || '-' || id AS place {_NUMBER}"
    f" AND status = 'active' AND {_UNUSED} < now() - interval '30 days' ORDER BY {_UNUSED}, id",
    "phone_number": f"SELECT {_NUMBER_IN_URL} AS place {_LIVE} ORDER BY id DESC",
    "assistant": f"SELECT min(assistant_id)::text AS place {_LIVE}",
    "of_assistant": f"""SELECT id::text AS place {_LIVE} AND assistant_id = (
        SELECT min(assistant_id) {_LIVE})
        ORDER BY id DESC""",
    "purchase": _of("numbers_purchase"),
    "call": _of(
        "numbers_call",
        f"{_AT.format('started_at')} || '~call~' || id",
        "started_at DESC, id DESC",
    ),
    "bulk": _of("numbers_bulkpurchase"),
    "bulk_item": """SELECT id::text AS place FROM numbers_bulkitem WHERE bulk_id = (
        SELECT id FROM numbers_bulkpurchase WHERE organization_id = %(organization)s
        ORDER BY id DESC LIMIT 1) ORDER BY id DESC""",
    "event": _of("organizations_event"),
    "audit": _of("organizations_auditevent"),
    "request_id": _of("organizations_auditevent", "request_id", more="AND request_id <> ''"),
    "day": _of(
        "organizations_auditevent",
        "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
        "created_at DESC",
    ),
    "key": _of("organizations_apikey"),
}
# How many tenths of a list are over at its place: of what a page is about, none; of an assistant's
# numbers half, so that the page after it is full also in the tenant that has few.
_OVER = {"bulk": 0, "assistant": 0, "of_assistant": 5}


@dataclass(frozen=True)
class Tenant:
    """An organization with its API key and the session of its owner."""

    name: str
    key: str
    cookie: str
    places: dict[str, str]

    @classmethod
    def of(cls, world: World, n: int, cookie: str) -> "Tenant":
        name = f"Tenant {n}"
        query = "SELECT id FROM organizations_organization WHERE name = %s"
        organization = world.postgres.rows(query, name)[0]["id"]
        places = {}
        for place, listed in PLACES.items():
            part = _OVER.get(place, 9)
            ordered = listed % {"organization": organization}
            places[place] = world.postgres.rows(
                f"""WITH listed AS ({ordered})
                    SELECT place FROM listed
                    OFFSET (SELECT count(*) FROM listed) * {part} / 10 LIMIT 1""",
            )[0]["place"]
        count = f"SELECT (count(*) * 9 / 10)::text AS n {_LIVE}"
        places["skip"] = world.postgres.rows(count % {"organization": organization})[0]["n"]
        return cls(name=name, key=world.keys[n], cookie=cookie, places=places)

    def path(self, path: str) -> str:
        """A page's path with this tenant's places; `{…_cursor}` is one as the API's pages name
        it."""
        cursors = {
            f"{name}_cursor": b64encode(urlencode({"p": place}).encode()).decode()
            for name, place in self.places.items()
        }
        return path.format(**self.places | cursors)

    def headers(self, path: str) -> dict[str, str]:
        """An API's request goes by key, a page's by the session."""
        if is_api(path):
            return {"Authorization": f"Bearer {self.key}"}
        return {"Cookie": f"sessionid={self.cookie}"}


def is_api(path: str) -> bool:
    return path.startswith(("/phone-numbers", "/api/"))


_NUMBERS, _ASSISTANTS = "/phone-numbers", "/api/v1/assistants"
_INVENTORY, _AUDIT = f"{_ASSISTANTS}/organization/phone-numbers", "/api/v1/audit-events"
_REPORTS = f"{_NUMBERS}/reports"
PAGES = {
    "numbers": _NUMBERS,
    "numbers, deep": f"{_NUMBERS}?cursor={{number_cursor}}",
    "numbers by status": f"{_NUMBERS}?status=pending",
    "numbers by status, deep": f"{_NUMBERS}?status=pending&cursor={{number_cursor}}",
    "numbers released": f"{_NUMBERS}?status=released",
    "numbers by provider": f"{_NUMBERS}?provider=telnyx",
    "numbers by provider, deep": f"{_NUMBERS}?provider=telnyx&cursor={{number_cursor}}",
    "numbers without assistant": f"{_NUMBERS}?assigned=false",
    "numbers of an assistant": f"{_NUMBERS}?assistant_id={{assistant}}",
    "numbers by country": f"{_NUMBERS}?country_code=US",
    "numbers by country, none": f"{_NUMBERS}?country_code=DE",
    "numbers by text": f"{_NUMBERS}?search=2865",
    "numbers by text, deep": f"{_NUMBERS}?search=2865&cursor={{number_cursor}}",
    "numbers by text, short": f"{_NUMBERS}?search=41",
    "numbers by text, none": f"{_NUMBERS}?search=Nowhere",
    "numbers by name": f"{_NUMBERS}?search=berlin",
    "calls of a number": f"{_NUMBERS}/{{phone_number}}/calls",
    "messages of a number": f"{_NUMBERS}/{{phone_number}}/messages",
    "purchases": f"{_NUMBERS}/purchases",
    "purchases, deep": f"{_NUMBERS}/purchases?cursor={{purchase_cursor}}",
    "purchases, refused": f"{_NUMBERS}/purchases?state=refused",
    "purchases, refused, deep": f"{_NUMBERS}/purchases?state=refused&cursor={{purchase_cursor}}",
    "purchases, pending": f"{_NUMBERS}/purchases?state=pending",
    "purchases in doubt": f"{_NUMBERS}/purchases?state=uncertain",
    "purchases by provider": f"{_NUMBERS}/purchases?provider=telnyx",
    "purchases of a number": f"{_NUMBERS}/purchases?phone_number={{phone_number}}",
    "purchases for a person": f"{_NUMBERS}/purchases?needs_attention=true",
    "bulk purchases": f"{_NUMBERS}/bulk-purchases",
    "bulk purchase's numbers": f"{_NUMBERS}/bulk-purchases/{{bulk}}/numbers",
    "bulk purchase's numbers, deep": f"{_NUMBERS}/bulk-purchases/{{bulk}}/numbers"
    "?cursor={bulk_item_cursor}",
    "assistants": _ASSISTANTS,
    "assistants, with statistics": f"{_ASSISTANTS}?include_stats=true",
    "assistants, skip": f"{_ASSISTANTS}?skip=270",
    "assistants, as a file": f"{_ASSISTANTS}/export",
    "assistant's numbers": f"{_ASSISTANTS}/{{assistant}}/phone-numbers",
    "assistant's numbers, deep": f"{_ASSISTANTS}/{{assistant}}/phone-numbers"
    "?cursor={of_assistant_cursor}",
    "assistant's possible numbers": f"{_ASSISTANTS}/{{assistant}}/available-phone-numbers",
    "inventory": _INVENTORY,
    "inventory, deep": f"{_INVENTORY}?cursor={{number_cursor}}",
    "inventory, skip": f"{_INVENTORY}?skip={{skip}}",
    "inventory with all, skip": f"{_INVENTORY}?include_inactive=true&skip={{skip}}",
    "inventory, unassigned": f"{_INVENTORY}?include_assigned=false",
    "inventory, assigned, skip": f"{_INVENTORY}?include_unassigned=false&skip={{skip}}",
    "caller ids": f"{_INVENTORY}?is_verified_caller_id=true",
    "available": f"{_INVENTORY}/available",
    "available, deep": f"{_INVENTORY}/available?cursor={{number_cursor}}",
    "available, skip": f"{_INVENTORY}/available?skip={{skip}}",
    "provider accounts": "/api/v1/organization/provider-accounts",
    "API keys": "/api/v1/users/me/api-keys",
    "event endpoints": "/api/v1/event-endpoints",
    "events": "/api/v1/events",
    "events, deep": "/api/v1/events?cursor={event_cursor}",
    "events by type, none": "/api/v1/events?type=number.released",
    "events by delivery, none": "/api/v1/events?state=failed",
    "audit": _AUDIT,
    "audit, deep": f"{_AUDIT}?cursor={{audit_cursor}}",
    "audit by action": f"{_AUDIT}?action=purchase.completed",
    "audit by action, rare": f"{_AUDIT}?action=api_key",
    "audit by action, none": f"{_AUDIT}?action=number.released",
    "audit by type": f"{_AUDIT}?object_type=purchase",
    "audit by type, rare": f"{_AUDIT}?object_type=apikey",
    "audit by object": f"{_AUDIT}?object_id={{number}}",
    "audit by actor": f"{_AUDIT}?actor=person7%40",
    "audit by actor, none": f"{_AUDIT}?actor=nobody",
    "audit by key, none": f"{_AUDIT}?api_key_id={{key}}",
    "audit by request": f"{_AUDIT}?request_id={{request_id}}",
    "audit by day": f"{_AUDIT}?from={{day}}&to={{day}}",
    "unused numbers": f"{_REPORTS}/unused",
    "unused numbers, deep": f"{_REPORTS}/unused?cursor=a-{{unused}}",
    "spending": f"{_REPORTS}/spending",
    "spending, as a file": f"{_REPORTS}/spending.csv",
    "price comparison": f"{_REPORTS}/price-comparison",
    "price comparison, as a file": f"{_REPORTS}/price-comparison.csv",
    "page: overview": "/",
    "page: numbers": "/numbers",
    "page: numbers, deep": "/numbers?before={number}",
    "page: numbers, backwards": "/numbers?after={number}",
    "page: numbers by status": "/numbers?status=pending",
    "page: numbers by provider": "/numbers?provider=telnyx",
    "page: numbers of an assistant": "/numbers?assistant={assistant}",
    "page: numbers without assistant": "/numbers?assistant=none",
    "page: numbers by text": "/numbers?search=2865",
    "page: numbers by text, none": "/numbers?search=Nowhere",
    "page: numbers by text, by cost": "/numbers?search=2865&sort=dearest",
    "page: numbers by number": "/numbers?sort=number",
    "page: numbers by number, deep": "/numbers?sort=number&before={by_number}",
    "page: numbers, dearest": "/numbers?sort=dearest",
    "page: numbers, dearest, deep": "/numbers?sort=dearest&before={by_cost}",
    "page: numbers, cheapest": "/numbers?sort=cheapest",
    "page: numbers, cheapest, deep": "/numbers?sort=cheapest&before={by_cost}",
    "page: numbers, last used": "/numbers?sort=used",
    "page: numbers, last used, deep": "/numbers?sort=used&before={by_use}",
    "page: numbers, idle": "/numbers?sort=idle",
    "page: numbers, idle, deep": "/numbers?sort=idle&before={by_use}",
    "page: numbers, idle, backwards": "/numbers?sort=idle&after={by_use}",
    "page: numbers drifted": "/numbers?verdict=drifted",
    "page: numbers unchecked": "/numbers?verdict=unchecked",
    "page: numbers unused": "/numbers?unused=80",
    "page: numbers by cost": "/numbers?cost_from=2&cost_to=3",
    "page: numbers by cost, none": "/numbers?cost_from=50",
    "page: numbers, telnyx by use": "/numbers?provider=telnyx&sort=used",
    "page: number's history": "/numbers/{number}/history",
    "page: purchases": "/purchases",
    "page: purchases, deep": "/purchases?before={purchase}",
    "page: purchases, refused": "/purchases?state=refused",
    "page: purchases by text": "/purchases?search=2865",
    "page: purchases by text, none": "/purchases?search=99999999",
    "page: purchases by provider": "/purchases?provider=telnyx",
    "page: purchases for a person": "/purchases?attention=yes",
    "page: calls": "/calls",
    "page: calls, deep": "/calls?before={call}",
    "page: calls of a number": "/calls?number={phone_number}",
    "page: calls by text": "/calls?number=2865",
    "page: calls of an assistant": "/calls?assistant={assistant}",
    "page: calls of nobody": "/calls?assistant=none",
    "page: calls by direction, none": "/calls?direction=outbound",
    "page: calls by day": "/calls?day={day}",
    "page: messages": "/calls?kind=message",
    "page: unused": "/numbers/unused",
    "page: unused, deep": "/numbers/unused?after={unused}",
    "page: unused by provider": "/numbers/unused?provider=telnyx",
    "page: spending": "/spending",
    "page: spending of an assistant": "/spending?assistant={assistant}",
    "page: assistants": "/assistants",
    "page: assistants by name": "/assistants?search=299",
    "page: assistant": "/assistants/{assistant}",
    "page: assistant, deep": "/assistants/{assistant}?before={of_assistant}",
    "page: bulk purchases": "/buy/many/all",
    "page: bulk purchase": "/buy/many/{bulk}",
    "page: bulk purchase, deep": "/buy/many/{bulk}?before={bulk_item}",
    "page: find": "/buy",
    "page: audit": "/audit",
    "page: audit, deep": "/audit?before={audit}",
    "page: audit by actor": "/audit?actor=person7%40",
    "page: audit by actor, none": "/audit?actor=nobody",
    "page: audit by action": "/audit?action=number.assigned",
    "page: audit by day": "/audit?from={day}&to={day}",
    "page: events": "/settings/events",
    "page: events, deep": "/settings/events?before={event}",
    "page: events by type, none": "/settings/events?type=number.released",
    "page: API keys": "/settings/api-keys",
    "page: members": "/settings/members",
    "page: credentials": "/settings/credentials",
}
# Whole files: every row is sent, so that their time is that of the rows.
FILES = {
    "unused numbers, as a file": f"{_REPORTS}/unused.csv",
    "numbers, as a file": "/numbers/export",
    "audit, as a file": f"{_AUDIT}.csv",
    "page: audit, as a file": "/audit.csv",
}
# Held to seconds as well.
REPORTS = (
    "unused numbers", "unused numbers, deep", "unused numbers, as a file", "page: unused",
    "page: unused, deep", "spending", "spending, as a file", "page: spending", "price comparison",
    "price comparison, as a file",
)  # fmt: skip
