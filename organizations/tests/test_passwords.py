"""Forgotten, set and changed passwords; nobody learns from them who has a login."""

import re

import pytest
from django.core import mail
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.testing import make_browser, make_user
from organizations import tasks
from organizations.models import AuditEvent, User

pytestmark = pytest.mark.django_db

OLD, NEW = "correct horse", "battery staple 9"
NEW_TWICE = {"new_password1": NEW, "new_password2": NEW}


@pytest.fixture
def ann(organization) -> User:
    return make_user(organization, "member", "ann@example.com")


@pytest.fixture
def browser():
    return Client()


def text(response) -> str:
    return response.content.decode()


def forgot(browser, email="ann@example.com", **extra):
    return browser.post("/forgot-password", {"email": email}, follow=True, **extra)


def jobs() -> list[int]:
    found = ProcrastinateJob.objects.filter(task_name="organizations.tasks.send_password_link")
    return [job.args["user_id"] for job in found.order_by("id")]


def link(user) -> str:
    mail.outbox.clear()
    tasks.send_password_link(user_id=user.pk)
    (sent,) = mail.outbox
    assert sent.to == [user.email]
    return re.search(r"https://burki\.test(/set-password/\S+)", sent.body)[1]


def opened(browser, address: str) -> str:
    """The address of the form that a link leads to."""
    return browser.get(address).url


def can_sign_in(password: str, email="ann@example.com") -> bool:
    browser = Client()
    browser.post("/sign-in", {"username": email, "password": password})
    return "_auth_user_id" in browser.session


def test_a_forgotten_password_is_set_by_a_link_that_works_once(browser, ann):
    assert "Look into your mailbox" in text(forgot(browser, " ANN@example.com "))
    assert jobs() == [ann.pk]

    address = link(ann)
    form = opened(browser, address)
    assert "For ann@example.com" in text(browser.get(form))
    done = browser.post(form, NEW_TWICE, follow=True)

    assert "The password is set. Sign in with it." in text(done)
    assert can_sign_in(NEW) and not can_sign_in(OLD)
    assert "This link works no more" in text(Client().get(address))
    (event,) = AuditEvent.objects.filter(action="user.password_set")
    assert (event.user, event.organization, event.data) == (ann, None, {})


def test_nobody_learns_who_has_a_login(browser, ann):
    """The answer is the same, and so is the work that is done for it."""
    make_user(None, "", "closed@example.com", is_active=False)

    pages = [
        re.sub(r'value="\w{64}"', "", text(forgot(Client(), email)))
        for email in ("ann@example.com", "nobody@example.com", "closed@example.com")
    ]

    assert pages[0] == pages[1] == pages[2]
    assert len(jobs()) == 3
    for user_id in jobs():
        tasks.send_password_link(user_id=user_id)
    assert [sent.to for sent in mail.outbox] == [["ann@example.com"]]


def test_links_are_not_sent_without_end(browser, ann):
    told = [text(forgot(browser)) for _ in range(4)]
    elsewhere = [text(forgot(browser, REMOTE_ADDR=f"10.0.0.{n}")) for n in range(3)]

    assert ["Look into your mailbox" in page for page in told] == [True, True, True, False]
    assert "Too many attempts to get a link. Wait 15 minutes" in told[-1]
    assert ["Look into your mailbox" in page for page in elsewhere] == [True, False, False]
    assert jobs() == [ann.pk] * 4


def test_one_address_does_not_try_everybody(browser, db):
    told = [text(forgot(browser, f"p{n}@example.com")) for n in range(21)]

    assert "Look into your mailbox" in told[19]
    assert "Too many attempts" in told[20]


def test_a_link_leads_to_our_own_address_whatever_host_was_asked(browser, ann, settings):
    settings.ALLOWED_HOSTS = ["*"]
    forgot(browser, HTTP_HOST="evil.example")

    assert link(ann).startswith("/set-password/")
    assert "evil.example" not in mail.outbox[0].body


@pytest.mark.parametrize("passwords", [("short", "short"), ("password1", "password1"),
                                       (NEW, "another one"), ("", "")])  # fmt: skip
