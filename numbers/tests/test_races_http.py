"""Many people press the button at the same moment: over HTTP, at a server with three processes."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
import pytest
import requests

from burki.testing import in_threads
from burki.tests.processes import PROVIDERS, STAFF, Attempt, Web, World, running_world
from numbers import clocks

pytestmark = pytest.mark.slow

BUY, RELEASE = "/phone-numbers/purchase", "/phone-numbers/release"
CLOCK_SCALE = 0.4  # a request has 10 seconds
LATENCY = 0.05  # of the sandbox, so that requests overlap
REFUSED = "0001"  # last four digits
ONE_NUMBER = {"monthly_limit": "1.50"}  # they cost 1.00 and 1.15

TENANTS = {
    "Acme": {},
    "Busy": {},
    "Initech": {"accounts": False},  # these two share the platform's accounts
    "Umbrella": {"accounts": False},
    "Frugal twilio": ONE_NUMBER,
    "Frugal telnyx": ONE_NUMBER,
    "Thrifty twilio": ONE_NUMBER,
    "Thrifty telnyx": ONE_NUMBER,
    "Careful twilio": ONE_NUMBER,
    "Careful telnyx": ONE_NUMBER,
}

SHARING = ("Initech", "Umbrella")


@dataclass(frozen=True)
class Site:
    world: World
    web: Web
    keys: dict[str, str]

    def send(
        self, path: str, tenant: str, attempt: Attempt, key: str | None
    ) -> requests.Response | None:
        return self.web.post(path, attempt.body, api_key=self.keys[tenant], key=key)

    def buy(self, tenant: str, attempt: Attempt, key: str | None = None):
        """The purchase, ready to be called."""
        return partial(self.send, BUY, tenant, attempt, key)

    def purchases(self, attempt: Attempt) -> list[dict[str, Any]]:
        query = "SELECT * FROM numbers_purchase WHERE phone_number = %s ORDER BY id"
        return self.world.postgres.rows(query, attempt.phone_number)


@pytest.fixture(scope="module")
def site():
    with running_world(clock_scale=CLOCK_SCALE, settle_clock_scale=1.0) as world:
        keys = world.make_tenants(**TENANTS)
        world.make_staff()
        for tenant in SHARING:
            world.make_member(tenant, f"{tenant.lower()}@example.com")
        world.sandbox.latency = LATENCY
        # Without turns within a process: what is tested is that nobody needs them.
        with world.web(processes=3, PURCHASE_TURNS="64") as web:
            yield Site(world, web, keys)


def at_once(*calls) -> list[requests.Response]:
    """All answers, each checked for what is true of every one: JSON, in time, and a refusal that
    can be acted on."""
    answers = in_threads(*calls)
    for answer in answers:
        assert isinstance(answer, requests.Response), answer
        assert answer.elapsed.total_seconds() < 3 * clocks.REQUEST * CLOCK_SCALE
        told = answer.json()
        if answer.status_code != 200:
            assert {"detail", "code"} <= set(told)
        if answer.status_code == 409:
            assert answer.headers["Retry-After"].isdecimal(), told
    return answers


def codes(answers: list[requests.Response]) -> Counter:
    """How many answers there are of each kind: 200, or the code of the error."""
    return Counter(a.json().get("code", a.status_code) for a in answers)


def assert_all_tell_of_one_purchase(site: Site, attempt: Attempt, answers: list) -> None:
    (purchase,) = site.purchases(attempt)
    assert purchase["state"] == "completed"
    assert set(codes(answers)) - {"purchase_in_progress"} == {200}
    bought = [answer for answer in answers if answer.status_code == 200]
    assert [answer.json() for answer in bought] == [bought[0].json()] * len(bought)
    assert {answer.headers["Purchase-Id"] for answer in answers} == {str(purchase["id"])}
    assert site.world.posts(attempt) == 1
    site.world.assert_inventories_agree(attempt)


# --- The same request, many times ---------------------------------------------------------------


@pytest.mark.parametrize("key", ["the same", None])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_twenty_identical_requests_at_once_are_one_purchase(site, provider, key):
    attempt = site.world.attempt(provider)

    answers = at_once(*[site.buy("Acme", attempt, key and attempt.key)] * 20)

    assert_all_tell_of_one_purchase(site, attempt, answers)
    again = site.send(BUY, "Acme", attempt, key and attempt.key)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")


@pytest.mark.parametrize("tenant", ["Acme", "Initech"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_request_that_looks_when_its_twin_has_just_bought_tells_of_the_same_purchase(
    site, provider, tenant
):
    """With an account of its own, and with the platform's."""
    attempt = site.world.attempt(provider)
    path = "IncomingPhoneNumbers" if provider == "twilio" else "available_phone_numbers"
    site.world.sandbox.add_fault(method="GET", path=path, delay=2 / CLOCK_SCALE)

    answers = at_once(*[site.buy(tenant, attempt, key) for key in (None, attempt.key)])

    assert_all_tell_of_one_purchase(site, attempt, answers)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_ten_identical_requests_under_a_limit_for_one_are_one_purchase(site, provider):
    attempt = site.world.attempt(provider)

    answers = at_once(*[site.buy(f"Careful {provider}", attempt, attempt.key)] * 10)

    assert_all_tell_of_one_purchase(site, attempt, answers)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_of_twenty_requests_for_a_number_that_is_refused_none_is_told_that_it_is_owned(
    site, provider
):
    attempt = site.world.attempt(provider, REFUSED)

    answers = at_once(*[site.buy("Acme", attempt)] * 20)

    told = codes(answers)
    assert told["number_unavailable"] >= 1
    assert set(told) <= {"number_unavailable", "purchase_in_progress", "unavailable"}
    assert {purchase["state"] for purchase in site.purchases(attempt)} == {"refused"}
    site.world.assert_inventories_agree(attempt)


