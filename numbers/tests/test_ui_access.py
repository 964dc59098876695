"""Who may see and do what on the staff pages, and what everybody else gets instead."""

import re
from uuid import uuid4

import pytest
from django.test import Client

from burki.testing import TWILIO_NUMBER, make_assistant, make_browser, orders_sent, post
from numbers.models import PhoneNumber, Purchase
from numbers.ui.quotes import Quote
from organizations.models import AuditEvent
from organizations.permissions import ROLE_SCOPES

pytestmark = [pytest.mark.django_db, pytest.mark.walk]

CONFIRM = "/buy/confirm?provider=twilio&phone_number=%2B14155551234"
# Address of a page, and the lowest role that may open it.
PAGES = {
    "/": "viewer",
    "/numbers": "viewer",
    "/numbers/{number}": "viewer",
    "/numbers/{number}/history": "viewer",
    "/numbers/{number}/row": "member",
    "/numbers/{number}/repair": "member",
    "/numbers/{number}/restore": "member",
    "/numbers/assign?number={number}": "member",
    "/numbers/release?number={number}": "admin",
    "/numbers/release/0192b9a2-8c3e-7d5f-8a4b-0c1d2e3f4a5b?number={number}": "admin",
    "/calls": "viewer",
    "/numbers/unused": "viewer",
    "/spending": "viewer",
    "/purchases": "viewer",
    "/purchases/{purchase}": "viewer",
    "/buy": "member",
    "/buy?area_code=415": "member",
    "/buy/results?provider=telnyx&area_code=415": "member",
    "/buy/confirm": "member",
    "/buy/confirm?provider=twilio&phone_number=%2B14155559999": "member",
    "/buy/many": "member",
    "/buy/many/all": "viewer",
    "/assistants": "viewer",
    "/assistants/options?assistant=x": "viewer",
    "/assistants/new": "member",
    "/purchases/{purchase}/decide": "admin",
    "/settings/credentials": "admin",
    "/settings/credentials/add/telnyx": "admin",
    "/settings/api-keys": "admin",
    "/settings/api-keys/new": "admin",
    "/settings/organization": "admin",
    "/settings/members": "owner",
    "/settings/members/add": "owner",
    "/settings/events": "admin",
    "/settings/events/add": "admin",
    "/audit": "admin",
    "/audit?action=purchase": "admin",
}
ROLES = list(ROLE_SCOPES)


@pytest.fixture
def bought(client, sandbox) -> Purchase:
    answer = post(
        client, "/phone-numbers/purchase", {"phone_number": TWILIO_NUMBER, "provider": "twilio"}
    )
    assert answer.status_code == 200
    return Purchase.objects.get()


def at(address: str, bought: Purchase) -> str:
    return address.format(number=bought.number_id, purchase=bought.pk)


def text(response) -> str:
    return response.content.decode()


def quote(organization) -> str:
    return Quote(
        organization=organization.pk,
        provider="twilio",
        phone_number="+14155552222",
        assistant_id=None,
        monthly=None,
        setup=None,
        key=str(uuid4()),
    ).signed()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("address", PAGES)
def test_a_page_opens_for_those_who_may_and_for_nobody_else(organization, bought, address, role):
    browser = make_browser(organization, role)

    response = browser.get(at(address, bought))

    if ROLES.index(role) < ROLES.index(PAGES[address]):
        assert response.status_code == 403
        assert "Your role does not allow this" in text(response)
    else:
        assert response.status_code in (200, 303), text(response)
    assert response["Content-Type"].startswith("text/html")
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("address", [*PAGES, "/purchases/{purchase}/look"])
def test_the_signed_out_are_asked_to_sign_in(organization, bought, address):
    target = at(address, bought)

    for response in (Client().get(target), Client().post(target)):
        assert response.status_code == 302
        assert response.url.startswith("/sign-in?next=/")


def test_a_part_of_a_page_asks_to_sign_in_with_the_whole_page(organization, bought):
    response = Client().get(f"/purchases/{bought.pk}", headers={"HX-Request": "true"})

    assert response["HX-Refresh"] == "true"
    assert text(response) == ""


@pytest.mark.parametrize(
    "address", ["/numbers/{number}", "/purchases/{purchase}", "/purchases/{purchase}/decide"]
)
def test_what_another_organization_has_is_not_found_like_what_nobody_has(
    other_organization, bought, address
):
    browser = make_browser(other_organization, "owner")

    theirs = browser.get(at(address, bought))
    nobodys = browser.get(address.format(number=10**6, purchase=uuid4()))

    assert theirs.status_code == nobodys.status_code == 404
    assert text(theirs) == text(nobodys)
    assert "14155551234" not in text(theirs) and "415-555-1234" not in text(theirs)


