"""Verified caller ids: numbers of others that an organization's own account may call from."""

from datetime import timedelta
from functools import partial

import pytest
from django.db import connection
from django.db.models import F

from burki.testing import (
    in_threads,
    make_client,
    make_organization,
    make_twilio_account,
    orders_sent,
)
from numbers.models import CallerIdCall, PhoneNumber, VerifiedCallerId
from numbers.providers import twilio_caller_ids
from numbers.tests.inventories import account_of, changes_sent
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db

BASE = "/api/v1/phone-numbers/organization"
SYNC, ADD = f"{BASE}/sync-verified-caller-ids", f"{BASE}/add-verified-caller-id"
LIST = "/api/v1/assistants/organization/phone-numbers"
CALLER = "+14155550777"
E164 = "Phone number must be in E.164 format (e.g., +1234567890)"
FORM = "application/x-www-form-urlencoded"
PATH = "OutgoingCallerIds"


def add(client, number=CALLER, **body):
    return client.post(ADD, {"phone_number": number} | body, format="json")


def sync(client):
    """As the package does it: no body, labelled as JSON."""
    return client.generic("POST", SYNC, "", content_type="application/json")


def listed(client):
    return client.get(LIST, {"is_verified_caller_id": "true"}).json()


# --- Adding ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "label"),
    [
        ('{"phone_number": "+14155550777", "friendly_name": "Desk"}', "application/json"),
        ('{"phone_number": "+14155550777", "friendly_name": "Desk"}', FORM),
        ("phone_number=%2B14155550777&friendly_name=Desk", FORM),
        ("phone_number=%2B14155550777&friendly_name=Desk", "application/json"),
        ("phone_number=+14155550777&friendly_name=Desk", f"{FORM}; charset=utf-8"),
    ],
    ids=["JSON", "JSON called a form", "form", "form called JSON", "a plus that is not encoded"],
)
@pytest.mark.parametrize("prefix", ["", "/api/v1"])
def test_every_kind_of_body_is_understood(client, organization, sandbox, body, label, prefix):
    path = f"{prefix}/phone-numbers/organization/add-verified-caller-id"

    response = client.generic("POST", path, body, content_type=label)

    assert response.status_code == 200, response.json()
    answer = response.json()
    code = answer.pop("validation_code")
    assert len(code) == 6 and code.isdecimal()
    assert answer == {
        "success": True,
        "message": f"Twilio is calling {CALLER}: enter the validation code, then sync.",
        "phone_number": CALLER,
    }
    (sent,) = sandbox.requests()
    assert sent.account == account_of(organization, "twilio").account_sid
    assert sent.body == {"PhoneNumber": CALLER, "FriendlyName": "Desk"}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("", E164),
        ("{}", E164),
        ('{"phone_number": 14155550777}', E164),
        ("phone_number=4155550777", E164),
        ("phone_number=%2B1415%00", E164),
        ("[]", "The request body must be a JSON object."),
        ('{"phone_number": ', None),
        ("phone_number=%FF", "The request body must be a JSON object or a form."),
        ("a=1&" * 101, "The request body must be a JSON object or a form."),
        ("phone_number=%2B14155550777&friendly_name=" + "x" * 65, None),
        ("phone_number=%2B14155550777&friendly_name=%00", None),
        ("[" * 100_000, "JSON parse error - nested too deeply"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
@pytest.mark.parametrize("label", ["application/json", FORM])
def test_a_body_that_makes_no_sense_calls_nobody(client, sandbox, body, sentence, label):
    response = client.generic("POST", ADD, body, content_type=label)

    assert response.status_code == 400
    assert sentence in (None, response.json()["detail"])
    assert response.json()["code"] in ("invalid_request", "invalid_json")
    assert sandbox.requests() == []


def test_a_body_that_is_too_large_or_of_another_kind_calls_nobody(client, sandbox):
    big = "phone_number=%2B14155550777&x=" + "x" * 1024 * 1024
    assert client.generic("POST", ADD, big, content_type=FORM).status_code == 413
    assert client.post(ADD, {"phone_number": CALLER}, format="multipart").status_code == 415
    assert sandbox.requests() == []


def a_minute_passes() -> None:
    CallerIdCall.objects.update(called_at=F("called_at") - timedelta(seconds=60))


def test_a_telephone_rings_once_a_minute_at_most(client, organization, other_organization, sandbox):
    sandbox.add_fault(method="POST", path=PATH, action="drop")  # perhaps it rang
    assert add(client).status_code == 500
    sandbox.clear_requests()
    another = make_client(organization)
    events = AuditEvent.objects.count()

    again = add(client)
    other_key = add(another, friendly_name="Another")

    for response in (again, other_key):
        wait = int(response["Retry-After"])
        assert (response.status_code, 1 <= wait <= 60) == (429, True)
        assert response.json() == {
            "detail": f"{CALLER} was called less than a minute ago. Try again in {wait} seconds.",
            "code": "throttled",
        }
    assert (sandbox.requests(), AuditEvent.objects.count()) == ([], events)
    assert add(client, "+14155550778").status_code == 200
    assert add(make_client(other_organization)).status_code == 200
    a_minute_passes()
    assert add(client).status_code == 200
    assert set(CallerIdCall.objects.values_list("phone_number", "organization")) == {
        (CALLER, organization.pk), (CALLER, other_organization.pk),
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_of_many_who_ask_at_once_one_makes_it_ring(client, organization, sandbox):
    clients = [client, *(make_client(organization) for _ in range(3))]

    answers = in_threads(*(partial(add, one) for one in clients))

    assert sorted(answer.status_code for answer in answers) == [200, 429, 429, 429]
    assert len(changes_sent(sandbox)) == 1


def test_what_twilio_refused_did_not_ring_and_may_be_asked_again(client, sandbox):
    sandbox.add_fault(method="POST", path=PATH, status=401)
    assert add(client).json()["code"] == "invalid_credentials"

    assert add(client).status_code == 200


def test_a_number_that_is_verified_already_says_so(client, sandbox):
    add(client)
    a_minute_passes()

    response = add(client)

    assert (response.status_code, response.json()["code"]) == (409, "already_verified")
    assert response.json()["hint"] == "Sync the verified caller ids."


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 401}, "invalid_credentials"),
        ({"status": 429}, "rate_limited"),
        ({"status": 500}, "provider_unreachable"),
        ({"action": "drop"}, "provider_unreachable"),
        ({"action": "hang"}, "provider_unreachable"),
        ({"action": "garbage"}, "provider_unreachable"),
        ({"status": 200, "body": {}}, "provider_unreachable"),
        ({"status": 200, "body": {"phone_number": "+1", "validation_code": "1"}},
         "provider_unreachable"),
    ],
    ids=str,
)  # fmt: skip
def test_a_failure_is_told_and_asked_once(client, sandbox, fault, code):
    sandbox.add_fault(method="POST", path=PATH, **fault)

    response = add(client)

    assert (response.status_code, response.json()["code"]) == (500, code)
    assert response.json()["detail"] == f"Failed to verify caller ID {CALLER} with twilio"
    assert len(changes_sent(sandbox)) == 1


