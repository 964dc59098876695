"""The page of a purchase in each state, and settling one by hand."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from burki.testing import make_browser, orders_sent
from numbers.models import PhoneNumber, Purchase
from numbers.reconcile import settle_purchase
from numbers.tests.test_ui_buying import buy, look, words
from organizations.actors import Actor
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db

DROPPED = "+14155550011"  # before buying
LOST = "+14155550030"  # bought, answer lost, listed late
UNAVAILABLE = "+14155550001"
FOR_EVER = "+14155550052"  # pending at Telnyx
RATE_LIMITED = "+14155550006"


@pytest.fixture
def browser(organization, sandbox):
    return make_browser(organization, "admin")


def text(response) -> str:
    return response.content.decode()


def bought(browser, number, provider="twilio", **form) -> Purchase:
    """Through the pages; the purchase in whatever state it is then."""
    response = buy(browser, look(browser, number, provider), **form)
    assert response.status_code == 303
    return Purchase.objects.get(pk=response.url.rpartition("/")[2])


def shown(browser, purchase) -> str:
    return words(browser.get(f"/purchases/{purchase.pk}"))


# --- Each state -----------------------------------------------------------------------------------


def test_a_refusal_says_that_nothing_was_charged_why_and_what_next(browser):
    purchase = bought(browser, UNAVAILABLE)

    page = shown(browser, purchase)

    assert "Not bought. Nothing was charged" in page
    assert "Somebody else has taken this number, or it is not for sale any more." in page
    assert "Twilio says: “" in page and "(code 21422)" in page
    assert "What to do: Somebody else has it: search and choose another." in page
    assert "Try this one again" not in page


def test_a_refusal_leads_to_numbers_near_by(browser):
    purchase = bought(browser, UNAVAILABLE)

    page = text(browser.get(f"/purchases/{purchase.pk}"))
    near = re.search(r'href="(/buy\?country_code[^"]+)"', page)[1].replace("&amp;", "&")

    assert near == "/buy?country_code=US&area_code=415&number_type=local"
    assert "phone_number=%2B1415555" in text(browser.get(near))


def test_what_may_be_tried_again_is_offered_with_the_same_choices(browser, assistant):
    page = look(browser, RATE_LIMITED, assistant=assistant.pk)
    response = buy(browser, page, assistant=assistant.pk, friendly_name="Front desk")

    result = text(browser.get(response.url))
    again = re.search(r'href="(/buy/confirm[^"]+)">Try this one again', result)[1]
    offered = browser.get(again.replace("&amp;", "&"))

    assert "Buy number for $1.15 now" in words(offered)
    assert 'value="Front desk"' in text(offered)
    assert f'value="{assistant.pk}" selected' in text(offered)


def test_a_viewer_sees_why_and_is_offered_no_buying(browser, organization):
    purchase = bought(browser, UNAVAILABLE)

    page = shown(make_browser(organization, "viewer"), purchase)

    assert "Not bought. Nothing was charged" in page
    assert "Search near by" not in page


def test_a_pending_order_says_that_there_is_nothing_to_do_and_is_followed(browser):
    purchase = bought(browser, FOR_EVER, "telnyx")

    page = browser.get(f"/purchases/{purchase.pk}")

    assert "Telnyx accepted the order; the number is not active yet" in words(page)
    assert "$1.00 today, then $1.00 a month." in words(page)
    assert "We look next" in words(page)
    assert 'hx-trigger="every 2s"' in text(page)
    assert f'href="/purchases/{purchase.pk}"' in text(page)  # without a script


def test_an_older_purchase_tells_its_day_and_a_look_that_is_due_no_time(browser):
    purchase = bought(browser, FOR_EVER, "telnyx")
    rows = Purchase.objects.filter(pk=purchase.pk)
    rows.update(claimed_at=datetime(2026, 3, 1, 12, tzinfo=UTC), next_look_at=timezone.now())

    page = shown(browser, purchase)

    assert "$1.00 on 01 Mar 2026, then $1.00 a month." in page
    assert "We look next any moment now." in page


def test_in_doubt_it_says_what_is_looked_for_and_when_next(browser):
    purchase = bought(browser, DROPPED)

    page = browser.get(f"/purchases/{purchase.pk}")

    told = words(page)
    assert "Twilio has not confirmed yet" in told
    assert "You have not bought another." in told
    assert "We look in the Twilio account for this number with the mark of this purchase." in told
    assert "Do not buy it again" in told
    assert "We look next" in told
    assert "Neither the order nor the number is there" in told
    assert "Search near by" not in told
    assert "If it was bought: $1.15" in told
    assert 'hx-trigger="every 2s"' in text(page)


def test_a_purchase_that_is_being_made_says_so(browser, organization):
    purchase = Purchase.objects.create(
        organization=organization, provider="telnyx", phone_number=LOST
    )

    page = browser.get(f"/purchases/{purchase.pk}")

    assert "The order is on its way" in words(page)
    assert "Sending the page again would not order again." in words(page)
    assert "hx-trigger" in text(page)


def test_an_inferred_refusal_says_how_we_know(browser):
    purchase = bought(browser, DROPPED)
    Purchase.objects.filter(pk=purchase.pk).update(
        empty_looks=9, first_empty_look_at=timezone.now() - timedelta(days=1)
    )
    settle_purchase(purchase.pk, actor=Actor.system("test"))

    page = shown(browser, purchase)

    assert "Not bought. Nothing was charged" in page
    assert "We looked several times and found neither the order nor the number." in page


def test_an_old_purchase_is_asked_about_less_often(browser):
    purchase = bought(browser, DROPPED)
    long_ago = timezone.now() - timedelta(minutes=10)
    Purchase.objects.filter(pk=purchase.pk).update(claimed_at=long_ago)

    assert 'hx-trigger="every 15s"' in text(browser.get(f"/purchases/{purchase.pk}"))


def test_following_brings_nothing_while_nothing_changed_and_then_the_end(browser, sandbox):
    purchase = bought(browser, DROPPED)
    page = text(browser.get(f"/purchases/{purchase.pk}"))
    follow = re.search(r'hx-get="([^"]+)"', page[page.index('id="state"') :])[1]
    headers = {"HX-Request": "true"}

    same = browser.get(follow, headers=headers)
    sandbox.own(
        provider="twilio",
        account=purchase.account.account_sid,
        phone_number=DROPPED,
        status_callback=f"https://burki.test/twilio-status?purchase={purchase.pk}",
    )
    settle_purchase(purchase.pk, actor=Actor.system("test"))
    changed = browser.get(follow, headers=headers)

    assert (same.status_code, same.content) == (204, b"")
    assert "Bought. $1.15 today" in words(changed)
    assert "<html" not in text(changed)
    assert "hx-trigger" not in text(changed)  # it is over


def test_the_history_tells_who_and_what(browser):
    page = shown(browser, bought(browser, "+14155551234"))

    assert re.search(r"Bought admin@acme.example · .* Asked to buy admin@acme.example", page)


# --- By hand --------------------------------------------------------------------------------------


def by_hand(browser, purchase):
    return browser.post(f"/purchases/{purchase.pk}/look")


def test_looking_shows_what_the_provider_says_and_then_lets_an_admin_decide(browser, sandbox):
    purchase = bought(browser, DROPPED)

    looked = by_hand(browser, purchase)
    form = browser.get(looked.url)
    decision = {"decision": "not_bought", "reason": "Twilio support, ticket 7"}
    done = browser.post(looked.url, decision)

    assert (looked.status_code, looked.url) == (303, f"/purchases/{purchase.pk}/decide")
    assert "The provider has neither the order nor the number." in words(form)
    assert "This purchase bought nothing: close it" in words(form)
    assert "take it into the inventory" not in words(form)
    assert (done.status_code, done.url) == (303, f"/purchases/{purchase.pk}")
    page = shown(browser, purchase)
    assert "Recorded: Not bought. Nothing was charged." in page
    assert "A person decided so after looking at the provider." in page
    assert "Twilio support, ticket 7" in page
    event = AuditEvent.objects.get(action="purchase.decided")
    assert (event.user, event.data["reason"]) == (browser.user, "Twilio support, ticket 7")
    assert len(orders_sent(sandbox)) == 1
    assert PhoneNumber.objects.count() == 0


def test_a_number_without_our_mark_needs_a_person_who_may_take_it(browser, sandbox):
    purchase = bought(browser, DROPPED)
    sandbox.own(provider="twilio", account=purchase.account.account_sid, phone_number=DROPPED)
    settle_purchase(purchase.pk, actor=Actor.system("test"))

    page = browser.get(f"/purchases/{purchase.pk}")
    overview, ledger = browser.get("/"), browser.get("/purchases?attention=yes")
    looked = by_hand(browser, purchase)
    browser.post(looked.url, {"decision": "bought", "reason": "It is ours"})

    assert "A person has to look" in words(page)
    assert "The number is in the account, but nothing there says" in words(page)
    assert "Look at Twilio now" in words(page)
    assert "purchase that we cannot settle alone" in words(overview)
    assert "Needs a person" in words(ledger) and "415-555-0011" in words(ledger)
    assert PhoneNumber.objects.get().status == "active"
    assert "Needs a person" not in shown(browser, purchase)


def test_looking_settles_what_can_be_settled_without_asking_for_a_decision(browser, sandbox):
    purchase = bought(browser, DROPPED)
    sandbox.own(
        provider="twilio",
        account=purchase.account.account_sid,
        phone_number=DROPPED,
        status_callback=f"https://burki.test/twilio-status?purchase={purchase.pk}",
    )

    looked = by_hand(browser, purchase)

    assert looked.url == f"/purchases/{purchase.pk}"
    assert "It is completed now." in shown(browser, purchase)


def test_there_is_nothing_to_decide_about_a_settled_purchase(browser):
    purchase = bought(browser, "+14155551234")

    by_hand(browser, purchase)

    assert "This purchase is completed: there is nothing to decide." in shown(browser, purchase)


def test_what_the_provider_says_for_sure_cannot_be_overruled(browser, sandbox):
    purchase = bought(browser, DROPPED)
    looked = by_hand(browser, purchase)

    forged = browser.post(looked.url, {"decision": "bought", "reason": "I feel so"})

    assert forged.status_code == 400
    assert "Select a valid choice" in words(forged)
    purchase.refresh_from_db()
    assert purchase.state == "uncertain"


def test_what_changed_between_looking_and_deciding_is_noticed(browser, sandbox):
    purchase = bought(browser, DROPPED)
    looked = by_hand(browser, purchase)
    sandbox.own(
        provider="twilio",
        account=purchase.account.account_sid,
        phone_number=DROPPED,
        status_callback=f"https://burki.test/twilio-status?purchase={purchase.pk}",
    )

    browser.post(looked.url, {"decision": "not_bought", "reason": "It is not there"})

    assert "Nothing was decided. The provider has this order." in shown(browser, purchase)
    purchase.refresh_from_db()
    assert purchase.state == "uncertain"


@pytest.mark.parametrize("reason", ["", "   ", "a\0b", "x" * 301])
def test_a_decision_needs_a_reason_and_loses_nothing(browser, reason):
    purchase = bought(browser, DROPPED)
    looked = by_hand(browser, purchase)

    response = browser.post(looked.url, {"decision": "not_bought", "reason": reason})

    assert response.status_code == 400
    assert 'aria-invalid="true"' in text(response)
    assert "checked" in text(response)
    purchase.refresh_from_db()
    assert purchase.state == "uncertain"


def test_deciding_without_looking_leads_back_to_looking(browser):
    purchase = bought(browser, DROPPED)

    response = browser.post(
        f"/purchases/{purchase.pk}/decide", {"decision": "not_bought", "reason": "no"}
    )

    assert (response.status_code, response.url) == (303, f"/purchases/{purchase.pk}")
    assert "Look at the provider first; then decide." in shown(browser, purchase)
    purchase.refresh_from_db()
    assert purchase.state == "uncertain"


def test_who_may_not_decide_is_told_who_may(browser, organization):
    purchase = bought(browser, DROPPED)
    member = make_browser(organization, "member")

    page = shown(member, purchase)

    assert "An admin of Acme can look at the provider and decide." in page
    assert "Look at Twilio now" not in page
    assert member.post(f"/purchases/{purchase.pk}/look").status_code == 403
    assert browser.get(f"/purchases/{purchase.pk}/look").status_code == 405
