"""Who belongs to an organization: the rules, whoever asks and whenever."""

import pytest
from django.core import mail
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.errors import InvalidRequest, NotFound, PermissionDenied
from burki.testing import (
    SYSTEM,
    in_threads,
    make_browser,
    make_client,
    make_organization,
    make_user,
)
from organizations import permissions, tasks
from organizations.actors import Actor
from organizations.members import add_member, change_role, invite_again, remove_member
from organizations.models import AuditEvent, Membership, User
from organizations.services import create_api_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(organization) -> User:
    return make_user(organization, "owner")


def membership(user, organization) -> Membership:
    return Membership.objects.get(user=user, organization=organization)


def roles(organization) -> dict[str, str]:
    rows = Membership.objects.filter(organization=organization).select_related("user")
    return {row.user.email: row.role for row in rows}


def told() -> list[tuple]:
    events = AuditEvent.objects.filter(action__startswith="member.").order_by("pk")
    return [(event.action, event.user_id, event.data) for event in events]


def invitations() -> list[int]:
    jobs = ProcrastinateJob.objects.filter(task_name="organizations.tasks.send_invitation")
    return [job.args["membership_id"] for job in jobs.order_by("id")]


def add(organization, by, email="ann@example.com", role="member") -> Membership:
    return add_member(actor=Actor.for_user(by), organization=organization, email=email, role=role)


def test_a_new_person_becomes_a_member_and_gets_a_link(organization, owner):
    new = add(organization, owner, " Ann@Example.com ")

    assert roles(organization) == {"owner@example.com": "owner", "ann@example.com": "member"}
    assert not new.user.has_usable_password()
    assert told() == [("member.added", owner.pk, {"email": "ann@example.com", "role": "member"})]
    assert invitations() == [new.pk]
    tasks.send_invitation(membership_id=new.pk)
    (sent,) = mail.outbox
    assert sent.to == ["ann@example.com"]
    assert sent.subject == "You are a member of Acme at Burki Numbers"
    assert "https://burki.test/set-password/" in sent.body


def test_a_known_person_is_told_and_keeps_the_password(organization, other_organization, owner):
    ann = make_user(other_organization, "viewer", "ann@example.com")

    new = add(organization, owner, "ANN@example.com", "admin")

    assert new.user == ann
    assert roles(other_organization) == {"ann@example.com": "viewer"}
    tasks.send_invitation(membership_id=new.pk)
    assert "https://burki.test/sign-in" in mail.outbox[0].body
    assert "set-password" not in mail.outbox[0].body


def test_nobody_becomes_a_member_twice(organization, owner):
    add(organization, owner)

    with pytest.raises(InvalidRequest, match=r"ann@example\.com is a member already"):
        add(organization, owner, role="owner")

    assert roles(organization)["ann@example.com"] == "member"
    assert len(told()) == len(invitations()) == 1


@pytest.mark.parametrize(
    ("email", "role"),
    [("", "member"), ("ann", "member"), ("a@b", "member"), ("x" * 250 + "@example.com", "member"),
     ("ann\0@example.com", "member"), ("ann@example.com", "root"), ("ann@example.com", "")],
)  # fmt: skip
def test_what_makes_no_sense_adds_nobody(organization, owner, email, role):
    with pytest.raises(InvalidRequest) as caught:
        add(organization, owner, email, role)

    assert list(caught.value.facts["errors"]) == ["role" if role != "member" else "email"]
    assert roles(organization) == {"owner@example.com": "owner"}
    assert User.objects.count() == 1
    assert told() == invitations() == []


@pytest.mark.parametrize("role", ["viewer", "member", "admin"])
def test_only_owners_decide(organization, owner, role):
    actor = Actor.for_user(make_user(organization, role))
    of_owner = membership(owner, organization)

    for attempt in (
        lambda: add_member(actor=actor, organization=organization, email="x@y.zz", role="viewer"),
        lambda: change_role(actor=actor, membership=of_owner, role="viewer"),
        lambda: remove_member(actor=actor, membership=of_owner),
        lambda: invite_again(actor=actor, membership=of_owner),
    ):
        with pytest.raises(PermissionDenied, match="organization:members"):
            attempt()

    assert len(roles(organization)) == 2
    assert told() == invitations() == []


