"""The documentation's examples are what the API really answers, word for word."""

import re
from copy import deepcopy

import pytest

from burki.openapi import JSON
from burki.testing import make_assistant, make_client, post
from burki.tests.contract import contract
from numbers.api.examples import NUMBER
from numbers.api.schema import REASONS
from organizations.models import ProviderAccount

BUY, RELEASE = "/phone-numbers/purchase", "/phone-numbers/release"
SYNC = "/api/v1/assistants/organization/phone-numbers/sync"

# Ids, times and addresses differ from one answer to the next.
_VARIES = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|ORD_[0-9]+|PN[0-9a-f]{32}|(?<![+0-9])[0-9]{10,}|"
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z|https?://\S+|burki_\S{6}…"
)


def example(name: str, path: str, status: int = 200, method: str = "post"):
    response = contract.resolved(contract.document["paths"][path][method]["responses"][str(status)])
    return deepcopy(response["content"][JSON]["examples"][name]["value"])


def alike(value):
    """Without what differs from one answer to the next."""
    if isinstance(value, dict):
        return {key: alike(item) for key, item in value.items()}
    if isinstance(value, list):
        return [alike(item) for item in value]
    if isinstance(value, str):
        return _VARIES.sub("*", value)
    return "*" if type(value) is int else value


def body(name: str, path: str = BUY):
    """An example of a request's body."""
    content = contract.document["paths"][path]["post"]["requestBody"]["content"][JSON]
    return deepcopy(content["examples"][name]["value"])


@pytest.fixture
def buy(client, sandbox, organization):
    """The purchase of a request example, with an assistant that exists."""
    assistant = make_assistant(organization)

    def send(name: str, **over):
        wanted = body(name)
        if "assistant_id" in wanted:
            wanted["assistant_id"] = assistant.pk
        return post(client, BUY, wanted | over)

    return send


# --- Successes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["telnyx", "twilio"])
def test_purchases(buy, name):
    assert alike(buy(name).json()) == alike(example(name, BUY))


def test_a_pending_purchase(buy):
    bought = buy("telnyx", phone_number="+14155550052").json()

    told = str(alike(example("telnyx_activation_pending", BUY)))
    assert str(alike(bought)) == told.replace(NUMBER, "+14155550052")


def test_a_purchase_with_fallback(client, sandbox):
    wanted = body("with_fallback")
    post(client, "/phone-numbers/search", {"area_code": "415", "limit": 5})

    bought = post(client, BUY, wanted, HTTP_IDEMPOTENCY_KEY="one").json()

    instead = bought["phone_number"]
    told = str(alike(example("with_fallback", BUY))).replace(NUMBER, instead)
    assert str(alike(bought)) == told


def test_records_and_release(client, buy):
    bought = buy("telnyx")
    purchase, number = bought["Purchase-Id"], "/phone-numbers/{phone_number}"
    records, numbers = "/phone-numbers/purchases", "/phone-numbers"
    record = example("bought", f"{records}/{{purchase_id}}", method="get")

    told = client.get(f"{records}/{purchase}").json()
    assert alike(told) == alike(record | {"made_by": told["made_by"]})
    assert alike(client.get(records).json()["items"]) == [alike(told)]
    told = client.get(f"{numbers}/{NUMBER}").json()
    assert alike(told) == alike(example("a_number", number, method="get"))
    told = client.get(numbers).json()
    assert alike(told) == alike(example("one_number", numbers, method="get"))
    released = post(client, RELEASE, body("a_number", RELEASE)).json()
    assert released == example("released", RELEASE)


def test_a_refused_record(client, buy):
    refused = buy("telnyx", phone_number="+14155550001")

    told = client.get(f"/phone-numbers/purchases/{refused['Purchase-Id']}").json()

    shown = example("refused", "/phone-numbers/purchases/{purchase_id}", method="get")
    assert told["refusal"] == shown["refusal"]
    assert {k: told[k] for k in ("state", "charged", "purchase_details", "needs_attention")} == {
        k: shown[k] for k in ("state", "charged", "purchase_details", "needs_attention")
    }


def test_search(client, sandbox):
    path = "/phone-numbers/search"

    one = post(client, path, body("san_francisco", path) | {"limit": 1}).json()
    both = post(client, path, body("both_providers", path)).json()

    for real, name in ((one, "san_francisco"), (both, "both_providers")):
        told = example(name, path)
        for mine, theirs in zip(real["numbers"], told["numbers"], strict=True):
            mine["phone_number"] = mine["friendly_name"] = theirs["phone_number"]
        assert real == told


def test_preview(client, sandbox, organization, assistant):
    path = "/phone-numbers/purchase/preview"
    organization.monthly_limit = "10.00"
    organization.save()
    wanted = body("telnyx", path) | {"assistant_id": assistant.pk}

    told, real = example("it_may_be_bought", path), post(client, path, wanted).json()

    own = {"limit", "assistant", "warnings"}  # depend on what the organization has
    assert alike({k: v for k, v in real.items() if k not in own}) == alike(
        {k: v for k, v in told.items() if k not in own}
    )
    assert {key: set(real[key]) for key in ("limit", "assistant")} == {
        key: set(told[key]) for key in ("limit", "assistant")
    }


