"""A diagnosis says what is set, what should be, and what to do."""

import pytest

from burki.testing import CONNECTION, PROFILE
from numbers.models import PhoneNumber
from numbers.tests.inventories import NUMBERS, account_of, bought, changes_sent

pytestmark = pytest.mark.django_db

PROVIDERS = ("twilio", "telnyx")
TWIML = "https://burki.test/twiml"
TELNYX = "https://burki.test/telnyx-webhook"
ELSEWHERE = "https://else.example/calls"
KNOWN_FIELDS = {
    "phone_number", "found", "phone_number_id", "connection_id", "status", "features",
    "messaging_profile_id", "connection_info", "call_control_applications",
    "voice_configuration", "assigned_call_control_app_id", "raw_phone_data",
}  # fmt: skip


@pytest.fixture
def assigned(organization, assistant):
    """Buys a number for the assistant, who can take messages as well."""
    assistant.sms_webhook_url = "https://customer.example/sms"
    assistant.save()

    def buy(provider):
        number = bought(organization, provider)
        PhoneNumber.objects.filter(pk=number.pk).update(assistant=assistant)
        return number

    return buy


def diagnosis(client, number):
    response = client.get(f"/phone-numbers/{number}/diagnose")
    assert response.status_code == 200
    answer = response.json()
    assert (answer["success"], answer["phone_number"]) == (True, str(number))
    return answer["diagnosis"]


def problem(client, number):
    """The only problem there is."""
    verdict = diagnosis(client, number)["verdict"]
    assert verdict["ok"] is False
    (found,) = verdict["problems"]
    assert verdict["summary"] == found["what"] and found["do"]
    return found


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_number_as_it_should_be(client, assigned, sandbox, provider):
    number = assigned(provider)
    sandbox.clear_requests()

    found = diagnosis(client, number)

    assert set(found) >= KNOWN_FIELDS
    assert found["found"] is True
    assert found["phone_number_id"] == number.provider_number_id
    assert found["features"] == ["voice", "sms", "mms"]
    assert found["verdict"] == {
        "ok": True,
        "summary": "Calls reach their destination.",
        "problems": [],
        "notes": [],
    }
    assert changes_sent(sandbox) == []


def test_the_fields_that_telnyx_users_know(client, assigned, sandbox):
    found = diagnosis(client, assigned("telnyx"))

    application = {"id": CONNECTION, "name": "Main", "webhook_event_url": TELNYX}
    assert found["connection_id"] == found["assigned_call_control_app_id"] == CONNECTION
    assert found["messaging_profile_id"] == PROFILE
    assert found["status"] == "active"
    assert found["connection_info"] == application | {"type": "call_control", "active": True}
    assert found["call_control_applications"] == [application | {"connection_id": CONNECTION}]
    assert found["voice_configuration"] == {"voice_webhook_url": TELNYX, "sms_webhook_url": TELNYX}


def test_the_same_fields_at_twilio(client, assigned, sandbox):
    found = diagnosis(client, assigned("twilio"))

    assert found["connection_info"] is found["connection_id"] is None
    assert found["call_control_applications"] == []
    assert found["status"] == "in-use"
    assert found["voice_configuration"] == {"voice_webhook_url": TWIML, "sms_webhook_url": TWIML}


def test_a_connection_of_another_tenant_in_the_same_account_is_not_shown(
    client, assigned, organization, sandbox
):
    number = assigned("telnyx")
    name = account_of(organization, "telnyx").secret.split(".")[0]
    sandbox.set_account(name, connections=[{"id": "77", "application_name": "Somebody's"}])

    assert "Somebody's" not in str(diagnosis(client, number))


# --- What is wrong --------------------------------------------------------------------------------


def test_calls_of_a_twilio_number_that_somebody_sent_elsewhere(client, assigned, sandbox):
    number = assigned("twilio")
    sandbox.alter(number.phone_number, voice_url="https://u:hunter2@else.example/x")

    found = problem(client, number)

    assert found["is"] == "https://u:***@else.example/x"
    assert found["should_be"] == TWIML
    assert found["do"] == (
        f"Set it as it should be: POST /phone-numbers/{number}/repair. What somebody else has set "
        "there is kept, and can be put back."
    )
    client.post(f"/phone-numbers/{number}/repair")
    assert diagnosis(client, number)["verdict"]["ok"]


@pytest.mark.parametrize(
    ("provider", "change", "should_be"),
    [
        ("twilio", {"sms_url": ELSEWHERE}, TWIML),
        ("twilio", {"sms_application_sid": "AP" + "3" * 32}, None),
        ("twilio", {"trunk_sid": "TK" + "3" * 32}, None),
        ("telnyx", {"connection_id": None}, CONNECTION),
        ("telnyx", {"messaging_profile_id": None}, PROFILE),
    ],
)
def test_other_settings_of_the_number_that_are_not_as_they_were_set(
    client, assigned, sandbox, provider, change, should_be
):
    number = assigned(provider)
    sandbox.alter(number.phone_number, **change)

    found = problem(client, number)

    has = next(iter(change.values()))
    assert (found["is"], found["should_be"]) == (has, should_be)
    assert found["what"].endswith(f" is {has or 'not set'}, not {should_be or 'empty'}.")
    assert "_" not in found["what"].partition(" is ")[0]


