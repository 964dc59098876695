"""Choosing one of very many assistants: no page carries them all, and none needs a script."""

import re

import pytest

from assistants.models import Assistant
from burki.testing import make_assistant, make_browser, make_organization
from numbers.assistant_field import MOST_LISTED, OFFERED
from numbers.tests.rows import make_number
from numbers.tests.test_ui_buying import look, words
from numbers.tests.test_ui_lists import rows

pytestmark = pytest.mark.django_db

OPTIONS = "/assistants/options"
FIELDS = {
    "/numbers": "Any",
    "/numbers/unused": "Any",
    "/spending": "Any",
    "/calls": "Any",
    "/numbers/{pk}": "Nobody",
    "/numbers/assign?number={pk}": "Choose an assistant",
    "/buy/many": "Nobody yet",
    "/buy/confirm?provider=twilio&phone_number=%2B14155551234": "Nobody yet",
}


@pytest.fixture
def browser(organization, sandbox):
    return make_browser(organization, "admin")


@pytest.fixture
def many(organization):
    """One more than a list may have, with their beginning."""
    return Assistant.objects.bulk_create(
        Assistant(organization=organization, name=f"Robot {n:04}") for n in range(MOST_LISTED + 1)
    )


def text(response) -> str:
    return response.content.decode()


def input_of(page) -> str:
    return re.search(r"<input[^>]*name=\"assistant\"[^>]*>", text(page))[0]


@pytest.mark.parametrize("address", FIELDS)
def test_two_hundred_are_listed_and_more_are_written(browser, organization, many, address):
    number = make_number(organization, 1)
    Assistant.objects.filter(pk=many[-1].pk).delete()

    listed = browser.get(address.format(pk=number.pk))
    make_assistant(organization, "One more")
    written = browser.get(address.format(pk=number.pk))

    assert text(listed).count("Robot 0") == MOST_LISTED
    assert '<select name="assistant"' in text(listed)
    assert "Robot 0" not in text(written)
    assert f'placeholder="{FIELDS[address]}"' in input_of(written)
    offers = re.search(r' list="([^"]+)"', input_of(written))[1]
    assert re.search(rf"<datalist id=['\"]{offers}['\"]>", text(written))
    assert f'hx-target="#{offers}"' in input_of(written)


@pytest.mark.parametrize("how", ["{pk}", "Robot 0007", "robot 0007", "Robot 0007 ({pk})", " {pk} "])
def test_one_is_named_by_id_or_name(browser, organization, many, how):
    number = make_number(organization, 1)
    chosen = many[7]
    written = how.format(pk=chosen.pk)

    assigned = browser.post(f"/numbers/{number.pk}/assistant", {"assistant": written})
    found = browser.get("/numbers", {"assistant": written})

    assert assigned.status_code == 303
    number.refresh_from_db()
    assert number.assistant == chosen
    assert len(rows(found)) == 1
    assert len(rows(browser.get("/numbers", {"assistant": str(many[8].pk)}))) == 0


def test_the_one_chosen_is_shown_with_its_name_and_taken_away_by_an_empty_field(
    browser, organization, many
):
    number = make_number(organization, 1, assistant=many[7])

    page = browser.get(f"/numbers/{number.pk}")
    assert f'value="Robot 0007 ({many[7].pk})"' in input_of(page)
    linked = browser.get("/numbers", {"assistant": many[7].pk})
    assert f'value="Robot 0007 ({many[7].pk})"' in input_of(linked)
    browser.post(f"/numbers/{number.pk}/assistant", {"assistant": ""})

    number.refresh_from_db()
    assert number.assistant is None


@pytest.mark.parametrize("nobody", ["none", "Nobody", "nobody"])
def test_nobody_can_be_written(browser, organization, many, nobody):
    make_number(organization, 1, assistant=many[7])
    make_number(organization, 2)

    page = browser.get("/numbers", {"assistant": nobody})

    assert rows(page) == ["+14155550002"]


def test_of_several_with_one_name_the_id_is_asked_for(browser, organization, many):
    number = make_number(organization, 1)
    twins = [make_assistant(organization, "Twin") for _ in range(2)]

    refused = browser.post(f"/numbers/{number.pk}/assistant", {"assistant": "Twin"})

    ids = ", ".join(str(one.pk) for one in twins)
    assert f"Several assistants are called so. Write the id of one: {ids}." in words(refused)
    number.refresh_from_db()
    assert number.assistant is None


@pytest.mark.parametrize("wrong", ["Robot", "theirs", "{theirs}", "9" * 30, "a\0b", "²"])
def test_what_names_none_of_ours_is_refused_with_what_to_write(browser, organization, many, wrong):
    number = make_number(organization, 1)
    theirs = make_assistant(make_organization("Other"), "theirs")

    written = wrong.format(theirs=theirs.pk)
    refused = browser.post(f"/numbers/{number.pk}/assistant", {"assistant": written})

    assert refused.status_code == 400
    assert "Choose an assistant of this organization" in words(refused)
    number.refresh_from_db()
    assert number.assistant is None


def test_a_purchase_is_confirmed_for_one_of_many(browser, organization, many):
    page = look(browser, assistant=f"Robot 0007 ({many[7].pk})")

    assert f'value="Robot 0007 ({many[7].pk})"' in input_of(page)
    assert "Robot 0007" in words(page).partition("What will happen")[2]


def test_a_script_offers_some_while_one_writes(browser, organization, many):
    make_assistant(make_organization("Other"), "Robot 0007 of others")

    def offers(**query) -> list[str]:
        return re.findall(r'<option value="([^"]*)">', text(browser.get(OPTIONS, query)))

    assert offers(assistant="obot 0007") == [f"Robot 0007 ({many[7].pk})"]
    assert len(offers(assistant="Robot")) == OFFERED
    assert offers(assistant="xyz") == []
    assert offers(assistant="no", nobody="1") == ["Nobody"]
    assert offers(assistant="\0") == offers()
