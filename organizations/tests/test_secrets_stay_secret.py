"""Secrets never leave: no page, answer, log line, audit row or repr holds more of one than its
last four characters."""

import base64
import logging

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.urls import reverse

from burki.logs import ContextFilter, MaskingJsonFormatter, MaskingTextFormatter
from burki.testing import (
    SYSTEM,
    make_assistant,
    make_client,
    make_organization,
    make_telnyx_account,
    make_twilio_account,
    make_user,
    post,
)
from numbers.api.urls import router
from numbers.clocks import Deadline
from numbers.models import PhoneNumber, Purchase
from numbers.providers.registry import driver_for
from numbers.services.accounts import credentials_of
from numbers.tests.money import ORDERS, at_event, failing_writes, suspend
from organizations.actors import Actor
from organizations.credentials import store_credentials
from organizations.models import ApiKey, AuditEvent, ProviderAccount

SID = "AC" + "0" * 28 + "5511"
TOKEN = "qZ7wKy9xVu3jYs5hGo1fRi8pLe6mNa4t"
KEY = "KEYw.Jx4vTq8zBn2mHs6kPd0fLr3yQgU7"
PURCHASE = "/phone-numbers/purchase"
SETTINGS = "/api/v1/organization"
# What is entered through the API, accepted and refused.
NEW_KEY, REFUSED_KEY, OTHERS_KEY = (
    "KEYw.Gm3cWb9ZtRk2XsVn5EpQh8Dy",
    "KEYx.Uj6aSo1LxFi4CvTe9BwNq7Mz",
    "sk-Pd2gHr7KyOl3AuZf8JiXm5Ec",
)
ENTERED = tuple(key.partition(".")[2] for key in (NEW_KEY, REFUSED_KEY)) + (OTHERS_KEY[3:],)

pytestmark = [pytest.mark.django_db, pytest.mark.walk]
transactional = pytest.mark.django_db(transaction=True)


def leaks(text: str, *more: str) -> set[str]:
    """What `text` holds of the secrets: five characters in a row, or a Basic header."""
    basic = base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
    found = {
        secret[start : start + 5]
        for secret in (TOKEN, KEY.partition(".")[2], *more)
        for start in range(len(secret) - 4)
        if secret[start : start + 5] in text
    }
    return found | ({basic} if basic in text else set())


@pytest.fixture
def acme(sandbox):
    """An organization whose secrets can be told in any text."""
    organization = make_organization("Acme", accounts=False)
    make_twilio_account(organization, account_sid=SID, secret=TOKEN)
    make_telnyx_account(organization, secret=KEY)
    return organization


@pytest.fixture
def client(acme):
    return make_client(acme)


def buy_in_every_way(client, sandbox) -> list:
    """Purchases that succeed, and that fail in every way; the answers."""
    lines = ("1234", "0001", "0004", "0006", "0010", "0011", "0020", "0022", "0023", "0027", "0031")
    echo = {"detail": f"Authorization: Bearer {KEY} is not valid", "code": "10009"}
    sandbox.add_fault(method="POST", path="number_orders", status=401, body={"errors": [echo]})
    answers = [
        post(client, PURCHASE, {"provider": provider, "phone_number": f"+1415555{line}"})
        for provider in ("telnyx", "twilio")
        for line in lines
    ]
    ProviderAccount.objects.update(is_active=False)
    for provider in ORDERS:
        body = {"provider": provider, "phone_number": "+14155551299"}
        answers.append(post(client, PURCHASE, body))
    ProviderAccount.objects.update(is_active=True)
    assert {200, 500, 504} <= {answer.status_code for answer in answers}
    return answers


def use_the_settings(client, sandbox) -> list:
    """Settings, credentials, checks and keys: what is accepted, and what is refused by a provider
    that repeats the secret; the answers."""
    echo = {"code": "10009", "title": f"Bearer {REFUSED_KEY}", "detail": f"{REFUSED_KEY} is wrong"}
    refusal = {"method": "GET", "status": 401, "body": {"errors": [echo]}}
    accounts = f"{SETTINGS}/provider-accounts"
    answers = [
        client.put(SETTINGS, {"api_keys": {"openai": OTHERS_KEY}}, format="json"),
        client.put(SETTINGS, {"telnyx_api_key": NEW_KEY}, format="json"),
        post(client, f"{SETTINGS}/telnyx/validate", {"api_key": NEW_KEY}),
    ]
    for ask in (
        lambda: client.put(SETTINGS, {"telnyx_api_key": REFUSED_KEY}, format="json"),
        lambda: post(client, f"{SETTINGS}/telnyx/validate", {"api_key": REFUSED_KEY}),
    ):
        sandbox.add_fault(**refusal)
        answers.append(ask())
    answers.append(client.put(SETTINGS, {"telnyx_api_key": f"{REFUSED_KEY} "}, format="json"))
    answers.append(client.put(SETTINGS, {"telnyx_api_key": [REFUSED_KEY]}, format="json"))
    for row in ProviderAccount.objects.all():
        answers.append(post(client, f"{accounts}/{row.pk}/check", {}))
        answers.append(client.patch(f"{accounts}/{row.pk}", {"secret": "x"}, format="json"))
    for path in (
        SETTINGS,
        accounts,
        f"{SETTINGS}/configuration-status",
        "/api/v1/users/me/api-keys",
    ):
        answers.append(client.get(path))
    assert {answer.status_code for answer in answers} == {200, 400}
    return answers


