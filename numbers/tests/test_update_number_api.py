"""Renaming a number, at its provider too, and giving it to an assistant in the same request."""

import pytest

from burki.testing import make_client
from numbers.models import PhoneNumber
from numbers.tests.inventories import bought, changes_sent
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db

PROVIDERS = ("twilio", "telnyx")
NOTHING = "Nothing to change: give friendly_name or assistant_id"
ASSISTANT_ID = "assistant_id must be a positive integer (e.g., 123), or 0 to unassign"


@pytest.fixture(params=["by number", "by number in v1", "by id"])
def path(request):
    def path_of(number):
        return {
            "by number": f"/phone-numbers/{number}",
            "by number in v1": f"/api/v1/phone-numbers/{number}",
            "by id": f"/api/v1/assistants/organization/phone-numbers/{number.pk}",
        }[request.param]

    return path_of


def patch(client, path, **body):
    return client.patch(path, body, format="json")


def shown(response):
    """The number in the answer, which one of the paths wraps."""
    assert response.status_code == 200, response.json()
    answer = response.json()
    return answer.get("phone_number") if "success" in answer else answer


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_number_is_renamed_here_and_where_names_are_kept(
    client, organization, sandbox, path, provider
):
    number = bought(organization, provider)
    sandbox.clear_requests()

    response = patch(client, path(number), friendly_name="  Front desk 🛎 ")

    assert shown(response)["friendly_name"] == "Front desk 🛎"
    number.refresh_from_db()
    assert number.friendly_name == "Front desk 🛎"
    sent = [(r.path.rpartition("/")[2], r.body) for r in changes_sent(sandbox)]
    if provider == "twilio":
        expected = {"FriendlyName": "Front desk 🛎"}
        assert sent == [(f"{number.provider_number_id}.json", expected)]
    else:
        assert sandbox.requests() == []
    (event,) = AuditEvent.objects.filter(action="number.renamed")
    assert event.data == {"before": str(number), "after": "Front desk 🛎"}


def test_the_answer_by_id_is_wrapped(client, organization, sandbox):
    number = bought(organization, "telnyx")

    answer = patch(
        client,
        f"/api/v1/assistants/organization/phone-numbers/{number.pk}",
        friendly_name="Desk",
        flow_id=3,
        sip_trunk_id="",
    ).json()

    assert answer["success"] is True
    assert answer["message"] == f"Phone number {number} updated successfully"
    assert answer["phone_number"]["id"] == number.pk


def test_an_empty_name_is_the_number_itself(client, organization, sandbox, path):
    number = bought(organization, "twilio")
    patch(client, path(number), friendly_name="Desk")

    assert shown(patch(client, path(number), friendly_name="   "))["friendly_name"] == str(number)


def test_it_is_given_to_an_assistant_and_taken_away(client, organization, assistant, sandbox, path):
    number = bought(organization, "twilio")
    sandbox.clear_requests()

    given = shown(patch(client, path(number), assistant_id=assistant.pk))
    assert given["assistant"] == {"id": assistant.pk, "name": "Support", "is_active": True}
    kept = shown(patch(client, path(number), assistant_id=None, friendly_name="Desk"))
    assert kept["assistant_id"] == assistant.pk
    for _ in range(2):  # taking away what nobody has is no error
        assert shown(patch(client, path(number), assistant_id=0))["assistant"] is None
    assert AuditEvent.objects.filter(action="number.unassigned").count() == 1
    assert len(changes_sent(sandbox)) == 1  # the name


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, NOTHING),
        ({"friendly_name": None, "assistant_id": None}, NOTHING),
        ({"flow_id": 3}, NOTHING),
        ({"assistant_id": "1"}, ASSISTANT_ID),
        ({"assistant_id": -1}, ASSISTANT_ID),
        ({"assistant_id": True}, ASSISTANT_ID),
        ({"assistant_id": 1.0}, ASSISTANT_ID),
        ({"friendly_name": 5}, None),
        ({"friendly_name": "x" * 65}, None),
        ({"friendly_name": "a\0"}, None),
        ({"friendly_name": "two\nlines"}, None),
    ],
    ids=str,
)
def test_a_change_that_makes_no_sense(client, organization, sandbox, path, body, sentence):
    number = bought(organization, "twilio")
    sandbox.clear_requests()

    response = patch(client, path(number), **body)

    assert response.status_code == 400
    assert sentence in (None, response.json()["detail"])
    assert sandbox.requests() == []