# --- Two organizations, one number, every door ---------------------------------------------------


class Browser:
    """Somebody signed in at `door`."""

    def __init__(self, base: str, door: str, email: str):
        self._base = base
        self._session = requests.Session()
        form = self._page(door)
        self._post(door, form, username=email, password=STAFF[1])
        assert "sessionid" in self._session.cookies

    def _page(self, path: str, **query: str) -> dict[str, str]:
        """The hidden fields of a page's form."""
        return self._hidden_fields(self._session.get(self._base + path, params=query, timeout=60))

    @staticmethod
    def _hidden_fields(page: requests.Response) -> dict[str, str]:
        assert page.ok, page.text
        fields = re.findall(r"<input type=\"hidden\" name=\"(\w+)\" value=\"([^\"]*)\"", page.text)
        return dict(fields)

    def _post(self, path: str, form: dict[str, str], **fields: Any) -> requests.Response:
        answer = requests.post(
            self._base + path,
            data=form | fields,
            cookies=self._session.cookies.get_dict(),
            allow_redirects=False,
            timeout=60,
        )
        self._session.cookies.update(answer.cookies)
        return answer


class Admin(Browser):
    """The purchase page of the Django admin."""

    page = "/admin/numbers/phonenumber/purchase/"

    def __init__(self, base: str):
        super().__init__(base, "/sign-in", STAFF[0])

    def purchase(self, organization: int, attempt: Attempt) -> partial:
        """The page that asks for confirmation, ready to be sent."""
        page = f"{self.page}?organization={organization}"
        row = {f"organization-{organization}-{n}": value for n, value in attempt.body.items()}
        offered = self._post(page, self._page(page), **row, **{"continue": "yes"})
        form = self._hidden_fields(offered)
        assert form["quote"]
        return partial(self._post, page, form, buy="yes")


class StaffPages(Browser):
    """The confirm page of the staff pages, for somebody of `tenant`."""

    def __init__(self, base: str, tenant: str):
        super().__init__(base, "/sign-in", f"{tenant.lower()}@example.com")

    def purchase(self, attempt: Attempt) -> partial:
        """The confirm page as it was rendered, ready to be sent."""
        form = self._page("/buy/confirm", **attempt.body)
        assert form["quote"]
        return partial(self._post, "/buy/confirm", form, assistant="", friendly_name="")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_two_organizations_want_one_number_at_every_door_at_once_and_one_gets_it(site, provider):
    """Both buy with the platform's account. Each staff page is sent twice, as by a double click."""
    attempt = site.world.attempt(provider)
    ids = {
        row["name"]: row["id"]
        for row in site.world.postgres.rows("SELECT id, name FROM organizations_organization")
    }
    admin = Admin(site.web.url)
    doors, calls = [], []
    for tenant in SHARING:
        for n in range(6):
            doors.append(("api", tenant))
            calls.append(site.buy(tenant, attempt, f"{attempt.key}-{n}"))
        for _ in range(2):
            doors.append(("admin", tenant))
            calls.append(admin.purchase(ids[tenant], attempt))
        staff = StaffPages(site.web.url, tenant)
        for page in (staff.purchase(attempt), staff.purchase(attempt)):
            doors += [("staff", tenant)] * 2
            calls += [page] * 2

    answers = list(zip(doors, in_threads(*calls), strict=True))

    (bought,) = [p for p in site.purchases(attempt) if p["state"] == "completed"]
    winner = next(tenant for tenant in SHARING if ids[tenant] == bought["organization_id"])
    loser = next(tenant for tenant in SHARING if tenant != winner)
    assert site.world.posts(attempt) == 1
    site.world.assert_inventories_agree(attempt)
    told = {door: [a for d, a in answers if d == door] for door in set(doors)}
    # A page also asks for the price that it showed: another request than the API's.
    by_page = not bought["idempotency_key"].startswith("api:")
    same = "number_already_owned" if by_page else 200
    assert set(codes(told["api", winner])) <= {same, "purchase_in_progress"}
    for answer in told["api", winner]:
        assert answer.headers["Purchase-Id"] == str(bought["id"])
    assert codes(told["api", loser]) == {"number_unavailable": 6}
    assert [(a.status_code, a.json()["charged"]) for a in told["api", loser]] == [(500, False)] * 6
    pages = [a.headers["Location"] for a in told["admin", winner]]
    assert pages == [f"/admin/numbers/purchase/{bought['id']}/change/"] * 2
    results = [(a.status_code, a.headers["Location"]) for a in told["staff", winner]]
    assert results == [(303, f"/purchases/{bought['id']}")] * 4
    states = {str(p["id"]): (p["state"], p["refusal_code"]) for p in site.purchases(attempt)}
    shown = [a.headers["Location"].split("/")[4] for a in told["admin", loser]]
    shown += [a.headers["Location"].split("/")[2] for a in told["staff", loser]]
    assert [states[pk] for pk in shown] == [("refused", "number_unavailable")] * 6
    assert len(set(shown[2:])) == 2  # a page that is sent twice is one purchase, refused ones too


