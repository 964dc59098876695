"""Which pages would read a large table from beginning to end: `EXPLAIN` of each of their queries.

Reads `{"key", "cookie", "paths"}` from standard input, writes a list of findings as JSON.
"""

import json
import os
import re
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "burki.settings")

import django  # noqa: E402

django.setup()

from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402

LARGE = {
    "numbers_phonenumber",
    "numbers_purchase",
    "numbers_call",
    "numbers_message",
    "organizations_auditevent",
}


def scans(plan: dict) -> set[str]:
    found = {plan["Relation Name"]} & LARGE if plan["Node Type"] == "Seq Scan" else set()
    return found.union(*[scans(part) for part in plan.get("Plans", [])])


def main() -> None:
    asked = json.load(sys.stdin)
    client = Client(headers={"X-Forwarded-Proto": "https", "Host": "127.0.0.1"})
    client.cookies["sessionid"] = asked["cookie"]
    found = []
    for path in asked["paths"]:
        headers = {}
        if path.startswith(("/phone-numbers", "/api/")):
            headers = {"Authorization": f"Bearer {asked['key']}"}
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(path, headers=headers)
            if answer.streaming:
                answer.getvalue()
        assert answer.status_code == 200, (path, answer.status_code)
        for query in queries:
            if not re.match(r"\W*(SELECT|WITH)", query["sql"]):
                continue
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN (FORMAT JSON) " + query["sql"].replace("%", "%%"))
                (plans,) = cursor.fetchone()
            found += [
                f"{table} in {path}: {query['sql'][:300]}" for table in scans(plans[0]["Plan"])
            ]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