def test_an_owner_of_another_organization_decides_nothing_here(organization, owner):
    stranger = make_user(make_organization("Globex", accounts=False), "owner", "eve@example.com")

    with pytest.raises(PermissionDenied):
        remove_member(actor=Actor.for_user(stranger), membership=membership(owner, organization))
    with pytest.raises(PermissionDenied):
        add(organization, stranger)


def test_no_api_key_manages_members(organization, owner):
    key, _ = create_api_key(actor=SYSTEM, organization=organization, name="x", created_by=owner)

    with pytest.raises(PermissionDenied):
        add_member(
            actor=Actor.for_key(key), organization=organization, email="a@b.cc", role="viewer"
        )


def test_nobody_gives_or_takes_a_role_beyond_their_own(organization, owner, monkeypatch):
    """As the table stands only owners reach this far; the rule holds whatever it says."""
    boss = make_user(organization, "admin")
    wider = permissions.ROLE_SCOPES["admin"] | {permissions.MANAGE_MEMBERS}
    monkeypatch.setitem(permissions.ROLE_SCOPES, "admin", wider)
    monkeypatch.setitem(permissions.ROLE_SCOPES, "owner", wider | {"more"})

    for attempt in (
        lambda: add(organization, boss, role="owner"),
        lambda: change_role(
            actor=Actor.for_user(boss), membership=membership(boss, organization), role="owner"
        ),
        lambda: remove_member(
            actor=Actor.for_user(boss), membership=membership(owner, organization)
        ),
    ):
        with pytest.raises(PermissionDenied, match="may not decide about the role 'owner'"):
            attempt()

    assert roles(organization) == {"owner@example.com": "owner", "admin@example.com": "admin"}


def test_a_role_changes_and_the_same_again_is_no_news(organization, owner):
    ann = membership(make_user(organization, "viewer", "ann@example.com"), organization)

    for _ in range(2):
        change_role(actor=Actor.for_user(owner), membership=ann, role="admin")

    assert roles(organization)["ann@example.com"] == "admin"
    change = {"email": "ann@example.com", "before": "viewer", "role": "admin"}
    assert told() == [("member.role_changed", owner.pk, change)]


def test_the_last_owner_neither_leaves_nor_steps_down(organization, owner):
    """Somebody whose login is closed, or who never set a password, is no owner to rely on."""
    make_user(organization, "owner", "closed@example.com", is_active=False)
    add(organization, owner, "invited@example.com", "owner")
    mine, events = membership(owner, organization), len(told())

    with pytest.raises(InvalidRequest, match="the last owner who can sign in"):
        change_role(actor=Actor.for_user(owner), membership=mine, role="admin")
    with pytest.raises(InvalidRequest, match="the last owner who can sign in"):
        remove_member(actor=Actor.for_user(owner), membership=mine)

    assert roles(organization)["owner@example.com"] == "owner"
    assert len(told()) == events


def test_an_owner_leaves_when_another_stays(organization, owner):
    make_user(organization, "owner", "second@example.com")

    remove_member(actor=Actor.for_user(owner), membership=membership(owner, organization))

    assert roles(organization) == {"second@example.com": "owner"}
    assert User.objects.filter(pk=owner.pk, is_active=True).exists()


def test_a_removed_members_keys_may_do_nothing_any_more(organization, owner):
    ann = make_user(organization, "admin", "ann@example.com")
    client = make_client(organization, created_by=ann)
    assert client.get("/phone-numbers").status_code == 200

    remove_member(actor=Actor.for_user(owner), membership=membership(ann, organization))

    assert client.get("/phone-numbers").status_code == 403
    assert told()[-1] == (
        "member.removed", owner.pk, {"email": "ann@example.com", "role": "admin"},
    )  # fmt: skip


def test_who_is_gone_is_not_found(organization, owner):
    ann = membership(make_user(organization, "viewer", "ann@example.com"), organization)
    actor = Actor.for_user(owner)
    remove_member(actor=actor, membership=membership(ann.user, organization))

    for attempt in (
        lambda: change_role(actor=actor, membership=ann, role="admin"),
        lambda: remove_member(actor=actor, membership=ann),
        lambda: invite_again(actor=actor, membership=ann),
    ):
        with pytest.raises(NotFound):
            attempt()


