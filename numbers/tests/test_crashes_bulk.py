"""A bulk purchase whose workers are killed: every number once, and none too many."""

import signal

import pytest
import requests

from burki.testing import orders_sent
from burki.tests.processes import PROVIDERS, running_world

pytestmark = pytest.mark.slow

QUANTITY = 30
PATH = "/phone-numbers/bulk-purchases"


@pytest.fixture(scope="module")
def world():
    with running_world() as world:
        yield world


@pytest.mark.parametrize("event", ["purchase.claimed", "purchase.sending", "purchase.answered"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_killed_worker_is_taken_over_from(world, provider, event):
    tenant = f"{provider} {event}"
    key = world.make_tenants(**{tenant: {}})[tenant]
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "many"}
    body = {"provider": provider, "criteria": {"area_code": "415"}, "quantity": QUANTITY}
    world.sandbox.clear_requests()
    world.postgres.rows("TRUNCATE procrastinate_jobs, procrastinate_workers CASCADE")
    with world.web() as web:
        asked = requests.post(f"{web.url}{PATH}", json=body, headers=headers, timeout=30)
        assert asked.status_code == 202

        with world.worker("bulk", CRASH_AT=event, CRASH_AFTER="7") as killed:
            killed.wait(120)
        world.postgres.rows(
            "UPDATE procrastinate_workers SET last_heartbeat = last_heartbeat - interval '1 minute'"
        )
        with world.worker("settle"), world.worker("bulk"), world.worker("bulk"):
            world.run_task("retry_stalled")

            def told() -> dict:
                return requests.get(asked.headers["Location"], headers=headers, timeout=30).json()

            def is_over() -> bool:
                world.run_task("resume_bulks")
                return told()["state"] != "running"

            world.wait_until(is_over, "the bulk purchase ends")

        answer = told()

    assert killed.returncode == -signal.SIGKILL
    assert answer["state"] == "completed", answer
    assert answer["progress"]["bought"] == QUANTITY
    ordered = [str(request.body) for request in orders_sent(world.sandbox)]
    assert len(set(ordered)) == len(ordered)
    owned = world.postgres.rows(
        """SELECT count(*) AS n FROM numbers_phonenumber number
           JOIN organizations_organization o ON o.id = organization_id
           WHERE name = %s AND status = 'active'""",
        tenant,
    )
    assert owned == [{"n": QUANTITY}]
    world.assert_inventories_agree()
