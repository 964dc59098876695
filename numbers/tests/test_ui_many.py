"""Buying many numbers on the staff pages: asking, confirming the total, watching, stopping."""

import re
from dataclasses import asdict
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.core import signing
from django.db import connection
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.testing import make_assistant, make_browser, orders_sent
from numbers import tasks
from numbers.models import BulkItem, BulkPurchase, PhoneNumber, Purchase
from numbers.tests.rows import make_number, make_purchase
from numbers.tests.test_bulk import work
from numbers.tests.test_ui_buying import text, words
from numbers.ui.quotes import ManyQuote
from organizations.models import AuditEvent, ProviderAccount

pytestmark = pytest.mark.django_db

FORM = {
    "kind": "criteria",
    "provider": "twilio",
    "quantity": "3",
    "country_code": "US",
    "area_code": "415",
    "number_type": "local",
    "numbers": "",
}
NAMED = ["+14155551301", "+14155551302", "+14155551303"]


@pytest.fixture
def browser(organization, sandbox):
    return make_browser(organization, "member")


def say(browser, **over):
    return browser.post("/buy/many", FORM | over)


def name(browser, *numbers, **over):
    return say(browser, kind="list", numbers="\n".join(numbers), quantity="", **over)


def confirm(browser, asked):
    """The page that saying it leads to."""
    assert asked.status_code == 303, words(asked)
    assert re.fullmatch(r"/buy/many/confirm/[0-9a-f-]{36}", asked.url)
    return browser.get(asked.url)


def quote_of(page) -> str:
    return re.search(r'name="quote" value="([^"]*)"', text(page))[1]


def buy(browser, page, **form):
    return browser.post(page.request["PATH_INFO"], {"quote": quote_of(page), **form})


def jobs() -> int:
    return ProcrastinateJob.objects.filter(task_name="numbers.tasks.buy_next").count()


def make_bulk(organization, **over) -> BulkPurchase:
    fields = {
        "idempotency_key": f"ui:{uuid4()}",
        "provider": "twilio",
        "quantity": 40,
        "request": {
            "quantity": 40,
            "criteria": {
                "country_code": "US",
                "area_code": "415",
                "contains": "",
                "locality": "",
                "region": "",
                "number_type": "local",
            },
        },
    }
    return BulkPurchase.objects.create(organization=organization, **fields | over)


def make_items(bulk, count, start=0, **over) -> list[BulkItem]:
    return BulkItem.objects.bulk_create(
        BulkItem(bulk=bulk, n=n + 1, phone_number=f"+1415555{n:04}", **over)
        for n in range(start, start + count)
    )


# --- Saying which ---------------------------------------------------------------------------------


def test_opening_the_page_asks_nobody_and_takes_what_the_address_says(browser, sandbox):
    page = text(browser.get("/buy/many", {"provider": "telnyx", "area_code": "212"}))

    assert '<option value="telnyx" selected>' in page
    assert 'value="212"' in page and 'value="10"' in page
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"quantity": ""}, "Say how many."),
        ({"quantity": "0"}, "greater than or equal to 1"),
        ({"quantity": "1001"}, "less than or equal to 1000"),
        ({"quantity": "three"}, "Enter a whole number"),
        ({"provider": "all"}, "Select a valid choice"),
        ({"kind": "both"}, "Select a valid choice"),
        ({"area_code": "41"}, "Area code has three digits in the US and Canada"),
        ({"country_code": "ZZ"}, "Country must be a two-letter country code"),
        ({"assistant": "987654"}, "Choose an assistant of this organization."),
        ({"friendly_name": "x" * 65}, "at most 64 characters"),
        ({"max_total_cost": "-1"}, "greater than or equal to 0"),
        ({"max_monthly_cost": "NaN"}, "Enter a number"),
    ],
)
def test_what_cannot_be_asked_is_told_at_its_field(browser, sandbox, wrong, sentence):
    page = say(browser, **wrong)

    assert page.status_code == 400
    assert sentence in words(page)
    assert 'aria-invalid="true"' in text(page)
    assert sandbox.requests() == []
    assert jobs() == BulkPurchase.objects.count() == 0


