"""The second factor: set up, asked for at every door, limited, and switched off by both factors."""

import re
from base64 import b32decode, b32encode

import pytest
from django.core import mail
from django.test import Client
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from burki.testing import make_browser, make_user
from organizations import tasks, two_factor
from organizations.actors import Actor
from organizations.models import AuditEvent, User
from organizations.views import _WAITING

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse"
PAGE = "/account/two-factor"


@pytest.fixture
def ann(organization) -> User:
    """With the second factor on."""
    user = make_user(organization, "owner", "ann@example.com", is_staff=True, is_superuser=True)
    switch_on(user)
    return user


def switch_on(user) -> list[str]:
    device = two_factor.begin(user)
    codes = two_factor.confirm(actor=Actor.for_user(user), code=str(totp(device.bin_key)).zfill(6))
    user.refresh_from_db()
    return codes


def code_of(user) -> str:
    """As the app shows it now; to be used once more."""
    TOTPDevice.objects.filter(user=user).update(last_t=-1, drift=0)
    key = TOTPDevice.objects.get(user=user).bin_key
    return str(totp(key)).zfill(6)


def wrong_code(user) -> str:
    key = TOTPDevice.objects.get(user=user).bin_key
    near = {totp(key, t0=-30 * step) for step in range(-3, 4)}
    return next(f"{n:06}" for n in range(100) if n not in near)


def enter_password(browser, address="/sign-in", **extra):
    return browser.post(address, {"username": "ann@example.com", "password": PASSWORD}, **extra)


def is_in(browser) -> bool:
    return "_auth_user_id" in browser.session


def text(response) -> str:
    return response.content.decode()


def told() -> list[str]:
    events = AuditEvent.objects.filter(action__startswith="user.").order_by("pk")
    return [event.action.removeprefix("user.") for event in events]


# --- Setting up ---------------------------------------------------------------------------------


def test_a_person_sets_it_up_and_keeps_the_recovery_codes(organization):
    browser = make_browser(organization, "viewer", email="ann@example.com")
    elsewhere = Client()
    elsewhere.force_login(browser.user)

    begun = browser.post(PAGE, {"password": PASSWORD})
    page = text(browser.get(begun.url))
    secret = re.search(r'data-copy="([A-Z2-7]{32})"', page)[1]
    assert not two_factor.has_second_factor(browser.user)
    done = browser.post(begun.url, {"code": str(totp(b32decode(secret))).zfill(6)})
    shown = browser.get(done.url)
    again = browser.get(done.url, follow=True)

    assert (begun.url, done.url) == (f"{PAGE}/set-up", f"{PAGE}/codes")
    assert re.search(r'<svg viewBox="[^"]+" class="qr">', page) and "style=" not in page
    codes = re.findall(r"<code>([a-z2-7]{4}-[a-z2-7]{4})</code>", text(shown))
    assert len(set(codes)) == two_factor.RECOVERY_CODES
    assert not re.search(r"[a-z2-7]{4}-[a-z2-7]{4}<", text(again))
    assert "10 left" in text(again)
    assert is_in(browser) and browser.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 302
    assert secret not in text(browser.get(PAGE, follow=True))
    assert browser.get(f"{PAGE}/set-up").url == PAGE
    assert told() == ["two_factor_on"]


def test_a_wrong_password_or_code_switches_nothing_on(organization):
    browser = make_browser(organization, "viewer", email="ann@example.com")

    assert "This is not your password." in text(browser.post(PAGE, {"password": "guess"}))
    assert not TOTPDevice.objects.exists()
    browser.post(PAGE, {"password": PASSWORD})
    answer = browser.post(f"{PAGE}/set-up", {"code": wrong_code(browser.user)})

    assert answer.status_code == 400
    assert "This code is not right." in text(answer)
    assert not two_factor.has_second_factor(browser.user)
    assert told() == []


def test_a_secret_that_is_begun_and_left_changes_no_sign_in(organization):
    user = make_user(organization, "viewer", "ann@example.com")
    two_factor.begin(user)
    browser = Client()

    assert enter_password(browser).url == "/"
    assert is_in(browser)


def test_beginning_again_makes_another_secret_and_forgets_the_first(organization):
    user = make_user(organization, "viewer", "ann@example.com")

    first, second = two_factor.begin(user), two_factor.begin(user)

    assert first.key != second.key
    assert TOTPDevice.objects.get() == second


# --- Signing in ---------------------------------------------------------------------------------


def test_the_password_alone_opens_nothing(ann):
    browser = Client()

    asked = enter_password(browser, "/sign-in?next=/numbers")

    assert (asked.status_code, asked.url) == (302, "/sign-in/code")
    assert not is_in(browser)
    for address in ("/", "/account", PAGE, "/admin/"):
        assert browser.get(address).status_code == 302, address
    assert browser.get("/api/v1/users/me").status_code == 401