def test_another_organizations_purchase_can_neither_be_looked_at_nor_decided(
    other_organization, bought
):
    browser = make_browser(other_organization, "owner")

    assert browser.post(f"/purchases/{bought.pk}/look").status_code == 404
    decision = {"decision": "not_bought", "reason": "mine"}
    assert browser.post(f"/purchases/{bought.pk}/decide", decision).status_code == 404
    assert not AuditEvent.objects.filter(action="purchase.decided").exists()


def test_lists_and_overview_show_the_own_organization_alone(other_organization, bought):
    browser = make_browser(other_organization, "owner")

    for address in ("/", "/numbers", "/purchases"):
        page = text(browser.get(address))
        assert "Acme" not in page
        assert "415-555-1234" not in page
    assert "Three steps to the first number" in text(browser.get("/"))


def test_a_viewer_sees_no_buying_and_gets_403_when_posting_by_hand(organization, bought, sandbox):
    browser = make_browser(organization, "viewer")
    sent = len(orders_sent(sandbox))

    pages = "".join(
        text(browser.get(at(a, bought))) for a, role in PAGES.items() if role == "viewer"
    )
    by_hand = browser.post("/buy/confirm", {"quote": quote(organization), "assistant": ""})

    assert not re.search(r'href="/buy(?!/many/all)', pages)
    assert by_hand.status_code == 403
    assert "Search at the providers and buy numbers (spends money)" in text(by_hand)
    assert len(orders_sent(sandbox)) == sent
    assert Purchase.objects.count() == 1


def test_a_role_that_was_lowered_meanwhile_buys_nothing(organization, sandbox):
    browser = make_browser(organization, "member")
    form = browser.get(CONFIRM)
    browser.user.memberships.update(role="viewer")

    assert browser.post(CONFIRM, {"quote": hidden(form)}).status_code == 403
    assert orders_sent(sandbox) == []


def test_a_form_without_its_token_buys_nothing_and_says_so(organization, sandbox):
    browser = make_browser(organization, "owner", csrf=True)
    form = browser.get(CONFIRM)

    response = browser.post(CONFIRM, {"quote": hidden(form)})

    assert response.status_code == 403
    assert "Nothing was changed and nothing was bought." in text(response)
    assert orders_sent(sandbox) == []
    assert Purchase.objects.count() == PhoneNumber.objects.count() == 0


@pytest.mark.parametrize("address", ["/nowhere", "/purchases/1", "/numbers/x", "/buy/"])
def test_browsers_get_pages_for_what_is_not_there_and_programs_get_json(organization, address):
    browser = make_browser(organization, "viewer")

    page = browser.get(address, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    program = browser.get(address, headers={"Accept": "*/*"})

    assert (page.status_code, program.status_code) == (404, 404)
    assert "There is nothing at this address" in text(page)
    assert program.json() == {"detail": "Not found.", "code": "not_found"}


@pytest.mark.parametrize("address", ["/phone-numbers/x/y", "/api/v1/nothing", "/api/nothing"])
def test_the_api_answers_json_to_browsers_too(address):
    response = Client().get(address, headers={"Accept": "text/html"})

    assert response.json()["code"] == "not_found"


def test_what_nobody_foresaw_is_a_page_that_says_what_it_means_for_money(organization, monkeypatch):
    browser = make_browser(organization, "viewer")
    browser.raise_request_exception = False
    purchase = Purchase.objects.create(
        organization=organization, provider="twilio", phone_number=TWILIO_NUMBER, looks=["?"]
    )

    response = browser.get(f"/purchases/{purchase.pk}", headers={"Accept": "text/html"})

    assert response.status_code == 500
    assert "sending the same page again cannot buy twice" in text(response)


def test_the_sandbox_is_told_on_every_page_and_only_then(organization, settings):
    browser = make_browser(organization, "viewer")
    banner = "Sandbox: no real number is bought"

    settings.SANDBOX = True
    assert banner in text(browser.get("/")) and banner in text(browser.get("/numbers/9"))
    assert banner in text(Client().get("/sign-in"))
    settings.SANDBOX = False
    assert banner not in text(browser.get("/"))


def test_nothing_on_a_page_needs_a_looser_policy(organization, bought):
    """No inline style or script, nothing from elsewhere, and each page is small."""
    make_assistant(organization)
    browser = make_browser(organization, "owner")
    for address in PAGES:
        page = text(browser.get(at(address, bought)))
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=", page), address
        assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", page), address
        assert len(page) < 150_000


def hidden(response) -> str:
    return re.search(r'name="quote" value="([^"]+)"', text(response))[1]