def test_bad_lines_of_a_list_are_named(browser, sandbox):
    page = name(browser, "+1 (415) 555-1301", "hello", "", "415 555 1303", "+14155551304")

    assert page.status_code == 400
    assert (
        "Not numbers: line 2 “hello”, line 4 “415 555 1303”. Write each with a plus and its "
        "country code, such as +14155551234." in words(page)
    )
    assert "+1 (415) 555-1301" in text(page)  # what was typed stays
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["+14155551301", "+1 415 555 1301"], "Each number once: line 2 is line 1 again."),
        ([], "Name at least one number."),
        (["x"] * 9, "line 5 “x” and 4 more."),
        ([f"+1415{n:07}" for n in range(1001)], "These are 1001 numbers: at most 1000 at a time."),
    ],
)
def test_a_list_that_is_none_is_told(browser, lines, sentence):
    assert sentence in words(name(browser, *lines))


def test_what_belongs_to_the_other_kind_is_not_asked_for(browser):
    asked = name(browser, *NAMED, area_code="not one", country_code="ZZ")

    assert "Buy 3 named numbers?" in words(confirm(browser, asked))


def test_another_organizations_assistant_cannot_be_chosen(browser, other_organization):
    theirs = make_assistant(other_organization, "Theirs")

    page = say(browser, assistant=str(theirs.pk))

    assert page.status_code == 400
    assert "Theirs" not in words(page)


# --- Confirming the total -------------------------------------------------------------------------


def test_the_total_is_told_with_what_is_left_and_nothing_is_bought(
    browser, organization, assistant, sandbox
):
    organization.monthly_limit = Decimal(20)
    organization.save()

    page = confirm(browser, say(browser, quantity="12", assistant=assistant.pk))

    told = words(page)
    assert "Buy 12 local numbers in US, area code 415?" in told
    assert "at most $13.80 now" in told and "then $13.80 a month" in told
    assert "$6.20 of the monthly limit of $20.00 would be left." in told
    assert "Calls are answered by Support" in told
    assert "Buy 12 numbers for at most $13.80" in told
    assert "To confirm, type" not in told
    assert orders_sent(sandbox) == []
    assert BulkPurchase.objects.count() == Purchase.objects.count() == jobs() == 0


def test_what_is_not_known_and_what_stops_it_is_said(browser, organization):
    organization.monthly_limit, organization.number_limit = Decimal(20), 30
    organization.save()

    told = words(confirm(browser, say(browser, quantity="60", max_total_cost="11.50")))

    assert "at most $11.50 now" in told
    assert "A search shows at most 50: whether there are 60 is not known." in told
    assert "The monthly limit leaves room for 17 numbers: it stops there." in told
    assert "there is room for 30 more" in told
    assert "What you allow is enough for 10 numbers: it stops there." in told


def test_nothing_that_fits_is_nothing_to_buy(browser):
    told = confirm(browser, say(browser, max_monthly_cost="0.50"))

    assert "Nothing like this is offered now." in words(told)
    assert quote_of(told) == ""
    assert "Buy 3 numbers" not in words(told)


def test_named_numbers_cost_what_their_offers_and_the_price_list_say(browser, organization):
    make_number(organization, 1303)

    told = words(confirm(browser, name(browser, *NAMED)))

    assert "at most $2.30 now" in told
    assert "1 of the list is the organization’s already" in told
    assert "Whether each of them is still for sale is only known when it is bought." in told


def test_without_a_known_price_a_total_must_be_allowed(browser, sandbox):
    """Telnyx has no price list."""
    page = confirm(browser, name(browser, *NAMED, provider="telnyx"))

    assert "there is no total to confirm" in words(page)
    assert "The price of 3 numbers is not known yet." in words(page)
    assert quote_of(page) == ""
    capped = confirm(browser, name(browser, *NAMED, provider="telnyx", max_total_cost="2.50"))
    assert "Buy 3 numbers for at most $2.50" in words(capped)
    assert buy(browser, capped).status_code == 303
    work()
    assert BulkPurchase.objects.get().reason_code == "total_cost_reached"
    assert len(orders_sent(sandbox)) == 2


