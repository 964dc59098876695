"""Telnyx's connections and messaging profiles: checked before they are used, made only once."""

import pytest
import requests

from burki.testing import CONNECTION, PROFILE
from numbers.exceptions import NotConfigured, ProviderRefused, ProviderUnreachable
from numbers.providers.base import Routing
from numbers.tests.driving import ACCOUNTS, SECRETS, driver_of, sent

ACCOUNT = ACCOUNTS["telnyx"]
WEBHOOK = "https://burki.test/telnyx-webhook"
ELSEWHERE = "https://somebody.example/telnyx"
PLAIN_SIP = "9999999999999999999"
APPLICATIONS, PROFILES = "/call_control_applications", "/messaging_profiles"
NAME = "Burki acme (burki.test)"


def application(sandbox, **fields) -> Routing:
    sandbox.set_account(ACCOUNT, connections=[{"id": "77", **fields}])
    return Routing(connection_id="77")


def profile(sandbox, **fields) -> Routing:
    sandbox.set_account(ACCOUNT, messaging_profiles=[{"id": "p77", **fields}])
    return Routing(messaging_profile_id="p77")


def shown(sandbox, path: str, name: str) -> dict:
    """The only application or profile of that name, as Telnyx shows it."""
    authorization = {"Authorization": f"Bearer {SECRETS['telnyx']}"}
    rows = requests.get(f"{sandbox.url}/v2{path}", headers=authorization, timeout=5).json()["data"]
    field = {APPLICATIONS: "application_name", PROFILES: "name"}[path]
    (row,) = [row for row in rows if row[field] == name]
    return row


# --- Checking ------------------------------------------------------------------------------------


def test_a_connection_and_a_profile_without_an_address_get_ours(telnyx, sandbox):
    routing = Routing(connection_id=CONNECTION, messaging_profile_id=PROFILE)

    telnyx.check_routing(routing, webhook_url=WEBHOOK)

    assert [(r.method, r.body) for r in sandbox.requests() if r.method != "GET"] == [
        (
            "PATCH",
            {
                "webhook_event_url": WEBHOOK,
                "webhook_api_version": "2",
                "application_name": "Main",
            },
        ),
        ("PATCH", {"webhook_url": WEBHOOK, "webhook_api_version": "2"}),
    ]
    assert sent(sandbox) == [
        ("GET", f"{APPLICATIONS}/{CONNECTION}"),
        ("PATCH", f"{APPLICATIONS}/{CONNECTION}"),
        ("GET", f"{PROFILES}/{PROFILE}"),
        ("PATCH", f"{PROFILES}/{PROFILE}"),
    ]
    assert shown(sandbox, APPLICATIONS, "Main")["webhook_event_url"] == WEBHOOK
    assert shown(sandbox, PROFILES, "Main")["webhook_url"] == WEBHOOK


@pytest.mark.parametrize("version", ["2", None])
def test_what_reports_to_us_already_is_left_as_it_is(telnyx, sandbox, version):
    for routing in (
        application(sandbox, webhook_event_url=WEBHOOK, webhook_api_version=version),
        profile(sandbox, webhook_url=WEBHOOK, webhook_api_version=version),
    ):
        telnyx.check_routing(routing, webhook_url=WEBHOOK)

    assert {request.method for request in sandbox.requests()} == {"GET"}


def test_what_reports_to_somebody_else_is_refused_and_left_alone(telnyx, sandbox):
    for routing, words in (
        (application(sandbox, webhook_event_url=ELSEWHERE), "The Telnyx connection 77 reports"),
        (profile(sandbox, webhook_url=ELSEWHERE), "The Telnyx messaging profile p77 reports"),
    ):
        with pytest.raises(NotConfigured) as caught:
            telnyx.check_routing(routing, webhook_url=WEBHOOK)
        assert caught.value.hint.startswith(words)
        assert WEBHOOK in caught.value.hint

    assert {request.method for request in sandbox.requests()} == {"GET"}


