"""The admin's page that buys numbers: for one organization, or for rows that were selected."""

import re
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from burki.testing import (
    TELNYX_NUMBER,
    TWILIO_NUMBER,
    make_assistant,
    make_organization,
    make_user,
    orders_sent,
)
from numbers.models import Offer, PhoneNumber, Purchase
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db

PAGE = "/admin/numbers/phonenumber/purchase/"
UNAVAILABLE = "+14155550001"


@pytest.fixture
def superuser(db):
    return make_user(None, "boss", is_staff=True, is_superuser=True)


@pytest.fixture
def browser(superuser):
    browser = Client()
    browser.force_login(superuser)
    return browser


@pytest.fixture
def another(organization):
    return make_assistant(organization, "Sales")


def page_for(*buyers) -> str:
    names = [f"{buyer._meta.model_name}={buyer.pk}" for buyer in buyers]
    return f"{PAGE}?{'&'.join(names)}"


def filled_in(buyer, phone_number: str = TWILIO_NUMBER, **over) -> dict:
    """One row of the page, as it is posted."""
    row = {"provider": "twilio", "phone_number": phone_number, "friendly_name": "Desk"} | over
    return {f"{buyer._meta.model_name}-{buyer.pk}-{name}": value for name, value in row.items()}


def select(browser, buyers, action: str = "purchase_numbers"):
    opts = buyers[0]._meta
    return browser.post(
        f"/admin/{opts.app_label}/{opts.model_name}/",
        {"action": action, "_selected_action": [buyer.pk for buyer in buyers]},
    )


def text(response) -> str:
    """A page as one reads it."""
    return " ".join(unescape(re.sub("<[^>]+>", " ", response.content.decode())).split())


def quotes(response) -> list[str]:
    return re.findall(r'name="quote" value="([^"]+)"', response.content.decode())


def confirm(browser, address: str, *rows: dict):
    fields = {name: value for row in rows for name, value in row.items()}
    return browser.post(address, fields | {"continue": "Continue"})


def buy(browser, address: str, offered: list[str], **over):
    return browser.post(address, {"quote": offered, "buy": "yes"} | over, follow=True)


def said(response) -> list[str]:
    return [unescape(re.sub("<[^>]+>", "", str(one))) for one in response.context["messages"]]


# --- Getting there --------------------------------------------------------------------------------


def test_selected_assistants_or_organizations_lead_to_a_page_with_a_row_for_each(
    browser, organization, other_organization, assistant, another, sandbox
):
    assistants = select(browser, [assistant, another])
    organizations = select(browser, [organization, other_organization])

    assert assistants.url == page_for(assistant, another)
    assert organizations.url == page_for(organization, other_organization)
    page = browser.get(assistants.url).content.decode()
    assert f'name="assistant-{assistant.pk}-phone_number"' in page
    assert f'name="assistant-{another.pk}-phone_number"' in page
    assert f"assistant-{assistant.pk}-assistant" not in page
    page = browser.get(organizations.url).content.decode()
    for buyer in (organization, other_organization):
        assert f'name="organization-{buyer.pk}-phone_number"' in page
        assert f'name="organization-{buyer.pk}-assistant"' in page
    assert sandbox.requests() == []


def test_the_button_of_the_numbers_list_asks_for_the_organization_first(
    browser, organization, sandbox
):
    assert PAGE in browser.get("/admin/numbers/phonenumber/").content.decode()
    page = browser.get(PAGE).content.decode()

    assert 'name="organization"' in page
    assert "admin-autocomplete" in page
    assert 'name="quote"' not in page


def test_more_rows_than_one_page_buys_for_are_refused(browser, sandbox):
    many = [make_organization(f"Tenant {n}", accounts=False) for n in range(11)]

    response = browser.post(
        "/admin/organizations/organization/",
        {"action": "purchase_numbers", "_selected_action": [one.pk for one in many]},
        follow=True,
    )

    assert said(response) == ["Select at most 10 rows. Nothing was bought."]
    assert browser.get(page_for(*many)).status_code == 404


@pytest.mark.parametrize("query", ["assistant=999999", "assistant=x", "organization=-1"])
def test_somebody_who_is_not_there_is_a_404(browser, sandbox, query):
    assert browser.get(f"{PAGE}?{query}").status_code == 404


# --- Choosing -------------------------------------------------------------------------------------