def test_a_provider_that_fails_says_why_and_nothing_can_be_bought(browser, organization):
    accounts = ProviderAccount.objects.filter(organization=organization, provider="twilio")
    accounts.update(is_active=False)

    page = confirm(browser, say(browser))

    assert "is disabled: enable it." in words(page)
    assert quote_of(page) == ""


def test_going_back_to_change_finds_what_was_typed(browser):
    page = confirm(browser, say(browser, quantity="7", friendly_name="Spring"))
    change = re.search(r'href="(/buy/many\?draft=[^"]+)"', text(page))[1]

    form = text(browser.get(change))

    assert 'value="7"' in form and 'value="Spring"' in form


def test_a_page_of_nobodys_draft_starts_again(browser, organization, other_organization):
    theirs = say(make_browser(other_organization, "owner")).url

    for address in (theirs, f"/buy/many/confirm/{uuid4()}"):
        response = browser.get(address)
        assert (response.status_code, response.url) == (303, "/buy/many")


# --- Buying ---------------------------------------------------------------------------------------


def test_what_was_confirmed_is_bought_by_the_worker_for_no_more(
    browser, organization, assistant, sandbox
):
    page = confirm(browser, say(browser, assistant=assistant.pk, friendly_name="Spring"))

    response = buy(browser, page)

    bulk = BulkPurchase.objects.get()
    assert (response.status_code, response.url) == (303, f"/buy/many/{bulk.pk}")
    assert (bulk.user, bulk.quantity, bulk.assistant) == (browser.user, 3, assistant)
    assert bulk.max_total_cost == Decimal("3.45")
    assert orders_sent(sandbox) == []
    work()
    assert PhoneNumber.objects.filter(friendly_name="Spring", assistant=assistant).count() == 3
    told = words(browser.get(response.url))
    assert "Done: 3 of 3 bought" in told and "$3.45" in told
    assert AuditEvent.objects.get(action="bulk.asked").user == browser.user


def test_a_form_that_is_sent_twice_is_one_purchase(browser, sandbox):
    page = confirm(browser, say(browser))

    first, again = buy(browser, page), buy(browser, page)
    work()

    assert again.url == first.url
    assert "It is one purchase, made once." in words(browser.get(first.url))
    assert BulkPurchase.objects.count() == 1
    assert len(orders_sent(sandbox)) == 3


def test_going_back_to_the_page_leads_to_what_it_bought(browser, organization):
    page = confirm(browser, say(browser))
    bought = buy(browser, page)

    back = browser.get(page.request["PATH_INFO"])

    assert (back.status_code, back.url) == (303, bought.url)
    assert "Nothing new was bought." in words(browser.get(back.url))
    assert BulkPurchase.objects.count() == 1


def test_the_same_page_with_another_price_is_still_one_purchase(browser, organization):
    page = confirm(browser, say(browser))
    quote = ManyQuote.read(quote_of(page))
    dearer = ManyQuote(**asdict(quote) | {"cap": "9.00"}).signed()
    first = buy(browser, page)

    again = browser.post(page.request["PATH_INFO"], {"quote": dearer})

    assert (again.status_code, again.url) == (303, first.url)
    assert BulkPurchase.objects.get().max_total_cost == Decimal("3.45")


@pytest.mark.parametrize("typed", ["", "115", "11.50", "100", "114.99", "-", "all", "115.00.0"])
def test_a_large_total_has_to_be_typed(browser, sandbox, typed):
    page = confirm(browser, say(browser, quantity="100"))
    assert "To confirm, type the total: 115.00" in words(page)

    answer = buy(browser, page, amount=typed)

    if typed == "115":
        assert answer.status_code == 303
        assert jobs() == BulkPurchase.objects.count() == 1
    else:
        assert answer.status_code == 400
        assert "Type 115.00 to buy for at most $115.00." in words(answer)
        assert jobs() == BulkPurchase.objects.count() == 0
        assert buy(browser, answer, amount="$115.00").status_code == 303
        assert ManyQuote.read(quote_of(answer)).key == ManyQuote.read(quote_of(page)).key


def test_the_threshold_is_a_setting(browser, settings):
    settings.CONFIRM_TYPED_ABOVE = Decimal("3.45")

    page = confirm(browser, say(browser))

    assert buy(browser, page).status_code == 400
    assert buy(browser, page, amount="3.45").status_code == 303


