"""Admin actions that ask first, and then tell of each row what became of it."""

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.template.response import TemplateResponse
from django.urls import reverse

from burki.errors import BurkiError, InvalidRequest, sentence
from organizations.actors import Actor
from organizations.admin import admin_actor


class AskingFirst:
    """For a `ModelAdmin` with actions that ask first; most of its rows are about a phone number."""

    def subject(self, row: Model) -> Model:
        """What has the row's `phone_number` and its `account`."""
        return row

    def named(self, row: Model) -> str:
        """How the row is called where it is asked about, and in the message about it."""
        return self.subject(row).phone_number

    def each(
        self,
        request,
        rows: QuerySet,
        action: str,
        consequence: str,
        act: Callable[[Actor, Model], str],
    ):
        """Ask first; posted again with `post=yes`, act on each row, with a message for each."""
        if request.POST.get("post") != "yes":
            context = self.admin_site.each_context(request) | {
                "title": f"{self.get_action(action)[2]}: are you sure?",
                "rows": [(row, self.named(row), self.subject(row)) for row in rows],
                "action": action,
                "consequence": consequence,
                "key": uuid.uuid4(),
                "opts": self.opts,
                "back": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
            }
            return TemplateResponse(request, "admin/numbers/confirm.html", context)
        actor = admin_actor(request)
        for row in rows:
            name = self.named(row)
            try:
                self.message_user(request, f"{name} {act(actor, row)}", messages.SUCCESS)
            except BurkiError as error:
                why = sentence(error)
                if name not in why:
                    why = f"{name}: {why}"
                self.message_user(request, why, messages.ERROR)
        return None


def page_key(request, row: Model) -> str:
    """An idempotency key of the confirmed page for one row: minted when the page was rendered, in
    the admin's own namespace. Raises `InvalidRequest`."""
    try:
        return f"admin:{uuid.UUID(request.POST.get('key', ''))}:{row.pk}"
    except ValueError:
        raise InvalidRequest("This page was changed on its way here. Nothing was done.") from None
