"""Assistants on the staff pages: the list, each one, creating, changing, deleting, its secret."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assistants.models import Assistant
from assistants.services import update_assistant
from burki.errors import PermissionDenied
from burki.testing import SYSTEM, make_assistant, make_browser
from numbers.models import PhoneNumber
from numbers.services.inbound.signing import signing_secrets
from numbers.tests.rows import make_number
from numbers.tests.test_ui_buying import text, words
from numbers.tests.test_ui_lists import make_numbers
from organizations.actors import Actor
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db

FORM = {
    "name": "Front desk",
    "is_active": "yes",
    "language": "en-GB",
    "greeting": "Hello\r\nthere",
    "media_stream_url": "wss://voice.example.com/stream",
    "sms_webhook_url": "https://example.com/sms?key=1",
}


@pytest.fixture
def browser(organization):
    return make_browser(organization, "member")


@pytest.fixture
def admin(organization):
    return make_browser(organization, "admin")


def seen(page) -> str:
    return re.search(r'name="seen" value="([^"]+)"', text(page))[1].replace("&#x2B;", "+")


def change(browser, assistant, **over):
    page = browser.get(f"/assistants/{assistant.pk}/edit")
    form = FORM | {"name": assistant.name, "seen": seen(page)} | over
    return browser.post(f"/assistants/{assistant.pk}/edit", form)


def names(page) -> list[str]:
    return re.findall(r'href="/assistants/\d+" title="([^"]+)"', text(page))


# --- The list -------------------------------------------------------------------------------------


def test_the_list_tells_of_each_its_numbers_and_when_it_was_last_reached(browser, organization):
    busy = make_assistant(organization, "Busy")
    make_assistant(organization, "Idle", is_active=False)
    make_number(organization, 1, assistant=busy, last_activity_at=timezone.now())
    make_number(organization, 2, assistant=busy)
    make_number(organization, 3, assistant=busy, status="released")
    make_number(organization, 4, assistant=busy, status="claimed")

    page = browser.get("/assistants")

    assert names(page) == ["Idle", "Busy"]
    rows = [re.sub(r"<[^>]+>", " ", row) for row in text(page).split("<tr>")[2:]]
    assert "Not active" in rows[0] and " 0 " in rows[0] and "none yet" in rows[0]
    assert " 2 " in rows[1] and "just now" in rows[1]


def test_it_is_filtered_and_paged(browser, organization):
    Assistant.objects.bulk_create(
        Assistant(organization=organization, name=f"Campaign {n:02}", is_active=n != 7)
        for n in range(55)
    )

    first = browser.get("/assistants", {"status": "active"})
    older = re.search(r'href="(\?[^"]+)" rel="next"', text(first))[1].replace("&amp;", "&")
    second = browser.get(f"/assistants{older}")

    assert (len(names(first)), len(names(second))) == (50, 4)
    assert names(browser.get("/assistants?search=aign+07")) == ["Campaign 07"]
    assert names(browser.get("/assistants?status=inactive")) == ["Campaign 07"]
    assert "No assistant fits" in words(browser.get("/assistants?search=zebra"))
    assert "cannot be filtered" in words(browser.get("/assistants?status=lost"))
    assert browser.get("/assistants?before=x").status_code == 400


def test_without_any_the_next_step_is_told(browser):
    page = browser.get("/assistants")

    assert "No assistants yet" in words(page)
    assert 'href="/assistants/new"' in text(page)


# --- One ------------------------------------------------------------------------------------------


def test_a_page_tells_how_it_answers_and_which_numbers(browser, organization, other_organization):
    assistant = make_assistant(
        organization, "Desk", greeting="Hello <b>you</b>", sms_webhook_url="https://example.com/s"
    )
    mine = make_number(organization, 1, assistant=assistant, friendly_name="Front")
    make_number(organization, 2)
    make_number(organization, 3, assistant=assistant, status="released")

    page = browser.get(f"/assistants/{assistant.pk}")

    assert "Hello &lt;b&gt;you&lt;/b&gt;" in text(page)
    assert "hear the greeting" in words(page) and "https://example.com/s" in words(page)
    assert re.findall(r'href="/numbers/(\d+)"', text(page)) == [str(mine.pk)]
    assert 'href="/numbers?status=active&amp;assistant=none"' in text(page)
    assert "Created" in words(page)  # its history
    assert "1 number" in words(page)


def test_what_keeps_it_from_answering_is_said(browser, organization):
    silent = make_assistant(organization, "Silent", is_active=False)

    told = words(browser.get(f"/assistants/{silent.pk}"))

    assert "Assistant Silent is not active: it will not answer." in told
    assert "has neither a media stream nor a greeting" in told


# --- Creating and changing ------------------------------------------------------------------------


def test_an_assistant_is_created(browser, organization):
    response = browser.post("/assistants/new", FORM)

    made = Assistant.objects.get()
    assert (response.status_code, response.url) == (303, f"/assistants/{made.pk}")
    assert (made.organization, made.created_by) == (organization, browser.user)
    assert (made.name, made.language, made.is_active) == ("Front desk", "en-GB", True)
    assert made.greeting == "Hello\nthere"
    assert made.media_stream_url == "wss://voice.example.com/stream"
    assert made.sms_webhook_url == "https://example.com/sms?key=1"
    assert AuditEvent.objects.get(action="assistant.created").user == browser.user


WRONG = [
    ({"name": ""}, "This field is required."),
    ({"name": "x" * 101}, "at most 100 characters"),
    ({"name": "a\tb"}, "Write the name on one line."),
    ({"is_active": "maybe"}, "Select a valid choice."),
    ({"language": "English, please"}, "Write a language tag, such as en-US."),
    ({"language": ""}, "This field is required."),
    ({"greeting": "x" * 5001}, "at most 5000 characters"),
    ({"media_stream_url": "https://example.com"}, "beginning with wss://."),
    ({"sms_webhook_url": "javascript:alert(1)"}, "beginning with http:// or https://."),
    ({"sms_webhook_url": "https://example.com/" + "x" * 500}, "at most 500 characters"),
    ({"sms_webhook_url": "http://example.com/"}, "must be https://host/…, without a user name."),
    ({"sms_webhook_url": "https://127.0.0.1/"}, "127.0.0.1 is not a public address."),
]


@pytest.mark.parametrize(("wrong", "sentence"), WRONG)
def test_what_is_wrong_is_told_at_its_field_and_nothing_is_saved(
    browser, organization, settings, wrong, sentence
):
    settings.ALLOW_PRIVATE_WEBHOOKS = False
    assistant = make_assistant(organization, "As it was")

    created = browser.post("/assistants/new", FORM | wrong)
    changed = change(browser, assistant, **wrong)

    for page in (created, changed):
        assert page.status_code == 400
        assert sentence in words(page)
        assert 'aria-invalid="true"' in text(page)
    assert Assistant.objects.get().name == "As it was"
    assert not AuditEvent.objects.filter(action="assistant.updated").exists()


def test_an_assistant_is_changed_and_the_audit_says_what(browser, organization):
    assistant = make_assistant(organization, "Desk", greeting="Hello\nthere", language="en-GB")

    response = change(browser, assistant, is_active="no", media_stream_url="", sms_webhook_url="")

    assistant.refresh_from_db()
    assert (response.status_code, response.url) == (303, f"/assistants/{assistant.pk}")
    assert not assistant.is_active
    event = AuditEvent.objects.get(action="assistant.updated")
    assert event.data == {"fields": ["is_active"], "is_active": False}
    assert event.user == browser.user


def test_a_form_that_changes_nothing_writes_nothing(browser, organization):
    assistant = make_assistant(organization, "Desk", **{
        name: value.replace("\r\n", "\n")
        for name, value in FORM.items() if name not in ("name", "is_active")
    })  # fmt: skip

    assert change(browser, assistant).status_code == 303
    assert not AuditEvent.objects.filter(action="assistant.updated").exists()


def test_a_form_that_somebody_overtook_saves_nothing(browser, organization):
    assistant = make_assistant(organization, "Desk")
    stale = seen(browser.get(f"/assistants/{assistant.pk}/edit"))
    update_assistant(
        actor=SYSTEM,
        organization=organization,
        assistant_id=assistant.pk,
        changes={"greeting": "Theirs"},
        merge=True,
    )

    for form in (FORM | {"seen": stale}, FORM | {"seen": "x"}, FORM):
        page = browser.post(f"/assistants/{assistant.pk}/edit", form)
        assert page.status_code == 400
        assert "Somebody changed this assistant meanwhile" in words(page)
        assert "Front desk" in text(page)  # what was typed stays
    assistant.refresh_from_db()
    assert (assistant.name, assistant.greeting) == ("Desk", "Theirs")


# --- Whose account --------------------------------------------------------------------------------


def test_an_admin_chooses_the_account_that_pays(admin, organization):
    account = organization.provider_accounts.get(provider="telnyx")
    assistant = make_assistant(organization, "Desk", telnyx_connection_id="old")

    change(admin, assistant, telnyx_account=str(account.pk))

    assistant.refresh_from_db()
    assert (assistant.telnyx_account, assistant.telnyx_connection_id) == (account, "")
    facts = AuditEvent.objects.get(action="assistant.updated").data
    assert facts["telnyx_account"] == account.pk
    change(admin, assistant, telnyx_account="")
    assistant.refresh_from_db()
    assert assistant.telnyx_account is None


def test_others_neither_see_the_choice_nor_make_it_by_hand(browser, organization):
    account = organization.provider_accounts.get(provider="twilio")
    assistant = make_assistant(organization, "Desk", twilio_account=account)

    page = text(browser.get(f"/assistants/{assistant.pk}/edit"))
    assert change(browser, assistant, twilio_account="").status_code == 303

    assistant.refresh_from_db()
    assert "twilio_account" not in page
    assert assistant.twilio_account == account
    with pytest.raises(PermissionDenied):
        update_assistant(
            actor=Actor.for_user(browser.user),
            organization=organization,
            assistant_id=assistant.pk,
            changes={"twilio_account": None},
            merge=True,
        )


@pytest.mark.parametrize("whose", ["another provider's", "another organization's"])
def test_only_an_own_account_of_the_provider_can_be_chosen(
    admin, organization, other_organization, whose
):
    owner, provider = (
        (organization, "telnyx") if "provider" in whose else (other_organization, "twilio")
    )
    account = owner.provider_accounts.get(provider=provider)
    assistant = make_assistant(organization, "Desk")

    page = change(admin, assistant, twilio_account=str(account.pk))

    assert page.status_code == 400
    assert "Choose an account of this organization." in words(page)
    assert Assistant.objects.get().twilio_account is None


# --- Deleting -------------------------------------------------------------------------------------


def test_deleting_asks_once_and_leaves_its_numbers_to_nobody(browser, organization):
    assistant = make_assistant(organization, "Desk")
    for line in range(3):
        make_number(organization, line, assistant=assistant)
    address = f"/assistants/{assistant.pk}/delete"

    asked = words(browser.get(address))
    assert "Delete Desk?" in asked
    assert "Its 3 numbers become unassigned" in asked
    assert Assistant.objects.exists()
    response = browser.post(address)

    assert (response.status_code, response.url) == (303, "/assistants")
    assert not Assistant.objects.exists()
    assert PhoneNumber.objects.filter(assistant=None, status="active").count() == 3
    event = AuditEvent.objects.get(action="assistant.deleted")
    assert (event.user, event.data["unassigned"]) == (browser.user, 3)
    assert browser.post(address).status_code == 404


def test_one_number_is_told_as_one(browser, organization):
    assistant = make_assistant(organization, "Desk")
    assert "It has no numbers." in words(browser.get(f"/assistants/{assistant.pk}/delete"))
    make_number(organization, 1, assistant=assistant)

    asked = words(browser.get(f"/assistants/{assistant.pk}/delete"))

    assert "Its 1 number becomes unassigned" in asked
    assert "The number stays yours, and goes on costing" in asked


# --- The signing secret ---------------------------------------------------------------------------


def test_a_secret_is_shown_once_and_the_one_before_signs_as_well(browser, organization):
    assistant = make_assistant(organization, "Desk")
    (before,) = signing_secrets(assistant)
    address = f"/assistants/{assistant.pk}/secret"
    assert "Make a new signing secret?" in words(browser.get(address))
    assert signing_secrets(assistant) == [before]

    made = browser.post(address)
    shown = browser.get(address)
    again = browser.get(address)

    new, old = signing_secrets(assistant)
    assert (made.status_code, made.url) == (303, address)
    assert old == before
    assert f"<code>{new}</code>" in text(shown)
    assert "whsec_" not in text(again)
    assert "whsec_" not in text(browser.get(f"/assistants/{assistant.pk}"))
    event = AuditEvent.objects.get(action="assistant.signing_secret_rotated")
    assert (event.user, event.data) == (browser.user, {"secret": f"…{new[-4:]}"})


def test_a_secret_that_waits_to_be_shown_is_shown_for_its_assistant_alone(browser, organization):
    one, two = make_assistant(organization, "One"), make_assistant(organization, "Two")
    browser.post(f"/assistants/{one.pk}/secret")

    assert "whsec_" not in text(browser.get(f"/assistants/{two.pk}/secret"))
    assert "whsec_" in text(browser.get(f"/assistants/{one.pk}/secret"))


# --- Who may --------------------------------------------------------------------------------------

WRITES = ["/assistants/new", "/assistants/{pk}/edit", "/assistants/{pk}/delete",
          "/assistants/{pk}/secret"]  # fmt: skip


def test_a_viewer_looks_and_changes_nothing(organization):
    assistant = make_assistant(organization, "Desk")
    browser = make_browser(organization, "viewer")
    events = AuditEvent.objects.count()

    for address in ("/assistants", f"/assistants/{assistant.pk}"):
        page = browser.get(address)
        assert page.status_code == 200
        for word in ("Create assistant", "Change assistant", "Delete", "Assign a number", "Make a"):
            assert word not in words(page)
    for address in WRITES:
        address = address.format(pk=assistant.pk)
        assert browser.get(address).status_code == 403
        assert browser.post(address, FORM).status_code == 403

    assert Assistant.objects.get().name == "Desk"
    assert AuditEvent.objects.count() == events


def test_another_organizations_assistant_is_not_found_like_nobodys(
    organization, other_organization
):
    assistant = make_assistant(organization, "Acme only")
    browser = make_browser(other_organization, "owner")
    events = AuditEvent.objects.count()

    for address in ("/assistants/{pk}", *WRITES[1:]):
        for method in ("GET", "POST") if address in WRITES else ("GET",):
            theirs = browser.generic(method, address.format(pk=assistant.pk))
            nobodys = browser.generic(method, address.format(pk=10**30))
            assert theirs.status_code == nobodys.status_code == 404
            assert "Acme only" not in text(theirs)
    assert names(browser.get("/assistants")) == []
    assert AuditEvent.objects.count() == events
    assert Assistant.objects.get().name == "Acme only"


def test_two_hundred_rows_cost_as_many_queries_as_ten(browser, organization):
    desk = make_assistant(organization, "Desk")

    def grow(count: int, start: int) -> None:
        made = Assistant.objects.bulk_create(
            Assistant(organization=organization, name=f"Campaign {n}") for n in range(count)
        )
        for n, own in enumerate(made, start=start):
            make_numbers(organization, 1, start=n, assistant=desk)
            make_numbers(organization, 1, start=1000 + n, assistant=own)

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get(address).status_code == 200
        return len(caught)

    addresses = ("/assistants", f"/assistants/{desk.pk}", f"/assistants/{desk.pk}/delete")
    grow(10, 0)
    few = [queries(address) for address in addresses]
    grow(190, 10)

    assert [queries(address) for address in addresses] == few
    assert max(few) <= 11
