"""The lists of numbers and purchases, a number's page, and the overview."""

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from burki.testing import SYSTEM, make_assistant, make_browser
from numbers.models import PhoneNumber, Purchase
from numbers.tests.money import buy as buy_number
from numbers.tests.test_ui_buying import buy, look, words
from organizations.actors import Actor
from organizations.models import ApiKey

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(organization):
    return make_browser(organization, "member")


def text(response) -> str:
    return response.content.decode()


def make_numbers(organization, count, start=0, **fields) -> list[PhoneNumber]:
    account = organization.provider_accounts.get(provider="twilio")
    defaults = {
        "organization": organization,
        "account": account,
        "provider": "twilio",
        "status": "active",
        "monthly_cost": Decimal("1.15"),
        "currency": "USD",
        "purchased_at": timezone.now(),
    }
    return PhoneNumber.objects.bulk_create(
        PhoneNumber(
            **defaults
            | {"phone_number": f"+1415555{n:04}", "friendly_name": f"Line {n:04}"}
            | fields
        )
        for n in range(start, start + count)
    )


def make_purchases(organization, count, start=0, **fields) -> list[Purchase]:
    account = organization.provider_accounts.get(provider="twilio")
    defaults = {
        "organization": organization,
        "account": account,
        "provider": "twilio",
        "state": "refused",
        "request": {"friendly_name": ""},
        "actor_label": "ann@example.com",
    }
    return [
        Purchase.objects.create(**defaults | {"phone_number": f"+1415555{n:04}"} | fields)
        for n in range(start, start + count)
    ]


def rows(response) -> list[str]:
    return re.findall(r'<span class="phone" title="(\+\d+)">', text(response).split("<tbody>")[-1])


def links(response) -> dict[str, str]:
    """The pages beside this one."""
    found = re.findall(r'href="(\?[^"]+)" rel="(prev|next)"', text(response))
    return {name: address.replace("&amp;", "&") for address, name in found}


# --- Paging ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "make"), [("/numbers", make_numbers), ("/purchases", make_purchases)]
)
def test_pages_lead_to_each_other_newest_first_and_keep_the_filters(
    browser, organization, address, make
):
    newest_first = sorted(make(organization, 120), key=lambda row: row.pk, reverse=True)
    expected = [row.phone_number for row in newest_first]

    first = browser.get(address, {"provider": "twilio"})
    second = browser.get(address + links(first)["next"])
    third = browser.get(address + links(second)["next"])
    back = browser.get(address + links(third)["prev"])
    begin = browser.get(address + links(back)["prev"])

    assert [rows(page) for page in (first, second, third)] == [
        expected[:50],
        expected[50:100],
        expected[100:],
    ]
    assert rows(back) == expected[50:100] and rows(begin) == expected[:50]
    assert (set(links(first)), set(links(third)), set(links(begin))) == (
        {"next"},
        {"prev"},
        {"next"},
    )
    assert "provider=twilio" in links(second)["next"]


def test_rows_that_come_meanwhile_shift_nothing(browser, organization):
    make_numbers(organization, 60)
    first = browser.get("/numbers")
    make_numbers(organization, 5, start=100)

    assert rows(browser.get("/numbers" + links(first)["next"])) == [
        f"+1415555{n:04}" for n in reversed(range(10))
    ]


@pytest.mark.parametrize("address", ["/numbers", "/purchases"])
@pytest.mark.parametrize("key", ["x", "1.5", "9" * 30, "-1", "²", "\0"])
def test_a_page_that_makes_no_sense_says_so(browser, address, key):
    for name in ("before", "after"):
        response = browser.get(address, {name: key})
        assert response.status_code == 400
        assert "This address does not name a page of the list." in words(response)


@pytest.mark.parametrize(
    ("address", "make"), [("/numbers", make_numbers), ("/purchases", make_purchases)]
)
def test_two_hundred_rows_cost_as_many_queries_as_ten(
    browser, organization, assistant, address, make
):
    over = {"assistant": assistant} if make is make_numbers else {}

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get(address).status_code == 200
        return len(caught)

    make(organization, 10, **over)
    few = queries()
    make(organization, 190, start=10, **over)

    assert queries() == few
    assert few <= 8


def test_the_overview_costs_as_many_queries_whatever_there_is(browser, organization):
    make_numbers(organization, 1)
    with CaptureQueriesContext(connection) as few:
        browser.get("/")
    make_numbers(organization, 30, start=1)
    make_purchases(organization, 30)
    with CaptureQueriesContext(connection) as many:
        browser.get("/")

    assert len(many) <= len(few) <= 13


