"""Giving numbers to assistants and taking them away, in the words that existing clients know."""

import pytest

from burki.testing import (
    TELNYX_NUMBER,
    TWILIO_NUMBER,
    make_assistant,
    make_client,
    make_organization,
)
from numbers.models import PhoneNumber
from numbers.tests.inventories import ORPHAN, account_of, bought, changes_sent, own
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db

ALL = "/api/v1/assistants"
OTHER_ID = 987654321


@pytest.fixture
def number(organization):
    return make(organization, TWILIO_NUMBER)


@pytest.fixture
def other(organization):
    return make_assistant(organization, "Sales")


def make(organization, phone_number, provider="twilio", **over):
    fields = {
        "provider": provider,
        "phone_number": phone_number,
        "friendly_name": phone_number,
        "account": organization.provider_accounts.get(provider=provider),
        "status": "active",
        "provider_number_id": f"PN{phone_number[-9:]:0>32}",
    } | over
    return PhoneNumber.objects.create(organization=organization, **fields)


def post(client, path, body=None):
    return client.post(f"{ALL}/{path}", body, format="json")


def assigned(number):
    number.refresh_from_db()
    return number.assistant_id


def events(action):
    return [event.data for event in AuditEvent.objects.filter(action=action).order_by("pk")]


def said(response):
    return response.status_code, response.json()["detail"]


# --- By the number's id ---------------------------------------------------------------------------


def test_a_number_is_given_to_an_assistant(client, number, assistant, sandbox):
    response = post(client, f"{assistant.pk}/phone-numbers/{number.pk}/assign")

    assert (response.status_code, response.json()) == (
        200,
        {
            "success": True,
            "message": "Phone number successfully assigned to assistant 'Support'",
            "data": {
                "phone_number_id": number.pk,
                "phone_number": TWILIO_NUMBER,
                "assistant_id": assistant.pk,
                "assistant_name": "Support",
                "friendly_name": TWILIO_NUMBER,
                "previous_assistant_id": None,
            },
        },
    )
    assert assigned(number) == assistant.pk
    assert number.assigned_at is not None
    assert events("number.assigned") == [{"assistant_id": assistant.pk, "assistant": "Support"}]
    assert sandbox.requests() == []


def test_it_moves_from_another_and_says_so(client, number, assistant, other):
    post(client, f"{assistant.pk}/phone-numbers/{number.pk}/assign")

    answer = post(client, f"{other.pk}/phone-numbers/{number.pk}/assign").json()

    assert answer["data"]["previous_assistant_id"] == assistant.pk
    assert assigned(number) == other.pk
    assert events("number.assigned")[1] == {
        "assistant_id": other.pk,
        "assistant": "Sales",
        "from_assistant_id": assistant.pk,
        "from_assistant": "Support",
    }


def test_assigning_twice_changes_nothing_the_second_time(client, number, assistant):
    path = f"{assistant.pk}/phone-numbers/{number.pk}/assign"
    first = post(client, path).json()
    assigned(number)
    since = number.assigned_at

    assert post(client, path).json() == first
    assigned(number)
    assert number.assigned_at == since
    assert len(events("number.assigned")) == 1


def test_a_number_is_taken_away(client, number, assistant):
    path = f"{assistant.pk}/phone-numbers/{number.pk}"
    post(client, f"{path}/assign")

    response = post(client, f"{path}/unassign")

    assert response.json()["message"] == (
        "Phone number successfully unassigned from assistant 'Support'"
    )
    assert response.json()["data"]["assistant_id"] == assistant.pk
    assert assigned(number) is None and number.assigned_at is None
    assert events("number.unassigned") == [{"assistant_id": assistant.pk, "assistant": "Support"}]


