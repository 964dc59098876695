"""The cast of the tests. Variations are plain functions in `burki.testing`."""

import gc
import os

import pytest
from django.core.cache import cache
from django.db import connection
from procrastinate.contrib.django import app
from rest_framework.test import APIClient

from burki import testing
from burki.tests import database
from burki.tests.contract import contract
from numbers.providers import http as provider_http
from numbers.sandbox import SandboxServer
from organizations.tests.customers import Customer


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """In `make test-all` a skipped test is a failed one: nothing is left out silently."""
    report = yield
    if report.skipped and os.environ.get("REQUIRE_ALL"):
        report.outcome, report.longrepr = "failed", f"skipped: {report.longrepr}"
    return report


def pytest_collection_finish(session):
    """What is there now stays to the end: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings, django_db_blocker):
    """A copy of a migrated database, instead of all migrations in every process. Nothing in it
    outlives the machine, so that no commit waits for the disk."""
    with django_db_blocker.unblock():
        connection.settings_dict["TEST"]["TEMPLATE"] = database.template()
    connection.settings_dict["OPTIONS"]["options"] += " -c synchronous_commit=off"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """As pytest-django's; and at the end nobody is left connected, so that it can be dropped."""
    with django_db_blocker.unblock():
        database.flush_quickly()
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.close()


@pytest.fixture(scope="session")
def _sandbox():
    with SandboxServer(time_scale=testing.SANDBOX_SCALE) as server:
        yield server


@pytest.fixture(autouse=True)
def _quick_and_alone(settings):
    """Waiting times shrink together, and no test sees what another left in the cache. Without the
    `sandbox` fixture a provider is nowhere: a request to one fails at once."""
    settings.CLOCK_SCALE = testing.CLOCK_SCALE
    settings.SETTLE_CLOCK_SCALE = testing.SETTLE_CLOCK_SCALE
    settings.TWILIO_API_BASE_URL = testing.NOWHERE
    settings.TWILIO_PRICING_BASE_URL = testing.NOWHERE
    settings.TELNYX_API_BASE_URL = f"{testing.NOWHERE}/v2"
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TELNYX_API_KEY"):
        setattr(settings, name, "")
    settings.TELNYX_CONNECTION_ID = settings.TELNYX_MESSAGING_PROFILE_ID = ""
    settings.PUBLIC_BASE_URL = "https://burki.test"
    settings.DEFAULT_MONTHLY_LIMIT = None
    cache.clear()
    provider_http._sessions.clear()


@pytest.fixture(scope="session", autouse=True)
def _answers_are_as_documented():
    """Every answer that a test gets from the REST API is compared with openapi.yaml."""
    send = APIClient.request

    def request(self, **environ):
        response = send(self, **environ)
        content = response.getvalue()
        if response.streaming:  # it can be read once: we are not the last who read it
            response.streaming_content = [content]
        method, path = response.request["REQUEST_METHOD"], response.request["PATH_INFO"]
        problems = contract.problems(method, path, response.status_code, response.headers, content)
        assert problems == [], f"{method} {path} {response.status_code}: {content}"
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(APIClient, "request", request)
        yield


@pytest.fixture(autouse=True)
def _no_jobs_stay(request, django_db_blocker):
    """Tests that really commit leave their jobs behind: no flush reaches unmanaged models."""
    yield
    marker = request.node.get_closest_marker("django_db")
    commits = marker is not None and marker.kwargs.get("transaction")
    if commits or "transactional_db" in request.fixturenames:
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM procrastinate_jobs")


@pytest.fixture
def hurried(settings):
    """Deadlines come soon, for a test that waits for one."""
    settings.CLOCK_SCALE = testing.HURRIED


@pytest.fixture
def sandbox(_sandbox, settings):
    """Both providers over real HTTP, empty. An ordinary order at Telnyx is pending when it is
    accepted and done when it is looked for: who wants to wait for one takes a scenario."""
    _sandbox.reset()
    _sandbox.order_seconds = 0.001
    settings.TWILIO_API_BASE_URL = settings.TWILIO_PRICING_BASE_URL = _sandbox.url
    settings.TELNYX_API_BASE_URL = f"{_sandbox.url}/v2"
    return _sandbox


@pytest.fixture
def patience(settings):
    """As much time for requests as in earnest: that an answer was late is a verdict as well, and a
    busy machine must not cause it."""
    settings.CLOCK_SCALE = 1


@pytest.fixture
def organization(db):
    """A tenant with an account of its own at both providers."""
    return testing.make_organization("Acme")


@pytest.fixture
def other_organization(db):
    return testing.make_organization("Globex")


@pytest.fixture
def assistant(organization):
    return testing.make_assistant(organization)


@pytest.fixture
def actor(organization):
    return testing.SYSTEM


@pytest.fixture
def client(organization):
    """A REST client with a key of `organization` that may do everything."""
    return testing.make_client(organization)


@pytest.fixture
def customer(settings):
    """A customer's own server, for events."""
    settings.ALLOW_PRIVATE_WEBHOOKS = True
    server = Customer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def anonymous():
    return APIClient()


@pytest.fixture
def limited(settings):
    """`limited(purchase="2/min")`: that rate, and no other."""

    def limit(**rates):
        settings.THROTTLE_RATES = dict.fromkeys(settings.THROTTLE_RATES) | rates

    return limit


@pytest.fixture
def queue(transactional_db, monkeypatch):
    """The real queue, empty: the tables are not flushed by Django; and nothing periodic."""
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE procrastinate_jobs, procrastinate_periodic_defers, procrastinate_workers "
            "CASCADE"
        )
    monkeypatch.setattr(app.periodic_registry, "periodic_tasks", {})
