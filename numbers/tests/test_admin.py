"""The Django admin: what it shows, and what it refuses."""

import re
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from burki.testing import SYSTEM, make_user
from numbers import jobs
from numbers.exceptions import PurchaseUncertain, ReleaseUncertain
from numbers.models import BulkPurchase, PhoneNumber, Purchase, Release
from numbers.services.release import release_number
from numbers.tests.money import buy, deletes
from organizations.models import AuditEvent, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def superuser(db):
    return make_user(None, "boss", is_staff=True, is_superuser=True)


@pytest.fixture
def browser(client, superuser, settings):
    browser = Client()
    browser.force_login(superuser)
    return browser


def test_ledgers_can_only_be_read(browser, organization, sandbox):
    buy(organization)
    purchase = Purchase.objects.get()

    for address in (
        f"/admin/numbers/purchase/{purchase.pk}/",
        f"/admin/numbers/phonenumber/{purchase.number_id}/",
        f"/admin/organizations/auditevent/{AuditEvent.objects.first().pk}/",
    ):
        assert browser.post(f"{address}delete/", {"post": "yes"}).status_code == 403
        assert browser.post(f"{address}change/", {}).status_code == 403
    assert browser.get("/admin/numbers/phonenumber/add/").status_code == 403


def test_a_stored_secret_is_kept_when_its_field_is_left_empty(browser, organization):
    account = organization.provider_accounts.get(provider="twilio")
    body = {"label": "Main", "secret": "", "make_default": "on", "is_active": "on"}

    browser.post(f"/admin/organizations/provideraccount/{account.pk}/change/", body)

    account.refresh_from_db()
    assert account.label == "Main"
    assert account.secret == "twilio-token-of-acme-7f3a"


def test_an_assistants_webhook_must_be_one_that_messages_can_be_sent_to(
    browser, assistant, settings
):
    settings.ALLOW_PRIVATE_WEBHOOKS = False
    page = f"/admin/assistants/assistant/{assistant.pk}/change/"
    form = {"name": "Desk", "language": "en-US", "is_active": "on"}

    refused = browser.post(page, form | {"sms_webhook_url": "https://10.0.0.1/sms"})

    assert (refused.status_code, "10.0.0.1 is not a public" in refused.content.decode()) == (
        200,
        True,
    )
    assistant.refresh_from_db()
    assert assistant.sms_webhook_url == ""
    old = "http://acme.example/sms"  # from before it was refused
    type(assistant).objects.update(sms_webhook_url=old)
    assert browser.post(page, form | {"sms_webhook_url": old}).status_code == 302


def member_form(organization, *members, **over) -> dict:
    """The page of an organization as it is saved, with its members: (row's id, user, role)."""
    prefix = "memberships"
    body = {
        "name": organization.name,
        "slug": organization.slug,
        "settings": "{}",
        "limit_currency": "USD",
        "is_active": "on",
        f"{prefix}-TOTAL_FORMS": len(members),
        f"{prefix}-INITIAL_FORMS": sum(1 for pk, _, _ in members if pk),
    }
    for n, (pk, user, role) in enumerate(members):
        row = {"id": pk, "organization": organization.pk, "user": user.pk, "role": role}
        body |= {f"{prefix}-{n}-{name}": value for name, value in row.items()}
    return body | over


def test_the_audit_tells_each_change_of_a_member(browser, organization):
    page = f"/admin/organizations/organization/{organization.pk}/change/"
    ada = make_user(None, "", "ada@example.com")

    assert browser.post(page, member_form(organization, ("", ada, "viewer"))).status_code == 302
    (row,) = organization.memberships.all()
    browser.post(page, member_form(organization, (row.pk, ada, "admin")))
    gone = {"memberships-0-DELETE": "on"}
    browser.post(page, member_form(organization, (row.pk, ada, "admin"), **gone))

    events = AuditEvent.objects.filter(action__startswith="member.").order_by("pk")
    assert [(e.action, e.data["role"], e.data["email"], e.object_id) for e in events] == [
        ("member.added", "viewer", "ada@example.com", str(row.pk)),
        ("member.role_changed", "admin", "ada@example.com", str(row.pk)),
        ("member.removed", "admin", "ada@example.com", str(row.pk)),
    ]
    assert {(e.organization, e.actor_label) for e in events} == {(organization, "boss@example.com")}


def test_the_audit_tells_of_logins_and_their_passwords(browser):
    users = "/admin/organizations/user/"
    secret = {"password1": "a-long-word-77", "password2": "a-long-word-77"}

    browser.post(f"{users}add/", {"email": "ada@example.com", "usable_password": "true"} | secret)
    ada = User.objects.get(email="ada@example.com")
    browser.post(f"{users}{ada.pk}/password/", {"usable_password": "true"} | secret)

    events = AuditEvent.objects.filter(object_id=str(ada.pk), object_type="organizations.User")
    assert list(events.order_by("pk").values_list("action", flat=True)) == [
        "user.added",
        "user.changed",
    ]
    assert "a-long-word-77" not in str(list(events.values()))


# --- Actions that ask first -----------------------------------------------------------------------


def act(browser, model: str, action: str, *rows, **over):
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    return browser.post(f"/admin/numbers/{model}/", chosen | over, follow=True)


def said(response) -> list[str]:
    return [str(message) for message in response.context["messages"]]


def confirmed(page) -> dict:
    key = re.search(r'name="key" value="([^"]+)"', page.content.decode()).group(1)
    return {"post": "yes", "key": key}


