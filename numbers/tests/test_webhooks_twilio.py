"""Twilio at our door: what is signed is answered and written down, everything else is neither."""

import base64
import hashlib
import hmac
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob
from twilio.request_validator import RequestValidator

from burki.testing import SYSTEM, TWILIO_TOKEN, make_assistant, make_organization
from numbers.models import Call, Message, PhoneNumber, WebhookDelivery
from numbers.services.repairing import repair_number
from numbers.tests.inbound import (
    BASE,
    CALLER,
    call_form,
    from_twilio,
    owned,
    refusals,
    text_form,
)
from numbers.tests.inventories import bought
from organizations.models import ProviderAccount

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(organization):
    """A number whose assistant has a media stream and takes messages."""
    assistant = make_assistant(
        organization,
        media_stream_url="wss://voice.example.com/streams",
        greeting="Acme, good morning.",
        sms_webhook_url="https://desk.example/sms",
    )
    return owned(organization, "twilio", assistant=assistant)


def nothing_written() -> bool:
    return not (
        WebhookDelivery.objects.exists()
        or Call.objects.exists()
        or Message.objects.exists()
        or ProcrastinateJob.objects.exists()
    )


# --- Signatures ----------------------------------------------------------------------------------


def test_the_published_vector_is_what_we_compute():
    """From Twilio's own SDK; the second constant is the same by hand, without the SDK."""
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
        "Caller": "+14158675309",
    }
    by_hand = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    digest = hmac.new(b"12345", by_hand.encode(), hashlib.sha1).digest()

    assert base64.b64encode(digest) == b"RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert RequestValidator("12345").compute_signature(url, form) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def test_a_signature_written_by_hand_is_accepted(organization):
    """Constants computed with openssl, so that no library of ours vouches for itself."""
    ProviderAccount.objects.filter(organization=organization, provider="twilio").update(
        account_sid="AC" + "0" * 32
    )
    number = owned(organization, "twilio")
    form = {"AccountSid": "AC" + "0" * 32, "CallSid": "CA0", "From": CALLER, "To": "+14155551234"}

    answer = from_twilio(form, signature="aNA5Z3IPNrE6UNuII7mjFXmC93E=")

    assert answer.status_code == 200
    assert WebhookDelivery.objects.get().account == number.account