# --- Filters --------------------------------------------------------------------------------------


def test_numbers_are_filtered_by_what_the_address_says(browser, organization, assistant):
    (assigned,) = make_numbers(organization, 1, assistant=assistant, friendly_name="Front desk")
    (nobodys,) = make_numbers(organization, 1, start=1)
    (gone,) = make_numbers(organization, 1, start=2, status="released")
    telnyx = organization.provider_accounts.get(provider="telnyx")
    (other,) = make_numbers(organization, 1, start=3, provider="telnyx", account=telnyx)
    make_numbers(organization, 1, start=4, status="claimed")

    def shown(**filters) -> set[str]:
        return set(rows(browser.get("/numbers", filters)))

    everything = {assigned.phone_number, nobodys.phone_number, other.phone_number}
    assert shown() == everything
    assert shown(status="released") == {gone.phone_number}
    assert shown(provider="telnyx") == {other.phone_number}
    assert shown(assistant=str(assistant.pk)) == {assigned.phone_number}
    assert shown(assistant="none") == {nobodys.phone_number, other.phone_number}
    assert shown(search="front") == {assigned.phone_number}
    assert shown(search="(415) 555-0001") == {nobodys.phone_number}
    assert shown(search="zebra") == set()


def test_purchases_are_filtered_by_what_the_address_says(browser, organization):
    (refused,) = make_purchases(organization, 1)
    (doubtful,) = make_purchases(organization, 1, start=1, state="uncertain")
    (flagged,) = make_purchases(
        organization, 1, start=2, state="uncertain", needs_attention_at=timezone.now()
    )

    def shown(**filters) -> set[str]:
        return set(rows(browser.get("/purchases", filters)))

    assert len(shown()) == 3
    assert shown(state="refused") == {refused.phone_number}
    assert shown(state="uncertain") == {doubtful.phone_number, flagged.phone_number}
    assert shown(attention="yes") == {flagged.phone_number}
    assert shown(search="+1 415 555 0000") == {refused.phone_number}
    assert shown(provider="telnyx") == set()


def test_purchases_are_filtered_by_day_assistant_and_kind_of_buyer(
    browser, organization, assistant, sandbox
):
    buyer = browser.user
    buyer.memberships.update(role="member")
    actors = [Actor.for_user(buyer), SYSTEM,
              Actor.for_key(ApiKey.objects.create(organization=organization, name="ci",
                                                  prefix="burki_ci", digest="d",
                                                  scopes=["numbers:purchase"]))]  # fmt: skip
    for n, actor in enumerate(actors):
        over = {"assistant_id": assistant.pk} if n == 0 else {}
        buy_number(organization, phone_number=f"+1415555123{n}", actor=actor, **over)
    first, second, third = (f"+1415555123{n}" for n in range(3))
    days = {first: "2026-02-27T23:59:59Z", second: "2026-02-28T00:00:00Z",
            third: "2026-03-01T00:00:00Z"}  # fmt: skip
    for number, at in days.items():
        Purchase.objects.filter(phone_number=number).update(claimed_at=at)
    PhoneNumber.objects.update(assistant=None)  # since then

    def shown(**filters) -> set[str]:
        return set(rows(browser.get("/purchases", filters)))

    assert shown(by="user") == {first}
    assert shown(by="system") == {second}
    assert shown(by="api_key") == {third}
    assert shown(assistant=assistant.pk) == {first}
    assert shown(assistant="none") == {second, third}
    assert shown(**{"from": "2026-02-28"}) == {second, third}
    assert shown(to="2026-02-27") == {first}
    assert shown(**{"from": "2026-02-28", "to": "2026-02-28"}) == {second}
    assert shown(**{"from": "2026-02-28"}, by="user") == set()
    page = text(browser.get("/purchases", {"by": "user"}))
    assert "<details open>" in page and "<details open>" not in text(browser.get("/purchases"))


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("/numbers", {"status": "claimed"}),
        ("/numbers", {"provider": "vonage"}),
        ("/numbers", {"assistant": "9" * 30}),
        ("/numbers", {"search": "a\0b"}),
        ("/numbers", {"search": "x" * 65}),
        ("/purchases", {"state": "lost"}),
        ("/purchases", {"attention": "no"}),
        ("/purchases", {"by": "nobody"}),
        ("/purchases", {"from": "yesterday"}),
        ("/purchases", {"assistant": "9" * 30}),
    ],
)
def test_a_filter_that_makes_no_sense_is_told_and_not_an_empty_list(browser, address, wrong):
    page = browser.get(address, wrong)

    assert "The list cannot be filtered like this" in words(page)
    assert 'aria-invalid="true"' in text(page)


