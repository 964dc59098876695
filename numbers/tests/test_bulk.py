"""Many numbers, bought one by one by the worker, inside every limit."""

from contextlib import suppress
from decimal import Decimal
from uuid import UUID

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.testing import make_client, orders_sent, post
from numbers import tasks
from numbers.models import BulkPurchase, PhoneNumber, Purchase
from numbers.services import bulk_work
from organizations.models import AuditEvent

PATH = "/phone-numbers/bulk-purchases"
PROVIDERS = ("twilio", "telnyx")
COST = {"twilio": Decimal("1.15"), "telnyx": Decimal("1.00")}


@pytest.fixture
def ask(client, sandbox):
    def ask(key: str = "k1", as_client=None, **over):
        body = {"provider": "twilio", "criteria": {"area_code": "415"}, "quantity": 3} | over
        body = {name: value for name, value in body.items() if value is not None}
        return post(as_client or client, PATH, body, HTTP_IDEMPOTENCY_KEY=key)

    return ask


def jobs() -> list[ProcrastinateJob]:
    """Those of lanes, as long as they wait."""
    rows = ProcrastinateJob.objects.filter(task_name="numbers.tasks.buy_next", status="todo")
    return list(rows.order_by("id"))


def step() -> bool:
    """Do the job that waits longest, if there is one. Its time has come: the pause for which it
    waited is over."""
    waiting = jobs()
    if waiting:
        ProcrastinateJob.objects.filter(pk=waiting[0].pk)._raw_delete("default")
        BulkPurchase.objects.update(paused_until=None)
        tasks.buy_next(**waiting[0].args)
    return bool(waiting)


def work(most: int = 100) -> int:
    """Do the waiting jobs, one after the other, until none is left; how many that were."""
    for done in range(most):
        if not step():
            return done
    raise AssertionError(f"not over after {most} jobs")


def told(client, response) -> dict:
    return client.get(f"{PATH}/{response.json()['id']}").json()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_quantity_is_bought_one_by_one(client, ask, assistant, sandbox, organization, provider):
    response = ask(
        provider=provider, quantity=6, assistant_id=assistant.pk, friendly_name="Campaign"
    )

    assert response.status_code == 202
    assert response["Location"].endswith(f"{PATH}/{response.json()['id']}")
    assert response.json()["state"] == "running"
    assert orders_sent(sandbox) == []  # the worker buys, not the request

    work()

    answer = told(client, response)
    assert answer["state"] == "completed"
    assert answer["ended_at"].endswith("Z")
    assert answer["progress"]["bought"] == 6
    assert answer["progress"]["cost"] == str(6 * COST[provider])
    numbers = PhoneNumber.objects.filter(organization=organization, status="active")
    assert {(n.assistant_id, n.friendly_name) for n in numbers} == {(assistant.pk, "Campaign")}
    assert numbers.count() == 6
    assert len(orders_sent(sandbox)) == 6
    actions = AuditEvent.objects.filter(action__startswith="bulk.").order_by("pk")
    assert [event.action for event in actions] == ["bulk.asked", "bulk.completed"]


def test_named_numbers_are_bought_in_their_order(client, ask, sandbox):
    wanted = ["+14155551301", "+14155551302", "+14155551303"]

    response = ask(criteria=None, quantity=None, phone_numbers=wanted)
    work()

    assert told(client, response)["state"] == "completed"
    items = client.get(f"{PATH}/{response.json()['id']}/numbers").json()["items"]
    assert [(i["phone_number"], i["outcome"]) for i in reversed(items)] == [
        (number, "bought") for number in wanted
    ]
    assert all(item["purchase_id"] for item in items)


def test_a_number_that_is_gone_is_told_and_another_takes_its_place(client, ask, sandbox):
    sandbox.add_fault(method="POST", path="IncomingPhoneNumbers", status=400, code=21422, times=2)

    response = ask(quantity=3)
    work()

    progress = told(client, response)["progress"]
    assert (progress["bought"], progress["refused"]) == (3, 2)
    items = client.get(f"{PATH}/{response.json()['id']}/numbers").json()["items"]
    assert [i["code"] for i in items if i["outcome"] == "refused"] == ["number_unavailable"] * 2


def test_when_no_more_are_offered_it_stops_and_says_so(client, ask, sandbox):
    everything = ask("k0", criteria={"area_code": "415", "contains": "555130"}, quantity=1000)
    work()

    answer = told(client, everything)
    assert answer["state"] == "stopped"
    assert answer["reason"]["code"] == "no_more_numbers"
    assert answer["progress"]["bought"] == len(sandbox.owned()) > 0


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_more_is_spent_than_the_total(client, ask, sandbox, provider):
    cost = COST[provider]

    response = ask(provider=provider, quantity=5, max_total_cost=str(cost * 3 + cost / 2))
    work()

    answer = told(client, response)
    assert answer["state"] == "stopped"
    assert answer["reason"]["code"] == "total_cost_reached"
    assert answer["progress"]["cost"] == str(cost * 3)
    assert len(orders_sent(sandbox)) == 3


