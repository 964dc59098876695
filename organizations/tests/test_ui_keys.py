"""API keys on the settings pages: made and shown once, renamed, revoked, by those who may."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from burki.testing import SYSTEM, make_browser, make_user
from organizations.models import ApiKey, AuditEvent
from organizations.services import create_api_key

pytestmark = pytest.mark.django_db

LIST = "/settings/api-keys"
WANTED = {"name": "billing export", "scopes": ["numbers:read", "assistants:read"], "lifetime": "30"}


@pytest.fixture
def browser(organization):
    return make_browser(organization, "admin")


@pytest.fixture
def key(organization) -> ApiKey:
    return make_key(organization)


def make_key(organization, **over) -> ApiKey:
    return create_api_key(actor=SYSTEM, organization=organization, **{"name": "script"} | over)[0]


def text(response) -> str:
    return response.content.decode()


def shown(response) -> str | None:
    found = re.search(r"burki_[a-z0-9]{32}", text(response))
    return found and found[0]


def as_program(key: str):
    return APIClient(HTTP_AUTHORIZATION=f"Bearer {key}").get("/api/v1/users/me")


def test_a_new_key_is_shown_once_and_works(browser, organization):
    made = browser.post(f"{LIST}/new", WANTED)
    page = browser.get(made.url)
    again = browser.get(made.url, follow=True)

    key = ApiKey.objects.get()
    assert (made.status_code, made.url) == (303, f"{LIST}/{key.pk}/made")
    assert key.scopes == WANTED["scopes"]
    assert key.created_by == browser.user
    assert timedelta(days=29) < key.expires_at - timezone.now() <= timedelta(days=30)
    assert as_program(shown(page)).json()["api_key_id"] == key.pk
    assert f"curl -H &quot;Authorization: Bearer {shown(page)}&quot;" in text(page)
    assert "no-store" in page["Cache-Control"]
    assert again.redirect_chain == [(f"{LIST}/{key.pk}", 303)]
    assert shown(again) is None and "A key is shown once." in text(again)
    assert shown(browser.get(LIST)) is None


def test_the_key_lies_encrypted_in_the_session_until_it_is_shown(browser):
    made = browser.post(f"{LIST}/new", WANTED)

    kept = dict(browser.session.items())
    assert "burki_" not in str(kept)
    browser.get(made.url)
    assert len(browser.session.items()) == len(kept) - 1


def test_a_key_may_live_for_ever(browser):
    browser.post(f"{LIST}/new", WANTED | {"lifetime": ""})

    assert ApiKey.objects.get().expires_at is None


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 101}, "at most 100 characters"),
        ({"name": "a\tb"}, "without control characters"),
        ({"scopes": []}, "Choose at least one thing"),
        ({"scopes": ["organization:members"]}, "is not one of the available choices"),
        ({"scopes": ["*"]}, "is not one of the available choices"),
        ({"lifetime": "36500"}, "is not one of the available choices"),
    ],
)
def test_a_form_that_is_wrong_makes_no_key(browser, wrong, told):
    response = browser.post(f"{LIST}/new", WANTED | wrong)

    assert response.status_code == 400
    assert told in text(response)
    assert not ApiKey.objects.exists()


def test_renaming_keeps_everything_else_and_is_on_record(browser, key):
    done = browser.post(f"{LIST}/{key.pk}", {"name": "nightly", "scopes": "*", "revoked_at": "x"})

    after = ApiKey.objects.get()
    assert (done.status_code, done.url) == (303, f"{LIST}/{key.pk}")
    assert (after.name, after.scopes, after.digest) == ("nightly", key.scopes, key.digest)
    event = AuditEvent.objects.get(action="api_key.changed")
    assert (event.user, event.data["name"]) == (browser.user, "nightly")


def test_revoking_asks_once_and_ends_the_key(browser, organization):
    key, secret = create_api_key(actor=SYSTEM, organization=organization, name="script")

    asked = browser.get(f"{LIST}/{key.pk}/revoke")
    assert "Revoke script?" in text(asked)
    assert as_program(secret).status_code == 200
    done = browser.post(f"{LIST}/{key.pk}/revoke", follow=True)

    assert as_program(secret).status_code == 401
    assert "is revoked. Programs that use it are refused now." in text(done)
    assert "Revoked" in text(done)
    assert browser.get(f"{LIST}/{key.pk}/revoke").status_code == 303
    assert AuditEvent.objects.filter(action="api_key.revoked", user=browser.user).count() == 1


def test_a_revoked_key_keeps_its_name(browser, key):
    browser.post(f"{LIST}/{key.pk}/revoke")

    told = browser.post(f"{LIST}/{key.pk}", {"name": "risen"}, follow=True)

    assert "This API key is revoked" in text(told)
    assert ApiKey.objects.get().name == "script"


def test_the_list_tells_the_state_of_each_key(browser, organization):
    gone = make_user(None, "", "gone@example.com")
    low = make_user(organization, "viewer", "low@example.com")
    make_key(organization, name="alive")
    make_key(organization, name="of a former member", created_by=gone)
    bounded = make_key(organization, name="of a viewer", created_by=low)
    ApiKey.objects.filter(name="alive").update(last_used_at=timezone.now())
    make_key(organization, name="old", expires_at=timezone.now() - timedelta(days=1))

    rows = re.findall(r"<tr>(.*?)</tr>", text(browser.get(LIST)), re.DOTALL)[1:]
    states = {
        re.search(r'class="main"[^>]*>([^<]+)', row)[1]: re.search(r"</svg>(\w+)</span>", row)[1]
        for row in rows
    }

    assert states == {
        "alive": "Active",
        "of a former member": "Stopped",
        "of a viewer": "Active",
        "old": "Expired",
    }
    assert "just now" in rows[-1] and "never used" in rows[0]
    page = text(browser.get(f"{LIST}/{bounded.pk}"))
    assert page.count("not now: the role of its maker lacks it") == len(bounded.scopes) - 2


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_lower_roles_neither_see_nor_change_keys(organization, key, role):
    browser = make_browser(organization, role)

    for path in ("", "/new", f"/{key.pk}", f"/{key.pk}/made", f"/{key.pk}/revoke"):
        assert browser.get(LIST + path).status_code == 403, path
    for path in ("/new", f"/{key.pk}", f"/{key.pk}/revoke"):
        assert browser.post(LIST + path, WANTED).status_code == 403, path
    assert LIST not in text(browser.get("/"))
    assert list(ApiKey.objects.values_list("name", "revoked_at")) == [("script", None)]


def test_another_organizations_key_is_not_found(other_organization, key):
    browser = make_browser(other_organization, "owner")

    for path in (f"/{key.pk}", f"/{key.pk}/made", f"/{key.pk}/revoke"):
        theirs, nobodys = browser.get(LIST + path), browser.get(LIST + path.replace("/", "/9", 1))
        assert theirs.status_code == nobodys.status_code == 404
        assert text(theirs) == text(nobodys)
    for path in (f"/{key.pk}", f"/{key.pk}/revoke"):
        assert browser.post(LIST + path, {"name": "mine"}).status_code == 404
    assert list(ApiKey.objects.values_list("name", "revoked_at")) == [("script", None)]
    assert key.prefix not in text(browser.get(LIST))


def test_two_hundred_keys_cost_as_many_queries_as_ten_and_are_paged(browser, organization, key):
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get(LIST).status_code == 200
        return len(caught)

    def more(start: int, count: int) -> None:
        person = make_user(organization, "member", f"p{start}@example.com")
        ApiKey.objects.bulk_create(
            ApiKey(
                organization=organization,
                name=f"key {n}",
                prefix="burki_000000",
                digest=f"{n}",
                scopes=key.scopes,
                created_by=person,
            )
            for n in range(start, start + count)
        )

    more(0, 10)
    few = queries()
    more(10, 190)
    assert queries() == few
    page = text(browser.get(LIST))
    assert page.count('class="main"') == 50 and 'rel="next"' in page
    assert len(page) < 150_000
