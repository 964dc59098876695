"""Spending by month, numbers that nobody uses, and prices compared: to the cent and the second."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from burki.errors import InvalidRequest
from burki.testing import make_assistant
from numbers.models import Offer, PhoneNumber, Purchase
from numbers.services.costs import comparison, spending_report
from numbers.services.costs.comparison import compare_prices
from numbers.services.costs.unused import reclaiming, savings, unused_for, unused_numbers
from numbers.services.spending import committed, month_start
from numbers.tests.money import buy, settle
from numbers.tests.rows import make_number, make_purchase

pytestmark = pytest.mark.django_db

NOW = datetime(2028, 3, 15, 12, tzinfo=UTC)  # the month after a leap February
SECOND = timedelta(seconds=1)


def at(month, day=1, *clock, year=2028) -> datetime:
    return datetime(year, month, day, *clock, tzinfo=UTC)


def owned(organization, line, since, until=None, monthly="1.00", **over) -> PhoneNumber:
    fields = {
        "purchased_at": since,
        "monthly_cost": monthly and Decimal(monthly),
        "currency": "USD" if monthly else "",
    }
    if until is not None:
        fields |= {"status": "released", "released_at": until}
    return make_number(organization, line, **fields | over)


def paid(organization, line, when, setup="1.00", **over) -> Purchase:
    fields = {"claimed_at": when, "setup_cost": Decimal(setup), "currency": "USD"}
    return make_purchase(organization, line, **fields | over)


def report(organization, **asked):
    return spending_report.spending_report(organization, **{"now": NOW, "months": 3} | asked)


def totals(organization, **asked) -> dict[str, str]:
    """`2028-03`, with its currency unless that is the dollar: what it cost."""
    return {
        f"{cost.month:%Y-%m} {cost.currency}".removesuffix(" USD"): str(cost.total)
        for cost in report(organization, **asked).by_month()
        if cost.total
    }


def expected(organization, **asked) -> dict[str, str]:
    return {cost.currency: str(cost.total) for cost in report(organization, **asked).expected()}


# --- Spending: which months a number costs ------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "until", "months"),
    [
        (at(1), None, ["2028-01", "2028-02", "2028-03"]),
        (at(2) - SECOND, None, ["2028-01", "2028-02", "2028-03"]),
        (at(2), None, ["2028-02", "2028-03"]),
        (at(2, 29, 23, 59, 59), None, ["2028-02", "2028-03"]),
        (at(3), None, ["2028-03"]),
        (NOW, None, ["2028-03"]),
        (at(6, year=2020), None, ["2028-01", "2028-02", "2028-03"]),
        (at(6, year=2020), at(1) - SECOND, []),
        (at(6, year=2020), at(1), ["2028-01"]),  # at the first instant it was still owned
        (at(6, year=2020), at(2) - SECOND, ["2028-01"]),
        (at(6, year=2020), at(2, 29, 12), ["2028-01", "2028-02"]),
        (at(2, 29), at(2, 29, 0, 0, 1), ["2028-02"]),
        (at(2, 10), at(3, 10), ["2028-02", "2028-03"]),
        (at(3, 1), at(3, 2), ["2028-03"]),
    ],
)
def test_a_number_costs_its_whole_price_in_every_month_that_it_is_owned_in(
    organization, since, until, months
):
    owned(organization, 1, since, until, monthly="1.15")

    assert totals(organization) == {month: "1.15000" for month in months}
    assert expected(organization) == ({} if until else {"USD": "1.15000"})


def test_months_end_in_utc_whatever_the_zone_of_who_asks(organization):
    owned(organization, 1, at(1, 31, 23, 30))  # 1 February in Berlin
    owned(organization, 2, at(2, 1, 0, 30))  # 31 January in New York
    with timezone.override("America/New_York"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'Pacific/Auckland'")
        assert totals(organization) == {
            "2028-01": "1.00000",
            "2028-02": "2.00000",
            "2028-03": "2.00000",
        }


def test_a_year_without_a_leap_day_and_the_turn_of_the_year(organization):
    owned(organization, 1, at(2, 28, 23, 59, 59, year=2027), at(2, 28, 23, 59, 59, year=2027))
    owned(organization, 2, at(12, 31, 23, 59, 59, year=2026), at(1, 1, year=2027))
    found = totals(organization, now=at(3, 1, year=2027), months=4)

    assert found == {"2026-12": "1.00000", "2027-01": "1.00000", "2027-02": "1.00000"}


def test_a_number_that_was_bought_again_costs_twice_in_the_month_of_both(organization):
    owned(organization, 1, at(1, 5), at(2, 10))
    owned(organization, 1, at(2, 20), monthly="2.00")

    assert totals(organization) == {
        "2028-01": "1.00000",
        "2028-02": "3.00000",
        "2028-03": "2.00000",
    }


def test_set_up_fees_cost_once_in_the_month_of_the_purchase(organization):
    number = owned(organization, 1, at(2, 10))
    paid(organization, 1, at(2, 10), "5.00", number=number)
    paid(organization, 2, at(2) - SECOND, "0.50")

    march = report(organization).by_month()[-1]
    assert totals(organization) == {
        "2028-01": "0.50000",
        "2028-02": "6.00000",
        "2028-03": "1.00000",
    }
    assert (march.monthly, march.setup, march.numbers) == (1, 0, 1)
    assert expected(organization) == {"USD": "1.00000"}


@pytest.mark.parametrize("state", Purchase.State.values)
def test_every_purchase_counts_but_a_refused_one(organization, state):
    paid(organization, 1, at(2, 10), "5.00", state=state)

    assert totals(organization) == ({} if state == "refused" else {"2028-02": "5.00000"})


@pytest.mark.parametrize("status", PhoneNumber.Status.values)
def test_a_fee_belongs_to_the_assistant_of_its_number_however_that_stands(
    organization, assistant, status
):
    gone = at(2, 11) if status == "released" else None
    number = owned(organization, 1, at(2, 10), gone, status=status, assistant=assistant)
    paid(organization, 1, at(2, 10), "5.00", number=number)

    february = [cost for cost in report(organization).costs if cost.month == at(2).date()]
    assert [(cost.assistant_id, cost.setup) for cost in february] == [(assistant.pk, 5)]


@pytest.mark.parametrize("status", ["claimed", "pending", "active", "releasing"])
def test_what_is_reserved_or_being_given_back_counts_as_owned(organization, status):
    owned(organization, 1, at(2, 10), status=status)

    assert totals(organization) == {"2028-02": "1.00000", "2028-03": "1.00000"}


def test_each_currency_is_told_by_itself_and_every_month_has_all_of_them(organization):
    owned(organization, 1, at(2, 10))
    owned(organization, 2, at(3, 10), monthly="2.50", currency="EUR")

    assert totals(organization) == {
        "2028-02": "1.00000",
        "2028-03 EUR": "2.50000",
        "2028-03": "1.00000",
    }
    told = [(cost.month.month, cost.currency) for cost in report(organization).by_month()]
    assert told == [(month, currency) for month in (1, 2, 3) for currency in ("EUR", "USD")]


def test_numbers_whose_price_nobody_knows_are_told_apart_and_never_as_zero(organization):
    owned(organization, 1, at(2, 10), monthly=None)
    owned(organization, 2, at(3, 10))

    told = [
        (f"{cost.month:%m}", cost.currency, cost.numbers, cost.total)
        for cost in report(organization, months=2).by_month()
    ]
    assert told == [
        ("02", "USD", 0, 0),
        ("02", "", 1, None),
        ("03", "USD", 1, 1),
        ("03", "", 1, None),
    ]


def test_providers_and_present_assistants_share_the_costs(organization, assistant):
    moved = owned(organization, 1, at(1, 10), assistant=make_assistant(organization, "Before"))
    owned(organization, 2, at(2, 10), monthly="2.00")
    owned(organization, 3, at(3, 10), monthly="4.00", provider="telnyx", assistant=assistant)
    paid(organization, 1, at(1, 10), "5.00", number=moved)
    PhoneNumber.objects.filter(pk=moved.pk).update(assistant=assistant)

    found = [
        (f"{cost.month:%m}", cost.provider, cost.assistant_name, str(cost.total))
        for cost in report(organization).costs
    ]

    assert found == [
        ("01", "twilio", "Support", "6.00000"),  # the whole past goes with the number
        ("02", "twilio", "", "2.00000"),
        ("02", "twilio", "Support", "1.00000"),
        ("03", "telnyx", "Support", "4.00000"),
        ("03", "twilio", "", "2.00000"),
        ("03", "twilio", "Support", "1.00000"),
    ]
    by_provider = [
        (f"{cost.month:%m}", cost.provider, str(cost.total), cost.numbers)
        for cost in report(organization, by_assistant=False).by_provider()
    ]
    assert by_provider == [
        ("01", "twilio", "6.00000", 1),
        ("02", "twilio", "3.00000", 2),
        ("03", "telnyx", "4.00000", 1),
        ("03", "twilio", "3.00000", 2),
    ]
    assert totals(organization, provider="telnyx") == {"2028-03": "4.00000"}
    assert totals(organization, assistant_id=assistant.pk)["2028-01"] == "6.00000"
    assert totals(organization, assigned=False) == {"2028-02": "2.00000", "2028-03": "2.00000"}
    assert totals(organization, assigned=True)["2028-03"] == "5.00000"


def test_nothing_of_another_organization_counts(organization, other_organization):
    number = owned(other_organization, 1, at(2, 10))
    paid(other_organization, 1, at(2, 10), number=number)

    assert report(organization).costs == [] == report(organization).forecast
    assert report(organization).by_month() == []


def test_the_forecast_is_what_is_owned_now_without_set_up_fees(organization):
    owned(organization, 1, at(2, 10))
    owned(organization, 2, at(2, 10), at(3, 14), monthly="9.00")
    owned(organization, 3, at(3, 10), status="releasing", monthly="2.00")
    owned(organization, 4, at(3, 10), monthly="3.00", currency="EUR")
    paid(organization, 3, at(3, 10), "5.00")

    assert expected(organization) == {"EUR": "3.00000", "USD": "3.00000"}
    assert report(organization).next == date(2028, 4, 1)
    assert totals(organization)["2028-03"] == "17.00000"


def test_what_the_running_month_will_have_cost_is_told_and_of_months_that_are_over_nothing(
    organization,
):
    """As it is at the month's last second: the releases until now save nothing, nothing accrues."""
    owned(organization, 1, at(2, 10), monthly="1.00")
    owned(organization, 2, at(2, 10), at(3, 2), monthly="9.00")
    owned(organization, 3, at(3, 10), monthly=None)
    paid(organization, 1, at(3, 10), "5.00")

    now = report(organization)
    end = report(organization, now=at(4, 1) - SECOND)

    def told(found) -> list:
        return [(f"{one.month:%m}", one.currency, found.forecast_of(one))
                for one in found.by_month() if one.month.month in (2, 3)]  # fmt: skip

    assert told(now) == [
        ("02", "USD", None),
        ("03", "USD", Decimal("15.00000")),
        ("03", "", None),
    ]
    assert told(end) == told(now)
    assert [now.forecast_of(one) for one in now.expected()] == [Decimal("1.00000"), None]


