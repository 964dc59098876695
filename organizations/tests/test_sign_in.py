"""Signing in and out, how often it may be tried, and choosing the organization to work in."""

import pytest
from django.test import Client

from burki.testing import make_browser, make_organization, make_user
from organizations.models import Membership

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse"


@pytest.fixture
def person(organization):
    return make_user(organization, "member", "ann@example.com")


@pytest.fixture
def browser():
    return Client()


def sign_in(browser, email="ann@example.com", password=PASSWORD, address="/sign-in", **extra):
    return browser.post(address, {"username": email, "password": password}, **extra)


def is_in(browser) -> bool:
    return "_auth_user_id" in browser.session


def text(response) -> str:
    return response.content.decode()


def test_a_stranger_is_asked_to_sign_in_and_then_gets_the_page(browser, person):
    asked = browser.get("/numbers?provider=telnyx")
    page = browser.get(asked.url)
    done = sign_in(browser, address=asked.url)

    assert asked.url == "/sign-in?next=/numbers%3Fprovider%3Dtelnyx"
    assert "<h1>Sign in</h1>" in text(page)
    assert (done.status_code, done.url) == (302, "/numbers?provider=telnyx")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "/sign-in",
        "/sign-in?next=/sign-in",
    ],
)
def test_after_signing_in_one_never_ends_elsewhere_or_in_a_circle(browser, person, elsewhere):
    done = browser.post(
        "/sign-in", {"username": person.email, "password": PASSWORD, "next": elsewhere}
    )
    again = browser.get("/sign-in", {"next": elsewhere})

    assert (done.status_code, done.url) == (302, "/")
    assert (again.status_code, again.url) == (302, "/")


@pytest.mark.parametrize(
    ("email", "password"),
    [("ann@example.com", "wrong"), ("nobody@example.com", PASSWORD), ("ann@example.com", "a\0b")],
)
def test_a_wrong_sign_in_says_the_same_whoever_tries(browser, person, email, password):
    response = sign_in(browser, email, password)

    assert not is_in(browser)
    assert response.status_code == 200
    assert ("is wrong. Check both" in text(response)) or ("Null characters" in text(response))


def test_an_inactive_person_cannot_sign_in_and_is_told_nothing_more(browser, person):
    person.is_active = False
    person.save()

    assert "E-mail address or password is wrong" in text(sign_in(browser))
    assert not is_in(browser)


def test_five_wrong_tries_close_the_account_to_that_address_even_with_the_right_password(
    browser, person
):
    for _ in range(5):
        assert "is wrong" in text(sign_in(browser, password="guess"))

    told = text(sign_in(browser))

    assert "Too many attempts to sign in. Wait 15 minutes" in told
    assert not is_in(browser)


def test_upper_case_does_not_make_another_account(browser, person):
    for email in ("ann@example.com", "ANN@example.com", "Ann@Example.com") * 2:
        sign_in(browser, email, "guess")

    assert "Too many attempts" in text(sign_in(browser))


def test_the_owner_comes_in_from_elsewhere_while_a_stranger_is_shut_out(browser, person):
    for _ in range(9):
        sign_in(browser, password="guess", REMOTE_ADDR="10.0.0.66")

    done = sign_in(browser, REMOTE_ADDR="10.0.0.1")

    assert done.status_code == 302
    assert is_in(browser)


def test_many_addresses_together_do_not_get_more_than_thirty_tries(browser, person):
    for n in range(30):
        assert "is wrong" in text(sign_in(browser, password="guess", REMOTE_ADDR=f"10.0.1.{n}"))

    assert "Too many attempts" in text(sign_in(browser, REMOTE_ADDR="10.0.2.1"))


def test_one_address_does_not_get_more_than_a_hundred_tries_whatever_it_tries(browser, person):
    for n in range(100):
        sign_in(browser, f"user{n}@example.com", "guess")

    assert "Too many attempts" in text(sign_in(browser))
    assert sign_in(browser, REMOTE_ADDR="10.0.0.1").status_code == 302


def test_signing_in_forgets_the_wrong_tries_before(browser, person):
    for _ in range(3):
        for _ in range(4):
            sign_in(browser, password="guess")
        assert sign_in(browser).status_code == 302
        browser.logout()