def test_an_invitation_is_sent_again_until_a_password_is_set(organization, owner):
    ann = add(organization, owner)

    invite_again(actor=Actor.for_user(owner), membership=ann)
    ann.user.set_password("correct horse")
    ann.user.save()
    with pytest.raises(InvalidRequest, match="has a password already"):
        invite_again(actor=Actor.for_user(owner), membership=ann)

    assert invitations() == [ann.pk, ann.pk]


def test_an_organization_whose_name_has_lines_is_told_on_one(organization, owner):
    new = add(organization, owner)
    type(organization).objects.update(name="Acme\nBcc: eve@example.com")

    tasks.send_invitation(membership_id=new.pk)

    assert mail.outbox[0].subject == (
        "You are a member of Acme Bcc: eve@example.com at Burki Numbers"
    )
    assert mail.outbox[0].recipients() == ["ann@example.com"]


def test_an_invitation_of_somebody_who_was_removed_is_not_sent(organization, owner):
    tasks.send_invitation(membership_id=10**6)

    assert mail.outbox == []


def test_what_operators_change_in_the_admin_is_on_record(organization, owner):
    root = make_browser(None, "", email="root@example.com", is_staff=True, is_superuser=True)
    ann = membership(make_user(organization, "viewer", "ann@example.com"), organization)
    bob = make_user(None, "", "bob@example.com")
    rows = [
        {"id": membership(owner, organization).pk, "user": owner.pk, "role": "owner"},
        {"id": ann.pk, "user": ann.user.pk, "role": "viewer", "DELETE": "on"},
        {"id": "", "user": bob.pk, "role": "admin"},
    ]
    fields = {"memberships-TOTAL_FORMS": 3, "memberships-INITIAL_FORMS": 2}
    for n, row in enumerate(rows):
        fields |= {f"memberships-{n}-{name}": value for name, value in row.items()}
        fields[f"memberships-{n}-organization"] = organization.pk
    own = {"name": "Acme", "slug": "acme", "is_active": "on", "limit_currency": "USD",
           "settings": "{}"}  # fmt: skip

    done = root.post(f"/admin/organizations/organization/{organization.pk}/change/", own | fields)

    assert done.status_code == 302, done.content.decode()
    assert [event[0] for event in told()] == ["member.removed", "member.added"]
    assert roles(organization) == {"owner@example.com": "owner", "bob@example.com": "admin"}


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_demote_each_other_one_stays():
    organization = make_organization("Acme", accounts=False)
    people = [make_user(organization, "owner", f"{name}@example.com") for name in ("ann", "bob")]
    ann, bob = (membership(person, organization) for person in people)
    # Both were seen to be owners before either acts.
    actors = [Actor.for_user(person) for person in people]
    assert all("organization:members" in actor.scopes_in(organization) for actor in actors)

    results = in_threads(
        lambda: change_role(actor=actors[0], membership=bob, role="viewer"),
        lambda: change_role(actor=actors[1], membership=ann, role="viewer"),
    )

    assert sorted(roles(organization).values()) == ["owner", "viewer"]
    assert sorted(type(one).__name__ for one in results) == ["Membership", "PermissionDenied"]


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_who_leave_at_the_same_time_one_stays():
    organization = make_organization("Acme", accounts=False)
    people = [make_user(organization, "owner", f"{name}@example.com") for name in ("ann", "bob")]

    results = in_threads(
        *(
            lambda one=person: remove_member(
                actor=Actor.for_user(one), membership=membership(one, organization)
            )
            for person in people
        )
    )

    assert list(roles(organization).values()) == ["owner"]
    assert sorted(type(one).__name__ for one in results) == ["InvalidRequest", "NoneType"]


@pytest.mark.django_db(transaction=True)
def test_a_person_who_is_added_twice_at_once_is_one_member():
    organization = make_organization("Acme", accounts=False)
    owner = make_user(organization, "owner")

    results = in_threads(*[lambda: add(organization, owner)] * 4)

    assert sorted(type(one).__name__ for one in results) == ["InvalidRequest"] * 3 + ["Membership"]
    assert len(invitations()) == 1
