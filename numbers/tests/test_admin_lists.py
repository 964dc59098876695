"""Every page of the admin opens, and no list asks more for two hundred rows than for ten."""

import uuid

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from assistants.models import Assistant
from burki.testing import make_user
from numbers.models import (
    BulkItem,
    BulkPurchase,
    Call,
    CallerIdCall,
    Comparison,
    CostTally,
    FallbackPurchase,
    Finding,
    HandoverAttempt,
    Message,
    NumberTally,
    Offer,
    PhoneNumber,
    ProviderSetup,
    Purchase,
    PurchaseReplayKey,
    Release,
    ReleaseReplayKey,
    SigningSecret,
    VerifiedCallerId,
    WebhookDelivery,
)
from numbers.tests.rows import NOON
from organizations.models import (
    ApiKey,
    AuditEvent,
    AuditSeal,
    Event,
    EventAttempt,
    EventDelivery,
    EventEndpoint,
    Membership,
    Organization,
    ProviderAccount,
    User,
)

pytestmark = [pytest.mark.django_db, pytest.mark.walk]

APPS = ("organizations", "assistants", "numbers")
# What has no list of its own, and why.
EXCEPT = {
    Membership: "is looked at and changed on its organization's page",
    CallerIdCall: "is a minute's memory of what the audit tells for good",
    CostTally: "is kept by the database alone, which can count it anew",
    NumberTally: "is kept by the database alone, which can count it anew",
    SigningSecret: "holds nothing but a secret; when it was replaced is in the audit",
}
OURS = [
    model for app in APPS for model in apps.get_app_config(app).get_models() if model not in EXCEPT
]
# What people enter in the admin itself; everything else has services of its own.
ADDED_HERE = {Organization, User, Assistant, ProviderAccount}
HIDDEN = "never-to-be-shown"
each_model = pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)


class Ledger:
    """Rows of every model. Each has an organization, an account and a number of its own, so that
    a list that asks for them row by row is found out."""

    def __init__(self):
        self.rows = 0

    def grow(self, rows: int) -> None:
        new, self.rows = range(self.rows, rows), rows

        def make(model: type[models.Model], **fields) -> list:
            """One for each `n`; callables among the fields are asked for it."""
            return model.objects.bulk_create(
                model(**{k: v(n) if callable(v) else v for k, v in fields.items()}) for n in new
            )

        def of(made: list):
            return lambda n: made[n - new.start]

        def line(n: int) -> str:
            return f"+1415555{n:04}"

        tenants = make(Organization, name=lambda n: f"Tenant {n}", slug=lambda n: f"tenant-{n}")
        ours = {"organization": of(tenants)}
        users = make(User, email=lambda n: f"person-{n}@example.com")
        make(Membership, **ours, user=of(users), role="owner")
        accounts = make(ProviderAccount, **ours, provider="twilio", label=lambda n: f"Account {n}")
        here = ours | {"account": of(accounts), "provider": "twilio"}
        keys = make(ApiKey, **ours, name="key", digest=lambda n: f"digest-{n}", scopes=[])
        assistants = make(Assistant, **ours, name=lambda n: f"Assistant {n}", created_by=of(users))
        numbers = make(PhoneNumber, **here, phone_number=line, status="active",
                       assistant=of(assistants))  # fmt: skip
        about = {"number": of(numbers)}
        bulks = make(BulkPurchase, **ours, idempotency_key=str, provider="twilio", quantity=1,
                     assistant=of(assistants))  # fmt: skip
        chains = make(FallbackPurchase, **ours, idempotency_key=str, requested_phone_number=line)
        purchases = make(Purchase, **here, **about, phone_number=line, state="completed",
                         request={}, fallback=of(chains))  # fmt: skip
        make(BulkItem, bulk=of(bulks), n=lambda n: n, phone_number=line, purchase=of(purchases))
        releases = make(Release, **ours, **about, state="released")
        make(PurchaseReplayKey, **ours, idempotency_key=str, purchase=of(purchases))
        make(ReleaseReplayKey, **ours, idempotency_key=str, release=of(releases))
        make(Finding, **ours, **about, account=of(accounts), phone_number=line, kind="drift",
             first_seen_at=NOON, last_seen_at=NOON)  # fmt: skip
        make(Comparison, account=of(accounts), began_at=NOON, listed=1)
        make(ProviderSetup, **ours, account=of(accounts), started_at=NOON)
        make(Offer, account=of(accounts), provider="twilio", phone_number=line)
        make(VerifiedCallerId, **ours, account=of(accounts), phone_number=line, provider_id=str)
        make(Call, **here, **about, call_id=str, started_at=NOON, assistant=of(assistants))
        texts = make(Message, **here, **about, message_id=str, received_at=NOON,
                     assistant=of(assistants))  # fmt: skip
        make(HandoverAttempt, message=of(texts), host="example.com", milliseconds=1)
        make(WebhookDelivery, provider="twilio", account=of(accounts), kind="call",
             event_key=lambda n: str(uuid.uuid4()), body=b"{}")  # fmt: skip
        endpoints = make(EventEndpoint, **ours, url=lambda n: f"https://{n}.example.com/{HIDDEN}",
                         encrypted_secret=HIDDEN, encrypted_previous=HIDDEN)  # fmt: skip
        events = make(Event, **ours, type="purchase.completed", url="https://burki.test/x")
        deliveries = make(EventDelivery, event=of(events), endpoint=of(endpoints))
        make(EventAttempt, delivery=of(deliveries), status_code=200, milliseconds=1)
        make(AuditEvent, **ours, actor_kind="api_key", actor_label="key", api_key=of(keys),
             user=of(users), action="purchase.claimed", object_type="numbers.Purchase",
             object_id=str)  # fmt: skip
        make(AuditSeal, **ours, first_id=1, last_id=1, last_at=NOON, event_ids=[1],
             hashes=["h"], hash=str, previous=str)  # fmt: skip


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def browser(db):
    browser = Client()
    browser.force_login(make_user(None, "boss", is_staff=True, is_superuser=True))
    return browser


