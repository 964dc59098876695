"""One comparison of an account with our rows, in a process of its own: what it took.

Reads `{"organization", "numbers"}` from standard input: rows of ours are made as the sandbox has
them. Writes `{"seconds", "megabytes", "listed", "matched", "findings"}`: the most memory that the
process ever had.
"""

import json
import os
import re
import sys
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "burki.settings")

import django  # noqa: E402

django.setup()

from django.db import connection  # noqa: E402

from burki.bench import copies  # noqa: E402
from numbers.inventory import compare_account  # noqa: E402
from numbers.models import PhoneNumber  # noqa: E402
from organizations.actors import Actor  # noqa: E402
from organizations.models import ProviderAccount  # noqa: E402


def make_rows(account: ProviderAccount, count: int) -> None:
    template = PhoneNumber.objects.filter(organization__name="Tenant 0").earliest("pk")
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        copies.insert(
            template,
            {
                "organization_id": str(account.organization_id),
                "account_id": str(account.pk),
                "assistant_id": "NULL",
                "phone_number": f"'+1{account.pk:04}' || lpad(g::text, 7, '0')",
                "provider_number_id": f"'PN' || lpad('{account.pk}' || lpad(g::text, 7, '0'), 32,"
                " '0')",
            },
            f"generate_series(0, {count - 1}) g",
        )
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("ANALYZE numbers_phonenumber")


def most_memory() -> float:
    """The most megabytes that this program held at a time. Not `ru_maxrss`, which is at least what
    the process had that started it: that holds the sandbox and all its numbers."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def main() -> None:
    asked = json.load(sys.stdin)
    account = ProviderAccount.objects.get(
        organization__name=asked["organization"], provider="twilio"
    )
    make_rows(account, asked["numbers"])
    began = time.perf_counter()
    report = compare_account(
        account, actor=Actor.system("benchmark"), dry_run=False, wants_findings=False
    )
    seconds = time.perf_counter() - began
    if report.failure is not None:
        raise report.failure
    told = {
        "seconds": seconds,
        "megabytes": most_memory(),
        "listed": report.listed,
        "matched": report.matched,
        "findings": sum(report.counts.values()),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