def test_signing_out_takes_a_post(organization):
    browser = make_browser(organization, "viewer")

    assert browser.get("/sign-out").status_code == 405
    assert is_in(browser)
    done = browser.post("/sign-out")

    assert (done.status_code, done.url) == (302, "/sign-in")
    assert not is_in(browser)


def test_forms_of_strangers_sites_are_refused_with_a_page(organization):
    browser = make_browser(organization, "owner", csrf=True)

    for address in ("/sign-out", "/organizations/switch", "/sign-in"):
        response = browser.post(address, {"organization": organization.pk})
        assert response.status_code == 403, address
        assert "Nothing was changed and nothing was bought." in text(response)
    assert is_in(browser)


def test_a_person_in_one_organization_works_there_at_once(organization):
    browser = make_browser(organization, "viewer")

    assert "<h1>Acme</h1>" in text(browser.get("/"))


def test_a_person_in_several_organizations_chooses_one(organization, other_organization):
    browser = make_browser(organization, "viewer")
    Membership.objects.create(user=browser.user, organization=other_organization, role="owner")

    asked = browser.get("/numbers")
    choices = text(browser.get(asked.url))
    chosen = browser.post(asked.url, {"organization": other_organization.pk})

    assert asked.url == "/organizations/switch"
    assert "Acme" in choices and "Globex" in choices
    assert (chosen.status_code, chosen.url) == (302, "/")
    assert "<h1>Globex</h1>" in text(browser.get("/"))


@pytest.mark.parametrize("given", ["", "0", "-1", "x", "9" * 19, "9" * 40, "²", "1\0"])
def test_an_organization_that_makes_no_sense_changes_nothing(organization, given):
    browser = make_browser(organization, "viewer")

    response = browser.post("/organizations/switch", {"organization": given})

    assert response.status_code == 404
    assert "You are not a member of that organization" in text(response)
    assert "<h1>Acme</h1>" in text(browser.get("/"))


def test_one_cannot_switch_to_an_organization_one_is_not_in(organization, other_organization):
    browser = make_browser(organization, "owner")

    response = browser.post("/organizations/switch", {"organization": other_organization.pk})

    assert response.status_code == 404
    assert "Globex" not in text(response) + text(browser.get("/"))


def test_who_was_removed_from_the_organization_has_to_choose_again(
    organization, other_organization
):
    browser = make_browser(organization, "owner")
    browser.post("/organizations/switch", {"organization": organization.pk})
    Membership.objects.all().delete()

    assert browser.get("/").url == "/organizations/switch"
    page = text(browser.get("/organizations/switch"))
    assert "You are in no organization yet" in page


def test_a_closed_organization_shows_nothing(organization):
    browser = make_browser(organization, "owner")
    organization.is_active = False
    organization.save()

    response = browser.get("/numbers")

    assert response.status_code == 403
    assert "This organization is not active." in text(response)


def test_the_menu_offers_eight_other_organizations_and_the_way_to_all(organization):
    browser = make_browser(organization, "viewer")
    for n in range(12):
        other = make_organization(f"Tenant {n:02}", accounts=False)
        Membership.objects.create(user=browser.user, organization=other, role="viewer")
    browser.post("/organizations/switch", {"organization": organization.pk})

    page = text(browser.get("/purchases"))

    assert page.count("Tenant 00") == page.count("Tenant 07") == 2  # in both menus
    assert "Tenant 08" not in page
    assert "All organizations" in page


def test_a_new_secret_key_signs_nobody_out_who_signed_in_under_the_one_before(
    organization, settings
):
    browser = make_browser(organization, "viewer")
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another-key-" + "x" * 50

    settings.SECRET_KEY_FALLBACKS = [old]
    assert "<h1>Acme</h1>" in text(browser.get("/"))
    settings.SECRET_KEY_FALLBACKS = []
    assert "<h1>Acme</h1>" in text(browser.get("/"))  # the session went over to the new key

    settings.SECRET_KEY = "a-third-key-" + "x" * 50
    assert browser.get("/").url.startswith("/sign-in")