def test_an_older_format_of_events_is_refused(telnyx, sandbox):
    routing = application(sandbox, webhook_event_url=WEBHOOK, webhook_api_version="1")

    with pytest.raises(NotConfigured) as caught:
        telnyx.check_routing(routing, webhook_url=WEBHOOK)

    assert caught.value.hint == "Set the Telnyx connection 77 to webhook API version 2."


@pytest.mark.parametrize(
    ("routing", "words"),
    [
        (Routing(connection_id=PLAIN_SIP), "is not a Call Control application of this account"),
        (Routing(connection_id="404"), "is not a Call Control application of this account"),
        (Routing(messaging_profile_id="404"), "is not in this account"),
    ],
)
def test_what_is_not_there_or_of_another_kind_is_refused(telnyx, sandbox, routing, words):
    with pytest.raises(NotConfigured) as caught:
        telnyx.check_routing(routing, webhook_url=WEBHOOK)

    assert words in caught.value.hint
    assert caught.value.code == "not_configured"
    assert [request.method for request in sandbox.requests()] == ["GET"]


def test_a_connection_of_another_account_is_refused(telnyx, sandbox):
    sandbox.set_account("KEYother", connections=[{"id": "88"}])

    with pytest.raises(NotConfigured):
        telnyx.check_routing(Routing(connection_id="88"), webhook_url=WEBHOOK)


@pytest.mark.parametrize("hostile", ["../phone_numbers/1", "1/../../balance", "1?x=", "1#x"])
def test_an_id_is_only_an_id_and_never_leads_elsewhere(telnyx, sandbox, hostile):
    for routing in (Routing(connection_id=hostile), Routing(messaging_profile_id=hostile)):
        with pytest.raises(NotConfigured):
            telnyx.check_routing(routing, webhook_url=WEBHOOK)

    for request in sandbox.requests():
        assert request.path.startswith((f"/v2{APPLICATIONS}/", f"/v2{PROFILES}/"))
        assert request.path.endswith(hostile)
        assert request.query == {}


def test_a_check_that_may_not_set_anything_only_reads(telnyx, sandbox):
    routing = Routing(connection_id=CONNECTION, messaging_profile_id=PROFILE)

    telnyx.check_routing(routing, webhook_url=WEBHOOK, set_missing=False)
    with pytest.raises(NotConfigured):
        telnyx.check_routing(
            application(sandbox, webhook_event_url=ELSEWHERE),
            webhook_url=WEBHOOK,
            set_missing=False,
        )

    assert [request.method for request in sandbox.requests()] == ["GET", "GET", "GET"]
    assert shown(sandbox, APPLICATIONS, "Main")["webhook_event_url"] == ""


def test_nothing_to_check_is_nothing_to_ask(telnyx, sandbox):
    telnyx.check_routing(Routing(), webhook_url=WEBHOOK)

    assert sandbox.requests() == []


@pytest.mark.parametrize(
    ("fault", "expected", "code"),
    [
        ({"status": 401}, ProviderRefused, "invalid_credentials"),
        ({"status": 429}, ProviderRefused, "rate_limited"),
        ({"status": 500}, ProviderUnreachable, "provider_unreachable"),
        ({"action": "drop"}, ProviderUnreachable, "provider_unreachable"),
        ({"body": {"data": []}}, ProviderUnreachable, "provider_unreachable"),
    ],
)
def test_a_connection_that_cannot_be_read_now_is_not_called_a_wrong_one(
    telnyx, sandbox, fault, expected, code
):
    sandbox.add_fault(method="GET", **fault)

    with pytest.raises(expected) as caught:
        telnyx.check_routing(Routing(connection_id=CONNECTION), webhook_url=WEBHOOK)

    assert type(caught.value) is expected
    assert caught.value.code == code


# --- Making --------------------------------------------------------------------------------------


