"""Telnyx at our door: what is signed is written down and worked off, everything else is neither."""

import base64
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client
from procrastinate.contrib.django.models import ProcrastinateJob

from burki.testing import make_assistant, make_organization, make_telnyx_account
from burki.tests.processes import wait_until
from numbers.exceptions import PurchaseUncertain
from numbers.models import Call, Message, Purchase, WebhookDelivery
from numbers.tests.inbound import (
    CALLER,
    call_payload,
    event_of,
    from_telnyx,
    key_of,
    owned,
    refusals,
    text_payload,
    work,
)
from numbers.tests.money import buy
from organizations.models import ProviderAccount

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(organization):
    assistant = make_assistant(organization, media_stream_url="wss://voice.example.com/streams")
    return owned(organization, "telnyx", assistant=assistant)


def nothing_written() -> bool:
    return not (
        WebhookDelivery.objects.exists()
        or Call.objects.exists()
        or Message.objects.exists()
        or ProcrastinateJob.objects.exists()
    )


# --- Signatures ----------------------------------------------------------------------------------


def test_a_published_vector_is_accepted(organization, monkeypatch):
    """RFC 8032, section 7.1, test 1: key and signature of the empty message are the constants; a
    second signature, of `timestamp|body`, was made with openssl."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    key = Ed25519PrivateKey.from_private_bytes(seed)
    assert key.public_key().public_bytes_raw() == public
    then = SimpleNamespace(time=lambda: 1700000000.0)
    monkeypatch.setattr("numbers.webhooks.telnyx.time", then)
    ProviderAccount.objects.filter(organization=organization, provider="telnyx").update(
        public_key="11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    )
    owned(organization, "telnyx")
    body = (
        b'{"data":{"event_type":"call.bridged","id":"e1","payload":'
        b'{"to":"+14155555678","direction":"incoming"}}}'
    )
    signature = (
        "kPQdIH3daifgUHNjL0N2Ctyb3vEZBAEfmbP2HN2fN47/XKwyl3oGDFU/oEKOHldahEmfdD9x/m2fzrGJEOxSBA=="
    )
    headers = {"telnyx-timestamp": "1700000000", "telnyx-signature-ed25519": signature}

    assert from_telnyx(body, headers=headers).status_code == 200
    assert WebhookDelivery.objects.get().event_type == "call.bridged"


def signed(body: bytes, key=None, at: float | None = None, text: bytes | None = None):
    stamp = str(int(time.time() if at is None else at))
    made = (key or key_of("KEYacme")).sign(stamp.encode() + b"|" + (body if text is None else text))
    return {
        "telnyx-timestamp": stamp,
        "telnyx-signature-ed25519": base64.b64encode(made).decode(),
    }


@pytest.mark.parametrize(
    "headers_of",
    [
        lambda body: {},
        lambda body: {"telnyx-timestamp": str(int(time.time()))},
        lambda body: signed(body) | {"telnyx-timestamp": str(int(time.time()) + 1)},
        lambda body: signed(body) | {"telnyx-timestamp": "soon"},
        lambda body: signed(body) | {"telnyx-timestamp": "-5"},
        lambda body: signed(body) | {"telnyx-timestamp": "9" * 40},
        lambda body: signed(body) | {"telnyx-signature-ed25519": base64.b64encode(b"x" * 64)},
        lambda body: signed(body) | {"telnyx-signature-ed25519": "AAAA"},
        lambda body: signed(body) | {"telnyx-signature-ed25519": "not base64!"},
        lambda body: signed(body, key=key_of("KEYglobex")),
        lambda body: signed(body, key=Ed25519PrivateKey.generate()),
        lambda body: signed(body, text=body + b" "),
        lambda body: signed(body, text=body.replace(b"call-1", b"call-2")),
        lambda body: signed(body, at=time.time() - 302),
        lambda body: signed(body, at=time.time() + 302),
    ],
    ids=["nothing", "no signature", "other time", "no time", "negative", "huge", "wrong", "short",
         "not base64", "other tenant's key", "anybody's key", "other body", "changed body",
         "too old", "too new"],
)  # fmt: skip
def test_what_is_not_signed_is_refused_and_nothing_is_written(desk, other_organization, headers_of):
    body = event_of("call.initiated", call_payload(desk))

    answer = from_telnyx(body, headers=headers_of(body))

    assert answer.status_code == 401
    assert answer.json()["code"] == "not_authenticated"
    assert nothing_written()


@pytest.mark.parametrize("seconds", [-298, 298])
def test_five_minutes_either_way_are_tolerated(desk, seconds):
    body = event_of("call.initiated", call_payload(desk))

    assert from_telnyx(body, at=time.time() + seconds).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b'"x"', b"{", b"\xff\xfe", b"[" * 100_000, b'{"data": 9' + b"9" * 5000],
    ids=["empty", "list", "null", "text", "cut", "not utf-8", "deep", "huge number"],
)
def test_what_is_no_event_is_refused(desk, body):
    assert from_telnyx(body).status_code == 401
    assert nothing_written()


def test_another_tenants_key_cannot_speak_for_a_number(desk, other_organization):
    """Also not when the event names that tenant's own connection."""
    other = ProviderAccount.objects.get(organization=other_organization, provider="telnyx")
    ProviderAccount.objects.filter(pk=other.pk).update(connection_id="777")
    body = event_of("call.initiated", call_payload(desk, connection_id="777"))

    assert from_telnyx(body, key=key_of("KEYglobex")).status_code == 401
    assert nothing_written()