def address(model: type[models.Model], page: str, *args) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_every_model_has_a_list_or_a_reason_to_have_none(ledger):
    ledger.grow(1)

    for model in OURS:
        listed = admin.site.get_model_admin(model)
        assert listed.search_fields and listed.list_filter and len(listed.list_display) > 1, model
    assert [model.__name__ for model in EXCEPT if admin.site.is_registered(model)] == []
    assert [model.__name__ for model in OURS if not model._default_manager.exists()] == []


@pytest.mark.parametrize("page", ["auth_group", "procrastinate_procrastinatejob"])
def test_the_lists_of_others_open_as_well(browser, page):
    assert browser.get(reverse(f"admin:{page}_changelist")).status_code == 200


@each_model
def test_every_page_opens(browser, ledger, model):
    ledger.grow(3)
    row = model._default_manager.latest("pk")

    for page in (address(model, "changelist"), address(model, "change", row.pk)):
        opened = browser.get(page)
        assert opened.status_code == 200 and HIDDEN not in opened.content.decode()
    assert browser.get(address(model, "history", row.pk)).status_code == 200
    adding = browser.get(address(model, "add")).status_code
    assert adding == (200 if model in ADDED_HERE else 403)
    listed = browser.get(address(model, "changelist"), {"q": "tenant-1"})
    filters = listed.context["cl"].filter_specs
    links = [c["query_string"] for spec in filters for c in spec.choices(listed.context["cl"])]
    for link in links:
        assert browser.get(address(model, "changelist") + link).status_code == 200, link


def test_two_hundred_rows_cost_as_many_queries_as_ten(browser, ledger):
    def asked(model: type[models.Model]) -> tuple[int, int]:
        with CaptureQueriesContext(connection) as queries:
            answer = browser.get(f"{address(model, 'changelist')}?all=")
        return len(answer.context["cl"].result_list), len(queries)

    ledger.grow(10)
    few = {model.__name__: asked(model) for model in OURS}
    ledger.grow(199)  # and the one who looks: the most that the admin shows
    many = {model.__name__: asked(model) for model in OURS}

    for name, (rows, queries) in few.items():
        assert 10 <= rows <= 11 and 199 <= many[name][0] <= 200, name
        assert many[name][1] <= queries <= 12, name


def test_many_organizations_are_no_column_of_links(browser, ledger):
    ledger.grow(31)

    page = browser.get(address(Purchase, "changelist")).content.decode()
    chosen = Organization.objects.get(slug="tenant-7")
    narrowed = browser.get(address(Purchase, "changelist"), {"organization__id__exact": chosen.pk})

    assert "organization__id__exact" not in page
    assert [row.organization for row in narrowed.context["cl"].result_list] == [chosen]


def test_no_page_shows_a_secret(browser, organization, assistant):
    account = organization.provider_accounts.get(provider="twilio")
    stored = (account.secret, account.encrypted_credentials)

    for row in (account, organization, assistant):
        for page in (address(type(row), "changelist"), address(type(row), "change", row.pk)):
            content = browser.get(page).content.decode()
            assert not [secret for secret in stored if secret in content], page


def test_an_event_is_found_by_the_id_that_customers_know(browser, ledger):
    ledger.grow(3)
    event = Event.objects.get(organization__slug="tenant-1")

    for model in (Event, EventDelivery, EventAttempt):
        found = browser.get(address(model, "changelist"), {"q": event.public_id})
        (row,) = found.context["cl"].result_list
        assert event.public_id in f"{row} {getattr(row, 'delivery', '')}"