def test_a_number_that_twilio_does_not_know_is_the_callers_mistake(client, sandbox):
    sandbox.add_fault(method="POST", path=PATH, status=400, code=21401)

    response = add(client)

    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
    assert response.json()["detail"] == f"Twilio cannot call {CALLER}: it is no number."


def test_the_code_is_in_the_answer_and_nowhere_else(client, sandbox, caplog):
    code = add(client).json()["validation_code"]

    (event,) = AuditEvent.objects.filter(action="caller_id.verifying")
    assert event.data == {"phone_number": CALLER}
    assert code not in caplog.text
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, ' ') FROM organizations_auditevent t")
        assert code not in cursor.fetchone()[0].replace(CALLER, "")


# --- Synchronizing --------------------------------------------------------------------------------


def test_what_twilio_lists_is_copied_and_what_it_no_longer_lists_goes(
    client, organization, sandbox
):
    for n in range(3):
        add(client, f"+1415555070{n}", friendly_name=f"Desk {n}")

    answer = sync(client).json()

    assert answer == {
        "success": True,
        "message": "Successfully synced 3 verified caller IDs",
        "synced_count": 3,
        "added_count": 3,
        "removed_count": 0,
    }
    assert [row["friendly_name"] for row in listed(client)] == ["Desk 2", "Desk 1", "Desk 0"]
    kept = VerifiedCallerId.objects.get(phone_number="+14155550701")
    with sandbox._state.lock:
        for record in list(sandbox._state.caller_ids.values()):
            if record["phone_number"] != kept.phone_number:
                del sandbox._state.caller_ids[record["id"]]
            else:
                record["friendly_name"] = "Front desk"

    assert sync(client).json()["removed_count"] == 2
    (row,) = listed(client)
    assert (row["id"], row["friendly_name"]) == (kept.pk, "Front desk")
    events = AuditEvent.objects.filter(action="caller_ids.synced").order_by("pk")
    assert [event.data for event in events] == [
        {"listed": 3, "added": 3, "removed": 0},
        {"listed": 1, "added": 0, "removed": 2},
    ]
    assert sync(client).json()["added_count"] == 0
    assert AuditEvent.objects.filter(action="caller_ids.synced").count() == 2