@pytest.mark.parametrize(
    ("change", "has", "should_be"),
    [
        ({"webhook_event_url": ELSEWHERE}, ELSEWHERE, TELNYX),
        ({"webhook_event_url": ""}, None, TELNYX),
        ({"active": False}, "no", "yes"),
        ({"webhook_api_version": "1"}, "1", "2"),
    ],
    ids=str,
)
def test_a_connection_that_does_not_report_to_us(
    client, assigned, organization, sandbox, change, has, should_be
):
    number = assigned("telnyx")
    name = account_of(organization, "telnyx").secret.split(".")[0]
    fields = {"id": CONNECTION, "application_name": "Main", "webhook_event_url": TELNYX}
    sandbox.set_account(name, connections=[fields | change])

    found = problem(client, number)

    assert (found["is"], found["should_be"]) == (has, should_be)
    assert "connection" in found["what"]


@pytest.mark.parametrize(
    ("change", "has", "should_be"),
    [({"webhook_url": ELSEWHERE}, ELSEWHERE, TELNYX), ({"enabled": False}, "no", "yes")],
    ids=str,
)
def test_a_messaging_profile_that_does_not_report_to_us(
    client, assigned, organization, sandbox, change, has, should_be
):
    number = assigned("telnyx")
    name = account_of(organization, "telnyx").secret.split(".")[0]
    sandbox.set_account(name, messaging_profiles=[{"id": PROFILE, "webhook_url": TELNYX} | change])

    found = problem(client, number)

    assert (found["is"], found["should_be"]) == (has, should_be)
    assert "messaging profile" in found["what"]


def test_a_connection_that_is_no_call_control_application(client, assigned, sandbox):
    number = assigned("telnyx")
    PhoneNumber.objects.filter(pk=number.pk).update(connection_id="9999999999999999999")
    sandbox.alter(number.phone_number, connection_id="9999999999999999999")

    found = problem(client, number)

    assert (found["is"], found["should_be"]) == (None, TELNYX)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_number_whose_row_leaves_its_calls_to_the_provider(client, assigned, sandbox, provider):
    """Such as one that was adopted before anything was made for its organization."""
    number = assigned(provider)
    PhoneNumber.objects.filter(pk=number.pk).update(voice_url="", connection_id="")
    change = {"voice_url": ELSEWHERE} if provider == "twilio" else {"connection_id": None}
    sandbox.alter(number.phone_number, **change)

    found = problem(client, number)

    assert found["what"] == "Calls do not come here."
    url = found["should_be"]
    assert f'"voice_webhook_url": "{url}"' in found["do"]
    change = {"phone_number": str(number), "voice_webhook_url": url}
    assert client.put("/phone-numbers/webhooks", change, format="json").status_code == 200
    assert diagnosis(client, number)["verdict"]["ok"]


def test_addresses_of_ours_that_are_out_of_date(client, assigned, sandbox, settings):
    number = assigned("twilio")
    settings.PUBLIC_BASE_URL = "https://new.test"

    calls, messages, ends = diagnosis(client, number)["verdict"]["problems"]

    for found in (calls, messages):
        assert (found["is"], found["should_be"]) == (TWIML, "https://new.test/twiml")
    assert ends["should_be"].startswith("https://new.test/twilio-status?purchase=")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_number_that_the_account_does_not_have(client, assigned, sandbox, provider):
    number = assigned(provider)
    sandbox.disown(NUMBERS[provider])

    found = diagnosis(client, number)

    assert (found["found"], found["verdict"]["ok"]) == (False, False)
    assert found["error"] == f"The {provider.capitalize()} account does not have {number}."


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 401}, "invalid_credentials"),
        ({"status": 500}, "provider_unreachable"),
        ({"action": "drop"}, "provider_unreachable"),
        ({"action": "garbage"}, "provider_unreachable"),
    ],
    ids=str,
)
def test_trouble_at_the_provider_is_a_diagnosis_too(
    client, assigned, sandbox, provider, fault, code
):
    number = assigned(provider)
    sandbox.add_fault(path="umber", **fault)

    found = diagnosis(client, number)

    assert (found["found"], found["code"], found["verdict"]["ok"]) == (None, code, False)
    assert found["error"].startswith(f"{provider.capitalize()} could not be asked: ")
    assert found["verdict"]["problems"][0]["do"]


def test_an_account_that_is_switched_off_is_told_and_not_asked(
    client, assigned, organization, sandbox
):
    number = assigned("twilio")
    organization.provider_accounts.update(is_active=False)
    sandbox.clear_requests()

    assert diagnosis(client, number)["code"] == "not_configured"
    assert sandbox.requests() == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_number_without_an_assistant_or_with_one_that_sleeps(
    client, assigned, assistant, sandbox, provider
):
    number = assigned(provider)
    assistant.is_active = False
    assistant.save()
    assert problem(client, number)["what"] == "The assistant 'Support' is not active."

    PhoneNumber.objects.update(assistant=None)
    assert problem(client, number)["what"].startswith("The number is assigned to no assistant")


@pytest.mark.parametrize(
    ("status", "what"),
    [
        ("pending", "Telnyx has accepted the order and not activated the number yet."),
        ("releasing", "The number is being released."),
    ],
)
def test_a_number_that_is_on_its_way(client, assigned, sandbox, status, what):
    number = assigned("telnyx")
    PhoneNumber.objects.filter(pk=number.pk).update(status=status)

    assert problem(client, number)["what"] == what


def test_what_is_no_problem_but_good_to_know(client, assigned, assistant, sandbox):
    number = assigned("twilio")
    assistant.sms_webhook_url = ""
    assistant.save()
    assert diagnosis(client, number)["verdict"]["notes"] == [
        "The assistant 'Support' has no address for messages."
    ]

    PhoneNumber.objects.update(capabilities={"voice": True, "sms": False})
    assert diagnosis(client, number)["verdict"]["notes"] == ["This number cannot receive messages."]