def test_a_weak_or_mistyped_password_is_not_set(browser, ann, passwords):
    form = opened(browser, link(ann))

    answer = browser.post(form, dict(zip(NEW_TWICE, passwords, strict=True)))

    assert answer.status_code == 200
    assert 'class="wrong"' in text(answer)
    assert can_sign_in(OLD)
    assert not AuditEvent.objects.filter(action="user.password_set").exists()


@pytest.mark.parametrize("bad", ["/set-password/MQ/x-y", "/set-password/x/set-password",
                                 "/set-password/!!/a-b"])  # fmt: skip
def test_a_link_that_nobody_sent_sets_nothing(browser, ann, bad):
    assert "This link works no more" in text(browser.get(bad))
    assert "This link works no more" in text(browser.post(bad, NEW_TWICE))
    assert can_sign_in(OLD)


def test_a_changed_password_makes_older_links_worthless(browser, ann):
    address = link(ann)
    ann.set_password(NEW)
    ann.save()

    assert "This link works no more" in text(browser.get(address))


def test_setting_a_password_ends_sessions_and_reopens_the_sign_in(organization, browser):
    thief = make_browser(organization, "member", email="ann@example.com")
    for _ in range(6):
        browser.post("/sign-in", {"username": "ann@example.com", "password": "guess"})
    assert not can_sign_in(OLD)

    browser.post(opened(browser, link(thief.user)), NEW_TWICE)

    assert can_sign_in(NEW)
    assert thief.get("/numbers").status_code == 302


def test_an_invited_person_sets_the_first_password(browser, organization):
    user = make_user(organization, "viewer", "new@example.com")
    user.set_unusable_password()
    user.save()

    browser.post(opened(browser, link(user)), NEW_TWICE)

    assert can_sign_in(NEW, "new@example.com")


# --- Changing it ------------------------------------------------------------------------------


def change(browser, **over):
    return browser.post("/account/password", {"password": OLD} | NEW_TWICE | over, follow=True)


def test_a_signed_in_person_changes_the_password_and_stays_signed_in(organization):
    browser = make_browser(organization, "viewer", email="ann@example.com")
    elsewhere = Client()
    elsewhere.force_login(browser.user)

    done = change(browser)

    assert done.redirect_chain == [("/account", 303)]
    assert "Your password is changed." in text(done)
    assert can_sign_in(NEW)
    assert elsewhere.get("/account").status_code == 302
    (event,) = AuditEvent.objects.filter(action="user.password_changed")
    assert event.user == browser.user


@pytest.mark.parametrize(
    ("over", "told"),
    [
        ({"password": "guess"}, "This is not your password."),
        ({"new_password2": "other"}, "match"),
        ({"new_password1": "12345678", "new_password2": "12345678"}, "too common"),
    ],
)
def test_a_password_is_not_changed_by_mistake(organization, over, told):
    browser = make_browser(organization, "viewer", email="ann@example.com")

    answer = change(browser, **over)

    assert answer.status_code == 400
    assert told in text(answer)
    assert NEW not in text(answer) and OLD not in text(answer)
    assert can_sign_in(OLD)


def test_the_old_password_is_not_guessed_at_an_open_browser(organization):
    browser = make_browser(organization, "viewer", email="ann@example.com")

    for _ in range(5):
        change(browser, password="guess")

    assert "Too many attempts to enter the password" in text(change(browser))
    assert not AuditEvent.objects.filter(action="user.password_changed").exists()


def test_the_account_page_is_everybodys_own_also_without_an_organization(db):
    browser = make_browser(None, "", email="ann@example.com")

    page = text(browser.get("/account"))

    assert "ann@example.com" in page and "no organization yet" in page
    assert text(change(browser)).count("Your password is changed.") == 1


@pytest.mark.parametrize("address", ["/account", "/account/password"])
def test_the_signed_out_are_asked_to_sign_in(db, address):
    assert Client().get(address).url == f"/sign-in?next={address}"
    assert Client().post(address, NEW_TWICE).status_code == 302