def test_what_is_not_the_assistants_is_not_taken_away(client, number, assistant, other):
    path = f"{assistant.pk}/phone-numbers/{number.pk}/unassign"
    assert said(post(client, path)) == (
        400,
        f"Phone number {TWILIO_NUMBER} is not assigned to any assistant",
    )
    post(client, f"{other.pk}/phone-numbers/{number.pk}/assign")
    assert said(post(client, path)) == (
        400,
        f"Phone number {TWILIO_NUMBER} is not assigned to this assistant",
    )
    assert assigned(number) == other.pk
    assert events("number.unassigned") == []


@pytest.mark.parametrize("verb", ["assign", "unassign"])
@pytest.mark.parametrize("wanted", [OTHER_ID, 0, 10**18, 10**40])
def test_what_is_not_there(client, number, assistant, verb, wanted):
    assert said(post(client, f"{wanted}/phone-numbers/{number.pk}/{verb}")) == (
        404,
        f"Assistant with ID {wanted} not found in your organization",
    )
    assert said(post(client, f"{assistant.pk}/phone-numbers/{wanted}/{verb}")) == (
        404,
        "Phone number not found",
    )
    assert post(client, f"{assistant.pk}/phone-numbers/abc/{verb}").status_code == 404


@pytest.mark.parametrize("verb", ["assign", "unassign"])
def test_another_tenants_assistant_and_number_are_not_there(
    client, number, assistant, other_organization, verb
):
    theirs = make(other_organization, TELNYX_NUMBER, "telnyx")
    stranger = make_assistant(other_organization, "Stranger")
    stranger_client = make_client(other_organization)

    assert post(client, f"{assistant.pk}/phone-numbers/{theirs.pk}/{verb}").status_code == 404
    assert post(client, f"{stranger.pk}/phone-numbers/{number.pk}/{verb}").status_code == 404
    path = f"{assistant.pk}/phone-numbers/{number.pk}/{verb}"
    assert post(stranger_client, path).status_code == 404
    assert assigned(number) is assigned(theirs) is None


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        ("active", 200),
        ("pending", 200),
        ("releasing", (409, f"Phone number {TWILIO_NUMBER} is being released.")),
        ("released", (409, f"Phone number {TWILIO_NUMBER} was released.")),
        ("claimed", (404, "Phone number not found")),
    ],
)
def test_only_a_number_that_is_there_or_coming_can_be_assigned(
    client, organization, assistant, status, answer
):
    number = make(organization, TWILIO_NUMBER, status=status)

    response = post(client, f"{assistant.pk}/phone-numbers/{number.pk}/assign")

    if answer == 200:
        assert (response.status_code, assigned(number)) == (200, assistant.pk)
    else:
        assert (said(response), assigned(number)) == (answer, None)
        assert events("number.assigned") == []


def test_a_number_that_is_being_released_may_be_taken_away(client, organization, assistant):
    number = make(organization, TWILIO_NUMBER, status="releasing", assistant=assistant)

    assert post(client, f"{assistant.pk}/phone-numbers/{number.pk}/unassign").status_code == 200


# --- As the JavaScript client does it -------------------------------------------------------------


def test_the_assistant_may_be_in_the_body(client, number, assistant):
    path = f"phonenumbers/{number.pk}"

    answer = post(client, f"{path}/assign", {"assistantId": assistant.pk}).json()
    assert (answer["success"], assigned(number)) == (True, assistant.pk)
    answer = post(client, f"{path}/unassign").json()
    assert (answer["data"]["assistant_name"], assigned(number)) == ("Support", None)


@pytest.mark.parametrize(
    "body", [{}, {"assistantId": "1"}, {"assistantId": 0}, {"assistantId": True}]
)
def test_an_assistant_in_the_body_must_be_one(client, number, body):
    response = post(client, f"phonenumbers/{number.pk}/assign", body)

    assert said(response) == (400, "assistant_id must be a positive integer (e.g., 123)")


# --- Many at once ---------------------------------------------------------------------------------


