"""What numbers cost is asked once a day: a changed price is kept and told."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.testing import SYSTEM, make_browser, make_organization
from numbers import tasks
from numbers.models import PhoneNumber
from numbers.sandbox import inventory
from numbers.services.costs.upkeep import refresh_prices
from numbers.services.spending import committed
from numbers.tests.rows import make_number
from organizations.models import AuditEvent, ProviderAccount

pytestmark = pytest.mark.django_db


@pytest.fixture
def twilio(organization, sandbox) -> ProviderAccount:
    return organization.provider_accounts.get(provider="twilio")


@pytest.fixture
def prices(monkeypatch) -> dict[str, str]:
    """The sandbox's price list, to be changed."""
    changed = dict(inventory.TWILIO_PRICES)
    monkeypatch.setattr(inventory, "TWILIO_PRICES", changed)
    return changed


def refresh(account: ProviderAccount) -> int:
    return refresh_prices(account, actor=SYSTEM)


def events() -> list[dict]:
    found = AuditEvent.objects.filter(action="number.price_changed").order_by("object_label", "pk")
    return [{"number": event.object_label[-4:], **event.data} for event in found]


def told(monthly, setup="0.00", currency="USD") -> dict:
    return {"monthly_cost": monthly, "setup_cost": setup, "currency": currency}


def priced(organization, line, monthly="1.15", setup="0", currency="USD", **over) -> PhoneNumber:
    amounts = {"monthly_cost": monthly and Decimal(monthly), "setup_cost": setup and Decimal(setup)}
    return make_number(organization, line, currency=currency, **amounts, **over)


def price_of(number: PhoneNumber) -> tuple:
    number.refresh_from_db()
    return number.monthly_cost, number.setup_cost, number.currency


def test_a_price_that_did_not_change_changes_nothing(organization, twilio):
    number = priced(organization, 1)
    before = number.updated_at

    assert refresh(twilio) == 0

    number.refresh_from_db()
    assert number.updated_at == before
    assert events() == []


def test_a_changed_price_is_kept_with_what_it_was_and_counts_at_once(organization, twilio, prices):
    local = priced(organization, 1)
    free = priced(organization, 2, "2.15", number_type="toll_free")
    prices["local"] = "1.50"

    assert refresh(twilio) == 1

    assert price_of(local) == (Decimal("1.50"), 0, "USD")
    assert price_of(free) == (Decimal("2.15"), 0, "USD")
    assert events() == [{"number": "0001", "old": told("1.15"), "new": told("1.50")}]
    assert AuditEvent.objects.get(action="number.price_changed").organization == organization
    assert committed(organization) == Decimal("3.65")
    assert refresh(twilio) == 0


def test_an_unknown_price_is_filled_in(organization, twilio):
    number = priced(organization, 1, None, None, "")

    assert refresh(twilio) == 1

    assert price_of(number) == (Decimal("1.15"), 0, "USD")
    (event,) = events()
    assert event["old"] == {"monthly_cost": None, "setup_cost": None, "currency": None}
    assert event["new"] == told("1.15")


def test_a_set_up_fee_that_was_paid_stays_what_it_was(organization, twilio, prices):
    number = priced(organization, 1, setup="2.00")
    prices["local"] = "1.50"

    refresh(twilio)

    assert price_of(number) == (Decimal("1.50"), 2, "USD")


def test_another_currency_is_another_price(organization, twilio):
    number = priced(organization, 1, setup="2.00", currency="EUR")

    assert refresh(twilio) == 1

    assert price_of(number) == (Decimal("1.15"), 0, "USD")
    assert events()[0]["old"] == told("1.15", "2.00", "EUR")


@pytest.mark.parametrize("trouble", [{"status": 500}, {"status": 404}, {"action": "drop"}])
def test_what_is_not_told_never_replaces_what_is_known(organization, twilio, sandbox, trouble):
    number = priced(organization, 1, "9.99")
    sandbox.add_fault(path="/v1/PhoneNumbers", times=None, **trouble)

    assert refresh(twilio) == 0

    assert price_of(number) == (Decimal("9.99"), 0, "USD")
    assert events() == []


