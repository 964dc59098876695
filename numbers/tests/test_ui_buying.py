"""Finding, confirming and buying a number on the staff pages."""

import re
from dataclasses import asdict
from decimal import Decimal

import pytest
from django.core import signing
from django.template.loader import render_to_string

from burki.testing import (
    TELNYX_NUMBER,
    TWILIO_NUMBER,
    make_assistant,
    make_browser,
    orders_sent,
)
from numbers.models import Offer, PhoneNumber, Purchase
from numbers.ui.quotes import Quote
from organizations.models import AuditEvent, Membership, ProviderAccount

pytestmark = pytest.mark.django_db

CONFIRM = "/buy/confirm"


@pytest.fixture
def browser(organization, sandbox):
    return make_browser(organization, "member")


def text(response) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def words(response) -> str:
    """The page without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def quote_of(response) -> str:
    return re.search(r'name="quote" value="([^"]*)"', text(response))[1]


def look(browser, phone_number=TWILIO_NUMBER, provider="twilio", **chosen):
    return browser.get(CONFIRM, {"provider": provider, "phone_number": phone_number, **chosen})


def buy(browser, page, **form):
    return browser.post(CONFIRM, {"quote": quote_of(page), "assistant": "", **form})


def result(browser, response):
    """The page that a purchase leads to."""
    assert response.status_code == 303, text(response)
    assert re.fullmatch(r"/purchases/[0-9a-f-]{36}", response.url)
    return browser.get(response.url)


# --- Search ---------------------------------------------------------------------------------------


def test_opening_the_page_asks_nobody(browser, sandbox):
    assert "Nothing searched yet" in text(browser.get("/buy"))
    assert sandbox.requests() == []


def test_both_providers_stand_side_by_side_with_place_price_and_a_way_to_buy(browser):
    page = browser.get("/buy", {"area_code": "415"})

    found = re.findall(r"provider=(\w+)&amp;phone_number=%2B1415555\d{4}", text(page))
    assert (found.count("twilio"), found.count("telnyx")) == (20, 20)
    assert "$1.15 a month" in words(page) and "$1.00 a month" in words(page)
    assert "San Francisco, CA, US" in words(page)


@pytest.mark.parametrize(
    ("provider", "number", "able"),
    [
        ("twilio", TWILIO_NUMBER, ["calls", "SMS", "MMS"]),
        ("telnyx", TELNYX_NUMBER, ["calls", "SMS", "MMS"]),
        ("twilio", "+14155550040", ["calls"]),
        ("telnyx", "+14155550040", ["calls"]),
    ],
)
def test_each_number_found_says_what_it_can_do(browser, provider, number, able):
    digits = number.removeprefix("+1415")

    page = browser.get("/buy", {"provider": provider, "area_code": "415", "contains": digits})

    row = text(page).partition('<ul class="offers">')[2].partition("</li>")[0]
    assert number in row
    assert re.findall(r'aria-label="(\w+)"', row) == able


def test_fax_is_shown_where_a_provider_offers_it():
    able = {"voice": False, "sms": False, "mms": False, "fax": True}

    shown = render_to_string("components/caps.html", {"able": able})

    assert re.findall(r'aria-label="(\w+)"', shown) == ["fax"]


def test_criteria_stay_in_the_form_and_in_the_address(browser):
    page = text(browser.get("/buy", {"area_code": "212", "provider": "telnyx", "contains": "55"}))

    assert 'value="212"' in page and 'value="55"' in page
    assert '<option value="telnyx" selected>' in page
    assert 'aria-label="Twilio"' not in page


def test_a_provider_that_fails_says_why_in_its_own_column_and_hides_nothing(browser, organization):
    ProviderAccount.objects.filter(organization=organization, provider="twilio").update(
        is_active=False
    )

    page = browser.get("/buy", {"area_code": "415"})

    assert "The provider account Twilio" in words(page) and "is disabled: enable it." in words(page)
    assert len(re.findall("provider=telnyx&amp;phone_number", text(page))) >= 10


def test_when_both_fail_each_says_its_own_reason(browser, organization):
    accounts = ProviderAccount.objects.filter(organization=organization)
    accounts.filter(provider="twilio").update(is_active=False)
    accounts.filter(provider="telnyx").update(encrypted_credentials="")

    page = browser.get("/buy", {"area_code": "415"})

    assert page.status_code == 200
    assert "is disabled: enable it." in words(page)
    assert "is incomplete: it needs its API key." in words(page)


def test_with_a_script_each_column_is_asked_for_by_itself(browser, sandbox):
    page = text(browser.get("/buy", {"area_code": "415"}, headers={"HX-Request": "true"}))
    assert sandbox.requests() == []

    later = [a.replace("&amp;", "&") for a in re.findall(r'hx-get="(/buy/results[^"]+)"', page)]
    columns = [text(browser.get(address)) for address in later]

    assert [re.search(r'aria-label="(\w+)"', column)[1] for column in columns] == [
        "Twilio",
        "Telnyx",
    ]
    assert all(column.count("phone_number=%2B1415") == 20 for column in columns)
    assert "<html" not in columns[0]


def test_going_back_brings_the_whole_page(browser):
    headers = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    page = text(browser.get("/buy", {"area_code": "415"}, headers=headers))

    assert "<html" in page and "phone_number=%2B1415" in page


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"area_code": "41"}, "Area code has three digits in the US and Canada"),
        ({"area_code": "abc"}, "Area code must be digits"),
        ({"country_code": "ZZ"}, "Country must be a two-letter country code"),
        ({"country_code": "USA"}, "at most 2 characters"),
        ({"contains": "1"}, "Digits or letters must be 2 to 16 digits or letters"),
        ({"number_type": "satellite"}, "Select a valid choice"),
        ({"provider": "vonage"}, "Select a valid choice"),
        ({"locality": "a\0b"}, "Null characters are not allowed"),
    ],
)
def test_what_cannot_be_searched_is_told_at_its_field_and_nobody_is_asked(
    browser, sandbox, wanted, sentence
):
    page = browser.get("/buy", wanted)

    assert sentence in words(page)
    assert 'aria-invalid="true"' in text(page)
    assert sandbox.requests() == []
    part = browser.get("/buy", wanted, headers={"HX-Request": "true"})
    assert sentence in words(part)[words(part).index("The search was not sent") :]


def test_a_column_of_no_one_provider_is_an_error(browser):
    assert browser.get("/buy/results", {"area_code": "415"}).status_code == 400


# --- Confirm --------------------------------------------------------------------------------------


def test_the_confirm_page_says_what_will_happen_and_changes_nothing(
    browser, organization, assistant, sandbox
):
    organization.monthly_limit = Decimal(5)
    organization.save()

    page = look(browser, assistant=assistant.pk, friendly_name="Front desk")

    told = words(page)
    assert "+1 415-555-1234" in told
    assert "Buy number for $1.15 now, $1.15 a month" in told
    assert "$3.85 of the monthly limit of $5.00 would be left." in told
    assert "Calls are answered by Support, who is not ready to answer." in told
    assert "neither a media stream nor a greeting" in told
    assert "https://burki.test/twiml" in told
    assert 'value="Front desk"' in text(page)
    assert orders_sent(sandbox) == []
    assert Purchase.objects.count() == PhoneNumber.objects.count() == 0


def test_each_page_has_a_key_of_its_own(browser):
    keys = {Quote.read(quote_of(look(browser))).idempotency_key for _ in range(3)}

    assert len(keys) == 3
    assert all(re.fullmatch(r"ui:[0-9a-f-]{36}", key) for key in keys)


@pytest.mark.parametrize("written", ["+1 (415) 555-1234", "+1.415.555.1234", " +14155551234 "])
def test_people_may_write_numbers_as_they_do(browser, written):
    assert "Buy number for $1.15 now" in words(look(browser, written))


@pytest.mark.parametrize(
    "written", ["", "415", "14155551234", "+0123456789", "+1415555\0", "x" * 41]
)
def test_a_number_that_is_none_is_asked_for_again(browser, sandbox, written):
    page = look(browser, written)

    assert page.status_code == 400
    assert "Which number?" in words(page)
    assert 'aria-invalid="true"' in text(page)
    assert sandbox.requests() == []


def test_an_assistant_of_another_organization_cannot_be_chosen(
    browser, other_organization, sandbox
):
    theirs = make_assistant(other_organization, "Theirs")

    page = look(browser, assistant=theirs.pk)
    response = buy(browser, look(browser), assistant=theirs.pk)

    for shown in (page, response):
        assert "Choose an assistant of this organization." in words(shown)
        assert "Theirs" not in words(shown)
        assert "Buy number for" not in words(shown)
    assert response.status_code == 400
    assert orders_sent(sandbox) == []


def test_a_number_that_one_has_already_is_told_with_the_way_to_it(browser, organization):
    first = buy(browser, look(browser))

    page = look(browser)

    assert "Your organization already has +14155551234." in words(page)
    assert f'href="/numbers/{PhoneNumber.objects.get().pk}"' in text(page)
    assert "Buy number for" not in words(page)
    assert first.status_code == 303


def test_over_the_limit_there_is_no_button_but_a_reason(browser, organization):
    organization.monthly_limit = Decimal(1)
    organization.save()

    page = words(look(browser))

    assert "The monthly limit is 1.00 USD: 0.00 are committed and this number costs 1.15." in page
    assert "ask an owner to raise the limit" in page
    assert "Buy number for" not in page


def test_a_provider_that_cannot_be_asked_is_told_and_can_be_asked_again(browser, settings):
    settings.TWILIO_API_BASE_URL = settings.TWILIO_PRICING_BASE_URL = "http://127.0.0.1:9"

    page = look(browser)

    assert "Failed to preview the purchase at twilio" in words(page)
    assert "Look again" in words(page)
    assert "Buy number" not in words(page).replace("Buy number</a>", "")


# --- Buy ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "number", "cost"),
    [("twilio", TWILIO_NUMBER, "$1.15"), ("telnyx", TELNYX_NUMBER, "$1.00")],
)
def test_buying_leads_to_a_page_that_says_what_it_costs(
    browser, organization, assistant, sandbox, provider, number, cost
):
    page = look(browser, number, provider, assistant=assistant.pk)

    response = buy(browser, page, assistant=assistant.pk, friendly_name=" Front desk ")

    told = words(result(browser, response))
    assert f"Bought. {cost} today, then {cost} a month." in told
    assert "are answered by Support." in told
    purchase, owned = Purchase.objects.get(), PhoneNumber.objects.get()
    assert (purchase.state, purchase.actor_label) == ("completed", browser.user.email)
    assert purchase.idempotency_key.startswith("ui:")
    assert (owned.friendly_name, owned.assistant) == ("Front desk", assistant)
    assert len(orders_sent(sandbox)) == 1
    event = AuditEvent.objects.get(action="purchase.claimed")
    assert (event.user, event.ip, event.actor_kind) == (browser.user, "127.0.0.1", "user")


def test_the_same_page_sent_twice_is_one_order_and_says_so(browser, sandbox):
    page = look(browser)

    first, second = buy(browser, page), buy(browser, page)

    assert first.url == second.url
    assert "The page was sent more than once. It is one purchase, made once." in words(
        browser.get(second.url)
    )
    assert len(orders_sent(sandbox)) == 1
    assert Purchase.objects.count() == 1


def test_a_refused_page_sent_again_is_not_tried_again(browser, sandbox):
    page = look(browser, "+14155550001")

    first, second = buy(browser, page), buy(browser, page)

    assert first.url == second.url
    assert len(orders_sent(sandbox)) == 1


def test_going_back_and_buying_with_another_name_buys_nothing_new(browser, sandbox):
    page = look(browser)
    first = buy(browser, page, friendly_name="One")

    again = buy(browser, page, friendly_name="Two")

    assert again.url == first.url
    assert "Nothing new was bought." in words(browser.get(again.url))
    assert len(orders_sent(sandbox)) == 1


def test_a_second_page_for_the_same_number_leads_to_the_purchase_that_there_is(browser, sandbox):
    pages = [look(browser), look(browser)]

    first = buy(browser, pages[0])
    second = buy(browser, pages[1], friendly_name="Another")

    assert second.url == first.url
    assert "already has this number. Nothing new was bought." in words(browser.get(second.url))
    assert len(orders_sent(sandbox)) == 1


def test_a_price_that_rose_since_the_page_buys_nothing_and_shows_the_new_one(browser, sandbox):
    page = look(browser, TELNYX_NUMBER, "telnyx", friendly_name="Kept")
    Offer.objects.update(monthly_cost=Decimal("1.50"))

    response = buy(browser, page, friendly_name="Kept")

    assert response.status_code == 409
    assert "The monthly cost is 1.50 USD, more than 1.00." in words(response)
    assert "Buy number for $1.50 now, $1.50 a month" in words(response)
    assert 'value="Kept"' in text(response)
    assert orders_sent(sandbox) == []
    assert Purchase.objects.count() == 0

    assert "Bought. $1.50 today" in words(result(browser, buy(browser, response)))


def test_a_limit_that_was_lowered_since_the_page_buys_nothing_and_loses_nothing(
    browser, organization, assistant, sandbox
):
    page = look(browser, assistant=assistant.pk)
    organization.monthly_limit = Decimal(1)
    organization.save()

    response = buy(browser, page, assistant=assistant.pk, friendly_name="Kept")

    assert response.status_code == 409
    assert "The monthly limit is 1.00 USD" in words(response)
    assert 'value="Kept"' in text(response)
    assert f'<option value="{assistant.pk}" selected>' in text(response)
    assert Quote.read(quote_of(response)).key == Quote.read(quote_of(page)).key
    assert orders_sent(sandbox) == []


def test_another_assistant_than_the_page_showed_is_looked_at_first(browser, assistant, sandbox):
    """Whose account pays may depend on it."""
    page = look(browser)

    response = buy(browser, page, assistant=assistant.pk, friendly_name="Kept")
    shown = browser.get(response.url)

    assert response.status_code == 303
    assert response.url.startswith("/buy/confirm?")
    assert "You chose another assistant. Nothing was bought" in words(shown)
    assert f'<option value="{assistant.pk}" selected>' in text(shown)
    assert 'value="Kept"' in text(shown)
    assert orders_sent(sandbox) == []


def test_without_a_script_a_button_shows_what_another_assistant_changes(browser, assistant):
    response = buy(browser, look(browser), assistant=assistant.pk, update="1")

    assert response.status_code == 303
    assert f"assistant={assistant.pk}" in response.url
    assert "Nothing was bought" not in words(browser.get(response.url))


def test_a_page_of_one_organization_buys_nothing_in_another(
    browser, organization, other_organization, sandbox
):
    Membership.objects.create(user=browser.user, organization=other_organization, role="owner")
    browser.post("/organizations/switch", {"organization": organization.pk})
    page = look(browser)
    browser.post("/organizations/switch", {"organization": other_organization.pk})

    response = buy(browser, page)

    assert response.status_code == 400
    assert "You work in Globex now" in words(response)
    assert "Nothing was bought." in words(response)
    assert orders_sent(sandbox) == []
    assert Purchase.objects.count() == 0


@pytest.mark.parametrize(
    "forged",
    [
        {"phone_number": "+14155559999"},
        {"provider": "telnyx"},
        {"monthly": "99.00"},
        {"key": "another"},
        {"surprise": 1},
        "",
        "x",
        "a:b:c",
        "\0",
        "null",
    ],
)
def test_a_tampered_page_buys_nothing_and_says_so(browser, sandbox, forged):
    if isinstance(forged, dict):
        shown = Quote.read(quote_of(look(browser)))
        forged = signing.dumps(asdict(shown) | forged, key="not ours", salt="numbers.ui.quote")

    response = browser.post(CONFIRM, {"quote": forged, "assistant": ""})

    assert response.status_code == 400
    assert "This page was changed on its way here. Nothing was bought." in words(response)
    assert orders_sent(sandbox) == []


@pytest.mark.parametrize("name", ["x" * 65, "a\0b", "a\x07b"])
def test_a_name_that_cannot_be_is_told_and_nothing_is_bought(browser, sandbox, name):
    response = buy(browser, look(browser), friendly_name=name)

    assert response.status_code == 400
    assert 'aria-invalid="true"' in text(response)
    assert orders_sent(sandbox) == []


def test_a_page_whose_session_ended_leads_back_to_the_same_page(browser, sandbox):
    page = look(browser, friendly_name="Kept")
    address = re.search(
        r'<form method="post" action="([^"]+)"', text(page)[text(page).index("<main") :]
    )
    action = address[1].replace("&amp;", "&")
    quote = quote_of(page)
    browser.logout()

    response = browser.post(action, {"quote": quote, "assistant": ""})

    assert response.status_code == 302
    assert response.url.startswith("/sign-in?next=/buy/confirm")
    assert "14155551234" in response.url and "Kept" in response.url
    assert orders_sent(sandbox) == []


def test_the_name_of_an_organization_and_a_number_cannot_inject_anything(
    browser, organization, sandbox
):
    evil = '"><script>alert(1)</script>'
    organization.name = evil
    organization.save()
    make_assistant(organization, evil)

    pages = [
        look(browser, friendly_name=evil),
        browser.get("/buy", {"locality": evil}),
        browser.get("/numbers", {"search": evil}),
        result(browser, buy(browser, look(browser), friendly_name=evil)),
        browser.get("/numbers"),
    ]

    assert [page.content.count(b"<script>") for page in pages] == [0] * 5
