"""The service that changes an organization: who may, and what is written of it."""

import pytest

from burki.errors import PermissionDenied
from burki.testing import SYSTEM, make_user
from organizations.actors import Actor
from organizations.models import AuditEvent
from organizations.services import update_organization

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", ["viewer", "member", "admin"])
@pytest.mark.parametrize("limit", ["monthly_limit", "number_limit"])
def test_nobody_but_an_owner_changes_limits(organization, role, limit):
    actor = Actor.for_user(make_user(organization, role))
    events = AuditEvent.objects.count()

    with pytest.raises(PermissionDenied):
        update_organization(actor=actor, organization=organization, name="New", **{limit: 5})

    organization.refresh_from_db()
    assert (organization.name, getattr(organization, limit)) == ("Acme", None)
    assert AuditEvent.objects.count() == events


def test_an_owner_changes_limits_and_the_audit_tells_the_new_ones(organization):
    owner = Actor.for_user(make_user(organization, "owner"))

    update_organization(actor=owner, organization=organization, number_limit=5)

    organization.refresh_from_db()
    assert organization.number_limit == 5
    event = AuditEvent.objects.get(action="organization.changed")
    assert event.data == {"fields": ["number_limit"], "number_limit": "5"}


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_only_those_who_administrate_the_organization_change_it(organization, role):
    actor = Actor.for_user(make_user(organization, role))

    with pytest.raises(PermissionDenied):
        update_organization(actor=actor, organization=organization, name="New")


def test_what_is_as_wanted_is_not_written(organization):
    before = organization.updated_at

    after = update_organization(actor=SYSTEM, organization=organization, name="Acme", settings={})

    assert after.updated_at == before
    assert AuditEvent.objects.filter(action="organization.changed").count() == 0


def test_an_organization_has_no_other_settings(organization):
    with pytest.raises(TypeError, match="is_active"):
        update_organization(actor=SYSTEM, organization=organization, is_active=False)
