"""A form whose token is not the browser's does nothing, on whichever page of the staff."""

from uuid import uuid4

import pytest
from django.db import connection
from django.middleware.csrf import get_token
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern

from burki.testing import make_browser, orders_sent
from burki.tests.office import Office
from numbers.ui.urls import urlpatterns as number_pages
from organizations.models import ApiKey, AuditEvent, Event
from organizations.urls import urlpatterns as organization_pages

pytestmark = pytest.mark.django_db

SAYS = "Nothing was changed and nothing was bought."


@pytest.fixture
def things(organization) -> dict[str, object]:
    """What the addresses may be about, by the beginnings of their routes."""
    office = Office(organization)
    office.grow(1)
    account = organization.provider_accounts.first()
    return {
        "numbers/": office.number.pk,
        "assistants/": office.assistant.pk,
        "purchases/": office.purchase.pk,
        "buy/many/": office.bulk.pk,
        "settings/credentials/": account.pk,
        "settings/api-keys/": ApiKey.objects.first().pk,
        "settings/members/": organization.memberships.first().pk,
        "settings/events/endpoints/": office.endpoint.pk,
        "settings/events/": Event.objects.first().pk,
    }


def address(route: URLPattern, things: dict[str, object]) -> str:
    """Of something that there is, if it is about something."""
    pattern = str(route.pattern)
    begun = [pk for begin, pk in things.items() if pattern.startswith(begin)]
    given = {"pk": begun[0] if begun else 1, "key": uuid4(), "provider": "twilio"}
    given |= {"uidb64": "MQ", "token": "x-y"}
    for name, converter in route.pattern.converters.items():
        kind = "" if type(converter).__name__ == "StringConverter" else converter_name(converter)
        pattern = pattern.replace(f"<{kind}{name}>", str(given[name]))
    return f"/{pattern}"


def converter_name(converter: object) -> str:
    return f"{type(converter).__name__.removesuffix('Converter').lower()}:"


def test_no_form_does_anything_with_another_browsers_token(organization, things, sandbox):
    browser = make_browser(organization, "owner", csrf=True)
    browser.get("/account")  # gives it a token of its own
    foreign = get_token(RequestFactory().get("/"))
    events = AuditEvent.objects.count()

    found = {}
    for route in [*number_pages, *organization_pages]:
        form = {"csrfmiddlewaretoken": foreign, "name": "x", "password": "correct horse"}
        with CaptureQueriesContext(connection) as queries:
            response = browser.post(address(route, things), form)
        wrote = [one["sql"] for one in queries if not one["sql"].startswith("SELECT")]
        told = SAYS in response.content.decode()
        if (response.status_code, told, wrote) != (403, True, []):
            found[route.name] = (response.status_code, told, wrote)

    assert found == {}
    assert AuditEvent.objects.count() == events
    assert orders_sent(sandbox) == []
