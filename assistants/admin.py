from django.contrib import admin

from assistants.models import Assistant
from organizations.admin import KeptAdmin


@admin.register(Assistant)
class AssistantAdmin(KeptAdmin):
    list_display = ["name", "organization", "language", "is_active"]
    list_filter = ["is_active", "organization"]
    search_fields = ["name"]
    list_select_related = ["organization"]
    autocomplete_fields = ["organization", "twilio_account", "telnyx_account"]

    def get_readonly_fields(self, request, obj=None):
        return ["organization"] if obj else []