def test_a_search_shows_prices_and_choosing_enters_the_number(
    browser, organization, assistant, sandbox
):
    address = page_for(assistant)
    row = filled_in(assistant, "", area_code="212", country_code="US")

    found = browser.post(address, row | {"search": f"assistant-{assistant.pk}"})
    choice = re.findall(r'name="choose" value="([^"]+)"', found.content.decode())
    chosen = browser.post(address, row | {"choose": choice[1]})

    assert len(choice) == 10
    number = choice[1].partition(":")[2]
    assert number.startswith("+1212")
    assert "$1.15" in text(found) or "$1.00" in text(found)
    assert f'value="{number}"' in chosen.content.decode()
    assert 'value="Desk"' in chosen.content.decode()
    assert orders_sent(sandbox) == []


def test_what_one_row_has_is_not_offered_to_another(browser, assistant, another, sandbox):
    address = page_for(assistant, another)
    rows = filled_in(assistant, "") | filled_in(another, "")
    search = {"search": f"assistant-{another.pk}"}
    before = browser.post(address, rows | search).content.decode()
    first = re.search(r'name="choose" value="[^:]+:([^"]+)"', before).group(1)

    taken = rows | filled_in(assistant, first)
    after = browser.post(address, taken | search).content.decode()

    assert f":{first}" not in after
    assert len(re.findall('name="choose"', after)) == 9


def test_a_search_that_fails_says_why(browser, assistant, sandbox, settings):
    settings.TWILIO_API_BASE_URL = "http://127.0.0.1:9"
    row = filled_in(assistant, "", area_code="41")

    wrong = browser.post(page_for(assistant), row | {"search": f"assistant-{assistant.pk}"})
    row = filled_in(assistant, "", area_code="415")
    nobody = browser.post(page_for(assistant), row | {"search": f"assistant-{assistant.pk}"})

    assert "area_code has three digits in the US and Canada" in text(wrong)
    assert "Failed to search phone numbers at twilio" in text(nobody)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        ("415", "Phone number must be in E.164 format"),
        ("", "Enter a number, or search for one."),
    ],
)
def test_a_row_without_a_number_is_refused_before_anything_is_sent(
    browser, assistant, sandbox, number, sentence
):
    response = confirm(browser, page_for(assistant), filled_in(assistant, number))

    assert sentence in text(response)
    assert quotes(response) == []
    assert sandbox.requests() == []


def test_two_rows_cannot_have_the_same_number(browser, assistant, another, sandbox):
    rows = (filled_in(assistant), filled_in(another, "+1 415 555-1234"))

    response = confirm(browser, page_for(assistant, another), *rows)

    assert "Support (Acme) gets this number: choose another." in text(response)
    assert (quotes(response), sandbox.requests()) == ([], [])


def test_an_assistant_of_another_organization_is_no_choice(
    browser, organization, other_organization, assistant, sandbox
):
    row = filled_in(other_organization, assistant=assistant.pk)

    response = confirm(browser, page_for(other_organization), row)

    assert "Choose an assistant of this organization." in text(response)
    assert (quotes(response), sandbox.requests()) == ([], [])


def test_continuing_shows_what_will_happen_and_orders_nothing(
    browser, organization, assistant, sandbox
):
    row = filled_in(organization, assistant=assistant.pk)

    response = confirm(browser, page_for(organization), row)

    page = text(response)
    assert f"{TWILIO_NUMBER} for Acme" in page
    assert "It costs $1.15 a month ." in page
    assert "It will be assigned to Support." in page
    assert "Buy 1 number for $1.15 a month" in page
    assert len(quotes(response)) == 1
    assert orders_sent(sandbox) == []
    assert Purchase.objects.count() == 0


def test_changing_ones_mind_keeps_what_was_entered(browser, assistant, sandbox):
    response = browser.post(page_for(assistant), filled_in(assistant) | {"change": "yes"})

    assert f'value="{TWILIO_NUMBER}"' in response.content.decode()
    assert (quotes(response), sandbox.requests()) == ([], [])


# --- Buying ---------------------------------------------------------------------------------------


def test_two_assistants_at_once_get_a_number_each(
    browser, organization, assistant, another, sandbox, superuser
):
    address = page_for(assistant, another)
    rows = (filled_in(assistant), filled_in(another, TELNYX_NUMBER, provider="telnyx"))
    offered = confirm(browser, address, *rows)
    assert "Buy 2 numbers for $2.15 a month" in text(offered)

    response = buy(browser, address, quotes(offered))

    assert response.redirect_chain == [("/admin/assistants/assistant/", 302)]
    assert said(response) == [
        f"{TWILIO_NUMBER} for Support (Acme) is bought. See the purchase",
        f"{TELNYX_NUMBER} for Sales (Acme) is bought. See the purchase",
    ]
    numbers = PhoneNumber.objects.order_by("pk").values_list("phone_number", "assistant__name")
    assert list(numbers) == [(TWILIO_NUMBER, "Support"), (TELNYX_NUMBER, "Sales")]
    assert len(orders_sent(sandbox)) == 2
    keys = Purchase.objects.values_list("idempotency_key", flat=True)
    assert len(set(keys)) == 2 and all(key.startswith("admin:") for key in keys)
    events = AuditEvent.objects.filter(action="purchase.claimed")
    assert [(event.user, event.ip) for event in events] == [(superuser, "127.0.0.1")] * 2