def test_an_account_without_a_public_key_verifies_nothing(desk):
    ProviderAccount.objects.update(public_key="")

    assert from_telnyx(event_of("call.initiated", call_payload(desk))).status_code == 401
    assert nothing_written()


def test_the_platforms_numbers_are_verified_with_the_environments_key(settings, db):
    public = key_of("KEYplatform").public_key().public_bytes_raw()
    settings.TELNYX_PUBLIC_KEY = base64.b64encode(public).decode()
    account = ProviderAccount.objects.create(provider="telnyx", source="environment")
    number = owned(make_organization("Bare", accounts=False), "telnyx", account=account)
    body = event_of("call.initiated", call_payload(number))

    assert from_telnyx(body, key=key_of("KEYacme")).status_code == 401
    assert from_telnyx(body, key=key_of("KEYplatform")).status_code == 200


def test_a_refusal_is_counted(desk):
    before = refusals("telnyx")
    from_telnyx(event_of("call.initiated", call_payload(desk)), at=0)
    from_telnyx(event_of("call.initiated", call_payload(desk)), key=key_of("KEYglobex"))

    assert refusals("telnyx") - before == {"timestamp": 1, "signature": 1}


def test_a_probe_is_answered():
    assert Client().get("/telnyx-webhook").status_code == 200
    assert Client().head("/telnyx-webhook").status_code == 200
    assert Client().put("/telnyx-webhook").status_code == 405


def test_no_more_than_so_much_is_read(desk):
    body = event_of("call.initiated", call_payload(desk, state="x" * 256 * 1024))

    assert from_telnyx(body).status_code == 413
    assert nothing_written()


# --- What becomes of events ----------------------------------------------------------------------


def test_a_call_is_a_job_for_the_worker_that_does_nothing_else(desk, django_assert_num_queries):
    with django_assert_num_queries(5):  # whose, begin, inbox, job, commit
        answer = from_telnyx(event_of("call.initiated", call_payload(desk)))

    assert (answer.status_code, answer.content) == (200, b"ok")
    job = ProcrastinateJob.objects.get()
    assert (job.task_name, job.queue_name, job.priority) == (
        "numbers.tasks.command_call", "calls", 100,
    )  # fmt: skip
    assert job.args == {"delivery_id": WebhookDelivery.objects.get().pk}


def test_the_same_event_again_does_nothing(desk):
    for _ in range(4):
        assert from_telnyx(event_of("call.initiated", call_payload(desk))).status_code == 200

    assert WebhookDelivery.objects.get().deliveries == 4
    assert ProcrastinateJob.objects.count() == 1


def test_the_same_event_id_in_two_accounts_is_two_events(desk, other_organization):
    """One tenant cannot use up another's event."""
    other = owned(other_organization, "telnyx", phone_number="+14155559999")

    from_telnyx(event_of("call.initiated", call_payload(other), "e1"), key=key_of("KEYglobex"))
    from_telnyx(event_of("call.initiated", call_payload(desk), "e1"))

    assert ProcrastinateJob.objects.count() == 2


def test_a_message_is_recorded_by_the_worker(desk):
    from_telnyx(event_of("message.received", text_payload(desk)))

    assert work() == ["numbers.tasks.process_delivery"]
    message = Message.objects.get()
    assert (message.from_number, message.to_number) == (CALLER, desk.phone_number)
    assert (message.number, message.assistant, message.status) == (
        desk, desk.assistant, "unhandled",
    )  # fmt: skip


def test_the_same_message_in_two_events_is_one_message(desk):
    desk.assistant.sms_webhook_url = "https://127.0.0.1:9/sms"
    desk.assistant.save()
    for event_id in ("e1", "e2"):
        from_telnyx(event_of("message.received", text_payload(desk), event_id))
    work(most=2)

    assert (WebhookDelivery.objects.count(), Message.objects.count()) == (2, 1)
    jobs = ProcrastinateJob.objects.values_list("task_name", flat=True)
    assert list(jobs) == ["numbers.tasks.hand_over_message"]


