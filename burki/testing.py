"""Plain functions that make what tests need, through the real services wherever there is one."""

import importlib.metadata
import importlib.util
import threading
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from assistants.models import Assistant
from assistants.services import create_assistant
from numbers.sandbox.signing import telnyx_public_key
from organizations.actors import Actor
from organizations.models import Membership, Organization, ProviderAccount, User
from organizations.services import create_api_key, create_organization

SYSTEM = Actor.system("test")
# Of a request's waiting times: 25 seconds become 5, so that a busy machine is no reason to fail.
CLOCK_SCALE = 0.2
HURRIED = 0.1  # for tests that wait until a deadline is over
SANDBOX_SCALE = 0.05  # of the sandbox's waiting times
SETTLE_CLOCK_SCALE = 0.004  # of settling: the 5 minutes of empty looks become 1.2 seconds
NOWHERE = "http://127.0.0.1:9"  # nobody listens there

ACME_SID = "AC" + "a" * 32
TWILIO_TOKEN = "twilio-token-of-acme-7f3a"
TELNYX_KEY = "KEYacme.first-0123456789abcd"
# Known to every account of the sandbox from the start.
CONNECTION = "1234567890123456789"
PROFILE = "40017000-0000-4000-8000-000000000001"

TWILIO_NUMBER = "+14155551234"
TELNYX_NUMBER = "+14155555678"


def make_organization(name: str, *, accounts: bool = True, **fields: Any) -> Organization:
    organization = create_organization(actor=SYSTEM, name=name)
    if fields:
        for field, value in fields.items():
            setattr(organization, field, value)
        organization.save()
    if accounts:
        make_twilio_account(organization)
        make_telnyx_account(organization)
    return organization


def make_twilio_account(organization: Organization, **over: Any) -> ProviderAccount:
    digits = f"{organization.pk:x}".rjust(32, "a")
    fields = {"account_sid": f"AC{digits}", "secret": TWILIO_TOKEN, "is_default": True} | over
    return _account(organization, "twilio", fields)


def make_telnyx_account(organization: Organization, **over: Any) -> ProviderAccount:
    """With a connection and a profile that the sandbox knows, so that a purchase makes none, and
    the public key of the sandbox's account."""
    secret = over.get("secret", f"KEY{organization.slug}.first-0123456789abcd")
    fields = {
        "secret": secret,
        "public_key": telnyx_public_key(secret.split(".")[0]),
        "connection_id": CONNECTION,
        "messaging_profile_id": PROFILE,
        "is_default": True,
    } | over
    return _account(organization, "telnyx", fields)


def _account(organization: Organization, provider: str, fields: dict[str, Any]) -> ProviderAccount:
    """As the service stores it, without its checks: they cost a third of every test."""
    account = ProviderAccount(organization=organization, provider=provider, **fields)
    account.save()
    return account


def make_assistant(organization: Organization, name: str = "Support", **fields: Any) -> Assistant:
    return create_assistant(actor=SYSTEM, organization=organization, name=name, **fields)


def make_user(organization: Organization | None, role: str, email: str = "", **over: Any) -> User:
    user = User.objects.create_user(email or f"{role}@example.com", "correct horse", **over)
    if organization is not None:
        Membership.objects.create(organization=organization, user=user, role=role)
    return user


def make_client(organization: Organization, scopes: list[str] | None = None, **over: Any):
    """A REST client with a new API key (all scopes without `scopes`)."""
    _, key = create_api_key(
        actor=SYSTEM, organization=organization, name="test", scopes=scopes, **over
    )
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    client.key = key
    return client


def make_browser(organization: Organization | None, role: str, **over: Any) -> Client:
    """A browser in which a new person with this role is signed in (`browser.user`); it checks
    CSRF tokens when asked to with `csrf=True`."""
    browser = Client(enforce_csrf_checks=over.pop("csrf", False))
    name = organization.slug if organization else "nobody"
    browser.user = make_user(
        organization, role, over.pop("email", f"{role}@{name}.example"), **over
    )
    browser.force_login(browser.user)
    return browser


def post(client: APIClient, path: str, body: Any, **headers: str):
    """POST JSON; `headers` as in HTTP_IDEMPOTENCY_KEY."""
    return client.post(path, body, format="json", **headers)


@cache
def sdk_models(name: str) -> ModuleType:
    """A module of models of the official client, such as `assistant`. The client's package has
    our project's name, so it is loaded from its file, under another one."""
    path = importlib.metadata.distribution("burki").locate_file(f"burki/models/{name}.py")
    spec = importlib.util.spec_from_file_location(f"official_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def orders_sent(sandbox) -> list[Any]:
    """Every POST that could have bought a number."""
    return [
        request
        for request in sandbox.requests(method="POST")
        if request.path.endswith("/IncomingPhoneNumbers.json")
        or request.path.endswith("/number_orders")
    ]


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls at the same moment; their results or exceptions, in order."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)

    def run(index: int, call: Callable[[], Any]) -> None:
        try:
            barrier.wait(timeout=10)
            results[index] = call()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()  # else the thread takes its connection with it, for ever

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return results