@pytest.mark.parametrize("provider", PROVIDERS)
def test_named_numbers_keep_the_total_as_well(client, ask, sandbox, provider):
    numbers = ["+14155551301", "+14155551302", "+14155551303"]

    response = ask(
        provider=provider,
        criteria=None,
        quantity=None,
        phone_numbers=numbers,
        max_total_cost=str(COST[provider] * 2),
    )
    work()

    assert told(client, response)["progress"]["cost"] == str(COST[provider] * 2)
    assert len(orders_sent(sandbox)) == 2


def test_the_organizations_limit_stops_it(client, ask, organization, sandbox):
    organization.monthly_limit = Decimal("2.50")
    organization.save()

    response = ask(quantity=5)
    work()

    answer = told(client, response)
    assert answer["state"] == "stopped"
    assert answer["reason"]["code"] == "spending_limit_exceeded"
    assert answer["progress"]["bought"] == 2
    assert len(orders_sent(sandbox)) == 2


def test_a_number_dearer_than_allowed_is_not_bought(client, ask, sandbox):
    response = ask(quantity=2, max_monthly_cost="0.50", criteria={"area_code": "415", "limit": 2})
    work(500)

    answer = told(client, response)
    assert answer["state"] == "stopped"
    assert answer["progress"]["bought"] == 0
    assert orders_sent(sandbox) == []


def test_being_told_to_slow_down_delays_and_loses_nothing(client, ask, sandbox):
    sandbox.add_fault(method="POST", path="IncomingPhoneNumbers", status=429, code=20429, times=2)

    response = ask(quantity=3)
    work()

    answer = told(client, response)
    assert answer["state"] == "completed"
    assert (answer["progress"]["bought"], answer["progress"]["refused"]) == (3, 2)


def test_a_number_in_doubt_counts_until_it_is_settled(client, ask, sandbox):
    """It is looked for and found: then the quantity is reached without another order."""
    response = ask(criteria=None, quantity=None, phone_numbers=["+14155550011", "+14155551302"])
    work()

    answer = told(client, response)
    assert answer["state"] == "running"
    assert (answer["progress"]["bought"], answer["progress"]["uncertain"]) == (1, 1)

    purchase = Purchase.objects.get(phone_number="+14155550011")
    Purchase.objects.filter(pk=purchase.pk).update(state="refused", evidence="not_found")
    tasks.resume_bulks(0)
    work()

    answer = told(client, response)
    assert answer["state"] == "completed"
    assert (answer["progress"]["bought"], answer["progress"]["refused"]) == (1, 1)


def test_cancelling_keeps_what_was_bought_and_buys_no_more(client, ask, sandbox):
    response = ask(quantity=5)
    tasks.buy_next(**jobs()[0].args)  # finds numbers
    tasks.buy_next(**jobs()[0].args)  # buys one
    url = f"{PATH}/{response.json()['id']}/cancel"

    assert client.post(url).json()["state"] == "cancelled"
    work()

    answer = told(client, response)
    assert answer["state"] == "cancelled"
    assert answer["progress"]["bought"] == 1
    assert len(orders_sent(sandbox)) == 1
    assert client.post(url).status_code == 200  # again changes nothing
    assert AuditEvent.objects.filter(action="bulk.cancelled").count() == 1


def test_what_has_ended_cannot_be_cancelled(client, ask, sandbox):
    response = ask(quantity=1)
    work()

    answer = client.post(f"{PATH}/{response.json()['id']}/cancel")

    assert answer.status_code == 409
    assert answer.json() == {
        "detail": "This bulk purchase is completed already.",
        "code": "not_cancellable",
    }