def test_many_numbers_at_once(client, organization, assistant):
    rows = [make(organization, f"+1415555500{n}") for n in range(3)]
    ids = [row.pk for row in rows]

    answer = post(client, f"{assistant.pk}/phone-numbers/bulk-assign", [*ids, ids[0]]).json()

    assert answer == {
        "success": True,
        "message": "Successfully assigned all 3 phone numbers to assistant 'Support'",
        "data": {
            "successes": [
                {"phone_number_id": row.pk, "phone_number": row.phone_number} for row in rows
            ],
            "total_assigned": 3,
        },
    }
    assert [assigned(row) for row in rows] == [assistant.pk] * 3
    assert len(events("number.assigned")) == 3


def test_what_cannot_be_assigned_hinders_no_other(
    client, organization, assistant, other_organization
):
    good = make(organization, "+14155555001")
    leaving = make(organization, "+14155555002", status="releasing")
    theirs = make(other_organization, "+14155555003")

    ids = [good.pk, leaving.pk, theirs.pk, 10**40]
    response = post(client, f"{assistant.pk}/phone-numbers/bulk-assign", ids)

    assert response.status_code == 200
    assert response.json() == {
        "success": True,
        "message": "Assigned 1 phone numbers successfully. 3 failed.",
        "data": {
            "successes": [{"phone_number_id": good.pk, "phone_number": "+14155555001"}],
            "failures": [
                {
                    "phone_number_id": leaving.pk,
                    "error": "Phone number +14155555002 is being released.",
                },
                {"phone_number_id": theirs.pk, "error": "Phone number not found"},
                {"phone_number_id": 10**40, "error": "Phone number not found"},
            ],
            "total_requested": 4,
            "successful_count": 1,
            "failed_count": 3,
        },
    }
    assert (assigned(good), assigned(leaving), assigned(theirs)) == (assistant.pk, None, None)


def test_when_none_can_be_assigned_it_is_no_success(client, assistant):
    answer = post(client, f"{assistant.pk}/phone-numbers/bulk-assign", [OTHER_ID]).json()

    assert answer["success"] is False
    assert answer["message"] == "Assigned 0 phone numbers successfully. 1 failed."


