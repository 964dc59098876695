"""Many numbers at once, and one: assigning and releasing what was selected in the list."""

import pytest

from burki.testing import NOWHERE, TWILIO_NUMBER, make_assistant, make_browser
from numbers.models import PhoneNumber, Release
from numbers.providers import http as provider_http
from numbers.tests.inventories import bought, changes_sent
from numbers.tests.money import deletes
from numbers.tests.pages import asked_of, shown, text, told, words
from numbers.tests.rows import make_number
from numbers.tests.test_ui_lists import make_numbers
from numbers.ui import releasing
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db

LOST = "+14155550071"  # its release never arrives


@pytest.fixture
def browser(organization):
    return make_browser(organization, "admin")


def selecting(browser, action: str, *numbers: PhoneNumber, **over):
    query = {"number": [number.pk for number in numbers]} | over
    return browser.get(f"/numbers/{action}", query)


def confirmed(browser, action: str, asking, **form):
    return browser.post(f"/numbers/{action}", {"asked": asked_of(asking)} | form)


# --- Assigning many -------------------------------------------------------------------------------


def test_many_are_assigned_after_a_page_that_lists_them(browser, organization):
    desk = make_assistant(organization, "Front desk")
    numbers = make_numbers(organization, 3)
    (gone,) = make_numbers(organization, 1, start=3, status="releasing")

    asking = selecting(browser, "assign", *numbers, gone, back="provider=twilio")
    assert shown(asking) == [one.phone_number for one in (*numbers, gone)]
    assert "The numbers go on costing $4.60 a month." in words(asking)
    response = confirmed(browser, "assign", asking, assistant=desk.pk)

    assert response.url == "/numbers?provider=twilio"
    page = told(browser, response)
    assert "3 numbers are answered by Front desk now." in page
    assert "+1 415-555-0003 was not changed. Phone number +14155550003 is being released." in page
    assert PhoneNumber.objects.filter(assistant=desk).count() == 3
    assert AuditEvent.objects.filter(action="number.assigned").count() == 3


def test_sending_the_page_again_changes_nothing_more(browser, organization, assistant):
    asking = selecting(browser, "assign", *make_numbers(organization, 2))

    for _ in range(2):
        page = told(browser, confirmed(browser, "assign", asking, assistant=assistant.pk))
        assert "2 numbers are answered by Support now." in page
    assert AuditEvent.objects.filter(action="number.assigned").count() == 2


def test_many_are_taken_away_from_their_assistants(browser, organization, assistant):
    numbers = make_numbers(organization, 2, assistant=assistant)
    (free,) = make_numbers(organization, 1, start=2)

    page = told(
        browser,
        confirmed(browser, "assign", selecting(browser, "assign", *numbers, free), nobody="1"),
    )

    assert "2 numbers are answered by nobody now." in page
    assert "+1 415-555-0002 was not changed. Nobody answered it before." in page
    assert not PhoneNumber.objects.exclude(assistant=None).exists()


def test_forgetting_to_choose_takes_nothing_away(browser, organization, assistant):
    numbers = make_numbers(organization, 2, assistant=assistant)

    response = confirmed(browser, "assign", selecting(browser, "assign", *numbers), assistant="")

    assert response.status_code == 400
    assert "Choose an assistant. Nothing was assigned." in words(response)
    assert PhoneNumber.objects.filter(assistant=assistant).count() == 2


def test_another_organizations_assistant_gets_none(browser, organization, other_organization):
    theirs = make_assistant(other_organization, "Theirs")
    asking = selecting(browser, "assign", *make_numbers(organization, 2))

    response = confirmed(browser, "assign", asking, assistant=theirs.pk)

    assert response.status_code == 400
    assert "Choose an assistant of this organization." in words(response)
    assert not AuditEvent.objects.filter(action="number.assigned").exists()


# --- Releasing ------------------------------------------------------------------------------------