def test_sync(client, sandbox):
    told = example("both_providers", SYNC)

    real = client.post(SYNC).json()

    digits = re.compile("[0-9]+")
    assert digits.sub("*", real.pop("message")) == digits.sub("*", told.pop("message"))
    assert alike(real) == alike(told)


# --- Errors --------------------------------------------------------------------------------------

SCENARIOS = {
    "number_unavailable": "0001",
    "invalid_number": "0002",
    "insufficient_balance": "0003",
    "invalid_credentials": "0004",
    "rate_limited": "0006",
    "account_restricted": "0007",
    "regulatory_requirement": "0008",
}


@pytest.mark.parametrize(("code", "digits"), SCENARIOS.items(), ids=SCENARIOS)
def test_refusals(buy, code, digits):
    refused = buy("telnyx", phone_number=f"+1415555{digits}")

    assert refused.status_code == 500
    assert alike(refused.json()) == alike(example(code, BUY, 500))


def test_a_refusal_without_credentials(buy, organization):
    ProviderAccount.objects.filter(organization=organization, provider="telnyx").delete()

    assert alike(buy("telnyx").json()) == alike(example("not_configured", BUY, 500))


def test_every_reason_of_a_provider_is_tried_here_or_cannot_be():
    """The sandbox has no number whose SMS cannot be left out, and no connection is unknown."""
    untried = {"sms_not_supported", "provider_error", "provider_unreachable"}
    assert {*SCENARIOS, "not_configured"} == set(REASONS) - untried


def test_an_unknown_outcome(buy):
    answer = buy("telnyx", phone_number="+14155550027")

    told = alike(example("outcome_unknown", BUY, 504))
    assert alike(answer.json()) == told | {"detail": told["detail"].replace(NUMBER, "+14155550027")}


def test_refused_requests(client, buy, organization):
    wanted, key = body("telnyx") | {"assistant_id": None}, {"HTTP_IDEMPOTENCY_KEY": "one"}
    wrong = [
        (400, "invalid_request", {"provider": "vonage"}),
        (400, "invalid_request_2", {"phone_number": "4155551234"}),
        (400, "invalid_request_3", {"assistant_id": "123"}),
        (404, "not_found", {"assistant_id": 123}),
    ]
    for status, name, over in wrong:
        assert post(client, BUY, wanted | over).json() == example(name, BUY, status)
    no_key = post(client, BUY, body("with_fallback"))
    assert no_key.json() == example("idempotency_key_required", BUY, 400)

    assert post(client, BUY, wanted, **key).status_code == 200
    reused = post(client, BUY, wanted | {"friendly_name": "Other"}, **key)
    assert alike(reused.json()) == alike(example("idempotency_key_reused", BUY, 422))
    owned = post(client, BUY, wanted | {"friendly_name": "Other"})
    told = example("number_already_owned", BUY, 409)
    assert {name: owned.json()[name] for name in told} == told


def test_refused_prices(client, sandbox, organization):
    post(client, "/phone-numbers/search", {"area_code": "415", "provider": "twilio"})
    wanted = {"provider": "twilio", "phone_number": "+14155551000"}
    dear = post(client, BUY, wanted | {"max_monthly_cost": "1.00"})
    unknown = post(
        client,
        BUY,
        {"provider": "telnyx", "phone_number": "+14155550060", "max_monthly_cost": "1.00"},
    )
    organization.monthly_limit = "0.50"
    organization.save()
    limited = post(client, BUY, {"provider": "telnyx", "phone_number": NUMBER})

    assert dear.json() == example("price_changed", BUY, 409)
    assert unknown.json() == example("price_unknown", BUY, 409)
    told = str(example("spending_limit_exceeded", BUY, 402))
    money = re.compile(r"[0-9]+\.[0-9]+")
    assert money.sub("*", str(limited.json())) == money.sub("*", told)


def test_strangers_and_keys_without_the_scope(anonymous, organization):
    stranger = post(anonymous, BUY, {})
    unfit = post(make_client(organization, ["numbers:read"]), BUY, {})

    assert stranger.json() == example("not_authenticated", BUY, 401)
    assert unfit.json() == example("permission_denied", BUY, 403)


def test_bodies_that_cannot_be_read(client):
    sent = {
        (400, "invalid_json"): client.post(BUY, "{", content_type=JSON),
        (413, "payload_too_large"): client.post(BUY, " " * 2**20 + "{}", content_type=JSON),
        (415, "unsupported_media_type"): client.post(BUY, "{}", content_type="text/plain"),
        (406, "not_acceptable"): client.post(BUY, "{}", content_type=JSON, HTTP_ACCEPT="text/html"),
    }

    for (status, name), answer in sent.items():
        assert (answer.status_code, answer.json()) == (status, example(name, BUY, status))


def test_releases_that_are_refused(client, buy):
    number = {"phone_number": NUMBER}
    unknown = post(client, RELEASE, number)
    buy("telnyx")
    elsewhere = post(client, RELEASE, number | {"provider": "twilio"})
    buy("telnyx", phone_number="+14155550052")
    unsettled = post(client, RELEASE, {"phone_number": "+14155550052"})

    assert unknown.json() == example("not_found", RELEASE, 404)
    assert elsewhere.json() == example("invalid_request_2", RELEASE, 400)
    told = example("purchase_in_progress", RELEASE, 409)
    detail = told["detail"].replace(NUMBER, "+14155550052")
    assert unsettled.json() == told | {"detail": detail}
