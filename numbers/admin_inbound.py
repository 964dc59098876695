"""The inbox, calls and messages in the Django admin: to look at; failed events can be processed
again."""

from django.contrib import admin, messages

from numbers.models import Call, HandoverAttempt, Message, WebhookDelivery
from numbers.services.inbound.inbox import reprocess
from organizations.admin import FEW_ORGANIZATIONS, ReadOnlyAdmin, admin_actor

REPROCESS_PERMISSION = "numbers.reprocess_webhookdelivery"


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """What the providers sent us. Only verified events are here."""

    list_display = ["received_at", "event_type", "kind", "account", "deliveries", "processed_at",
                    "attempts", "error"]  # fmt: skip
    list_filter = [("processed_at", admin.EmptyFieldListFilter), "kind", "provider"]
    search_fields = ["event_key"]
    list_select_related = ["account"]
    show_full_result_count = False
    fields = ["received_at", "provider", "account", "event_type", "event_key", "kind",
              "deliveries", "text", "answer", "decision", "processed_at", "attempts",
              "error"]  # fmt: skip
    actions = ["reprocess"]

    def has_reprocess_permission(self, request) -> bool:
        return request.user.has_perm(REPROCESS_PERMISSION)

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        return rows if request.resolver_match.url_name.endswith("_change") else rows.defer("body")

    @admin.action(description="Process again what was not processed", permissions=["reprocess"])
    def reprocess(self, request, deliveries):
        actor = admin_actor(request)
        queued = sum(reprocess(actor=actor, delivery=delivery) for delivery in deliveries)
        done = len(deliveries) - queued
        self.message_user(
            request,
            f"{queued} queued." + (f" {done} had been processed already." if done else ""),
            messages.SUCCESS if queued else messages.WARNING,
        )


@admin.register(Call)
class CallAdmin(ReadOnlyAdmin):
    list_display = ["started_at", "from_number", "to_number", "organization", "assistant",
                    "answered_with", "status", "duration_seconds"]  # fmt: skip
    list_filter = ["status", "answered_with", "direction", "provider", FEW_ORGANIZATIONS]
    search_fields = ["from_number", "to_number", "call_id", "organization__slug"]
    list_select_related = ["organization", "assistant"]
    show_full_result_count = False


class HandoverAttemptInline(admin.TabularInline):
    model = HandoverAttempt
    fields = readonly_fields = ["at", "host", "status_code", "error", "milliseconds"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request, obj=None) -> bool:
        return False


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = ["received_at", "from_number", "to_number", "organization", "assistant",
                    "status", "handed_over_at"]  # fmt: skip
    list_filter = ["status", "direction", "provider", FEW_ORGANIZATIONS]
    search_fields = ["from_number", "to_number", "message_id", "organization__slug"]
    list_select_related = ["organization", "assistant"]
    show_full_result_count = False
    inlines = [HandoverAttemptInline]


@admin.register(HandoverAttempt)
class HandoverAttemptAdmin(ReadOnlyAdmin):
    list_display = ["at", "host", "message", "status_code", "error", "milliseconds"]
    list_filter = [("status_code", admin.EmptyFieldListFilter)]
    search_fields = ["host", "message__organization__slug"]
    list_select_related = ["message"]
    ordering = ["-id"]
    show_full_result_count = False