def test_with_the_code_one_gets_the_page_that_was_wanted(ann):
    browser = Client()
    asked = browser.post(
        "/sign-in", {"username": ann.email, "password": PASSWORD, "next": "/numbers"}
    )

    done = browser.post(asked.url, {"code": code_of(ann)})

    assert (done.status_code, done.url) == (302, "/numbers")
    assert is_in(browser)


def test_a_code_counts_once(ann):
    code = code_of(ann)
    for expected in (True, False):
        browser = Client()
        enter_password(browser)
        browser.post("/sign-in/code", {"code": code})
        assert is_in(browser) is expected


def test_a_code_may_be_written_in_groups(ann):
    browser, code = Client(), code_of(ann)
    enter_password(browser)

    browser.post("/sign-in/code", {"code": f" {code[:3]} {code[3:]} "})

    assert is_in(browser)


def test_a_recovery_code_signs_in_once_and_is_on_record(organization):
    ann = make_user(organization, "viewer", "ann@example.com")
    first, *_ = switch_on(ann)
    pages = []
    for _ in range(2):
        browser = Client()
        enter_password(browser)
        pages.append(text(browser.post("/sign-in/code", {"code": first.upper()}, follow=True)))

    assert "That recovery code is used up. 9 are left." in pages[0]
    assert "This code is not right." in pages[1]
    assert told() == ["two_factor_on", "recovery_code_used"]
    assert AuditEvent.objects.get(action="user.recovery_code_used").data == {"left": 9}


def test_five_wrong_codes_close_the_door_even_to_the_right_one(ann):
    browser, wrong = Client(), wrong_code(ann)
    enter_password(browser)
    for _ in range(5):
        assert "This code is not right." in text(browser.post("/sign-in/code", {"code": wrong}))

    answer = browser.post("/sign-in/code", {"code": code_of(ann)})

    assert "Too many attempts to enter a code. Wait 15 minutes" in text(answer)
    assert not is_in(browser)


def test_entering_the_password_again_gives_no_new_tries(ann):
    for _ in range(5):
        browser = Client()
        enter_password(browser)
        browser.post("/sign-in/code", {"code": wrong_code(ann)})
    browser = Client()
    enter_password(browser)

    assert "Too many attempts" in text(browser.post("/sign-in/code", {"code": code_of(ann)}))


def test_many_addresses_together_do_not_get_more_than_ten_tries(ann):
    told = []
    for n in range(11):
        browser = Client(REMOTE_ADDR=f"10.0.0.{n}")
        enter_password(browser)
        told.append(text(browser.post("/sign-in/code", {"code": wrong_code(ann)})))

    assert ["Too many attempts" in page for page in told] == [False] * 10 + [True]


@pytest.mark.parametrize("code", ["", "12345", "x" * 21, "²²²²²²", "-1", "1e5", "0x1"])
def test_what_is_no_code_is_none(ann, code):
    browser = Client()
    enter_password(browser)

    assert browser.post("/sign-in/code", {"code": code}).status_code == 400
    assert not is_in(browser)


def test_the_code_of_somebody_else_is_none(ann, organization):
    other = make_user(organization, "viewer", "bob@example.com")
    codes = switch_on(other)
    browser = Client()
    enter_password(browser)

    for code in (code_of(other), codes[0]):
        browser.post("/sign-in/code", {"code": code})
    assert not is_in(browser)


def test_without_the_password_there_is_no_page_for_a_code(ann):
    browser = Client()

    for answer in (browser.get("/sign-in/code"),
                   browser.post("/sign-in/code", {"code": code_of(ann)})):  # fmt: skip
        assert (answer.status_code, answer.url) == (302, "/sign-in")
    assert not is_in(browser)


@pytest.mark.parametrize("what", ["time", "password", "inactive"])
def test_what_was_entered_right_counts_while_it_is_right_and_ten_minutes(ann, what):
    browser = Client()
    enter_password(browser)
    if what == "time":
        session = browser.session
        session[_WAITING] |= {"until": session[_WAITING]["until"] - 601}
        session.save()
    else:
        ann.set_password("battery staple 9")
        ann.is_active = what != "inactive"
        ann.save()

    answer = browser.post("/sign-in/code", {"code": code_of(ann)})

    assert answer.url == "/sign-in"
    assert not is_in(browser)


def test_the_admin_has_no_sign_in_of_its_own(ann):
    browser = Client()

    asked = browser.get("/admin/", follow=True)
    by_hand = enter_password(browser, "/admin/login/?next=/admin/")
    assert asked.redirect_chain[-1][0] == "/sign-in?next=/admin/"
    assert by_hand.url == "/sign-in?next=/admin/"
    assert not is_in(browser)
    browser.post("/sign-in", {"username": ann.email, "password": PASSWORD, "next": "/admin/"})
    assert browser.get("/admin/").status_code == 302
    done = browser.post("/sign-in/code", {"code": code_of(ann)})

    assert done.url == "/admin/"
    assert browser.get("/admin/").status_code == 200


