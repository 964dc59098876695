"""Assistants changed, deleted and bought for at the same moment, on real threads."""

import pytest
from rest_framework.test import APIClient

from assistants.models import Assistant
from assistants.services import delete_assistant
from assistants.tests.helpers import ASSISTANTS, give_number, one, patch, post
from burki.testing import (
    SYSTEM,
    TWILIO_NUMBER,
    in_threads,
    make_assistant,
    orders_sent,
)
from numbers.models import PhoneNumber, Purchase
from numbers.tests.money import NUMBERS, at_event, inside
from organizations.models import AuditEvent, ProviderAccount

pytestmark = pytest.mark.django_db(transaction=True)
both = pytest.mark.parametrize("provider", ["twilio", "telnyx"])


@pytest.fixture(autouse=True)
def _unhurried(settings):
    """Threads that wait for a processor do not run out of time."""
    settings.CLOCK_SCALE = 0.4


def another(client) -> APIClient:
    """The same key; a client is not for two threads."""
    twin = APIClient()
    twin.credentials(HTTP_AUTHORIZATION=f"Bearer {client.key}")
    return twin


def statuses(responses) -> list[int]:
    return [response.status_code for response in responses]


def test_patches_at_the_same_moment_all_count(client, assistant):
    clients = [another(client) for _ in range(8)]

    responses = in_threads(
        *[
            lambda n=n: patch(
                clients[n],
                one(assistant.pk),
                {"custom_settings": {f"k{n}": n}, "llm": {f"api_key_{n}": f"secret-number-{n}"}},
            )
            for n in range(8)
        ]
    )

    assert statuses(responses) == [200] * 8
    row = Assistant.objects.get()
    assert row.settings_in_clear == {
        "custom_settings": {f"k{n}": n for n in range(8)},
        "llm": {f"api_key_{n}": f"secret-number-{n}" for n in range(8)},
    }
    assert AuditEvent.objects.filter(action="assistant.updated").count() == 8


def test_a_patch_of_one_field_never_takes_back_another(client, assistant):
    clients = [another(client) for _ in range(2)]

    for n in range(5):
        in_threads(
            lambda n=n: patch(clients[0], one(assistant.pk), {"name": f"Bot {n}"}),
            lambda n=n: clients[1].patch(f"{one(assistant.pk)}/status?is_active={n % 2 == 1}"),
        )
        row = Assistant.objects.get()
        assert (row.name, row.is_active) == (f"Bot {n}", n % 2 == 1)


def test_of_two_deletions_one_finds_nothing(client, organization, assistant):
    give_number(organization, assistant, TWILIO_NUMBER)

    clients = [another(client) for _ in range(2)]

    responses = in_threads(*[lambda c=c: c.delete(one(assistant.pk)) for c in clients])

    assert sorted(statuses(responses)) == [200, 404]
    assert AuditEvent.objects.filter(action="number.unassigned").count() == 1


@both
@pytest.mark.parametrize("event", ["purchase.claimed", "purchase.sending", "purchase.answered"])
def test_deleting_an_assistant_during_a_purchase_leaves_a_bought_unassigned_number(
    event, provider, client, organization, assistant, sandbox
):
    def delete():
        delete_assistant(actor=SYSTEM, organization=organization, assistant_id=assistant.pk)

    with at_event(event, delete):
        bought = post(
            client,
            "/phone-numbers/purchase",
            {
                "provider": provider,
                "phone_number": NUMBERS[provider],
                "assistant_id": assistant.pk,
            },
        )

    assert bought.status_code == 200
    number = PhoneNumber.objects.get()
    assert (number.status, number.assistant_id) == ("active", None)
    assert AuditEvent.objects.get(action="number.unassigned").object_id == str(number.pk)
    note = AuditEvent.objects.get(action="purchase.completed").data["note"]
    assert note == "the assistant was deleted meanwhile: the number is unassigned"


def test_an_assistant_deleted_before_the_claim_is_not_found_and_nothing_is_sent(
    client, organization, assistant, sandbox, monkeypatch
):
    def delete():
        delete_assistant(actor=SYSTEM, organization=organization, assistant_id=assistant.pk)

    inside(monkeypatch, sandbox, delete, method="GET")
    response = post(
        client,
        "/phone-numbers/purchase",
        {"provider": "twilio", "phone_number": TWILIO_NUMBER, "assistant_id": assistant.pk},
    )

    assert response.status_code == 404
    assert response.json()["detail"] == f"Assistant with ID {assistant.pk} not found"
    assert orders_sent(sandbox) == []
    assert not PhoneNumber.objects.exists() and not Purchase.objects.exists()


def test_purchases_changes_credentials_and_a_deletion_at_once_never_wait_for_each_other_for_ever(
    client, organization, sandbox
):
    organization_clients = [another(client) for _ in range(8)]
    for round_ in range(3):
        assistant = make_assistant(organization)
        path = one(assistant.pk)

        def buy(n, assistant=assistant, round_=round_):
            body = {
                "provider": "twilio",
                "phone_number": f"+141555512{round_}{n}",
                "assistant_id": assistant.pk,
            }
            return post(organization_clients[n], "/phone-numbers/purchase", body)

        def credentials(n, path=path):
            config = {"account_sid": f"AC{n:032x}", "auth_token": f"token-number-{n}"}
            return patch(organization_clients[n], path, {"twilio_config": config})

        def rename(n, path=path):
            return patch(organization_clients[n], path, {"name": f"Bot {n}"})

        def delete(n, path=path):
            return organization_clients[n].delete(path)

        responses = in_threads(
            lambda: buy(0), lambda: buy(1), lambda: credentials(2), lambda: credentials(3),
            lambda: rename(4), lambda: rename(5), lambda: delete(6),
        )  # fmt: skip

        assert responses[6].status_code == 200
        assert set(statuses(responses)) <= {200, 404}
        assert organization_clients[7].get(path).status_code == 404
    assert not PhoneNumber.objects.exclude(assistant=None).exists()
    assert not PhoneNumber.objects.exclude(status="active").exists()


def test_the_same_credentials_at_the_same_moment_are_one_account(client):
    config = {"account_sid": "AC" + "5" * 32, "auth_token": "token-of-both-1234"}
    clients = [another(client) for _ in range(4)]
    body = {"name": "Bot", "twilio_config": config}

    responses = in_threads(*[lambda c=c: post(c, ASSISTANTS, body) for c in clients])

    assert statuses(responses) == [201] * 4
    assert ProviderAccount.objects.filter(account_sid=config["account_sid"]).count() == 1