def test_a_kind_that_the_price_list_lacks_stays_as_it_is(organization, twilio, prices):
    number = priced(organization, 1, "9.99", number_type="national")

    assert refresh(twilio) == 0
    assert price_of(number)[0] == Decimal("9.99")


def test_telnyx_has_no_price_list_and_is_not_asked(organization, sandbox):
    account = organization.provider_accounts.get(provider="telnyx")
    number = priced(organization, 1, "3.00", provider="telnyx")

    assert refresh(account) == 0

    assert price_of(number)[0] == 3
    assert sandbox.requests() == []


@pytest.mark.parametrize("status", ["claimed", "pending", "releasing", "released"])
def test_only_active_numbers_are_looked_at(organization, twilio, sandbox, status):
    number = priced(organization, 1, "9.99", status=status)

    assert refresh(twilio) == 0

    assert price_of(number)[0] == Decimal("9.99")
    assert sandbox.requests() == []


def test_one_request_is_enough_for_each_country(organization, twilio, sandbox):
    for line, (country, kind) in enumerate(
        [("US", "local"), ("US", "local"), ("US", "toll_free"), ("GB", "local"), ("GB", "mobile")]
    ):
        priced(organization, line, "9.99", country=country, number_type=kind)

    assert refresh(twilio) == 5

    paths = sorted(request.path for request in sandbox.requests())
    assert paths == [f"/v1/PhoneNumbers/Countries/{code}" for code in ("GB", "US")]


def test_numbers_of_other_accounts_stay_as_they_are(organization, other_organization, twilio):
    theirs = priced(other_organization, 1, "9.99")

    assert refresh(twilio) == 0
    assert price_of(theirs)[0] == Decimal("9.99")


def test_each_owner_of_numbers_in_the_platforms_account_has_its_own_event(
    organization, other_organization, twilio
):
    mine = priced(organization, 1, "9.99")
    theirs = priced(other_organization, 2, "8.88", account=twilio)

    assert refresh(twilio) == 2

    assert price_of(mine) == price_of(theirs) == (Decimal("1.15"), 0, "USD")
    owners = AuditEvent.objects.filter(action="number.price_changed").order_by("object_label")
    assert [event.organization for event in owners] == [organization, other_organization]


def test_many_numbers_are_changed_in_few_statements(organization, twilio, monkeypatch):
    def queries(first: int, count: int) -> int:
        for line in range(first, first + count):
            priced(organization, line, "9.99")
        with CaptureQueriesContext(connection) as asked:
            assert refresh(twilio) == count
        return len(asked)

    assert queries(0, 10) == queries(10, 200)


def test_every_day_each_account_has_a_job_of_its_own_apart_from_the_others(organization, sandbox):
    make_organization("Globex")

    tasks.refresh_prices(timestamp=0)
    tasks.refresh_prices(timestamp=0)

    jobs = ProcrastinateJob.objects.filter(task_name="numbers.tasks.refresh_account_prices")
    assert sorted(job.args["account_id"] for job in jobs) == sorted(
        ProviderAccount.objects.values_list("pk", flat=True)
    )
    times = sorted(job.scheduled_at for job in jobs)
    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert all(4 < gap.total_seconds() < 6 for gap in gaps)


def test_an_account_that_cannot_be_used_now_is_left_for_another_day(organization, twilio, caplog):
    number = priced(organization, 1, "9.99")
    ProviderAccount.objects.filter(pk=twilio.pk).update(is_active=False)

    tasks.refresh_account_prices(account_id=twilio.pk)

    assert price_of(number)[0] == Decimal("9.99")
    assert "were not asked: not_configured" in caplog.text


def test_the_numbers_page_tells_of_the_change(organization, twilio):
    number = priced(organization, 1, "9.99")
    refresh(twilio)

    page = make_browser(organization, "viewer").get(f"/numbers/{number.pk}").content.decode()

    assert "The provider changed its price · $9.99 a month, now $1.15 a month" in page