def test_organizations_at_once_get_a_number_each(
    browser, organization, other_organization, sandbox
):
    buyers = (organization, other_organization)
    rows = (filled_in(organization), filled_in(other_organization, "+14155551235"))

    response = buy(browser, page_for(*buyers), quotes(confirm(browser, page_for(*buyers), *rows)))

    assert response.redirect_chain == [("/admin/organizations/organization/", 302)]
    owners = PhoneNumber.objects.order_by("pk").values_list("phone_number", "organization__name")
    assert list(owners) == [(TWILIO_NUMBER, "Acme"), ("+14155551235", "Globex")]


def test_one_that_is_refused_does_not_stop_the_other(browser, assistant, another, sandbox):
    address = page_for(assistant, another)
    rows = (filled_in(assistant, UNAVAILABLE), filled_in(another))

    response = buy(browser, address, quotes(confirm(browser, address, *rows)))

    refused, bought = said(response)
    assert refused.startswith(f"{UNAVAILABLE} for Support (Acme): Failed to purchase")
    assert "search and choose another" in refused
    assert bought == f"{TWILIO_NUMBER} for Sales (Acme) is bought. See the purchase"
    states = Purchase.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["refused", "completed"]
    assert len(orders_sent(sandbox)) == 2


def test_a_row_that_cannot_be_bought_is_shown_and_the_other_offered(
    browser, organization, other_organization, assistant, sandbox
):
    other_organization.monthly_limit = 1
    other_organization.save()
    address = page_for(organization, other_organization)
    rows = (filled_in(organization), filled_in(other_organization, "+14155551235"))

    response = confirm(browser, address, *rows)

    assert "It will not be bought." in text(response)
    assert "Buy 1 number for $1.15 a month" in text(response)
    assert len(quotes(response)) == 1


def test_sending_the_page_twice_is_one_order_for_each(browser, assistant, another, sandbox):
    address = page_for(assistant, another)
    rows = (filled_in(assistant), filled_in(another, "+14155551235"))
    offered = quotes(confirm(browser, address, *rows))

    buy(browser, address, offered)
    again = buy(browser, address, offered)

    assert said(again) == [
        f"{number} for {name} (Acme) is bought. The page was sent before: it is one purchase. "
        "See the purchase"
        for number, name in ((TWILIO_NUMBER, "Support"), ("+14155551235", "Sales"))
    ]
    assert len(orders_sent(sandbox)) == 2
    assert Purchase.objects.count() == PhoneNumber.objects.count() == 2


def test_going_back_and_buying_again_with_a_new_page_is_one_order(browser, assistant, sandbox):
    address = page_for(assistant)
    first = quotes(confirm(browser, address, filled_in(assistant)))
    second = quotes(confirm(browser, address, filled_in(assistant)))
    buy(browser, address, first)

    response = buy(browser, address, second)

    assert first != second
    assert len(orders_sent(sandbox)) == Purchase.objects.count() == 1
    assert response.status_code == 200


def test_one_number_leads_to_its_purchase(browser, organization, sandbox):
    address = page_for(organization)

    response = buy(browser, address, quotes(confirm(browser, address, filled_in(organization))))

    purchase = Purchase.objects.get()
    assert response.redirect_chain == [(f"/admin/numbers/purchase/{purchase.pk}/change/", 302)]
    assert purchase.request["max_monthly_cost"] == "1.15"


def test_a_price_that_rose_since_the_page_buys_nothing(browser, organization, sandbox):
    address = page_for(organization)
    offered = quotes(confirm(browser, address, filled_in(organization)))
    Offer.objects.update_or_create(
        account=organization.provider_accounts.get(provider="twilio"),
        phone_number=TWILIO_NUMBER,
        provider="twilio",
        defaults={"monthly_cost": 9, "currency": "USD", "seen_at": timezone.now()},
    )

    response = buy(browser, address, offered)

    assert response.redirect_chain == [(address, 302)]
    assert said(response) == [
        f"{TWILIO_NUMBER} for Acme: The monthly cost is 9.00 USD, more than 1.15. "
        "Nothing was bought; look at the new price, then buy."
    ]
    assert (orders_sent(sandbox), Purchase.objects.count()) == ([], 0)