def test_one_is_released_after_a_page_that_names_it_and_its_cost(browser, organization, sandbox):
    number = bought(organization, "telnyx", TWILIO_NUMBER)

    asking = selecting(browser, "release", number)
    page = words(asking)
    assert "Release +1 415-555-1234 ?" in page
    assert "It costs $1.00 a month now" in page
    assert "It may be lost for ever." in page
    assert deletes(sandbox) == 0
    response = confirmed(browser, "release", asking)

    assert response.url == f"/numbers/{number.pk}"
    page = told(browser, response)
    assert "+1 415-555-1234 is released: Telnyx has it back." in page
    assert "Release number" not in page
    number.refresh_from_db()
    assert number.status == "released"
    assert deletes(sandbox) == 1


def test_sending_the_release_again_releases_nothing_more(browser, organization, sandbox):
    number = bought(organization, "twilio")
    asking = selecting(browser, "release", number)
    confirmed(browser, "release", asking)
    again = bought(organization, "twilio")

    page = told(browser, confirmed(browser, "release", asking))

    assert "was released and bought again since" in page
    again.refresh_from_db()
    assert again.status == "active"
    assert deletes(sandbox) == 1


def test_a_refused_release_says_why_and_that_it_still_costs(browser, organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.add_fault(
        method="DELETE",
        status=403,
        body={"code": 20403, "message": "Number is locked", "status": 403},
    )

    page = told(browser, confirmed(browser, "release", selecting(browser, "release", number)))

    assert "Not released: +1 415-555-1234 is still yours and still costs." in page
    assert "Twilio says: “Number is locked”" in page
    later = words(browser.get(f"/numbers/{number.pk}"))
    assert "Tried just now , and refused." in later
    assert "Twilio said: “Number is locked”" in later
    number.refresh_from_db()
    assert number.status == "active"


def test_a_release_in_doubt_is_told_and_the_page_waits(browser, organization, sandbox):
    number = bought(organization, "twilio", LOST)

    page = told(browser, confirmed(browser, "release", selecting(browser, "release", number)))

    assert "Twilio has not confirmed yet." in page
    assert "This number is being released." in page
    assert "?seen=releasing" in text(browser.get(f"/numbers/{number.pk}"))


def test_many_are_released_and_a_page_tells_of_each(browser, organization, sandbox):
    released = bought(organization, "twilio")
    doubtful = bought(organization, "telnyx", LOST)
    pending = make_number(organization, 1, status="pending", monthly_cost=1)

    asking = selecting(browser, "release", released, doubtful, pending)
    assert "Release 2 numbers?" in words(asking)
    assert "Together they cost $1.00 a month and a price not known for 1 now" in words(asking)
    assert "Not released Only active numbers can be" in words(asking)
    response = confirmed(browser, "release", asking)
    result = browser.get(response.url)

    assert "1 of 2 released" in words(result)
    assert "Twilio has it back. It costs nothing any more." in words(result)
    assert "Telnyx has not confirmed yet." in words(result)
    assert words(browser.get(response.url)) == words(result)
    assert 'hx-trigger="every 3s"' in text(result)


def test_one_that_is_refused_hinders_no_other(browser, organization, sandbox):
    first, second = bought(organization, "twilio"), bought(organization, "telnyx")
    sandbox.add_fault(
        method="DELETE",
        path="/IncomingPhoneNumbers/",
        status=403,
        body={"code": 20403, "message": "Number is locked", "status": 403},
    )

    result = told(
        browser, confirmed(browser, "release", selecting(browser, "release", first, second))
    )

    assert "1 of 2 released" in result
    assert "Twilio says: “Number is locked”" in result
    assert list(PhoneNumber.objects.order_by("pk").values_list("status", flat=True)) == [
        "active",
        "released",
    ]


def test_what_there_was_no_time_for_is_told_and_can_be_gone_on_with(
    browser, organization, sandbox, monkeypatch
):
    numbers = [bought(organization, "twilio"), bought(organization, "telnyx")]
    monkeypatch.setattr(releasing, "_BEGIN_WITHIN", -1.0)

    page = browser.get(confirmed(browser, "release", selecting(browser, "release", *numbers)).url)

    assert "0 of 2 released" in words(page)
    assert "Go on with 2 numbers" in words(page)
    assert deletes(sandbox) == 0
    go_on = "/numbers/release?" + "&amp;".join(f"number={one.pk}" for one in numbers)
    assert f'href="{go_on}"' in text(page)


def test_a_provider_that_cannot_be_reached_leaves_all_as_they_were(
    browser, organization, sandbox, settings
):
    numbers = [bought(organization, "twilio"), bought(organization, "twilio", "+14155551299")]
    asking = selecting(browser, "release", *numbers)
    settings.TWILIO_API_BASE_URL = NOWHERE
    provider_http._sessions.clear()

    result = told(browser, confirmed(browser, "release", asking))

    assert "0 of 2 released" in result
    assert result.count("is still yours and still costs.") == 2
    assert not PhoneNumber.objects.exclude(status="active").exists()


# --- Selections that make no sense, and people who may not ----------------------------------------


@pytest.mark.parametrize("action", ["assign", "release"])
def test_a_selection_that_makes_no_sense_says_so(browser, organization, action):
    many = make_numbers(organization, 51)

    for query, sentence in (
        ({}, "No number is selected."),
        ({"number": ["x"]}, "does not name numbers"),
        ({"number": ["²"]}, "does not name numbers"),
        ({"number": [one.pk for one in many]}, "At most 50 numbers"),
    ):
        response = browser.get(f"/numbers/{action}", query)
        assert response.status_code == 400
        assert sentence in words(response)
    assert browser.get(f"/numbers/{action}", {"number": "9" * 19}).status_code == 404


@pytest.mark.parametrize("action", ["assign", "release"])
def test_a_form_that_was_changed_does_nothing_and_says_so(
    browser, organization, other_organization, assistant, sandbox, action
):
    number = bought(organization, "twilio")
    other = {"assign": "release", "release": "assign"}[action]
    theirs = make_browser(other_organization, "owner")
    (foreign,) = make_numbers(other_organization, 1)
    sandbox.clear_requests()

    for forged in (
        "",
        "x",
        asked_of(selecting(browser, action, number))[:-1],
        asked_of(selecting(browser, other, number)),
        asked_of(selecting(theirs, action, foreign)),
    ):
        response = browser.post(f"/numbers/{action}", {"asked": forged, "assistant": assistant.pk})
        assert response.status_code == 400
        assert "Nothing was done." in words(response)
    assert changes_sent(sandbox) == []
    assert PhoneNumber.objects.filter(assistant=None, status="active").count() == 2
    assert not Release.objects.exists()


@pytest.mark.parametrize("action", ["assign", "release"])
def test_another_organizations_number_is_not_there_among_others(
    browser, organization, other_organization, action
):
    (own,), (theirs,) = make_numbers(organization, 1), make_numbers(other_organization, 1, start=9)

    response = selecting(browser, action, own, theirs)

    assert response.status_code == 404
    assert "0009" not in words(response)


@pytest.mark.parametrize(
    ("role", "assign", "release"),
    [("viewer", False, False), ("member", True, False), ("admin", True, True)],
)
def test_people_see_and_may_do_what_their_role_allows(organization, sandbox, role, assign, release):
    number = bought(organization, "twilio")
    admin, browser = make_browser(organization, "owner"), make_browser(organization, role)
    sandbox.clear_requests()

    page = text(browser.get("/numbers"))
    assert ("Assign numbers" in page, "Release numbers" in page) == (assign, release)
    assert ('type="checkbox"' in page, ">Edit<span" in page) == (assign, assign)
    assert "Export all as CSV" in page
    detail = text(browser.get(f"/numbers/{number.pk}"))
    assert ("Release number" in detail) == release
    for action, allowed in (("assign", assign), ("release", release)):
        asking = selecting(admin, action, number)
        answer = 200 if allowed else 403
        assert selecting(browser, action, number).status_code == answer
        if not allowed:
            assert confirmed(browser, action, asking, assistant="").status_code == 403
    assert sandbox.requests() == []
    assert PhoneNumber.objects.get().status == "active"
