"""Comparing accounts with 10,000 and 100,000 numbers with our rows: memory and time of each, in a
process of its own; the provider is the sandbox."""

import json

from burki.bench.beside import run_beside
from burki.bench.load import Drivers
from burki.bench.site import PRODUCTION
from burki.bench.table import Table
from burki.tests.processes import World

FEW, MANY = 10_000, 100_000
RATIO = 1.2
_ELSEWHERE = 100  # one in so many was set otherwise, so that there is something to find


def comparing(world: World, drivers: Drivers, table: Table, many: int = MANY) -> None:
    few = min(FEW, many // 10)
    told = {count: compared(world, count) for count in (few, many)}
    one, other = told[few], told[many]
    ratio = other["megabytes"] / one["megabytes"]
    table.add(
        f"Memory of comparing {other['matched']:,} numbers with their account",
        f"{other['megabytes']:.0f} MB at most; {other['seconds']:.0f} s, "
        f"{other['findings']:,} findings",
        f"{one['megabytes']:.0f} MB for {one['matched']:,}; {one['seconds']:.0f} s",
        f"≤ {RATIO}: {ratio:.2f}", kept=ratio <= RATIO,
    )  # fmt: skip


def compared(world: World, count: int) -> dict[str, float]:
    name = f"Compared {count}"
    world.make_tenants(**{name: {}})
    (account,) = world.postgres.rows(
        """SELECT account.id, account_sid, (
               SELECT status_callback FROM numbers_phonenumber ORDER BY id LIMIT 1)
           FROM organizations_provideraccount account
           JOIN organizations_organization tenant ON tenant.id = organization_id
           WHERE tenant.name = %s AND provider = 'twilio'""",
        name,
    )
    ours = f"{PRODUCTION['PUBLIC_BASE_URL']}/twiml"
    for line in range(count):
        world.sandbox.own(
            provider="twilio",
            account=account["account_sid"],
            phone_number=f"+1{account['id']:04}{line:07}",
            id="PN" + f"{account['id']}{line:07}".zfill(32),
            voice_url=ours if line % _ELSEWHERE else "https://elsewhere.example/",
            sms_url=ours,
            status_callback=account["status_callback"],
        )
    told = json.loads(
        run_beside(
            world, "burki.bench.reconciling", {"organization": name, "numbers": count}
        ).splitlines()[-1]
    )
    for line in range(count):
        world.sandbox.disown(f"+1{account['id']:04}{line:07}")
    assert told["listed"] == told["matched"] == count, told
    return told