def test_the_dearest_assistants_of_the_running_month_are_told_by_currency(organization):
    ada, bob = (make_assistant(organization, name) for name in ("Ada", "Bob"))
    number = owned(organization, 1, at(3, 10), monthly="1.00", assistant=ada)
    paid(organization, 1, at(3, 10), "6.00", number=number)
    owned(organization, 2, at(2, 10), monthly="2.00", assistant=ada, provider="telnyx")
    owned(organization, 3, at(2, 10), at(3, 1), monthly="4.00", assistant=bob)
    owned(organization, 4, at(2, 10), at(2, 20), monthly="9.00", assistant=bob)
    owned(organization, 5, at(2, 10), monthly="5.00")
    owned(organization, 6, at(2, 10), monthly="3.00", currency="EUR", assistant=bob)
    owned(organization, 7, at(2, 10), monthly=None, assistant=bob)

    def told(**asked) -> list:
        found = spending_report.dearest_assistants(organization, now=NOW, **asked)
        return [(one.currency, one.assistant_name, one.numbers, f"{one.total:.2f}")
                for one in found]  # fmt: skip

    assert told(most=9) == [
        ("EUR", "Bob", 1, "3.00"),
        ("USD", "Ada", 2, "9.00"),
        ("USD", "", 1, "5.00"),
        ("USD", "Bob", 1, "4.00"),
    ]
    assert told(most=1) == [("EUR", "Bob", 1, "3.00"), ("USD", "Ada", 2, "9.00")]
    assert told(most=9, provider="telnyx") == [("USD", "Ada", 1, "2.00")]
    assert told(most=9, assigned=False) == [("USD", "", 1, "5.00")]
    assert told(most=9, assistant_id=bob.pk)[1:] == [("USD", "Bob", 1, "4.00")]


