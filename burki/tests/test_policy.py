"""What browsers may do on our pages: the same strict policy on all of them."""

import pytest
from django.test import Client

from burki.testing import TWILIO_NUMBER, make_browser
from numbers.models import Purchase

pytestmark = pytest.mark.django_db

STRICT = {
    "default-src": ["'self'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
    "object-src": ["'none'"],
}
# Swagger UI's own pictures are written into its style sheet.
DOCS = STRICT | {"img-src": ["'self'", "data:"]}
HTML = {"Accept": "text/html"}


def policy(response) -> dict[str, list[str]]:
    directives = response["Content-Security-Policy"].split(";")
    return {name: values for name, *values in map(str.split, directives)}


@pytest.fixture
def viewer(organization):
    browser = make_browser(organization, "viewer")
    browser.raise_request_exception = False
    return browser


@pytest.fixture
def broken(organization) -> Purchase:
    """Its page cannot be made."""
    return Purchase.objects.create(
        organization=organization, provider="twilio", phone_number=TWILIO_NUMBER, looks=["?"]
    )


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/", 200),
        ("/settings/members", 403),
        ("/numbers/999999", 404),
        ("/nowhere", 404),
        ("/purchases?state=x", 200),
    ],
)
def test_staff_pages_and_what_they_say_instead_obey_it(viewer, address, status):
    response = viewer.get(address, headers=HTML)

    assert response.status_code == status
    assert policy(response) == STRICT


def test_the_page_of_our_own_failure_obeys_it(viewer, broken):
    response = viewer.get(f"/purchases/{broken.pk}", headers=HTML)

    assert response.status_code == 500
    assert policy(response) == STRICT


def test_a_form_without_its_token_obeys_it(organization):
    response = make_browser(organization, "owner", csrf=True).post("/sign-out", headers=HTML)

    assert response.status_code == 403
    assert policy(response) == STRICT


def test_who_is_not_signed_in_gets_it_too():
    assert policy(Client().get("/sign-in")) == STRICT
    assert policy(Client().get("/docs")) == DOCS


@pytest.mark.parametrize("address", ["/admin/", "/admin/numbers/phonenumber/"])
def test_the_admin_obeys_it(organization, address):
    operator = make_browser(organization, "owner", is_staff=True, is_superuser=True)

    response = operator.get(address)

    assert response.status_code == 200
    assert policy(response) == STRICT