def test_every_page_is_read(client, sandbox, monkeypatch):
    monkeypatch.setattr(twilio_caller_ids, "_PAGE", 2)
    for n in range(5):
        add(client, f"+1415555070{n}")
    sandbox.clear_requests()

    assert sync(client).json()["synced_count"] == 5
    assert len(sandbox.requests()) == 3


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 401},
        {"status": 500},
        {"action": "drop"},
        {"action": "garbage"},
        {"body": {}},
        {"body": {"outgoing_caller_ids": []}},
        {"body": {"outgoing_caller_ids": None, "next_page_uri": None}},
        {"body": {"outgoing_caller_ids": [{"sid": "PN1"}], "next_page_uri": None}},
    ],
    ids=str,
)
def test_anything_but_a_complete_list_changes_nothing(client, sandbox, monkeypatch, fault):
    monkeypatch.setattr(twilio_caller_ids, "_PAGE", 2)
    for n in range(3):
        add(client, f"+1415555070{n}")
    sync(client)
    sandbox.add_fault(method="GET", path=PATH, headers={"X-Good": "1"})
    sandbox.add_fault(method="GET", path=PATH, **fault)

    response = sync(client)

    assert response.status_code == 500
    assert response.json()["detail"] == "Failed to sync verified caller IDs from twilio"
    assert VerifiedCallerId.objects.count() == 3


def test_a_caller_id_is_listed_apart_and_is_no_number(client, organization, assistant, sandbox):
    add(client, friendly_name="Desk")
    sync(client)

    (item,) = listed(client)
    assert item.pop("created_at").endswith("Z") and item.pop("updated_at").endswith("Z")
    assert item == {
        "id": item["id"],
        "phone_number": CALLER,
        "friendly_name": "Desk",
        "provider": "twilio",
        "provider_number_id": item["twilio_sid"],
        "twilio_sid": VerifiedCallerId.objects.get().provider_id,
        "provider_account_id": account_of(organization, "twilio").pk,
        "is_active": True,
        "is_verified_caller_id": True,
        "capabilities": {"voice": True, "sms": False, "mms": False, "fax": False},
        "sip_trunk_id": None,
        "allowed_country_codes": None,
        "assistant": None,
        "flow": None,
    }
    assert client.get(LIST).json() == []
    assert client.get("/phone-numbers").json()["items"] == []
    assert PhoneNumber.objects.count() == 0
    assign = f"/api/v1/assistants/{assistant.pk}/phone-numbers/{item['id']}/assign"
    assert client.post(assign).status_code == 404
    change = client.patch(f"{LIST}/{item['id']}", {"assistant_id": assistant.pk}, format="json")
    assert change.status_code == 404
    assert orders_sent(sandbox) == []


def test_no_caller_id_has_the_id_of_a_number(client, sandbox):
    add(client)
    sync(client)

    assert VerifiedCallerId.objects.get().pk >= 10**12


def test_tenants_do_not_see_each_others(client, other_organization, sandbox):
    add(client)
    sync(client)
    stranger = make_client(other_organization)

    assert sync(stranger).json()["synced_count"] == 0
    assert listed(stranger) == []
    assert len(listed(client)) == 1


@pytest.mark.parametrize("how", ["none", "disabled", "the platform's"])
def test_without_a_twilio_account_of_its_own_nobody_is_asked(sandbox, settings, how):
    organization = make_organization("Poor", accounts=False)
    if how == "disabled":
        make_twilio_account(organization, is_active=False)
    if how == "the platform's":
        settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = "AC" + "e" * 32, "token"
    client = make_client(organization)

    for response in (add(client), sync(client)):
        assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
        assert response.json()["detail"] == (
            "Twilio credentials not configured for this organization"
        )
        assert response.json()["hint"]
    assert sandbox.requests() == []