def told(response) -> str:
    headers = "\n".join(f"{name}: {value}" for name, value in response.items())
    return f"{headers}\n{response.content.decode()}"


def test_no_repr_and_no_str_shows_a_secret(acme, client):
    shown = []
    for account in ProviderAccount.objects.all():
        credentials = credentials_of(account)
        assert credentials.secret in (TOKEN, KEY)
        driver = driver_for(credentials, Deadline.after(1))
        shown += [account, credentials, driver, account.__dict__, account.secret_hint]
    key = ApiKey.objects.get()
    shown += [key, key.__dict__, Actor.for_key(key), SYSTEM]

    text = "".join(f"{thing!r}{thing}" for thing in shown)

    assert leaks(text, client.key.removeprefix("burki_")[6:]) == set()
    hints = [account.secret_hint for account in ProviderAccount.objects.order_by("provider")]
    assert hints == [f"…{KEY[-4:]}", f"…{TOKEN[-4:]}"]


def test_no_answer_of_the_api_shows_a_secret(acme, client, sandbox):
    make_assistant(acme)
    answers = buy_in_every_way(client, sandbox) + use_the_settings(client, sandbox)
    purchases = [str(pk) for pk in Purchase.objects.values_list("pk", flat=True)]
    numbers = list(PhoneNumber.objects.values_list("phone_number", flat=True))
    assert len(purchases) > 10 and len(numbers) > 2
    known = {"purchase_id": purchases, "phone_number": numbers}

    for route in router.urls:
        (wanted,) = [list(route.pattern.regex.groupindex)]
        for name, values in [(n, known.get(n, ["1"])) for n in wanted] or [("", [""])]:
            for value in values:
                given = dict.fromkeys(wanted, "1") | ({name: value} if name else {})
                answers.append(client.get(reverse(route.name, kwargs=given)))
    answers.append(client.get("/phone-numbers/+19995550000"))
    answers.append(post(client, "/phone-numbers/search", {"provider": "all"}))

    assert {200, 404, 405} <= {answer.status_code for answer in answers}
    for answer in answers:
        assert leaks(told(answer), client.key.removeprefix("burki_")[6:], *ENTERED) == set()
    made = post(client, "/api/v1/users/me/api-keys", {"name": "shown once"}).json()["key"][12:]
    assert leaks(told(client.get("/api/v1/users/me/api-keys")), made) == set()


def test_no_row_of_the_database_holds_a_secret(acme, client, sandbox):
    """Audit, purchases, offers, jobs, sessions, the admin's own log, …"""
    buy_in_every_way(client, sandbox)
    use_the_settings(client, sandbox)
    staff = signed_in()
    change = reverse("admin:organizations_provideraccount_change", args=[account("twilio").pk])
    staff.post(change, form_of(account("twilio"), secret=TOKEN[::-1]))

    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        rows = []
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            rows += [f"{table}: {row}" for (row,) in cursor.fetchall()]

    assert len(rows) > 100
    secrets = (client.key.removeprefix("burki_")[6:], TOKEN[::-1], *ENTERED)
    assert [row for row in rows if leaks(row, *secrets)] == []


def test_the_audit_tells_of_credentials_by_their_last_four_characters(acme, client, sandbox):
    for provider, secret in (("twilio", TOKEN), ("telnyx", KEY)):
        store_credentials(
            actor=SYSTEM,
            organization=make_organization("Initech", accounts=False),
            provider=provider,
            secret=secret,
            account_sid=SID if provider == "twilio" else "",
        )

    added = AuditEvent.objects.filter(action="provider_account.added").order_by("pk")

    assert [event.data["secret"] for event in added] == [f"…{TOKEN[-4:]}", f"…{KEY[-4:]}"]
    assert AuditEvent.objects.get(action="api_key.created").object_label == (
        f"test ({client.key[:12]}…)"
    )


def signed_in() -> Client:
    user = make_user(None, "", "root@example.com", is_staff=True, is_superuser=True)
    staff = Client()
    staff.force_login(user)
    return staff


def account(provider: str) -> ProviderAccount:
    return ProviderAccount.objects.get(provider=provider)


def form_of(row: ProviderAccount, **over: str) -> dict[str, str]:
    fields = {
        "label": row.label,
        "connection_id": row.connection_id,
        "messaging_profile_id": row.messaging_profile_id,
        "public_key": row.public_key,
        "make_default": "on",
        "is_active": "on",
        "secret": "",
    }
    return fields | over


