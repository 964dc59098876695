"""One number's page: name and assistant, trying it, what happened, what it costs, and who may."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from burki.testing import SYSTEM, make_assistant, make_browser
from numbers.models import Call, Message, PhoneNumber
from numbers.services.proof import verify_number
from numbers.tests.inbound import work
from numbers.tests.inventories import bought
from numbers.tests.pages import (
    asked_of,
    links,
    make_call,
    make_message,
    make_try,
    text,
    told,
    words,
)
from numbers.tests.rows import NOON, make_number
from numbers.tests.test_sandbox_lines import line  # noqa: F401
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db

ACTIONS = {  # what a number's page can do, and the lowest role for it
    "check": "member",
    "repair": "member",
    "restore": "member",
    "name": "member",
    "assistant": "member",
    "call": "member",
    "text": "member",
}


@pytest.fixture
def browser(organization):
    return make_browser(organization, "admin")


def page_of(browser, number, part=""):
    return browser.get(f"/numbers/{number.pk}{part}")


def send(browser, number, part, **form):
    return browser.post(f"/numbers/{number.pk}/{part}", form)


# --- Name and assistant ---------------------------------------------------------------------------


def test_a_number_is_renamed_here_and_at_the_provider(browser, organization, sandbox):
    number = bought(organization, "twilio")

    page = told(browser, send(browser, number, "name", friendly_name=" Front desk "))

    number.refresh_from_db()
    assert number.friendly_name == sandbox.owned()[0]["friendly_name"] == "Front desk"
    assert "+1 415-555-1234 is called Front desk now." in page
    assert "Renamed · Front desk" in page
    told(browser, send(browser, number, "name", friendly_name=""))
    number.refresh_from_db()
    assert number.friendly_name == number.phone_number


def test_a_name_that_the_provider_does_not_take_is_not_ours_either(browser, organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.add_fault(method="POST", path="/IncomingPhoneNumbers/", status=400, body={"code": 1})

    page = told(browser, send(browser, number, "name", friendly_name="Front desk"))

    assert "Nothing was changed. Failed to rename" in page
    number.refresh_from_db()
    assert number.friendly_name == number.phone_number


def test_a_number_is_given_to_an_assistant_and_to_nobody(browser, organization):
    number, desk = make_number(organization, 1), make_assistant(organization, "Front desk")

    page = told(browser, send(browser, number, "assistant", assistant=desk.pk))
    number.refresh_from_db()
    assert number.assistant == desk
    assert "Front desk answers +1 415-555-0001 now." in page
    assert "Assigned · Front desk" in page
    page = told(browser, send(browser, number, "assistant", assistant=""))
    number.refresh_from_db()
    assert number.assistant is None
    assert "Nobody answers +1 415-555-0001 now." in page


def test_renaming_leaves_the_assistant_alone_that_somebody_chose_meanwhile(browser, organization):
    number = make_number(organization, 1, provider="telnyx")
    page_of(browser, number)
    desk = make_assistant(organization, "Front desk")
    PhoneNumber.objects.update(assistant=desk)

    send(browser, number, "name", friendly_name="Line")

    number.refresh_from_db()
    assert (number.friendly_name, number.assistant) == ("Line", desk)


def test_what_makes_no_sense_is_told_on_the_page_and_changes_nothing(
    browser, organization, other_organization
):
    number = make_number(organization, 1)
    theirs = make_assistant(other_organization, "Theirs")
    events = AuditEvent.objects.count()

    for part, form, sentence in (
        ("assistant", {"assistant": theirs.pk}, "Choose an assistant of this organization."),
        ("assistant", {"assistant": "x"}, "Choose an assistant of this organization."),
        ("name", {"friendly_name": "x" * 65}, "at most 64 characters"),
        ("name", {"friendly_name": "a\nb"}, "must not contain control characters"),
    ):
        response = send(browser, number, part, **form)
        assert response.status_code == 400
        assert sentence in words(response)
        assert "Theirs" not in words(response)
    number.refresh_from_db()
    assert (number.friendly_name, number.assistant) == ("Line 1", None)
    assert AuditEvent.objects.count() == events


@pytest.mark.parametrize("status", ["releasing", "released"])
def test_a_number_that_goes_or_is_gone_is_not_changed_any_more(browser, organization, status):
    number = make_number(organization, 1, status=status)

    page = text(page_of(browser, number))
    assert "Rename" not in page and "Release number" not in page and "Check now" not in page

    for name in ("Line", "x" * 65):
        refused = told(browser, send(browser, number, "name", friendly_name=name))
        assert "Nothing was changed" in refused
    number.refresh_from_db()
    assert number.friendly_name == "Line 1"


# --- Trying it at the sandbox ---------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_calling_and_texting_shows_what_we_answered(line, organization):  # noqa: F811
    number = line("twilio", greeting="Acme, good morning.")
    browser = make_browser(organization, "member")

    response = send(browser, number, "call")
    assert response.url == f"/numbers/{number.pk}#tried"
    page = text(browser.get(response.url))
    assert "and got 200" in page
    assert "&lt;Say" in page and "Acme, good morning." in page
    assert "Your call is on the way into this list" in page
    work()
    assert Call.objects.get().number == number

    page = text(browser.get(send(browser, number, "text", text="hello 👋").url))
    assert "The message" in page and "and got 200" in page
    assert "Your message is on the way into this list" in page
    other = make_number(organization, 7)
    assert "The message" not in text(page_of(browser, other))


@pytest.mark.django_db(transaction=True)
def test_the_page_follows_a_try_until_it_is_written_down(line, organization):  # noqa: F811
    """The worker writes it down when the page is shown already."""
    number = line("telnyx", greeting="Acme, good morning.")
    browser = make_browser(organization, "member")
    htmx = {"HX-Request": "true"}

    page = text(browser.get(send(browser, number, "text", text="hello").url))
    ask = re.search(r'hx-get="(/numbers/\d+[?]tried=)"', page)[1]
    assert "Nothing has reached this number yet." not in page
    waiting = browser.get(ask, headers=htmx)
    assert (waiting.status_code, waiting.content, Message.objects.count()) == (204, b"", 0)
    work()

    assert browser.get(ask, headers=htmx)["HX-Refresh"] == "true"
    page = browser.get(f"/numbers/{number.pk}")
    assert "on the way" not in text(page) and "?tried=" not in text(page)
    assert "Message from +1 415-555-0199" in words(page)


def test_a_try_that_we_refused_is_not_waited_for(browser, organization, settings):
    settings.SANDBOX = True
    number = make_number(organization, 1)
    session = browser.session
    kept = {"number": number.pk, "what": "call", "at": timezone.now().isoformat(), "answer": "",
            "url": "https://burki.test/twiml", "commands": "", "call_id": "CA1"}  # fmt: skip

    for status, waits, asked in ((403, False, 286), (200, True, 204)):  # 286: ask no more
        session["tried"] = kept | {"status": status}
        session.save()
        page = text(page_of(browser, number))
        assert ("?tried=" in page, "on the way" in page) == (waits, waits)
        assert ("Nothing has reached this number yet." in page) is not waits
        again = browser.get(f"/numbers/{number.pk}?tried=", headers={"HX-Request": "true"})
        assert again.status_code == asked


def test_a_call_that_was_turned_away_is_followed_to_its_end(browser, organization, settings):
    settings.SANDBOX = True
    number = make_number(organization, 1)
    call = make_call(number, call_id="CA1", status="refused")
    session = browser.session
    session["tried"] = {"number": number.pk, "what": "call", "at": timezone.now().isoformat(),
                        "answer": "", "url": "", "commands": "", "call_id": "CA1",
                        "status": 200}  # fmt: skip
    session.save()
    ask = re.search(r'hx-get="([^"]+tried=refused)"', text(page_of(browser, number)))[1]

    Call.objects.filter(pk=call.pk).update(ended_at=NOON)  # and still refused

    assert browser.get(ask, headers={"HX-Request": "true"})["HX-Refresh"] == "true"
    assert "?tried=" not in text(page_of(browser, number))


def test_outside_the_sandbox_nothing_is_tried(browser, organization, settings):
    settings.SANDBOX = False
    number = make_number(organization, 1)

    assert "Call it" not in text(page_of(browser, number))
    for part, form in (("call", {}), ("text", {"text": "hello"})):
        page = told(browser, send(browser, number, part, **form))
        assert "Only numbers of the sandbox can be tried" in page


def test_a_number_that_the_sandbox_does_not_have_says_so(browser, organization, sandbox, settings):
    settings.SANDBOX = True
    number = make_number(organization, 1)

    assert "Nothing came back." in told(browser, send(browser, number, "call"))
    assert "Nothing was sent." in told(browser, send(browser, number, "text", text=""))
    assert "Nothing was sent." in told(browser, send(browser, number, "text", text="a\nb"))


# --- What happened, and what it costs -------------------------------------------------------------


def test_the_page_shows_the_latest_calls_and_messages(browser, organization):
    number = make_number(organization, 1, assistant=make_assistant(organization))
    other = make_number(organization, 2)
    make_call(number, duration_seconds=75)
    make_message(number, media_count=2)
    make_call(other, from_number="+13125550000")

    page = page_of(browser, number)

    assert "Call from +1 202-555-0123 Support · 1 min 15 s" in words(page)
    assert "Message from +1 202-555-0123 Support · 2 attachments" in words(page)
    assert "312-555-0000" not in words(page)
    assert 'href="/calls?number=%2B14155550001"' in text(page)


def test_the_history_has_everything_newest_first_and_page_by_page(browser, organization, sandbox):
    number = bought(organization, "twilio")
    told(browser, send(browser, number, "name", friendly_name="Front desk"))
    began = timezone.now() + timedelta(hours=1)
    for n in range(40):
        make_call(number, n, began + timedelta(minutes=n // 2), from_number=f"+1202555{n:04}")
        make_message(number, n, began + timedelta(minutes=n // 2))

    assert "Whole history" in words(page_of(browser, number))
    first = page_of(browser, number, "/history")
    second = page_of(browser, number, f"/history{links(first)['next']}")
    back = page_of(browser, number, f"/history{links(second)['prev']}")

    events = AuditEvent.objects.filter(organization=organization, object_type__contains="numbers")
    lines = [re.findall(r'<span class="what">([^<]+)', text(page)) for page in (first, second)]
    assert [len(one) for one in lines] == [50, 30 + events.count()]
    assert lines[0][0].startswith("Call from +1 202-555-0039")
    assert lines[1][-1] == "Asked to buy"
    assert "Renamed · Front desk" in lines[1]
    calls = [one for one in lines[0] + lines[1] if one.startswith("Call")]
    assert len(set(calls)) == 40
    assert "next" not in links(second)
    assert re.findall(r'<span class="what">([^<]+)', text(back)) == lines[0]


def test_a_release_is_in_the_history(browser, organization, sandbox):
    number = bought(organization, "twilio")
    asking = browser.get("/numbers/release", {"number": number.pk})
    browser.post("/numbers/release", {"asked": asked_of(asking)})

    page = words(page_of(browser, number, "/history"))

    assert "Asked to release" in page and "Released" in page and "Asked to buy" in page


@pytest.mark.parametrize("place", ["x", "~call~1", "2026-01-01~call~1", "nan", "a~b~c~d", "\0"])
def test_a_page_of_the_history_that_makes_no_sense_says_so(browser, organization, place):
    number = make_number(organization, 1)

    for name in ("before", "after"):
        response = browser.get(f"/numbers/{number.pk}/history", {name: place})
        assert response.status_code == 400
        assert "This address does not name a page of the list." in words(response)


def test_the_cost_so_far_is_every_month_begun_and_the_set_up(browser, organization):
    months = timezone.now().month
    begun = timezone.now().replace(month=1, day=31, hour=1)
    number = make_number(
        organization,
        1,
        monthly_cost=Decimal("1.15"),
        setup_cost=Decimal("0.50"),
        currency="USD",
        purchased_at=begun,
    )
    unknown = make_number(organization, 2)

    page = words(page_of(browser, number))

    assert "$1.15 a month" in page
    assert f"So far ${Decimal('1.15') * months + Decimal('0.50')}" in page
    assert "So far not known" in words(page_of(browser, unknown))


def test_the_page_costs_as_many_queries_whatever_happened(browser, organization, assistant):
    number = make_number(organization, 1, assistant=assistant)

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert page_of(browser, number).status_code == 200
        return len(caught)

    for n in range(5):
        make_call(number, n)
        make_try(make_message(number, n))
    few = queries()
    for n in range(5, 100):
        make_call(number, n)
        make_try(make_message(number, n))

    assert queries() == few <= 20


def test_a_page_that_waits_is_refreshed_when_the_status_changes(browser, organization):
    number = make_number(organization, 1, status="releasing")
    page = text(page_of(browser, number))
    assert f'hx-get="/numbers/{number.pk}?seen=releasing"' in page

    def ask():
        return browser.get(f"/numbers/{number.pk}?seen=releasing", headers={"HX-Request": "true"})

    assert (ask().status_code, ask().content) == (204, b"")
    PhoneNumber.objects.update(status="released")
    assert ask()["HX-Refresh"] == "true"


# --- Who may --------------------------------------------------------------------------------------


def test_a_viewer_sees_no_button_and_gets_403_when_posting_by_hand(organization, sandbox, settings):
    settings.SANDBOX = True
    number = verify_number(actor=SYSTEM, number=bought(organization, "twilio"))
    viewer = make_browser(organization, "viewer")
    sandbox.clear_requests()
    events = AuditEvent.objects.count()

    page = text(page_of(viewer, number))
    assert "Verified" in page
    assert re.findall(r"<form[^>]*action=\"/numbers[^\"]*\"", page) == []
    for word in ("Check now", "Repair webhooks", "Call it", "Text it", "Release number"):
        assert word not in page
    for action in ACTIONS:
        assert send(viewer, number, action).status_code == 403
    assert sandbox.requests() == []
    assert AuditEvent.objects.count() == events


def test_another_organizations_number_is_not_there(other_organization, organization, sandbox):
    number = verify_number(actor=SYSTEM, number=bought(organization, "twilio"))
    stranger = make_browser(other_organization, "owner")
    sandbox.clear_requests()

    for part in ("", "/history", "/repair", "/restore"):
        assert page_of(stranger, number, part).status_code == 404
    for action in ACTIONS:
        assert send(stranger, number, action).status_code == 404
    assert sandbox.requests() == []


@pytest.mark.parametrize("action", ["check", "name", "assistant", "call", "text"])
def test_looking_changes_nothing(browser, organization, action):
    number = make_number(organization, 1)

    assert page_of(browser, number, f"/{action}").status_code == 405