def test_twelve_months_are_told_unless_others_are_asked_for(organization):
    months = spending_report.spending_report(organization, now=NOW).months

    assert (months[0], months[-1], len(months)) == (date(2027, 4, 1), date(2028, 3, 1), 12)
    assert report(organization, months=1).months == [date(2028, 3, 1)]


# --- Spending: the running month ----------------------------------------------------------------


def running(organization) -> Decimal:
    found = spending_report.spending_report(organization, months=1).by_month()
    currency = organization.limit_currency
    return sum((cost.total for cost in found if cost.currency == currency), Decimal(0))


def test_the_running_month_is_what_is_committed(organization, sandbox):
    """Whatever happens: bought, in doubt, refused, released, of last month, in euros."""
    start = month_start(timezone.now())
    assert running(organization) == committed(organization) == 0

    buy(organization, "telnyx", "+14155550061")  # 25.00 a month and 5.00 once
    assert running(organization) == committed(organization) == 30
    buy(organization, "telnyx", "+14155550062")  # in euros
    buy(organization, "telnyx", "+14155550060")  # nobody tells the price
    sandbox.add_fault(method="POST", path="/number_orders", action="drop")
    with pytest.raises(Exception, match="being confirmed"):
        buy(organization, "telnyx", "+14155555677")  # 1.00 a month and 1.00 once
    assert running(organization) == committed(organization) == 32
    with pytest.raises(Exception, match="Failed"):
        buy(organization, "telnyx", "+14155550001")
    assert running(organization) == committed(organization) == 32
    settle(Purchase.objects.get(state="uncertain"))
    assert running(organization) == committed(organization)

    owned(organization, 101, start - SECOND, start - SECOND)
    owned(organization, 102, start - SECOND, start)
    owned(organization, 103, start, start)
    owned(organization, 104, timezone.now() + timedelta(days=40))  # another machine's clock
    paid(organization, 104, start - SECOND)
    paid(organization, 105, start)
    assert running(organization) == committed(organization)

    organization.limit_currency = "EUR"
    assert running(organization) == committed(organization) == 1