def test_an_order_in_doubt_is_a_warning_with_its_purchase(browser, assistant, another, sandbox):
    address = page_for(assistant, another)
    rows = (filled_in(assistant, "+14155550011"), filled_in(another))

    response = buy(browser, address, quotes(confirm(browser, address, *rows)))

    doubt, bought = response.context["messages"]
    assert (doubt.level_tag, bought.level_tag) == ("warning", "success")
    assert "is being confirmed with twilio" in str(doubt)
    assert len(orders_sent(sandbox)) == 2


def test_what_takes_too_long_is_not_begun(browser, assistant, another, sandbox, settings):
    address = page_for(assistant, another)
    rows = (filled_in(assistant), filled_in(another, "+14155551235"))
    offered = quotes(confirm(browser, address, *rows))
    settings.CLOCK_SCALE = 0

    response = buy(browser, address, offered)

    assert said(response) == [
        f"{number} was not tried this time: the others took too long. "
        "Look at the purchases, then try it again."
        for number in (TWILIO_NUMBER, "+14155551235")
    ]
    assert orders_sent(sandbox) == []


# --- Who may, and what was changed on the way -----------------------------------------------------


def test_a_page_that_was_changed_on_its_way_buys_nothing_at_all(
    browser, assistant, another, sandbox
):
    address = page_for(assistant, another)
    rows = (filled_in(assistant), filled_in(another, "+14155551235"))
    good, other = quotes(confirm(browser, address, *rows))
    head, _, tail = other.partition(":")

    for tampered in (f"{head[:-2]}AA:{tail}", "", "x", other[:-1]):
        response = buy(browser, address, [good, tampered])
        assert said(response) == ["This page was changed on its way here. Nothing was bought."]

    assert (orders_sent(sandbox), Purchase.objects.count()) == ([], 0)


def test_hidden_fields_beside_the_quote_change_nothing(browser, assistant, another, sandbox):
    address = page_for(assistant)
    offered = quotes(confirm(browser, address, filled_in(assistant)))

    buy(browser, address, offered, **filled_in(assistant, "+14155559999", provider="telnyx"))

    assert PhoneNumber.objects.get().phone_number == TWILIO_NUMBER


def test_somebody_elses_page_buys_nothing(browser, assistant, sandbox):
    offered = quotes(confirm(browser, page_for(assistant), filled_in(assistant)))
    other = Client()
    other.force_login(make_user(None, "chief", is_staff=True, is_superuser=True))

    response = buy(other, page_for(assistant), offered)

    assert said(response) == ["This page was changed on its way here. Nothing was bought."]
    assert orders_sent(sandbox) == []


def staff_with(organization, *permissions: str) -> Client:
    from django.contrib.auth.models import Permission

    user = make_user(organization, "owner" if organization else "nobody", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    browser = Client()
    browser.force_login(user)
    return browser


def test_buying_needs_its_own_permission(browser, organization, assistant, sandbox):
    offered = quotes(confirm(browser, page_for(assistant), filled_in(assistant)))
    sandbox.clear_requests()
    staff = staff_with(organization, "view_assistant", "change_assistant", "view_phonenumber")

    assert staff.get(PAGE).status_code == 403
    assert staff.get(page_for(assistant)).status_code == 403
    for action in ("search", "continue", "buy"):
        fields = filled_in(assistant) | {action: f"assistant-{assistant.pk}", "quote": offered}
        assert staff.post(page_for(assistant), fields).status_code == 403
    listed = staff.get("/admin/assistants/assistant/").content.decode()
    assert "Purchase number" not in listed
    assert PAGE not in staff.get("/admin/numbers/phonenumber/").content.decode()
    assert select(staff, [assistant]).status_code == 200  # the list again
    assert sandbox.requests() == []


def test_the_permission_alone_spends_nobodys_money(organization, other_organization, sandbox):
    """The admin lets in who may buy; in which organization is for their role to say."""
    staff = staff_with(organization, "purchase_phonenumber")
    address = page_for(organization, other_organization)
    rows = (filled_in(organization), filled_in(other_organization, "+14155551235"))

    response = confirm(staff, address, *rows)

    assert "Your role lacks the scope 'numbers:purchase'." in text(response)
    assert "Buy 1 number for $1.15 a month" in text(response)
    assert len(quotes(response)) == 1


def test_a_stranger_is_asked_to_sign_in(organization, sandbox):
    response = Client().post(page_for(organization), {"buy": "yes", "quote": "x"})

    assert response.status_code == 302
    assert response.url.startswith("/admin/login/")