def tampered(quote: str) -> list[str]:
    payload = signing.dumps(asdict(ManyQuote.read(quote)) | {"cap": "1"}, salt="another")
    return ["", "x", quote[:-1] + ("A" if quote[-1] != "A" else "B"), payload]


def test_a_form_that_was_changed_on_its_way_buys_nothing(browser, sandbox):
    page = confirm(browser, say(browser))

    for quote in tampered(quote_of(page)):
        answer = browser.post(page.request["PATH_INFO"], {"quote": quote})
        assert answer.status_code == 400
        assert "This page was changed on its way here. Nothing was bought." in words(answer)
    elsewhere = browser.post(f"/buy/many/confirm/{uuid4()}", {"quote": quote_of(page)})
    assert elsewhere.status_code == 400
    assert jobs() == BulkPurchase.objects.count() == 0


def test_a_page_made_for_another_organization_buys_nothing(organization, other_organization):
    theirs = ManyQuote(
        organization=other_organization.pk, key=str(uuid4()), asked={}, cap="1", currency="USD"
    )
    browser = make_browser(organization, "owner")

    answer = browser.post(f"/buy/many/confirm/{theirs.key}", {"quote": theirs.signed()})

    assert answer.status_code == 400
    assert "Nothing was bought." in words(answer)
    assert BulkPurchase.objects.count() == 0


def test_an_assistant_that_is_gone_by_then_is_told_and_nothing_is_bought(browser, assistant):
    page = confirm(browser, say(browser, assistant=assistant.pk))
    assistant.delete()

    answer = buy(browser, page)

    assert answer.status_code == 409
    assert "not found" in words(answer)
    assert jobs() == BulkPurchase.objects.count() == 0


# --- Watching -------------------------------------------------------------------------------------


def test_progress_tells_counts_cost_and_why_a_number_was_refused(browser, sandbox):
    sandbox.add_fault(method="POST", path="IncomingPhoneNumbers", status=400, code=21422, times=2)
    address = buy(browser, confirm(browser, say(browser, quantity="4"))).url
    for _ in range(4):  # finds them, then buys three
        job = ProcrastinateJob.objects.filter(status="todo").order_by("id")
        job = job.filter(task_name="numbers.tasks.buy_next").first()
        ProcrastinateJob.objects.filter(pk=job.pk)._raw_delete("default")
        tasks.buy_next(**job.args)

    page = browser.get(address)

    assert "Buying: 1 of 4 bought, 2 refused" in words(page)
    assert "1 bought, 2 refused, 3 to go" in words(page)
    assert "$1.15 set-up and first months, of at most $4.60" in words(page)
    assert text(page).count("Somebody else has taken this number") == 2
    assert 'aria-valuetext="Buying: 1 of 4 bought, 2 refused"' in text(page)
    purchases = set(re.findall(r'href="/purchases/([0-9a-f-]{36})"', text(page)))
    assert purchases == {str(pk) for pk in Purchase.objects.values_list("pk", flat=True)}
    assert f'href="/numbers/{PhoneNumber.objects.get(status="active").pk}"' in text(page)
    assert "Refresh" in words(page)


def test_a_page_that_follows_is_told_only_what_is_new(browser, organization):
    bulk = make_bulk(organization)
    make_items(bulk, 2)
    page = text(browser.get(f"/buy/many/{bulk.pk}?outcome=waiting"))
    again = re.search(r'hx-get="([^"]+)" hx-trigger="every 2s"', page)[1].replace("&amp;", "&")
    assert "outcome=waiting" in again

    same = browser.get(again, headers={"HX-Request": "true"})
    BulkItem.objects.filter(bulk=bulk, n=1).update(lane=0)
    changed = browser.get(again, headers={"HX-Request": "true"})

    assert same.status_code == 204
    assert "<html" not in text(changed) and 'id="state"' in text(changed)
    assert 'hx-swap-oob="innerHTML:#told"' in text(changed)
    assert text(changed).count("seen=") == 1


