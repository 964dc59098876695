"""The verbs of this app."""

from django.db import transaction

from assistants.models import Assistant
from burki.errors import NotFound
from organizations import audit
from organizations.actors import Actor
from organizations.models import Organization
from organizations.permissions import ASSISTANTS_WRITE

_LARGEST_ID = 2**63 - 1  # what PostgreSQL's bigint holds


@transaction.atomic
def create_assistant(*, actor: Actor, organization: Organization, name: str, **fields) -> Assistant:
    actor.require(ASSISTANTS_WRITE, organization)
    assistant = Assistant(organization=organization, name=name, **fields)
    assistant.full_clean()
    assistant.save()
    audit.record(actor, "assistant.created", assistant, organization=organization, name=name)
    return assistant


def get_assistant(organization: Organization, assistant_id: int) -> Assistant:
    """The organization's assistant with this id; another tenant's is not found, like no one's."""
    assistant = None
    if assistant_id <= _LARGEST_ID:
        assistant = (
            Assistant.objects.select_related("twilio_account", "telnyx_account")
            .filter(organization=organization, pk=assistant_id)
            .first()
        )
    if assistant is None:
        raise NotFound(f"Assistant with ID {assistant_id} not found")
    return assistant
