"""The endpoint that compares an organization's provider accounts with its inventory."""

from typing import Any

from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from numbers.api import schema
from numbers.inventory import Synced, sync_organization
from organizations.models import Provider
from organizations.permissions import NUMBERS_WRITE


class InventoryViewSet(ViewSet):
    """`numbers:write` is enough: nothing is bought, released, or set at a provider, no credential
    is shown or changed; numbers that the organization already pays for become its own to
    configure, which is what that scope is for."""

    operations = schema.INVENTORY
    required_scopes = {"sync": NUMBERS_WRITE}

    def sync(self, request) -> Response:
        """Adopt what the organization's own provider accounts have and its inventory lacks."""
        synced = sync_organization(actor=request.user, organization=request.organization)
        return Response(sync_answer(synced))


def sync_answer(synced: Synced) -> dict[str, Any]:
    """A number counts as synchronized when its account lists it and the organization has it: those
    just adopted and those known before, as existing clients understand it."""
    total = sum(synced.counts.values())
    each = ", ".join(f"{Provider(name).label}: {n}" for name, n in synced.counts.items())
    answer = {
        "success": True,
        "message": f"Successfully synced {total} phone numbers: {each}",
        "synced_count": total,
        "adopted_count": synced.adopted,
        "findings": synced.findings,
    }
    if synced.failures:
        answer["failures"] = {
            name: {"detail": error.detail, "code": error.code, **error.facts}
            for name, error in synced.failures.items()
        }
    return answer