IDS = "Phone number IDs must be positive integers (e.g., [1, 2])"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("[]", "No phone number IDs provided"),
        ("", "No phone number IDs provided"),
        ('["1"]', IDS),
        ("[1.5]", IDS),
        ("[true]", IDS),
        ("[0]", IDS),
        ("[-1]", IDS),
        ("[null]", IDS),
        ("[[1]]", IDS),
        ('{"ids": [1]}', "The request body must be a JSON array."),
        ("1", "The request body must be a JSON array."),
        ("[1", None),
        ("[" * 100_000, "JSON parse error - nested too deeply"),
        (str(list(range(1, 502))), "At most 500 phone numbers can be assigned at a time"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_list_that_makes_no_sense(client, assistant, body, sentence):
    path = f"{ALL}/{assistant.pk}/phone-numbers/bulk-assign"

    response = client.generic("POST", path, body, content_type="application/json")

    assert response.status_code == 400
    assert sentence in (None, response.json()["detail"])
    assert events("number.assigned") == []


def test_a_list_that_is_too_large(client, assistant):
    path = f"{ALL}/{assistant.pk}/phone-numbers/bulk-assign"
    body = "[" + "1," * 600_000 + "1]"

    assert client.generic("POST", path, body, content_type="application/json").status_code == 413


def test_many_numbers_for_an_assistant_that_is_not_there(client, number):
    assert said(post(client, f"{OTHER_ID}/phone-numbers/bulk-assign", [number.pk])) == (
        404,
        f"Assistant with ID {OTHER_ID} not found in your organization",
    )


# --- By the number itself -------------------------------------------------------------------------


def by_number(client, assistant_id, phone_number=TWILIO_NUMBER, verb="assign", **body):
    path = f"{assistant_id}/phone-numbers/{verb}-by-number"
    return post(client, path, {"phone_number": phone_number} | body)


def test_a_number_is_assigned_by_itself(client, number, assistant, sandbox):
    answer = by_number(client, assistant.pk, f"  {TWILIO_NUMBER} ").json()

    assert answer == {
        "success": True,
        "message": f"Phone number {TWILIO_NUMBER} successfully assigned to assistant 'Support'",
        "data": {
            "phone_number": TWILIO_NUMBER,
            "phone_number_id": number.pk,
            "assistant_id": assistant.pk,
            "assistant_name": "Support",
            "friendly_name": TWILIO_NUMBER,
            "was_synced": False,
        },
    }
    assert assigned(number) == assistant.pk
    assert sandbox.requests() == []


def test_one_that_another_has_is_left_to_it(client, number, assistant, other, sandbox):
    by_number(client, other.pk)

    response = by_number(client, assistant.pk, friendly_name="Mine")

    assert response.status_code == 200
    assert response.json()["success"] is False
    assert (
        response.json()["message"] == f"Phone number {TWILIO_NUMBER} is already assigned to Sales"
    )
    assert assigned(number) == other.pk
    assert number.friendly_name == TWILIO_NUMBER
    assert sandbox.requests() == []


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_with_a_name_it_gets_that_too(client, organization, assistant, sandbox, provider):
    number = bought(organization, provider)
    sandbox.clear_requests()

    answer = by_number(client, assistant.pk, str(number), friendly_name=" Front desk ").json()

    assert answer["data"]["friendly_name"] == "Front desk"
    assert events("number.renamed") == [{"before": str(number), "after": "Front desk"}]
    assert len(changes_sent(sandbox)) == (1 if provider == "twilio" else 0)


PLUS = "Phone number must be in E.164 format (start with +)"
DIGITS = "Phone number must contain only digits after the + symbol"
LENGTH = "Phone number must be between 7 and 15 digits long"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"phone_number": "4155551234"}, PLUS),
        ({"phone_number": ""}, PLUS),
        ({"phone_number": None}, PLUS),
        ({"phone_number": 1415}, PLUS),
        ({"phone_number": "+1415-555"}, DIGITS),
        ({"phone_number": "+1415\0555"}, DIGITS),
        ({"phone_number": "+١٢٣٤٥٦٧"}, DIGITS),
        ({"phone_number": "+"}, LENGTH),
        ({"phone_number": "+123456"}, LENGTH),
        ({"phone_number": "+1234567890123456"}, LENGTH),
        ({"auto_sync": "yes"}, "must be true or false"),
        ({"friendly_name": "x" * 65}, None),
        ({"friendly_name": "a\0b"}, None),
    ],
    ids=str,
)  # fmt: skip
def test_a_number_is_checked_as_existing_clients_expect(
    client, number, assistant, sandbox, body, sentence
):
    response = by_number(client, assistant.pk, **({"phone_number": TWILIO_NUMBER} | body))

    assert response.status_code == 400
    assert sentence in (None, response.json()["detail"])
    assert assigned(number) is None
    assert sandbox.requests() == []


def test_a_number_that_is_not_here_without_auto_sync(client, assistant, sandbox):
    assert said(by_number(client, assistant.pk, ORPHAN, auto_sync=False)) == (
        404,
        f"Phone number {ORPHAN} not found in local database. "
        "Try setting auto_sync=true or sync manually first",
    )
    assert sandbox.requests() == []


@pytest.mark.parametrize("provider", ["twilio", "telnyx"])
def test_a_number_that_only_our_own_account_has_is_adopted_first(
    client, organization, assistant, sandbox, provider
):
    own(sandbox, account_of(organization, provider))

    answer = by_number(client, assistant.pk, ORPHAN).json()

    assert answer["success"] is answer["data"]["was_synced"] is True
    assert "warning" in answer["data"]  # its calls go elsewhere until it is repaired
    number = PhoneNumber.objects.get(phone_number=ORPHAN)
    assert (number.provider, number.assistant) == (provider, assistant)
    assert len(events("number.adopted")) == 1
    assert changes_sent(sandbox) == []
    assert by_number(client, assistant.pk, ORPHAN).json()["data"]["was_synced"] is False