@pytest.mark.parametrize("wanted", [987654321, 10**40])
def test_an_assistant_that_is_not_there_renames_nothing(
    client, organization, sandbox, path, wanted
):
    number = bought(organization, "twilio")
    sandbox.clear_requests()

    response = patch(client, path(number), assistant_id=wanted, friendly_name="Desk")

    assert (response.status_code, response.json()["detail"]) == (
        404,
        f"Assistant with ID {wanted} not found in your organization",
    )
    number.refresh_from_db()
    assert number.friendly_name == str(number)
    assert sandbox.requests() == []


def test_nobody_elses_number(client, organization, other_organization, sandbox, path):
    number = bought(organization, "twilio")
    sandbox.clear_requests()

    response = patch(make_client(other_organization), path(number), friendly_name="Mine")

    assert response.status_code == 404
    assert sandbox.requests() == []


@pytest.mark.parametrize("wanted", ["0", str(10**40), "abc", "-1"])
def test_a_number_id_that_is_not_there(client, wanted):
    path = f"/api/v1/assistants/organization/phone-numbers/{wanted}"

    assert patch(client, path, friendly_name="x").status_code == 404


@pytest.mark.parametrize("status", ["releasing", "released"])
def test_a_number_that_goes_or_is_gone(client, organization, sandbox, status):
    number = bought(organization, "twilio")
    PhoneNumber.objects.update(status=status)
    sandbox.clear_requests()

    path = f"/api/v1/assistants/organization/phone-numbers/{number.pk}"
    response = patch(client, path, friendly_name="Desk")

    assert (response.status_code, response.json()["code"]) == (409, "number_conflict")
    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 401}, "invalid_credentials"),
        ({"status": 404}, "provider_error"),
        ({"status": 429}, "rate_limited"),
        ({"status": 500}, "provider_unreachable"),
        ({"action": "drop"}, "provider_unreachable"),
        ({"action": "garbage"}, "provider_unreachable"),
    ],
    ids=str,
)
def test_when_twilio_does_not_take_the_name_nothing_of_ours_changes(
    client, organization, assistant, sandbox, path, fault, code
):
    number = bought(organization, "twilio")
    before = PhoneNumber.objects.values().get(pk=number.pk)
    sandbox.add_fault(method="POST", path="IncomingPhoneNumbers", **fault)

    response = patch(client, path(number), friendly_name="Desk", assistant_id=assistant.pk)

    assert (response.status_code, response.json()["code"]) == (500, code)
    assert response.json()["detail"] == f"Failed to rename phone number {number} at twilio"
    assert PhoneNumber.objects.values().get(pk=number.pk) == before
    assert patch(client, path(number), friendly_name="Desk").status_code == 200


def test_a_number_whose_own_id_is_not_known_is_looked_up(client, organization, sandbox, path):
    number = bought(organization, "twilio")
    sandbox.disown(str(number))
    again = sandbox.own(
        provider="twilio", account=number.account.account_sid, phone_number=str(number)
    )
    twin = PhoneNumber.objects.filter(pk=number.pk)
    twin.update(status="released")
    row = PhoneNumber.objects.create(
        organization=organization,
        account=number.account,
        provider="twilio",
        phone_number=str(number),
        friendly_name="Old",
        status="active",
    )

    assert shown(patch(client, path(row), friendly_name="Desk"))["friendly_name"] == "Desk"
    (sent,) = [r for r in changes_sent(sandbox) if r.body == {"FriendlyName": "Desk"}]
    assert sent.path.endswith(f"{again['sid']}.json")
