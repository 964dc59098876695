"""Routes beside reading and writing one assistant: look-ups, export, and what is not there."""

import csv
import io

import pytest

from assistants.models import Assistant
from assistants.tests.helpers import ASSISTANTS, give_number, one, patch, post, put
from burki.testing import make_assistant, make_client, make_user
from numbers.models import PhoneNumber
from organizations.models import AuditEvent

pytestmark = pytest.mark.django_db

NUMBER = "+14155551234"


def actions() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))


@pytest.mark.parametrize("written", [NUMBER, "%2B14155551234"])
def test_by_phone_finds_who_answers_a_number(client, organization, assistant, written):
    give_number(organization, assistant, NUMBER)

    response = client.get(f"{ASSISTANTS}/by-phone/{written}")

    assert response.status_code == 200
    assert (response.json()["id"], response.json()["phone_numbers"]) == (assistant.pk, [NUMBER])


@pytest.mark.parametrize("status", ["claimed", "released"])
def test_by_phone_and_answers_leave_out_numbers_that_are_not_there(
    client, organization, assistant, status
):
    give_number(organization, assistant, NUMBER, status)

    response = client.get(f"{ASSISTANTS}/by-phone/{NUMBER}")

    assert response.status_code == 404
    assert response.json() == {
        "detail": f"Assistant assigned to phone number {NUMBER} not found in your organization",
        "code": "not_found",
    }
    assert client.get(one(assistant.pk)).json()["phone_numbers"] == []


def test_by_phone_knows_only_assigned_numbers_of_the_own_organization(
    client, organization, other_organization
):
    give_number(other_organization, make_assistant(other_organization), NUMBER)
    give_number(organization, None, "+14155550000")

    for number in (NUMBER, "+14155550000", "nonsense", "%00", "+" + "1" * 400):
        assert client.get(f"{ASSISTANTS}/by-phone/{number}").status_code == 404


def test_by_phone_of_a_number_bought_at_both_providers_is_the_newest(client, organization):
    older, newer = make_assistant(organization, "Older"), make_assistant(organization, "Newer")
    give_number(organization, newer, NUMBER, "released")
    give_number(organization, older, NUMBER)
    telnyx = organization.provider_accounts.get(provider="telnyx")
    PhoneNumber.objects.create(
        organization=organization, account=telnyx, assistant=newer, provider="telnyx",
        phone_number=NUMBER, friendly_name="n", status="active",
    )  # fmt: skip

    assert client.get(f"{ASSISTANTS}/by-phone/{NUMBER}").json()["id"] == newer.pk


def test_count_counts_all_or_the_active(client, organization, other_organization):
    make_assistant(other_organization)
    make_assistant(organization)
    make_assistant(organization, is_active=False)

    assert client.get(f"{ASSISTANTS}/count").json() == {"count": 2}
    assert client.get(f"{ASSISTANTS}/count?active_only=true").json() == {"count": 1}
    assert client.get(f"{ASSISTANTS}/count?active_only=false").json() == {"count": 2}
    assert client.get(f"{ASSISTANTS}/count?active_only=maybe").status_code == 400


def test_my_organization_tells_whose_key_it_is(organization):
    person = make_user(organization, "member", "ann@acme.test")

    mine = make_client(organization, created_by=person).get(f"{ASSISTANTS}/me/organization")
    nobodys = make_client(organization).get(f"{ASSISTANTS}/me/organization")

    here = {"organization_id": organization.pk, "organization_name": "Acme"}
    assert mine.json() == here | {
        "user_id": person.pk,
        "user_email": "ann@acme.test",
        "user_role": "member",
    }
    assert nobodys.json() == here | {"user_id": None, "user_email": None, "user_role": None}


