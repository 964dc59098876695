import json

from django import forms
from django.contrib import admin

from assistants import opaque
from assistants.models import Assistant
from assistants.services import check_sms_webhook
from organizations.admin import FEW_ORGANIZATIONS, KeptAdmin


class _AssistantForm(forms.ModelForm):
    def clean(self):
        cleaned = super().clean()
        if "sms_webhook_url" in self.changed_data:
            check_sms_webhook(cleaned.get("sms_webhook_url") or "")
        return cleaned


@admin.register(Assistant)
class AssistantAdmin(KeptAdmin):
    form = _AssistantForm
    list_display = ["name", "organization", "language", "is_active"]
    list_filter = ["is_active", FEW_ORGANIZATIONS]
    search_fields = ["name", "organization__slug"]
    list_select_related = ["organization"]
    autocomplete_fields = ["organization", "twilio_account", "telnyx_account"]
    readonly_fields = ["other_settings", "created_by"]

    def get_readonly_fields(self, request, obj=None):
        return [*self.readonly_fields, *(["organization"] if obj else [])]

    def get_object(self, request, object_id, from_field=None):
        """Saving writes the whole row: nobody may change it in between."""
        found = super().get_object(request, object_id, from_field)
        if found is None or request.method != "POST":
            return found
        rows = self.get_queryset(request).select_for_update(no_key=True)
        return rows.filter(pk=found.pk).first()

    def save_model(self, request, obj, form, change) -> None:
        if not change:
            obj.created_by = request.user
        super().save_model(request, obj, form, change)

    @admin.display(description="settings of its clients")
    def other_settings(self, assistant: Assistant) -> str:
        return json.dumps(opaque.shown(assistant.settings), indent=2, ensure_ascii=False)