def test_another_organizations_assistant_is_no_filter(browser, other_organization):
    theirs = make_assistant(other_organization, "Theirs")

    page = browser.get("/numbers", {"assistant": str(theirs.pk)})

    assert "cannot be filtered" in words(page)
    assert "Theirs" not in words(page)


def test_filters_stay_filled_in(browser):
    page = text(browser.get("/purchases", {"state": "refused", "search": "415"}))

    assert '<option value="refused" selected>' in page
    assert 'value="415"' in page


# --- Empty, and one -------------------------------------------------------------------------------


def test_empty_lists_say_what_they_are_for_and_the_next_step(browser):
    for address, sentence in (
        ("/numbers", "No numbers yet"),
        ("/purchases", "Nothing was bought yet"),
    ):
        page = browser.get(address)
        assert sentence in words(page)
        assert "Find a number" in words(page)
        assert 'href="/buy"' in text(page)


def test_a_list_that_the_filters_emptied_says_so(browser, organization):
    make_numbers(organization, 1)

    assert "No number fits" in words(browser.get("/numbers", {"search": "zebra"}))


def test_a_new_organization_is_led_to_its_first_number_in_three_steps(organization):
    browser = make_browser(organization, "member")

    page = words(browser.get("/"))

    assert "Three steps to the first number" in page
    assert "There is an account that pays for numbers." in page
    assert "Who answers when the number is called." in page
    make_assistant(organization)
    assert "There is an assistant that can answer." in words(browser.get("/"))


def test_the_overview_counts_and_every_count_is_a_link_to_its_list(
    browser, organization, assistant
):
    make_numbers(organization, 3, assistant=assistant)
    make_numbers(organization, 2, start=3)
    make_numbers(organization, 1, start=5, status="releasing")
    make_purchases(organization, 2, start=6, state="uncertain")
    organization.monthly_limit = Decimal("10.00")
    organization.save()

    page = text(browser.get("/"))
    tiles = re.findall(
        r'<a class="card tile[^"]*" href="([^"]+)">.*?class="figure">(.*?)</span>(?=<span)', page
    )
    counts = {
        address.replace("&amp;", "&"): re.sub("<[^>]+>", "", figure) for address, figure in tiles
    }

    assert counts == {
        "/purchases?state=uncertain": "2",
        "/numbers?status=active&assistant=none": "2",
        "/numbers?status=active": "5",
        "/numbers?status=pending": "0",
        "/numbers?status=releasing": "1",
        "/spending": "$6.90",
    }
    assert "$3.10 left of $10.00" in words(browser.get("/"))
    for address, count in counts.items():
        if not count.startswith("$"):
            assert len(rows(browser.get(address))) == int(count), address


# --- One number -----------------------------------------------------------------------------------


def test_a_number_shows_how_it_is_set_and_its_whole_history(browser, sandbox, assistant):
    page = look(browser, assistant=assistant.pk)
    buy(browser, page, assistant=assistant.pk, friendly_name="Front desk")
    number = PhoneNumber.objects.get()

    told = words(browser.get(f"/numbers/{number.pk}"))

    for part in (
        "+1 415-555-1234",
        "Front desk",
        "Support",
        "$1.15 a month",
        "https://burki.test/twiml",
        number.provider_number_id,
        "Asked to buy",
    ):
        assert part in told


def test_secrets_are_on_no_page(browser, organization, sandbox):
    buy(browser, look(browser))
    number, purchase = PhoneNumber.objects.get(), Purchase.objects.get()

    for address in ("/", "/numbers", f"/numbers/{number.pk}", f"/purchases/{purchase.pk}"):
        page = text(browser.get(address))
        assert "twilio-token" not in page
        assert number.account.account_sid not in page


def test_a_claim_is_no_number_yet(browser, organization):
    (claimed,) = make_numbers(organization, 1, status="claimed")

    assert browser.get(f"/numbers/{claimed.pk}").status_code == 404
    assert browser.get("/numbers/" + "9" * 30).status_code == 404