def test_connection_and_profile_are_made_with_our_address(telnyx, sandbox):
    made = telnyx.make_routing(name=NAME, webhook_url=WEBHOOK)

    assert [r.body for r in sandbox.requests(method="POST")] == [
        {
            "application_name": NAME,
            "webhook_event_url": WEBHOOK,
            "webhook_api_version": "2",
        },
        {
            "name": NAME,
            "whitelisted_destinations": ["*"],
            "webhook_url": WEBHOOK,
            "webhook_api_version": "2",
        },
    ]
    assert made == Routing(
        connection_id=shown(sandbox, APPLICATIONS, NAME)["id"],
        messaging_profile_id=shown(sandbox, PROFILES, NAME)["id"],
    )
    assert sent(sandbox)[:4] == [
        ("GET", APPLICATIONS),
        ("POST", APPLICATIONS),
        ("GET", PROFILES),
        ("POST", PROFILES),
    ]
    telnyx.check_routing(made, webhook_url=WEBHOOK)


def test_they_are_made_once(telnyx, sandbox):
    first = telnyx.make_routing(name=NAME, webhook_url=WEBHOOK)
    sandbox.clear_requests()

    again = telnyx.make_routing(name=NAME, webhook_url=WEBHOOK)

    assert again == first
    assert sent(sandbox) == [("GET", APPLICATIONS), ("GET", PROFILES)]


def test_a_name_that_only_contains_ours_is_not_ours(telnyx, sandbox):
    longer = telnyx.make_routing(name=f"{NAME} 2", webhook_url=WEBHOOK)

    ours = telnyx.make_routing(name=NAME, webhook_url=WEBHOOK)

    assert ours.connection_id != longer.connection_id
    assert ours.messaging_profile_id != longer.messaging_profile_id


def test_ours_is_found_among_more_than_a_page_of_others(telnyx, sandbox):
    others = [
        {"id": str(i), "application_name": f"{NAME} {i}", "webhook_event_url": ELSEWHERE}
        for i in range(1, 101)
    ]
    sandbox.set_account(ACCOUNT, connections=others)
    application(sandbox, id="500", application_name=NAME, webhook_event_url=WEBHOOK)

    made = telnyx.make_routing(name=NAME, webhook_url=WEBHOOK)

    assert made.connection_id == "500"
    assert sandbox.requests(method="POST", path_contains=APPLICATIONS) == []


def test_ours_from_an_earlier_address_gets_the_present_one(telnyx, sandbox):
    first = telnyx.make_routing(name=NAME, webhook_url=ELSEWHERE)

    again = telnyx.make_routing(name=NAME, webhook_url=WEBHOOK)

    assert again == first
    assert shown(sandbox, APPLICATIONS, NAME)["webhook_event_url"] == WEBHOOK
    assert shown(sandbox, PROFILES, NAME)["webhook_url"] == WEBHOOK


def test_what_was_half_made_is_completed_and_not_made_twice(telnyx, sandbox):
    sandbox.add_fault(method="POST", path=PROFILES, status=500)
    with pytest.raises(ProviderUnreachable):
        telnyx.make_routing(name=NAME, webhook_url=WEBHOOK)
    half = shown(sandbox, APPLICATIONS, NAME)["id"]

    made = telnyx.make_routing(name=NAME, webhook_url=WEBHOOK)

    assert made.connection_id == half == shown(sandbox, APPLICATIONS, NAME)["id"]
    assert len(sandbox.requests(method="POST", path_contains=APPLICATIONS)) == 1


def test_without_a_complete_list_nothing_is_made(sandbox):
    sandbox.add_fault(method="GET", path=APPLICATIONS, status=503)

    with pytest.raises(ProviderUnreachable):
        driver_of("telnyx").make_routing(name=NAME, webhook_url=WEBHOOK)
    wrong = driver_of("telnyx", secret=f"{SECRETS['telnyx']}-wrong")
    with pytest.raises(ProviderRefused):
        wrong.make_routing(name=NAME, webhook_url=WEBHOOK)

    assert sandbox.requests(method="POST") == []