@pytest.mark.parametrize(
    ("state", "over", "headline"),
    [
        ("running", {}, "Buying: 1 of 2 bought, 1 refused"),
        ("completed", {}, "Done, with fewer: 1 of 2 bought, 1 refused"),
        (
            "stopped",
            {"reason": "The provider offers no more numbers like these.", "reason_code": "x"},
            "Stopped: 1 of 2 bought, 1 refused",
        ),
        ("cancelled", {}, "Stopped by a person: 1 of 2 bought, 1 refused"),
    ],
)
def test_each_end_is_told_and_only_a_final_one_stops_asking(
    browser, organization, state, over, headline
):
    bulk = make_bulk(organization, quantity=2, state=state, **over)
    number = make_number(organization, 1)
    bought = make_purchase(organization, 1, number=number, monthly_cost="1.15", currency="USD")
    refused = make_purchase(organization, 2, state="refused", refusal_code="rate_limited")
    for n, purchase in enumerate((bought, refused)):
        make_items(bulk, 1, start=n, lane=0, purchase=purchase)

    page = browser.get(f"/buy/many/{bulk.pk}")

    assert headline in words(page)
    assert over.get("reason", "") in words(page)
    assert ("hx-trigger" in text(page)) == (state == "running")
    assert ("Stop buying" in words(page)) == (state == "running")


def test_numbers_are_filtered_and_those_that_wait_are_left_out(browser, organization):
    bulk = make_bulk(organization)
    make_items(bulk, 2)
    make_items(bulk, 1, start=2, lane=1)
    make_items(bulk, 1, start=3, lane=1, code="number_already_owned")
    bought = make_purchase(organization, 4)
    make_items(bulk, 1, start=4, lane=1, purchase=bought)

    def shown(outcome="") -> list[str]:
        page = text(browser.get(f"/buy/many/{bulk.pk}", {"outcome": outcome}))
        return re.findall(r'class="phone" title="\+1415555(\d{4})"', page)

    assert shown() == ["0004", "0003", "0002"]
    assert shown("waiting") == ["0001", "0000"]
    assert shown("open") == ["0002"]
    assert shown("bought") == ["0004"]
    assert shown("refused") == ["0003"]
    assert "cannot be filtered" in words(browser.get(f"/buy/many/{bulk.pk}?outcome=lost"))


def test_numbers_are_paged(browser, organization):
    bulk = make_bulk(organization)
    make_items(bulk, 60, lane=0)

    first = browser.get(f"/buy/many/{bulk.pk}")
    older = re.search(r'href="(\?[^"]+)" rel="next"', text(first))[1]
    second = browser.get(f"/buy/many/{bulk.pk}{older}")

    assert text(first).count('class="phone" title=') == 50
    assert text(second).count('class="phone" title=') == 10


# --- Stopping -------------------------------------------------------------------------------------


def test_stopping_asks_once_and_keeps_what_was_bought(browser, organization, sandbox):
    address = buy(browser, confirm(browser, say(browser, quantity="5"))).url
    bulk = BulkPurchase.objects.get()
    for _ in range(2):
        job = ProcrastinateJob.objects.filter(task_name="numbers.tasks.buy_next").earliest("id")
        ProcrastinateJob.objects.filter(pk=job.pk)._raw_delete("default")
        tasks.buy_next(**job.args)

    asked = browser.get(f"{address}/stop")
    assert "1 of 5 is bought. What was bought stays" in words(asked)
    assert BulkPurchase.objects.get().state == "running"
    stopped = browser.post(f"{address}/stop")
    work()

    assert (stopped.status_code, stopped.url) == (303, address)
    assert "Stopped by a person: 1 of 5 bought" in words(browser.get(address))
    assert len(orders_sent(sandbox)) == 1
    event = AuditEvent.objects.get(action="bulk.cancelled")
    assert (event.user, event.object_id) == (browser.user, str(bulk.pk))
    assert browser.post(f"{address}/stop").url == address  # again changes nothing
    assert AuditEvent.objects.filter(action="bulk.cancelled").count() == 1


def test_what_has_ended_is_not_stopped(browser, organization):
    bulk = make_bulk(organization, state="completed")

    assert browser.get(f"/buy/many/{bulk.pk}/stop").url == f"/buy/many/{bulk.pk}"
    browser.post(f"/buy/many/{bulk.pk}/stop")

    assert "is completed already." in words(browser.get(f"/buy/many/{bulk.pk}"))
    assert BulkPurchase.objects.get().state == "completed"