def test_any_number_of_numbers_costs_one_statement(organization, assistant):
    def queries(count: int) -> int:
        for line in range(PhoneNumber.objects.count(), count):
            number = owned(organization, line, at(1, 1 + line % 28), assistant=assistant)
            paid(organization, line + 1, at(1, 2), number=number)
        with CaptureQueriesContext(connection) as asked:
            assert report(organization).costs[0].numbers == count
        return len(asked)

    assert queries(10) == queries(200) == 1


def test_a_report_that_nobody_could_read_is_refused(organization, monkeypatch):
    monkeypatch.setattr(spending_report, "ROWS_MAX", 2)
    owned(organization, 1, at(2, 10))
    assert totals(organization, months=1)  # with its forecast two rows

    with pytest.raises(InvalidRequest, match="more than 2 rows"):
        totals(organization, months=2)


# --- Unused numbers -----------------------------------------------------------------------------


def quiet(organization, line, days, *, used=None, known=None, **over) -> PhoneNumber:
    """Bought so many days ago, last used and known for so many."""
    now = timezone.now()
    number = owned(
        organization,
        line,
        now - timedelta(days=days),
        last_activity_at=None if used is None else now - timedelta(days=used),
        **over,
    )
    created = now - timedelta(days=days if known is None else known)
    PhoneNumber.objects.filter(pk=number.pk).update(created_at=created)
    return number


