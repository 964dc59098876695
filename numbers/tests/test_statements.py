"""What a purchase asks of PostgreSQL: every statement, so that a new one is a decision."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from burki.testing import make_assistant, post

pytestmark = pytest.mark.django_db(transaction=True)  # the tests' own would hide BEGIN and COMMIT

SEARCH, BUY = "/phone-numbers/search", "/phone-numbers/purchase"
DECIDE = [
    "SELECT organizations_apikey",  # with its organization and its creator
    "SELECT numbers_purchase",  # has the idempotency key been used?
    "SELECT assistants_assistant",
    "SELECT organizations_provideraccount",
    "SELECT numbers_offer",  # of a number that nobody here holds
]
LIMIT = [  # what is committed already
    "SELECT numbers_numbertally",
    "SELECT numbers_purchase",
]
CLAIM = [
    "INSERT numbers_phonenumber numbers_purchase organizations_auditevent",
    "SELECT procrastinate_defer_jobs_v1",  # settle it, should we never come back
]
RECORD = [
    "UPDATE numbers_phonenumber",
    "SELECT procrastinate_defer_jobs_v1",  # read back what the provider has
    "UPDATE numbers_purchase",
    "INSERT organizations_auditevent",
]
LOCK = "SELECT organizations_organization"


def statement(sql: str) -> str:
    sql = re.sub(r"EXISTS \(.*?\)", "", sql, flags=re.S)  # whether anybody listens
    if sql.startswith("WITH"):  # several rows at once
        return "INSERT " + " ".join(re.findall(r'INTO "(\w+)"', sql))
    verb = re.match(r"\W*([A-Z]+)", sql).group(1)
    name = re.search(r'(?:INTO|UPDATE|FROM) "?(\w+)|(procrastinate_defer_jobs_v1)', sql)
    return f"{verb} {name.group(1) or name.group(2)}" if name else verb


@pytest.mark.parametrize(("limit", "looks"), [(None, []), (100, LIMIT)])
@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_a_purchase_after_a_search_is_few_statements_and_two_commits(
    client, organization, sandbox, provider, limit, looks
):
    organization.monthly_limit = limit
    organization.save()
    assistant = make_assistant(organization)
    found = post(client, SEARCH, {"provider": provider, "area_code": "415"}).json()["numbers"][0]
    body = {"provider": provider, "phone_number": found["phone_number"]}

    with CaptureQueriesContext(connection) as queries:
        answer = post(
            client, BUY, body | {"assistant_id": assistant.pk}, HTTP_IDEMPOTENCY_KEY="one"
        )

    assert answer.status_code == 200
    assert [statement(query["sql"]) for query in queries] == [
        *DECIDE,
        *["BEGIN", LOCK, *looks, *CLAIM, "COMMIT"],
        *["BEGIN", LOCK, *RECORD, "COMMIT"],
    ]