def test_releasing_asks_first_names_what_it_saves_and_gives_each_back(
    browser, organization, sandbox
):
    numbers = [buy(organization, p).purchase.number for p in ("twilio", "telnyx")]
    sandbox.clear_requests()

    asked = act(browser, "phonenumber", "release", *numbers)
    assert "it stops costing, calls to it fail" in asked.content.decode()
    assert deletes(sandbox) == 0
    done = act(browser, "phonenumber", "release", *numbers, **confirmed(asked))
    again = act(browser, "phonenumber", "release", *numbers, **confirmed(asked))

    assert sorted(said(done)) == sorted(f"{n.phone_number} is released." for n in numbers)
    assert said(again) == said(done)
    assert deletes(sandbox) == 2
    assert set(PhoneNumber.objects.values_list("status", flat=True)) == {"released"}
    keys = Release.objects.values_list("idempotency_key", flat=True)
    assert all(key.startswith("admin:") for key in keys)
    assert AuditEvent.objects.filter(action="release.claimed", ip="127.0.0.1").count() == 2


def test_a_release_whose_page_was_changed_is_not_sent(browser, organization, sandbox):
    number = buy(organization).purchase.number

    response = act(browser, "phonenumber", "release", number, post="yes", key="x")

    assert said(response) == [
        f"{number.phone_number}: This page was changed on its way here. Nothing was done."
    ]
    assert deletes(sandbox) == 0


def test_releasing_needs_its_own_permission(organization, sandbox):
    number = buy(organization).purchase.number
    staff = make_user(organization, "owner", is_staff=True)
    view = ["view_phonenumber", "purchase_phonenumber", "act_on_finding"]
    staff.user_permissions.set(Permission.objects.filter(codename__in=view))
    browser = Client()
    browser.force_login(staff)

    page = browser.get("/admin/numbers/phonenumber/").content.decode()
    act(browser, "phonenumber", "release", number, post="yes", key=str(uuid.uuid4()))

    assert '<option value="repair">Repair webhooks</option>' in page
    assert '<option value="release">' not in page
    assert deletes(sandbox) == 0


def test_purchases_in_doubt_are_settled_from_their_list(browser, organization, sandbox):
    with pytest.raises(PurchaseUncertain):
        buy(organization, phone_number="+14155550011")
    doubtful, done = Purchase.objects.get(), buy(organization).purchase

    asked = act(browser, "purchase", "settle", doubtful, done)
    assert Purchase.objects.get(pk=doubtful.pk).state == "uncertain"
    told = said(act(browser, "purchase", "settle", doubtful, done, **confirmed(asked)))

    assert sorted(told) == [
        "+14155550011 is left for you to decide on its page. "
        "The provider has neither the order nor the number.",
        "+14155551234: This purchase is completed: there is nothing to decide.",
    ]


def test_releases_are_settled_from_their_list(browser, organization, sandbox):
    number = buy(organization).purchase.number
    sandbox.add_fault(method="DELETE", status=503)
    with pytest.raises(ReleaseUncertain):
        release_number(
            actor=SYSTEM,
            organization=organization,
            phone_number=number.phone_number,
            provider=None,
            idempotency_key=None,
        )
    release = Release.objects.get()

    told = said(act(browser, "release", "settle", release, post="yes"))

    release.refresh_from_db()
    assert told == [f"{number.phone_number} is {release.state}."]
    again = said(act(browser, "release", "settle", release, post="yes"))
    assert len(again) == 1 and again[0].startswith(f"{number.phone_number} is ")


def make_bulk(organization, **over) -> BulkPurchase:
    fields = {"provider": "twilio", "quantity": 3, "idempotency_key": str(uuid.uuid4())}
    return BulkPurchase.objects.create(organization=organization, **(fields | over))


def test_buying_many_is_stopped_from_its_list_after_asking(browser, organization):
    running, done = make_bulk(organization), make_bulk(organization, state="completed")

    asked = act(browser, "bulkpurchase", "stop", running, done)
    assert "what it has bought stays bought" in asked.content.decode()
    assert f"The purchase of 3 numbers from twilio ({running.pk})" in asked.content.decode()
    assert BulkPurchase.objects.get(pk=running.pk).state == "running"
    told = said(act(browser, "bulkpurchase", "stop", running, done, **confirmed(asked)))

    assert sorted(told) == sorted([
        f"The purchase of 3 numbers from twilio ({running.pk}) is stopped.",
        f"The purchase of 3 numbers from twilio ({done.pk}): "
        "This bulk purchase is completed already.",
    ])  # fmt: skip
    states = dict(BulkPurchase.objects.values_list("pk", "state"))
    assert states == {running.pk: "cancelled", done.pk: "completed"}
    (event,) = AuditEvent.objects.filter(action="bulk.cancelled")
    assert (event.actor_label, event.object_id) == ("boss@example.com", str(running.pk))


def test_stopping_needs_the_permission_to_buy(organization):
    running = make_bulk(organization)
    staff = make_user(organization, "owner", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_bulkpurchase"))
    browser = Client()
    browser.force_login(staff)

    act(browser, "bulkpurchase", "stop", running, post="yes", key=str(uuid.uuid4()))

    assert BulkPurchase.objects.get(pk=running.pk).state == "running"


def test_nobody_cancels_a_job_and_only_superusers_retry_one(browser, organization):
    staff = make_user(organization, "owner", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_procrastinatejob"))
    other = Client()
    other.force_login(staff)
    jobs.check_account_later(1, after=timedelta(hours=1))
    page = "/admin/procrastinate/procrastinatejob/"

    theirs, ours = (one.get(page).content.decode() for one in (other, browser))

    assert "check_account" in theirs
    assert '<option value="retry">' in ours and '<option value="retry">' not in theirs
    assert 'value="cancel"' not in ours and 'value="abort"' not in ours
    assert "style=" not in ours