# --- Money --------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS)
def test_ten_requests_under_a_limit_that_allows_one_buy_one(site, provider):
    attempts = [site.world.attempt(provider) for _ in range(10)]

    answers = at_once(*[site.buy(f"Frugal {provider}", a, a.key) for a in attempts])

    assert codes(answers) == {200: 1, "spending_limit_exceeded": 9}
    assert Counter(answer.status_code for answer in answers) == {200: 1, 402: 9}
    assert sum(site.world.posts(attempt) for attempt in attempts) == 1
    site.world.assert_inventories_agree(*attempts)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_refusals_at_once_free_what_they_reserved(site, provider):
    refused = [site.world.attempt(provider, REFUSED) for _ in range(4)]
    tenant, wanted = f"Thrifty {provider}", site.world.attempt(provider)

    answers = at_once(*[site.buy(tenant, a, a.key) for a in refused])
    afterwards = site.send(BUY, tenant, wanted, wanted.key)

    told = codes(answers)
    assert told["number_unavailable"] >= 1
    assert set(told) <= {"number_unavailable", "spending_limit_exceeded"}
    assert afterwards.status_code == 200
    site.world.assert_inventories_agree(*refused, wanted)


# --- Locks --------------------------------------------------------------------------------------


def test_claims_and_records_of_one_organization_in_any_order_never_deadlock(site):
    before = [site.world.attempt(provider) for provider in PROVIDERS for _ in range(8)]
    after = [site.world.attempt(provider) for provider in PROVIDERS for _ in range(12)]
    bought = at_once(*[site.buy("Busy", a, a.key) for a in before])

    releases = [partial(site.send, RELEASE, "Busy", a, a.key) for a in before]
    mixed = at_once(*releases, *[site.buy("Busy", a, a.key) for a in after])

    assert codes(bought) == {200: 16}
    assert codes(mixed) == {200: 40}
    assert [site.world.posts(attempt) for attempt in after] == [1] * 24
    site.world.assert_inventories_agree(*before, *after)
    assert deadlocks(site.world) == 0


def test_a_purchase_that_cannot_get_its_organizations_lock_gives_up_before_anything_is_sent(site):
    """Whoever holds it may be frozen; nobody waits for ever."""
    attempts = [site.world.attempt(provider) for provider in PROVIDERS]
    lock = "SELECT FROM organizations_organization WHERE name = 'Acme' FOR NO KEY UPDATE"
    with psycopg.connect(site.world.postgres.url) as holder:
        holder.execute(lock)
        answers = at_once(*[site.buy("Acme", a, a.key) for a in attempts])
    afterwards = at_once(*[site.buy("Acme", a, a.key) for a in attempts])

    assert [(a.status_code, a.json()["charged"]) for a in answers] == [(503, False)] * 2
    assert [a.headers["Retry-After"].isdecimal() for a in answers] == [True] * 2
    assert codes(afterwards) == {200: 2}
    assert [site.world.posts(attempt) for attempt in attempts] == [1, 1]
    site.world.assert_inventories_agree(*attempts)


def deadlocks(world: World) -> int:
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    return world.postgres.rows(query)[0]["deadlocks"]


def test_after_all_of_this_both_inventories_are_the_same_and_nothing_deadlocked(site):
    site.world.assert_inventories_agree()
    assert deadlocks(site.world) == 0