def test_a_number_that_nobody_has(client, organization, assistant, sandbox):
    assert said(by_number(client, assistant.pk, ORPHAN)) == (
        404,
        f"Phone number {ORPHAN} not found in your Twilio or Telnyx account or local database "
        "after sync attempt",
    )
    organization.provider_accounts.filter(provider="telnyx").delete()
    assert said(by_number(client, assistant.pk, ORPHAN)) == (
        404,
        f"Phone number {ORPHAN} not found in your Twilio account or local database after sync "
        "attempt",
    )


def test_an_assistant_that_is_not_there_adopts_nothing(client, organization, sandbox):
    own(sandbox, account_of(organization, "twilio"))

    assert by_number(client, OTHER_ID, ORPHAN).status_code == 404
    assert PhoneNumber.objects.count() == 0
    assert sandbox.requests() == []


def test_an_account_that_does_not_answer_is_told_unless_another_has_the_number(
    client, organization, assistant, sandbox
):
    sandbox.add_fault(path="IncomingPhoneNumbers", status=401, times=None)

    response = by_number(client, assistant.pk, ORPHAN)
    assert (response.status_code, response.json()["code"]) == (500, "invalid_credentials")
    assert response.json()["detail"].startswith("Failed to sync from Twilio: ")

    own(sandbox, account_of(organization, "telnyx"))
    assert by_number(client, assistant.pk, ORPHAN).json()["success"] is True


def test_a_number_that_another_tenant_holds_is_not_taken(
    client, organization, assistant, other_organization, sandbox
):
    own(sandbox, account_of(organization, "twilio"))
    theirs = make(other_organization, ORPHAN)

    response = by_number(client, assistant.pk, ORPHAN)

    assert (response.status_code, response.json()["code"]) == (409, "inventory_conflict")
    assert "Globex" not in response.content.decode()
    assert assigned(theirs) is None


def test_without_any_account_nobody_is_asked(sandbox):
    organization = make_organization("Poor", accounts=False)
    assistant = make_assistant(organization)

    response = by_number(make_client(organization), assistant.pk, ORPHAN)

    assert (response.status_code, response.json()["code"]) == (500, "not_configured")
    assert sandbox.requests() == []


def test_a_number_is_unassigned_by_itself(client, number, assistant, other):
    assert said(by_number(client, assistant.pk, verb="unassign")) == (
        400,
        f"Phone number {TWILIO_NUMBER} is not assigned to any assistant",
    )
    by_number(client, assistant.pk)
    assert said(by_number(client, other.pk, verb="unassign")) == (
        400,
        f"Phone number {TWILIO_NUMBER} is not assigned to this assistant",
    )

    answer = by_number(client, assistant.pk, verb="unassign").json()

    assert answer == {
        "success": True,
        "message": f"Phone number {TWILIO_NUMBER} successfully unassigned from assistant 'Support'",
        "data": {
            "phone_number": TWILIO_NUMBER,
            "phone_number_id": number.pk,
            "assistant_id": assistant.pk,
            "assistant_name": "Support",
        },
    }
    assert assigned(number) is None


def test_unassigning_what_is_not_there(client, assistant, other_organization, sandbox):
    make(other_organization, TWILIO_NUMBER)

    assert said(by_number(client, assistant.pk, verb="unassign")) == (
        404,
        f"Phone number {TWILIO_NUMBER} not found in your organization",
    )
    assert said(by_number(client, OTHER_ID, verb="unassign")) == (
        404,
        f"Assistant with ID {OTHER_ID} not found in your organization",
    )
    assert sandbox.requests() == []
