"""The owners' page of members: what it shows, what it changes, and for whom."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from burki.testing import SYSTEM, make_browser, make_user
from organizations.models import Membership, User
from organizations.services import create_api_key

pytestmark = pytest.mark.django_db

LIST = "/settings/members"


@pytest.fixture
def browser(organization):
    return make_browser(organization, "owner")


@pytest.fixture
def ann(organization) -> Membership:
    user = make_user(organization, "admin", "ann@example.com", full_name="Ann Lee")
    return Membership.objects.get(user=user)


def text(response) -> str:
    return response.content.decode()


def everybody() -> list[tuple]:
    rows = Membership.objects.order_by("pk")
    return list(rows.values_list("organization__slug", "user__email", "role"))


def test_an_owner_adds_a_member(browser):
    done = browser.post(f"{LIST}/add", {"email": "Bob@example.com", "role": "viewer"}, follow=True)

    assert done.redirect_chain == [(LIST, 303)]
    assert "bob@example.com is a member now and is told by e-mail." in text(done)
    assert "Invited" in text(done)
    assert everybody()[-1] == ("acme", "bob@example.com", "viewer")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"email": "", "role": "viewer"}, "This field is required."),
        ({"email": "bob", "role": "viewer"}, "Enter a valid email address."),
        ({"email": "bob@example.com", "role": "root"}, "is not one of the available choices"),
        ({"email": "ANN@example.com", "role": "viewer"}, "ann@example.com is a member already."),
    ],
)
def test_a_wrong_form_adds_nobody(browser, ann, given, told):
    before = everybody()

    answer = browser.post(f"{LIST}/add", given)

    assert answer.status_code == 400
    assert told in text(answer)
    assert everybody() == before
    assert User.objects.count() == 2


def test_a_role_is_changed_and_nothing_else(browser, ann, other_organization):
    done = browser.post(
        f"{LIST}/{ann.pk}",
        {"role": "viewer", "user": browser.user.pk, "organization": other_organization.pk},
        follow=True,
    )

    assert done.redirect_chain == [(f"{LIST}/{ann.pk}", 303)]
    assert "Ann Lee is viewer now." in text(done)
    assert ("acme", "ann@example.com", "viewer") in everybody()


def test_removing_asks_once_and_names_the_keys_that_stop(browser, ann, organization):
    create_api_key(actor=SYSTEM, organization=organization, name="nightly", created_by=ann.user)

    asked = text(browser.get(f"{LIST}/{ann.pk}/remove"))
    assert len(everybody()) == 2
    done = browser.post(f"{LIST}/{ann.pk}/remove", follow=True)

    assert "Remove Ann Lee?" in asked
    assert "1 API key stops working:</strong> nightly." in asked
    assert "A key never exceeds the present role of its maker." in asked
    assert "Ann Lee is no member of Acme any more." in text(done)
    assert [email for _, email, _ in everybody()] == [browser.user.email]


def test_the_last_owner_is_told_why_they_stay(browser):
    mine = Membership.objects.get(user=browser.user)

    for path, given in (("", {"role": "admin"}), ("/remove", {})):
        done = browser.post(f"{LIST}/{mine.pk}{path}", given, follow=True)
        assert "is the last owner who can sign in. Make somebody else an owner" in text(done)
    assert everybody() == [("acme", browser.user.email, "owner")]


def test_an_owner_who_steps_down_or_leaves_lands_where_they_may_be(browser, organization):
    make_user(organization, "owner", "second@example.com")
    mine = Membership.objects.get(user=browser.user)

    assert browser.post(f"{LIST}/{mine.pk}", {"role": "admin"}).url == "/"
    mine.role = "owner"
    mine.save()
    left = browser.post(f"{LIST}/{mine.pk}/remove", follow=True)
    assert "You are in no organization yet" in text(left)


def test_an_invitation_is_sent_again_a_few_times(browser):
    browser.post(f"{LIST}/add", {"email": "bob@example.com", "role": "viewer"})
    bob = Membership.objects.get(user__email="bob@example.com")
    assert "Send invitation again" in text(browser.get(f"{LIST}/{bob.pk}"))

    told = [text(browser.post(f"{LIST}/{bob.pk}/invite", follow=True)) for _ in range(4)]

    assert ["gets a new link" in page for page in told] == [True, True, True, False]
    assert "Sent often enough. Wait 15 minutes." in told[-1]


GETS = ("", "/add", "/{pk}", "/{pk}/remove")
POSTS = ("/add", "/{pk}", "/{pk}/remove", "/{pk}/invite")
GIVEN = {"email": "eve@example.com", "role": "owner"}


@pytest.mark.parametrize("role", ["viewer", "member", "admin"])
def test_lower_roles_neither_see_nor_change_members(role, organization, ann):
    browser = make_browser(organization, role)
    before = everybody()

    for path in GETS:
        answer = browser.get(LIST + path.format(pk=ann.pk))
        assert answer.status_code == 403
        assert "Manage members and limits" in text(answer)
    for path in POSTS:
        assert browser.post(LIST + path.format(pk=ann.pk), GIVEN).status_code == 403

    assert LIST not in text(browser.get("/"))
    assert everybody() == before


def test_another_organizations_member_is_not_found(other_organization, ann):
    browser = make_browser(other_organization, "owner")
    before = everybody()

    for path in GETS[2:]:
        theirs, nobodys = (browser.get(LIST + path.format(pk=pk)) for pk in (ann.pk, 10**6))
        assert theirs.status_code == nobodys.status_code == 404
        assert text(theirs) == text(nobodys)
    for path in POSTS[1:]:
        assert browser.post(LIST + path.format(pk=ann.pk), GIVEN).status_code == 404

    assert everybody() == before
    assert "ann@example.com" not in text(browser.get(LIST))


def test_two_hundred_members_cost_as_many_queries_as_ten_and_are_paged(browser, organization):
    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            assert browser.get(LIST).status_code == 200
        return len(caught)

    def more(start: int, count: int) -> None:
        people = User.objects.bulk_create(
            User(email=f"p{n}@example.com", password="!") for n in range(start, start + count)
        )
        Membership.objects.bulk_create(
            Membership(organization=organization, user=user, role="viewer") for user in people
        )

    more(0, 10)
    few = queries()
    more(10, 190)
    assert queries() == few
    page = text(browser.get(LIST))
    assert page.count('class="main"') == 50 and 'rel="next"' in page
    assert len(page) < 150_000