def test_who_may_not_use_the_admin_is_told_so(organization):
    browser = make_browser(organization, "owner")

    done = browser.get("/admin/", follow=True)

    assert done.redirect_chain[-1] == ("/", 302)
    assert "The administration is for the operators of this installation." in text(done)


def test_a_new_password_by_mail_does_not_go_round_the_second_factor(ann):
    tasks.send_password_link(user_id=ann.pk)
    link = re.search(r"https://burki\.test(/set-password/\S+)", mail.outbox[0].body)[1]
    browser = Client()
    form = browser.get(link).url
    browser.post(form, {"new_password1": "battery staple 9", "new_password2": "battery staple 9"})

    asked = browser.post("/sign-in", {"username": ann.email, "password": "battery staple 9"})

    assert asked.url == "/sign-in/code"
    assert not is_in(browser)


# --- Afterwards ---------------------------------------------------------------------------------


@pytest.fixture
def browser(ann):
    browser = Client()
    browser.force_login(ann)
    browser.user = ann
    return browser


def test_switching_off_takes_both_factors_and_ends_other_sessions(browser, ann):
    elsewhere = Client()
    elsewhere.force_login(ann)

    done = browser.post(f"{PAGE}/off", {"password": PASSWORD, "code": code_of(ann)}, follow=True)

    assert "Two-factor sign-in is off." in text(done)
    assert elsewhere.get("/account").status_code == 302
    assert not TOTPDevice.objects.exists() and not StaticToken.objects.exists()
    assert told() == ["two_factor_on", "two_factor_off"]
    assert enter_password(Client()).url == "/"


@pytest.mark.parametrize("path", ["/off", "/new-codes"])
def test_one_factor_is_not_enough_to_change_it(browser, ann, path):
    """A code is not used up beside a wrong password."""
    kept = list(StaticToken.objects.values_list("token", flat=True))

    for given in ({"password": PASSWORD, "code": wrong_code(ann)},
                  {"password": "guess", "code": kept[0]}, {"password": PASSWORD}):  # fmt: skip
        answer = browser.post(PAGE + path, given)
        assert answer.status_code == 400
        assert PASSWORD not in text(answer)

    assert two_factor.has_second_factor(ann)
    assert list(StaticToken.objects.values_list("token", flat=True)) == kept


def test_new_recovery_codes_take_the_place_of_the_old(browser, ann):
    old = set(StaticToken.objects.values_list("token", flat=True))

    done = browser.post(f"{PAGE}/new-codes", {"password": PASSWORD, "code": code_of(ann)})

    new = set(StaticToken.objects.values_list("token", flat=True))
    assert len(new) == 10 and not new & old
    shown = re.findall(r"<code>([a-z2-7]{4}-[a-z2-7]{4})</code>", text(browser.get(done.url)))
    assert {code.replace("-", "") for code in shown} == new
    assert told()[-1] == "recovery_codes_renewed"


def test_setting_up_twice_is_not_possible(browser, ann):
    before = TOTPDevice.objects.get()

    browser.post(PAGE, {"password": PASSWORD})
    browser.post(f"{PAGE}/set-up", {"code": code_of(ann)})

    assert TOTPDevice.objects.get().key == before.key
    assert told() == ["two_factor_on"]


@pytest.mark.parametrize("path", ["/off", "/new-codes", "/codes", "/set-up"])
def test_without_it_there_is_nothing_to_change(organization, path):
    browser = make_browser(organization, "viewer")

    answer = browser.get(PAGE + path)

    assert (answer.status_code, answer.url) == (303, PAGE)


def test_an_operator_switches_it_off_for_somebody_who_lost_everything(ann):
    root = Client()
    root.force_login(make_user(None, "", "root@example.com", is_staff=True, is_superuser=True))

    root.post("/admin/organizations/user/", {
        "action": "switch_off_two_factor", "_selected_action": [ann.pk],
    })  # fmt: skip

    assert enter_password(Client()).url == "/"
    assert AuditEvent.objects.get(action="user.two_factor_off").actor_label == "root@example.com"


def test_the_admin_shows_no_secret_of_it(browser, ann):
    key = TOTPDevice.objects.get().key
    secret = b32encode(bytes.fromhex(key)).decode()

    assert browser.get("/admin/otp_totp/totpdevice/").status_code == 404
    for address in ("/admin/", f"/admin/organizations/user/{ann.pk}/change/", PAGE, "/account"):
        page = text(browser.get(address))
        assert key not in page and secret not in page


def test_people_of_no_organization_can_have_it_too(db):
    browser = make_browser(None, "", email="ann@example.com")

    assert browser.get(PAGE).status_code == 200
    assert browser.post(PAGE, {"password": PASSWORD}).url == f"{PAGE}/set-up"
