"""Setting numbers again as they should be: after a move, over what somebody else set, and back."""

import pytest

from burki.errors import PermissionDenied
from burki.testing import CONNECTION, PROFILE, SYSTEM, make_client, make_user
from numbers.exceptions import InventoryConflict, NotConfigured, ProviderError
from numbers.models import Finding, PhoneNumber, ProviderSetup
from numbers.services.proof import verify_number
from numbers.services.repairing import repair_number, restorable, restore_webhooks
from numbers.tests.inventories import (
    APPLICATION,
    ELSEWHERE,
    TRUNK,
    bought,
    changes_sent,
    connection_is,
    profile_is,
)
from numbers.tests.money import inside
from organizations.actors import Actor
from organizations.models import AuditEvent, ProviderAccount

BOTH = pytest.mark.parametrize("provider", ["twilio", "telnyx"])
OLD, NEW = "https://burki.test", "https://new.test"

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("patience")]


def repaired(number: PhoneNumber, **over):
    over = {"actor": SYSTEM} | over
    return repair_number(organization=number.organization, number=number, **over)


def application(sandbox, connection_id: str = CONNECTION, account: str = "KEYacme") -> dict:
    return sandbox._state.account(account)["applications"][connection_id]


def profile(sandbox, profile_id: str = PROFILE, account: str = "KEYacme") -> dict:
    return sandbox._state.account(account)["messaging_profiles"][profile_id]


def events(*actions: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action__in=actions).order_by("pk"))


# --- When the customer moves ----------------------------------------------------------------------


def test_a_twilio_number_is_set_to_the_new_address_and_so_is_its_row(
    organization, sandbox, settings
):
    number = bought(organization, "twilio")
    tag = number.status_callback.removeprefix(f"{OLD}/twilio-status")
    assert tag.startswith("?purchase=")
    settings.PUBLIC_BASE_URL = NEW

    done = repaired(number)

    assert (done.agrees, done.overwritten, done.left) == (True, {}, {})
    wanted = {
        "voice_url": f"{NEW}/twiml",
        "sms_url": f"{NEW}/twiml",
        "status_callback": f"{NEW}/twilio-status{tag}",
    }
    (there,) = sandbox.owned()
    row = PhoneNumber.objects.get()
    assert {name: there[name] for name in wanted} == wanted
    assert {name: getattr(row, name) for name in wanted} == wanted
    assert (row.webhook_verdict, row.webhook_base_url) == ("verified", NEW)
    (event,) = events("number.repairing")
    assert event.data["before"]["voice_url"] == f"{OLD}/twiml"
    assert "overwritten" not in event.data


def test_a_telnyx_number_moves_with_its_connection_and_profile(organization, sandbox, settings):
    number = verify_number(actor=SYSTEM, number=bought(organization, "telnyx"))
    settings.PUBLIC_BASE_URL = NEW
    sandbox.clear_requests()

    done = repaired(number)

    assert (done.agrees, done.overwritten) == (True, {})
    assert application(sandbox)["webhook_event_url"] == f"{NEW}/telnyx-webhook"
    assert profile(sandbox)["webhook_url"] == f"{NEW}/telnyx-webhook"
    assert sorted(request.path for request in changes_sent(sandbox)) == [
        f"/v2/call_control_applications/{CONNECTION}",
        f"/v2/messaging_profiles/{PROFILE}",
    ]
    assert done.number.webhook_verdict == "verified"


@BOTH
def test_repairing_again_sends_nothing(organization, sandbox, settings, provider):
    number = bought(organization, provider)
    settings.PUBLIC_BASE_URL = NEW
    repaired(number)
    sandbox.clear_requests()
    told = AuditEvent.objects.count()

    again = repaired(PhoneNumber.objects.get())

    assert (again.agrees, changes_sent(sandbox)) == (True, [])
    assert AuditEvent.objects.count() == told


def test_what_we_made_at_telnyx_is_kept_for_the_next_purchase(organization, sandbox, settings):
    organization.provider_accounts.update(connection_id="", messaging_profile_id="")
    number = verify_number(actor=SYSTEM, number=bought(organization, "telnyx"))
    settings.PUBLIC_BASE_URL = NEW

    repaired(number)

    assert ProviderSetup.objects.get().webhook_url == f"{NEW}/telnyx-webhook"
    sandbox.clear_requests()
    second = bought(organization, "telnyx", "+14155555601")
    assert second.connection_id == number.connection_id
    assert [r.path for r in sandbox.requests(method="POST")] == ["/v2/number_orders"]