def test_providers_need_no_key_and_no_database(anonymous, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = anonymous.get(f"{ASSISTANTS}/providers")
        wrong = anonymous.get(f"{ASSISTANTS}/providers", HTTP_AUTHORIZATION="Bearer wrong")

    assert response.status_code == wrong.status_code == 200
    assert set(response.json()) == {"providers"}
    assert {"openai", "anthropic"} <= set(response.json()["providers"])


def test_no_voices_are_cloned_here(client):
    query = "?status=ready&provider=elevenlabs"

    assert client.get(f"{ASSISTANTS}/cloned-voices{query}").json() == {"cloned_voices": []}


def test_export_is_csv_that_a_spreadsheet_cannot_run(client, organization):
    first = make_assistant(organization, "=HYPERLINK(1)", description='a "b", c')
    give_number(organization, first, NUMBER)
    give_number(organization, first, "+14155550000")
    secret = {"llm_provider_config": {"api_key": "sk-abcdefghijklmnop"}}
    post(client, ASSISTANTS, {"name": "Bot"} | secret)

    response = client.get(f"{ASSISTANTS}/export")

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert "mnop" not in response.content.decode()
    bot, formula = csv.DictReader(io.StringIO(response.content.decode()))
    assert (bot["name"], bot["is_active"], bot["phone_numbers"]) == ("Bot", "true", "")
    assert (formula["name"], formula["description"]) == ("'=HYPERLINK(1)", 'a "b", c')
    assert formula["phone_numbers"] == f"+14155550000 {NUMBER}"


def test_export_as_json_takes_the_filters_of_the_official_client(client, organization):
    rows = [make_assistant(organization, f"Bot {n}", is_active=n != 1) for n in range(4)]

    def exported(query: str) -> list[str]:
        return [row["name"] for row in client.get(f"{ASSISTANTS}/export?format=json{query}").json()]

    assert exported("") == ["Bot 3", "Bot 2", "Bot 1", "Bot 0"]
    assert exported(f"&assistant_ids={rows[0].pk},{rows[2].pk}") == ["Bot 2", "Bot 0"]
    assert exported("&search=bot%203") == ["Bot 3"]
    assert exported("&status=inactive") == ["Bot 1"]
    assert exported("&status=active") == ["Bot 3", "Bot 2", "Bot 0"]
    assert exported("&status=all") == exported("")
    for wrong in ("&status=x", "&assistant_ids=1,a", "&assistant_ids=" + "9" * 30, "&search=%00"):
        assert client.get(f"{ASSISTANTS}/export?format=json{wrong}").status_code == 400, wrong


def test_an_export_that_is_too_large_says_so(client, organization, monkeypatch):
    monkeypatch.setattr("assistants.api.export.EXPORT_MAX", 2)
    for _ in range(3):
        make_assistant(organization)

    response = client.get(f"{ASSISTANTS}/export")

    assert response.status_code == 400
    assert response.json()["detail"].startswith("More than 2 assistants: narrow the export")


def test_no_route_hides_another(client, organization, sandbox):
    sync = post(client, f"{ASSISTANTS}/organization/phone-numbers/sync", {})

    assert sync.status_code == 200 and "synced_count" in sync.json()
    for words in ("asst_1", "organization", "-1", "1.5", "1/", "count/", "me", "by-phone/"):
        response = client.get(f"{ASSISTANTS}/{words}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found"), words


@pytest.mark.parametrize("wanted", ["0", "4711", "9" * 19, "9" * 100, "0" * 99])
def test_an_assistant_that_is_not_there_is_not_found_in_every_way(client, wanted):
    answers = [
        client.get(one(wanted)),
        client.delete(one(wanted)),
        put(client, one(wanted), {"name": "x"}),
        patch(client, one(wanted), {"name": "x"}),
        client.patch(f"{one(wanted)}/status?is_active=true"),
    ]

    assert {answer.status_code for answer in answers} == {404}
    told = {answer.json()["detail"] for answer in answers}
    assert told == {f"Assistant with ID {int(wanted)} not found in your organization"}


def test_another_tenants_assistant_is_not_found_and_not_changed(client, other_organization):
    theirs = make_assistant(other_organization, "Theirs")
    give_number(other_organization, theirs, NUMBER)
    before, events = Assistant.objects.values().get(), actions()

    answers = [
        client.get(one(theirs.pk)),
        client.delete(one(theirs.pk)),
        put(client, one(theirs.pk), {"name": "x"}),
        patch(client, one(theirs.pk), {"twilio_config": None}),
        client.patch(f"{one(theirs.pk)}/status?is_active=false"),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert client.get(ASSISTANTS).json() == []
    assert Assistant.objects.values().get() == before and actions() == events


def test_what_commands_and_the_demo_make_is_told_as_well(client, organization):
    make_assistant(organization, greeting="Hi")

    (told,) = client.get(ASSISTANTS).json()

    assert (told["greeting"], told["user_id"]) == ("Hi", None)