def unused(organization, days=30) -> list[str]:
    found = unused_for(unused_numbers(organization), days)
    return [number.phone_number[-4:] for number in found]


def test_numbers_are_unused_since_their_last_call_or_since_they_were_bought(organization):
    quiet(organization, 1, 90, used=29)
    quiet(organization, 2, 90, used=31)
    quiet(organization, 3, 31)
    quiet(organization, 4, 29)
    quiet(organization, 5, 400, used=200)

    assert unused(organization) == ["0005", "0002", "0003"]
    assert unused(organization, 201) == []
    assert sorted(unused(organization, 0)) == ["0001", "0002", "0003", "0004", "0005"]


def test_the_last_day_counts_to_the_second(organization):
    number = quiet(organization, 1, 90, used=30)
    moment = unused_numbers(organization).get().unused_since

    def shown(now) -> bool:
        return unused_for(unused_numbers(organization), 30, now=now).exists()

    assert moment == number.last_activity_at
    assert shown(moment + timedelta(days=30))
    assert not shown(moment + timedelta(days=30) - SECOND)


def test_an_adopted_number_is_not_called_unused_before_we_watched_it(organization):
    quiet(organization, 1, 1000, known=5)
    quiet(organization, 2, 1000, known=40)

    assert unused(organization) == ["0002"]


@pytest.mark.parametrize("status", ["claimed", "pending", "releasing", "released"])
def test_only_active_numbers_can_be_unused(organization, status):
    quiet(organization, 1, 90, status=status)

    assert unused(organization) == []


def test_another_organizations_numbers_are_not_told(organization, other_organization):
    quiet(other_organization, 1, 90)

    assert unused(organization) == [] == savings(unused_numbers(organization))


def test_what_could_be_saved_is_summed_by_currency(organization):
    quiet(organization, 1, 90, monthly="1.15")
    quiet(organization, 2, 90, monthly="2.15")
    quiet(organization, 3, 90, monthly="3.00", currency="EUR")
    quiet(organization, 4, 90, monthly=None)
    quiet(organization, 5, 9, monthly="7.00")

    found = savings(unused_for(unused_numbers(organization), 30))

    assert [(one.currency, one.numbers, one.monthly) for one in found] == [
        ("USD", 2, Decimal("3.30")),
        ("EUR", 1, Decimal("3.00")),
        ("", 1, None),
    ]


def test_whether_it_may_be_taken_back_is_told_only_where_a_rule_is_known(organization):
    quiet(organization, 1, 90, used=40)
    quiet(organization, 2, 90, used=20)
    quiet(organization, 3, 90, provider="telnyx")

    now = timezone.now()
    told = {
        number.phone_number[-1]: reclaiming(number.provider, now - number.unused_since)
        for number in unused_numbers(organization)
    }

    assert {line: one.possible for line, one in told.items()} == {
        "1": True,
        "2": None,
        "3": None,
    }
    assert told["1"].source == "https://www.twilio.com/docs/phone-numbers/best-practices"
    assert "No rule of Telnyx" in told["3"].detail and told["3"].source == ""


# --- Prices compared ----------------------------------------------------------------------------