@pytest.mark.parametrize(
    ("event_type", "direction"),
    [("call.machine.premium.detection.ended", "incoming"), ("call.initiated", "outgoing"),
     ("message.finalized", "outbound"), ("something.new", None), ("", None)],
)  # fmt: skip
def test_anything_else_is_stored_and_acknowledged(desk, event_type, direction):
    body = event_of(event_type, call_payload(desk, direction=direction))

    assert from_telnyx(body).status_code == 200

    delivery = WebhookDelivery.objects.get()
    assert (delivery.kind, delivery.processed_at is not None) == ("other", True)
    assert bytes(delivery.body) == body
    assert ProcrastinateJob.objects.count() == 0


def test_an_event_without_our_number_is_found_by_its_connection(organization, other_organization):
    """Both tenants' settings name it; the signature tells whose it is."""
    body = event_of("call.cost", {"connection_id": "1234567890123456789", "to": "+4930123456"})

    assert from_telnyx(body, key=key_of("KEYglobex")).status_code == 200
    assert WebhookDelivery.objects.get().account.organization == other_organization


def test_an_outgoing_call_between_tenants_belongs_to_who_placed_it(desk, other_organization):
    """Later events of a call do not say their direction."""
    caller = owned(other_organization, "telnyx", phone_number="+14155559999")
    payload = {"from": caller.phone_number, "to": desk.phone_number, "call_control_id": "v3:out"}

    answer = from_telnyx(event_of("call.hangup", payload), key=key_of("KEYglobex"))
    work()

    assert answer.status_code == 200
    call = Call.objects.get()
    assert (call.organization, call.direction) == (other_organization, "outbound")


# --- Orders --------------------------------------------------------------------------------------


def order_event(purchase, *, event_id: str = "o1", **over):
    payload = {
        "id": purchase.order_id,
        "record_type": "number_order",
        "status": "success",
        "customer_reference": str(purchase.pk),
        "phone_numbers": [{"phone_number": purchase.phone_number, "status": "success"}],
    } | over
    return event_of("number_order.complete", payload, event_id)


WAITS = "+14155550052"  # Telnyx never completes it


def test_an_order_event_makes_us_ask_telnyx_which_alone_is_believed(organization, sandbox):
    purchase = buy(organization, "telnyx", phone_number=WAITS).purchase
    ProcrastinateJob.objects.all()._raw_delete("default")
    sandbox.clear_requests()

    assert from_telnyx(order_event(purchase, status="success")).status_code == 200
    done = work(most=2)

    assert done == ["numbers.tasks.process_delivery", "numbers.tasks.settle_purchase"]
    assert [r.path for r in sandbox.requests()] == [f"/v2/number_orders/{purchase.order_id}"]
    purchase.refresh_from_db()
    assert purchase.state == "pending"


def test_a_lost_order_is_found_by_its_event(organization, sandbox):
    """The answer to the order was lost: only our reference in the event leads to the purchase."""
    with suppress(PurchaseUncertain):
        buy(organization, "telnyx", phone_number="+14155550030")
    purchase = Purchase.objects.get()
    assert (purchase.state, purchase.order_id) == ("uncertain", "")
    ProcrastinateJob.objects.all()._raw_delete("default")
    (order,) = wait_until(sandbox.orders, "the order exists")

    from_telnyx(order_event(purchase, id=order["id"]))

    assert work(most=2)[1] == "numbers.tasks.settle_purchase"


def test_an_order_of_another_account_is_nobodys(organization, other_organization, sandbox):
    """Signed by the other tenant, who names our purchase."""
    purchase = buy(organization, "telnyx", phone_number=WAITS).purchase
    ProcrastinateJob.objects.all()._raw_delete("default")
    other = ProviderAccount.objects.get(organization=other_organization, provider="telnyx")
    body = order_event(purchase, connection_id=other.connection_id)

    assert from_telnyx(body, key=key_of("KEYglobex")).status_code == 200
    assert work() == ["numbers.tasks.process_delivery"]


def test_a_purchase_learns_the_public_key_that_its_calls_need(sandbox, db):
    organization = make_organization("Keyless", accounts=False)
    account = make_telnyx_account(organization, public_key="")

    buy(organization, "telnyx")

    account.refresh_from_db()
    public = key_of("KEYkeyless").public_key().public_bytes_raw()
    assert account.public_key == base64.b64encode(public).decode()


def test_a_purchase_goes_on_when_telnyx_does_not_tell_the_key(sandbox, db):
    organization = make_organization("Keyless", accounts=False)
    account = make_telnyx_account(organization, public_key="")
    sandbox.add_fault(path="public_key", status=500, times=None)

    assert buy(organization, "telnyx").purchase.state in ("completed", "pending")

    account.refresh_from_db()
    assert account.public_key == ""