def test_the_row_follows_only_as_far_as_the_provider_does(organization, sandbox, settings):
    number = bought(organization, "twilio")
    settings.PUBLIC_BASE_URL = NEW
    # Twilio accepts it and does nothing.
    sandbox.add_fault(method="POST", path="/IncomingPhoneNumbers/", status=200, body=sandbox_body())

    done = repaired(number)

    assert sorted(done.differences) == ["sms_url", "status_callback", "voice_url"]
    row = PhoneNumber.objects.get()
    assert (row.voice_url, row.webhook_verdict) == (f"{OLD}/twiml", "drifted")


def sandbox_body() -> dict:
    return {"sid": "PN" + "1" * 32, "phone_number": "+14155551234"}


@pytest.mark.django_db(transaction=True)
def test_a_row_that_somebody_changed_meanwhile_is_not_overwritten(
    organization, sandbox, settings, monkeypatch
):
    number = bought(organization, "twilio")
    settings.PUBLIC_BASE_URL = NEW
    rows = PhoneNumber.objects.filter(pk=number.pk)
    inside(monkeypatch, sandbox, lambda: rows.update(voice_url=ELSEWHERE), after=True)

    repaired(number)

    row = rows.get()
    assert (row.voice_url, row.sms_url) == (ELSEWHERE, f"{OLD}/twiml")
    assert row.webhook_verdict == ""


@pytest.mark.django_db(transaction=True)
def test_a_number_whose_release_begins_meanwhile_is_left_alone(organization, sandbox, monkeypatch):
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, voice_url="")
    rows = PhoneNumber.objects.filter(pk=number.pk)
    inside(monkeypatch, sandbox, lambda: rows.update(status="releasing"), method="GET")
    sandbox.clear_requests()

    with pytest.raises(InventoryConflict, match="is not active"):
        repaired(number)

    assert changes_sent(sandbox) == []


# --- What somebody else set -----------------------------------------------------------------------

FOREIGN = [
    ("twilio", {"voice_url": ELSEWHERE, "voice_method": "GET"}),
    ("twilio", {"sms_url": ELSEWHERE, "sms_application_sid": APPLICATION}),
    ("twilio", {"trunk_sid": TRUNK}),
    ("twilio", {"status_callback": ELSEWHERE, "status_callback_method": "GET"}),
    ("telnyx", {"connection_id": "9999999999999999999"}),
]


@pytest.mark.parametrize(("provider", "theirs"), FOREIGN)
def test_what_somebody_else_set_is_overwritten_kept_and_put_back(
    organization, sandbox, provider, theirs
):
    number = bought(organization, provider)
    (ours,) = sandbox.owned()
    sandbox.alter(number.phone_number, **theirs)

    done = repaired(number)

    assert {name: pair["theirs"] for name, pair in done.overwritten.items()} == theirs
    assert done.agrees
    (set_now,) = sandbox.owned()
    assert {name: set_now[name] or None for name in theirs} == {
        name: ours.get(name) or None for name in theirs
    }
    (event,) = events("number.repairing")
    assert event.data["overwritten"] == theirs
    assert restorable(number) == theirs

    restored = restore_webhooks(actor=SYSTEM, number=done.number)

    (there,) = sandbox.owned()
    assert {name: there[name] for name in theirs} == theirs
    assert restored.webhook_verdict == "drifted"
    assert set(restored.webhook_differences) == set(theirs)
    told = events("number.restoring", "number.restored")
    assert [event.data.get("restored") for event in told] == [None, theirs]
    assert told[0].data["putting_back"] == theirs


def test_a_connection_and_a_profile_of_somebody_else_are_put_back_too(organization, sandbox):
    number = bought(organization, "telnyx")
    connection_is(sandbox, webhook_event_url=ELSEWHERE, webhook_api_version="1")
    profile_is(sandbox, webhook_url="https://elsewhere.test/sms")

    done = repaired(number)

    assert done.agrees
    theirs = {
        "connection_webhook_url": ELSEWHERE,
        "connection_api_version": "1",
        "profile_webhook_url": "https://elsewhere.test/sms",
    }
    assert restorable(number) == theirs
    assert application(sandbox)["webhook_event_url"] == f"{OLD}/telnyx-webhook"
    assert application(sandbox)["application_name"] == "Desk"

    restored = restore_webhooks(actor=SYSTEM, number=done.number)

    there = application(sandbox)
    assert (there["webhook_event_url"], there["webhook_api_version"]) == (ELSEWHERE, "1")
    assert profile(sandbox)["webhook_url"] == "https://elsewhere.test/sms"
    assert set(restored.webhook_differences) == set(theirs)