def offered(organization, number, monthly, days=1, setup="0", provider="twilio", **over) -> Offer:
    fields = {
        "account": organization.provider_accounts.get(provider=provider),
        "provider": provider,
        "phone_number": number,
        "monthly_cost": monthly and Decimal(monthly),
        "setup_cost": monthly and Decimal(setup),
        "currency": "USD" if monthly else "",
        "country": "US",
        "region": "CA",
    }
    offer = Offer.objects.create(**fields | over)
    Offer.objects.filter(pk=offer.pk).update(seen_at=timezone.now() - timedelta(days=days))
    return offer


def test_a_place_tells_the_last_lowest_and_median_price_of_each_provider(organization):
    for number, monthly, days in (
        ("+14155550001", "1.50", 3),
        ("+14155550002", "1.00", 9),
        ("+14155550003", "1.15", 5),
        ("+14155550001", "1.20", 1),
    ):
        offered(organization, number, monthly, days)
    offered(organization, "+14155550009", "1.00", setup="3.00", provider="telnyx")

    (place,) = compare_prices(organization)

    assert (place.country, place.region, place.area_code, place.number_type) == (
        "US",
        "CA",
        "415",
        "local",
    )
    telnyx, twilio = place.offered
    assert (twilio.latest_monthly, twilio.lowest_monthly, twilio.median_monthly) == (
        Decimal("1.20"),
        Decimal("1.00"),
        Decimal("1.15"),
    )
    assert (twilio.offers, telnyx.offers) == (4, 1)
    assert timezone.now() - twilio.seen_at < timedelta(days=1, minutes=1)
    assert (twilio.first_year, telnyx.first_year) == (Decimal("14.40"), Decimal("15.00"))
    assert place.cheapest == "twilio"


def test_places_are_told_apart_by_country_region_area_code_and_type(organization):
    offered(organization, "+14155550001", "1.00")
    offered(organization, "+12125550001", "1.00", region="NY")
    offered(organization, "+18005550001", "2.00", region="", number_type="toll_free")
    offered(organization, "+441134960001", "1.00", country="GB", region="")
    offered(organization, "+441134960002", "3.00", country="GB", region="", number_type="mobile")

    def told(**asked) -> list[str]:
        return [
            f"{place.country}{place.area_code} {place.number_type}"
            for place in compare_prices(organization, **asked)
        ]

    assert told() == ["GB local", "GB mobile", "US800 toll_free", "US415 local", "US212 local"]
    assert told(country_code="gb") == ["GB local", "GB mobile"]
    assert told(area_code="212") == ["US212 local"]
    assert told(number_type="toll_free") == ["US800 toll_free"]
    assert told(provider="telnyx") == []


def test_the_cheapest_is_named_only_when_it_can_be_told(organization):
    offered(organization, "+14155550001", "1.00")
    assert compare_prices(organization)[0].cheapest == ""

    offered(organization, "+14155550002", "1.00", provider="telnyx")
    assert compare_prices(organization)[0].cheapest == ""

    offered(organization, "+14155550003", "1.00", days=0, provider="telnyx", currency="EUR")
    assert compare_prices(organization)[0].cheapest == ""


def test_offers_without_price_of_long_ago_or_of_others_are_left_out(
    organization, other_organization
):
    offered(organization, "+14155550001", None)
    offered(organization, "+14155550002", "1.00", days=91)
    offered(other_organization, "+14155550003", "1.00")

    assert compare_prices(organization) == []


def test_the_places_that_were_looked_for_last_are_told(organization, monkeypatch):
    monkeypatch.setattr(comparison, "PLACES_MAX", 2)
    for code, days in ((201, 3), (202, 1), (203, 2)):
        offered(organization, f"+1{code}5550001", "1.00", days=days)

    assert [place.area_code for place in compare_prices(organization)] == ["202", "203"]


def test_only_the_last_offers_are_looked_at(organization, monkeypatch):
    monkeypatch.setattr(comparison, "OFFERS_MAX", 2)
    for number, monthly in (("+14155550001", "9"), ("+14155550002", "1"), ("+14155550003", "2")):
        offered(organization, number, monthly)

    (one,) = compare_prices(organization)[0].offered

    assert (one.offers, one.lowest_monthly, one.latest_monthly) == (2, 1, 2)