# --- Who may --------------------------------------------------------------------------------------


def test_a_viewer_watches_and_neither_buys_nor_stops(organization, sandbox):
    bulk = make_bulk(organization)
    browser = make_browser(organization, "viewer")
    quote = ManyQuote(
        organization=organization.pk,
        key=str(uuid4()),
        asked={
            "provider": "twilio",
            "quantity": 1,
            "criteria": None,
            "phone_numbers": NAMED[:1],
            "assistant_id": None,
            "friendly_name": "",
            "max_total_cost": None,
            "max_monthly_cost": None,
            "max_setup_cost": None,
        },
        cap="1.15",
        currency="USD",
    )

    for address in (f"/buy/many/{bulk.pk}", "/buy/many/all"):
        page = browser.get(address)
        assert page.status_code == 200
        assert "Stop buying" not in words(page) and 'href="/buy/many"' not in text(page)
    by_hand = [
        browser.get("/buy/many"),
        say(browser),
        browser.post(f"/buy/many/confirm/{quote.key}", {"quote": quote.signed()}),
        browser.get(f"/buy/many/{bulk.pk}/stop"),
        browser.post(f"/buy/many/{bulk.pk}/stop"),
    ]

    assert [answer.status_code for answer in by_hand] == [403] * 5
    assert BulkPurchase.objects.get().state == "running"
    assert jobs() == 0
    assert sandbox.requests() == []


def test_another_organizations_bulk_purchase_is_not_found(organization, other_organization):
    bulk = make_bulk(organization, friendly_name="Acme only")
    browser = make_browser(other_organization, "owner")

    answers = [
        browser.get(f"/buy/many/{bulk.pk}"),
        browser.get(f"/buy/many/{bulk.pk}/stop"),
        browser.post(f"/buy/many/{bulk.pk}/stop"),
    ]

    nobodys = browser.get(f"/buy/many/{UUID(int=1)}")
    assert [answer.status_code for answer in answers] == [404] * 3
    assert text(answers[0]) == text(nobodys)
    assert "Acme only" not in words(browser.get("/buy/many/all"))
    assert BulkPurchase.objects.get().state == "running"


# --- Lists ----------------------------------------------------------------------------------------


def queries(browser, address) -> int:
    with CaptureQueriesContext(connection) as caught:
        assert browser.get(address).status_code == 200
    return len(caught)


def test_the_list_tells_what_became_of_each(browser, organization):
    assert "Nothing was bought in bulk yet" in words(browser.get("/buy/many/all"))
    bulk = make_bulk(organization, user=browser.user, friendly_name="Spring")
    bought = make_purchase(organization, 1, monthly_cost="1.15", currency="USD")
    make_items(bulk, 1, lane=0, purchase=bought)

    told = words(browser.get("/buy/many/all"))

    assert "40 local numbers in US, area code 415" in told
    assert "1 of 40" in told and "$1.15" in told and "Spring" in told
    assert browser.user.email in told


def test_two_hundred_rows_cost_as_many_queries_as_ten(browser, organization):
    def grow(count: int) -> BulkPurchase:
        for n in range(count):
            bulk = make_bulk(organization, user=browser.user)
            make_items(bulk, 1, start=n)
        return bulk

    bulk = grow(10)
    purchases = [make_purchase(organization, n) for n in range(200)]
    for n in range(10):
        make_items(bulk, 1, start=1000 + n, lane=0, purchase=purchases[n])
    few = queries(browser, "/buy/many/all"), queries(browser, f"/buy/many/{bulk.pk}")
    grow(190)
    for n in range(10, 200):
        make_items(bulk, 1, start=1000 + n, lane=0, purchase=purchases[n])

    assert (queries(browser, "/buy/many/all"), queries(browser, f"/buy/many/{bulk.pk}")) == few
    assert max(few) <= 9


@pytest.mark.parametrize("key", ["x", "1"])
def test_a_page_that_makes_no_sense_says_so(browser, key):
    assert browser.get("/buy/many/all", {"before": key}).status_code == 400