def test_a_connection_that_is_switched_off_is_switched_on(organization, sandbox):
    number = bought(organization, "telnyx")
    connection_is(sandbox, active=False)
    profile_is(sandbox, enabled=False)

    assert repaired(number).agrees
    assert (application(sandbox)["active"], profile(sandbox)["enabled"]) == (True, True)


@pytest.mark.parametrize(("provider", "theirs"), FOREIGN)
def test_without_overwriting_what_somebody_else_set_is_left_alone(
    organization, sandbox, provider, theirs
):
    number = bought(organization, provider)
    sandbox.alter(number.phone_number, **theirs)
    sandbox.clear_requests()

    done = repaired(number, overwrite=False)

    assert {name: pair["theirs"] for name, pair in done.left.items()} == theirs
    assert (done.agrees, done.overwritten, changes_sent(sandbox)) == (False, {}, [])
    assert (events("number.repairing"), restorable(number)) == ([], {})
    assert done.number.webhook_verdict == "drifted"


def test_our_own_part_is_repaired_beside_what_is_left_alone(organization, sandbox, settings):
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, voice_url=ELSEWHERE)
    settings.PUBLIC_BASE_URL = NEW

    done = repaired(number, overwrite=False)

    (there,) = sandbox.owned()
    assert (there["voice_url"], there["sms_url"]) == (ELSEWHERE, f"{NEW}/twiml")
    assert list(done.differences) == list(done.left) == ["voice_url"]
    row = PhoneNumber.objects.get()
    assert (row.voice_url, row.sms_url) == (f"{OLD}/twiml", f"{NEW}/twiml")
    assert Finding.objects.open().get().details == done.differences
    # The next repair still knows what is ours, although row and provider are between two moves.
    settings.PUBLIC_BASE_URL = "https://third.test"
    again = repaired(PhoneNumber.objects.get(), overwrite=False)
    assert list(again.left) == ["voice_url"]
    assert sandbox.owned()[0]["sms_url"] == "https://third.test/twiml"


def test_nothing_is_put_back_twice_or_when_there_is_nothing(organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.clear_requests()
    with pytest.raises(InventoryConflict, match="Nothing was overwritten"):
        restore_webhooks(actor=SYSTEM, number=number)
    assert sandbox.requests() == []

    sandbox.alter(number.phone_number, voice_url=ELSEWHERE)
    repaired(number)
    restore_webhooks(actor=SYSTEM, number=number)
    sandbox.clear_requests()

    with pytest.raises(InventoryConflict, match="Nothing was overwritten"):
        restore_webhooks(actor=SYSTEM, number=number)
    assert (sandbox.requests(), restorable(number)) == ([], {})


def test_a_later_repair_of_our_own_does_not_forget_what_was_overwritten(
    organization, sandbox, settings
):
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, voice_url=ELSEWHERE)
    repaired(number)
    settings.PUBLIC_BASE_URL = NEW
    repaired(PhoneNumber.objects.get())

    assert restorable(number) == {"voice_url": ELSEWHERE}


@pytest.mark.parametrize(
    "theirs", ["https://me:hunter2@elsewhere.test/", f"https://elsewhere.test/{'x' * 600}"]
)
def test_what_was_not_kept_whole_is_not_put_back(organization, sandbox, theirs):
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, voice_url=theirs)
    repaired(number)
    sandbox.clear_requests()

    with pytest.raises(InventoryConflict, match="was not kept"):
        restore_webhooks(actor=SYSTEM, number=number)

    assert sandbox.requests() == []
    assert "hunter2" not in str(list(AuditEvent.objects.values_list("data", flat=True)))


def test_a_restore_that_fails_is_told_and_can_be_repeated(organization, sandbox):
    number = bought(organization, "twilio")
    sandbox.alter(number.phone_number, voice_url=ELSEWHERE)
    repaired(number)
    sandbox.add_fault(method="POST", status=500)

    with pytest.raises(ProviderError):
        restore_webhooks(actor=SYSTEM, number=number)

    assert len(events("number.restore_failed")) == 1
    assert restorable(number) == {"voice_url": ELSEWHERE}
    assert restore_webhooks(actor=SYSTEM, number=number).webhook_verdict == "drifted"


def test_a_connection_that_is_gone_cannot_be_set(organization, sandbox):
    number = bought(organization, "telnyx")
    gone = "1888888888888888888"
    sandbox.alter(number.phone_number, connection_id=gone)
    PhoneNumber.objects.update(connection_id=gone)
    sandbox.clear_requests()

    with pytest.raises(NotConfigured) as error:
        repaired(PhoneNumber.objects.get())

    assert f"{gone} in this account any more" in error.value.hint
    assert changes_sent(sandbox) == []