@pytest.mark.parametrize("path", ["/twiml", "/twilio-sms-webhook", "/twilio-status?purchase=1"])
@pytest.mark.parametrize(
    "break_it",
    [
        lambda form, path: {"signature": ""},
        lambda form, path: {"signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        lambda form, path: {"signature": "nöt ascii"},
        lambda form, path: {"token": "twilio-token-of-globex"},
        lambda form, path: {"signature": sign(f"http://burki.test{path}", form)},
        lambda form, path: {"signature": sign(f"https://other.test{path}", form)},
        lambda form, path: {"signature": sign(f"{BASE}{path}", form | {"To": "+14155550000"})},
        lambda form, path: {"signature": sign(f"{BASE}{path}", form | {"Extra": "1"})},
        lambda form, path: {"signature": sign(f"{BASE}{path}&x=1", form)},
        lambda form, path: {"signature": sign(f"{BASE}{path}", form, hashlib.sha256)},
    ],
    ids=["missing", "wrong", "not ascii", "other tenant's token", "other scheme", "other host",
         "other number", "parameter less", "query less", "other algorithm"],
)  # fmt: skip
def test_what_is_not_signed_is_refused_and_nothing_is_written(desk, path, break_it):
    form = call_form(desk)

    answer = from_twilio(form, path, **break_it(form, path))

    assert answer.status_code == 403
    assert answer.json()["code"] == "permission_denied"
    assert nothing_written()


def sign(url: str, form: dict[str, str], algorithm=hashlib.sha1, token: str = TWILIO_TOKEN) -> str:
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    digest = hmac.new(token.encode(), text.encode(), algorithm).digest()
    return base64.b64encode(digest).decode()


def test_an_extra_query_parameter_breaks_the_signature(desk):
    form = call_form(desk)

    assert from_twilio(form, "/twiml?x=1", signature=sign(f"{BASE}/twiml", form)).status_code == 403
    assert nothing_written()
    assert from_twilio(form, "/twiml?x=1").status_code == 200


def test_another_tenants_account_cannot_speak_for_a_number(desk, other_organization):
    """With that account's own SID and its own, right token."""
    other = ProviderAccount.objects.get(organization=other_organization, provider="twilio")
    other.secret = "twilio-token-of-globex"
    other.save()
    form = call_form(desk, AccountSid=other.account_sid)

    assert from_twilio(form, token="twilio-token-of-globex").status_code == 403
    assert nothing_written()


def test_the_account_that_is_named_must_be_the_one_that_has_the_number(desk):
    form = call_form(desk, AccountSid="AC" + "9" * 32)

    assert from_twilio(form).status_code == 403
    assert nothing_written()


def test_a_refusal_is_counted_and_logged_without_the_body(desk, caplog):
    before = refusals("twilio")
    with caplog.at_level("INFO", logger="burki.events"):
        from_twilio(text_form(desk, Body="my secret"), token="wrong")
        from_twilio(text_form(desk, Body="my secret"), signature="")

    assert refusals("twilio") - before == {"signature": 1, "unsigned": 1}
    told = [record.event for record in caplog.records if record.name == "burki.events"]
    assert told == ["webhook.refused"] * 2
    assert "my secret" not in caplog.text and CALLER not in caplog.text


def test_the_address_is_the_public_one_whatever_the_proxy_says(desk):
    answer = Client().post(
        "/twiml",
        "&".join(f"{k}={v}".replace("+", "%2B") for k, v in call_form(desk).items()),
        content_type="application/x-www-form-urlencoded",
        headers={
            "X-Twilio-Signature": sign(f"{BASE}/twiml", call_form(desk)),
            "Host": "10.0.0.7:8000",
            "X-Forwarded-Host": "evil.test",
        },
    )

    assert answer.status_code == 200


def test_for_a_day_after_a_rotation_the_old_token_counts_as_well(desk):
    account = desk.account
    account.secret = "twilio-token-number-two"
    account.save()

    assert from_twilio(call_form(desk, CallSid="CA2")).status_code == 200
    assert (
        from_twilio(call_form(desk, CallSid="CA3"), token="twilio-token-number-two").status_code
        == 200
    )

    ProviderAccount.objects.filter(pk=account.pk).update(
        secret_replaced_at=timezone.now() - timedelta(hours=24, seconds=1)
    )

    assert from_twilio(call_form(desk, CallSid="CA4")).status_code == 403
    assert (
        from_twilio(call_form(desk, CallSid="CA5"), token="twilio-token-number-two").status_code
        == 200
    )
    assert WebhookDelivery.objects.count() == 3


def test_saving_the_same_token_again_keeps_no_previous_one(desk):
    account = desk.account
    account.secret = TWILIO_TOKEN
    account.save()

    assert (account.encrypted_previous, account.secret_replaced_at) == ("", None)


def test_the_platforms_numbers_are_signed_with_the_environments_token(settings, db):
    settings.TWILIO_ACCOUNT_SID = "AC" + "e" * 32
    settings.TWILIO_AUTH_TOKEN = "the-platforms-token"
    account = ProviderAccount.objects.create(
        provider="twilio", source="environment", account_sid="AC" + "e" * 32
    )
    number = owned(make_organization("Bare", accounts=False), "twilio", account=account)

    assert from_twilio(call_form(number), token="the-platforms-token").status_code == 200
    assert from_twilio(call_form(number), token=TWILIO_TOKEN).status_code == 403

    settings.TWILIO_AUTH_TOKEN = "the-platforms-next-token"
    assert from_twilio(call_form(number), token="the-platforms-token").status_code == 403

    settings.TWILIO_PREVIOUS_AUTH_TOKEN = "the-platforms-token"
    assert from_twilio(call_form(number), token="the-platforms-token").status_code == 200


def test_only_post_and_only_so_much(desk):
    assert Client().get("/twiml").status_code == 405
    assert Client().put("/twilio-status").status_code == 405
    answer = from_twilio(text_form(desk, Body="x" * 256 * 1024))

    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert from_twilio({"a" + str(n): "" for n in range(600)}).status_code == 403
    assert nothing_written()


def test_no_session_and_no_csrf_cookie_is_asked_for_or_set(desk):
    answer = from_twilio(call_form(desk), client=Client(enforce_csrf_checks=True))

    assert answer.status_code == 200
    assert not answer.cookies


# --- Between a move and the repair ---------------------------------------------------------------

NEW = "https://new.test"


@pytest.fixture
def moved(organization, sandbox, settings):
    """A number that was bought under the old PUBLIC_BASE_URL, and not repaired yet."""
    number = bought(organization, "twilio")
    settings.PUBLIC_BASE_URL = NEW
    return number


def signed_at(base: str, number, path: str = "/twiml", token: str = TWILIO_TOKEN) -> int:
    """The status of the answer to a request that Twilio signed for the address under `base`."""
    form = call_form(number, CallSid=f"CA{WebhookDelivery.objects.count()}")
    return from_twilio(form, path, signature=sign(base + path, form, token=token)).status_code


def test_until_the_repair_what_is_signed_for_the_old_address_is_answered(
    moved, organization, sandbox
):
    callback = moved.status_callback.removeprefix(BASE)
    form = text_form(moved)
    text = from_twilio(form, signature=sign(f"{BASE}/twiml", form))
    assert (text.status_code, signed_at(BASE, moved), signed_at(BASE, moved, callback)) == (
        200,
        200,
        204,
    )
    assert signed_at(NEW, moved) == 200

    repair_number(actor=SYSTEM, organization=organization, number=moved)

    assert sandbox.owned()[0]["voice_url"] == f"{NEW}/twiml"
    assert (signed_at(BASE, moved), signed_at(NEW, moved)) == (403, 200)


def test_the_old_address_is_known_of_an_adopted_number_that_was_verified(moved):
    PhoneNumber.objects.update(status_callback="", webhook_base_url=BASE)

    assert (signed_at(BASE, moved), signed_at(NEW, moved)) == (200, 200)


@pytest.mark.parametrize("base", ["https://evil.test", "http://burki.test", "", "https://burki"])
def test_an_address_that_we_never_set_is_refused_after_a_move_as_well(moved, base):
    """Also one that a customer chose for the calls of the number."""
    PhoneNumber.objects.update(voice_url=f"{base}/twiml", voice_webhook_url=f"{base}/twiml")
    jobs = ProcrastinateJob.objects.count()

    assert signed_at(base, moved) == 403
    assert WebhookDelivery.objects.count() == 0
    assert ProcrastinateJob.objects.count() == jobs


def test_the_old_address_still_needs_the_accounts_token(moved):
    assert signed_at(BASE, moved, token="twilio-token-of-globex") == 403
    assert WebhookDelivery.objects.count() == 0


def test_where_one_number_was_says_nothing_of_another(moved, other_organization):
    other = owned(other_organization, "twilio", phone_number="+14155559999")

    assert (signed_at(BASE, other), signed_at(NEW, other)) == (403, 200)


def test_a_call_costs_three_statements_after_a_move_too(moved, django_assert_num_queries):
    form = call_form(moved)
    signature = sign(f"{BASE}/twiml", form)

    with django_assert_num_queries(5):  # two of them begin and end the transaction
        assert from_twilio(form, signature=signature).status_code == 200
