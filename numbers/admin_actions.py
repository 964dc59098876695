"""Admin actions that ask first, and then tell of each row what became of it."""

from collections.abc import Callable

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.template.response import TemplateResponse
from django.urls import reverse

from burki.errors import BurkiError, sentence
from organizations.actors import Actor
from organizations.admin import admin_actor


class AskingFirst:
    """For a `ModelAdmin` whose rows have a `phone_number`."""

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
                "rows": rows,
                "action": action,
                "consequence": consequence,
                "opts": self.opts,
                "back": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
            }
            return TemplateResponse(request, "admin/numbers/confirm.html", context)
        actor = admin_actor(request)
        for row in rows:
            try:
                said = f"{row.phone_number} {act(actor, row)}"
                self.message_user(request, said, messages.SUCCESS)
            except BurkiError as error:
                why = sentence(error)
                if row.phone_number not in why:
                    why = f"{row.phone_number}: {why}"
                self.message_user(request, why, messages.ERROR)
        return None