def test_what_the_customer_chose_is_repaired_to_that(organization, sandbox, settings):
    client = make_client(organization)
    number = bought(organization, "telnyx")
    body = {"phone_number": str(number), "voice_webhook_url": ELSEWHERE, "disable_sms": True}
    assert client.put("/phone-numbers/webhooks", body, format="json").status_code == 200
    number.refresh_from_db()
    application(sandbox, number.connection_id)["webhook_event_url"] = "https://third.test/"
    sandbox.alter(number.phone_number, messaging_profile_id=PROFILE)
    settings.PUBLIC_BASE_URL = NEW

    done = repaired(number)

    assert done.agrees
    assert application(sandbox, number.connection_id)["webhook_event_url"] == ELSEWHERE
    assert not sandbox.owned()[0]["messaging_profile_id"]
    theirs = {"connection_webhook_url": "https://third.test/", "messaging_profile_id": PROFILE}
    assert restorable(number) == theirs
    restore_webhooks(actor=SYSTEM, number=done.number)
    assert sandbox.owned()[0]["messaging_profile_id"] == PROFILE


# --- Whose it is ----------------------------------------------------------------------------------


@pytest.fixture
def platform(organization, sandbox, settings) -> PhoneNumber:
    """A number of Acme in the platform's account, on the connection that everybody there shares."""
    organization.provider_accounts.all().delete()
    settings.TELNYX_API_KEY = "KEYplatform.1-0123456789abcd"
    settings.TELNYX_CONNECTION_ID, settings.TELNYX_MESSAGING_PROFILE_ID = CONNECTION, PROFILE
    return bought(organization, "telnyx")


def elsewhere(sandbox, connection_id: str) -> None:
    fields = {"id": connection_id, "application_name": "Shared", "webhook_event_url": ELSEWHERE}
    sandbox.set_account("KEYplatform", connections=[fields])


def test_what_the_platform_shares_is_set_by_its_operator_alone(organization, sandbox, platform):
    elsewhere(sandbox, CONNECTION)
    owner = Actor.for_user(make_user(organization, "owner"))
    boss = Actor.for_user(make_user(None, "boss", is_superuser=True))
    sandbox.clear_requests()

    for actor in (owner, make_client_actor(organization)):
        with pytest.raises(PermissionDenied, match="shares its connection"):
            repaired(platform, actor=actor)
    assert changes_sent(sandbox) == []

    done = repaired(platform, actor=boss)
    assert done.agrees
    sandbox.clear_requests()
    with pytest.raises(PermissionDenied, match="shares its connection"):
        restore_webhooks(actor=owner, number=done.number)
    assert changes_sent(sandbox) == []


def make_client_actor(organization) -> Actor:
    key = make_client(organization).key
    return Actor.for_key(organization.api_keys.get(prefix=key[: len("burki_") + 6]))


def test_what_was_made_for_the_organization_is_its_own_to_repair(
    organization, sandbox, settings, platform
):
    settings.TELNYX_CONNECTION_ID = ""
    number = bought(organization, "telnyx", "+14155555601")
    assert number.connection_id != CONNECTION
    elsewhere(sandbox, number.connection_id)
    member = Actor.for_user(make_user(organization, "member"))

    assert repaired(number, actor=member).agrees
    assert ProviderAccount.objects.get().organization is None


@BOTH
def test_restoring_needs_the_right_to_write_numbers(
    organization, other_organization, sandbox, provider
):
    number = bought(organization, provider)
    name = {"twilio": "voice_url", "telnyx": "connection_id"}[provider]
    sandbox.alter(number.phone_number, **{name: "9999999999999999999"})
    repaired(number)
    sandbox.clear_requests()

    for somebody in (make_user(organization, "viewer"), make_user(other_organization, "owner")):
        with pytest.raises(PermissionDenied):
            restore_webhooks(actor=Actor.for_user(somebody), number=number)

    assert sandbox.requests() == []


def test_a_connection_of_the_customers_own_is_his_to_repair_also_at_the_platform(
    organization, sandbox, platform
):
    body = {"phone_number": str(platform), "voice_webhook_url": "https://desk.example/calls"}
    response = make_client(organization).put("/phone-numbers/webhooks", body, format="json")
    assert response.status_code == 200
    platform.refresh_from_db()
    elsewhere(sandbox, platform.connection_id)
    member = Actor.for_user(make_user(organization, "member"))

    assert repaired(platform, actor=member).agrees
    there = application(sandbox, platform.connection_id, "KEYplatform")
    assert there["webhook_event_url"] == "https://desk.example/calls"