def test_the_same_request_is_the_same_bulk_purchase(client, ask, sandbox):
    first, again = ask(), ask()
    work()

    assert again.status_code == 202
    assert again["Idempotent-Replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    assert BulkPurchase.objects.count() == 1
    assert len(orders_sent(sandbox)) == 3


def test_a_key_means_one_request(client, ask, sandbox):
    ask()

    other = ask(quantity=4)

    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"
    assert BulkPurchase.objects.get().quantity == 3


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("at", ["before", "after"])
def test_a_killed_worker_buys_nothing_twice_and_forgets_nothing(
    client, ask, sandbox, monkeypatch, provider, at
):
    response = ask(provider=provider, quantity=4)
    work_on = bulk_work.purchase_number
    killed = []

    def kill_once(**arguments):
        if killed:
            return work_on(**arguments)
        killed.append(arguments["phone_number"])
        if at == "after":
            work_on(**arguments)
        raise Killed

    monkeypatch.setattr(bulk_work, "purchase_number", kill_once)
    with suppress(Killed):
        work()
    tasks.resume_bulks(0)  # or the stalled job is done again: the same call
    work()

    answer = told(client, response)
    assert answer["state"] == "completed"
    assert answer["progress"]["bought"] == 4
    assert len(orders_sent(sandbox)) == 4
    assert PhoneNumber.objects.filter(phone_number=killed[0], status="active").count() == 1


def test_a_job_that_is_done_twice_buys_once(client, ask, sandbox):
    response = ask(quantity=2)
    bulk_id = UUID(response.json()["id"])
    bulk_work.buy_next(bulk_id, lane=0)  # finds
    item = bulk_work._take(BulkPurchase.objects.get(pk=bulk_id), 0)
    bulk_work._buy(BulkPurchase.objects.get(pk=bulk_id), item)

    bulk_work._buy(BulkPurchase.objects.get(pk=bulk_id), item)

    assert len(orders_sent(sandbox)) == 1


def test_lanes_that_search_at_the_same_time_do_not_take_each_others_finds_for_the_end(
    client, ask, sandbox, monkeypatch
):
    """The second one's search offers what the first one has just put on the list."""
    response = ask(quantity=2)
    bulk_id = UUID(response.json()["id"])
    take, nothing = bulk_work._take, [None]  # the second lane looked before the first had found
    bulk_work.buy_next(bulk_id, lane=0)
    monkeypatch.setattr(
        bulk_work, "_take", lambda *given: nothing.pop() if nothing else take(*given)
    )

    bulk_work.buy_next(bulk_id, lane=1)
    work()

    answer = told(client, response)
    assert (answer["state"], answer["progress"]["bought"]) == ("completed", 2)


def test_whoever_asked_must_still_be_allowed_to(client, ask, organization, sandbox):
    own = make_client(organization)
    response = ask(as_client=own, quantity=3)
    organization.api_keys.update(revoked_at="2026-01-01T00:00:00Z")
    work()

    row = BulkPurchase.objects.get(pk=response.json()["id"])
    assert (row.state, row.reason_code) == ("stopped", "permission_denied")
    assert orders_sent(sandbox) == []


def test_a_number_that_the_organization_has_already_is_skipped(client, ask, sandbox):
    owned = {"provider": "twilio", "phone_number": "+14155551301"}
    assert post(client, "/phone-numbers/purchase", owned).status_code == 200
    sandbox.clear_requests()

    response = ask(criteria=None, quantity=None, phone_numbers=["+14155551301", "+14155551302"])
    work()

    progress = told(client, response)["progress"]
    assert (progress["bought"], progress["skipped"]) == (1, 1)
    assert len(orders_sent(sandbox)) == 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"provider": "vonage"}, "Provider must be 'twilio' or 'telnyx'"),
        ({"quantity": 0}, "quantity must be an integer between 1 and 1000"),
        ({"quantity": 1001}, "quantity must be an integer between 1 and 1000"),
        ({"quantity": "3"}, "quantity must be an integer between 1 and 1000"),
        ({"quantity": None}, "quantity is required"),
        ({"criteria": None}, "Give either criteria or phone_numbers."),
        ({"phone_numbers": ["+14155551301"]}, "Give either criteria or phone_numbers."),
        (
            {"criteria": None, "phone_numbers": ["4155551301"]},
            "phone_numbers must be a list of 1 to 1000 E.164 numbers",
        ),
        (
            {"criteria": None, "phone_numbers": ["+14155551301"] * 2, "quantity": 1},
            "phone_numbers names a number twice.",
        ),
        ({"max_total_cost": "-1"}, "max_total_cost must be an amount of money (e.g., 1.50)"),
        ({"criteria": {"country_code": "USA"}}, None),
    ],
)
def test_wrong_input_is_refused_before_anything_is_queued(client, ask, sandbox, wrong, sentence):
    answer = ask(**wrong)

    assert answer.status_code == 400
    assert sentence is None or answer.json()["detail"] == sentence
    assert jobs() == []
    assert BulkPurchase.objects.count() == 0
    assert sandbox.requests() == []


def test_a_key_is_needed(client, sandbox):
    answer = post(client, PATH, {"provider": "twilio", "criteria": {}, "quantity": 1})

    assert answer.status_code == 400
    assert answer.json()["code"] == "idempotency_key_required"
    assert jobs() == []


def test_an_unknown_assistant_is_told_at_once(ask, sandbox):
    answer = ask(assistant_id=987654)

    assert answer.status_code == 404
    assert answer.json()["detail"] == "Assistant with ID 987654 not found"
    assert jobs() == []


def test_lists_are_paged_and_belong_to_their_organization(
    client, ask, other_organization, sandbox, django_assert_num_queries
):
    for n in range(3):
        assert ask(f"k{n}").status_code == 202

    page = client.get(f"{PATH}?limit=2").json()

    assert len(page["items"]) == 2
    assert len(client.get(page["next"]).json()["items"]) == 1
    other = make_client(other_organization)
    assert other.get(PATH).json()["items"] == []
    for suffix in ("", "/numbers"):
        assert other.get(f"{PATH}/{page['items'][0]['id']}{suffix}").status_code == 404
    assert other.post(f"{PATH}/{page['items'][0]['id']}/cancel").status_code == 404
    assert BulkPurchase.objects.filter(state="running").count() == 3