def test_no_page_of_the_admin_shows_a_secret(acme, client, sandbox):
    buy_in_every_way(client, sandbox)
    use_the_settings(client, sandbox)
    staff, pages = signed_in(), []
    pages.append(staff.get("/admin/"))
    for model, model_admin in admin.site._registry.items():
        where = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        pages.append(staff.get(reverse(f"{where}_changelist")))
        pages.append(staff.get(reverse(f"{where}_add")))
        for row in model._default_manager.order_by("pk")[:3]:
            pages.append(staff.get(reverse(f"{where}_change", args=[row.pk])))
            pages.append(staff.get(reverse(f"{where}_history", args=[row.pk])))
        assert model_admin.model is model

    assert {page.status_code for page in pages} <= {200, 403}
    assert len([page for page in pages if page.status_code == 200]) > 30
    for page in pages:
        assert leaks(told(page), client.key.removeprefix("burki_")[6:], *ENTERED) == set()
    listed = staff.get(reverse("admin:organizations_provideraccount_changelist"))
    assert f"…{TOKEN[-4:]}" in told(listed)


def test_the_admin_s_form_takes_a_new_secret_and_never_gives_one_back(acme, sandbox):
    staff, row = signed_in(), account("twilio")
    change = reverse("admin:organizations_provideraccount_change", args=[row.pk])
    new = "NewTokenThatNobodyEverSaw-x4c7"

    wrong = staff.post(change, form_of(row, secret=new, label="x" * 101))
    assert wrong.status_code == 200
    assert "errorlist" in told(wrong)
    assert leaks(told(wrong), new) == set()
    assert account("twilio").secret == TOKEN

    right = staff.post(change, form_of(row, secret=new), follow=True)
    assert leaks(told(right), new) == set()
    assert account("twilio").secret == new
    event = AuditEvent.objects.get(action="provider_account.secret_replaced")
    assert event.data["secret"] == "…x4c7"
    assert leaks(str(event.data), new) == set()

    kept = staff.post(change, form_of(row, label="main"), follow=True)
    assert kept.status_code == 200
    assert account("twilio").secret == new


def test_the_admin_shows_an_account_that_no_key_opens_so_that_it_can_be_mended(acme, settings):
    settings.CREDENTIALS_KEYS = ["A" * 42 + "A="]
    staff, row = signed_in(), account("twilio")
    change = reverse("admin:organizations_provideraccount_change", args=[row.pk])

    listed = staff.get(reverse("admin:organizations_provideraccount_changelist"))
    assert (listed.status_code, "unreadable" in told(listed)) == (200, True)
    assert staff.get(change).status_code == 200

    staff.post(change, form_of(row, secret=TOKEN))
    assert account("twilio").secret == TOKEN


@pytest.fixture
def lines():
    """Everything that is logged, as both of our formatters write it."""
    written: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    handlers = []
    for formatter in (MaskingTextFormatter(), MaskingJsonFormatter()):
        handler = Keep()
        handler.setFormatter(formatter)
        handler.addFilter(ContextFilter())
        logging.getLogger().addHandler(handler)
        handlers.append(handler)
    yield written
    for handler in handlers:
        logging.getLogger().removeHandler(handler)


@transactional
def test_no_line_of_the_log_shows_a_secret_or_a_whole_number(
    acme, client, sandbox, monkeypatch, lines
):
    def fail():
        raise RuntimeError(f"Authorization: Bearer {KEY}, auth_token={TOKEN}, {client.key}")

    buy_in_every_way(client, sandbox)
    use_the_settings(client, sandbox)
    # It tries to record until the time of the request is over, of which not much is left.
    nearly_over = at_event("purchase.answered", lambda: suspend(monkeypatch, 23))
    with failing_writes("numbers_phonenumber", "UPDATE", times=1000), nearly_over:
        post(client, PURCHASE, {"provider": "twilio", "phone_number": "+14155551298"})
    for event in ("purchase.claimed", "purchase.answered"):
        with at_event(event, fail):
            post(client, PURCHASE, {"provider": "telnyx", "phone_number": "+14155555298"})

    text = "\n".join(lines)
    assert "Traceback" in text
    assert "purchase.claimed" in text and "twilio POST /2010-04-01" in text
    assert leaks(text, client.key.removeprefix("burki_"), *ENTERED) == set()
    assert [line for line in lines if "4155551" in line or "4155555" in line] == []
    assert f"***{KEY[-4:]}" in text and f"***{TOKEN[-4:]}" in text


@pytest.mark.parametrize(
    "line",
    [
        f"Authorization: Basic {base64.b64encode(f'{SID}:{TOKEN}'.encode()).decode()}",
        f"Authorization: Bearer {KEY}",
        f"the key {KEY} is wrong",
        f'{{"auth_token": "{TOKEN}"}}',
        f"{{'secret': '{TOKEN}'}}",
        f"password={TOKEN}",
        f"secret='{TOKEN}', account_sid='{SID}'",
        f"https://{SID}:{TOKEN}@api.twilio.com/2010-04-01",
    ],
)
def test_secrets_are_masked_wherever_they_are_logged(line, lines):
    logging.getLogger("somebody.else").warning("said: %s", line)

    assert len(lines) == 2
    for written in lines:
        assert leaks(written) == set()
